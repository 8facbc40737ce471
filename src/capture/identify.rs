//! What a file is that is no capture, so that its owner knows what to do.

/// How files begin, and a sentence about them.
const BEGINNINGS: &[(&[u8], &str)] = &[
    (b"\x1F\x8B", "this is a gzip file: unpack it with gunzip first"),
    (b"BZh", "this is a bzip2 file: unpack it with bunzip2 first"),
    (b"\xFD7zXZ\0", "this is an xz file: unpack it with unxz first"),
    (b"\x28\xB5\x2F\xFD", "this is a zstd file: unpack it with unzstd first"),
    (b"\x04\x22\x4D\x18", "this is an lz4 file: unpack it with unlz4 first"),
    (b"7z\xBC\xAF\x27\x1C", "this is a 7-Zip archive: unpack it, and read the capture in it"),
    (
        b"PK\x03\x04",
        "this is a zip archive: unpack it; in a bug report of Android the capture is \
         FS/data/misc/bluetooth/logs/btsnoop_hci.log",
    ),
    (b"\x7FELF", "this is a program (ELF), no capture"),
    (b"\xCF\xFA\xED\xFE", "this is a program (Mach-O), no capture"),
    (b"MZ", "this is a program for Windows, no capture"),
    (b"%PDF", "this is a PDF file, no capture"),
    (b"\x89PNG", "this is a picture (PNG), no capture"),
    (b"SQLite format 3", "this is an SQLite database, no capture"),
    (b"bplist00", "this is a property list of macOS, no capture"),
    (b"snoop\0\0\0", "this is a snoop file of Solaris, which holds network packets and no HCI"),
    (b"\xD4\xC3\xB2\xA1", "this is a pcap file that ends within its header"),
    (b"\xA1\xB2\xC3\xD4", "this is a pcap file that ends within its header"),
    (b"\x4D\x3C\xB2\xA1", "this is a pcap file that ends within its header"),
    (b"\xA1\xB2\x3C\x4D", "this is a pcap file that ends within its header"),
    (
        b"\x34\xCD\xB2\xA1",
        "this is a pcap file of an old variant (magic A1B2CD34): convert it with editcap -F pcap",
    ),
    (
        b"\xA1\xB2\xCD\x34",
        "this is a pcap file of an old variant (magic A1B2CD34): convert it with editcap -F pcap",
    ),
    (b"\x0A\x0D\x0D\x0A", "this is a pcapng file that ends within its header"),
    (b"btsnoop\0", "this is a btsnoop file that ends within its header"),
    (b"\xFF\xFE", "this is text (UTF-16), no capture"),
    (b"<!DOCTYPE", "this is a web page (HTML), no capture: save the file itself, not the page that shows it"),
    (b"<html", "this is a web page (HTML), no capture: save the file itself, not the page that shows it"),
];

const READ: &str = "btsnoop, pcap, pcapng and PacketLogger files are read";

/// A sentence about a file, of which this is the beginning.
pub(super) fn sentence(head: &[u8]) -> String {
    if head.is_empty() {
        return "the file is empty".to_owned();
    }
    if let Some((_, sentence)) = BEGINNINGS.iter().find(|(beginning, _)| head.starts_with(beginning)) {
        return (*sentence).to_owned();
    }
    if head.get(257..262) == Some(b"ustar") {
        return "this is a tar archive: unpack it, and read the capture in it".to_owned();
    }
    let shown = &head[..head.len().min(512)];
    if contains(shown, b"BEGIN:BTSNOOP_LOG_SUMMARY") {
        return "this is text with a btsnooz log in it: turn that into btsnoop with btsnooz.py of Android first"
            .to_owned();
    }
    if is_text(shown) {
        return format!("this is text, no capture; {READ}");
    }
    let octets: Vec<_> = head.iter().take(8).map(|octet| format!("{octet:02x}")).collect();
    format!("the file begins with {}, which no capture format does; {READ}", octets.join(" "))
}

fn contains(octets: &[u8], part: &[u8]) -> bool {
    octets.windows(part.len()).any(|window| window == part)
}

fn is_text(octets: &[u8]) -> bool {
    // The last character may be cut.
    let text = match std::str::from_utf8(octets) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(&octets[..error.valid_up_to()]).unwrap_or_default()
        }
        Err(_) => return false,
    };
    !text.is_empty() && text.chars().all(|c| !c.is_control() || matches!(c, '\n' | '\r' | '\t' | '\x1B'))
}

/// What a link type of pcap is, for those that hold no HCI packets as they are read here.
pub(super) fn link_type(number: u32) -> String {
    let (name, hint) = match number {
        0 => ("BSD loopback", NETWORK),
        1 => ("Ethernet", NETWORK),
        101 | 228 | 229 => ("IP", NETWORK),
        105 | 127 | 119 | 163 | 192 => ("Wi-Fi", NETWORK),
        113 | 276 => ("Linux cooked", NETWORK),
        195 | 215 | 230 | 283 => ("IEEE 802.15.4", NETWORK),
        227 => ("CAN", NETWORK),
        251 | 256 => ("LE link layer", AIR),
        255 | 161 => ("BR/EDR baseband", AIR),
        272 => ("nRF Sniffer", AIR),
        186 | 189 | 220 | 249 | 266 | 288..=290 => {
            ("USB", "HCI may be in it, inside of USB transfers: capture at the host instead")
        }
        147..=162 => ("private use", OTHER),
        _ => ("", OTHER),
    };
    let name = if name.is_empty() { String::new() } else { format!(" ({name})") };
    format!("link type {number}{name}, no HCI: {hint}")
}

const NETWORK: &str = "these are packets of another network; HCI has link type 187, 201 or 254";
const AIR: &str = "these are packets from the air, which Wireshark reads; HCI has link type 187, 201 or 254";
const OTHER: &str = "HCI has link type 187, 201 or 254";
