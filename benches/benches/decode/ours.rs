//! The library, to the end of what a capture shows: typed events, every report with its AD structures, L2CAP frames
//! joined per link, ATT PDUs with opcode, handle and value.

use super::{Decoder, Outcome};
use baretooth::BdAddr;
use baretooth::att::AttPdu;
use baretooth::gap::advertising_data::AdvertisingData;
use baretooth::hci::{AclData, ConnectionHandle, Event, LeEvent};
use baretooth::l2cap::{ChannelId, Frame, Reassembly};
use baretooth::transports::HciPacket;
use baretooth_benches::generate::records;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::hint::black_box;

/// Events are read where they lie in the capture; ACL packets become an `HciPacket`, since a frame shares its buffer.
pub struct Borrowed;

impl Decoder for Borrowed {
    fn name(&self) -> &'static str {
        "baretooth"
    }

    fn work(&self) -> &'static str {
        "typed events, reports, AD structures, L2CAP reassembly, ATT PDUs"
    }

    fn decode(&mut self, capture: &Bytes) -> Outcome {
        let mut reader = Reader::default();
        for record in records(capture) {
            reader.outcome.records += 1;
            match record.packet {
                [2, ..] => match HciPacket::new(capture.slice_ref(record.packet)) {
                    Ok(packet) => reader.acl(record.flags & 1, &packet),
                    Err(_) => reader.outcome.errors += 1,
                },
                packet => reader.control(packet),
            }
        }
        reader.outcome
    }
}

/// The same with every record made an `HciPacket` first, as packets come from a transport.
pub struct Packets;

impl Decoder for Packets {
    fn name(&self) -> &'static str {
        "baretooth packets"
    }

    fn work(&self) -> &'static str {
        "the same, each record a packet with a share of the buffer"
    }

    fn decode(&mut self, capture: &Bytes) -> Outcome {
        let mut reader = Reader::default();
        for record in records(capture) {
            reader.outcome.records += 1;
            match HciPacket::new(capture.slice_ref(record.packet)) {
                Ok(packet) if matches!(packet.as_slice(), [2, ..]) => reader.acl(record.flags & 1, &packet),
                Ok(packet) => reader.control(packet.as_slice()),
                Err(_) => reader.outcome.errors += 1,
            }
        }
        reader.outcome
    }
}

#[derive(Default)]
struct Reader {
    /// What arrives on each link, each direction by itself: a capture shows both.
    links: BTreeMap<(ConnectionHandle, u32), Reassembly>,
    outcome: Outcome,
}

impl Reader {
    /// A command or an event.
    #[inline(always)]
    fn control(&mut self, packet: &[u8]) {
        match packet {
            [1, low, high, ..] => self.outcome.add(u16::from_le_bytes([*low, *high])),
            [4, code, length, parameters @ ..] if usize::from(*length) == parameters.len() => {
                match Event::parse(*code, parameters) {
                    Ok(event) => self.event(&event),
                    Err(_) => self.outcome.errors += 1,
                }
            }
            _ => self.outcome.errors += 1,
        }
    }

    #[inline(always)]
    fn event(&mut self, event: &Event<'_>) {
        let Event::LeMeta(meta) = event else {
            black_box(event);
            return;
        };
        match meta.subevent {
            LeEvent::LeAdvertisingReport(event) => {
                let mut seen = 0;
                for report in event.reports.iter() {
                    self.report(report.address, report.rssi, report.data.get());
                    seen += 1;
                }
                self.outcome.errors += u64::from(seen != event.reports.announced());
            }
            LeEvent::LeExtendedAdvertisingReport(event) => {
                let mut seen = 0;
                for report in event.reports.iter() {
                    self.report(report.address, report.rssi, report.data.get());
                    seen += 1;
                }
                self.outcome.errors += u64::from(seen != event.reports.announced());
            }
            subevent => {
                black_box(&subevent);
            }
        }
    }

    #[inline(always)]
    fn report(&mut self, address: BdAddr, rssi: i8, data: &[u8]) {
        self.outcome.reports += 1;
        self.outcome.add(rssi.unsigned_abs());
        self.outcome.add(address.0[0]);
        for structure in AdvertisingData::new(data).structures() {
            self.outcome.structures += 1;
            self.outcome.add(structure.ad_type.0);
            self.outcome.add(structure.data.last().copied().unwrap_or(structure.ad_type.0));
        }
    }

    #[inline(always)]
    fn acl(&mut self, direction: u32, packet: &HciPacket) {
        let Ok(acl) = AclData::parse(packet.as_slice()) else {
            self.outcome.errors += 1;
            return;
        };
        let link = self.links.entry((acl.handle, direction)).or_default();
        match link.on_packet(&acl, packet.bytes()) {
            Ok(Some(frame)) => self.frame(&frame),
            Ok(None) => {}
            Err(_) => self.outcome.errors += 1,
        }
    }

    #[inline(always)]
    fn frame(&mut self, frame: &Frame) {
        if frame.channel != ChannelId::Attribute {
            return;
        }
        let Ok(pdu) = AttPdu::from_octets(&frame.payload) else {
            self.outcome.errors += 1;
            return;
        };
        self.outcome.pdus += 1;
        match pdu {
            AttPdu::HandleValueNtf(ntf) => self.value(ntf.attribute_handle.0, ntf.attribute_value.0),
            AttPdu::WriteCmd(write) => self.value(write.attribute_handle.0, write.attribute_value.0),
            other => {
                black_box(&other);
            }
        }
    }

    #[inline(always)]
    fn value(&mut self, handle: u16, value: &[u8]) {
        self.outcome.add(handle);
        self.outcome.add(value.last().copied().unwrap_or_default());
    }
}
