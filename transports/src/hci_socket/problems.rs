//! What the kernel's errors mean for an adapter, and what the user has to do.

use super::{adapters, name, sys};
use crate::TransportError;
use std::{fs, io, sync::Arc};

#[cfg(target_os = "linux")]
use libc::ERFKILL;
/// Android's C library does not name it.
#[cfg(target_os = "android")]
const ERFKILL: i32 = 132;

/// What the sentences tell of the machine beside the error.
#[derive(Clone, Debug, Default)]
struct Machine {
    /// How the user starts this program.
    program: String,
    /// The adapters that there are.
    adapters: Vec<u16>,
    /// The process of bluetoothd.
    bluetoothd: Option<u32>,
    /// Those who have a Bluetooth socket, as far as we may see: `btmon (pid 12)`.
    holders: Vec<String>,
    /// A switch of the machine itself keeps the radio off.
    is_hard_blocked: bool,
}

impl Machine {
    fn look(index: u16) -> Self {
        let adapters = sys::socket().and_then(|socket| sys::list(&socket)).unwrap_or_default();
        Self {
            program: program(),
            adapters,
            bluetoothd: processes().find(|(_, name)| name == "bluetoothd").map(|(pid, _)| pid),
            holders: holders(),
            is_hard_blocked: adapters::rfkill(index).is_hard,
        }
    }
}

/// A failure to open the user channel of an adapter.
pub(super) fn opening(index: u16, error: io::Error) -> TransportError {
    opening_on(&Machine::look(index), index, error)
}

fn opening_on(machine: &Machine, index: u16, error: io::Error) -> TransportError {
    let what = name(index);
    match error.raw_os_error() {
        Some(libc::EPERM | libc::EACCES) => {
            TransportError::Permission { what, hint: capability("CAP_NET_ADMIN", &machine.program) }
        }
        Some(libc::ENODEV | libc::EINVAL) => TransportError::NotFound { what, hint: absent(machine) },
        Some(ERFKILL) => TransportError::Blocked { what, hint: blocked(machine.is_hard_blocked).into() },
        Some(libc::EAFNOSUPPORT | libc::EPROTONOSUPPORT | libc::ESOCKTNOSUPPORT) => no_bluetooth(what),
        Some(libc::EBUSY | libc::EUSERS) => is_taken_on(machine, index),
        code => {
            let hint = match code {
                Some(libc::ETIMEDOUT | libc::EIO) => {
                    "its controller does not answer: take it out and put it in again; `dmesg` may say more"
                }
                _ => "`dmesg` may say more",
            };
            TransportError::Io { operation: "opening", object: what, hint, source: Arc::new(error) }
        }
    }
}

/// The adapter is up, and is to stay so.
pub(super) fn is_up(index: u16) -> TransportError {
    is_up_on(&Machine::look(index), index)
}

fn is_up_on(machine: &Machine, index: u16) -> TransportError {
    let what = name(index);
    let by = match machine.bluetoothd {
        Some(pid) => format!("bluetoothd runs (pid {pid}) and has it up; `systemctl stop bluetooth` ends it"),
        None => "it is up".to_owned(),
    };
    let hint = format!("{by}; bring it down with `hciconfig {what} down`, or allow that it is brought down");
    TransportError::Busy { what, hint }
}

/// Another program has the user channel.
pub(super) fn is_taken(index: u16) -> TransportError {
    is_taken_on(&Machine::look(index), index)
}

fn is_taken_on(machine: &Machine, index: u16) -> TransportError {
    let by = match &machine.holders[..] {
        [] => "another program has its user channel".to_owned(),
        [one] => format!("{one} seems to have its user channel"),
        several => format!("one of these seems to have its user channel: {}", several.join(", ")),
    };
    let hint = format!("{by}; end that program");
    TransportError::Busy { what: name(index), hint }
}

/// The adapter was neither up nor to be had, for as long as we wait.
pub(super) fn set_up_takes_long(index: u16) -> TransportError {
    set_up_takes_long_on(&Machine::look(index), index)
}

fn set_up_takes_long_on(machine: &Machine, index: u16) -> TransportError {
    let bluetoothd = match machine.bluetoothd {
        Some(pid) => {
            format!(
                ", or bluetoothd (pid {pid}) brings it up again and again: `systemctl stop bluetooth` ends it"
            )
        }
        None => String::new(),
    };
    let hint =
        format!("the kernel is still setting it up, `dmesg` may say why{bluetoothd}; try again in a moment");
    TransportError::Busy { what: name(index), hint }
}

/// A failure of an open channel.
pub(super) fn using(operation: &'static str, object: &str, error: io::Error) -> TransportError {
    let what = object.to_owned();
    let hint = match (error.kind(), error.raw_os_error()) {
        (io::ErrorKind::BrokenPipe, _)
        | (_, Some(libc::EPIPE | libc::EBADFD | libc::ENODEV | libc::ENETDOWN)) => {
            return TransportError::Disconnected { what };
        }
        (_, Some(libc::EINVAL)) => "the kernel takes commands and data, of at most 1028 octets a packet",
        (io::ErrorKind::InvalidData, _) => "its controller or its driver is at fault",
        (_, Some(libc::ENOBUFS)) => "the program was too slow to read them",
        _ => "",
    };
    TransportError::Io { operation, object: what, hint, source: Arc::new(error) }
}

/// A failure to open the monitor channel.
pub(super) fn listening(what: String, error: io::Error) -> TransportError {
    match error.raw_os_error() {
        Some(libc::EPERM | libc::EACCES) => {
            TransportError::Permission { what, hint: capability("CAP_NET_RAW", &program()) }
        }
        Some(libc::EAFNOSUPPORT | libc::EPROTONOSUPPORT | libc::ESOCKTNOSUPPORT) => no_bluetooth(what),
        _ => TransportError::Io { operation: "opening", object: what, hint: "", source: Arc::new(error) },
    }
}

/// There is no Bluetooth socket to be had.
pub(super) fn no_bluetooth(what: String) -> TransportError {
    TransportError::Unsupported {
        what,
        reason: "this kernel has no Bluetooth (try `modprobe bluetooth`), or none for a container with a network of \
                 its own: start that with --network host",
    }
}

/// How to come by a capability.
pub(super) fn capability(capability: &str, program: &str) -> String {
    let lower = capability.to_lowercase();
    format!(
        "it needs the capability {capability}: run as root, or `sudo setcap {lower}+ep {program}`, or `sudo systemd-run \
         --pty --uid=$USER -p AmbientCapabilities={capability} {program} ...`; a container needs --cap-add {} and \
         --network host",
        capability.trim_start_matches("CAP_")
    )
}

/// How to lift what keeps the radio off.
pub(super) fn blocked(is_hard: bool) -> &'static str {
    if is_hard {
        "a switch or key of the machine keeps its radio off: turn it on there"
    } else {
        "rfkill keeps its radio off: `rfkill unblock bluetooth` turns it on"
    }
}

fn absent(machine: &Machine) -> String {
    let there: Vec<_> = machine.adapters.iter().map(|index| name(*index)).collect();
    match &there[..] {
        [] => "the kernel has no adapter: plug one in; `dmesg` says whether its driver takes it".to_owned(),
        [only] => format!("the kernel's only adapter is {only}"),
        all => format!("the kernel's adapters are {}", all.join(", ")),
    }
}

/// The file of this program.
pub(super) fn program() -> String {
    std::env::current_exe().map_or("PROGRAM".to_owned(), |path| path.display().to_string())
}

/// All processes that can be seen, with their names.
fn processes() -> impl Iterator<Item = (u32, String)> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| {
        let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
        Some((pid, fs::read_to_string(entry.path().join("comm")).ok()?.trim().to_owned()))
    })
}

/// The other processes that have an HCI socket open, of any kind: the kernel does not say of which.
fn holders() -> Vec<String> {
    // sk RefCnt Rmem Wmem User Inode Parent
    let table = fs::read_to_string("/proc/net/hci").unwrap_or_default();
    let inodes = table.lines().skip(1).filter_map(|line| line.split_whitespace().nth(5));
    let sockets: Vec<_> = inodes.map(|inode| format!("socket:[{inode}]")).collect();
    let has_one = |pid: u32| {
        let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
        let mut links = descriptors.filter_map(|descriptor| fs::read_link(descriptor.path()).ok());
        links.any(|link| sockets.iter().any(|socket| link.as_os_str() == socket.as_str()))
    };
    let others = processes().filter(|(pid, _)| *pid != std::process::id());
    let holders = others.filter(|(pid, _)| !sockets.is_empty() && has_one(*pid));
    holders.map(|(pid, name)| format!("{name} (pid {pid})")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine() -> Machine {
        Machine { program: "/bin/prog".into(), adapters: vec![0], ..Machine::default() }
    }

    fn sentence(machine: &Machine, errno: i32) -> String {
        opening_on(machine, 3, io::Error::from_raw_os_error(errno)).to_string()
    }

    #[test]
    fn without_the_capability_it_says_how_to_get_it() {
        assert_eq!(
            sentence(&machine(), libc::EPERM),
            "no permission to use hci3; it needs the capability CAP_NET_ADMIN: run as root, or `sudo setcap \
             cap_net_admin+ep /bin/prog`, or `sudo systemd-run --pty --uid=$USER -p AmbientCapabilities=CAP_NET_ADMIN \
             /bin/prog ...`; a container needs --cap-add NET_ADMIN and --network host"
        );
    }

    #[test]
    fn an_adapter_that_is_not_there_is_told_with_those_that_are() {
        let mut machine = machine();
        let only = "hci3 was not found; the kernel's only adapter is hci0";
        assert_eq!(sentence(&machine, libc::ENODEV), only);
        assert_eq!(sentence(&machine, libc::EINVAL), only);
        machine.adapters = vec![0, 1];
        assert_eq!(
            sentence(&machine, libc::ENODEV),
            "hci3 was not found; the kernel's adapters are hci0, hci1"
        );
        machine.adapters.clear();
        assert_eq!(
            sentence(&machine, libc::ENODEV),
            "hci3 was not found; the kernel has no adapter: plug one in; `dmesg` says whether its driver takes it"
        );
    }

    #[test]
    fn a_blocked_radio_is_told_with_who_can_lift_it() {
        let mut machine = machine();
        assert_eq!(
            sentence(&machine, ERFKILL),
            "hci3 is blocked; rfkill keeps its radio off: `rfkill unblock bluetooth` turns it on"
        );
        machine.is_hard_blocked = true;
        assert_eq!(
            sentence(&machine, ERFKILL),
            "hci3 is blocked; a switch or key of the machine keeps its radio off: turn it on there"
        );
    }

    #[test]
    fn a_kernel_without_bluetooth_is_no_missing_adapter() {
        for errno in [libc::EAFNOSUPPORT, libc::EPROTONOSUPPORT] {
            assert_eq!(
                sentence(&machine(), errno),
                "hci3 cannot be opened: this kernel has no Bluetooth (try `modprobe bluetooth`), or none for a \
                 container with a network of its own: start that with --network host"
            );
        }
    }

    #[test]
    fn an_adapter_in_use_is_told_with_whose_it_is() {
        let mut machine = machine();
        assert_eq!(
            sentence(&machine, libc::EBUSY),
            "hci3 is in use; another program has its user channel; end that program"
        );
        machine.holders = vec!["btmon (pid 7)".into()];
        assert_eq!(
            sentence(&machine, libc::EUSERS),
            "hci3 is in use; btmon (pid 7) seems to have its user channel; end that program"
        );
        machine.holders.push("scan (pid 9)".into());
        assert_eq!(
            is_taken_on(&machine, 3).to_string(),
            "hci3 is in use; one of these seems to have its user channel: btmon (pid 7), scan (pid 9); end that program"
        );
        assert_eq!(
            is_up_on(&machine, 3).to_string(),
            "hci3 is in use; it is up; bring it down with `hciconfig hci3 down`, or allow that it is brought down"
        );
        assert_eq!(
            set_up_takes_long_on(&machine, 3).to_string(),
            "hci3 is in use; the kernel is still setting it up, `dmesg` may say why; try again in a moment"
        );
        machine.bluetoothd = Some(42);
        assert_eq!(
            is_up_on(&machine, 3).to_string(),
            "hci3 is in use; bluetoothd runs (pid 42) and has it up; `systemctl stop bluetooth` ends it; bring it down \
             with `hciconfig hci3 down`, or allow that it is brought down"
        );
        assert_eq!(
            set_up_takes_long_on(&machine, 3).to_string(),
            "hci3 is in use; the kernel is still setting it up, `dmesg` may say why, or bluetoothd (pid 42) brings it \
             up again and again: `systemctl stop bluetooth` ends it; try again in a moment"
        );
    }

    #[test]
    fn other_failures_to_open_are_told_as_they_are() {
        assert_eq!(
            sentence(&machine(), libc::ETIMEDOUT),
            "opening hci3 failed: Connection timed out (os error 110); its controller does not answer: take it out \
             and put it in again; `dmesg` may say more"
        );
        assert_eq!(
            sentence(&machine(), libc::EALREADY),
            "opening hci3 failed: Operation already in progress (os error 114); `dmesg` may say more"
        );
    }

    #[test]
    fn in_use_the_adapter_that_is_gone_is_told_apart_from_what_it_does_not_take() {
        let using = |error| using("writing to", "hci3", error).to_string();
        for gone in [libc::EPIPE, libc::ENODEV, libc::ENETDOWN] {
            assert_eq!(
                using(io::Error::from_raw_os_error(gone)),
                "hci3 was disconnected; plug it in or power it on, and open it again"
            );
        }
        assert_eq!(
            using(io::Error::from_raw_os_error(libc::EINVAL)),
            "writing to hci3 failed: Invalid argument (os error 22); the kernel takes commands and data, of at most \
             1028 octets a packet"
        );
    }
}
