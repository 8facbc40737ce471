//! What is kept, and where.

use super::*;
use baretooth::bonds::{BondStore, StoreError, Stored};
use baretooth::smp::{Bond, Identity};
use baretooth::{Address, ErrorCode};
use std::sync::Condvar;
use tokio::task::JoinSet;

fn kept(store: &MemoryStore, adapter: u8) -> Option<Stored> {
    store.clone().load(Address::public(BdAddr([adapter, 0, 0, 0x5A, 0, 0]))).expect("memory")
}

async fn just_works(two: &Two) -> Outcome {
    two.pair(true, options(NOTHING), options(NOTHING)).await
}

#[tokio::test(start_paused = true)]
async fn a_new_session_with_the_same_store_is_known_and_encrypted_before_anything_is_said() {
    let stores = [MemoryStore::new(), MemoryStore::new()];
    let builders = |seeds: [u64; 2]| {
        let [ours, theirs] = stores.clone();
        [Adapter::builder().seed(seeds[0]).store(ours), Adapter::builder().seed(seeds[1]).store(theirs)]
    };
    let two = two_of(builders([1, 2])).await;
    let addresses = [&two.central, &two.peripheral].map(|adapter| adapter.controller().random_address);
    assert_eq!(
        (kept(&stores[0], 1), kept(&stores[1], 2)),
        (None, None),
        "nothing is kept before there is a bond"
    );
    let Outcome { began, answered } = just_works(&two).await;
    assert_eq!((began.expect("paired").peer, answered.expect("paired").peer), (addresses[1], addresses[0]));
    // Before whoever asked heard of it.
    for (store, adapter, peer) in [(&stores[0], 1, addresses[1]), (&stores[1], 2, addresses[0])] {
        let stored = kept(store, adapter).expect("it has an identity");
        assert_eq!(stored.bonds.iter().map(|bond| bond.peer).collect::<Vec<_>>(), [peer]);
    }
    two.central.close().await;
    two.peripheral.close().await;

    let two = two_of(builders([3, 4])).await;
    let again = [&two.central, &two.peripheral].map(|adapter| adapter.controller().random_address);
    assert_eq!(again, addresses, "peers know us by it, whatever the seed is");
    assert!(two.peer.security().encrypted && two.accepted.security().encrypted);
    assert_eq!(two.peer.identity(), Some(addresses[1]));
    assert_eq!(two.peer.read_by_uuid(ENCRYPTED).await.expect("encrypted")[0].value[..], *b"kept");
    let bonds = two.central.bonds().await.expect("open");
    assert_eq!(bonds.iter().map(|bond| bond.peer).collect::<Vec<_>>(), [addresses[1]]);
}

#[tokio::test(start_paused = true)]
async fn a_bond_that_is_forgotten_is_forgotten_by_the_store_and_the_peer_is_not_spoken_to_in_the_clear() {
    let store = MemoryStore::new();
    let mut two = two_of([Adapter::builder().seed(1), Adapter::builder().seed(2).store(store.clone())]).await;
    just_works(&two).await.answered.expect("paired");
    let central = two.central.controller().random_address;
    two.peripheral.unpair(central).await.expect("it was known");
    assert_eq!(kept(&store, 2).expect("the identity stays").bonds, []);
    assert_eq!(two.peer.disconnected().await, ErrorCode::RemoteUserTerminatedConnection);
    let unknown = two.peripheral.unpair(central).await.expect_err("it is gone");
    assert_eq!(unknown.kind(), ErrorKind::NotFound, "{unknown}");

    // S11: our central has the key still, and the peer has not.
    let refused = link(&two.central, &two.peripheral).await.map(drop).expect_err("not in the clear");
    assert_eq!(refused.kind(), ErrorKind::Security, "{refused}");
    assert!(refused.to_string().contains("unpair"), "{refused}");
    assert_eq!(two.central.connections(), []);
    two.central.unpair(two.peripheral.controller().random_address).await.expect("it was known");
    tokio::time::sleep(secs(1)).await;
    [two.peer, two.accepted] = link(&two.central, &two.peripheral).await.expect("strangers again");
    just_works(&two).await.began.expect("paired");
}

#[tokio::test(start_paused = true)]
async fn a_kept_address_that_cannot_be_ours_fails_the_opening() {
    let mut store = MemoryStore::new();
    let identity = Identity { random_address: BdAddr([1, 2, 3, 4, 5, 0x46]), irk: Key::new([1; 16]) };
    store.save_identity(Address::public(BdAddr([1, 0, 0, 0x5A, 0, 0])), &identity).expect("memory");
    let mut radio = Radio::new(RadioOptions::default());
    radio.add_controller(ControllerOptions::default().address(BdAddr([1, 0, 0, 0x5A, 0, 0])));
    let (_, mut transports) = baretooth::sim::spawn(radio);
    let transport = transports.pop().expect("one");
    let error = Adapter::builder().store(store).open_with(transport).await.map(drop).expect_err("not ours");
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
    assert!(error.to_string().contains("no static one"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_bond_from_elsewhere_is_taken_and_kept() {
    let first = two().await;
    just_works(&first).await.began.expect("paired");
    let (ours, theirs) =
        (first.central.bonds().await.expect("open"), first.peripheral.bonds().await.expect("open"));
    let store = MemoryStore::new();
    // The same addresses by the same seeds, and no bonds.
    let builders = [Adapter::builder().seed(1).store(store.clone()), Adapter::builder().seed(2)];
    let [central, peripheral] = adapters(builders).await;
    central.import_bond(ours[0].clone()).await.expect("kept");
    peripheral.import_bond(theirs[0].clone()).await.expect("there is no store");
    assert_eq!(kept(&store, 1).expect("an identity").bonds, ours);
    let [peer, accepted] = link(&central, &peripheral).await.expect("a link");
    assert!(peer.security().encrypted && accepted.security().encrypted);
}

/// A store that does as the test says.
#[derive(Clone, Default)]
struct Contrary {
    memory: MemoryStore,
    fails: bool,
    panics: bool,
    gate: Option<Arc<(Mutex<bool>, Condvar)>>,
}

impl Contrary {
    fn open_gate(&self) {
        let (open, changed) = &**self.gate.as_ref().expect("it has one");
        *open.lock().expect("nobody panics") = true;
        changed.notify_all();
    }
}

impl BondStore for Contrary {
    fn load(&mut self, adapter: Address) -> Result<Option<Stored>, StoreError> {
        self.memory.load(adapter)
    }

    fn save_identity(&mut self, adapter: Address, identity: &Identity) -> Result<(), StoreError> {
        self.memory.save_identity(adapter, identity)
    }

    fn save(&mut self, adapter: Address, bond: &Bond) -> Result<(), StoreError> {
        if let Some((open, changed)) = self.gate.as_deref() {
            drop(changed.wait_while(open.lock().expect("nobody panics"), |open| !*open));
        }
        assert!(!self.panics, "a store that cannot");
        match self.fails {
            true => Err(StoreError::Other("the disk of bonds.json is full".into())),
            false => self.memory.save(adapter, bond),
        }
    }

    fn remove(&mut self, adapter: Address, peer: Address) -> Result<(), StoreError> {
        self.memory.remove(adapter, peer)
    }
}

async fn two_with(store: Contrary) -> Two {
    two_of([Adapter::builder().seed(1).store(store), Adapter::builder().seed(2)]).await
}

#[tokio::test(start_paused = true)]
async fn a_store_that_fails_is_told_to_whoever_pairs_and_the_link_stays_encrypted() {
    for panics in [false, true] {
        let two = two_with(Contrary { fails: true, panics, ..Contrary::default() }).await;
        let failed = just_works(&two).await.began.expect_err("not kept");
        assert_eq!((failed.kind(), failed.kind().as_str()), (ErrorKind::Store, "store"));
        let why = if panics { "has panicked" } else { "the disk of bonds.json is full" };
        assert!(failed.to_string().contains(why), "{failed}");
        assert!(two.peer.security().encrypted);
        assert_eq!(two.peer.read_by_uuid(ENCRYPTED).await.expect("encrypted")[0].value[..], *b"kept");
        two.central.close().await;
    }
}

/// In real time: the paused clock stands still while a store works.
#[tokio::test]
async fn a_pairing_is_done_when_its_bond_is_kept_and_the_end_of_the_adapter_waits_for_the_store() {
    let store = Contrary { gate: Some(Arc::default()), ..Contrary::default() };
    let two = two_with(store.clone()).await;
    let mut agent = two.peripheral.agent(options(NOTHING));
    let mut pairing = two.peer.pair();
    let answered = async { go_through(agent.next().await.expect("open"), People::new()).await };
    // The other side has no store: it is through.
    tokio::select! {
        biased;
        _ = pairing.finish() => panic!("the store has not written it"),
        answered = answered => drop(answered.expect("paired")),
    }
    // Everything else goes on meanwhile.
    assert_eq!(two.peer.read_by_uuid(OPEN).await.expect("open")[0].value[..], *b"kept");
    drop_after(ms(50), pairing.finish()).await;
    assert_eq!(kept(&store.memory, 1).expect("an identity").bonds, []);
    let late = store.clone();
    let mut closing = JoinSet::new();
    closing.spawn(async move { two.central.close().await });
    tokio::time::sleep(ms(50)).await;
    assert!(closing.try_join_next().is_none());
    late.open_gate();
    closing.join_next().await.expect("there is one").expect("it ends");
    assert_eq!(kept(&store.memory, 1).expect("an identity").bonds.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_cannot_be_read_fails_the_opening() {
    struct Unreadable;
    impl BondStore for Unreadable {
        fn load(&mut self, _: Address) -> Result<Option<Stored>, StoreError> {
            Err(StoreError::Other("bonds.json is no JSON".into()))
        }
        fn save_identity(&mut self, _: Address, _: &Identity) -> Result<(), StoreError> {
            unreachable!("nothing is written over what was not understood")
        }
        fn save(&mut self, _: Address, _: &Bond) -> Result<(), StoreError> {
            unreachable!("nothing is written over what was not understood")
        }
        fn remove(&mut self, _: Address, _: Address) -> Result<(), StoreError> {
            unreachable!("nothing is written over what was not understood")
        }
    }
    let (_, transports) = baretooth::sim::spawn(baretooth::sim::demo::demo_radio(1));
    let transport = transports.into_iter().next().expect("one");
    let error =
        Adapter::builder().store(Unreadable).open_with(transport).await.map(drop).expect_err("not opened");
    assert_eq!(error.kind(), ErrorKind::Store);
    assert!(error.to_string().contains("bonds.json is no JSON"), "{error}");
}
