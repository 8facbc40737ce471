//! Pairing as a program does it: two adapters on one virtual radio, every method, either side beginning.

mod agent;
mod configured;
mod dropped;
mod offers;
mod requests;
mod secrets;
mod store;

use super::line::{drop_after, ms, secs};
use baretooth::bonds::MemoryStore;
use baretooth::gatt::server::{Access, Characteristic, Service, Table};
use baretooth::sim::{ControllerOptions, Radio, RadioOptions};
use baretooth::smp::{
    IoCapability, Key, Method, OobData, PairingFailedReason, PairingOptions, Passkey, PeerOob,
    SecureConnections, SecurityLevel,
};
use baretooth::{
    Adapter, AdapterBuilder, AdvertiseOptions, Agent, BdAddr, Cancel, Error, ErrorKind, PairOptions, Pairing,
    PairingSummary, Peer, Prompt, Uuid, uuid16,
};
use std::sync::{Arc, Mutex};
use tokio::sync::watch;

const DISPLAY: IoCapability = IoCapability::DisplayOnly;
const YES_NO: IoCapability = IoCapability::DisplayYesNo;
const KEYBOARD: IoCapability = IoCapability::KeyboardOnly;
const NOTHING: IoCapability = IoCapability::NoInputNoOutput;
const BOTH: IoCapability = IoCapability::KeyboardDisplay;

/// What is served: a value for everybody, and one for an encrypted, one for an authenticated link.
const OPEN: Uuid = uuid16(0x2A3D);
const ENCRYPTED: Uuid = uuid16(0x2A56);
const AUTHENTICATED: Uuid = uuid16(0x2A58);

fn table() -> Table {
    let value = |uuid, access| Characteristic::new(uuid).value("kept").read(access);
    let service = Service::primary(uuid16(0x1815))
        .characteristic(value(OPEN, Access::OPEN))
        .characteristic(value(ENCRYPTED, Access::ENCRYPTED))
        .characteristic(value(AUTHENTICATED, Access::AUTHENTICATED));
    Table::builder("served").service(service).build().expect("fits")
}

/// What two people say to each other who hold the two devices.
#[derive(Clone, Debug)]
struct People(Arc<watch::Sender<Option<String>>>);

impl People {
    fn new() -> Self {
        Self(Arc::new(watch::Sender::new(None)))
    }

    fn say(&self, digits: impl ToString) {
        self.0.send_replace(Some(digits.to_string()));
    }

    async fn hear(&self) -> String {
        let mut heard = self.0.subscribe();
        heard.wait_for(Option::is_some).await.expect("it is said").clone().expect("something")
    }
}

/// Answers everything as somebody does who looks at both devices, and waits for the end.
async fn go_through(mut pairing: Pairing, people: People) -> Result<PairingSummary, Error> {
    while let Some(prompt) = pairing.next().await {
        match prompt {
            Prompt::DisplayPasskey(passkey) => people.say(passkey),
            Prompt::EnterPasskey(answer) => answer.enter(people.hear().await.parse().expect("six digits")),
            Prompt::ConfirmNumber(number, answer) => {
                // Whoever sees it first says it, and the other compares.
                people.0.send_if_modified(|said| {
                    said.is_none().then(|| *said = Some(number.to_string())).is_some()
                });
                assert_eq!(people.hear().await, number.to_string());
                answer.yes();
            }
            Prompt::Consent(answer) => answer.yes(),
            other => panic!("{other}"),
        }
    }
    pairing.finish().await
}

/// Two adapters with a link between them.
struct Two {
    central: Adapter,
    peripheral: Adapter,
    /// The central's handle of the link.
    peer: Peer,
    /// The peripheral's.
    accepted: Peer,
}

async fn adapters(builders: [AdapterBuilder; 2]) -> [Adapter; 2] {
    let mut radio = Radio::new(RadioOptions { seed: 1, ..RadioOptions::default() });
    for n in 1..=2 {
        radio.add_controller(ControllerOptions::default().address(BdAddr([n, 0, 0, 0x5A, 0, 0])));
    }
    let (_, transports) = baretooth::sim::spawn(radio);
    let mut opened = Vec::new();
    for (builder, transport) in builders.into_iter().zip(transports) {
        opened.push(builder.open_with(transport).await.expect("opens"));
    }
    <[Adapter; 2]>::try_from(opened).expect("two")
}

async fn link(central: &Adapter, peripheral: &Adapter) -> Result<[Peer; 2], Error> {
    let _advertisement = peripheral.advertise(AdvertiseOptions::new()).await?;
    let mut links = peripheral.accepted();
    let peer = central.connect(peripheral.controller().random_address).await?;
    let accepted = links.next().await.expect("the adapter is open");
    Ok([peer, accepted])
}

async fn two() -> Two {
    two_of([Adapter::builder().seed(1), Adapter::builder().seed(2)]).await
}

async fn two_of(builders: [AdapterBuilder; 2]) -> Two {
    let [central, peripheral] = adapters(builders).await;
    peripheral.serve(table()).await.expect("serves");
    let [peer, accepted] = link(&central, &peripheral).await.expect("a link");
    Two { central, peripheral, peer, accepted }
}

impl Two {
    /// Both ends of a pairing that one side begins and the other's agent takes, with what each of them says came of it.
    async fn pair(&self, from_central: bool, central: PairingOptions, peripheral: PairingOptions) -> Outcome {
        let (ours, of_agent) = match from_central {
            true => (self.peer.pair_with(central), self.peripheral.agent(peripheral)),
            false => (self.accepted.pair_with(peripheral), self.central.agent(central)),
        };
        let people = People::new();
        let agent = answer_one(of_agent, people.clone());
        let (began, answered) = tokio::join!(go_through(ours, people), agent);
        Outcome { began, answered }
    }

    async fn reconnect(&mut self) {
        self.peer.disconnect().await.expect("ends");
        [self.peer, self.accepted] = link(&self.central, &self.peripheral).await.expect("a link");
    }
}

/// The first pairing that an agent has.
async fn answer_one(mut agent: Agent, people: People) -> Result<PairingSummary, Error> {
    let pairing = agent.next().await.expect("the adapter is open");
    go_through(pairing, people).await
}

struct Outcome {
    began: Result<PairingSummary, Error>,
    answered: Result<PairingSummary, Error>,
}

fn options(io: IoCapability) -> PairingOptions {
    PairingOptions::new().io(io).mitm(io != NOTHING)
}

#[tokio::test(start_paused = true)]
async fn every_method_pairs_from_either_side_and_both_say_the_same_of_it() {
    let new = [
        (NOTHING, NOTHING, Method::JustWorks),
        (YES_NO, YES_NO, Method::NumericComparison),
        (BOTH, YES_NO, Method::NumericComparison),
        (DISPLAY, KEYBOARD, Method::PasskeyEntry),
        (KEYBOARD, DISPLAY, Method::PasskeyEntry),
    ];
    let old = [
        (NOTHING, NOTHING, Method::JustWorks),
        (DISPLAY, BOTH, Method::PasskeyEntry),
        (KEYBOARD, YES_NO, Method::PasskeyEntry),
    ];
    let new = new.map(|row| (SecureConnections::Only, row));
    let old = old.map(|row| (SecureConnections::Off, row));
    for (generation, (central, peripheral, method)) in new.into_iter().chain(old) {
        for from_central in [true, false] {
            let what = format!("{generation:?} {central} {peripheral}, by the central: {from_central}");
            let mut two = two().await;
            let options = |io| options(io).secure_connections(generation);
            let Outcome { began, answered } =
                two.pair(from_central, options(central), options(peripheral)).await;
            let (began, answered) = (began.expect(&what), answered.expect(&what));
            let authenticated = method != Method::JustWorks;
            for summary in [&began, &answered] {
                assert_eq!(summary.method, method, "{what}");
                assert_eq!(summary.secure_connections, generation == SecureConnections::Only, "{what}");
                assert_eq!((summary.authenticated, summary.key_size), (authenticated, 16), "{what}");
                assert!(summary.bonded, "{what}");
            }
            for side in [&two.peer, &two.accepted] {
                let security = side.security();
                assert!(security.encrypted && security.bonded, "{what}: {security:?}");
                assert_eq!(security.authenticated, authenticated, "{what}");
            }
            let wanted = if authenticated { AUTHENTICATED } else { ENCRYPTED };
            let value = two.peer.read_by_uuid(wanted).await.expect(&what);
            assert_eq!(value[0].value[..], *b"kept", "{what}");
            // By the bond, before anybody says anything.
            two.reconnect().await;
            for side in [&two.peer, &two.accepted] {
                assert!(side.security().encrypted, "{what}: {:?}", side.security());
                assert_eq!(side.security().authenticated, authenticated, "{what}");
            }
            two.central.close().await;
            two.peripheral.close().await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn two_people_who_both_type_need_not_see_anything() {
    let two = two().await;
    let mut agent = two.peripheral.agent(options(KEYBOARD));
    let people = People::new();
    people.say("001234");
    let (began, answered) =
        tokio::join!(go_through(two.peer.pair_with(options(KEYBOARD)), people.clone()), async {
            go_through(agent.next().await.expect("open"), people.clone()).await
        });
    assert_eq!(began.expect("the same digits").method, Method::PasskeyEntry);
    assert!(answered.expect("the same digits").authenticated);
}

#[tokio::test(start_paused = true)]
async fn a_link_that_is_ended_right_behind_a_pairing_leaves_a_bond_on_both_sides() {
    let two = two().await;
    let mut agent = two.peripheral.agent(options(NOTHING));
    let (began, answered) = tokio::join!(
        async {
            let began = two.peer.pair().finish().await;
            two.peer.disconnect().await.expect("ends");
            began
        },
        async { go_through(agent.next().await.expect("open"), People::new()).await }
    );
    assert!(began.expect("paired").bonded && answered.expect("paired").bonded);
    for adapter in [&two.central, &two.peripheral] {
        assert_eq!(adapter.bonds().await.expect("open").len(), 1);
    }
}

/// What is brought in another way: both give, one gives, and what only legacy pairing knows.
#[tokio::test(start_paused = true)]
async fn what_is_exchanged_out_of_band_pairs_both_ways_one_way_and_by_a_temporary_key() {
    let of = |local: &baretooth::smp::LocalOob| PeerOob::new(local.confirm(), local.random());
    let data = |local, peer| OobData::SecureConnections { local, peer };
    for (ours_goes, theirs_comes) in [(true, true), (true, false), (false, true)] {
        let two = two().await;
        let theirs = two.peripheral.create_oob().await.expect("open");
        // The user is asked first, and the peer hears of nothing until then.
        let mut pairing = two.peer.pair_with(PairOptions::from(options(NOTHING)).ask_for_oob());
        let Some(Prompt::OutOfBand(question)) = pairing.next().await else { panic!("not asked") };
        tokio::time::sleep(secs(60)).await;
        let ours = question.local().clone();
        question.exchanged(data(ours_goes.then(|| ours.clone()), theirs_comes.then(|| of(&theirs))));
        let at_peer = data(theirs_comes.then(|| theirs.clone()), ours_goes.then(|| of(&ours)));
        let mut agent = two.peripheral.agent(options(NOTHING).oob(at_peer));
        let (began, answered) = tokio::join!(go_through(pairing, People::new()), async {
            go_through(agent.next().await.expect("open"), People::new()).await
        });
        for summary in [began.expect("paired"), answered.expect("paired")] {
            assert_eq!((summary.method, summary.authenticated), (Method::OutOfBand, true));
        }
    }
    let two = two().await;
    let key = || OobData::Legacy(Key::new([7; 16]));
    let legacy = || options(NOTHING).oob(key());
    let Outcome { began, answered } = two.pair(true, legacy(), legacy()).await;
    assert_eq!(began.expect("paired").method, Method::OutOfBand);
    assert!(!answered.expect("paired").secure_connections);
    // Nothing exchanged, nothing begun.
    let mut pairing = two.peer.pair_with(PairOptions::new().ask_for_oob());
    drop(pairing.next().await.expect("asked"));
    assert_eq!(pairing.finish().await.expect_err("given up").kind(), ErrorKind::Cancelled);
}
