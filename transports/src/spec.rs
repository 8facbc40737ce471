//! The notation by which users name adapters. It only parses and prints: nothing is opened here, and no feature is
//! needed, so that a wrong name is told from an adapter that this build cannot open.

use nom::{
    Finish, IResult, Parser,
    branch::alt,
    bytes::complete::{tag, take_while_m_n, take_while1},
    character::complete::{char, u8, u16, u32, usize},
    combinator::{all_consuming, map, map_res, opt, rest, value, verify},
    multi::separated_list1,
    sequence::{delimited, preceded, separated_pair, terminated},
};
use std::{fmt, path::PathBuf, str::FromStr};

/// What a user calls an adapter.
///
/// Parsing what [`Display`](fmt::Display) prints gives the same value again, as long as paths are Unicode and host,
/// serial number and device have no character that the notation uses itself.
///
/// ```
/// use baretooth_transports::AdapterSpec;
/// let spec: AdapterSpec = "tcp:[::1]:9001".parse()?;
/// assert_eq!(spec, AdapterSpec::Tcp { host: "::1".into(), port: 9001 });
/// assert_eq!(spec.to_string(), "tcp:[::1]:9001");
/// # Ok::<(), baretooth_transports::SpecError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AdapterSpec {
    /// `usb:…`: a USB controller, taken from the system's own driver.
    Usb(UsbSpec),
    /// `hci0`: an adapter of the Linux kernel, by its index.
    HciSocket(u16),
    /// `uart:DEVICE,BAUD[,rtscts]`: H4 on a serial port.
    Uart(UartSpec),
    /// `h5:DEVICE,BAUD[,rtscts]`: the three-wire protocol on a serial port.
    H5(UartSpec),
    /// `tcp:HOST:PORT`: H4 over TCP, we connect.
    Tcp {
        /// Name or address, IPv6 without its brackets.
        host: String,
        /// TCP port.
        port: u16,
    },
    /// `tcp-server:HOST:PORT`: H4 over TCP, the other side connects.
    TcpServer {
        /// Name or address of this machine, IPv6 without its brackets.
        host: String,
        /// TCP port; 0 lets the system choose.
        port: u16,
    },
    /// `unix:PATH`: H4 over a unix socket, we connect.
    Unix(PathBuf),
    /// `unix-server:PATH`: H4 over a unix socket, the other side connects.
    UnixServer(PathBuf),
    /// `pty:LINK`: H4 over a new pseudo-terminal that a symbolic link at this path names.
    Pty(PathBuf),
    /// `sim`: the embedded virtual radio with its demo devices.
    Sim,
    /// `replay:FILE`: a capture in place of a controller.
    Replay(PathBuf),
    /// `monitor:`: what other programs and the kernel exchange with all adapters of this machine. It only listens, so
    /// it is no transport.
    Monitor,
}

/// Which USB device, and whether to insist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsbSpec {
    /// Which device.
    pub selector: UsbSelector,
    /// A trailing `!`: take the device even if its class is not that of a Bluetooth controller (E0/01/01).
    pub force: bool,
}

/// How a USB device is told from the others.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum UsbSelector {
    /// `usb:0`: the n-th Bluetooth controller found, from 0.
    Index(usize),
    /// `usb:0a12:0001`, the first of this vendor and product.
    Product {
        /// Vendor id.
        vendor: u16,
        /// Product id.
        product: u16,
    },
    /// `usb:0a12:0001/SERIAL`.
    Serial {
        /// Vendor id.
        vendor: u16,
        /// Product id.
        product: u16,
        /// Serial number as the device reports it.
        serial: String,
    },
    /// `usb:0a12:0001#1`: the n-th of this vendor and product, from 0.
    Nth {
        /// Vendor id.
        vendor: u16,
        /// Product id.
        product: u16,
        /// Its number among equal ones, from 0.
        nth: usize,
    },
    /// `usb:1-2.3`: by the port it is plugged into.
    Port {
        /// Bus number.
        bus: u8,
        /// Port of the root hub, then of each hub behind it; not empty.
        ports: Vec<u8>,
    },
}

/// A serial port and its line settings, always 8 data bits, no parity, 1 stop bit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UartSpec {
    /// Device, `/dev/ttyUSB0` or `COM3`; without a comma.
    pub device: PathBuf,
    /// Bits per second; 1,000,000 when it is left out.
    pub baud: u32,
    /// Hardware flow control by RTS and CTS.
    pub rtscts: bool,
}

/// A string that names no adapter. The message lists all forms.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{input:?} names no adapter; the forms are {FORMS}")]
pub struct SpecError {
    /// What was given.
    pub input: String,
}

const FORMS: &str = "usb:0 | usb:0a12:0001 | usb:0a12:0001/SERIAL | usb:0a12:0001#1 | usb:1-2.3 (usb:…! forces) | \
                     hci0 | uart:DEVICE,BAUD[,rtscts] | h5:DEVICE,BAUD[,rtscts] | tcp:HOST:PORT | \
                     tcp-server:HOST:PORT (IPv6 as [::1]) | unix:PATH | unix-server:PATH | pty:LINK | sim | \
                     replay:FILE | monitor:";

const DEFAULT_BAUD: u32 = 1_000_000;

impl FromStr for AdapterSpec {
    type Err = SpecError;

    fn from_str(input: &str) -> Result<Self, SpecError> {
        let parsed = all_consuming(adapter).parse(input).finish();
        parsed.map(|(_, spec)| spec).map_err(|_| SpecError { input: input.into() })
    }
}

fn adapter(input: &str) -> IResult<&str, AdapterSpec> {
    alt((
        map(preceded(tag("usb:"), usb), AdapterSpec::Usb),
        map(preceded(tag("hci"), u16), AdapterSpec::HciSocket),
        map(preceded(tag("uart:"), uart), AdapterSpec::Uart),
        map(preceded(tag("h5:"), uart), AdapterSpec::H5),
        map(preceded(tag("tcp:"), host_and_port), |(host, port)| AdapterSpec::Tcp { host, port }),
        map(preceded(tag("tcp-server:"), host_and_port), |(host, port)| AdapterSpec::TcpServer {
            host,
            port,
        }),
        map(preceded(tag("unix:"), path), AdapterSpec::Unix),
        map(preceded(tag("unix-server:"), path), AdapterSpec::UnixServer),
        map(preceded(tag("pty:"), path), AdapterSpec::Pty),
        value(AdapterSpec::Sim, tag("sim")),
        map(preceded(tag("replay:"), path), AdapterSpec::Replay),
        value(AdapterSpec::Monitor, tag("monitor:")),
    ))
    .parse(input)
}

fn usb(input: &str) -> IResult<&str, UsbSpec> {
    let port = map(separated_pair(u8, char('-'), separated_list1(char('.'), u8)), |(bus, ports)| {
        UsbSelector::Port { bus, ports }
    });
    let selector = alt((usb_product, port, map(usize, UsbSelector::Index)));
    map((selector, opt(char('!'))), |(selector, force)| UsbSpec { selector, force: force.is_some() })
        .parse(input)
}

fn usb_product(input: &str) -> IResult<&str, UsbSelector> {
    let (input, (vendor, product)) = separated_pair(hex4, char(':'), hex4).parse(input)?;
    let serial = map(preceded(char('/'), take_while1(|c| c != '!')), |serial: &str| {
        let serial = serial.to_owned();
        UsbSelector::Serial { vendor, product, serial }
    });
    let nth = map(preceded(char('#'), usize), |nth| UsbSelector::Nth { vendor, product, nth });
    map(opt(alt((serial, nth))), |narrower| narrower.unwrap_or(UsbSelector::Product { vendor, product }))
        .parse(input)
}

fn hex4(input: &str) -> IResult<&str, u16> {
    map_res(take_while_m_n(4, 4, |c: char| c.is_ascii_hexdigit()), |s| u16::from_str_radix(s, 16))
        .parse(input)
}

fn uart(input: &str) -> IResult<&str, UartSpec> {
    let device = take_while1(|c| c != ',');
    let baud = preceded(char(','), verify(u32, |&baud| baud > 0));
    map((device, opt(baud), opt(tag(",rtscts"))), |(device, baud, rtscts): (&str, _, _)| UartSpec {
        device: device.into(),
        baud: baud.unwrap_or(DEFAULT_BAUD),
        rtscts: rtscts.is_some(),
    })
    .parse(input)
}

fn host_and_port(input: &str) -> IResult<&str, (String, u16)> {
    let bracketed = verify(take_while1(|c| c != '[' && c != ']'), |host: &str| host.contains(':'));
    let host = alt((delimited(char('['), bracketed, char(']')), take_while1(|c| !"[]:".contains(c))));
    map((terminated(host, char(':')), u16), |(host, port): (&str, u16)| (host.to_owned(), port)).parse(input)
}

fn path(input: &str) -> IResult<&str, PathBuf> {
    map(verify(rest, |path: &str| !path.is_empty()), PathBuf::from).parse(input)
}

impl fmt::Display for AdapterSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usb(usb) => write!(f, "usb:{usb}"),
            Self::HciSocket(index) => write!(f, "hci{index}"),
            Self::Uart(uart) => write!(f, "uart:{uart}"),
            Self::H5(uart) => write!(f, "h5:{uart}"),
            Self::Tcp { host, port } => write!(f, "tcp:{}:{port}", Host(host)),
            Self::TcpServer { host, port } => write!(f, "tcp-server:{}:{port}", Host(host)),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::UnixServer(path) => write!(f, "unix-server:{}", path.display()),
            Self::Pty(path) => write!(f, "pty:{}", path.display()),
            Self::Sim => f.write_str("sim"),
            Self::Replay(path) => write!(f, "replay:{}", path.display()),
            Self::Monitor => f.write_str("monitor:"),
        }
    }
}

/// A host in front of a port.
struct Host<'a>(&'a str);

impl fmt::Display for Host<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.contains(':') { write!(f, "[{}]", self.0) } else { f.write_str(self.0) }
    }
}

/// As it stands behind `usb:`.
impl fmt::Display for UsbSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.selector {
            UsbSelector::Index(index) => write!(f, "{index}"),
            UsbSelector::Product { vendor, product } => write!(f, "{vendor:04x}:{product:04x}"),
            UsbSelector::Serial { vendor, product, serial } => {
                write!(f, "{vendor:04x}:{product:04x}/{serial}")
            }
            UsbSelector::Nth { vendor, product, nth } => write!(f, "{vendor:04x}:{product:04x}#{nth}"),
            UsbSelector::Port { bus, ports } => {
                write!(f, "{bus}")?;
                let separators = std::iter::once('-').chain(std::iter::repeat('.'));
                separators.zip(ports).try_for_each(|(separator, port)| write!(f, "{separator}{port}"))
            }
        }?;
        f.write_str(if self.force { "!" } else { "" })
    }
}

/// As it stands behind `uart:` and `h5:`.
impl fmt::Display for UartSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rtscts = if self.rtscts { ",rtscts" } else { "" };
        write!(f, "{},{}{rtscts}", self.device.display(), self.baud)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn usb(selector: UsbSelector, force: bool) -> AdapterSpec {
        AdapterSpec::Usb(UsbSpec { selector, force })
    }

    fn uart(device: &str, baud: u32, rtscts: bool) -> UartSpec {
        UartSpec { device: device.into(), baud, rtscts }
    }

    #[test]
    fn every_form_is_read_and_printed_as_it_was() {
        let (vendor, product) = (0x0A12, 1);
        let forms = [
            ("usb:0", usb(UsbSelector::Index(0), false)),
            ("usb:12!", usb(UsbSelector::Index(12), true)),
            ("usb:0a12:0001", usb(UsbSelector::Product { vendor, product }, false)),
            ("usb:0a12:0001!", usb(UsbSelector::Product { vendor, product }, true)),
            (
                "usb:0a12:0001/A #:1",
                usb(UsbSelector::Serial { vendor, product, serial: "A #:1".into() }, false),
            ),
            ("usb:0a12:0001/A!", usb(UsbSelector::Serial { vendor, product, serial: "A".into() }, true)),
            ("usb:0a12:0001#1", usb(UsbSelector::Nth { vendor, product, nth: 1 }, false)),
            ("usb:1-2", usb(UsbSelector::Port { bus: 1, ports: vec![2] }, false)),
            ("usb:1-2.3!", usb(UsbSelector::Port { bus: 1, ports: vec![2, 3] }, true)),
            ("hci0", AdapterSpec::HciSocket(0)),
            ("uart:/dev/ttyUSB0,1000000,rtscts", AdapterSpec::Uart(uart("/dev/ttyUSB0", 1_000_000, true))),
            ("uart:COM3,115200", AdapterSpec::Uart(uart("COM3", 115_200, false))),
            ("h5:/dev/ttyS1,921600", AdapterSpec::H5(uart("/dev/ttyS1", 921_600, false))),
            ("tcp:localhost:9001", AdapterSpec::Tcp { host: "localhost".into(), port: 9001 }),
            ("tcp:127.0.0.1:1", AdapterSpec::Tcp { host: "127.0.0.1".into(), port: 1 }),
            ("tcp:[::1]:9001", AdapterSpec::Tcp { host: "::1".into(), port: 9001 }),
            ("tcp-server:0.0.0.0:0", AdapterSpec::TcpServer { host: "0.0.0.0".into(), port: 0 }),
            ("tcp-server:[fe80::1%eth0]:2", AdapterSpec::TcpServer { host: "fe80::1%eth0".into(), port: 2 }),
            ("unix:/run/a b:c", AdapterSpec::Unix("/run/a b:c".into())),
            ("unix-server:x", AdapterSpec::UnixServer("x".into())),
            ("pty:./hci", AdapterSpec::Pty("./hci".into())),
            ("sim", AdapterSpec::Sim),
            ("replay:run.btsnoop", AdapterSpec::Replay("run.btsnoop".into())),
            ("monitor:", AdapterSpec::Monitor),
        ];
        for (text, spec) in forms {
            assert_eq!(text.parse::<AdapterSpec>().as_ref(), Ok(&spec), "{text}");
            assert_eq!(spec.to_string(), text);
        }
    }

    #[test]
    fn a_uart_without_a_baud_rate_runs_at_a_megabaud() {
        assert_eq!("uart:COM3".parse(), Ok(AdapterSpec::Uart(uart("COM3", 1_000_000, false))));
        assert_eq!("uart:COM3,rtscts".parse(), Ok(AdapterSpec::Uart(uart("COM3", 1_000_000, true))));
    }

    #[test]
    fn what_is_no_form_is_refused() {
        for text in [
            "",
            " sim",
            "sim ",
            "simx",
            "SIM",
            "usb",
            "usb:",
            "usb:!",
            "usb:a12:1",
            "usb:0a12:0001/",
            "usb:0a12:0001#",
            "usb:0a12:0001#x",
            "usb:1-",
            "usb:1-2.",
            "usb:1-256",
            "usb:0!!",
            "usb:99999999999999999999",
            "hci",
            "hci-1",
            "hci65536",
            "hci0x",
            "uart:",
            "uart:,9600",
            "uart:COM3,",
            "uart:COM3,0",
            "uart:COM3,9600,xonxoff",
            "uart:COM3,4294967296",
            "tcp:",
            "tcp:host",
            "tcp:host:",
            "tcp::1",
            "tcp:host:65536",
            "tcp:::1:9001",
            "tcp:[::1]9001",
            "tcp:[]:1",
            "tcp:[::1:9001",
            "tcp:[host]:1",
            "tcp-server:9001",
            "unix:",
            "unix-server:",
            "pty:",
            "replay:",
            "bluetooth",
        ] {
            assert_eq!(text.parse::<AdapterSpec>(), Err(SpecError { input: text.into() }));
        }
    }

    #[test]
    fn the_error_shows_what_was_given_and_all_forms_in_one_line() {
        let message = "tcp:\n".parse::<AdapterSpec>().unwrap_err().to_string();
        assert_eq!(
            message,
            r#""tcp:\n" names no adapter; the forms are usb:0 | usb:0a12:0001 | usb:0a12:0001/SERIAL | "#
                .to_owned()
                + "usb:0a12:0001#1 | usb:1-2.3 (usb:…! forces) | hci0 | uart:DEVICE,BAUD[,rtscts] | "
                + "h5:DEVICE,BAUD[,rtscts] | tcp:HOST:PORT | tcp-server:HOST:PORT (IPv6 as [::1]) | unix:PATH | "
                + "unix-server:PATH | pty:LINK | sim | replay:FILE | monitor:"
        );
    }

    proptest! {
        #[test]
        fn whatever_is_accepted_prints_as_something_that_means_the_same(
            text in "(usb:|hci|uart:|h5:|tcp:|tcp-server:|unix:|sim)[0-9a-f:/#!.,\\[\\]-]{0,12}"
        ) {
            if let Ok(spec) = text.parse::<AdapterSpec>() {
                prop_assert_eq!(spec.to_string().parse(), Ok(spec));
            }
        }
    }
}
