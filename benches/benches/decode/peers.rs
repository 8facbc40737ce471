//! What ours is measured against.

use super::{Decoder, Outcome};
use baretooth_benches::generate::records;
use bt_hci::event::{Event, le::LeEvent};
use bt_hci::{ControllerToHostPacket, FromHciBytes};
use bytes::Bytes;
use std::hint::black_box;

/// Record headers alone: length, flags, time, and the packet's first octet. No decoder can do less.
pub struct Walk;

impl Decoder for Walk {
    fn name(&self) -> &'static str {
        "walk"
    }

    fn work(&self) -> &'static str {
        "record headers"
    }

    fn decode(&mut self, capture: &Bytes) -> Outcome {
        let mut outcome = Outcome::default();
        for record in records(capture) {
            outcome.records += 1;
            outcome.add(record.time ^ u64::from(record.flags));
            outcome.add(record.packet.first().copied().unwrap_or_default());
        }
        outcome
    }
}

/// `bt-hci` as far as it goes: typed events, every report, ACL headers. Neither L2CAP nor ATT. The AD structures are
/// walked by the loop of this bench.
pub struct BtHci;

impl Decoder for BtHci {
    fn name(&self) -> &'static str {
        "bt-hci 0.11"
    }

    fn work(&self) -> &'static str {
        "typed events, reports, AD structures, ACL headers"
    }

    fn decode(&mut self, capture: &Bytes) -> Outcome {
        let mut outcome = Outcome::default();
        for record in records(capture) {
            outcome.records += 1;
            match record.packet {
                [1, low, high, ..] => outcome.add(u16::from_le_bytes([*low, *high])),
                packet => to_host(packet, &mut outcome),
            }
        }
        outcome
    }
}

#[inline(always)]
fn to_host(packet: &[u8], outcome: &mut Outcome) {
    match ControllerToHostPacket::from_hci_bytes(packet) {
        Ok((ControllerToHostPacket::Event(event), _)) => match Event::try_from(event) {
            Ok(Event::Le(LeEvent::LeAdvertisingReport(event))) => {
                for report in event.reports.iter() {
                    match report {
                        Ok(report) => {
                            self::report(report.addr.raw(), report.rssi.unsigned_abs(), report.data, outcome);
                        }
                        Err(_) => outcome.errors += 1,
                    }
                }
            }
            Ok(Event::Le(LeEvent::LeExtendedAdvertisingReport(event))) => {
                for report in event.reports.iter() {
                    match report {
                        Ok(report) => {
                            self::report(report.addr.raw(), report.rssi.unsigned_abs(), report.data, outcome);
                        }
                        Err(_) => outcome.errors += 1,
                    }
                }
            }
            Ok(event) => {
                black_box(&event);
            }
            Err(_) => outcome.errors += 1,
        },
        Ok((ControllerToHostPacket::Acl(acl), _)) => {
            outcome.add(acl.handle().raw());
            if let [_, _, 4, _, opcode, ..] = acl.data() {
                outcome.add(*opcode);
            }
        }
        Ok(_) | Err(_) => outcome.errors += 1,
    }
}

#[inline(always)]
fn report(address: &[u8], rssi: u8, data: &[u8], outcome: &mut Outcome) {
    outcome.reports += 1;
    outcome.add(rssi);
    outcome.add(address.first().copied().unwrap_or_default());
    structures(data, outcome);
}

/// Walks AD structures: until the data end, a length of zero, or a structure cut off.
fn structures(mut data: &[u8], outcome: &mut Outcome) {
    while let [length, kind, ..] = *data
        && length > 0
    {
        let Some((structure, rest)) = data.split_at_checked(usize::from(length) + 1) else { break };
        outcome.structures += 1;
        outcome.add(kind);
        outcome.add(structure.last().copied().unwrap_or_default());
        data = rest;
    }
}
