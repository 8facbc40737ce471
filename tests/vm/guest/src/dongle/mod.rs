//! A USB Bluetooth dongle in software, plugged into the kernel's own USB/IP host controller (`vhci_hcd`).
//!
//! The kernel is given one end of a pair of sockets and speaks USB/IP over it; the other end is served by a thread of
//! its own here, because the kernel waits for the device in the middle of system calls. What the dongle has for a
//! controller is any [`Transport`]: a test itself, or a line that leads out of the guest.

mod function;
mod usbip;

use baretooth_transports::{HciPacket, SendQueue, Transport, TransportError, TransportRx, TransportTx};
use function::Function;
use std::{
    collections::VecDeque,
    fs, io,
    os::{fd::AsRawFd, unix::net::UnixStream},
    path::{Path, PathBuf},
    sync::mpsc,
    thread::{self, JoinHandle},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    time::{sleep, timeout},
};
use usbip::Request;

/// What the dongle says of itself, and how it behaves.
#[derive(Clone, Debug)]
pub struct Options {
    /// Vendor id.
    pub vendor: u16,
    /// Product id.
    pub product: u16,
    /// Serial number, if it has one.
    pub serial: Option<String>,
    /// Class, subclass and protocol of its HCI interfaces.
    pub class: [u8; 3],
    /// Behind an interface that is not Bluetooth, with the class EF as a device.
    pub composite: bool,
    /// Refuses commands that are not addressed to the interface.
    pub commands_to_interface_only: bool,
    /// With an interface for voice.
    pub voice: bool,
    /// Ends a transfer that fills its last packet with an empty one.
    pub zero_length_packets: bool,
}

impl Default for Options {
    /// An ordinary dongle, 1209:0001.
    fn default() -> Self {
        Self {
            vendor: 0x1209,
            product: 1,
            serial: None,
            class: [0xE0, 1, 1],
            composite: false,
            commands_to_interface_only: false,
            voice: true,
            zero_length_packets: true,
        }
    }
}

impl Options {
    /// The number of the HCI interface.
    fn first_interface(&self) -> u8 {
        u8::from(self.composite)
    }
}

/// Where something can go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// The control endpoint, as far as it carries commands.
    Commands,
    /// The interrupt endpoint.
    Events,
    /// Data to the host.
    DataIn,
    /// Data from the host.
    DataOut,
}

/// A dongle that is plugged in. Dropping it pulls it out.
#[derive(Debug)]
pub struct Dongle {
    orders: UnboundedSender<Order>,
    thread: Option<JoinHandle<Result<(), TransportError>>>,
    port: Port,
}

enum Order {
    Stall(Endpoint, mpsc::Sender<()>),
    Hold(Endpoint, mpsc::Sender<()>),
    Unplug,
}

impl Dongle {
    /// Plugs a dongle in and waits until the kernel has configured it.
    ///
    /// # Errors
    /// When the kernel has no `vhci_hcd`, or takes no device in five seconds.
    pub async fn plug(options: Options, controller: impl Transport) -> io::Result<Self> {
        let (ours, kernels) = UnixStream::pair()?;
        let (orders, received) = unbounded_channel();
        let function = Function::new(options);
        let thread = thread::Builder::new().name("dongle".into()).spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.map_err(io_error)?.block_on(serve(function, ours, controller, received))
        })?;
        let port = Port::attach(&kernels)?;
        let dongle = Self { orders, thread: Some(thread), port };
        for _ in 0..500 {
            if dongle.node().is_some_and(|node| node.exists()) && dongle.is_configured() {
                return Ok(dongle);
            }
            sleep(Duration::from_millis(10)).await;
        }
        Err(io::Error::new(io::ErrorKind::TimedOut, "the kernel did not configure the dongle"))
    }

    /// Refuses the next transfer.
    pub fn stall_next(&self, endpoint: Endpoint) {
        self.order(|done| Order::Stall(endpoint, done));
    }

    /// Leaves all further transfers unanswered.
    pub fn hold(&self, endpoint: Endpoint) {
        self.order(|done| Order::Hold(endpoint, done));
    }

    /// Waits until the dongle's thread has obeyed, so that what the host does next meets it.
    fn order(&self, order: impl FnOnce(mpsc::Sender<()>) -> Order) {
        let (done, obeyed) = mpsc::channel();
        let _ = self.orders.send(order(done));
        // An error says that the thread has ended.
        let _ = obeyed.recv();
    }

    /// Leaves it plugged in until the controller ends.
    pub fn leave(mut self) {
        self.thread = None;
    }

    /// Waits until the controller ends, which pulls the dongle out.
    ///
    /// # Errors
    /// Why the controller ended, if not in the usual way.
    pub async fn ended(mut self) -> Result<(), TransportError> {
        while self.thread.as_ref().is_some_and(|thread| !thread.is_finished()) {
            sleep(Duration::from_millis(20)).await;
        }
        self.thread.take().map_or(Ok(()), |thread| thread.join().unwrap_or(Ok(())))
    }

    /// The name of its place, as in `usb:1-2`.
    pub fn place(&self) -> String {
        format!("{}-{}", self.port.bus, self.port.number)
    }

    /// Its folder in sysfs.
    pub fn folder(&self) -> PathBuf {
        Path::new("/sys/bus/usb/devices").join(self.place())
    }

    /// The driver of one of its interfaces.
    pub fn driver(&self, interface: u8) -> Option<String> {
        let link = format!("/sys/bus/usb/devices/{}:1.{interface}/driver", self.place());
        Some(fs::read_link(link).ok()?.file_name()?.to_string_lossy().into_owned())
    }

    /// Its file under `/dev/bus/usb`.
    pub fn node(&self) -> Option<PathBuf> {
        let number: u32 = fs::read_to_string(self.folder().join("devnum")).ok()?.trim().parse().ok()?;
        Some(format!("/dev/bus/usb/{:03}/{number:03}", self.port.bus).into())
    }

    fn is_configured(&self) -> bool {
        fs::read_to_string(self.folder().join("bConfigurationValue")).is_ok_and(|value| value.trim() == "1")
    }
}

impl Drop for Dongle {
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take() {
            let _ = self.orders.send(Order::Unplug);
            let _ = thread.join();
        }
    }
}

/// Where a dongle is plugged in.
#[derive(Debug)]
struct Port {
    bus: u8,
    /// From 1.
    number: u8,
}

const VHCI: &str = "/sys/devices/platform/vhci_hcd.0";

impl Port {
    /// Gives the kernel its end of the sockets, at a port that is free.
    fn attach(socket: &UnixStream) -> io::Result<Self> {
        let status = fs::read_to_string(Path::new(VHCI).join("status")).map_err(|error| {
            io::Error::new(
                error.kind(),
                format!("no USB/IP host controller ({VHCI}: {error}); modprobe vhci-hcd"),
            )
        })?;
        // "hs  0000 004 000 00000000 000000 0-0": speed, port, state (4: nothing there)
        let free = status.lines().filter_map(|line| {
            let mut words = line.split_whitespace();
            (words.next()? == "hs").then_some(())?;
            let port: u8 = words.next()?.parse().ok()?;
            (words.next()?.parse() == Ok(4)).then_some(port)
        });
        let mut error = io::Error::new(io::ErrorKind::StorageFull, "every port of vhci_hcd is taken");
        for port in free {
            let full_speed = 2;
            let order = format!("{port} {} {} {full_speed}", socket.as_raw_fd(), 65_538 + u32::from(port));
            match fs::write(Path::new(VHCI).join("attach"), order) {
                Ok(()) => return Ok(Self { bus: bus()?, number: port + 1 }),
                Err(failure) => error = failure,
            }
        }
        Err(error)
    }
}

/// The bus of the host controller's high-speed half, which has the full-speed devices too.
fn bus() -> io::Result<u8> {
    for entry in fs::read_dir(VHCI)? {
        let entry = entry?;
        let speed = fs::read_to_string(entry.path().join("speed")).unwrap_or_default();
        if let Some(bus) = entry.file_name().to_str().and_then(|name| name.strip_prefix("usb")?.parse().ok())
            && speed.trim() == "480"
        {
            return Ok(bus);
        }
    }
    Err(io::Error::new(io::ErrorKind::NotFound, "vhci_hcd has no bus"))
}

/// Plays the device until it is pulled out, or one side ends.
async fn serve(
    function: Function,
    socket: UnixStream,
    controller: impl Transport,
    orders: UnboundedReceiver<Order>,
) -> Result<(), TransportError> {
    socket.set_nonblocking(true).map_err(io_error)?;
    let mut socket = tokio::net::UnixStream::from_std(socket).map_err(io_error)?;
    let end = play(function, &mut socket, controller, orders).await;
    // The kernel loses what it has not read when the other end is closed with something unread.
    let hang_up = async {
        socket.shutdown().await?;
        tokio::io::copy(&mut socket, &mut tokio::io::sink()).await
    };
    let _ = timeout(Duration::from_secs(5), hang_up).await;
    end
}

async fn play(
    mut function: Function,
    socket: &mut tokio::net::UnixStream,
    controller: impl Transport,
    mut orders: UnboundedReceiver<Order>,
) -> Result<(), TransportError> {
    let (mut rx, mut tx) = controller.split();
    let (mut octets, mut queue) = (VecDeque::new(), SendQueue::default());
    let mut buffer = vec![0; 64 * 1024];
    let mut end = Ok(());
    let mut ended = false;
    loop {
        socket.write_all(&std::mem::take(&mut function.out)).await.map_err(io_error)?;
        if ended && function.is_drained() {
            return end;
        }
        queue.fill(|| function.to_controller.pop_front());
        function.controller_took();
        if !function.out.is_empty() {
            continue;
        }
        tokio::select! {
            Some(order) = orders.recv() => match order {
                Order::Stall(endpoint, done) => {
                    function.stall_next(endpoint);
                    let _ = done.send(());
                }
                Order::Hold(endpoint, done) => {
                    function.hold(endpoint);
                    let _ = done.send(());
                }
                Order::Unplug => return end,
            },
            read = socket.read(&mut buffer) => {
                let count = read.map_err(io_error)?;
                if count == 0 {
                    return end; // the kernel has let go of it
                }
                octets.extend(&buffer[..count]);
                while let Some(request) = usbip::take_request(&mut octets).map_err(|e| io_error(io::Error::other(e)))? {
                    match request {
                        Request::Submit(urb) => function.submit(urb),
                        Request::Unlink { number, victim } => function.unlink(number, victim),
                    }
                }
            }
            sent = tx.send(&mut queue), if !queue.is_empty() && !ended => {
                if let Err(error) = sent {
                    (ended, end) = (true, result(error));
                }
            }
            received = rx.recv(), if function.has_room() && !ended => match received {
                Ok(packet) => {
                    function.controller_sent(&packet);
                    take_ready(&mut rx, &mut function);
                }
                Err(error) => (ended, end) = (true, result(error)),
            },
            // What the controller sent last is not kept for ever for a host that does not read.
            () = sleep(LAST_WORDS), if ended => return end,
        }
    }
}

const LAST_WORDS: Duration = Duration::from_millis(500);

fn take_ready(rx: &mut impl TransportRx, function: &mut Function) {
    while function.has_room()
        && let Some(packet) = rx.recv_ready()
    {
        function.controller_sent(&packet);
    }
}

/// The controller's usual ends are no failure.
fn result(error: TransportError) -> Result<(), TransportError> {
    match error {
        TransportError::Closed | TransportError::Disconnected { .. } => Ok(()),
        error => Err(error),
    }
}

fn io_error(error: io::Error) -> TransportError {
    TransportError::Custom(std::sync::Arc::new(error))
}

/// Waits for an answer of the dongle's kernel side: `true` as soon as `condition` is, `false` after five seconds.
pub async fn eventually(mut condition: impl FnMut() -> bool) -> bool {
    let wait = async {
        while !condition() {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(Duration::from_secs(5), wait).await.is_ok()
}

/// Answers every command with success and no parameters: enough for a host that only wants to be heard.
pub async fn answer_everything(controller: impl Transport) {
    let (mut rx, mut tx) = controller.split();
    while let Ok(packet) = rx.recv().await {
        if let [1, low, high, ..] = *packet.as_slice()
            && let Ok(complete) = HciPacket::event(0x0E, &[1, low, high, 0])
            && tx.send(&mut SendQueue::from(complete)).await.is_err()
        {
            return;
        }
    }
}
