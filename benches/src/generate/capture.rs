//! The btsnoop file in memory, written and read: 16 octets of file header, then 24 octets before each packet.

/// Which way a packet goes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    ToController,
    ToHost,
}

/// What a packet is counted as.
#[derive(Clone, Copy)]
pub enum Group {
    LegacyAdvertising,
    ExtendedAdvertising,
    Acl,
    Credits,
    Other,
}

/// How many records of each kind a capture holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Contents {
    /// LE Advertising Report events.
    pub legacy_advertising: u64,
    /// LE Extended Advertising Report events.
    pub extended_advertising: u64,
    /// ACL data packets, either way.
    pub acl: u64,
    /// Number Of Completed Packets events.
    pub credits: u64,
    /// Commands and all other events.
    pub other: u64,
}

/// A generated capture.
pub struct Capture {
    /// The whole file.
    pub octets: Vec<u8>,
    /// What is in it.
    pub contents: Contents,
    time: u64,
    left: u64,
}

impl Capture {
    pub(super) fn new(count: u64) -> Self {
        let mut octets = MAGIC.to_vec();
        octets.extend_from_slice(&VERSION.to_be_bytes());
        octets.extend_from_slice(&DATA_LINK_H4.to_be_bytes());
        Self { octets, contents: Contents::default(), time: START, left: count }
    }

    /// Whether all records are there.
    pub(super) fn is_full(&self) -> bool {
        self.left == 0
    }

    /// Appends `packet`, `microseconds` after the one before; nothing when the capture is full.
    pub(super) fn push(&mut self, direction: Direction, packet: &[u8], microseconds: u32, group: Group) {
        if self.is_full() {
            return;
        }
        let control = matches!(packet.first(), Some(1 | 4));
        let flags = u32::from(direction == Direction::ToHost) | if control { 2 } else { 0 };
        let length = u32::try_from(packet.len()).expect("an HCI packet is short");
        self.time += u64::from(microseconds);
        self.octets.extend_from_slice(&length.to_be_bytes());
        self.octets.extend_from_slice(&length.to_be_bytes());
        self.octets.extend_from_slice(&flags.to_be_bytes());
        self.octets.extend_from_slice(&[0; 4]);
        self.octets.extend_from_slice(&self.time.to_be_bytes());
        self.octets.extend_from_slice(packet);
        self.left -= 1;
        *match group {
            Group::LegacyAdvertising => &mut self.contents.legacy_advertising,
            Group::ExtendedAdvertising => &mut self.contents.extended_advertising,
            Group::Acl => &mut self.contents.acl,
            Group::Credits => &mut self.contents.credits,
            Group::Other => &mut self.contents.other,
        } += 1;
    }
}

/// One record as it stands in the file.
#[derive(Clone, Copy)]
pub struct Record<'a> {
    /// Bit 0: from the controller; bit 1: command or event.
    pub flags: u32,
    /// Microseconds since the year 0.
    pub time: u64,
    /// The packet, its H4 indicator first.
    pub packet: &'a [u8],
}

/// The records of a capture, ending at the first that is not whole.
pub fn records(capture: &[u8]) -> impl Iterator<Item = Record<'_>> {
    let mut rest = capture.get(FILE_HEADER..).unwrap_or_default();
    std::iter::from_fn(move || {
        let (head, tail) = rest.split_first_chunk::<RECORD_HEADER>()?;
        let [_, _, _, _, l0, l1, l2, l3, f0, f1, f2, f3, _, _, _, _, time @ ..] = *head;
        let length = usize::try_from(u32::from_be_bytes([l0, l1, l2, l3])).ok()?;
        let (packet, next) = tail.split_at_checked(length)?;
        rest = next;
        Some(Record { flags: u32::from_be_bytes([f0, f1, f2, f3]), time: u64::from_be_bytes(time), packet })
    })
}

const MAGIC: &[u8; 8] = b"btsnoop\0";
const VERSION: u32 = 1;
const DATA_LINK_H4: u32 = 1002;
const FILE_HEADER: usize = 16;
const RECORD_HEADER: usize = 24;
/// A time in 2025, in microseconds since the year 0.
const START: u64 = 0x00E0_3AB4_4A67_6000 + 800_000_000_000_000;
