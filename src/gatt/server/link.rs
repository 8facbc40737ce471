//! The server on one bearer as a fold: a PDU of the client in, what follows from it out.
//!
//! A request whose value is with the user stays here as it came, with the answers that there are. Each answer
//! evaluates it anew, so that no request needs a state of its own, however many values it names.

use super::client::Client;
use super::read::View;
use super::table::Table;
use super::write::Prepared;
use crate::att::pdu::{ErrorRsp, ExchangeMtuRsp, PduKind};
use crate::att::{AttError, AttOpcode, AttPdu, DEFAULT_MTU, MAX_VALUE_LENGTH};
use bytes::Bytes;
use std::collections::{BTreeMap, VecDeque};

/// One bearer's side of a [`Table`]: what its client has asked for and not confirmed yet. What belongs to the client,
/// whichever bearer it uses, is in [`Client`].
///
/// The bearer allows one request at a time ([Vol 3] Part F, 3.3.2); another one before the answer is ignored, since an
/// early answer could be taken for that of the first. There is no time here: who wants a user to be quick answers for
/// him, as by [`AttError::UnlikelyError`].
///
/// ```
/// use baretooth::gatt::server::{Client, Output, Security, Server, Table};
///
/// let mut table = Table::builder("thermometer").build()?;
/// let (mut server, mut client) = (Server::new(517), Client::new(Security::default()));
/// let outputs = server.on_pdu(&mut table, &mut client, &[0x0A, 0x03, 0x00]);
/// assert_eq!(outputs, [Output::Send((&b"\x0Bthermometer"[..]).into())]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Server {
    pub(super) mtu: u16,
    /// The longest PDU we take; `None` where no exchange changes it.
    receive_mtu: Option<u16>,
    pending: Option<Pending>,
    /// The queue that it executes, which other bearers add to no more.
    pub(super) executing: Option<Vec<Prepared>>,
    /// The client was answered Database Out Of Sync here since the table has changed.
    pub(super) told: bool,
    /// What the user last gave to be read, for the rest of a long read.
    held: Option<(u16, Bytes)>,
    /// The value whose indication is not confirmed yet.
    pub(super) unconfirmed: Option<u16>,
    /// Values to be indicated behind it.
    pub(super) indications: VecDeque<(u16, Bytes)>,
}

/// A request that waits for the user.
#[derive(Clone, Debug)]
struct Pending {
    ask: Ask,
    request: Bytes,
    answers: Answers,
}

/// What the user has answered to a request so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Answers {
    pub(super) values: BTreeMap<u16, Result<Bytes, AttError>>,
    pub(super) write: Option<Result<(), AttError>>,
}

/// What follows from a PDU or an answer, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Output {
    /// This PDU to be sent.
    Send(Bytes),
    /// The user to be asked; [`Server::on_answer`] takes the answer.
    Ask(Ask),
    /// ATT_MTU of the bearer is this from now on, for the client on it as well.
    Mtu(u16),
    /// A value was written: one that the table keeps, or by a command to one that the user has.
    Written(Offer),
    /// The client has configured a characteristic.
    Configured {
        /// The characteristic's value.
        value_handle: u16,
        /// Bit 0: notifications, bit 1: indications.
        configuration: u16,
    },
    /// The client has the indicated value.
    Confirmed {
        /// The characteristic's value.
        value_handle: u16,
    },
    /// Nothing is done, and why.
    Ignored(&'static str),
}

/// A question to the user, who has to answer each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// Which answer is for which question; unique on a link.
    pub id: u64,
    /// What is asked.
    pub want: Want,
}

/// What the user is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Want {
    /// The whole value at this handle, at most 512 octets.
    Read {
        /// The attribute.
        handle: u16,
    },
    /// Whether these are taken: all of them or none. The value of an `Ok` is not used.
    Write(Vec<Offer>),
}

/// A value from the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// The attribute.
    pub handle: u16,
    /// Where in the value it begins; above 0 for a part of a long value alone.
    pub offset: u16,
    /// The octets.
    pub value: Bytes,
}

/// Why there is no response yet, or an error.
#[derive(Debug)]
pub(super) enum Stop {
    Refuse(u16, AttError),
    Ask(Want),
}

/// A response, and what else has happened.
pub(super) type Done = (Bytes, Vec<Output>);

impl Server {
    /// The bearer of a new link; `receive_mtu` is the longest PDU we take, at least 23.
    pub fn new(receive_mtu: u16) -> Self {
        Self {
            mtu: DEFAULT_MTU,
            receive_mtu: Some(receive_mtu.max(DEFAULT_MTU)),
            executing: None,
            told: false,
            pending: None,
            held: None,
            unconfirmed: None,
            indications: VecDeque::new(),
        }
    }

    /// An enhanced bearer: ATT_MTU follows from its channel, and is not exchanged ([Vol 3] Part G, 4.3.1 and 5.3.1).
    pub fn enhanced(mtu: u16) -> Self {
        Self { mtu: mtu.max(DEFAULT_MTU), receive_mtu: None, ..Self::new(mtu) }
    }

    /// ATT_MTU: the longest PDU either side may send.
    pub fn mtu(&self) -> u16 {
        self.mtu
    }

    /// The outcome of an exchange by the client on the same bearer, or of a channel's reconfiguration.
    pub fn set_mtu(&mut self, mtu: u16) {
        self.mtu = mtu.max(DEFAULT_MTU);
    }

    /// The question that the request in progress waits for.
    pub fn asking(&self) -> Option<&Ask> {
        self.pending.as_ref().map(|pending| &pending.ask)
    }

    /// A PDU of the client: a request, a command or a confirmation. Responses, notifications and indications are for
    /// the client on our side, and ignored here.
    pub fn on_pdu(&mut self, table: &mut Table, client: &mut Client, pdu: &[u8]) -> Vec<Output> {
        let Some(&code) = pdu.first() else { return vec![Output::Ignored("an empty PDU")] };
        match AttOpcode(code).kind() {
            PduKind::Request if self.pending.is_some() => {
                vec![Output::Ignored("a request before the answer to the one before")]
            }
            PduKind::Request => {
                let parsed = AttPdu::from_octets(pdu).ok();
                if let Some(handle) = parsed.and_then(|request| self.out_of_sync(table, client, &request)) {
                    return vec![refusal(pdu, handle, AttError::DatabaseOutOfSync)];
                }
                let answers = self.held_for(pdu);
                self.request(table, client, Bytes::copy_from_slice(pdu), answers)
            }
            PduKind::Command if pdu.len() > usize::from(self.mtu) => {
                vec![Output::Ignored("longer than ATT_MTU")]
            }
            PduKind::Command if client.is_unaware() => {
                vec![Output::Ignored("a command of a client that does not know the table")]
            }
            PduKind::Command => match AttPdu::from_octets(pdu) {
                Ok(AttPdu::WriteCmd(command)) => client.write_command(table, command),
                Ok(AttPdu::SignedWriteCmd(_)) => client.signed_write(table, pdu),
                Ok(_) => vec![Output::Ignored("a command that is not known")],
                Err(_) => vec![Output::Ignored("malformed")],
            },
            PduKind::Confirmation if pdu.len() > 1 => vec![Output::Ignored("malformed")],
            PduKind::Confirmation => self.on_confirmation(table, client),
            PduKind::Response | PduKind::Notification | PduKind::Indication => {
                vec![Output::Ignored("for the client")]
            }
        }
    }

    /// The user's answer to a question; one to a question that is not asked any more is ignored.
    pub fn on_answer(
        &mut self,
        table: &mut Table,
        client: &mut Client,
        id: u64,
        answer: Result<Bytes, AttError>,
    ) -> Vec<Output> {
        let Some(pending) = self.pending.take_if(|pending| pending.ask.id == id) else {
            return vec![Output::Ignored("an answer to nothing")];
        };
        let Pending { ask, request, mut answers } = pending;
        match ask.want {
            Want::Read { handle } => {
                let value = answer.map(|mut value| {
                    value.truncate(MAX_VALUE_LENGTH);
                    value
                });
                // Only what was read by itself has a rest that can be asked for.
                if let (Ok(value), Ok(AttPdu::ReadReq(_) | AttPdu::ReadBlobReq(_))) =
                    (&value, AttPdu::from_octets(&request))
                {
                    self.held = Some((handle, value.clone()));
                }
                answers.values.insert(handle, value);
            }
            Want::Write(_) => answers.write = Some(answer.map(|_| ())),
        }
        self.request(table, client, request, answers)
    }

    /// A long read gets the parts of one value, whatever the user would say meanwhile.
    fn held_for(&mut self, pdu: &[u8]) -> Answers {
        let mut answers = Answers::default();
        if let Some((handle, value)) = self.held.take()
            && let Ok(AttPdu::ReadBlobReq(blob)) = AttPdu::from_octets(pdu)
            && blob.attribute_handle.0 == handle
            && blob.value_offset > 0
        {
            answers.values.insert(handle, Ok(value.clone()));
            self.held = Some((handle, value));
        }
        answers
    }

    fn request(
        &mut self,
        table: &mut Table,
        client: &mut Client,
        request: Bytes,
        answers: Answers,
    ) -> Vec<Output> {
        match self.respond(table, client, &request, &answers) {
            Ok((response, mut outputs)) => {
                outputs.insert(0, Output::Send(response));
                outputs
            }
            Err(Stop::Refuse(handle, code)) => vec![refusal(&request, handle, code)],
            Err(Stop::Ask(want)) => {
                let ask = Ask { id: client.next_ask, want };
                client.next_ask += 1;
                self.pending = Some(Pending { ask: ask.clone(), request, answers });
                vec![Output::Ask(ask)]
            }
        }
    }

    /// Nothing of the table before is left: not the question to the user, nor the value of a long read.
    pub(super) fn withdraw(&mut self) -> Vec<Output> {
        self.held = None;
        self.executing = None;
        let Some(Pending { ask, request, .. }) = self.pending.take() else { return Vec::new() };
        let handle = match ask.want {
            Want::Read { handle } => handle,
            Want::Write(offers) => offers.first().map_or(0, |offer| offer.handle),
        };
        vec![refusal(&request, handle, AttError::DatabaseOutOfSync)]
    }

    fn respond(
        &mut self,
        table: &mut Table,
        client: &mut Client,
        request: &[u8],
        answers: &Answers,
    ) -> Result<Done, Stop> {
        let known = request.first().is_some_and(|&code| AttOpcode(code).response().is_some());
        if !known {
            return Err(Stop::Refuse(0, AttError::RequestNotSupported));
        }
        let invalid = Stop::Refuse(0, AttError::InvalidPdu);
        match AttPdu::from_octets(request) {
            _ if request.len() > usize::from(self.mtu) => Err(invalid),
            Err(_) => Err(invalid),
            // The parser leaves half a handle out.
            Ok(AttPdu::ReadMultipleReq(_) | AttPdu::ReadMultipleVariableReq(_))
                if request.len().is_multiple_of(2) =>
            {
                Err(invalid)
            }
            Ok(AttPdu::ExchangeMtuReq(r)) => self.exchange_mtu(r.client_rx_mtu),
            Ok(AttPdu::WriteReq(r)) => client.write_request(table, r, answers),
            Ok(AttPdu::PrepareWriteReq(r)) => client.prepare_write(table, r),
            Ok(AttPdu::ExecuteWriteReq(r)) => self.execute_write(table, client, r, answers),
            Ok(other) => {
                let view = View {
                    table,
                    configurations: &client.configurations,
                    features: client.features,
                    mtu: self.mtu.into(),
                    security: client.security,
                    answers: &answers.values,
                };
                view.respond(&other).map(|response| (response, Vec::new()))
            }
        }
    }

    /// Both directions take the lesser of the two ([Vol 3] Part F, 3.4.2.2).
    fn exchange_mtu(&mut self, client_rx_mtu: u16) -> Result<Done, Stop> {
        let server_rx_mtu = self.receive_mtu.ok_or(Stop::Refuse(0, AttError::RequestNotSupported))?;
        self.set_mtu(client_rx_mtu.min(server_rx_mtu));
        let response = AttPdu::from(ExchangeMtuRsp { server_rx_mtu }).to_bytes();
        Ok((response, vec![Output::Mtu(self.mtu)]))
    }
}

fn refusal(request: &[u8], handle: u16, error_code: AttError) -> Output {
    let req_opcode = AttOpcode(request.first().copied().unwrap_or(0));
    let error = ErrorRsp { req_opcode, attribute_handle: handle.into(), error_code };
    Output::Send(AttPdu::from(error).to_bytes())
}
