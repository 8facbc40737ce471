//! Writing pcapng: one section, times to the nanosecond.

use crate::capture::payload::{cut, length};
use crate::capture::{Direction, Format, LeftOut, Link, Record, Timestamp, pcap};
use pcap_file::Endianness;
use pcap_file::pcapng::blocks::enhanced_packet::{EnhancedPacketBlock, EnhancedPacketOption};
use pcap_file::pcapng::blocks::interface_description::{
    InterfaceDescriptionBlock, InterfaceDescriptionOption,
};
use pcap_file::pcapng::blocks::section_header::SectionHeaderBlock;
use pcap_file::pcapng::{PcapNgBlock, PcapNgWriter};
use std::borrow::Cow;
use std::time::Duration;

/// Writes one section, with an interface for each adapter as it comes.
pub(in crate::capture) struct Encoder {
    format: Format,
    writer: PcapNgWriter<Vec<u8>>,
    /// The adapter of each interface.
    interfaces: Vec<Option<u16>>,
    payload: Vec<u8>,
}

impl std::fmt::Debug for Encoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Encoder").field("format", &self.format).field("interfaces", &self.interfaces).finish()
    }
}

const INFALLIBLE: &str = "a vector takes everything, and the interface is there";

/// What the length of an option can say.
const LONGEST_OPTION: usize = 65_535;

impl Encoder {
    pub(in crate::capture) fn new(format: Format, out: &mut Vec<u8>) -> Self {
        let endianness = if format.big_endian { Endianness::Big } else { Endianness::Little };
        let section = SectionHeaderBlock { endianness, ..SectionHeaderBlock::default() };
        let writer = PcapNgWriter::with_section_header(Vec::new(), section).expect(INFALLIBLE);
        let mut encoder = Self { format, writer, interfaces: Vec::new(), payload: Vec::new() };
        if format.link == Link::Monitor {
            // The payload says which adapter.
            encoder.describe(None, "bluetooth-monitor");
        } else {
            // A file without records is one of HCI too.
            encoder.describe(None, "hci");
        }
        out.append(encoder.writer.get_mut());
        encoder
    }

    pub(in crate::capture) fn record(
        &mut self,
        record: &Record,
        left_out: &mut Vec<LeftOut>,
        out: &mut Vec<u8>,
    ) -> Option<()> {
        pcap::payload(self.format.link, record, left_out, &mut self.payload)?;
        let nanos = nanos(record.time, left_out);
        let interface = self.interface(if self.format.link == Link::Monitor { None } else { record.adapter });
        let mut options = Vec::new();
        if self.format.link == Link::H4 {
            // No direction stands in the payload.
            let flags = match record.direction() {
                Some(Direction::Received) => 1,
                Some(Direction::Sent) => 2,
                None => 0,
            };
            options.push(EnhancedPacketOption::Flags(flags));
        }
        for comment in &record.comments {
            let end =
                (0..=comment.len().min(LONGEST_OPTION)).rev().find(|end| comment.is_char_boundary(*end));
            let end = end.unwrap_or(0);
            if end < comment.len() && !left_out.contains(&LeftOut::Comments) {
                left_out.push(LeftOut::Comments);
            }
            options.push(EnhancedPacketOption::Comment(Cow::Borrowed(&comment[..end])));
        }
        let block = EnhancedPacketBlock {
            interface_id: interface,
            timestamp: Duration::from_nanos(nanos),
            original_len: length(self.payload.len().saturating_add(cut(record))),
            data: Cow::Borrowed(&self.payload),
            options,
        };
        self.writer.write_block(&block.into_block()).expect(INFALLIBLE);
        out.append(self.writer.get_mut());
        Some(())
    }

    /// The number of an adapter's interface, described now if this is its first record.
    fn interface(&mut self, adapter: Option<u16>) -> u32 {
        let known = self.interfaces.iter().position(|known| *known == adapter);
        let number = known.unwrap_or_else(|| {
            let name = adapter.map_or_else(|| "hci".to_owned(), |number| format!("hci{number}"));
            self.describe(adapter, &name);
            self.interfaces.len() - 1
        });
        length(number)
    }

    fn describe(&mut self, adapter: Option<u16>, name: &str) {
        let mut block = InterfaceDescriptionBlock::new(pcap::data_link(self.format.link), 0);
        block.options = vec![
            InterfaceDescriptionOption::IfName(Cow::Owned(name.to_owned())),
            InterfaceDescriptionOption::IfTsResol(9),
        ];
        self.writer.write_block(&block.into_block()).expect(INFALLIBLE);
        self.interfaces.push(adapter);
    }
}

/// Nanoseconds since 1970, as far as 64 bits go.
fn nanos(time: Timestamp, left_out: &mut Vec<LeftOut>) -> u64 {
    let nanos = i128::from(time.seconds()) * 1_000_000_000 + i128::from(time.subsec_nanos());
    u64::try_from(nanos).unwrap_or_else(|_| {
        left_out.push(LeftOut::Time);
        if nanos < 0 { 0 } else { u64::MAX }
    })
}
