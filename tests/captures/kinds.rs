//! Files that are no captures: the sentence says what they are and what to do.

use crate::files::refusal;

#[test]
fn c1_a_file_of_another_kind_is_told_by_its_beginning() {
    let cases: &[(&[u8], &str)] = &[
        (b"\x1F\x8B\x08\0\0\0\0\0\0\x03", "this is a gzip file: unpack it with gunzip first"),
        (b"BZh91AY", "this is a bzip2 file: unpack it with bunzip2 first"),
        (b"\xFD7zXZ\0\0", "this is an xz file: unpack it with unxz first"),
        (b"\x28\xB5\x2F\xFD\x04", "this is a zstd file: unpack it with unzstd first"),
        (b"PK\x03\x04\x14\0", "this is a zip archive"),
        (b"\x7FELF\x02\x01\x01", "this is a program (ELF), no capture"),
        (b"snoop\0\0\0\0\0\0\x02", "this is a snoop file of Solaris"),
        (b"<!DOCTYPE html>", "this is a web page (HTML)"),
        (b"1 0.000 HCI Reset\n", "this is text, no capture"),
        ("grüße".as_bytes(), "this is text, no capture"),
        (b"\xFF\xFEh\0i\0", "this is text (UTF-16), no capture"),
        (b"--- BEGIN:BTSNOOP_LOG_SUMMARY (12 bytes in) ---\nAgw=\n", "this is text with a btsnooz log in it"),
        (b"\0\x01\x02\x03\x04\x05\x06\x07\x08", "the file begins with 00 01 02 03 04 05 06 07, which no"),
        (b"\x01", "the file begins with 01, which no"),
        (b"", "the file is empty"),
    ];
    for (file, beginning) in cases {
        let sentence = refusal(file);
        assert!(sentence.starts_with(beginning), "{sentence}");
        assert!(!sentence.contains(char::is_control), "{sentence:?}");
    }
}

#[test]
fn c1_a_bug_report_says_where_the_capture_in_it_is() {
    assert!(refusal(b"PK\x03\x04\x14\0").contains("FS/data/misc/bluetooth/logs/btsnoop_hci.log"));
}

#[test]
fn c1_an_archive_is_told_by_what_stands_further_in() {
    let mut tar = b"bugreport/".to_vec();
    tar.resize(257, 0);
    tar.extend(b"ustar\0");
    assert!(refusal(&tar).starts_with("this is a tar archive"));
}

#[test]
fn c20_pcap_of_another_network_is_refused_with_what_it_is() {
    for (number, name) in
        [(1_u32, "(Ethernet)"), (272, "(nRF Sniffer)"), (189, "(USB)"), (147, "(private use)")]
    {
        let file = [&b"\xD4\xC3\xB2\xA1\x02\0\x04\0"[..], &[0; 12], &number.to_le_bytes()].concat();
        let sentence = refusal(&file);
        let expected = format!("this is a pcap file of link type {number} {name}, no HCI: ");
        assert!(sentence.starts_with(&expected), "{sentence}");
    }
}
