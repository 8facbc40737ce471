//! A controller that fails and is brought back, as a program sees it.

use super::line::{drop_after, ms, secs, timed, wired};
use super::port::{Answer, Port, plug, plug_with};
use baretooth::bonds::MemoryStore;
use baretooth::capture::Format;
use baretooth::gap::scan::{Duplicates, ScanOptions};
use baretooth::hci::Opcode;
use baretooth::host::OpError;
use baretooth::sim::demo::{self, ECHO_ADDRESS, HEART_RATE_ADDRESS, THERMOMETER_ADDRESS};
use baretooth::sim::{ControllerOptions, Radio, RadioHandle, Responder};
use baretooth::transports::TransportError;
use baretooth::{
    Adapter, AdapterBuilder, Address, BdAddr, Error, ErrorCode, ErrorKind, Fault, Peer, Recoveries, Recovery,
    RecoveryEvent, Rung, Scan,
};
use std::io::{self, Write};
use std::sync::{Arc, Mutex};

const NOBODY: Address = Address::random(BdAddr([9, 9, 9, 9, 9, 0xC9]));

fn builder() -> AdapterBuilder {
    Adapter::builder().seed(1)
}

/// A link to the strap and a scan for everything.
async fn busy(port: &Port, builder: AdapterBuilder) -> (Adapter, Peer, Scan) {
    let adapter = port.open(builder).await;
    let peer = adapter.connect(HEART_RATE_ADDRESS).await.expect("it advertises");
    let all = ScanOptions::new().duplicates(Duplicates::All);
    let scan = adapter.scan_with(all).await.expect("scans");
    (adapter, peer, scan)
}

/// Hears of what is sent from now on.
async fn hears(scan: &mut Scan) {
    while tokio::time::timeout(ms(0), scan.next()).await.is_ok() {}
    for _ in 0..10 {
        scan.next().await.expect("it goes on");
    }
}

fn silent() -> Fault {
    Fault::Silent { command: Opcode(0x1405), after: secs(2) }
}

fn still_silent() -> Fault {
    baretooth::hci::InitError::Silent(Opcode(0x0C03)).into()
}

fn failed(fault: Fault, then: impl Into<Option<Rung>>) -> RecoveryEvent {
    RecoveryEvent::Failed { fault, then: then.into() }
}

async fn all(mut recoveries: Recoveries) -> Vec<RecoveryEvent> {
    let mut steps = Vec::new();
    while let Ok(Some(step)) = tokio::time::timeout(secs(60), recoveries.next()).await {
        steps.push(step);
    }
    steps
}

fn tried(steps: &[RecoveryEvent]) -> Vec<Option<Rung>> {
    let then = |step: &RecoveryEvent| match step {
        RecoveryEvent::Failed { then, .. } => Some(*then),
        _ => None,
    };
    steps.iter().filter_map(then).collect()
}

/// A link to a peer that is bonded goes down with the controller; the next one is encrypted by the same bond.
#[tokio::test(start_paused = true)]
async fn a_controller_that_is_reset_or_opened_again_leaves_bonds_and_the_next_link_is_encrypted() {
    for deaf_to in [0, 9] {
        let (port, _) = plug_with(vec![demo::heart_rate_strap().pairing(Responder::new())]);
        let adapter = port.open(builder().store(MemoryStore::new())).await;
        let peer = adapter.connect(HEART_RATE_ADDRESS).await.expect("it advertises");
        let paired = peer.pair().finish().await.expect("it pairs");
        let (bonds, address) = (adapter.bonds().await.expect("open"), adapter.controller().random_address);
        let recoveries = adapter.recoveries();
        port.hang(deaf_to).await;
        assert_eq!(peer.rssi().await.expect_err("it hangs").kind(), ErrorKind::Hci);
        assert_eq!(peer.disconnected().await, ErrorCode::HardwareFailure);
        let again = adapter.connect(HEART_RATE_ADDRESS).await.expect("it advertises again");
        assert_eq!(again.identity(), Some(paired.peer), "deaf to {deaf_to}");
        assert!(again.security().encrypted && again.is_bonded(), "deaf to {deaf_to}: {:?}", again.security());
        assert!(again.connection() != peer.connection());
        assert_eq!(adapter.bonds().await.expect("open"), bonds);
        assert_eq!(adapter.controller().random_address, address);
        assert_eq!(all(recoveries).await.last(), Some(&RecoveryEvent::Recovered));
    }
}

#[tokio::test(start_paused = true)]
async fn silence_to_one_command_is_answered_by_a_reset_and_the_scan_goes_on() {
    let (port, _) = plug();
    let (adapter, peer, mut scan) = busy(&port, builder()).await;
    let recoveries = adapter.recoveries();
    port.hang(0).await;
    let all_at_once = async {
        tokio::join!(peer.rssi(), peer.phy(), peer.read(3), adapter.connect(NOBODY), peer.disconnected())
    };
    let ((rssi, phy, read, connect, reason), took) = timed(all_at_once).await;
    assert_eq!(took, secs(2));
    assert_eq!(
        rssi.expect_err("silent").to_string(),
        "reading the RSSI failed: the controller did not answer Read RSSI within 2s; it is being reset"
    );
    for error in [phy.expect_err("behind it"), connect.expect_err("in progress")] {
        let Error::Controller { command, source: OpError::ControllerFailed { fault, then }, .. } = error
        else {
            panic!("{error:?}")
        };
        assert_eq!((command, fault, then), (Some(Opcode(0x1405)), silent(), Some(Rung::Reset)));
    }
    assert_eq!(read.expect_err("down").code(), Some(ErrorCode::HardwareFailure.0));
    assert_eq!(reason, ErrorCode::HardwareFailure);
    assert!(adapter.connections().is_empty());
    hears(&mut scan).await;
    assert_eq!(port.opened(), [false]);
    adapter.connect(ECHO_ADDRESS).await.expect("as before");
    assert!(tokio::time::timeout(secs(1), adapter.closed()).await.is_err(), "the session goes on");
    assert_eq!(all(recoveries).await, [failed(silent(), Rung::Reset), RecoveryEvent::Recovered]);
}

#[tokio::test(start_paused = true)]
async fn a_hardware_error_is_answered_by_a_reset() {
    let (port, _) = plug();
    let (adapter, peer, mut scan) = busy(&port, builder()).await;
    let recoveries = adapter.recoveries();
    port.hardware_error(0x42).await;
    assert_eq!(peer.disconnected().await, ErrorCode::HardwareFailure);
    hears(&mut scan).await;
    assert_eq!(all(recoveries).await, [failed(Fault::Hardware(0x42), Rung::Reset), RecoveryEvent::Recovered]);
}

#[tokio::test(start_paused = true)]
async fn silence_to_the_reset_has_the_adapter_opened_again_and_what_was_asked_meanwhile_is_done() {
    let (port, _) = plug();
    let (adapter, peer, mut scan) = busy(&port, builder()).await;
    let recoveries = adapter.recoveries();
    port.hang(u32::MAX).await;
    peer.rssi().await.expect_err("silent");
    // The controller is being reset, in vain.
    let meanwhile = async { tokio::join!(adapter.connect(ECHO_ADDRESS), adapter.scan()) };
    let (connected, scanned) = meanwhile.await;
    connected.expect("it waited").discover().await.expect("answers");
    scanned.expect("it waited").next().await.expect("hears");
    hears(&mut scan).await;
    assert_eq!(port.opened(), [false, false]);
    let expected =
        [failed(silent(), Rung::Reset), failed(still_silent(), Rung::Reopen), RecoveryEvent::Recovered];
    assert_eq!(all(recoveries).await, expected);
}

#[tokio::test(start_paused = true)]
async fn a_port_is_reset_only_when_that_is_allowed_and_where_there_is_one() {
    for (recovery, limit, expected) in [
        (Some(Recovery::ResetPort), Recovery::ResetPort, &[false, true][..]),
        (Some(Recovery::ResetPort), Recovery::Reopen, &[false, false]),
        (Some(Recovery::Reopen), Recovery::ResetPort, &[false, false]),
        (None, Recovery::ResetPort, &[false, false]),
        (Some(Recovery::Reset), Recovery::ResetPort, &[false]),
        (Some(Recovery::ResetPort), Recovery::Reset, &[false]),
        (Some(Recovery::Off), Recovery::ResetPort, &[false]),
    ] {
        let (port, _) = plug();
        port.limit(limit);
        let builder = recovery.map_or(builder(), |recovery| builder().recovery(recovery));
        let (_adapter, peer, _scan) = busy(&port, builder).await;
        port.hang(u32::MAX).await;
        peer.rssi().await.expect_err("silent");
        tokio::time::sleep(secs(60)).await;
        assert_eq!(port.opened(), expected, "{recovery:?}, {limit:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_port_reset_that_does_not_help_is_followed_by_opening() {
    let (port, _) = plug();
    let (adapter, peer, mut scan) = busy(&port, builder().recovery(Recovery::ResetPort)).await;
    let recoveries = adapter.recoveries();
    port.will([Answer::Unchanged, Answer::Fresh]);
    port.hang(u32::MAX).await;
    peer.rssi().await.expect_err("silent");
    hears(&mut scan).await;
    assert_eq!(port.opened(), [false, true, false]);
    let steps = all(recoveries).await;
    assert_eq!(tried(&steps), [Rung::Reset, Rung::ResetPort, Rung::Reopen].map(Some));
}

#[tokio::test(start_paused = true)]
async fn an_adapter_that_takes_a_moment_to_come_back_is_waited_for() {
    let (port, _) = plug();
    let (_adapter, peer, mut scan) = busy(&port, builder().recovery(Recovery::ResetPort)).await;
    let busy = || TransportError::Busy { what: "it".into(), hint: "x".into() };
    let gone = || TransportError::NotFound { what: "it".into(), hint: "x".into() };
    port.will([busy(), gone(), gone()].map(Answer::Fails));
    port.hang(u32::MAX).await;
    peer.rssi().await.expect_err("silent");
    let ((), took) = timed(hears(&mut scan)).await;
    assert!(took < secs(7), "{took:?}");
    // Reset until it went away.
    assert_eq!(port.opened(), [false, true, true, false, false]);
}

#[tokio::test(start_paused = true)]
async fn when_it_cannot_be_opened_again_everybody_is_told_once_and_why() {
    let (port, _) = plug();
    let (adapter, peer, mut scan) = busy(&port, builder()).await;
    let recoveries = adapter.recoveries();
    let gone =
        || Answer::Fails(TransportError::NotFound { what: "the port".into(), hint: "plug it in".into() });
    port.will((0..100).map(|_| gone()));
    tokio::time::sleep(secs(1)).await;
    port.hang(u32::MAX).await;
    peer.rssi().await.expect_err("silent");
    let waiting = async { tokio::join!(adapter.connect(ECHO_ADDRESS), adapter.scan(), adapter.closed()) };
    let ((connect, second, closed), took) = timed(waiting).await;
    assert!((secs(8)..secs(10)).contains(&took), "two resets, and 5 s of trying: {took:?}");
    let mut heard = 0;
    let first = loop {
        match scan.next().await {
            Ok(_) => heard += 1,
            Err(error) => break error,
        }
    };
    assert!(heard > 0);
    for error in [connect.expect_err("over"), second.expect_err("over"), first, closed] {
        let Error::Transport { source: TransportError::NotFound { .. }, .. } = error else {
            panic!("{error:?}")
        };
    }
    assert!(!port.is_open());
    let steps = all(recoveries).await;
    let why = Fault::NotOpened("the port was not found; plug it in".into());
    assert_eq!(steps.last(), Some(&failed(why, None)));
}

#[tokio::test(start_paused = true)]
async fn when_it_stays_silent_the_session_ends_with_that() {
    let (port, _) = plug();
    let (adapter, peer, _scan) = busy(&port, builder()).await;
    port.will([Answer::Unchanged]);
    port.hang(u32::MAX).await;
    peer.rssi().await.expect_err("silent");
    assert_eq!(
        adapter.closed().await.to_string(),
        "the session failed: the controller does not answer Reset; is it powered, and is this the right port and \
         speed?; nothing is left to try"
    );
    assert!(!port.is_open());
}

/// The one controller says nothing more, whatever it is told.
async fn hang_for_good(radio: &RadioHandle) {
    let hang = |radio: &mut Radio| {
        let id = radio.controllers().next().expect("one");
        radio.hang(id, u32::MAX);
    };
    radio.with(hang).await.expect("the radio runs");
}

#[tokio::test(start_paused = true)]
async fn a_transport_that_the_program_opened_is_not_opened_again() {
    let (wire, line, radio, _) = wired(ControllerOptions::default(), super::line::demo_devices());
    let adapter = builder().recovery(Recovery::ResetPort).open_with(wire).await.expect("opens");
    let peer = adapter.connect(THERMOMETER_ADDRESS).await.expect("advertises");
    hang_for_good(&radio).await;
    peer.rssi().await.expect_err("silent");
    let (closed, took) = timed(adapter.closed()).await;
    let Error::Controller { source: OpError::ControllerFailed { then: None, .. }, .. } = closed else {
        panic!("{closed:?}")
    };
    assert_eq!(took, secs(4), "the two resets of one initialisation");
    assert!(line.is_closed());
}

/// Unplugged is not silent: there is nothing to bring back.
#[tokio::test(start_paused = true)]
async fn a_transport_that_is_lost_ends_the_session_on_every_rung() {
    for after in [0, 1, 3] {
        let (wire, line, radio, _) = wired(ControllerOptions::default(), super::line::demo_devices());
        let adapter = builder().open_with(wire).await.expect("opens");
        let peer = adapter.connect(THERMOMETER_ADDRESS).await.expect("advertises");
        hang_for_good(&radio).await;
        let lost = async {
            tokio::time::sleep(secs(after)).await;
            line.cut();
            timed(adapter.closed()).await
        };
        let (_, (closed, took)) = tokio::join!(peer.rssi(), lost);
        assert!(matches!(closed, Error::Transport { source: TransportError::Closed, .. }), "{closed:?}");
        assert!(took <= ms(1), "{took:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn closing_does_not_wait_for_an_adapter_that_is_being_opened_again() {
    let (port, _) = plug();
    let (adapter, peer, mut scan) = busy(&port, builder()).await;
    port.will([Answer::Hangs]);
    port.hang(u32::MAX).await;
    peer.rssi().await.expect_err("silent");
    tokio::time::sleep(secs(5)).await;
    assert_eq!(port.opened(), [false, false]);
    let ((), took) = timed(adapter.close()).await;
    assert!(took <= ms(1), "{took:?}");
    while scan.next().await.is_ok() {}
    assert!(matches!(adapter.closed().await, Error::Closed { .. }));
}

#[tokio::test(start_paused = true)]
async fn the_last_handle_ends_an_adapter_that_is_being_opened_again() {
    let (port, _) = plug();
    let (adapter, peer, scan) = busy(&port, builder()).await;
    port.will((0..9).map(|_| Answer::Hangs));
    port.hang(u32::MAX).await;
    peer.rssi().await.expect_err("silent");
    tokio::time::sleep(secs(5)).await;
    let mut recoveries = adapter.recoveries();
    drop((adapter, peer, scan));
    assert_eq!(tokio::time::timeout(ms(1), recoveries.next()).await.expect("it ends"), None);
}

#[tokio::test(start_paused = true)]
async fn a_controller_that_fails_again_and_again_ends_the_session() {
    let (port, _) = plug();
    let (adapter, _peer, mut scan) = busy(&port, builder()).await;
    let recoveries = adapter.recoveries();
    let fail = async {
        for code in 0..20 {
            port.hardware_error(code).await;
            tokio::time::sleep(secs(2)).await;
        }
    };
    let (closed, ()) = tokio::join!(adapter.closed(), fail);
    let Error::Controller { source, .. } = closed else { panic!("{closed:?}") };
    assert_eq!(source, OpError::ControllerFailed { fault: Fault::Hardware(4), then: None });
    while scan.next().await.is_ok() {}
    let [reset, reopen] = [Rung::Reset, Rung::Reopen].map(Some);
    assert_eq!(tried(&all(recoveries).await), [reset, reset, reset, reopen, None]);
}

/// Waiting for the controller can be given up like everything else.
#[tokio::test(start_paused = true)]
async fn what_waits_for_the_controller_can_be_dropped() {
    let (port, devices) = plug();
    let (adapter, peer, mut scan) = busy(&port, builder()).await;
    port.hang(u32::MAX).await;
    peer.rssi().await.expect_err("silent");
    drop_after(ms(100), adapter.connect(ECHO_ADDRESS)).await;
    drop_after(ms(100), adapter.scan()).await;
    hears(&mut scan).await;
    tokio::time::sleep(secs(5)).await;
    assert!(adapter.connections().is_empty());
    let echo = devices[2];
    assert!(!port.act(move |radio| radio.device(echo).expect("there").is_connected()).await);
}

/// A writer whose octets the test looks at.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("nobody panics with it").write(octets)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

async fn captured() -> Vec<u8> {
    let octets = Shared::default();
    let (port, _) = plug();
    let (adapter, peer, mut scan) = busy(&port, builder().capture_to(octets.clone(), Format::BTSNOOP)).await;
    port.hang(u32::MAX).await;
    peer.rssi().await.expect_err("silent");
    hears(&mut scan).await;
    adapter.close().await;
    let octets = octets.0.lock().expect("nobody panics with it");
    octets.clone()
}

#[tokio::test(start_paused = true)]
async fn the_capture_holds_every_rung_and_the_same_seed_gives_the_same() {
    let first = captured().await;
    let reader = baretooth::capture::Reader::new(io::Cursor::new(first.clone())).expect("a capture");
    let records: Vec<_> = reader.map(|record| record.expect("whole").data).collect();
    let resets = records.iter().filter(|data| data.ends_with(&[0x03, 0x0C, 0x00]) && data.len() <= 4).count();
    assert_eq!(resets, 1 + 2 + 1, "opened, reset twice in vain, opened again");
    assert!(first == captured().await, "two runs of one seed differ");
}
