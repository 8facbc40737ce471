//! Frames out of ACL packets ([Vol 3] Part A, 7.2.2): no copy for a frame in one packet, one for a fragmented one.

use super::{ChannelId, Frame, frame};
use crate::hci::acl::{AclData, PacketBoundary};
use bytes::{Bytes, BytesMut};

/// The frame that is arriving on one link.
#[derive(Debug, Default)]
pub struct Reassembly {
    partial: Option<BytesMut>,
}

/// Why octets on a link were dropped. The link goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Dropped {
    /// A later part without a first one.
    #[error("a continuation without a start")]
    NoStart,
    /// A first part while a frame was not whole; the new frame goes on.
    #[error("a frame of which {0} octets had come was cut off by the next")]
    CutOff(usize),
    /// More octets than the frame announces.
    #[error("{0} octets more than the frame announces")]
    TooLong(usize),
    /// Flags that LE does not use.
    #[error("packet boundary or broadcast flags that are not used on LE")]
    Flags,
}

impl Reassembly {
    /// Takes the next packet of the link; a whole frame comes out. `octets` is what `acl` was read from.
    ///
    /// # Errors
    /// When something was dropped. After [`Dropped::CutOff`] the new frame may still be whole: call
    /// [`take`](Self::take).
    pub fn on_packet(&mut self, acl: &AclData<'_>, octets: &Bytes) -> Result<Option<Frame>, Dropped> {
        if acl.broadcast != 0 || acl.boundary == PacketBoundary::Complete {
            return Err(Dropped::Flags);
        }
        if acl.boundary == PacketBoundary::Continuing {
            let partial = self.partial.as_mut().ok_or(Dropped::NoStart)?;
            partial.extend_from_slice(acl.data);
            return self.take();
        }
        let cut_off = self.partial.take().map(|partial| Dropped::CutOff(partial.len()));
        if cut_off.is_none() && frame::parse(acl.data).is_ok() {
            return Ok(whole(octets.slice_ref(acl.data)));
        }
        self.partial = Some(BytesMut::from(acl.data));
        match cut_off {
            Some(dropped) => Err(dropped),
            None => self.take(),
        }
    }

    /// The frame, when all of it has come.
    ///
    /// # Errors
    /// [`Dropped::TooLong`] when more than the frame has come.
    pub fn take(&mut self) -> Result<Option<Frame>, Dropped> {
        let Some(partial) = &self.partial else { return Ok(None) };
        let Some(&[a, b]) = partial.first_chunk() else { return Ok(None) };
        let length = frame::HEADER_LENGTH + usize::from(u16::from_le_bytes([a, b]));
        if partial.len() > length {
            let excess = partial.len() - length;
            self.partial = None;
            return Err(Dropped::TooLong(excess));
        }
        if partial.len() < length {
            return Ok(None);
        }
        Ok(self.partial.take().and_then(|partial| whole(partial.freeze())))
    }
}

/// Octets of exactly one frame.
fn whole(octets: Bytes) -> Option<Frame> {
    let channel = octets.get(2..4)?;
    let channel = ChannelId(u16::from_le_bytes(channel.try_into().ok()?));
    Some(Frame { channel, payload: octets.slice(frame::HEADER_LENGTH..) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transports::HciPacket;

    const FIRST: u8 = 0x20;
    const MORE: u8 = 0x10;

    /// Feeds packets given as flags and data; what comes out of each.
    fn feed(packets: &[(u8, &[u8])]) -> Vec<Result<Option<Vec<u8>>, Dropped>> {
        let mut reassembly = Reassembly::default();
        let mut step = |&(flags, data): &(u8, &[u8])| {
            let length = u16::try_from(data.len()).expect("short").to_le_bytes();
            let packet =
                HciPacket::new([&[2, 1, flags, length[0], length[1]], data].concat()).expect("whole");
            let acl = AclData::parse(packet.as_slice()).expect("whole");
            reassembly.on_packet(&acl, packet.bytes()).map(|frame| frame.map(|f| f.payload.to_vec()))
        };
        packets.iter().map(&mut step).collect()
    }

    #[test]
    fn a_frame_in_one_packet_is_not_copied() {
        let packet = HciPacket::new(vec![2, 1, FIRST, 6, 0, 2, 0, 4, 0, 7, 8]).expect("whole");
        let acl = AclData::parse(packet.as_slice()).expect("whole");
        let frame = Reassembly::default().on_packet(&acl, packet.bytes()).expect("kept").expect("whole");
        assert_eq!(frame.channel, ChannelId::Attribute);
        assert_eq!(frame.payload.as_ptr(), packet.as_slice()[9..].as_ptr());
    }

    #[test]
    fn fragments_join_wherever_they_are_cut() {
        let octets = [3, 0, 4, 0, 7, 8, 9];
        for cut in 1..octets.len() {
            let seen = feed(&[(FIRST, &octets[..cut]), (MORE, &octets[cut..])]);
            assert_eq!(seen, [Ok(None), Ok(Some(vec![7, 8, 9]))], "cut at {cut}");
        }
    }

    #[test]
    fn l1_a_continuation_without_a_start_is_dropped() {
        assert_eq!(feed(&[(MORE, &[1, 2])]), [Err(Dropped::NoStart)]);
    }

    #[test]
    fn l1_a_start_in_the_middle_of_a_frame_drops_the_old_one() {
        let seen = feed(&[(FIRST, &[3, 0, 4, 0, 7]), (FIRST, &[2, 0, 4, 0]), (MORE, &[5, 6])]);
        assert_eq!(seen, [Ok(None), Err(Dropped::CutOff(5)), Ok(Some(vec![5, 6]))]);
    }

    #[test]
    fn l1_more_than_the_frame_announces_is_dropped() {
        assert_eq!(feed(&[(FIRST, &[1, 0, 4, 0, 7, 8])]), [Err(Dropped::TooLong(1))]);
        assert_eq!(feed(&[(FIRST, &[2, 0, 4, 0]), (MORE, &[1, 2, 3])]), [Ok(None), Err(Dropped::TooLong(1))]);
    }

    #[test]
    fn l1_a_header_shorter_than_four_octets_waits_and_an_empty_frame_is_whole() {
        assert_eq!(feed(&[(FIRST, &[]), (FIRST, &[0])]), [Ok(None), Err(Dropped::CutOff(0))]);
        assert_eq!(feed(&[(FIRST, &[0, 0, 4, 0])]), [Ok(Some(vec![]))]);
    }

    #[test]
    fn l1_flags_that_le_does_not_use_are_dropped() {
        assert_eq!(feed(&[(0x30, &[0, 0, 4, 0])]), [Err(Dropped::Flags)]);
        assert_eq!(feed(&[(FIRST | 0x40, &[0, 0, 4, 0])]), [Err(Dropped::Flags)]);
    }
}
