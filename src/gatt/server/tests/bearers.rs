//! One client on several bearers: what each bearer has for itself, and what the client has for all of them.

use super::caching::{OUT_OF_SYNC, READ_HASH, VALUE, link, with};
use super::writes::{CANCEL, EXECUTE, prepare};
use super::*;

impl Link {
    /// What happens on another bearer of the same client.
    fn on(&mut self, bearer: &mut Server, pdu: impl AsRef<[u8]>) -> Vec<Output> {
        bearer.on_pdu(&mut self.table, &mut self.client, pdu.as_ref())
    }

    /// A client with an enhanced bearer.
    fn enhanced(mut self) -> (Self, Server) {
        self.client.set_enhanced_bearers(1);
        (self, Server::enhanced(100))
    }
}

#[test]
fn the_mtu_of_an_enhanced_bearer_is_not_exchanged() {
    let (mut link, mut bearer) = Link::new().enhanced();
    let outputs = link.on(&mut bearer, [0x02, 23, 0]);
    assert_eq!(sent(&outputs), error(0x02, 0, AttError::RequestNotSupported));
    assert_eq!(sent(&link.on(&mut bearer, pdu(0x0A, STORED, &[]))).len(), 100);
}

#[test]
fn a_question_on_one_bearer_leaves_the_other_free() {
    let (mut link, mut bearer) = Link::new().enhanced();
    link.send(pdu(0x0A, ASKED, &[]));
    let id = link.server.asking().expect("a question").id;
    let outputs = link.on(&mut bearer, pdu(0x0A, ASKED, &[]));
    assert!(matches!(&outputs[..], [Output::Ask(ask)] if ask.id != id), "{outputs:?}");
    assert_eq!(sent(&link.answer(Ok(b"first"))), b"\x0Bfirst");
    assert!(bearer.asking().is_some());
}

#[test]
fn a_queue_that_the_user_is_asked_about_takes_nothing_from_other_bearers() {
    let (mut link, mut bearer) = Link::new().enhanced();
    link.response(prepare(ASKED, 0, b"asked"));
    let outputs = link.send(EXECUTE);
    assert!(matches!(&outputs[..], [Output::Ask(_)]), "{outputs:?}");
    link.on(&mut bearer, prepare(SHORT_ASKED, 0, b"late"));
    assert_eq!(sent(&link.answer(Ok(b""))), [0x19]);

    let outputs = link.on(&mut bearer, EXECUTE);
    let want = Want::Write(vec![offer(SHORT_ASKED, 0, b"late")]);
    assert!(matches!(&outputs[..], [Output::Ask(ask)] if ask.want == want), "{outputs:?}");
    assert_eq!(sent(&link.send(CANCEL)), [0x19], "nothing is left to be cancelled");
    assert!(bearer.asking().is_some(), "what is executed there goes on");
}

#[test]
fn a_client_with_several_bearers_learns_of_a_new_table_by_its_hash_alone() {
    let (mut link, mut bearer) = link(3).enhanced();
    let outputs = link.replace(with(2));
    assert_eq!(sent(&outputs)[0], 0x1D);
    bearer.on_table_changed(&link.table, 0x30..=0x35);
    link.send([0x1E]);
    assert!(!link.notifies(VALUE), "a confirmation does not do");

    let read = pdu(0x0A, VALUE, &[]);
    assert_eq!(link.read_value(), OUT_OF_SYNC);
    assert_eq!(sent(&link.on(&mut bearer, &read)), OUT_OF_SYNC, "once on each bearer");
    assert_eq!(link.read_value(), b"\x0Bv");
    assert!(!link.notifies(VALUE), "nor does another request");

    link.response(READ_HASH);
    assert!(!link.notifies(VALUE));
    assert_eq!(sent(&link.on(&mut bearer, &read)), b"\x0Bv");
    assert!(link.notifies(VALUE), "the request behind the hash does, on any bearer");
}
