//! PDU scripts: what a procedure must send for what a server answers, in text that can be checked against the
//! specification. No I/O and no time: the runner calls the folds.
//!
//! A script is a list of cases. `case NAME` begins one, `mtu N` sets the ATT_MTU (23 unless told), `run PROCEDURE …`
//! names what runs, `> OCTETS` is the request it must send, `< OCTETS` the answer it is given, `= TEXT` a line of the
//! result that it must end in. `#` begins a comment. Names that begin with `/TP/` are those of the GATT test suite;
//! the octets are ours.

use baretooth::Uuid;
use baretooth::gatt::procedure::*;
use bytes::Bytes;
use std::fmt::Write as _;
use std::path::Path;

#[test]
fn gatt_scripts_hold() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scripts/gatt");
    let mut files: Vec<_> = std::fs::read_dir(&folder)
        .expect("the folder of scripts")
        .map(|entry| entry.expect("an entry of the folder").path())
        .filter(|path| path.extension().is_some_and(|e| e == "script"))
        .collect();
    files.sort();
    let mut cases = 0;
    for file in files {
        let text = std::fs::read_to_string(&file).expect("a script that can be read");
        for case in parse(&text) {
            let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
            run(&case).unwrap_or_else(|why| panic!("{name}, case {}: {why}", case.name));
            cases += 1;
        }
    }
    assert!(cases >= 30, "only {cases} cases were found");
}

#[test]
fn a_script_that_does_not_hold_fails() {
    let fails = |script: &str| {
        let cases = parse(script);
        let case = cases.first().expect("one case");
        run(case).expect_err("the script is wrong")
    };
    let start = "case x\nrun read 0x0003\n> 0a 03 00\n";
    assert!(fails("case x\nrun read 0x0003\n> 0a 04 00\n").contains("sends 0a 03 00"));
    assert!(fails(&format!("{start}< 0b 01\n= value 02")).contains("ends in"));
    assert!(fails(&format!("{start}< 0b 01\n> 0c 03 00 01 00\n")).contains("is done"));
    assert!(fails(start).contains("is not done"));
    assert!(fails(&format!("{start}< 01 0a 03 00 02\n= value")).contains("ends in"));
}

#[derive(Default)]
struct Case {
    name: String,
    mtu: Option<u16>,
    procedure: String,
    exchange: Vec<(char, Vec<u8>)>,
    result: String,
}

fn parse(script: &str) -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    for line in script.lines() {
        let line = line.split('#').next().unwrap_or_default().trim();
        let Some((word, rest)) = line.split_once(' ') else {
            assert!(line.is_empty(), "not a line of a script: {line}");
            continue;
        };
        if word == "case" {
            cases.push(Case { name: rest.to_owned(), ..Case::default() });
            continue;
        }
        let case = cases.last_mut().expect("a case before anything else");
        match word {
            "mtu" => case.mtu = Some(rest.parse().expect("a number of octets")),
            "run" => case.procedure = rest.to_owned(),
            ">" => case.exchange.push(('>', octets(rest))),
            "<" => case.exchange.push(('<', octets(rest))),
            "=" => writeln!(case.result, "{rest}").expect("text is written"),
            _ => panic!("not a line of a script: {line}"),
        }
    }
    cases
}

fn run(case: &Case) -> Result<(), String> {
    let mut running = procedure(&case.procedure);
    let mut request = Some(running.start(case.mtu.unwrap_or(23)));
    let mut result = String::new();
    for (direction, octets) in &case.exchange {
        match (direction, request.take()) {
            (_, None) => return Err(format!("it is done before {}", hex(octets))),
            ('>', Some(sent)) if sent != octets[..] => {
                return Err(format!("it sends {} instead of {}", hex(&sent), hex(octets)));
            }
            ('>', sent) => request = sent,
            (_, Some(_)) => {
                let answer = Bytes::copy_from_slice(octets);
                let response = Response::new(&answer).map_err(|e| e.to_string())?;
                match running.on_response(response) {
                    Ok(Step::Send(next)) => request = Some(next),
                    Ok(Step::Done(outcome)) => result = print(outcome),
                    Err(error) => result = format!("error {error}\n"),
                }
            }
        }
    }
    if let Some(request) = request {
        return Err(format!("it is not done and sends {}", hex(&request)));
    }
    if result != case.result {
        return Err(format!("it ends in\n{result}instead of\n{}", case.result));
    }
    Ok(())
}

/// The procedure that a `run` line names.
fn procedure(line: &str) -> Running {
    let words: Vec<_> = line.split_whitespace().collect();
    let ok = "numbers that the procedure takes";
    match words[..] {
        ["exchange-mtu", offer] => ExchangeMtu::offering(offer.parse().expect(ok)).into(),
        ["discover"] => Discover::all().into(),
        ["discover-services", "primary"] => DiscoverServices::primary().into(),
        ["discover-services", "secondary"] => DiscoverServices::secondary().into(),
        ["discover-services", of] => DiscoverServices::primary_of(uuid(of)).into(),
        ["discover-included", start, end] => DiscoverIncluded::within(number(start), number(end)).into(),
        ["discover-characteristics", start, end] => {
            DiscoverCharacteristics::within(number(start), number(end)).into()
        }
        ["discover-descriptors", start, end] => {
            DiscoverDescriptors::within(number(start), number(end)).into()
        }
        ["read", handle] => Read::new(number(handle)).into(),
        ["read-blob", handle, offset] => ReadBlob::new(number(handle), number(offset)).into(),
        ["read-by-uuid", of, start, end] => ReadByUuid::within(uuid(of), number(start), number(end)).into(),
        ["read-multiple", ref handles @ ..] => ReadMultiple::new(&numbers(handles)).expect(ok).into(),
        ["read-multiple-variable", ref handles @ ..] => {
            ReadMultipleVariable::new(&numbers(handles)).expect(ok).into()
        }
        ["write", handle, ref value @ ..] => {
            Write::new(number(handle), octets(&value.join(" "))).expect(ok).into()
        }
        ["write-reliable", ref writes @ ..] => {
            let values: Vec<_> = writes
                .iter()
                .map(|write| write.split_once('=').expect("HANDLE=OCTETS"))
                .map(|(handle, value)| (number(handle), octets(value).into()))
                .collect();
            WriteLong::reliable(values).expect(ok).into()
        }
        ["subscribe", "notify", cccd] => Subscribe::at(number(cccd), Delivery::Notify).into(),
        ["subscribe", "indicate", cccd] => Subscribe::at(number(cccd), Delivery::Indicate).into(),
        ["subscribe", "notify", value, end] => {
            Subscribe::searching(number(value), number(end), Delivery::Notify).expect(ok).into()
        }
        ["unsubscribe", cccd] => Unsubscribe::at(number(cccd)).into(),
        _ => panic!("no procedure: {line}"),
    }
}

/// The lines of a result.
fn print(outcome: Outcome) -> String {
    let mut lines = String::new();
    let mut line =
        |text: std::fmt::Arguments<'_>| writeln!(lines, "{}", text.to_string().trim()).expect("text");
    match outcome {
        Outcome::Mtu(mtu) => line(format_args!("mtu {mtu}")),
        Outcome::Services(services) => {
            for s in &services {
                let kind = if s.primary { "service" } else { "secondary" };
                line(format_args!("{kind} 0x{:04X}-0x{:04X} {:?}", s.handle, s.end_handle, s.uuid));
                for i in s.includes.iter() {
                    let (handle, start, end) = (i.handle, i.service_handle, i.end_handle);
                    line(format_args!("include 0x{handle:04X} of 0x{start:04X}-0x{end:04X} {:?}", i.uuid));
                }
                for c in s.characteristics.iter() {
                    let (handle, value, end) = (c.handle, c.value_handle, c.end_handle);
                    let (uuid, properties) = (c.uuid, c.properties);
                    line(format_args!(
                        "characteristic 0x{handle:04X}-0x{end:04X} value 0x{value:04X} {uuid:?} {properties}"
                    ));
                    for d in c.descriptors.iter() {
                        line(format_args!("descriptor 0x{:04X} {:?}", d.handle, d.uuid));
                    }
                }
            }
        }
        Outcome::ServiceDeclarations(services) => {
            for s in services {
                line(format_args!("service 0x{:04X}-0x{:04X} {:?}", s.handle, s.end_handle, s.uuid));
            }
        }
        Outcome::Includes(includes) => {
            for i in includes {
                let (handle, start, end) = (i.handle, i.service_handle, i.end_handle);
                line(format_args!("include 0x{handle:04X} of 0x{start:04X}-0x{end:04X} {:?}", i.uuid));
            }
        }
        Outcome::CharacteristicDeclarations(characteristics) => {
            for c in characteristics {
                let (handle, value, end) = (c.handle, c.value_handle, c.end_handle);
                let (uuid, properties) = (c.uuid, c.properties);
                line(format_args!(
                    "characteristic 0x{handle:04X}-0x{end:04X} value 0x{value:04X} {uuid:?} {properties}"
                ));
            }
        }
        Outcome::Descriptors(descriptors) => {
            for d in descriptors {
                line(format_args!("descriptor 0x{:04X} {:?}", d.handle, d.uuid));
            }
        }
        Outcome::Value(value) => line(format_args!("value {}", hex(&value))),
        Outcome::AttributeValues(values) => {
            for v in values {
                line(format_args!("value 0x{:04X} {}", v.handle, hex(&v.value)));
            }
        }
        Outcome::VariableValues(values) => {
            for v in values {
                line(format_args!("value 0x{:04X} {} of {}", v.handle, hex(&v.value), v.length));
            }
        }
        Outcome::Written(()) => line(format_args!("written")),
        Outcome::Subscribed(subscribed) => {
            line(format_args!("subscribed 0x{:04X} {:?}", subscribed.cccd, subscribed.delivery));
        }
        other => panic!("no text for {other:?}"),
    }
    lines
}

fn number(text: &str) -> u16 {
    let digits = text.strip_prefix("0x").expect("numbers are written as 0x0003");
    u16::from_str_radix(digits, 16).expect("a hexadecimal number of 16 bits")
}

fn numbers(texts: &[&str]) -> Vec<u16> {
    texts.iter().map(|text| number(text)).collect()
}

fn uuid(text: &str) -> Uuid {
    text.parse().expect("a UUID")
}

/// `0a 0b`, `0a0b`, and `07*22` for an octet that is repeated.
fn octets(text: &str) -> Vec<u8> {
    let digits = |pair: &[u8]| {
        let text = std::str::from_utf8(pair).expect("text");
        u8::from_str_radix(text, 16).expect("octets in hexadecimal")
    };
    text.split_whitespace()
        .flat_map(|word| match word.split_once('*') {
            Some((octet, times)) => vec![digits(octet.as_bytes()); times.parse().expect("a count")],
            None => word.as_bytes().chunks(2).map(digits).collect(),
        })
        .collect()
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect::<Vec<_>>().join(" ")
}
