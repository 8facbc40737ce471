//! Exchange MTU ([Vol 3] Part G, 4.3.1).

use super::{Procedure, Response, Step};
use crate::att::pdu::{AttPdu, ExchangeMtuReq};
use crate::att::{AttError, DEFAULT_MTU};
use crate::gatt::GattError;
use bytes::Bytes;

/// Agrees on the largest PDU; the result is the smaller of both offers. A client does this at most once a connection.
#[derive(Debug)]
pub struct ExchangeMtu {
    client_rx_mtu: u16,
    att_mtu: u16,
}

impl ExchangeMtu {
    /// What the longest value needs: 512 octets and the header of a prepared write.
    pub const DEFAULT_OFFER: u16 = 517;

    /// Offers 517.
    pub fn new() -> Self {
        Self::offering(Self::DEFAULT_OFFER)
    }

    /// Offers as many octets, at least 23.
    pub fn offering(client_rx_mtu: u16) -> Self {
        Self { client_rx_mtu: client_rx_mtu.max(DEFAULT_MTU), att_mtu: DEFAULT_MTU }
    }
}

impl Default for ExchangeMtu {
    fn default() -> Self {
        Self::new()
    }
}

impl Procedure for ExchangeMtu {
    type Output = u16;
    const NAME: &'static str = "exchange MTU";

    fn start(&mut self, att_mtu: u16) -> Bytes {
        self.att_mtu = att_mtu;
        AttPdu::from(ExchangeMtuReq { client_rx_mtu: self.client_rx_mtu }).to_bytes()
    }

    fn on_response(&mut self, response: Response<'_>) -> Result<Step<u16>, GattError> {
        match response.pdu {
            AttPdu::ExchangeMtuRsp(rsp) => {
                Ok(Step::Done(rsp.server_rx_mtu.max(DEFAULT_MTU).min(self.client_rx_mtu)))
            }
            // A server may have nothing but the default.
            _ if response.error_code() == Some(AttError::RequestNotSupported) => Ok(Step::Done(self.att_mtu)),
            _ => Err(response.refused()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::script::{error, run};
    use super::*;

    #[test]
    fn the_smaller_offer_holds() {
        assert_eq!(run(ExchangeMtu::new(), 23, &[(&[0x02, 5, 2], &[0x03, 0, 1])]), Ok(256));
        assert_eq!(run(ExchangeMtu::offering(100), 23, &[(&[0x02, 100, 0], &[0x03, 0, 1])]), Ok(100));
        assert_eq!(run(ExchangeMtu::offering(5), 23, &[(&[0x02, 23, 0], &[0x03, 0, 1])]), Ok(23));
    }

    #[test]
    fn a6_an_offer_below_23_counts_as_23() {
        assert_eq!(run(ExchangeMtu::new(), 23, &[(&[0x02, 5, 2], &[0x03, 22, 0])]), Ok(23));
        assert_eq!(run(ExchangeMtu::new(), 23, &[(&[0x02, 5, 2], &[0x03, 0, 0])]), Ok(23));
        assert_eq!(run(ExchangeMtu::new(), 23, &[(&[0x02, 5, 2], &[0x03, 0xFF, 0xFF])]), Ok(517));
    }

    #[test]
    fn a_server_that_does_not_know_the_request_keeps_the_mtu() {
        assert_eq!(run(ExchangeMtu::new(), 23, &[(&[0x02, 5, 2], &error(0x02, 0, 0x06))]), Ok(23));
        let refused = run(ExchangeMtu::new(), 23, &[(&[0x02, 5, 2], &error(0x02, 0, 0x0E))]);
        assert!(matches!(refused, Err(GattError::Att { code: AttError::UnlikelyError, .. })));
    }
}
