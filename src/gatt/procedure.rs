//! GATT client procedures ([Vol 3] Part G, 4) as pure folds: [`Procedure::start`] gives the first request, and each
//! response gives the next request or the result.
//!
//! A procedure never sees time, connection or transport, so whoever runs it adds those: one request at a time, a
//! time-out, the end at a disconnection. A new procedure is one file here and one row in `procedures!`.
//!
//! ```
//! use baretooth::gatt::procedure::{Procedure, Read, Response, Step};
//! use bytes::Bytes;
//!
//! let mut read = Read::new(0x0003);
//! assert_eq!(read.start(23), &[0x0A, 0x03, 0x00][..]);
//! let answer = Bytes::from_static(&[0x0B, 0x64]);
//! let Step::Done(value) = read.on_response(Response::new(&answer)?)? else { panic!("a short value is whole") };
//! assert_eq!(value, &[0x64][..]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod discover;
mod discover_characteristics;
mod discover_descriptors;
mod discover_included;
mod discover_services;
mod exchange_mtu;
mod read;
mod read_by_uuid;
mod read_multiple;
mod subscribe;
mod walk;
mod write;
mod write_long;

pub use discover::Discover;
pub use discover_characteristics::{CharacteristicDeclaration, DiscoverCharacteristics};
pub use discover_descriptors::DiscoverDescriptors;
pub use discover_included::DiscoverIncluded;
pub use discover_services::{DiscoverServices, ServiceDeclaration};
pub use exchange_mtu::ExchangeMtu;
pub use read::{Read, ReadBlob};
pub use read_by_uuid::{AttributeValue, ReadByUuid};
pub use read_multiple::{ReadMultiple, ReadMultipleVariable, VariableValue};
pub use subscribe::{Delivery, Subscribe, Subscribed, Unsubscribe};
pub use write::Write;
pub use write_long::WriteLong;

use crate::att::{AttError, AttOpcode, AttPdu};
use crate::codec::ParseError;
use crate::gatt::{Descriptor, GattError, Include, Services};
use bytes::Bytes;

/// A sequence of ATT requests with one result.
pub trait Procedure: Into<Running> {
    /// The result.
    type Output: TryFrom<Outcome>;

    /// Its name in logs.
    const NAME: &'static str;

    /// The first request, a whole PDU. Called once, when the bearer is free; `att_mtu` holds until the end.
    fn start(&mut self, att_mtu: u16) -> Bytes;

    /// What follows from the answer to the last request: its response, or ATT_ERROR_RSP for it.
    /// Not called again after [`Step::Done`] or an error.
    ///
    /// # Errors
    /// When the server refused, or answered what cannot be.
    fn on_response(&mut self, response: Response<'_>) -> Result<Step<Self::Output>, GattError>;
}

/// What a procedure wants next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step<T> {
    /// This ATT request to be sent, a whole PDU.
    Send(Bytes),
    /// Nothing more: the result.
    Done(T),
}

impl<T> Step<T> {
    fn map<U>(self, done: impl FnOnce(T) -> U) -> Step<U> {
        match self {
            Self::Send(pdu) => Step::Send(pdu),
            Self::Done(output) => Step::Done(done(output)),
        }
    }
}

/// A response as received, from which values are taken without copying them.
#[derive(Clone, Copy, Debug)]
pub struct Response<'a> {
    /// The PDU read.
    pub pdu: AttPdu<'a>,
    octets: &'a Bytes,
}

impl<'a> Response<'a> {
    /// Reads a whole PDU.
    ///
    /// # Errors
    /// When it does not follow its layout; [`GattError::malformed`] is what the procedure then failed with.
    pub fn new(octets: &'a Bytes) -> Result<Self, ParseError> {
        Ok(Self { pdu: AttPdu::from_octets(octets)?, octets })
    }

    /// A part of this response, to be kept; it holds on to the packet that it came in.
    ///
    /// # Panics
    /// When `part` is of other octets than this response's.
    pub fn keep(&self, part: &[u8]) -> Bytes {
        self.octets.slice_ref(part)
    }

    /// The request that it answers.
    fn request(&self) -> AttOpcode {
        match self.pdu {
            AttPdu::ErrorRsp(error) => error.req_opcode,
            // Each response is numbered behind its request.
            _ => AttOpcode(self.pdu.opcode().0.saturating_sub(1)),
        }
    }

    /// The code, when the server refused.
    fn error_code(&self) -> Option<AttError> {
        match self.pdu {
            AttPdu::ErrorRsp(error) => Some(error.error_code),
            _ => None,
        }
    }

    /// The error of a server that answered anything but the response wanted.
    fn refused(&self) -> GattError {
        match self.pdu {
            AttPdu::ErrorRsp(error) => GattError::Att {
                request: error.req_opcode,
                handle: error.attribute_handle.0,
                code: error.error_code,
            },
            _ => self.invalid("it answers another request"),
        }
    }

    fn invalid(&self, cause: &'static str) -> GattError {
        GattError::InvalidResponse { request: self.request(), cause }
    }
}

/// Rows `Outcome variant(type): procedures that end in it;`. Gives [`Running`], [`Outcome`] and their conversions.
macro_rules! procedures {
    ($($(#[$meta:meta])* $outcome:ident($output:ty): $($procedure:ident),+;)*) => {
        /// Any procedure, in progress.
        #[derive(Debug)]
        #[non_exhaustive]
        pub enum Running {
            $($(#[doc = concat!("See [`", stringify!($procedure), "`].")] $procedure($procedure),)+)*
        }

        /// The result of any procedure.
        #[derive(Clone, Debug, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum Outcome {
            $($(#[$meta])* $outcome($output),)*
        }

        impl Running {
            /// The procedure's name in logs.
            pub fn name(&self) -> &'static str {
                match self { $($(Self::$procedure(_) => $procedure::NAME,)+)* }
            }

            /// See [`Procedure::start`].
            pub fn start(&mut self, att_mtu: u16) -> Bytes {
                match self { $($(Self::$procedure(procedure) => procedure.start(att_mtu),)+)* }
            }

            /// See [`Procedure::on_response`].
            ///
            /// # Errors
            /// Those of the procedure.
            pub fn on_response(&mut self, response: Response<'_>) -> Result<Step<Outcome>, GattError> {
                match self {
                    $($(Self::$procedure(procedure) => {
                        procedure.on_response(response).map(|step| step.map(Outcome::$outcome))
                    })+)*
                }
            }
        }

        $($(impl From<$procedure> for Running {
            fn from(procedure: $procedure) -> Self { Self::$procedure(procedure) }
        })+)*

        $(impl TryFrom<Outcome> for $output {
            /// The outcome of another procedure.
            type Error = Outcome;
            fn try_from(outcome: Outcome) -> Result<Self, Outcome> {
                match outcome { Outcome::$outcome(output) => Ok(output), other => Err(other) }
            }
        })*
    };
}

impl Running {
    /// Whether it has to prepare writes at the server, where requests are no longer than `att_mtu`.
    pub(crate) fn prepares(&self, att_mtu: u16) -> bool {
        match self {
            Self::WriteLong(_) => true,
            Self::Write(write) => write.is_long(att_mtu),
            _ => false,
        }
    }

    /// Whether a refusal for want of security is its end, whatever could be done about that.
    pub(crate) fn takes_refusal(&self) -> bool {
        matches!(self, Self::Subscribe(subscribe) if subscribe.without_raising)
    }
}

procedures! {
    /// The ATT_MTU agreed on.
    Mtu(u16): ExchangeMtu;
    /// The table of a peer.
    Services(Services): Discover;
    /// Services, without their contents.
    ServiceDeclarations(Vec<ServiceDeclaration>): DiscoverServices;
    /// References to other services.
    Includes(Vec<Include>): DiscoverIncluded;
    /// Characteristics, without their descriptors.
    CharacteristicDeclarations(Vec<CharacteristicDeclaration>): DiscoverCharacteristics;
    /// Descriptors.
    Descriptors(Vec<Descriptor>): DiscoverDescriptors;
    /// A value.
    Value(Bytes): Read, ReadBlob, ReadMultiple;
    /// Values by handle.
    AttributeValues(Vec<AttributeValue>): ReadByUuid;
    /// Values in the order asked for.
    VariableValues(Vec<VariableValue>): ReadMultipleVariable;
    /// The server took the write.
    Written(()): Write, WriteLong, Unsubscribe;
    /// The server took the subscription.
    Subscribed(Subscribed): Subscribe;
}

#[cfg(test)]
mod tests;

#[cfg(test)]
mod script {
    //! Runs a procedure against a server that is a list of answers.

    use super::*;

    /// Starts at `att_mtu`, then exchanges each (request expected, response given).
    pub fn run<P: Procedure>(
        mut procedure: P,
        att_mtu: u16,
        exchanges: &[(&[u8], &[u8])],
    ) -> Result<P::Output, GattError> {
        let mut request = procedure.start(att_mtu);
        for (n, (expected, given)) in exchanges.iter().enumerate() {
            assert_eq!(request, *expected, "request {n}");
            let given = Bytes::copy_from_slice(given);
            let result = match procedure.on_response(Response::new(&given).expect("a PDU that parses")) {
                Ok(Step::Send(next)) => {
                    request = next;
                    continue;
                }
                Ok(Step::Done(output)) => Ok(output),
                Err(error) => Err(error),
            };
            assert_eq!(n + 1, exchanges.len(), "done early");
            return result;
        }
        panic!("not done; it sends {request:02x?}");
    }

    /// The error response to a request.
    pub fn error(request: u8, handle: u16, code: u8) -> Vec<u8> {
        let [low, high] = handle.to_le_bytes();
        vec![0x01, request, low, high, code]
    }
}
