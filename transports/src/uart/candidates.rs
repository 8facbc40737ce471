//! The serial ports of this machine, found without opening one: opening would move the lines of the port, which
//! resets some boards.

use crate::{AdapterSpec, Candidate, Problem, UartSpec};
use std::{
    fs, iter,
    path::{Path, PathBuf},
};

/// Every serial port that has hardware behind it. What that hardware is, only opening would tell.
pub(crate) fn candidates() -> Vec<Candidate> {
    let roots = Roots { class: "/sys/class/tty".into(), by_id: "/dev/serial/by-id".into() };
    let mut ports = serial2::SerialPort::available_ports().unwrap_or_default();
    ports.sort();
    ports.iter().filter_map(|port| candidate(&roots, port)).collect()
}

/// Where the system tells of ports.
struct Roots {
    class: PathBuf,
    by_id: PathBuf,
}

fn candidate(roots: &Roots, port: &Path) -> Option<Candidate> {
    let name = port.file_name()?.to_str()?;
    let entry = roots.class.join(name);
    if cfg!(target_os = "linux") && !is_real(&entry) {
        return None;
    }
    let description = match usb_names(&entry) {
        Some(names) => format!("serial port {name}, {names}"),
        None => format!("serial port {name}"),
    };
    let baud = if name.starts_with("ttyS") { 115_200 } else { 1_000_000 };
    let device = stable_name(&roots.by_id, port).unwrap_or_else(|| port.into());
    Some(Candidate {
        spec: AdapterSpec::Uart(UartSpec { device, baud, rtscts: false }),
        description: format!("{description}; whether a controller is behind it, and its rate, only you know"),
        device: None,
        problem: problem(port),
    })
}

/// Whether there is hardware: ports of the machine that were never found have no type, and what is no port at all (a
/// console, a log) has no device.
fn is_real(entry: &Path) -> bool {
    let absent = read(entry, "type").is_some_and(|uart_type| uart_type == "0");
    entry.join("device").exists() && !absent
}

/// Manufacturer and product of the USB device that the port belongs to.
fn usb_names(entry: &Path) -> Option<String> {
    let device = fs::canonicalize(entry.join("device")).ok()?;
    // The port, the interface, the device: no deeper.
    let usb = iter::successors(Some(device.as_path()), |folder| folder.parent())
        .take(4)
        .find(|folder| folder.join("idVendor").exists())?;
    let names: Vec<_> = ["manufacturer", "product"].iter().filter_map(|file| read(usb, file)).collect();
    if names.is_empty() {
        return Some(format!("USB device {}:{}", read(usb, "idVendor")?, read(usb, "idProduct")?));
    }
    Some(names.join(" "))
}

/// The name of the port that stays when others come and go, if it can stand in a specification.
fn stable_name(by_id: &Path, port: &Path) -> Option<PathBuf> {
    let port = fs::canonicalize(port).ok()?;
    let mut names: Vec<_> = fs::read_dir(by_id).ok()?.flatten().map(|entry| entry.path()).collect();
    names.sort();
    names.into_iter().find(|name| {
        let notable = name.to_str().is_some_and(|name| !name.contains(','));
        notable && fs::canonicalize(name).is_ok_and(|target| target == port)
    })
}

#[cfg(unix)]
fn problem(port: &Path) -> Option<Problem> {
    use nix::unistd::{AccessFlags, access};
    access(port, AccessFlags::R_OK | AccessFlags::W_OK).err()?;
    Some(Problem { reason: "no permission".into(), hint: super::PERMISSION.into() })
}

#[cfg(not(unix))]
fn problem(_: &Path) -> Option<Problem> {
    None
}

fn read(folder: &Path, file: &str) -> Option<String> {
    let text = fs::read_to_string(folder.join(file)).ok()?;
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    /// A folder that looks like the system's, removed in the end.
    struct Machine(PathBuf);

    impl Machine {
        fn new(name: &str) -> Self {
            let folder = std::env::temp_dir().join(format!("baretooth-{name}-{}", std::process::id()));
            fs::create_dir_all(folder.join("dev/serial/by-id")).unwrap();
            fs::create_dir_all(folder.join("class")).unwrap();
            Self(folder)
        }

        fn file(&self, path: &str, text: &str) {
            let path = self.0.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }

        fn candidate(&self, name: &str) -> Option<Candidate> {
            let roots = Roots { class: self.0.join("class"), by_id: self.0.join("dev/serial/by-id") };
            candidate(&roots, &self.0.join("dev").join(name))
        }
    }

    impl Drop for Machine {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn a_usb_port_is_listed_by_its_stable_name_and_what_it_calls_itself() {
        let machine = Machine::new("candidates-usb");
        machine.file("dev/ttyUSB0", "");
        machine.file("devices/1-1/idVendor", "0403\n");
        machine.file("devices/1-1/idProduct", "6001\n");
        machine.file("devices/1-1/product", "FT232R\n");
        machine.file("devices/1-1/1-1:1.0/ttyUSB0/port_number", "0\n");
        machine.file("class/ttyUSB0/dev", "188:0\n");
        symlink(machine.0.join("devices/1-1/1-1:1.0/ttyUSB0"), machine.0.join("class/ttyUSB0/device"))
            .unwrap();
        let candidate = machine.candidate("ttyUSB0").unwrap();
        let device = machine.0.join("dev/ttyUSB0");
        assert_eq!(candidate.spec.to_string(), format!("uart:{},1000000", device.display()));
        assert!(candidate.description.starts_with("serial port ttyUSB0, FT232R; whether a controller"));
        assert_eq!(candidate.problem, None);

        let by_id = machine.0.join("dev/serial/by-id/usb-FTDI_FT232R-if00-port0");
        symlink("../../ttyUSB0", &by_id).unwrap();
        let candidate = machine.candidate("ttyUSB0").unwrap();
        assert_eq!(candidate.spec.to_string(), format!("uart:{},1000000", by_id.display()));

        fs::remove_file(machine.0.join("devices/1-1/product")).unwrap();
        let description = machine.candidate("ttyUSB0").unwrap().description;
        assert!(description.starts_with("serial port ttyUSB0, USB device 0403:6001;"), "{description}");
    }

    #[test]
    fn ports_without_hardware_are_not_listed() {
        let machine = Machine::new("candidates-absent");
        for (name, uart_type) in [("ttyS0", "4\n"), ("ttyS3", "0\n")] {
            machine.file(&format!("dev/{name}"), "");
            machine.file(&format!("class/{name}/type"), uart_type);
            machine.file(&format!("class/{name}/device/uevent"), "");
        }
        machine.file("dev/ttyprintk", "");
        machine.file("class/ttyprintk/uevent", "");
        let candidate = machine.candidate("ttyS0").unwrap();
        let device = machine.0.join("dev/ttyS0");
        assert_eq!(candidate.spec.to_string(), format!("uart:{},115200", device.display()));
        assert_eq!(machine.candidate("ttyS3"), None);
        assert_eq!(machine.candidate("ttyprintk"), None);
    }
}
