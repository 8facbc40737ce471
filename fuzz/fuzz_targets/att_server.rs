//! A hostile client of a GATT server, on a table with every kind of attribute, and a user and a table that change
//! meanwhile: each request gets one response or one question to the user, nothing else is answered, nothing is longer
//! than ATT_MTU, and what is kept for the client is bounded.

#![no_main]

use arbitrary::Arbitrary;
use baretooth::Uuid;
use baretooth::att::pdu::PduKind;
use baretooth::att::{AttError, AttOpcode, AttPdu};
use baretooth::gatt::server::{
    Access, Characteristic, Client, Descriptor, Indicated, Output, PresentationFormat, Security, Server,
    Service, Table, TableBuilder, services,
};
use baretooth::uuid16;
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;

/// More than the table has, so that what is not there is asked for too.
const LAST_HANDLE: u16 = 0x60;

#[derive(Arbitrary, Debug)]
enum Step<'a> {
    /// Any octets from the client.
    Octets(&'a [u8]),
    /// A request or command with handles that are there.
    Pdu {
        opcode: u8,
        handles: Vec<u8>,
        rest: &'a [u8],
    },
    Prepare {
        handle: u8,
        offset: u16,
        part: &'a [u8],
    },
    Execute(bool),
    Confirm,
    /// What the user says to the question there is.
    Answer(Result<&'a [u8], u8>),
    Security {
        encrypted: bool,
        bonded: bool,
        authenticated: bool,
        authorized: bool,
        key_size: u8,
    },
    Notify {
        handles: Vec<u8>,
        value: &'a [u8],
    },
    Indicate {
        handle: u8,
        value: &'a [u8],
    },
    SetValue {
        handle: u8,
        value: &'a [u8],
    },
    /// Another table takes the place of the one there is.
    Table(bool),
    /// The link ends, and the client comes again as one that is remembered.
    Again,
}

fuzz_target!(|input: (u16, Vec<Step>)| {
    let (receive_mtu, steps) = input;
    let tables = [table(false), table(true)];
    let mut run = Run {
        server: Server::new(receive_mtu),
        table: tables[0].clone(),
        client: Client::default(),
        asked: None,
        unconfirmed: false,
        waiting: 0,
    };
    for step in steps {
        run.step(step, &tables);
    }
});

struct Run {
    server: Server,
    table: Table,
    client: Client,
    /// The opcode of the request that waits for the user.
    asked: Option<AttOpcode>,
    unconfirmed: bool,
    /// Indications that the server says to have queued; more than it has when some are withdrawn.
    waiting: usize,
}

impl Run {
    fn step(&mut self, step: Step, tables: &[Table; 2]) {
        let Self { server, table, client, .. } = self;
        match step {
            Step::Octets(octets) => self.pdu(octets),
            Step::Pdu { opcode, handles, rest } => {
                let handles: Vec<u8> = handles.iter().flat_map(|&low| handle(low).to_le_bytes()).collect();
                self.pdu(&[&[opcode][..], &handles, rest].concat());
            }
            Step::Prepare { handle: low, offset, part } => {
                let [a, b] = handle(low).to_le_bytes();
                let [c, d] = (offset % 600).to_le_bytes();
                self.pdu(&[&[0x16, a, b, c, d], part].concat());
            }
            Step::Execute(write) => self.pdu(&[0x18, write.into()]),
            Step::Confirm => self.pdu(&[0x1E]),
            Step::Answer(answer) => {
                let answer = answer.map(Bytes::copy_from_slice).map_err(AttError);
                let id = server.asking().map_or(0, |ask| ask.id);
                let outputs = server.on_answer(table, client, id, answer);
                match self.asked {
                    Some(request) => self.answered(request, &outputs),
                    None => assert!(matches!(outputs[..], [Output::Ignored(_)])),
                }
            }
            Step::Security { encrypted, bonded, authenticated, authorized, key_size } => {
                client.security = Security { encrypted, bonded, authenticated, authorized, key_size };
            }
            Step::Notify { handles, value } => {
                let values: Vec<_> = handles.iter().map(|&low| (handle(low), value)).collect();
                for pdu in server.notify_multiple(table, client, &values) {
                    assert!(matches!(
                        AttPdu::from_octets(&pdu),
                        Ok(AttPdu::HandleValueNtf(_) | AttPdu::MultipleHandleValueNtf(_))
                    ));
                    self.fits(&pdu);
                }
            }
            Step::Indicate { handle: low, value } => {
                match server.indicate(table, client, handle(low), Bytes::copy_from_slice(value)) {
                    Indicated::Send(pdu) => self.indicated(&pdu),
                    Indicated::Queued => {
                        assert!(self.unconfirmed);
                        self.waiting += 1;
                    }
                    Indicated::QueueFull => assert!(self.waiting >= 64),
                    Indicated::NotSubscribed => {}
                }
            }
            Step::SetValue { handle: low, value } => {
                let set = table.set_value(handle(low), value.to_vec());
                assert!(set.is_err() || table.value(handle(low)).is_some_and(|kept| kept == value));
            }
            Step::Table(which) => {
                let after = &tables[usize::from(which)];
                let range = after.changed_since(table);
                assert_eq!(range.is_none(), after.hash() == table.hash());
                *table = after.clone();
                let mut outputs = Vec::new();
                if let Some(range) = range {
                    client.on_table_changed(table, range.clone());
                    outputs = server.on_table_changed(table, range.clone());
                    outputs.extend(server.indicate_change(table, client, range));
                }
                for output in outputs {
                    let Output::Send(pdu) = output else { panic!("{output:?}") };
                    match AttOpcode(pdu[0]).kind() {
                        PduKind::Indication => self.indicated(&pdu),
                        _ => {
                            let request = self.asked.take().expect("a request that waited");
                            assert_eq!(pdu[..2], [0x01, request.0]);
                        }
                    }
                }
                assert!(self.asked.is_none() || self.server.asking().is_some());
            }
            Step::Again => {
                let remembered = client.remembered(table);
                (*server, *client) = (Server::new(517), Client::new(client.security));
                client.restore(table, remembered);
                (self.asked, self.unconfirmed, self.waiting) = (None, false, 0);
            }
        }
        assert_eq!(self.server.asking().is_some(), self.asked.is_some());
        assert_eq!(self.server.unconfirmed().is_some(), self.unconfirmed);
        assert!(self.server.mtu() >= 23);
        for handle in 1..=LAST_HANDLE {
            assert!(self.table.value(handle).is_none_or(|value| value.len() <= 512));
        }
        assert!(self.client.configurations().len() < usize::from(LAST_HANDLE));
    }

    fn pdu(&mut self, pdu: &[u8]) {
        let mtu = self.server.mtu();
        let outputs = self.server.on_pdu(&mut self.table, &mut self.client, pdu);
        let opcode = pdu.first().map(|&code| AttOpcode(code));
        match opcode.filter(|opcode| opcode.kind() == PduKind::Request) {
            Some(_) if self.asked.is_some() => assert!(matches!(outputs[..], [Output::Ignored(_)])),
            Some(request) => {
                // An exchange counts from its response on.
                assert!(sent(&outputs).iter().all(|pdu| pdu.len() <= usize::from(mtu)));
                self.answered(request, &outputs);
            }
            None => {
                if let Some(Output::Confirmed { .. }) = outputs.first() {
                    assert!(self.unconfirmed);
                    self.unconfirmed = false;
                }
                for pdu in sent(&outputs) {
                    self.waiting = self.waiting.saturating_sub(1);
                    self.indicated(&pdu);
                }
                assert!(!outputs.iter().any(|output| matches!(output, Output::Ask(_))));
            }
        }
    }

    /// One response of its own, or one question.
    fn answered(&mut self, request: AttOpcode, outputs: &[Output]) {
        self.asked = None;
        if let [Output::Ask(_)] = outputs {
            self.asked = Some(request);
            return;
        }
        let sent = sent(outputs);
        let [response] = &sent[..] else { panic!("{request:?}: {outputs:?}") };
        assert!(AttPdu::from_octets(response).is_ok(), "{response:02x?}");
        if request.response() != Some(AttOpcode(response[0])) {
            assert_eq!((response.len(), &response[..2]), (5, &[0x01, request.0][..]));
        }
    }

    fn indicated(&mut self, pdu: &Bytes) {
        assert!(!self.unconfirmed, "two at a time");
        assert!(matches!(AttPdu::from_octets(pdu), Ok(AttPdu::HandleValueInd(_))));
        self.unconfirmed = true;
        self.fits(pdu);
    }

    fn fits(&self, pdu: &Bytes) {
        assert!(pdu.len() <= usize::from(self.server.mtu()));
    }
}

fn sent(outputs: &[Output]) -> Vec<Bytes> {
    outputs
        .iter()
        .filter_map(|output| if let Output::Send(pdu) = output { Some(pdu.clone()) } else { None })
        .collect()
}

fn handle(low: u8) -> u16 {
    u16::from(low) % LAST_HANDLE
}

/// Every kind of value, permission, property and descriptor.
fn table(another: bool) -> Table {
    const LONG: Uuid = services::NORDIC_UART;
    let new = || Characteristic::new(LONG);
    let everything = |c: Characteristic| {
        c.read(Access::OPEN).write(Access::OPEN).write_without_response(Access::OPEN).notify().indicate()
    };
    let format = PresentationFormat { format: 4, exponent: 0, unit: 0x2700, name_space: 1, description: 0 };
    let mut builder: TableBuilder = Table::builder("a table to be attacked");
    let battery = builder.add(services::battery(90));
    if another {
        builder.add(services::nordic_uart());
    }
    builder.add(
        Service::primary(LONG)
            .include(battery)
            .characteristic(everything(new().value(vec![7; 100])).broadcast().reliable_write())
            .characteristic(everything(new().asked()))
            .characteristic(everything(new().asked().max_length(4)))
            .characteristic(new().read(Access::ENCRYPTED.key_size(16)).write(Access::AUTHENTICATED))
            .characteristic(new().write_without_response(Access::OPEN.authorized()))
            .characteristic(new().notify().indicate().subscription(Access::ENCRYPTED))
            .characteristic(
                new()
                    .writable_user_description("for people", Access::OPEN)
                    .presentation_format(format)
                    .presentation_format(format)
                    .descriptor(Descriptor::new(LONG).asked().read(Access::OPEN).write(Access::OPEN)),
            ),
    );
    builder.add(Service::secondary(uuid16(0x1810)).characteristic(new().value("").max_length(0)));
    builder.build().expect("a few attributes have handles")
}
