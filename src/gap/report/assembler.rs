//! From events to reports ([Vol 4] Part E, 7.7.65.2, 7.7.65.11 and 7.7.65.13).

use super::{Report, event_type};
use crate::BdAddr;
use crate::gap::advertising_data::{AdvertisingDataBuf, MAX_LENGTH};
use crate::gap::lru::Lru;
use crate::hci::event::ExtendedAdvertisingReport;
use crate::hci::{AddressType, LeEvent};
use crate::transports::HciPacket;
use bytes::Bytes;

/// Makes [`Report`]s of LE Advertising Report, LE Directed Advertising Report and LE Extended Advertising Report.
///
/// Data too long for one event come as a chain of parts, and the chains of several advertisers interleave. At most
/// [`Assembler::MAX_CHAINS`] are open at a time, of at most 1650 octets each: one more ends the chain that has not grown
/// for longest, one octet more ends its own chain. What was ended so is reported with `truncated`.
#[derive(Clone, Debug)]
pub struct Assembler {
    chains: Lru<ChainKey, Chain>,
}

/// An advertiser's set, and whether it is its advertisement or its scan response.
type ChainKey = (AddressType, BdAddr, u8, bool);

#[derive(Clone, Debug)]
struct Chain {
    /// By the latest part, without data.
    report: Report,
    octets: Vec<u8>,
    /// Already reported, since it grew too long; the parts still to come are swallowed.
    overflowed: bool,
}

/// Data status of an extended report.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Status {
    Complete,
    MoreToCome,
    Truncated,
}

impl Default for Assembler {
    fn default() -> Self {
        Self::new()
    }
}

impl Assembler {
    /// How many incomplete chains are kept.
    pub const MAX_CHAINS: usize = 64;

    /// With no chain open.
    pub fn new() -> Self {
        Self { chains: Lru::new(Self::MAX_CHAINS) }
    }

    /// Gives `out` every report that is complete with this event, in order; other events give none.
    ///
    /// `packet` is the one the event was read from: reports share its octets where they can. A report that is not
    /// whole in the packet ends the event, and those before it count.
    #[inline]
    pub fn on_event(&mut self, event: &LeEvent<'_>, packet: &HciPacket, out: &mut impl FnMut(Report)) {
        match event {
            LeEvent::LeAdvertisingReport(event) => {
                for report in event.reports.iter() {
                    out(Report::from_legacy(&report, share(packet, report.data.get())));
                }
            }
            LeEvent::LeDirectedAdvertisingReport(event) => {
                event.reports.iter().for_each(|report| out(Report::from_directed(&report)));
            }
            LeEvent::LeExtendedAdvertisingReport(event) => {
                event.reports.iter().for_each(|report| self.on_extended(&report, packet, out));
            }
            _ => {}
        }
    }

    /// Forgets the parts received: after scanning ended, what follows are new chains.
    pub fn clear(&mut self) {
        self.chains.clear();
    }

    fn on_extended(
        &mut self,
        part: &ExtendedAdvertisingReport<'_>,
        packet: &HciPacket,
        out: &mut impl FnMut(Report),
    ) {
        let mut report = Report::from_extended(part);
        let key = (part.address_type, part.address, part.advertising_sid, report.scan_response);
        let status = Status::of(part.event_type.0);
        if status == Status::MoreToCome {
            return self.grow(key, report, part.data.get(), out);
        }
        report.truncated = status == Status::Truncated;
        match self.chains.remove(key) {
            None => {
                report.data = share(packet, part.data.get());
                out(report);
            }
            Some(chain) if chain.overflowed => {}
            Some(mut chain) => {
                report.truncated |= !chain.append(part.data.get());
                chain.report = report;
                out(chain.end());
            }
        }
    }

    fn grow(&mut self, key: ChainKey, report: Report, part: &[u8], out: &mut impl FnMut(Report)) {
        let new = || Chain { report: report.clone(), octets: Vec::new(), overflowed: false };
        let entry = self.chains.entry(key, new);
        let chain = entry.value;
        chain.report = report;
        let overflow = (!chain.overflowed && !chain.append(part)).then(|| chain.overflow());
        // The order in which they ended.
        if let Some((_, evicted)) = entry.evicted
            && !evicted.overflowed
        {
            out(evicted.end_truncated());
        }
        overflow.into_iter().for_each(out);
    }
}

impl Chain {
    /// Whether all of the part had room.
    fn append(&mut self, part: &[u8]) -> bool {
        let room = MAX_LENGTH.saturating_sub(self.octets.len());
        self.octets.extend_from_slice(part.get(..room).unwrap_or(part));
        part.len() <= room
    }

    fn end(self) -> Report {
        Report { data: Bytes::from(self.octets).into(), ..self.report }
    }

    fn end_truncated(self) -> Report {
        Report { truncated: true, ..self.end() }
    }

    /// What there is, while the chain stays open to swallow the rest.
    fn overflow(&mut self) -> Report {
        self.overflowed = true;
        let octets = std::mem::take(&mut self.octets);
        Report { truncated: true, data: Bytes::from(octets).into(), ..self.report.clone() }
    }
}

impl Status {
    fn of(event_type: u16) -> Self {
        match (event_type & event_type::DATA_STATUS) >> 5 {
            0b00 => Self::Complete,
            0b01 => Self::MoreToCome,
            // 0b11 is reserved: whatever it will mean, the data are not known to be complete.
            _ => Self::Truncated,
        }
    }
}

/// The octets as part of the packet they stand in, or a copy when they stand elsewhere.
#[inline]
fn share(packet: &HciPacket, data: &[u8]) -> AdvertisingDataBuf {
    let (whole, part) = (packet.as_slice().as_ptr_range(), data.as_ptr_range());
    if whole.start <= part.start && part.end <= whole.end {
        packet.bytes().slice_ref(data).into()
    } else {
        Bytes::copy_from_slice(data).into()
    }
}

#[cfg(test)]
mod tests;
