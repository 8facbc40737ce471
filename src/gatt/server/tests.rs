//! A table with something of everything, and one link to it.

mod bearers;
mod caching;
mod client;
mod hostile;
mod requests;
mod values;
mod writes;

use super::*;
use crate::att::AttError;
use crate::{Uuid, uuid16};
use bytes::Bytes;

const LONG: Uuid = Uuid::from_u128(0x6E40_0001_B5A3_F393_E0A9_E50E_24DC_CA9E);

const LEVEL: u16 = 0x03;
const LEVEL_CCCD: u16 = 0x04;
const STORED: u16 = 0x12;
const ASKED: u16 = 0x14;
const WRITE_ONLY: u16 = 0x16;
const PRIVATE: u16 = 0x18;
const SECRET_EVENTS: u16 = 0x1A;
const SECRET_CCCD: u16 = 0x1B;
const AUTHORIZED: u16 = 0x1D;
const SHORT_ASKED: u16 = 0x1F;
/// No attribute is there.
const NOTHING: u16 = 0x30;

fn table() -> Table {
    let new = || Characteristic::new(LONG);
    let level = Characteristic::new(uuid16(0x2A19)).value(&[90][..]).read(Access::OPEN).notify();
    let mut builder = TableBuilder::bare();
    builder.add(Service::primary(uuid16(0x180F)).characteristic(level.clone()));
    builder.add(
        Service::primary(LONG)
            .at(0x10)
            .characteristic(
                new()
                    .value((0..100).collect::<Vec<u8>>())
                    .max_length(200)
                    .read(Access::OPEN)
                    .write(Access::OPEN)
                    .write_without_response(Access::OPEN),
            )
            .characteristic(
                new().asked().read(Access::OPEN).write(Access::OPEN).write_without_response(Access::OPEN),
            )
            .characteristic(new().value("hidden").write(Access::OPEN))
            .characteristic(
                new()
                    .value("private")
                    .read(Access::ENCRYPTED.key_size(16))
                    .write(Access::AUTHENTICATED)
                    .write_without_response(Access::ENCRYPTED),
            )
            .characteristic(new().notify().indicate().subscription(Access::ENCRYPTED))
            .characteristic(new().value("authorized").read(Access::OPEN.authorized()))
            .characteristic(new().asked().max_length(4).read(Access::OPEN).write(Access::OPEN)),
    );
    builder.add(Service::secondary(uuid16(0x1810)).at(0x20));
    builder.add(Service::primary(uuid16(0x180F)).at(0x22).characteristic(level.value(&[80][..])));
    builder.build().expect("fits")
}

struct Link {
    table: Table,
    server: Server,
    client: Client,
}

impl Link {
    fn new() -> Self {
        Self { table: table(), server: Server::new(517), client: Client::default() }
    }

    fn with_mtu(mtu: u16) -> Self {
        let mut link = Self::new();
        link.server.set_mtu(mtu);
        link
    }

    fn encrypted() -> Self {
        let security = Security { encrypted: true, bonded: true, key_size: 16, ..Security::default() };
        Self { client: Client::new(security), ..Self::new() }
    }

    fn send(&mut self, pdu: impl AsRef<[u8]>) -> Vec<Output> {
        self.server.on_pdu(&mut self.table, &mut self.client, pdu.as_ref())
    }

    /// The one PDU that follows from this one.
    fn response(&mut self, pdu: impl AsRef<[u8]>) -> Vec<u8> {
        sent(&self.send(pdu))
    }

    /// What the user answers to the question there is.
    fn answer(&mut self, answer: Result<&[u8], AttError>) -> Vec<Output> {
        let id = self.server.asking().expect("a question").id;
        let answer = answer.map(Bytes::copy_from_slice);
        self.server.on_answer(&mut self.table, &mut self.client, id, answer)
    }

    fn value(&self, handle: u16) -> &[u8] {
        self.table.value(handle).expect("a stored value")
    }
}

/// The PDU that an output begins with, and no other.
fn sent(outputs: &[Output]) -> Vec<u8> {
    match outputs {
        [Output::Send(pdu), rest @ ..] if !rest.iter().any(|o| matches!(o, Output::Send(_))) => pdu.to_vec(),
        other => panic!("no single response: {other:?}"),
    }
}

fn pdu(opcode: u8, handle: u16, rest: &[u8]) -> Vec<u8> {
    [&[opcode][..], &handle.to_le_bytes(), rest].concat()
}

fn error(request: u8, handle: u16, code: AttError) -> Vec<u8> {
    let [low, high] = handle.to_le_bytes();
    vec![0x01, request, low, high, code.0]
}

fn offer(handle: u16, offset: u16, value: &[u8]) -> Offer {
    Offer { handle, offset, value: Bytes::copy_from_slice(value) }
}
