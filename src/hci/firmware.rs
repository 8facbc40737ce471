//! Signs that a controller runs without the firmware that its vendor means it to have.
//!
//! Many chips keep little in their ROM and are given the rest by the system's driver after each power-on. Userspace
//! that takes such a chip too early meets one that is silent, knows few commands, or works with the defects of its
//! first mask. Nothing here loads firmware, and nothing is sent to find out: only what initialisation asks anyway is
//! read, and what nobody has recorded is taken for good.

use super::command::{HciCommand, Reset};
use super::{ControllerInfo, ErrorCode, InitError};
use std::fmt;

/// What is missing, and how to get it.
///
/// Its `Display` is both, in one line.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FirmwareHint {
    /// What was seen, and what it means.
    pub meaning: String,
    /// What to do.
    pub advice: String,
}

impl FirmwareHint {
    fn new(meaning: impl Into<String>, packages: &str) -> Self {
        let advice = format!(
            "let the system's driver load it: install {packages}, plug the adapter in anew (a built-in one: power the \
             machine off), and open it again; it keeps its firmware as long as it has power"
        );
        Self { meaning: meaning.into(), advice }
    }
}

impl fmt::Display for FirmwareHint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}", self.meaning, self.advice)
    }
}

const REALTEK_PACKAGES: &str = "firmware-realtek (Debian) or linux-firmware (others)";
const INTEL_PACKAGES: &str = "firmware-iwlwifi (Debian 12) or linux-firmware (others)";
const PACKAGES: &str = "the firmware of its vendor (linux-firmware)";
const BROADCOM_PACKAGES: &str = "the .hcd file for it in /lib/firmware/brcm";

/// Companies, as Read Local Version Information names them.
const BROADCOM: u16 = 0x000F;
const REALTEK: u16 = 0x005D;
const CYPRESS: u16 = 0x0131;

/// Realtek's chips as they come up without firmware: LMP subversion, HCI revision, and the names of the files for USB
/// and, where it is another, for serial lines. Firmware changes both numbers.
const REALTEK_ROM: [(u16, u16, &str, &str); 16] = [
    (0x1200, 0x000B, "rtl8723a", ""),
    (0x8723, 0x000B, "rtl8723b", "rtl8723bs"),
    (0x8723, 0x000D, "rtl8723d", "rtl8723ds"),
    (0x8761, 0x000A, "rtl8761a", ""),
    (0x8761, 0x000B, "rtl8761bu", "rtl8761b"),
    (0x8761, 0x000E, "rtl8761cu", ""),
    (0x8821, 0x000A, "rtl8821a", ""),
    (0x8821, 0x000C, "rtl8821c", "rtl8821cs"),
    (0x8822, 0x000B, "rtl8822b", "rtl8822bs"),
    (0x8822, 0x000C, "rtl8822cu", "rtl8822cs"),
    (0x8851, 0x000B, "rtl8851bu", ""),
    (0x8852, 0x000A, "rtl8852au", ""),
    (0x8852, 0x000B, "rtl8852bu", "rtl8852bs"),
    (0x8852, 0x000C, "rtl8852cu", ""),
    (0x8852, 0x0087, "rtl8852btu", ""),
    (0x8922, 0x000A, "rtl8922au", ""),
];

/// The hint for a controller that answers, from its versions.
pub(super) fn of_controller(info: &ControllerInfo) -> Option<FirmwareHint> {
    let (lmp, hci) = (info.lmp_subversion, info.hci_subversion);
    match info.company_identifier {
        REALTEK => {
            let rom = REALTEK_ROM.iter().find(|row| (row.0, row.1) == (lmp, hci));
            let (.., usb, serial) = rom?;
            let mut files = format!("rtl_bt/{usb}_fw.bin");
            if !serial.is_empty() {
                files += &format!(" (on a serial line {serial}_fw.bin)");
            }
            let seen = format!("LMP subversion 0x{lmp:04x} with HCI revision 0x{hci:04x}");
            let meaning = format!("{seen} is a Realtek chip without its firmware, {files}");
            Some(FirmwareHint::new(meaning, REALTEK_PACKAGES))
        }
        // The lower 12 bits are the build of the patch in RAM.
        BROADCOM | CYPRESS if hci & 0x0FFF == 0 => {
            let meaning = format!(
                "HCI revision 0x{hci:04x} (build 0) is a Broadcom chip without a patch: it works as its ROM does, \
                 with the defects of that"
            );
            Some(FirmwareHint::new(meaning, BROADCOM_PACKAGES))
        }
        _ => None,
    }
}

/// The hint for a controller that could not be initialised; on USB its vendor is known.
pub(super) fn of_failure(error: &InitError, usb_vendor: Option<u16>) -> Option<FirmwareHint> {
    let is_reset_unknown =
        matches!(error, InitError::Refused { command: Reset::OPCODE, status: ErrorCode::UnknownHciCommand });
    if !is_reset_unknown && !matches!(error, InitError::Silent(_)) {
        return None;
    }
    let without = |whose| format!("{whose} is like this before its firmware is loaded");
    Some(match usb_vendor {
        Some(0x8087) => FirmwareHint::new(without("an Intel chip"), INTEL_PACKAGES),
        Some(0x0BDA) => FirmwareHint::new(without("a Realtek chip"), REALTEK_PACKAGES),
        Some(0x0E8D) => FirmwareHint::new(without("a MediaTek chip"), PACKAGES),
        Some(0x0A5C) => FirmwareHint::new(without("a Broadcom chip"), BROADCOM_PACKAGES),
        _ if is_reset_unknown => FirmwareHint::new(
            "a controller that does not know Reset is a boot loader without firmware",
            PACKAGES,
        ),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::super::Opcode;
    use super::super::init::tests::good_info;
    use super::*;

    /// The hint for a controller of this company, LMP subversion and HCI revision.
    fn hint(company: u16, lmp: u16, hci: u16) -> Option<String> {
        let mut info = good_info();
        (info.company_identifier, info.lmp_subversion, info.hci_subversion) = (company, lmp, hci);
        info.firmware().map(|hint| hint.to_string())
    }

    #[test]
    fn a_realtek_dongle_in_its_rom_is_told_from_one_with_firmware() {
        // The same RTL8761BU dongle before and after, as a Linux kernel logged it.
        let rom = hint(0x005D, 0x8761, 0x000B).expect("a hint");
        assert_eq!(
            rom,
            "LMP subversion 0x8761 with HCI revision 0x000b is a Realtek chip without its firmware, \
             rtl_bt/rtl8761bu_fw.bin (on a serial line rtl8761b_fw.bin); let the system's driver load it: install \
             firmware-realtek (Debian) or linux-firmware (others), plug the adapter in anew (a built-in one: power \
             the machine off), and open it again; it keeps its firmware as long as it has power"
        );
        assert_eq!(hint(0x005D, 0xD922, 0xDFC6), None);
        // The numbers say nothing of another company's chip, and one number alone says nothing.
        assert_eq!(hint(0x000A, 0x8761, 0x000B), None);
        assert_eq!(hint(0x005D, 0x8761, 0xDFC6), None);
    }

    #[test]
    fn every_pair_of_realtek_numbers_names_one_file() {
        let pairs: std::collections::BTreeSet<_> = REALTEK_ROM.iter().map(|row| (row.0, row.1)).collect();
        assert_eq!(pairs.len(), REALTEK_ROM.len());
    }

    #[test]
    fn a_broadcom_chip_without_a_patch_has_build_0() {
        // BCM20702A0 as it comes (0x1000), and patched to build 5708.
        assert!(hint(0x000F, 0x220E, 0x1000).expect("a hint").contains("build 0"));
        assert_eq!(hint(0x000F, 0x220E, 0x164C), None);
        assert!(hint(0x0131, 0x6119, 0x0000).is_some());
    }

    #[test]
    fn an_intel_boot_loader_refuses_reset_as_unknown() {
        let refused = |command, status| InitError::Refused { command, status };
        let boot_loader = refused(Reset::OPCODE, ErrorCode::UnknownHciCommand);
        let text = |error: &InitError, vendor| error.firmware(vendor).map(|hint| hint.meaning);
        let intel = "an Intel chip is like this before its firmware is loaded";
        assert_eq!(text(&boot_loader, Some(0x8087)).as_deref(), Some(intel));
        let unknown = "a controller that does not know Reset is a boot loader without firmware";
        assert_eq!(text(&boot_loader, None).as_deref(), Some(unknown));
        assert_eq!(text(&refused(Reset::OPCODE, ErrorCode::HardwareFailure), Some(0x8087)), None);
    }

    #[test]
    fn silence_is_a_sign_only_on_usb_and_of_vendors_whose_chips_start_silent() {
        let silent = InitError::Silent(Opcode(0x0C03));
        let advice = silent.firmware(Some(0x0BDA)).expect("a hint").advice;
        assert!(advice.contains("firmware-realtek"), "{advice}");
        // A Cambridge Silicon Radio chip works from its ROM; on a serial line it is the line first of all.
        assert_eq!(silent.firmware(Some(0x0A12)), None);
        assert_eq!(silent.firmware(None), None);
        assert_eq!(InitError::NoBuffers.firmware(Some(0x8087)), None);
    }
}
