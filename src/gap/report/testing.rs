//! Reports for the tests of this layer.

use super::Report;
use crate::hci::AddressType;
use crate::{Address, BdAddr};
use bytes::Bytes;

pub(crate) fn device_address(n: u8) -> Address {
    Address::random(BdAddr([n, 0, 0, 0, 0, 0xC0]))
}

/// ADV_IND at -50 dBm, changed by `change`.
pub(crate) fn report(change: impl FnOnce(&mut Report), n: u8, data: &[u8]) -> Report {
    let address = device_address(n);
    let base = Report::legacy(super::event_type::of_legacy(0), AddressType::Random, address.bd_addr, -50);
    let mut report = Report { data: Bytes::copy_from_slice(data).into(), ..base };
    change(&mut report);
    report
}

pub(crate) fn advertisement(n: u8, data: &[u8]) -> Report {
    report(|_| {}, n, data)
}

pub(crate) fn scan_response(n: u8, data: &[u8]) -> Report {
    report(|r| (r.scan_response, r.connectable) = (true, false), n, data)
}
