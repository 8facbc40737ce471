//! What dropped futures of a server lead to.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_dropped_next_loses_no_request() {
    let two = two().await;
    let asked = two.find(ASKED);
    let mut requests = two.server.requests();
    let flood = async {
        for n in 0..200_u32 {
            two.peer.write_without_response(&asked, n.to_le_bytes().to_vec()).await.expect("sent");
            tokio::time::sleep(ms(5)).await;
        }
    };
    let read = async {
        let mut next = 0_u32;
        while next < 200 {
            if let Ok(request) = tokio::time::timeout(ms(3), requests.next()).await {
                let Some(Request::Written { value, .. }) = request else { panic!("no write") };
                assert_eq!(value[..], next.to_le_bytes());
                next += 1;
            }
        }
    };
    tokio::join!(flood, read);
}

/// Whenever a notification is dropped, it is sent or not, and those behind it come in order.
#[tokio::test(start_paused = true)]
async fn a_dropped_notification_is_sent_or_not() {
    let two = two().await;
    let told = two.find(TOLD);
    let mut values = two.subscribe(SubscribeOptions::new().indicate(false).capacity(10_000)).await;
    let mut dropped = 0;
    for n in 0..2000_u32 {
        let notify = two.server.notify(&told, n.to_le_bytes().to_vec());
        dropped += u32::from(tokio::time::timeout(Duration::from_micros(n.into()), notify).await.is_err());
    }
    two.server.notify(&told, 2000_u32.to_le_bytes().to_vec()).await.expect("sent");
    let mut last = None;
    let mut come = 0;
    while last != Some(2000) {
        let n = number(&values.next().await.expect("the link is up"));
        assert!(last.is_none_or(|last| last < n), "{n} behind {last:?}");
        last = Some(n);
        come += 1;
    }
    assert!(dropped > 0 && come >= 2001 - dropped, "{come} came, {dropped} were dropped");
}

#[tokio::test(start_paused = true)]
async fn a_dropped_indication_that_was_not_sent_is_not_sent() {
    let two = two().await;
    let told = two.find(TOLD);
    let mut values = two.subscribe(SubscribeOptions::new().indicate(true).capacity(1)).await;
    two.server.indicate(&told, "first").await.expect("confirmed");
    // Sent, and unread; the third waits for its confirmation.
    drop_after(secs(1), two.server.indicate(&told, "second")).await;
    drop_after(secs(1), two.server.indicate(&told, "third")).await;
    for expected in ["first", "second"] {
        assert_eq!(values.next().await.expect("the link is up").value[..], *expected.as_bytes());
    }
    two.server.indicate(&told, "fourth").await.expect("confirmed");
    assert_eq!(values.next().await.expect("the link is up").value[..], *b"fourth");
}

#[tokio::test(start_paused = true)]
async fn dropped_answers_and_changes_are_made_all_the_same() {
    let two = two().await;
    let (asked, stored) = (two.find(ASKED), two.find(STORED));
    let mut requests = two.server.requests();
    let (_, value) = tokio::join!(
        async {
            let mut answer = Box::pin(read_request(&mut requests).await.answer("given"));
            // Polled once.
            let _ = tokio::time::timeout(Duration::ZERO, &mut answer).await;
        },
        two.peer.read(&asked)
    );
    assert_eq!(value.expect("answered")[..], *b"given");
    let _ = tokio::time::timeout(Duration::ZERO, two.server.set_value(&stored, "set")).await;
    let _ = tokio::time::timeout(Duration::ZERO, two.peripheral.name()).await;
    assert_eq!(two.peer.read(&stored).await.expect("open")[..], *b"set");
    let new = Table::builder("new").build().expect("fits");
    let _ = tokio::time::timeout(Duration::ZERO, two.peripheral.serve(new)).await;
    assert_eq!(two.peripheral.name().await.expect("there is one"), "new");
}
