//! The formats, and how they are told apart.

use std::fmt;
use std::path::Path;

/// The file around the records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Container {
    /// btsnoop version 1, of BlueZ, Android and Bumble.
    Btsnoop,
    /// The classic format of libpcap.
    Pcap,
    /// The block format of Wireshark.
    PcapNg,
    /// Apple's PacketLogger.
    PacketLogger,
}

/// The form of a record's octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// Without indicator: the record's flags tell commands and events from data (btsnoop 1001).
    H1,
    /// Frames of CSR's serial protocol (btsnoop 1003), which are read as data and not written.
    Bcsp,
    /// Frames of the three-wire serial protocol H5 (btsnoop 1004), which are read as data and not written.
    ThreeWire,
    /// H4: the indicator first (btsnoop 1002, pcap 187).
    H4,
    /// Four octets of direction, then H4 (pcap 201).
    H4WithDirection,
    /// An adapter's index and an opcode, as the Linux monitor channel has them (btsnoop 2001, pcap 254).
    Monitor,
    /// PacketLogger's own type octet.
    PacketLogger,
}

/// A container and what is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Format {
    /// The file.
    pub container: Container,
    /// Its records.
    pub link: Link,
    /// Whether integers of the container are big-endian; btsnoop always is.
    pub big_endian: bool,
    /// Whether times are kept to the nanosecond where the container leaves the choice; else to the microsecond.
    pub nanoseconds: bool,
}

impl Format {
    /// btsnoop of H4 packets: what most tools read.
    pub const BTSNOOP: Self =
        Self { container: Container::Btsnoop, link: Link::H4, big_endian: true, nanoseconds: false };
    /// btsnoop of a Linux monitor: keeps notes and several adapters.
    pub const MONITOR: Self = Self { link: Link::Monitor, ..Self::BTSNOOP };
    /// pcap of H4 packets with their direction.
    pub const PCAP: Self = Self {
        container: Container::Pcap,
        link: Link::H4WithDirection,
        big_endian: false,
        nanoseconds: true,
    };
    /// pcapng of H4 packets with their direction.
    pub const PCAPNG: Self = Self { container: Container::PcapNg, ..Self::PCAP };
    /// PacketLogger, in the byte order of today's Macs.
    pub const PACKET_LOGGER: Self = Self {
        container: Container::PacketLogger,
        link: Link::PacketLogger,
        big_endian: false,
        nanoseconds: false,
    };

    /// The same container with its records in another form: [`Link::Monitor`] keeps notes and adapters.
    ///
    /// ```
    /// use baretooth::capture::{Format, Link};
    /// assert!(Format::PCAP.with_link(Link::Monitor).is_ok());
    /// assert!(Format::PACKET_LOGGER.with_link(Link::H4).is_err());
    /// ```
    ///
    /// # Errors
    /// When the container has no number for that form.
    pub fn with_link(self, link: Link) -> Result<Self, ImpossibleFormat> {
        let format = Self { link, ..self };
        let possible = match self.container {
            Container::Btsnoop => matches!(link, Link::H1 | Link::H4 | Link::Monitor),
            Container::Pcap | Container::PcapNg => {
                matches!(link, Link::H4 | Link::H4WithDirection | Link::Monitor)
            }
            Container::PacketLogger => link == Link::PacketLogger,
        };
        if possible { Ok(format) } else { Err(ImpossibleFormat(format)) }
    }

    /// The format that a file's name promises.
    ///
    /// ```
    /// use baretooth::capture::Format;
    /// assert_eq!(Format::of_name("run.pcapng"), Ok(Format::PCAPNG));
    /// assert!(Format::of_name("run.txt").is_err());
    /// ```
    ///
    /// # Errors
    /// When the name ends in none of `.btsnoop`, `.log`, `.cfa`, `.pcap`, `.pcapng` and `.pklg`.
    pub fn of_name(path: impl AsRef<Path>) -> Result<Self, UnknownFormat> {
        let extension = path.as_ref().extension().map(|name| name.to_string_lossy().to_ascii_lowercase());
        match extension.as_deref() {
            Some("btsnoop" | "log" | "cfa") => Ok(Self::BTSNOOP),
            Some("pcap") => Ok(Self::PCAP),
            Some("pcapng") => Ok(Self::PCAPNG),
            Some("pklg") => Ok(Self::PACKET_LOGGER),
            _ => Err(UnknownFormat(path.as_ref().display().to_string())),
        }
    }
}

/// A name that promises no format.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}: a capture's name ends in .btsnoop, .log, .pcap, .pcapng or .pklg")]
pub struct UnknownFormat(pub String);

/// A pair of container and form of records that is not written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "no file is written as {0}: btsnoop takes H1, H4 and Linux monitor, pcap and pcapng H4 with and without direction and Linux monitor, PacketLogger its own records"
)]
pub struct ImpossibleFormat(pub Format);

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let container = match self.container {
            Container::Btsnoop => "btsnoop",
            Container::Pcap => "pcap",
            Container::PcapNg => "pcapng",
            Container::PacketLogger if self.link == Link::PacketLogger => return f.write_str("PacketLogger"),
            Container::PacketLogger => "PacketLogger",
        };
        let link = match self.link {
            Link::H1 => "H1",
            Link::H4 => "H4",
            Link::Bcsp => "BCSP",
            Link::ThreeWire => "three-wire",
            Link::H4WithDirection => "H4 with direction",
            Link::Monitor => "Linux monitor",
            Link::PacketLogger => "PacketLogger",
        };
        write!(f, "{container} ({link})")
    }
}
