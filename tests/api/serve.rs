//! Our services as a program serves them, and another adapter of ours as the client.

mod adafruit;
mod dropped;

use super::line::{drop_after, ms, secs};
use baretooth::att::AttError;
use baretooth::gatt::server::services::{self, DeviceInformation};
use baretooth::gatt::server::{Access, Characteristic, Descriptor, Service, Table, TableBuilder};
use baretooth::sim::{ControllerOptions, Radio, RadioOptions, demo};
use baretooth::{
    Adapter, AdvertiseOptions, BdAddr, Error, ErrorKind, GattServer, Notifications, Peer, ReadRequest,
    Request, Requests, SubscribeOptions, Uuid, WriteRequest, uuid16,
};
use std::time::Duration;
use tokio::task::JoinSet;

const STORED: Uuid = uuid16(0x2A3D);
const ASKED: Uuid = uuid16(0x2A56);
const TOLD: Uuid = uuid16(0x2A58);

fn table() -> Table {
    let stored =
        Characteristic::new(STORED).value("stored").max_length(40).read(Access::OPEN).write(Access::OPEN);
    let asked = Characteristic::new(ASKED).asked().read(Access::OPEN).write(Access::OPEN);
    let told = Characteristic::new(TOLD).read(Access::OPEN).notify().indicate();
    let service = Service::primary(uuid16(0x1815)).characteristic(stored);
    let service = service.characteristic(asked.write_without_response(Access::OPEN)).characteristic(told);
    Table::builder("served").service(services::battery(90)).service(service).build().expect("fits")
}

/// So many adapters on one radio. The first is to serve.
async fn adapters(number: u8) -> Vec<Adapter> {
    let mut radio = Radio::new(RadioOptions { seed: 1, ..RadioOptions::default() });
    for n in 1..=number {
        radio.add_controller(ControllerOptions::default().address(BdAddr([n, 0, 0, 0x5A, 0, 0])));
    }
    radio.add_device(demo::echo());
    let (_, transports) = baretooth::sim::spawn(radio);
    let mut adapters = Vec::new();
    for (n, transport) in (1..).zip(transports) {
        adapters.push(Adapter::builder().seed(n).open_with(transport).await.expect("opens"));
    }
    adapters
}

/// A link of this central to whoever advertises for it.
async fn link(central: &Adapter, peripheral: &Adapter) -> Peer {
    let advertisement = peripheral.advertise(AdvertiseOptions::new()).await.expect("advertises");
    let peer = central.connect(peripheral.controller().random_address).await.expect("a link");
    advertisement.ended().await.expect("by the link");
    peer
}

/// One that serves and its client. The adapters live as long as this.
struct Two {
    peripheral: Adapter,
    _central: Adapter,
    server: GattServer,
    peer: Peer,
}

async fn two() -> Two {
    let [peripheral, central] = <[Adapter; 2]>::try_from(adapters(2).await).expect("two");
    let server = peripheral.serve(table()).await.expect("serves");
    let peer = link(&central, &peripheral).await;
    Two { peripheral, _central: central, server, peer }
}

impl Two {
    fn find(&self, uuid: Uuid) -> baretooth::Characteristic {
        self.server.services().find(uuid).expect("declared").clone()
    }

    async fn subscribe(&self, options: SubscribeOptions) -> Notifications {
        self.peer.subscribe_with(&self.find(TOLD), options).await.expect("subscribed")
    }
}

async fn read_request(requests: &mut Requests) -> ReadRequest {
    match requests.next().await.expect("the adapter is open") {
        Request::Read(read) => read,
        other => panic!("{other:?}"),
    }
}

async fn write_request(requests: &mut Requests) -> WriteRequest {
    match requests.next().await.expect("the adapter is open") {
        Request::Write(write) => write,
        other => panic!("{other:?}"),
    }
}

/// What a client is refused with.
fn code(result: Result<impl std::fmt::Debug, Error>) -> AttError {
    match result.expect_err("refused") {
        Error::Att { code, .. } => code,
        other => panic!("{other}"),
    }
}

fn number(notification: &baretooth::Notification) -> u32 {
    u32::from_le_bytes(notification.value[..].try_into().expect("4 octets"))
}

#[tokio::test(start_paused = true)]
async fn gatt_server_of_an_adapter_is_discovered_read_and_written() {
    let two = two().await;
    let services = two.peer.discover().await.expect("answers");
    assert_eq!(&services, two.server.services());
    let stored = two.find(STORED);
    assert_eq!(two.peer.read(&stored).await.expect("open")[..], *b"stored");
    two.server.set_value(&stored, "changed").await.expect("kept");
    assert_eq!(two.peer.read(&stored).await.expect("open")[..], *b"changed");
    let mut requests = two.server.requests();
    two.peer.write(&stored, "written").await.expect("open");
    assert_eq!(two.server.value(&stored).await.expect("kept")[..], *b"written");
    let Some(Request::Written { peer, handle, value }) = requests.next().await else { panic!("not told") };
    assert_eq!((handle, &value[..]), (stored.value_handle, &b"written"[..]));
    assert_eq!(peer.address(), two._central.controller().random_address);
    let long = two.server.set_value(&stored, vec![0; 41]).await.expect_err("40 at most");
    assert_eq!(long.kind(), ErrorKind::Invalid);
    assert_eq!(two.server.value(0x999_u16).await.expect_err("nothing there").kind(), ErrorKind::NotFound);
    let asked = two.find(ASKED);
    assert_eq!(two.server.set_value(&asked, "x").await.expect_err("the user's").kind(), ErrorKind::Invalid);
}

#[tokio::test(start_paused = true)]
async fn asked_values_are_answered_refused_or_dropped() {
    let two = two().await;
    let asked = two.find(ASKED);
    let mut requests = two.server.requests();
    let (answered, value) = tokio::join!(
        async { read_request(&mut requests).await.answer("an answer").await },
        two.peer.read(&asked)
    );
    answered.expect("in time");
    assert_eq!(value.expect("answered")[..], *b"an answer");
    let (refused, value) = tokio::join!(
        async { read_request(&mut requests).await.refuse(AttError(0x80)).await },
        two.peer.read(&asked)
    );
    refused.expect("in time");
    assert_eq!(code(value), AttError(0x80));
    let (_, value) = tokio::join!(async { drop(read_request(&mut requests).await) }, two.peer.read(&asked));
    assert_eq!(code(value), AttError::UnlikelyError);
    let taken = async {
        let write = write_request(&mut requests).await;
        assert_eq!((write.handle(), &write.values()[0].value[..]), (asked.value_handle, &b"new"[..]));
        write.accept().await
    };
    let (accepted, written) = tokio::join!(taken, two.peer.write(&asked, "new"));
    accepted.expect("in time");
    written.expect("taken");
    let refuse = async { write_request(&mut requests).await.refuse(AttError::ValueNotAllowed).await };
    let (refused, written) = tokio::join!(refuse, two.peer.write(&asked, "new"));
    refused.expect("in time");
    assert_eq!(code(written), AttError::ValueNotAllowed);
    let (_, written) =
        tokio::join!(async { drop(write_request(&mut requests).await) }, two.peer.write(&asked, "new"));
    assert_eq!(code(written), AttError::UnlikelyError);
    two.peer.write_without_response(&asked, "quick").await.expect("sent");
    assert!(matches!(requests.next().await, Some(Request::Written { value, .. }) if value[..] == *b"quick"));
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_comes_too_late_says_so() {
    let two = two().await;
    let asked = two.find(ASKED);
    let mut requests = two.server.requests();
    let late = async {
        let read = read_request(&mut requests).await;
        tokio::time::sleep(secs(11)).await;
        read.answer("late").await
    };
    let (late, value) = tokio::join!(late, two.peer.read(&asked));
    assert_eq!(code(value), AttError::UnlikelyError);
    let late = late.expect_err("too late");
    assert_eq!(late.kind(), ErrorKind::Invalid);
    assert!(late.to_string().ends_with("nobody waits for this answer any more"), "{late}");
    let gone = async {
        let read = read_request(&mut requests).await;
        two.peer.disconnect().await.expect("ends");
        tokio::time::sleep(secs(1)).await;
        assert!(!read.peer().is_connected());
        read.answer("to nobody").await
    };
    let (gone, value) = tokio::join!(gone, two.peer.read(&asked));
    assert_eq!(gone.expect_err("down").kind(), ErrorKind::Disconnected);
    assert_eq!(value.expect_err("down").kind(), ErrorKind::Disconnected);
}

#[tokio::test(start_paused = true)]
async fn without_a_reader_questions_are_refused_at_once() {
    let two = two().await;
    let asked = two.find(ASKED);
    let begun = tokio::time::Instant::now();
    assert_eq!(code(two.peer.read(&asked).await), AttError::UnlikelyError);
    let requests = two.server.requests();
    let (value, _) = tokio::join!(two.peer.read(&asked), async {
        tokio::time::sleep(ms(500)).await;
        drop(requests);
    });
    assert_eq!(code(value), AttError::UnlikelyError, "what waited in the queue is refused");
    assert_eq!(code(two.peer.write(&asked, "x").await), AttError::UnlikelyError);
    assert!(begun.elapsed() < secs(2), "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn there_is_one_reader_and_another_table_ends_it() {
    let two = two().await;
    let mut first = two.server.requests();
    let mut second = two.server.requests();
    assert!(first.next().await.is_none());
    let stored = two.find(STORED);
    two.peer.write(&stored, "x").await.expect("open");
    assert!(matches!(second.next().await, Some(Request::Written { .. })));
    two.peripheral.serve(table()).await.expect("serves");
    assert!(second.next().await.is_none());
    let mut third = two.server.requests();
    two.peripheral.close().await;
    while third.next().await.is_some() {}
    let closed = two.peripheral.serve(table()).await.expect_err("closed");
    assert!(matches!(closed, Error::Closed { .. }), "{closed}");
    assert!(matches!(two.server.value(&stored).await, Err(Error::Closed { .. })));
    assert!(matches!(two.server.set_value(&stored, "x").await, Err(Error::Closed { .. })));
    assert_eq!(two.server.notify(&two.find(TOLD), "x").await.expect("nobody is there"), 0);
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_reads_loses_no_write_and_one_that_does_not_is_told_how_many() {
    let two = two().await;
    let asked = two.find(ASKED);
    let mut requests = two.server.requests();
    let flood = async {
        for n in 0..2000_u32 {
            two.peer.write_without_response(&asked, n.to_le_bytes().to_vec()).await.expect("sent");
        }
    };
    let read = async {
        for n in 0..2000_u32 {
            let Some(Request::Written { value, .. }) = requests.next().await else { panic!("no write") };
            assert_eq!(value[..], n.to_le_bytes());
        }
    };
    tokio::join!(flood, read);
    for _ in 0..300 {
        two.peer.write_without_response(&asked, "x").await.expect("sent");
    }
    tokio::time::sleep(secs(5)).await;
    assert_eq!(requests.missed(), 300 - 256);
    assert_eq!(code(two.peer.read(&asked).await), AttError::InsufficientResources);
    for _ in 0..256 {
        requests.next().await.expect("queued");
    }
    let (_, value) = tokio::join!(
        async { read_request(&mut requests).await.answer("again").await.expect("in time") },
        two.peer.read(&asked)
    );
    assert_eq!(value.expect("answered")[..], *b"again");
}

#[tokio::test(start_paused = true)]
async fn values_are_notified_and_indicated_to_whoever_asked() {
    let two = two().await;
    let told = two.find(TOLD);
    assert_eq!(two.server.notify(&told, "nobody").await.expect("nothing to do"), 0);
    let [served] = &two.peripheral.accepted().next().await.into_iter().collect::<Vec<_>>()[..] else {
        panic!("one link")
    };
    let not = two.server.notify_to(served, &told, "x").await.expect_err("not subscribed");
    assert!(not.to_string().ends_with("the client has not subscribed"), "{not}");
    let mut requests = two.server.requests();
    let mut values = two.subscribe(SubscribeOptions::new().indicate(false)).await;
    let Some(Request::Subscribed { peer, handle, notifications, indications }) = requests.next().await else {
        panic!("not told");
    };
    assert_eq!((handle, notifications, indications), (told.value_handle, true, false));
    assert_eq!(two.server.subscribers(&told).len(), 1);
    assert_eq!(two.server.notify(&told, "one").await.expect("sent"), 1);
    two.server.notify_to(&peer, &told, "two").await.expect("sent");
    assert_eq!(two.server.indicate(&told, "not asked for").await.expect("nothing to do"), 0);
    assert_eq!(
        two.server.indicate_to(&peer, &told, "x").await.expect_err("neither").kind(),
        ErrorKind::Invalid
    );
    assert_eq!(two.server.update(&told, "three").await.expect("kept"), 1);
    for expected in ["one", "two", "three"] {
        let value = values.next().await.expect("the link is up");
        assert_eq!((&value.value[..], value.indication), (expected.as_bytes(), false));
    }
    values.unsubscribe().await.expect("ends");
    assert!(matches!(requests.next().await, Some(Request::Subscribed { notifications: false, .. })));
    assert_eq!(
        (two.server.subscribers(&told).len(), two.server.notify(&told, "x").await.expect("nobody")),
        (0, 0)
    );
    let mut values = two.subscribe(SubscribeOptions::new().indicate(true)).await;
    let (confirmed, value) = tokio::join!(two.server.update(&told, "four"), values.next());
    assert_eq!(confirmed.expect("kept"), 1);
    let value = value.expect("the link is up");
    assert_eq!((&value.value[..], value.indication), (&b"four"[..], true));
    assert_eq!(two.peer.read(&told).await.expect("open")[..], *b"four");
    two.server.indicate_to(&peer, &told, "five").await.expect("confirmed");
    assert_eq!(values.next().await.expect("the link is up").value[..], *b"five");
    two.peer.disconnect().await.expect("ends");
    tokio::time::sleep(secs(1)).await;
    assert_eq!(two.server.subscribers(&told).len(), 0);
    assert_eq!(two.server.indicate(&told, "nobody").await.expect("nothing to do"), 0);
    let down = two.server.notify_to(&peer, &told, "x").await.expect_err("down");
    assert_eq!(down.kind(), ErrorKind::Disconnected);
}

#[tokio::test(start_paused = true)]
async fn an_indication_whose_link_is_lost_counts_for_nobody() {
    let two = two().await;
    let told = two.find(TOLD);
    let _values = two.subscribe(SubscribeOptions::new().indicate(true).capacity(1)).await;
    assert_eq!(two.server.indicate(&told, "queued").await.expect("confirmed"), 1);
    // The second waits unread for ten seconds; the link is lost before.
    let (indicated, _) = tokio::join!(two.server.indicate(&told, "lost"), async {
        tokio::time::sleep(secs(2)).await;
        two.peer.disconnect().await.expect("ends");
    });
    assert_eq!(indicated.expect("nobody is an answer"), 0);
}

#[tokio::test(start_paused = true)]
async fn peers_that_requests_and_subscribers_name_do_not_end_their_links() {
    let [ours, other] = <[Adapter; 2]>::try_from(adapters(2).await).expect("two");
    let server = ours.serve(table()).await.expect("serves");
    // We made this link, and the peer's client uses our server on it.
    let peer = link(&ours, &other).await;
    let accepted = other.accepted().next().await.expect("a central");
    let told = server.services().find(TOLD).expect("declared").clone();
    let mut requests = server.requests();
    let mut values = accepted.subscribe(&told).await.expect("subscribed");
    drop(requests.next().await.expect("told"));
    drop(server.subscribers(&told));
    tokio::time::sleep(secs(1)).await;
    assert!(peer.is_connected());
    let (read, value) = tokio::join!(read_request(&mut requests), async {
        accepted.read(server.services().find(ASKED).expect("declared")).await
    });
    drop((read, value));
    tokio::time::sleep(secs(1)).await;
    assert!(peer.is_connected());
    assert_eq!(server.notify(&told, "still there").await.expect("sent"), 1);
    assert_eq!(values.next().await.expect("the link is up").value[..], *b"still there");
    drop(peer);
    assert_eq!(accepted.disconnected().await, baretooth::ErrorCode::RemoteUserTerminatedConnection);
}

#[tokio::test(start_paused = true)]
async fn a_thousand_notifications_to_each_of_sixteen_subscribers_none_lost() {
    let mut adapters = adapters(17).await.into_iter();
    let peripheral = adapters.next().expect("the first");
    let server = peripheral.serve(table()).await.expect("serves");
    let told = server.services().find(TOLD).expect("declared").clone();
    let mut readers = JoinSet::new();
    for central in adapters {
        let peer = link(&central, &peripheral).await;
        let mut values =
            peer.subscribe_with(&told, SubscribeOptions::new().indicate(false)).await.expect("subscribed");
        readers.spawn(async move {
            for n in 0..1000 {
                let value = values.next().await.expect("the link is up");
                assert_eq!((number(&value), value.missed), (n, 0));
            }
            central.close().await;
        });
    }
    for n in 0..1000_u32 {
        assert_eq!(server.notify(&told, n.to_le_bytes().to_vec()).await.expect("sent"), 16);
    }
    while let Some(reader) = readers.join_next().await {
        reader.expect("it got them all");
    }
}
