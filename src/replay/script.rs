//! The packets of one controller out of a capture, in order.

use crate::Instant;
use crate::capture::{Direction, Kind, ReadError, Reader, Record, Timestamp};
use crate::transports::{HciPacket, PacketError};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// One packet of a [`Script`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ScriptPacket {
    /// Its number in the file, counted from 1 as every record is: what `baretooth decode` and Wireshark show.
    pub number: u64,
    /// When it passed, counted from the first packet; never before the packet that stands before it.
    pub time: Instant,
    /// Which way it went.
    pub direction: Direction,
    /// The octets.
    pub packet: HciPacket,
}

/// What passed between a host and one controller, as a capture holds it.
///
/// All of it is in memory, which is as much as the file. Notes and what a monitor says of itself are left out; a capture
/// of several adapters gives the packets of the one that was first sent anything.
///
/// ```
/// use baretooth::replay::Script;
/// let script = Script::open("captures/heart_rate.btsnoop")?;
/// assert_eq!(script.packets()[0].packet.as_slice(), [0x01, 0x03, 0x0C, 0x00], "a session begins with a reset");
/// # Ok::<(), baretooth::replay::ScriptError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Script {
    packets: Vec<ScriptPacket>,
}

/// Why a capture cannot be replayed.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ScriptError {
    /// The file cannot be opened.
    #[error("{} cannot be opened: {source}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: Arc<io::Error>,
    },
    /// It cannot be read, or is no capture of HCI packets.
    #[error(transparent)]
    Read(Arc<ReadError>),
    /// The capture kept only the beginning of a packet.
    #[error(
        "packet {number} cannot be replayed: the capture kept {kept} of its {length} octets; capture whole packets"
    )]
    Cut {
        /// Its number.
        number: u64,
        /// Octets that are there.
        kept: usize,
        /// Octets that it had.
        length: usize,
    },
    /// A record is no HCI packet.
    #[error("packet {number} cannot be replayed: {cause}")]
    Packet {
        /// Its number.
        number: u64,
        /// What is wrong with it.
        cause: PacketError,
    },
    /// The format does not say which way data went.
    #[error("packet {number} cannot be replayed: the capture does not say which way it went")]
    Direction {
        /// Its number.
        number: u64,
    },
    /// The host never said anything.
    #[error("nothing to replay: the capture holds no packet that a host sent")]
    Empty,
}

impl Script {
    /// Reads a capture of any format.
    ///
    /// # Errors
    /// When the file cannot be read, or a packet of it cannot be replayed.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, ScriptError> {
        let path = path.as_ref();
        let failed = |source| ScriptError::Open { path: path.to_owned(), source: Arc::new(source) };
        Self::read(File::open(path).map_err(failed)?)
    }

    /// Reads a capture of any format; no buffer is needed around `from`.
    ///
    /// # Errors
    /// When it cannot be read, or a packet of it cannot be replayed.
    pub fn read(from: impl Read) -> Result<Self, ScriptError> {
        let failed = |error| ScriptError::Read(Arc::new(error));
        let mut reader = Reader::new(from).map_err(failed)?;
        let mut numbered = Vec::new();
        let mut number = 0;
        while let Some(record) = reader.read().map_err(failed)? {
            number += 1;
            if matches!(record.kind, Kind::Packet(_)) {
                numbered.push((number, record));
            }
        }
        let sent = numbered.iter().find(|(_, record)| way(record) == Some(Direction::Sent));
        let adapter = sent.ok_or(ScriptError::Empty)?.1.adapter;
        numbered.retain(|(_, record)| record.adapter == adapter);
        Self::new(numbered)
    }

    fn new(numbered: Vec<(u64, Record)>) -> Result<Self, ScriptError> {
        let origin = numbered.first().map_or(Timestamp::UNIX_EPOCH, |(_, record)| record.time);
        let mut time = Instant::START;
        let mut packets = Vec::with_capacity(numbered.len());
        for (number, record) in numbered {
            if record.is_cut() {
                let (kept, length) = (record.data.len(), record.original_length);
                return Err(ScriptError::Cut { number, kept, length });
            }
            let direction = way(&record).ok_or(ScriptError::Direction { number })?;
            let packet = record.hci().map_err(|cause| ScriptError::Packet { number, cause })?;
            // A clock that was set back stands still until it is there again.
            time = time.max(Instant::from_start(record.time.since(origin)));
            packets.push(ScriptPacket { number, time, direction, packet });
        }
        Ok(Self { packets })
    }

    /// All of them.
    pub fn packets(&self) -> &[ScriptPacket] {
        &self.packets
    }
}

/// Which way it went, by the record or by what it is: a command is sent and an event received in any format.
fn way(record: &Record) -> Option<Direction> {
    record.direction().or(match record.data.first() {
        Some(0x01) => Some(Direction::Sent),
        Some(0x04) => Some(Direction::Received),
        _ => None,
    })
}
