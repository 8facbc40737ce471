//! What others offer for pairing, here.

use super::*;
use baretooth::{ConnectOptions, SecurityOptions};

/// `BLEConnection.paired` and `pair(bond=)`.
#[tokio::test(start_paused = true)]
async fn adafruit_ble_connection_paired_and_pair_with_and_without_a_bond() {
    for bond in [true, false] {
        let mut two = two().await;
        assert!(!two.peer.security().encrypted, "paired");
        let with = || PairingOptions::new().bonding(bond);
        let Outcome { began, .. } = two.pair(true, with(), with()).await;
        assert_eq!(began.expect("paired").bonded, bond);
        assert!(two.peer.security().encrypted, "paired");
        assert_eq!(two.central.bonds().await.expect("open").len(), usize::from(bond));
        two.reconnect().await;
        assert_eq!(two.peer.security().encrypted, bond, "by the bond");
    }
}

/// `BleakClient(pair=True)` pairs while it connects, unless it is paired already; `pair()`, and `unpair()`.
#[tokio::test(start_paused = true)]
async fn bleak_pair_on_connect_pair_and_unpair() {
    let mut two = two().await;
    let mut agent = two.peripheral.agent(options(NOTHING));
    let (raised, answered) = tokio::join!(two.peer.raise(SecurityLevel::Encrypted), async {
        go_through(agent.next().await.expect("open"), People::new()).await
    });
    assert!(raised.expect("paired").encrypted);
    answered.expect("paired");
    drop(agent);
    two.reconnect().await;
    // There is no agent: that no pairing is needed is seen by there being none.
    assert!(two.peer.raise(SecurityLevel::Encrypted).await.expect("by the bond").bonded);
    let peer = two.peer.identity().expect("it is bonded");
    two.central.unpair(peer).await.expect("it was known");
    assert_eq!(two.central.bonds().await.expect("open"), []);
    two.peer.disconnected().await;
}

/// `BleakClient(pair=True)`: whoever is connected to is paired with, or not connected to.
#[tokio::test(start_paused = true)]
async fn bleak_pair_true_connects_to_nobody_who_does_not_pair() {
    let [central, peripheral] = adapters([Adapter::builder().seed(1), Adapter::builder().seed(2)]).await;
    let address = peripheral.controller().random_address;
    let connect = || async {
        let _advertisement = peripheral.advertise(AdvertiseOptions::new()).await.expect("advertises");
        central.connect_paired(address, ConnectOptions::new()).await
    };
    let refused = connect().await.map(drop).expect_err("it is not pairable");
    assert_eq!((refused.kind(), refused.code()), (ErrorKind::Smp, Some(0x05)), "{refused}");
    assert_eq!(central.connections(), [], "when it is told");
    // S13: it has to wait before it tries again.
    tokio::time::sleep(secs(60)).await;
    let mut agent = peripheral.agent(options(NOTHING));
    let (peer, _) =
        tokio::join!(connect(), async { go_through(agent.next().await.expect("open"), People::new()).await });
    let peer = peer.expect("paired");
    assert!(peer.security().encrypted && peer.is_bonded());
    peer.disconnect().await.expect("ends");
    drop(agent);
    assert!(connect().await.expect("by the bond").security().encrypted);
}

/// `BGAPIBackend`: `device.bond()`, `set_bondable(False)` and `clear_bond(address=None)`.
#[tokio::test(start_paused = true)]
async fn pygatt_bond_set_bondable_and_clear_bond() {
    let two = two().await;
    let Outcome { began, .. } = two.pair(true, options(NOTHING), options(NOTHING)).await;
    let peer = began.expect("bonded").peer;
    for bond in two.central.bonds().await.expect("open") {
        assert_eq!(bond.peer, peer);
        two.central.unpair(bond.peer).await.expect("it was known");
    }
    assert_eq!(two.central.bonds().await.expect("open"), []);
    let never = SecurityOptions::new().pairable(baretooth::Pairable::Never);
    let two = two_of([Adapter::builder().seed(1), Adapter::builder().seed(2).security(never)]).await;
    let _agent = two.peripheral.agent(options(NOTHING));
    assert_eq!(two.peer.pair().finish().await.expect_err("not bondable").code(), Some(0x05));
}

/// S18: a value that is to be secret waits for security whatever the peer asks for, and does not go out without.
#[tokio::test(start_paused = true)]
async fn a_handle_that_needs_a_level_reaches_it_first_or_says_nothing() {
    let two = two().await;
    let careful = two.peer.at_least(SecurityLevel::Encrypted);
    let refused = careful.read_by_uuid(OPEN).await.expect_err("nobody pairs");
    assert_eq!(refused.kind(), ErrorKind::Smp, "{refused}");
    let written = careful.write_without_response(3_u16, "secret").await.expect_err("nobody pairs");
    assert!(matches!(written.kind(), ErrorKind::Smp | ErrorKind::Security), "{written}");
    assert_eq!(two.peer.read_by_uuid(OPEN).await.expect("open")[0].value[..], *b"kept", "the other handle");
    tokio::time::sleep(secs(600)).await;
    let mut changes = careful.security_changes();
    let mut agent = two.peripheral.agent(options(NOTHING));
    let (value, answered) = tokio::join!(careful.read_by_uuid(OPEN), async {
        go_through(agent.next().await.expect("open"), People::new()).await
    });
    assert_eq!(value.expect("raised")[0].value[..], *b"kept");
    answered.expect("paired");
    assert!(changes.next().await.expect("it has changed").encrypted);
    let more = two.peer.at_least(SecurityLevel::Authenticated).read_by_uuid(OPEN).await;
    assert!(more.is_err(), "nobody can show or type anything");
    two.peer.disconnect().await.expect("ends");
    while changes.next().await.is_some() {}
}
