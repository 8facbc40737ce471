use super::*;
use crate::gap::device_table::DeviceTable;
use crate::gap::report::testing::{advertisement, device_address, report, scan_response};
use crate::{Instant, uuid16};

const STRAP: &[u8] = b"\x02\x01\x06\x03\x03\x0D\x18\x04\xFF\x4C\x00\x02";

/// Whether the last of the reports passes.
fn passes(filter: &Filter, reports: &[Report]) -> bool {
    let mut table = DeviceTable::default();
    let mut passed = false;
    for report in reports {
        passed = filter.matches(report, table.update(Instant::START, report));
    }
    passed
}

fn strap(filter: Filter) -> bool {
    passes(&filter, &[advertisement(1, STRAP)])
}

#[test]
fn no_conditions_pass_everything() {
    assert!(strap(Filter::new()) && passes(&Filter::new(), &[report(|r| r.rssi = None, 1, b"")]));
}

#[test]
fn one_of_several_services_is_enough() {
    assert!(strap(Filter::new().service(uuid16(0x180F)).service(uuid16(0x180D))));
    assert!(!strap(Filter::new().service(uuid16(0x180F))));
}

#[test]
fn every_condition_has_to_hold() {
    assert!(strap(Filter::new().service(uuid16(0x180D)).manufacturer(0x004C)));
    assert!(!strap(Filter::new().service(uuid16(0x180D)).manufacturer(0x004D)));
}

#[test]
fn strength_is_at_least_the_one_given_and_has_to_be_known() {
    assert!(strap(Filter::new().min_rssi(-50)));
    assert!(!strap(Filter::new().min_rssi(-49)));
    assert!(!passes(&Filter::new().min_rssi(-127), &[report(|r| r.rssi = None, 1, STRAP)]));
}

#[test]
fn an_address_is_compared_with_its_kind_where_that_is_given() {
    let ours = device_address(1);
    assert!(strap(Filter::new().address(device_address(2)).address(ours)));
    assert!(strap(Filter::new().bd_addr(ours.bd_addr)));
    assert!(!strap(Filter::new().address(Address::public(ours.bd_addr))));
    assert!(!strap(Filter::new().bd_addr(device_address(2).bd_addr)));
    assert!(!passes(&Filter::new().bd_addr(ours.bd_addr), &[report(|r| r.address = None, 1, STRAP)]));
}

#[test]
fn a_pattern_is_looked_for_where_it_begins() {
    let pattern = |start, octets: &[u8]| {
        let pattern = Pattern { start, ad_type: AdType::ManufacturerSpecificData, octets: octets.to_vec() };
        strap(Filter::new().pattern(pattern))
    };
    assert!(pattern(0, &[0x4C, 0x00]) && pattern(2, &[0x02]) && pattern(3, &[]));
    assert!(!pattern(1, &[0x4C]) && !pattern(2, &[0x02, 0x00]) && !pattern(usize::MAX, &[]));
}

#[test]
fn connectable_and_legacy_are_conditions_on_the_report() {
    assert!(strap(Filter::new().connectable(true).legacy(true)));
    assert!(!strap(Filter::new().connectable(false)));
    assert!(!strap(Filter::new().legacy(false)));
    let both = [advertisement(1, STRAP), scan_response(1, b"")];
    assert!(passes(&Filter::new().connectable(true), &both), "the scan response of a connectable device");
}

#[test]
fn a_condition_may_hold_in_the_scan_response_and_another_in_the_advertisement() {
    let filter = Filter::new().service(uuid16(0x180D)).name("HR *");
    let (advertised, response) = (advertisement(1, STRAP), scan_response(1, b"\x06\x09HR 7!"));
    assert!(!passes(&filter, std::slice::from_ref(&advertised)), "no name yet");
    assert!(passes(&filter, &[advertised.clone(), response.clone()]));
    assert!(passes(&filter, &[response, advertised]), "in either order");
}

#[test]
fn wildcards_of_a_name() {
    let matches = |pattern: &str, name: &str| Glob::new(pattern).matches(name);
    for (pattern, name) in [
        ("", ""),
        ("*", ""),
        ("*", "any"),
        ("HR*", "HR"),
        ("HR*", "HR strap"),
        ("*strap", "HR strap"),
        ("*a*a*", "banana"),
        ("*ana", "banana"),
        ("b?n?n?", "banana"),
        ("?", "é"),
        (r"\*", "*"),
        (r"a\", r"a\"),
        ("**x", "x"),
        ("*ab", "aab"),
    ] {
        assert!(matches(pattern, name), "{pattern} {name}");
    }
    for (pattern, name) in [
        ("", "x"),
        ("HR", "HR strap"),
        ("hr*", "HR"),
        ("*strap", "strap "),
        ("?", ""),
        ("??", "é"),
        (r"\*", "x"),
        ("*a*a*a*a*", "banana"),
        ("x*", ""),
    ] {
        assert!(!matches(pattern, name), "{pattern} {name}");
    }
}

#[test]
fn a_name_that_almost_matches_a_pattern_of_many_runs_does_not_take_for_ever() {
    let (pattern, name) = ("*a".repeat(100) + "b", "a".repeat(1600));
    assert!(!Glob::new(&pattern).matches(&name));
}
