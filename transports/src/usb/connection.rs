//! The transfers of one open adapter, and the thread on which libusb reports their ends.
//!
//! It owns what was received and not yet taken, every transfer that is at rest, and the adapter itself. Whoever drops
//! the [`Connection`] waits until each transfer has come back, its memory is freed, and the adapter is given back.

use super::{
    adapter::Adapter,
    assemble::Assembler,
    error,
    find::{Endpoint, Hci},
    sys::{Canceller, Outcome, Pipe, Target, Transfer},
};
use crate::{HciPacket, OpenOptions, PacketIndicator, SendQueue, TransportError, UsbSpec};
use rusb::{Context, DeviceHandle, Error, UsbContext};
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Poll, Waker},
    thread::{self, JoinHandle},
    time::Duration,
};
use tokio::sync::oneshot;

/// An open adapter.
pub(super) struct Connection {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

/// The name of the thread that carries an adapter, and of its guardian, which is a copy of that thread.
pub(super) const THREAD: &str = "baretooth-usb";

/// Transfers of one USB packet that wait for events, and for data. More of them let the adapter go on while this
/// process is busy.
const EVENT_TRANSFERS: usize = 8;
const DATA_IN_TRANSFERS: usize = 16;
/// Packets of data on their way to the adapter.
const DATA_OUT_TRANSFERS: usize = 4;
/// Octets that were received and not taken, from which on nothing more is asked of the adapter.
const LARGEST_BACKLOG: usize = 64 * 1024;

/// What an earlier owner left in the adapter comes without delay; this long nothing must have come.
const QUIET: Duration = Duration::from_millis(20);
/// When libusb fails this often while transfers are to come back, they are left to it, and their memory with them.
const LONGEST_FAILURE: u32 = 100;
/// An adapter that is never quiet is taken as it is.
const LONGEST_DRAIN: usize = 64;

impl Connection {
    /// Takes the adapter, on a thread that then carries its events.
    ///
    /// # Cancel safety
    /// When the future is dropped the thread gives the adapter back by itself.
    pub(super) async fn open(spec: &UsbSpec, options: OpenOptions) -> Result<Self, TransportError> {
        let (reply, answer) = oneshot::channel();
        let (spec, name) = (spec.clone(), format!("usb:{spec}"));
        let thread = thread::Builder::new().name(THREAD.into()).spawn(move || run(&spec, options, reply));
        let thread =
            thread.map_err(|error| TransportError::opening("starting a thread for", &name, error))?;
        let mut connection: Self = answer.await.map_err(|_| TransportError::Closed)??;
        connection.thread = Some(thread);
        Ok(connection)
    }

    /// Moves what was received to `ready`; when there is nothing, `waker` is woken when there is.
    pub(super) fn take(
        &self,
        ready: &mut VecDeque<HciPacket>,
        waker: Option<&Waker>,
    ) -> Poll<Result<(), TransportError>> {
        let mut state = self.shared.state();
        if state.received.is_empty() {
            if let (true, Some(failure)) = (state.ended, &state.failure) {
                return Poll::Ready(Err(failure.clone()));
            }
            if let Some(waker) = waker {
                state.receiver = Some(waker.clone());
            }
            return Poll::Pending;
        }
        ready.append(&mut state.received);
        state.backlog = 0;
        self.shared.receive(&mut state);
        Poll::Ready(Ok(()))
    }

    /// Sends what there is room for; when not all, `waker` is woken when there is more.
    pub(super) fn send(&self, queue: &mut SendQueue, waker: &Waker) -> Poll<Result<(), TransportError>> {
        let mut state = self.shared.state();
        while let Some(packet) = queue.front() {
            if let Some(failure) = &state.failure {
                return Poll::Ready(Err(failure.clone()));
            }
            let idle = match packet.indicator() {
                PacketIndicator::Command => &mut state.commands,
                PacketIndicator::AclData | PacketIndicator::IsoData => &mut state.data_out,
                PacketIndicator::SynchronousData | PacketIndicator::Event => {
                    let what = self.shared.name.to_string();
                    let reason = "over USB only commands, ACL data and ISO data are sent";
                    return Poll::Ready(Err(TransportError::Unsupported { what, reason }));
                }
            };
            let Some(transfer) = idle.pop() else {
                state.sender = Some(waker.clone());
                return Poll::Pending;
            };
            match self.shared.send(&mut state, transfer, packet.clone()) {
                Ok(()) => drop(queue.pop()),
                Err(failure) => self.shared.fail(&mut state, failure),
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.shared.state().closing = true;
        self.shared.context.interrupt_handle_events();
        // A waker that is woken on the thread may drop the last task that holds this.
        if let Some(thread) = self.thread.take()
            && thread.thread().id() != thread::current().id()
        {
            // A panic there has been printed; there is nothing left to wait for.
            let _ = thread.join();
        }
    }
}

/// The whole life of an adapter.
fn run(spec: &UsbSpec, options: OpenOptions, reply: oneshot::Sender<Result<Connection, TransportError>>) {
    let adapter = match Adapter::take(spec, options) {
        Ok(adapter) => adapter,
        Err(error) => return drop(reply.send(Err(error))),
    };
    let shared = Arc::new(Shared::new(&adapter));
    let started = shared.start(&adapter.handle).and_then(|()| shared.drain());
    if started.is_ok() {
        // When nobody waits for it any more, dropping the connection ends the loop before it begins.
        let _ = reply.send(Ok(Connection { shared: shared.clone(), thread: None }));
        while shared.state().goes_on() {
            shared.handle_events(None);
        }
        return shared.finish(adapter);
    }
    shared.finish(adapter);
    if let Err(error) = started {
        let _ = reply.send(Err(error));
    }
}

/// What the callbacks, the receiver and the sender share.
struct Shared {
    name: Arc<str>,
    context: Context,
    hci: Hci,
    state: Mutex<State>,
}

#[allow(clippy::vec_box)] // The box is what libusb takes and gives back.
struct State {
    /// Why nothing goes on; the first reason. The thread then ends all transfers.
    failure: Option<TransportError>,
    /// The owner wants nothing any more.
    closing: bool,
    /// Every transfer has come back for the last time, so nothing more will be received.
    ended: bool,
    in_flight: usize,
    all: Vec<Canceller>,
    /// Endpoints whose halt is to be lifted when no transfer is left.
    halted: Vec<u8>,

    events: Incoming,
    data_in: Incoming,
    received: VecDeque<HciPacket>,
    /// Octets in `received`.
    backlog: usize,
    receiver: Option<Waker>,

    commands: Vec<Box<Transfer>>,
    data_out: Vec<Box<Transfer>>,
    /// How commands are addressed: request type and interface.
    command_address: (u8, u8),
    sender: Option<Waker>,
}

/// One endpoint from which packets come.
#[allow(clippy::vec_box)] // as above
struct Incoming {
    assembler: Assembler,
    idle: Vec<Box<Transfer>>,
    /// Those that are over, but not the next in order.
    early: Vec<Box<Transfer>>,
    submitted: u64,
    taken: u64,
}

/// Request types of a command ([Vol 4] Part B, 2.2.1): to the device, and to one interface of it.
const TO_DEVICE: u8 = 0x20;
const TO_INTERFACE: u8 = 0x21;

impl Shared {
    fn new(adapter: &Adapter) -> Self {
        let state = State {
            failure: None,
            closing: false,
            ended: false,
            in_flight: 0,
            all: vec![],
            halted: vec![],
            events: Incoming::new(PacketIndicator::Event),
            data_in: Incoming::new(PacketIndicator::AclData),
            received: VecDeque::new(),
            backlog: 0,
            receiver: None,
            commands: vec![],
            data_out: vec![],
            command_address: (TO_DEVICE, 0),
            sender: None,
        };
        let (name, context, hci) = (adapter.name.clone(), adapter.context.clone(), adapter.hci.clone());
        Self { name, context, hci, state: Mutex::new(state) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes all transfers and begins to receive.
    fn start(self: &Arc<Self>, device: &Arc<DeviceHandle<Context>>) -> Result<(), TransportError> {
        let failed = |error| error::opening("starting transfers of", &self.name, error);
        let mut state = self.state();
        let incoming = |pipe, endpoint: &Endpoint, count| {
            (0..count).map(|_| Transfer::incoming(device, pipe, endpoint)).collect::<Result<Vec<_>, _>>()
        };
        let outgoing =
            |pipe, count| (0..count).map(|_| Transfer::outgoing(device, pipe)).collect::<Result<Vec<_>, _>>();
        state.events.idle = incoming(Pipe::Events, &self.hci.events, EVENT_TRANSFERS).map_err(failed)?;
        state.data_in.idle = incoming(Pipe::DataIn, &self.hci.data_in, DATA_IN_TRANSFERS).map_err(failed)?;
        // Commands go one by one: their order is that of the control endpoint.
        state.commands = outgoing(Pipe::Commands, 1).map_err(failed)?;
        state.data_out = outgoing(Pipe::DataOut, DATA_OUT_TRANSFERS).map_err(failed)?;
        state.all = [&state.events.idle, &state.data_in.idle, &state.commands, &state.data_out]
            .into_iter()
            .flatten()
            .map(|transfer| transfer.canceller())
            .collect();
        self.receive(&mut state);
        state.failure.clone().map_or(Ok(()), Err)
    }

    /// Drops what an earlier owner has left in the adapter.
    fn drain(&self) -> Result<(), TransportError> {
        let mut taken = 0;
        for _ in 0..LONGEST_DRAIN {
            self.handle_events(Some(QUIET));
            let mut state = self.state();
            if let Some(failure) = &state.failure {
                return Err(failure.clone());
            }
            (state.received, state.backlog) = (VecDeque::new(), 0);
            // Transfers, not packets: a part of one says that the rest is coming.
            let before = std::mem::replace(&mut taken, state.events.taken + state.data_in.taken);
            if taken == before {
                // The rest of a packet whose beginning went to the earlier owner.
                state.events.assembler.clear();
                state.data_in.assembler.clear();
                break;
            }
        }
        Ok(())
    }

    /// Lets libusb report what is over; `false` when it cannot.
    fn handle_events(&self, timeout: Option<Duration>) -> bool {
        match self.context.handle_events(timeout) {
            Ok(()) | Err(Error::Interrupted) => true,
            Err(error) => {
                let failure = error::using("waiting for", &self.name, error);
                self.fail(&mut self.state(), failure);
                thread::park_timeout(QUIET); // so that an error that stays does not take a whole processor
                false
            }
        }
    }

    /// The first failure ends everything. The receiver learns of it when all has come back, so that nothing that was
    /// received is lost to it.
    fn fail(&self, state: &mut State, failure: TransportError) {
        state.failure.get_or_insert(failure);
        self.context.interrupt_handle_events();
    }

    /// Asks for more of everything, unless there is enough.
    fn receive(self: &Arc<Self>, state: &mut State) {
        for pipe in [Pipe::Events, Pipe::DataIn] {
            while state.goes_on()
                && state.backlog < LARGEST_BACKLOG
                && let Some(mut transfer) = state.incoming(pipe).idle.pop()
            {
                let incoming = state.incoming(pipe);
                transfer.number = incoming.submitted;
                incoming.submitted += 1;
                if let Err((transfer, failure)) = self.submit(state, transfer, "receiving from") {
                    state.incoming(pipe).idle.push(transfer);
                    self.fail(state, failure);
                }
            }
        }
    }

    fn send(
        self: &Arc<Self>,
        state: &mut State,
        mut transfer: Box<Transfer>,
        packet: HciPacket,
    ) -> Result<(), TransportError> {
        let octets = packet.into_bytes().slice(1..);
        let (loaded, operation) = if transfer.pipe == Pipe::Commands {
            let (request_type, interface) = state.command_address;
            (transfer.load_command(request_type, interface, &octets), SENDING_COMMANDS)
        } else {
            (transfer.load_data(self.hci.data_out.address, octets), SENDING_DATA)
        };
        let result = match loaded {
            Ok(()) => self.submit(state, transfer, operation),
            Err(error) => Err((transfer, error::using(operation, &self.name, error))),
        };
        result.map_err(|(transfer, failure)| {
            state.rest(transfer);
            failure
        })
    }

    fn submit(
        self: &Arc<Self>,
        state: &mut State,
        transfer: Box<Transfer>,
        operation: &'static str,
    ) -> Result<(), (Box<Transfer>, TransportError)> {
        if !state.goes_on() {
            return Err((transfer, state.failure.clone().unwrap_or(TransportError::Closed)));
        }
        // The callback waits for the lock that the caller holds.
        transfer
            .submit(self.clone())
            .map_err(|(transfer, error)| (transfer, error::using(operation, &self.name, error)))?;
        state.in_flight += 1;
        Ok(())
    }

    /// Waits until every transfer is back, frees them all, and gives the adapter back.
    fn finish(&self, adapter: Adapter) {
        let mut state = self.state();
        state.failure.get_or_insert(TransportError::Closed);
        let all = std::mem::take(&mut state.all);
        drop(state);
        all.iter().for_each(Canceller::cancel);
        drop(all);
        let mut patience = LONGEST_FAILURE;
        while self.state().in_flight > 0 && patience > 0 {
            patience -= u32::from(!self.handle_events(None));
        }
        let mut state = self.state();
        state.events.discard();
        state.data_in.discard();
        state.commands.clear();
        state.data_out.clear();
        // So that whoever opens it next finds it well.
        for endpoint in state.halted.drain(..) {
            let _ = adapter.handle.clear_halt(endpoint);
        }
        state.ended = true;
        let wakers = state.wakers();
        drop(state);
        wakers.into_iter().flatten().for_each(Waker::wake);
        // Whoever drops the connection waits for this as well.
        drop(adapter);
    }

    /// Takes what `transfer` has brought, in the order in which transfers were submitted.
    fn received(&self, state: &mut State, transfer: Box<Transfer>) {
        let State { events, data_in, received, backlog, .. } = state;
        let incoming = if transfer.pipe == Pipe::Events { events } else { data_in };
        incoming.early.push(transfer);
        while let Some(next) = incoming.early.iter().position(|transfer| transfer.number == incoming.taken) {
            let transfer = incoming.early.swap_remove(next);
            incoming.assembler.push(transfer.octets(), |packet| {
                *backlog += packet.len();
                received.push_back(packet);
            });
            incoming.taken += 1;
            incoming.idle.push(transfer);
        }
    }
}

const SENDING_COMMANDS: &str = "sending a command to";
const SENDING_DATA: &str = "sending data to";

impl Target for Shared {
    fn completed(self: Arc<Self>, mut transfer: Box<Transfer>, outcome: Outcome) {
        let mut state = self.state();
        state.in_flight -= 1;
        let (operation, endpoint) = match transfer.pipe {
            Pipe::Commands => (SENDING_COMMANDS, None),
            Pipe::DataOut => (SENDING_DATA, Some(self.hci.data_out.address)),
            Pipe::Events => ("receiving events from", Some(self.hci.events.address)),
            Pipe::DataIn => ("receiving data from", Some(self.hci.data_in.address)),
        };
        if outcome == Outcome::Stalled
            && transfer.pipe == Pipe::Commands
            && self.hci.composite
            && state.command_address.0 == TO_DEVICE
        {
            // Nearly every composite adapter takes commands as one that is alone; the specification has another way.
            state.command_address = (TO_INTERFACE, self.hci.interface);
            transfer.readdress(TO_INTERFACE, self.hci.interface);
            match self.submit(&mut state, transfer, operation) {
                Ok(()) => return,
                Err((transfer, failure)) => {
                    state.rest(transfer);
                    self.fail(&mut state, failure);
                }
            }
        } else {
            if outcome == Outcome::Stalled {
                state.halted.extend(endpoint);
            }
            if let Some(failure) = error::transfer(operation, &self.name, outcome) {
                self.fail(&mut state, failure);
            }
            match transfer.pipe {
                Pipe::Events | Pipe::DataIn => self.received(&mut state, transfer),
                Pipe::Commands | Pipe::DataOut => state.rest(transfer),
            }
            self.receive(&mut state);
        }
        let wakers = state.wakers();
        drop(state);
        wakers.into_iter().flatten().for_each(Waker::wake);
    }
}

impl State {
    fn goes_on(&self) -> bool {
        !self.closing && self.failure.is_none()
    }

    fn incoming(&mut self, pipe: Pipe) -> &mut Incoming {
        if pipe == Pipe::Events { &mut self.events } else { &mut self.data_in }
    }

    /// Keeps a transfer that has sent for the next packet.
    fn rest(&mut self, mut transfer: Box<Transfer>) {
        transfer.unload();
        if transfer.pipe == Pipe::Commands { &mut self.commands } else { &mut self.data_out }.push(transfer);
    }

    /// Those who can go on now.
    fn wakers(&mut self) -> [Option<Waker>; 2] {
        let failed = self.failure.is_some();
        let receiver = self.receiver.take_if(|_| self.ended || !self.received.is_empty());
        let sender =
            self.sender.take_if(|_| failed || !self.commands.is_empty() || !self.data_out.is_empty());
        [receiver, sender]
    }
}

impl Incoming {
    fn new(indicator: PacketIndicator) -> Self {
        Self { assembler: Assembler::new(indicator), idle: vec![], early: vec![], submitted: 0, taken: 0 }
    }

    /// Frees all transfers.
    fn discard(&mut self) {
        self.idle.clear();
        self.early.clear();
    }
}
