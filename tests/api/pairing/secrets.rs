//! S17: what is secret is printed nowhere.

use super::*;
use baretooth::capture::dissect::Dissector;
use baretooth::capture::{Format, Reader, Redactor, Writer};
use baretooth::smp::Keys;
use std::fmt::Write as _;
use std::io;
use tracing::span;

/// Everything that is logged, at every level.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<String>>);

impl Log {
    fn text(&self) -> std::sync::MutexGuard<'_, String> {
        self.0.lock().expect("nobody panics")
    }
}

impl tracing::field::Visit for Log {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
        writeln!(self.text(), "{field}={value:?}").expect("memory");
    }
}

impl tracing::Subscriber for Log {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, attributes: &span::Attributes<'_>) -> span::Id {
        attributes.record(&mut self.clone());
        span::Id::from_u64(1)
    }
    fn record(&self, _: &span::Id, values: &span::Record<'_>) {
        values.record(&mut self.clone());
    }
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn event(&self, event: &tracing::Event<'_>) {
        event.record(&mut self.clone());
    }
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

/// A capture that the test reads.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl io::Write for Shared {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("nobody panics").extend_from_slice(octets);
        Ok(octets.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn octets(keys: &Keys, local_irk: Option<&Key>) -> Vec<[u8; 16]> {
    let long_term = [&keys.peer_ltk, &keys.local_ltk].into_iter().flatten().map(|key| &key.key);
    let others = [&keys.irk, &keys.csrk, &keys.local_csrk].into_iter().flatten();
    long_term.chain(others).chain(local_irk).map(|key| *key.octets()).collect()
}

/// The ways in which a key can be read in a text: in hexadecimal, in either order, and as a list of numbers.
fn spellings(key: &[u8; 16]) -> Vec<String> {
    let mut turned = *key;
    turned.reverse();
    let hex = |key: &[u8; 16]| key.iter().map(|octet| format!("{octet:02x}")).collect::<String>();
    [*key, turned].iter().flat_map(|key| [hex(key), format!("{key:?}"), format!("{key:x?}")]).collect()
}

/// A capture as it is given to others, and as lines.
fn redacted(capture: &[u8]) -> (Vec<u8>, String) {
    let (mut shown, mut lines) = (Vec::new(), String::new());
    let mut writer = Writer::new(&mut shown, Format::BTSNOOP).expect("memory");
    let (mut redactor, mut dissector) = (Redactor::new([7; 32]), Dissector::default());
    let mut records = Reader::new(capture).expect("a capture");
    while let Some(record) = records.read().expect("whole") {
        let (packet, mut text) = (dissector.read(&record), Vec::new());
        packet.write_line(&mut text);
        packet.write_fields(&mut text);
        lines.push_str(&String::from_utf8_lossy(&text));
        redactor.push(&record);
        while let Some(record) = redactor.pop() {
            writer.write(&record).expect("memory");
        }
    }
    redactor.finish();
    while let Some(record) = redactor.pop() {
        writer.write(&record).expect("memory");
    }
    drop(writer);
    (shown, lines)
}

/// Whole pairings by every method, reconnections by the bonds and failures, with the log of it all, every public value
/// as `Debug` shows it, and captures as lines and redacted.
#[tokio::test(start_paused = true)]
async fn s17_no_key_and_no_passkey_is_logged_printed_or_left_in_a_redacted_capture() {
    let log = Log::default();
    let _guard = tracing::subscriber::set_default(log.clone());
    let mut printed = String::new();
    let mut secrets = Vec::new();
    let mut passkeys = Vec::new();
    let mut captures = Vec::new();
    for generation in [SecureConnections::Only, SecureConnections::Off] {
        for (central, peripheral) in
            [(NOTHING, NOTHING), (YES_NO, BOTH), (KEYBOARD, DISPLAY), (DISPLAY, KEYBOARD)]
        {
            // Each its own: what is a nonce in one session must not be a key in another.
            let seed = 1 + 2 * u64::try_from(captures.len()).expect("few");
            let capture = Shared::default();
            let store = MemoryStore::new();
            let ours = Adapter::builder()
                .seed(seed)
                .capture_to(capture.clone(), Format::BTSNOOP)
                .store(store.clone());
            writeln!(printed, "{ours:?} {ours:#?}").expect("memory");
            let mut two = two_of([ours, Adapter::builder().seed(seed + 1)]).await;
            let people = People::new();
            let options = |io| options(io).secure_connections(generation);
            let mut agent = two.peripheral.agent(options(peripheral));
            let pairing = two.peer.pair_with(options(central));
            writeln!(printed, "{pairing:?} {agent:?} {:?}", options(central)).expect("memory");
            let (began, answered) = tokio::join!(watched(pairing, people.clone()), async {
                watched(agent.next().await.expect("open"), people.clone()).await
            });
            passkeys.extend(people.0.borrow().clone());
            let (began, answered) = (began.expect("paired"), answered.expect("paired"));
            writeln!(printed, "{} {} {:?} {:?}", began.1, answered.1, began.0, answered.0).expect("memory");
            two.reconnect().await;
            assert!(two.peer.security().encrypted);
            for bond in two
                .central
                .bonds()
                .await
                .expect("open")
                .into_iter()
                .chain(two.peripheral.bonds().await.expect("open"))
            {
                writeln!(printed, "{bond:?} {bond:#?} {store:?}").expect("memory");
                secrets.extend(octets(&bond.keys, bond.local_irk.as_ref()));
            }
            let local = two.central.create_oob().await.expect("open");
            writeln!(printed, "{local:?} {:?} {:?}", two.central, two.peer).expect("memory");
            secrets.push(local.random());
            // And one that fails: the peer knows nobody any more.
            two.peripheral.unpair(two.central.controller().random_address).await.expect("known");
            let failed = link(&two.central, &two.peripheral).await.map(drop).expect_err("not in the clear");
            writeln!(printed, "{failed} {failed:?}").expect("memory");
            two.central.close().await;
            captures.push(capture);
        }
    }
    assert!(secrets.len() > 60 && passkeys.len() > 4, "{} {}", secrets.len(), passkeys.len());
    let mut texts = vec![("the log", log.text().clone()), ("Debug", printed)];
    let mut shown = Vec::new();
    for capture in &captures {
        let (octets, lines) = redacted(&capture.0.lock().expect("nobody panics"));
        texts.push(("the lines of the capture", lines));
        shown.extend(octets);
    }
    assert!(texts[0].1.len() > 1000, "something is logged: {}", texts[0].1);
    for (what, text) in &texts {
        let text = text.to_lowercase();
        for key in &secrets {
            for spelling in spellings(key) {
                let line = text.lines().find(|line| line.contains(&spelling));
                assert_eq!(line, None, "{what} has a key");
            }
        }
        for passkey in &passkeys {
            let number: u32 = passkey.parse().expect("digits");
            let hexadecimal = format!("{:032x}", number);
            assert!(
                !text.contains(passkey.as_str()) && !text.contains(&hexadecimal),
                "{what} has the passkey {passkey}"
            );
        }
    }
    for key in &secrets {
        let mut turned = *key;
        turned.reverse();
        let found = shown.windows(16).any(|window| window == key || window == turned);
        assert!(!found, "a redacted capture has the key {key:02x?}");
    }
    // Keys that were distributed do pass over the air, and so stand in the capture itself: the search finds them there.
    let whole = captures[4].0.lock().expect("nobody panics");
    assert!(
        secrets.iter().any(|key| whole.windows(16).any(|window| window == key)),
        "the control finds nothing"
    );
}

/// As [`go_through`], with every prompt as `Debug` shows it. A number that is compared is meant to be seen, and is no
/// secret; it is let out here all the same.
async fn watched(mut pairing: Pairing, people: People) -> Result<(PairingSummary, String), Error> {
    let mut printed = String::new();
    while let Some(prompt) = pairing.next().await {
        if !matches!(prompt, Prompt::ConfirmNumber(..)) {
            writeln!(printed, "{prompt:?}").expect("memory");
        }
        match prompt {
            Prompt::DisplayPasskey(passkey) => people.say(passkey),
            Prompt::EnterPasskey(answer) => answer.enter(people.hear().await.parse().expect("six digits")),
            Prompt::ConfirmNumber(_, answer) | Prompt::Consent(answer) => answer.yes(),
            other => panic!("{other}"),
        }
    }
    Ok((pairing.finish().await?, printed))
}
