//! Any records through the dissector, of several adapters and links, whole and cut: a line, a tree and JSON of each,
//! none with a control character that could reach a terminal, since what is printed was sent by whoever is in range.

#![no_main]

use baretooth::capture::Timestamp;
use baretooth::capture::dissect::Dissector;
use baretooth_fuzz::assert_line;
use baretooth_fuzz::record::AnyRecord;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|inputs: Vec<AnyRecord>| {
    let mut dissector = Dissector::default();
    let mut out = Vec::new();
    for record in inputs.into_iter().map(AnyRecord::record) {
        let packet = dissector.read(&record);
        out.clear();
        packet.write_line(&mut out);
        assert_line(text(&out));
        out.clear();
        packet.write_fields(&mut out);
        text(&out).lines().for_each(assert_line);
        out.clear();
        packet.write_json(Timestamp::UNIX_EPOCH, &mut out);
        assert_line(text(&out));
    }
});

fn text(out: &[u8]) -> &str {
    std::str::from_utf8(out).expect("UTF-8")
}
