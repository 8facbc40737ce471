//! What the server sends by itself, to whom, and how much of it.

use super::*;

fn subscribe(link: &mut Link, cccd: u16, bits: u8) -> Vec<Output> {
    link.send(pdu(0x12, cccd, &[bits, 0]))
}

impl Link {
    fn notify(&self, handle: u16, value: &[u8]) -> Option<Bytes> {
        self.server.notify(&self.table, &self.client, handle, value)
    }

    fn indicate(&mut self, handle: u16, value: &'static [u8]) -> Indicated {
        self.server.indicate(&self.table, &self.client, handle, Bytes::from_static(value))
    }
}

#[test]
fn a_client_gets_what_it_has_subscribed_to_until_it_unsubscribes() {
    let mut link = Link::new();
    assert_eq!(link.notify(LEVEL, &[1]), None);
    let outputs = subscribe(&mut link, LEVEL_CCCD, 1);
    assert_eq!(outputs[1..], [Output::Configured { value_handle: LEVEL, configuration: 1 }]);
    assert_eq!(link.response(pdu(0x0A, LEVEL_CCCD, &[])), [0x0B, 1, 0]);
    assert_eq!(link.notify(LEVEL, &[1]).as_deref(), Some(&[0x1B, 3, 0, 1][..]));
    for other in [LEVEL_CCCD, 2, 0x24, STORED, SECRET_EVENTS, NOTHING] {
        assert_eq!(link.notify(other, &[1]), None, "{other:04x}");
    }
    assert_eq!(link.indicate(LEVEL, b"1"), Indicated::NotSubscribed);
    subscribe(&mut link, LEVEL_CCCD, 0);
    assert_eq!(link.notify(LEVEL, &[1]), None);
}

#[test]
fn each_client_has_its_own_configuration_and_a_bond_keeps_it() {
    let mut link = Link::new();
    subscribe(&mut link, LEVEL_CCCD, 1);
    let mut other = Link { table: link.table.clone(), ..Link::new() };
    assert_eq!(other.response(pdu(0x0A, LEVEL_CCCD, &[])), [0x0B, 0, 0]);
    other.client.restore(&other.table, link.client.remembered(&link.table));
    assert!(other.notify(LEVEL, &[1]).is_some());
}

#[test]
fn a_subscription_takes_what_it_is_declared_to_take() {
    let mut link = Link::new();
    let refused = error(0x12, SECRET_CCCD, AttError::InsufficientAuthentication);
    assert_eq!(sent(&subscribe(&mut link, SECRET_CCCD, 1)), refused);
    let mut link = Link::encrypted();
    subscribe(&mut link, SECRET_CCCD, 3);
    assert!(link.notify(SECRET_EVENTS, b"secret").is_some());
    link.client.security.encrypted = false;
    assert_eq!(link.notify(SECRET_EVENTS, b"secret"), None, "a bond is not enough");
    assert_eq!(link.indicate(SECRET_EVENTS, b"secret"), Indicated::NotSubscribed);
}

#[test]
fn values_are_cut_to_the_mtu() {
    for mtu in [23_u16, 247, 517] {
        let mut link = Link::encrypted();
        link.server.set_mtu(mtu);
        subscribe(&mut link, SECRET_CCCD, 3);
        let room = usize::from(mtu) - 3;
        for length in [0, room - 1, room, room + 1, 600] {
            let value: Bytes = vec![7; length].into();
            let notification = link.notify(SECRET_EVENTS, &value).expect("subscribed");
            assert_eq!(notification.len(), 3 + length.min(room), "{length} at {mtu}");
            let indicated = link.server.indicate(&link.table, &link.client, SECRET_EVENTS, value);
            let Indicated::Send(indication) = indicated else { panic!("{indicated:?}") };
            assert_eq!((indication[0], indication.len()), (0x1D, 3 + length.min(room)));
            link.send([0x1E]);
        }
    }
}

#[test]
fn indications_go_one_at_a_time() {
    let mut link = Link::encrypted();
    subscribe(&mut link, SECRET_CCCD, 2);
    let pdu_of = |text: &[u8]| Bytes::from([&[0x1D, 0x1A, 0][..], text].concat());
    assert_eq!(link.indicate(SECRET_EVENTS, b"one"), Indicated::Send(pdu_of(b"one")));
    assert_eq!(link.server.unconfirmed(), Some(SECRET_EVENTS));
    assert_eq!(link.indicate(SECRET_EVENTS, b"two"), Indicated::Queued);
    let confirmed = || Output::Confirmed { value_handle: SECRET_EVENTS };
    assert_eq!(link.send([0x1E]), [confirmed(), Output::Send(pdu_of(b"two"))]);
    assert_eq!(link.send([0x1E]), [confirmed()]);
    assert!(matches!(link.send([0x1E])[..], [Output::Ignored(_)]), "of nothing");

    link.indicate(SECRET_EVENTS, b"on its way");
    for _ in 0..64 {
        assert_eq!(link.indicate(SECRET_EVENTS, b"x"), Indicated::Queued);
    }
    assert_eq!(link.indicate(SECRET_EVENTS, b"x"), Indicated::QueueFull);
    subscribe(&mut link, SECRET_CCCD, 0);
    assert_eq!(link.send([0x1E]), [confirmed()], "nobody wants the rest any more");
    assert_eq!(link.server.unconfirmed(), None);
}

#[test]
fn several_values_share_a_pdu_as_far_as_they_fit_whole() {
    let mut link = Link::new();
    let database_hash = Some(link.table.hash());
    link.client.restore(&link.table, Remembered { features: 0x04, database_hash, ..Remembered::default() });
    subscribe(&mut link, LEVEL_CCCD, 1);
    subscribe(&mut link, 0x25, 1);
    let several = |link: &Link, values: &[(u16, &[u8])]| -> Vec<Vec<u8>> {
        let pdus = link.server.notify_multiple(&link.table, &link.client, values);
        pdus.iter().map(|pdu| pdu.to_vec()).collect()
    };
    let both = vec![0x23, 3, 0, 1, 0, 90, 0x24, 0, 1, 0, 80];
    assert_eq!(several(&link, &[(3, &[90]), (STORED, b"no"), (0x24, &[80])]), [both]);
    assert_eq!(several(&link, &[(3, &[90])]), [[0x1B, 3, 0, 90]], "one is a plain notification");
    assert_eq!(several(&link, &[(STORED, b"no")]), Vec::<Vec<u8>>::new());
    // 22 octets: two values of 7 fill a PDU, one octet more does not fit.
    let lengths = |values: &[(u16, &[u8])]| -> Vec<(u8, usize)> {
        several(&link, values).iter().map(|pdu| (pdu[0], pdu.len())).collect()
    };
    assert_eq!(lengths(&[(3, &[0; 7]), (0x24, &[0; 7])]), [(0x23, 23)]);
    assert_eq!(lengths(&[(3, &[0; 7]), (0x24, &[0; 8])]), [(0x1B, 10), (0x1B, 11)]);
    assert_eq!(
        lengths(&[(3, &[0; 1]), (3, &[0; 1]), (0x24, &[0; 40]), (3, &[0; 1])]),
        [(0x23, 11), (0x1B, 23), (0x1B, 4)],
        "one too long for any PDU is cut"
    );
}

/// [Vol 3] Part G, 4.10.2 and 7.2
#[test]
fn a_client_that_does_not_take_multiple_notifications_gets_plain_ones() {
    let mut link = Link::new();
    subscribe(&mut link, LEVEL_CCCD, 1);
    subscribe(&mut link, 0x25, 1);
    let pdus =
        link.server.notify_multiple(&link.table, &link.client, &[(3, &[90]), (STORED, b"no"), (0x24, &[80])]);
    assert_eq!(pdus, [&[0x1B, 3, 0, 90][..], &[0x1B, 0x24, 0, 80]]);
}

/// [Vol 3] Part G, 3.3.3.3
#[test]
fn reserved_bits_of_a_configuration_are_neither_judged_nor_kept() {
    let mut link = Link::new();
    let outputs = link.send(pdu(0x12, LEVEL_CCCD, &[0xFD, 0xFF]));
    assert_eq!(outputs[1..], [Output::Configured { value_handle: LEVEL, configuration: 1 }]);
    assert_eq!(link.response(pdu(0x0A, LEVEL_CCCD, &[])), [0x0B, 1, 0]);
}
