//! The adapters that the kernel has, without opening them.

use super::{name, problems, sys};
use crate::{AdapterSpec, Candidate, Problem, TransportError};
use std::{
    fs, io,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
};

/// What the kernel shows, as far as there is a kernel with Bluetooth.
pub(crate) fn candidates() -> Vec<Candidate> {
    find().unwrap_or_default()
}

/// What the kernel shows.
pub(super) fn find() -> Result<Vec<Candidate>, TransportError> {
    let socket = sys::socket().map_err(|_| problems::no_bluetooth("the kernel's adapters".to_owned()))?;
    let managed = managed().ok();
    let found = sys::list(&socket).unwrap_or_default().into_iter();
    // One that went away in between is none.
    Ok(found.filter_map(|index| candidate(&socket, index, managed.as_deref())).collect())
}

fn candidate(socket: &OwnedFd, index: u16, managed: Option<&[u16]>) -> Option<Candidate> {
    let info = sys::info(socket, index).ok()?;
    // While a user channel is open the adapter is up, and the management interface does not know it.
    let is_taken = info.is_up() && managed.is_some_and(|managed| !managed.contains(&index));
    Some(Candidate {
        spec: AdapterSpec::HciSocket(index),
        description: description(&info),
        device: usb_port(&class(index)).map(|port| format!("usb {port}")),
        problem: problem(has_capability(CAP_NET_ADMIN), rfkill(index), is_taken),
    })
}

/// `USB adapter of the kernel, 00:1A:7D:DA:71:13, up`.
fn description(info: &sys::AdapterInfo) -> String {
    let bus = bus(info.bus());
    let [f, e, d, c, b, a] = info.address;
    let state = if info.is_up() { "up" } else { "down" };
    format!("{bus} adapter of the kernel, {a:02X}:{b:02X}:{c:02X}:{d:02X}:{e:02X}:{f:02X}, {state}")
}

fn bus(number: u8) -> &'static str {
    match number {
        0 => "virtual",
        1 => "USB",
        2 => "PC Card",
        3 => "UART",
        4 => "RS232",
        5 => "PCI",
        6 => "SDIO",
        7 => "SPI",
        8 => "I2C",
        9 => "SMD",
        10 => "virtio",
        11 => "IPC",
        _ => "other",
    }
}

/// What the kernel shows of an adapter.
fn class(index: u16) -> PathBuf {
    Path::new("/sys/class/bluetooth").join(name(index))
}

/// The port of the USB device that an adapter is an interface of, as in `usb:1-2.3`.
fn usb_port(adapter: &Path) -> Option<String> {
    let interface = fs::canonicalize(adapter.join("device")).ok()?;
    let device = interface.parent().filter(|device| device.join("idVendor").exists())?;
    Some(device.file_name()?.to_str()?.to_owned())
}

fn problem(is_permitted: bool, rfkill: Rfkill, is_taken: bool) -> Option<Problem> {
    let problem = |reason: &str, hint: String| Some(Problem { reason: reason.to_owned(), hint });
    if rfkill.is_soft || rfkill.is_hard {
        problem("blocked", problems::blocked(rfkill.is_hard).to_owned())
    } else if is_taken {
        problem("in use", "another program has its user channel; end that program".to_owned())
    } else if !is_permitted {
        problem("no permission", problems::capability("CAP_NET_ADMIN", &problems::program()))
    } else {
        None
    }
}

/// What keeps a radio off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Rfkill {
    /// A program did it.
    pub is_soft: bool,
    /// A switch of the machine does it.
    pub is_hard: bool,
}

/// What keeps the radio of an adapter off.
pub(super) fn rfkill(index: u16) -> Rfkill {
    rfkill_in(&class(index))
}

fn rfkill_in(adapter: &Path) -> Rfkill {
    let entries = fs::read_dir(adapter).into_iter().flatten().flatten();
    let mut switches = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with("rfkill"));
    let Some(switch) = switches.next() else { return Rfkill::default() };
    let is_set = |file| fs::read_to_string(switch.path().join(file)).is_ok_and(|text| text.trim() == "1");
    Rfkill { is_soft: is_set("soft"), is_hard: is_set("hard") }
}

/// The number of the capability to open a user channel.
pub(super) const CAP_NET_ADMIN: u32 = 12;

/// Whether this process has a capability in effect.
pub(super) fn has_capability(capability: u32) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let bits = effective.and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok());
    // Where it cannot be seen, the kernel will tell.
    bits.is_none_or(|bits| bits >> capability & 1 == 1)
}

/// The adapters that the management interface lists: not those whose user channel is open.
fn managed() -> io::Result<Vec<u16>> {
    /// Read Controller Index List: its opcode, no adapter, no parameters.
    const READ_INDEX_LIST: [u8; 6] = [0x03, 0x00, 0xFF, 0xFF, 0x00, 0x00];
    let socket = sys::socket()?;
    sys::bind(&socket, sys::NO_ADAPTER, sys::Channel::Control)?;
    sys::send(&socket, &READ_INDEX_LIST)?;
    loop {
        // The answer is there when the request has been taken; when no more comes, `WouldBlock` ends the search.
        let mut answer = [0; 512];
        let received = sys::receive(&socket, &mut [io::IoSliceMut::new(&mut answer)])?;
        if let Some(list) = index_list(answer.get(..received.octets).unwrap_or_default()) {
            return Ok(list);
        }
    }
}

/// The adapters in a Command Complete of Read Controller Index List; `None` for any other message.
fn index_list(message: &[u8]) -> Option<Vec<u16>> {
    let ([0x01, 0x00, _, _, _, _, 0x03, 0x00, 0x00], rest) = message.split_first_chunk()? else {
        return None;
    };
    let (_count, indices) = rest.split_first_chunk::<2>()?;
    Some(indices.as_chunks().0.iter().map(|index| u16::from_le_bytes(*index)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_taken_from_its_own_answer_only() {
        let answer = [1, 0, 0xFF, 0xFF, 9, 0, 3, 0, 0, 2, 0, 1, 0, 2, 1];
        assert_eq!(index_list(&answer), Some(vec![1, 0x0102]));
        let mut failed = answer;
        failed[8] = 1;
        assert_eq!(index_list(&failed), None);
        let mut event = answer;
        event[0] = 4;
        assert_eq!(index_list(&event), None);
        for cut in 0..11 {
            assert_eq!(index_list(&answer[..cut]), None, "{cut} octets");
        }
        // An index that is cut off is none.
        assert_eq!(index_list(&answer[..14]), Some(vec![1]));
    }

    #[test]
    fn each_problem_has_its_reason_and_what_to_do() {
        let told = |is_permitted, rfkill, is_taken| {
            problem(is_permitted, rfkill, is_taken).map(|problem| (problem.reason, problem.hint))
        };
        let free = Rfkill::default();
        assert_eq!(told(true, free, false), None);
        let (reason, hint) = told(false, free, false).expect("a problem");
        assert_eq!(reason, "no permission");
        assert!(hint.contains("setcap cap_net_admin+ep"), "{hint}");
        let (reason, hint) = told(false, Rfkill { is_soft: true, is_hard: false }, true).expect("a problem");
        assert_eq!(reason, "blocked");
        assert!(hint.contains("rfkill unblock bluetooth"), "{hint}");
        assert_eq!(told(true, free, true).expect("a problem").0, "in use");
    }

    #[test]
    fn the_switches_of_an_adapter_are_read_where_there_are_some() {
        let adapter = std::env::temp_dir().join(format!("baretooth-rfkill-{}", std::process::id()));
        assert_eq!(rfkill_in(&adapter), Rfkill::default());
        let switch = adapter.join("rfkill7");
        fs::create_dir_all(&switch).expect("a folder");
        fs::write(switch.join("soft"), "1\n").expect("a file");
        fs::write(switch.join("hard"), "0\n").expect("a file");
        let read = rfkill_in(&adapter);
        fs::remove_dir_all(&adapter).expect("ours");
        assert_eq!(read, Rfkill { is_soft: true, is_hard: false });
    }
    #[test]
    fn an_adapter_on_usb_is_told_by_its_port() {
        let machine = std::env::temp_dir().join(format!("baretooth-usb-port-{}", std::process::id()));
        let adapter = machine.join("usb1/1-2/1-2.3/1-2.3:1.0/bluetooth/hci0");
        fs::create_dir_all(&adapter).expect("a folder");
        std::os::unix::fs::symlink("../..", adapter.join("device")).expect("a link");
        let virtual_adapter = usb_port(&adapter);
        fs::write(machine.join("usb1/1-2/1-2.3/idVendor"), "0a12\n").expect("a file");
        let dongle = usb_port(&adapter);
        fs::remove_dir_all(&machine).expect("ours");
        assert_eq!((virtual_adapter, dongle.as_deref()), (None, Some("1-2.3")));
    }
}
