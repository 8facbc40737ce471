//! Any filter and any records: selecting and redacting give every record back in order with its length, and what is
//! redacted can be read. A filter that can be typed is printed as one that can be typed.

#![no_main]

use arbitrary::Arbitrary;
use baretooth::capture::dissect::Dissector;
use baretooth::capture::{Filter, Record, Redactor, Selection};
use baretooth_fuzz::record::AnyRecord;
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    filter: &'a str,
    records: Vec<AnyRecord>,
}

/// For when the filter is none: every condition.
const ALL: &str = "handle=1 or address=00:00:00:00:00:00 or not (layer=att,smp,adv,note and time=0..1) \
     or attribute=1 or name=*e* or direction=sent or adapter=1";

fuzz_target!(|input: Input| {
    let filter = input.filter.parse::<Filter>();
    if let Ok(filter) = &filter {
        let printed = filter.to_string();
        // Printing adds parentheses, of which there may then be too many.
        assert!(printed.parse::<Filter>().is_ok() || printed.matches('(').count() > 32, "{printed}");
    }
    let mut selection = Selection::new(filter.unwrap_or_else(|_| ALL.parse().expect("a filter")));
    let mut redactor = Redactor::new([7; 32]);
    let records: Vec<Record> = input.records.into_iter().map(AnyRecord::record).collect();
    let (mut selected, mut redacted) = (Vec::new(), Vec::new());
    for record in &records {
        selection.push(record);
        selected.extend(std::iter::from_fn(|| selection.pop()));
        redactor.push(record);
        redacted.extend(std::iter::from_fn(|| redactor.pop()));
    }
    selection.finish();
    selected.extend(std::iter::from_fn(|| selection.pop()));
    redactor.finish();
    redacted.extend(std::iter::from_fn(|| redactor.pop()));
    assert!(selected.iter().map(|(record, _)| record).eq(&records), "all come back in order");
    assert_eq!(redacted.len(), records.len());
    let mut dissector = Dissector::default();
    for (from, to) in records.iter().zip(&redacted) {
        assert_eq!((from.time, from.kind, from.adapter), (to.time, to.kind, to.adapter));
        assert_eq!((from.data.len(), from.original_length), (to.data.len(), to.original_length));
        dissector.read(to);
    }
});
