//! Signatures of data that goes over a link that is not encrypted ([Vol 3] Part H, 2.4.5).

use super::Key;
use super::secure_connections::mac;

/// The signature of a message and of the counter that makes each its own.
pub(crate) fn signature(csrk: &Key, message: &[u8], counter: u32) -> [u8; 8] {
    let signed = counter.to_be_bytes().into_iter().chain(message.iter().rev().copied()).collect::<Vec<_>>();
    let [_, _, _, _, _, _, _, _, most @ ..] = mac(csrk, &signed);
    most
}

/// What a Signed Write Command ends with: the counter, and the signature of the PDU up to here ([Vol 3] Part F, 3.3.1).
pub(crate) fn att_signature(csrk: &Key, pdu: &[u8], counter: u32) -> [u8; 12] {
    let mut octets = [0; 12];
    octets[..4].copy_from_slice(&counter.to_le_bytes());
    octets[4..].copy_from_slice(&signature(csrk, pdu, counter));
    octets
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::testing::printed;

    #[test]
    fn signatures_are_those_of_another_stack() {
        const CSRK: &str = "3c4fcf098815f7aba6d2ae2816157e2b";
        let message = concat!(
            "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51",
            "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710",
        );
        for (csrk, pdu, counter, expected) in [
            (CSRK, "", 0, "00000000b3a8594127ebc2c0"),
            (CSRK, &message[..32], 0, "00000000273974f4392a232a"),
            (CSRK, &message[..80], 0, "00000000b7ca94ab87c78218"),
            (CSRK, message, 0, "0000000044e1e6ce1df51368"),
            ("505e42df9691ec72d31fcdfbeb641b61", "d212001337", 1, "01000000f1871e933c900ff2"),
        ] {
            let csrk = Key::from_hex(csrk).expect("a key");
            assert_eq!(att_signature(&csrk, &printed(pdu), counter).to_vec(), printed(expected), "{pdu}");
        }
    }
}
