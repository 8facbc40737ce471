//! Signed writes ([Vol 3] Part F, 3.4.5.4): commands on a link in the clear, whose sender proves itself by a signature.
//!
//! Owns the key of the client's signatures and the lowest counter that the next one may have. What is not signed right
//! leaves no trace.

use super::access::Security;
use super::client::Client;
use super::link::Output;
use super::table::Table;
use crate::crypto::{Key, att_signature, equal};

/// The counter and the signature behind the value.
const SIGNATURE: usize = 12;

/// Opcode and handle before it.
const HEAD: usize = 3;

/// What signatures are verified with ([Vol 3] Part H, 2.4.5).
#[derive(Clone, Debug)]
pub(super) struct Signatures {
    csrk: Key,
    /// Nobody was in the middle when the key was exchanged.
    authenticated: bool,
    /// The lowest counter that was not used; `None` when there is no more.
    next: Option<u32>,
}

impl Client {
    /// From now on its signatures are verified with this key, and counters below `next` refused.
    pub(crate) fn verify_signatures(&mut self, csrk: Key, authenticated: bool, next: u32) {
        self.signatures = Some(Signatures { csrk, authenticated, next: Some(next) });
    }

    /// The lowest counter that its next signature may have, where there is a key.
    pub(crate) fn next_signature(&self) -> Option<u32> {
        self.signatures.as_ref().map(|signatures| signatures.next.unwrap_or(u32::MAX))
    }

    pub(super) fn signed_write(&mut self, table: &mut Table, pdu: &[u8]) -> Vec<Output> {
        let ignored = |why| vec![Output::Ignored(why)];
        if self.security.encrypted {
            return ignored("a signed write on an encrypted link");
        }
        let Some(signatures) = &mut self.signatures else {
            return ignored("a signed write, and there is no key");
        };
        let Some((message, signature)) = pdu.split_last_chunk::<SIGNATURE>() else {
            return ignored("malformed");
        };
        let Some((&[_, low, high], value)) = message.split_first_chunk::<HEAD>() else {
            return ignored("malformed");
        };
        let [a, b, c, d, ..] = *signature;
        let counter = u32::from_le_bytes([a, b, c, d]);
        if signatures.next.is_none_or(|next| counter < next) {
            return ignored("a signed write with a counter that was used");
        }
        if !equal(&att_signature(&signatures.csrk, message, counter), signature) {
            return ignored("a signed write with a wrong signature");
        }
        signatures.next = counter.checked_add(1);
        let signed = Security {
            encrypted: true,
            authenticated: signatures.authenticated,
            key_size: 16,
            bonded: true,
            authorized: self.security.authorized,
        };
        let handle = u16::from_le_bytes([low, high]);
        self.command(table, handle, value, signed, |permissions| permissions.signed_write)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gatt::server::{Access, Characteristic, Offer, Server, Service};
    use crate::uuid16;
    use bytes::Bytes;

    const SIGNED: u16 = 0x12;
    const AUTHENTICATED: u16 = 0x14;

    fn key() -> Key {
        Key::new([7; 16])
    }

    fn table() -> Table {
        let value = |access| Characteristic::new(uuid16(0x2A56)).value(&b"old"[..]).signed_write(access);
        let service = Service::primary(uuid16(0x1815)).characteristic(value(Access::OPEN));
        let service = service.characteristic(value(Access::AUTHENTICATED));
        Table::builder("signed").service(service).build().expect("fits")
    }

    fn pdu(handle: u16, counter: u32) -> Vec<u8> {
        let message = [&[0xD2][..], &handle.to_le_bytes(), b"new"].concat();
        let signature = att_signature(&key(), &message, counter);
        [message, signature.to_vec()].concat()
    }

    fn written(client: &mut Client, pdu: &[u8]) -> bool {
        let outputs = Server::new(517).on_pdu(&mut table(), client, pdu);
        match &outputs[..] {
            [Output::Written(Offer { offset: 0, value, .. })] => value == &Bytes::from_static(b"new"),
            [Output::Ignored(_)] => false,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a14_a_write_with_a_right_signature_is_taken_once_and_no_other() {
        let mut client = Client::new(Security::default());
        assert!(!written(&mut client, &pdu(SIGNED, 5)), "without a key");
        client.verify_signatures(key(), false, 5);
        for octet in 0..pdu(SIGNED, 5).len() {
            let mut changed = pdu(SIGNED, 5);
            changed[octet] ^= if octet == 0 { 0 } else { 1 };
            if octet > 0 {
                assert!(!written(&mut client, &changed), "octet {octet} is another");
            }
        }
        assert!(!written(&mut client, &pdu(SIGNED, 4)), "the counter was used");
        for length in 1..pdu(SIGNED, 5).len() {
            assert!(!written(&mut client, &pdu(SIGNED, 5)[..length]), "cut to {length}");
        }
        assert_eq!(client.next_signature(), Some(5));
        assert!(written(&mut client, &pdu(SIGNED, 5)));
        assert!(!written(&mut client, &pdu(SIGNED, 5)), "said again");
        assert!(written(&mut client, &pdu(SIGNED, 9)), "some may be lost");
        assert_eq!(client.next_signature(), Some(10));
        assert!(written(&mut client, &pdu(SIGNED, u32::MAX)));
        assert!(!written(&mut client, &pdu(SIGNED, u32::MAX)), "there is no further counter");
    }

    #[test]
    fn a_signature_is_worth_what_its_key_is_and_nothing_on_an_encrypted_link() {
        let mut client = Client::new(Security::default());
        client.verify_signatures(key(), false, 0);
        assert!(!written(&mut client, &pdu(AUTHENTICATED, 0)));
        client.verify_signatures(key(), true, 0);
        assert!(written(&mut client, &pdu(AUTHENTICATED, 0)));
        assert!(!written(&mut client, &pdu(3, 1)), "the name is not for signed writes");
        client.security.encrypted = true;
        assert!(!written(&mut client, &pdu(SIGNED, 2)));
    }
}
