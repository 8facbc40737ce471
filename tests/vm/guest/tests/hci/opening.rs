//! How an adapter is taken and given back, and every error that the kernel has for that.

use super::*;
use checks::within;
use std::{fs, io::Write, time::Duration};
use tokio::time::Instant;

#[tokio::test]
#[ignore = "needs the guest of tests/vm"]
async fn an_adapter_that_is_up_is_brought_down_and_up_again() {
    let controller = Controller::new();
    bring_up(controller.index);
    for _ in 0..3 {
        let adapter = open(controller.index).await.expect("it opens");
        assert_eq!(adapter.description(), format!("hci{}", controller.index));
        drop(adapter);
        assert!(is_up(controller.index), "up again");
    }
}

#[tokio::test]
#[ignore = "needs the guest of tests/vm"]
async fn an_adapter_that_was_down_is_left_down() {
    let controller = Controller::new();
    bring_up(controller.index);
    run("hciconfig", &[&format!("hci{}", controller.index), "down"]);
    drop(open(controller.index).await.expect("it opens"));
    assert!(!is_up(controller.index));
}

#[tokio::test]
#[ignore = "needs the guest of tests/vm"]
async fn an_adapter_that_is_to_stay_up_is_busy_and_stays_up() {
    let controller = Controller::new();
    let name = format!("hci{}", controller.index);
    bring_up(controller.index);
    let leave_up = OpenOptions::new().leave_up(true);
    assert_eq!(
        message(controller.index, leave_up).await,
        format!(
            "{name} is in use; it is up; bring it down with `hciconfig {name} down`, or allow that it is brought down"
        )
    );
    assert!(is_up(controller.index));
    run("hciconfig", &[&name, "down"]);
    HciSocket::open(controller.index, &leave_up).await.expect("it is down");
}

#[tokio::test]
#[ignore = "needs the guest of tests/vm"]
async fn an_open_that_is_given_up_leaves_the_adapter_as_it_was() {
    let controller = Controller::slow(Duration::from_millis(5));
    bring_up(controller.index);
    for milliseconds in 0..20 {
        let opening = open(controller.index);
        let _ = tokio::time::timeout(Duration::from_millis(milliseconds), opening).await;
        // The kernel finishes what it has begun, on the thread where it was asked.
        let is_as_it_was = async {
            while !is_up(controller.index) || candidate(controller.index).problem.is_some() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        within(is_as_it_was).await;
    }
}

#[tokio::test]
#[ignore = "needs the guest of tests/vm"]
async fn an_adapter_that_the_kernel_sets_up_is_waited_for() {
    let controller = Controller::slow(Duration::from_millis(30));
    let started = Instant::now();
    open(controller.index).await.expect("it opens when it is set up");
    let waited = started.elapsed();
    println!("waited {waited:?} for the kernel");
    assert!(waited > Duration::from_millis(60), "the kernel was busy: {waited:?}");
}

#[tokio::test]
#[ignore = "needs the guest of tests/vm"]
async fn an_adapter_that_takes_long_to_set_up_is_busy_after_two_seconds() {
    let controller = Controller::slow(Duration::from_millis(1500));
    let started = Instant::now();
    assert_eq!(
        message(controller.index, OpenOptions::new()).await,
        format!(
            "hci{} is in use; the kernel is still setting it up, `dmesg` may say why; try again in a moment",
            controller.index
        )
    );
    let waited = started.elapsed();
    println!("gave up after {waited:?}");
    assert!(waited > Duration::from_secs(2), "{waited:?}");
}

#[tokio::test]
#[ignore = "needs the guest of tests/vm"]
async fn an_adapter_that_was_just_set_up_and_is_still_powered_opens_at_once() {
    let controller = Controller::new();
    drop(open(controller.index).await.expect("it opens when it is set up"));
    // Within the two seconds after which the kernel turns off what nobody uses.
    HciSocket::open(controller.index, &OpenOptions::new().leave_up(true)).await.expect("it opens");
}

#[tokio::test]
#[ignore = "needs the guest of tests/vm"]
async fn an_adapter_that_another_program_has_is_busy_and_that_program_is_named() {
    let controller = Controller::new();
    let name = format!("hci{}", controller.index);
    let mut other = Other::start(&[], &["open", &name]);
    assert_eq!(other.line(), format!("{name} is open"));
    let expected = format!(
        "{name} is in use; guest (pid {}) seems to have its user channel; end that program",
        other.0.id()
    );
    assert_eq!(message(controller.index, OpenOptions::new()).await, expected);
    let problem = candidate(controller.index).problem.expect("it is taken");
    assert_eq!(problem.reason, "in use");
    other.end();
    assert_eq!(candidate(controller.index).problem, None);
    open(controller.index).await.expect("it is free");
}

#[tokio::test]
#[ignore = "needs the guest of tests/vm"]
async fn an_adapter_that_is_not_there_is_told_with_those_that_are() {
    assert_eq!(
        message(9, OpenOptions::new()).await,
        "hci9 was not found; the kernel has no adapter: plug one in; `dmesg` says whether its driver takes it"
    );
    let controller = Controller::new();
    for absent in [9, 0xFFFF] {
        let expected =
            format!("hci{absent} was not found; the kernel's only adapter is hci{}", controller.index);
        assert_eq!(message(absent, OpenOptions::new()).await, expected);
    }
}

#[tokio::test]
#[ignore = "needs the guest of tests/vm"]
async fn without_the_capability_nobody_opens_an_adapter_and_is_told_how_to_get_it() {
    let controller = Controller::new();
    let name = format!("hci{}", controller.index);
    let program = env!("CARGO_BIN_EXE_guest");
    let expected = format!(
        "guest: no permission to use {name}; it needs the capability CAP_NET_ADMIN: run as root, or `sudo setcap \
         cap_net_admin+ep {program}`, or `sudo systemd-run --pty --uid=$USER -p AmbientCapabilities=CAP_NET_ADMIN \
         {program} ...`; a container needs --cap-add NET_ADMIN and --network host\n"
    );
    // Down, and up: it may neither be opened nor brought down.
    for bring_it_up in [false, true] {
        if bring_it_up {
            bring_up(controller.index);
        }
        for who in
            [&["--reuid=65534", "--regid=65534", "--clear-groups"][..], &["--bounding-set=-all,+net_raw"]]
        {
            assert_eq!(Other::start(who, &["open", &name]).end(), expected, "{who:?}");
            let listed = Other::start(who, &["candidates"]).end();
            assert!(
                listed.contains(&format!("{name}: ")) && listed.contains("; no permission: it needs"),
                "{listed}"
            );
        }
    }
    let only = ["--bounding-set=-all,+net_admin"];
    let mut allowed = Other::start(&only, &["open", &name]);
    assert_eq!(allowed.line(), format!("{name} is open"));
    assert_eq!(allowed.end(), "");
    assert!(is_up(controller.index), "up again");
}

#[tokio::test]
#[ignore = "needs the guest of tests/vm"]
async fn a_blocked_adapter_says_how_to_unblock_it() {
    let controller = Controller::new();
    drop(open(controller.index).await.expect("it opens"));
    let block = |block: u8| {
        // Index 0, type Bluetooth, for all of the type, soft, hard.
        let event = [0, 0, 0, 0, 2, 3, block, 0];
        let mut rfkill = fs::OpenOptions::new().write(true).open("/dev/rfkill").expect("/dev/rfkill");
        rfkill.write_all(&event).expect("it is taken");
    };
    block(1);
    let refused = message(controller.index, OpenOptions::new()).await;
    let problem = candidate(controller.index).problem;
    block(0);
    let hint = "rfkill keeps its radio off: `rfkill unblock bluetooth` turns it on";
    assert_eq!(refused, format!("hci{} is blocked; {hint}", controller.index));
    let problem = problem.expect("it is blocked");
    assert_eq!((problem.reason.as_str(), problem.hint.as_str()), ("blocked", hint));
    open(controller.index).await.expect("it is free");
}

#[tokio::test]
#[ignore = "needs the guest of tests/vm"]
async fn a_thousand_times_open_and_closed_leaves_no_descriptor_and_no_thread() {
    let controller = Controller::new();
    let count = |folder: &str| fs::read_dir(folder).expect("/proc").count();
    let mut before = None;
    let started = Instant::now();
    for n in 0..1000 {
        let (mut rx, mut tx) = open(controller.index).await.expect("it opens").split();
        if n % 100 == 0 {
            let reset = HciPacket::command(0x0C03, &[]).expect("a command");
            tx.send(&mut SendQueue::from(reset)).await.expect("it is sent");
            assert_eq!(rx.recv().await.expect("an answer").as_slice()[..2], [4, 0x0E]);
        }
        drop((rx, tx));
        let now = (count("/proc/self/fd"), count("/proc/self/task"));
        assert!(n < 10 || before == Some(now), "round {n}: {before:?} became {now:?}");
        before = Some(now);
    }
    println!("1000 rounds in {:?}; descriptors and threads: {before:?}", started.elapsed());
}
