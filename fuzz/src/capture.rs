//! The formats that captures are written in.

use baretooth::capture::{Format, Link};

/// Every container with every link that it takes, in both byte orders and resolutions.
pub fn formats() -> Vec<Format> {
    let containers = [Format::BTSNOOP, Format::PCAP, Format::PCAPNG, Format::PACKET_LOGGER];
    let links = [Link::H1, Link::H4, Link::H4WithDirection, Link::Monitor, Link::PacketLogger];
    let pairs = containers.iter().flat_map(|format| links.map(|link| format.with_link(link)));
    let each = pairs.flatten().flat_map(|format| {
        let other = Format { big_endian: !format.big_endian, nanoseconds: !format.nanoseconds, ..format };
        [format, other]
    });
    each.collect()
}
