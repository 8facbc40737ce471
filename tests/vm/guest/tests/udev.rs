//! The rule file that users install, as udev applies it to devices that the kernel has enumerated.
//!
//! It changes /etc and starts udevd, so it runs in the guest of `tests/vm`.
#![allow(clippy::disallowed_methods)] // The kernel's time is real time.

use baretooth_guest::dongle::{Dongle, Options};
use baretooth_transports::memory;
use std::{fs, os::unix::fs::MetadataExt, os::unix::fs::PermissionsExt, path::Path, process::Command};

const RULES: &str = include_str!("../../../../setup/70-baretooth.rules");

#[tokio::test]
#[ignore = "needs the guest of tests/vm"]
async fn the_rules_give_away_bluetooth_adapters_of_any_shape_and_nothing_else() {
    // As a user does who wants the group.
    let rules = RULES.replace("\n#GROUP=", "\nGROUP=");
    assert_ne!(rules, RULES);
    fs::create_dir_all("/etc/udev/rules.d").unwrap();
    fs::write("/etc/udev/rules.d/70-baretooth.rules", rules).unwrap();
    output("/lib/systemd/systemd-udevd", &["--daemon"]);

    let dongle = Options::default();
    let composite = Options { composite: true, voice: false, ..dongle.clone() };
    let other = Options { class: [0xFF, 1, 1], ..dongle.clone() };
    for (options, is_given) in [(dongle, true), (composite, true), (other, false)] {
        let (_controller, far) = memory::pair(64);
        let device = Dongle::plug(options.clone(), far).await.expect("the kernel takes it");
        let node = device.node().expect("configured");
        output("udevadm", &["settle"]);
        let properties =
            output("udevadm", &["info", "--query=property", &format!("--name={}", node.display())]);
        let interfaces = property(&properties, "ID_USB_INTERFACES");
        assert!(interfaces.is_some(), "udev has seen it: {properties}");
        let is_tagged = property(&properties, "CURRENT_TAGS").is_some_and(|tags| tags.contains(":uaccess:"));
        assert_eq!(is_tagged, is_given, "{interfaces:?}");
        let owned = fs::metadata(&node).expect("there");
        let rights = (owned.gid() == group("plugdev"), owned.permissions().mode() & 0o777 == 0o660);
        assert_eq!(rights, (is_given, is_given), "{interfaces:?}, {:o}", owned.permissions().mode());
    }
    let told = output("udevadm", &["test", "/sys/bus/usb/devices/usb1"]);
    let complaints: Vec<_> = told.lines().filter(|line| line.contains("70-baretooth.rules:")).collect();
    assert!(complaints.is_empty(), "{complaints:?}");
    assert!(told.contains("70-baretooth.rules"), "it was read");
}

fn property<'a>(properties: &'a str, name: &str) -> Option<&'a str> {
    properties.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='))
}

fn group(name: &str) -> u32 {
    let groups = fs::read_to_string(Path::new("/etc/group")).expect("groups");
    let line = groups.lines().find(|line| line.starts_with(&format!("{name}:"))).expect(name);
    line.split(':').nth(2).and_then(|number| number.parse().ok()).expect("a number")
}

/// What a program says, on both of its outputs.
fn output(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().expect(program);
    assert!(output.status.success(), "{program} {arguments:?}: {output:?}");
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}
