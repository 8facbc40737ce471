//! The advertising reports of a scan, made once.

use super::{Options, advertiser_address};
use crate::h4::length_octets;

/// One event after the other, all advertisers in turn; then they begin again.
pub fn events(options: &Options) -> Vec<Vec<u8>> {
    let count = options.advertisers.max(1);
    if options.extended {
        return (0..count).map(|number| extended(number, options)).collect();
    }
    let per_event = u32::from(options.reports_per_event.clamp(1, 4));
    // As many events as bring every advertiser around to the front again.
    (0..count).map(|event| legacy(event * per_event, per_event, count, options)).collect()
}

fn legacy(first: u32, per_event: u32, count: u32, options: &Options) -> Vec<u8> {
    let mut out = vec![4, 0x3E, 0, 0x02, per_event.to_le_bytes()[0]];
    for number in (first..first + per_event).map(|number| number % count) {
        out.extend([0, 1]);
        out.extend(advertiser_address(number));
        push_data(&mut out, &data(number, options.advertising_length.min(31)));
        out.push(rssi(number));
    }
    with_length(out)
}

fn extended(number: u32, options: &Options) -> Vec<u8> {
    let mut out = vec![4, 0x3E, 0, 0x0D, 1, 0x13, 0, 1];
    out.extend(advertiser_address(number));
    out.extend([1, 0, 0xFF, 0x7F, rssi(number)]);
    out.extend([0; 9]);
    push_data(&mut out, &data(number, options.advertising_length.min(229)));
    with_length(out)
}

/// Flags, a 16-bit service, a name, and manufacturer data up to `length` octets.
fn data(number: u32, length: usize) -> Vec<u8> {
    let mut data = vec![2, 0x01, 6, 3, 0x03, 0xF0, 0xFF, 10, 0x09];
    data.extend(format!("echo{:05}", number % 100_000).as_bytes());
    let room = length.saturating_sub(data.len());
    if room >= 4 {
        let [behind, _] = length_octets(room - 1);
        data.extend([behind, 0xFF, 0x59, 0]);
        data.resize(length, rssi(number));
    }
    data
}

fn push_data(out: &mut Vec<u8>, data: &[u8]) {
    out.push(length_octets(data.len())[0]);
    out.extend_from_slice(data);
}

fn with_length(mut event: Vec<u8>) -> Vec<u8> {
    event[2] = length_octets(event.len() - 3)[0];
    event
}

/// -64 to -25 dBm.
fn rssi(number: u32) -> u8 {
    0xC0 + (number % 40).to_le_bytes()[0]
}
