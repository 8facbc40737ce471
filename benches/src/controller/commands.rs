//! Every command a host's start-up, scan and connection need. What is not here is an Unknown HCI Command.

use super::{Controller, DEFAULT_MASK, FIRST_HANDLE, Link};
use crate::h4::{octet, word};
use std::time::Duration;

impl Controller {
    pub(super) fn command(&mut self, now: Duration, opcode: u16, parameters: &[u8]) {
        if self.options.verbose {
            eprintln!("command 0x{opcode:04X} {parameters:02x?}");
        }
        let at = |offset| octet(parameters, offset);
        let address = |offset: usize| {
            let octets = parameters.get(offset..).and_then(|rest| rest.first_chunk::<6>());
            octets.copied().unwrap_or_default()
        };
        let (h0, h1) = (at(0), at(1));
        let [l0, l1] = self.options.acl_length.to_le_bytes();
        let number = self.options.acl_number;
        match opcode {
            0x0C03 => self.reset(),
            // Read Local Version, Supported Commands, Supported Features, Buffer Size, BD_ADDR.
            0x1001 => self.complete(opcode, &[0, 0x0C, 0, 0, 0x0C, 0xFF, 0xFF, 0, 0]),
            0x1002 => self.supported_commands(),
            0x1003 => self.complete(opcode, &[0, 0, 0, 0, 0, 0x60, 0, 0, 0]),
            0x1005 => self.complete(opcode, &[0, l0, l1, 0, number, 0, 0, 0]),
            0x1009 => self.complete(opcode, &[0, 1, 2, 3, 4, 5, 6]),
            // LE Set Event Mask.
            0x2001 => {
                if let Some(mask) = parameters.first_chunk() {
                    self.le_event_mask = u64::from_le_bytes(*mask);
                }
                self.complete(opcode, &[0]);
            }
            // LE Read Buffer Size [v1], Local Features, States.
            0x2002 => self.complete(opcode, &[0, l0, l1, number]),
            0x2003 => {
                let extended = if self.options.extended { 0x10 } else { 0 };
                self.complete(opcode, &[0, 0x21, 0x01 | extended, 0, 0, 0, 0, 0, 0]);
            }
            0x201C => self.complete(opcode, &[0, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 3, 0, 0]),
            // Sizes of the filter, resolving and periodic lists; advertising channel power.
            0x2007 | 0x2036 => self.complete(opcode, &[0, 0]),
            0x200F => self.complete(opcode, &[0, 16]),
            0x202A => self.complete(opcode, &[0, 8]),
            // LE Encrypt, LE Rand: constants, nothing here is secret.
            0x2017 => self.complete(opcode, &[[0].as_slice(), &[0x5A; 16]].concat()),
            0x2018 => self.complete(opcode, &[0, 1, 2, 3, 4, 5, 6, 7, 8]),
            // Suggested and maximum data length, PHY, advertising data length and sets.
            0x2023 => self.complete(opcode, &[0, 251, 0, 0x48, 8]),
            0x202F => self.complete(opcode, &[0, 251, 0, 0x48, 8, 251, 0, 0x48, 8]),
            0x2030 => self.complete(opcode, &[0, h0, h1, 2, 2]),
            0x203A => self.complete(opcode, &[0, 0xFB, 0]),
            0x203B => self.complete(opcode, &[0, 4]),
            // LE Set (Extended) Scan Enable.
            0x200C | 0x2042 => {
                self.complete(opcode, &[0]);
                self.scan.enable(now, at(0) != 0, self.options.reports);
            }
            // LE (Extended) Create Connection.
            0x200D => self.connect(opcode, at(5), address(6)),
            0x2043 => self.connect(opcode, at(2), address(3)),
            // LE Read Remote Features, Read Remote Version, Set Data Length, Set PHY, Connection Update.
            0x2016 => self.pending(opcode, 0x3E, &[4, 0, h0, h1, 0x21, 1, 0, 0, 0, 0, 0, 0]),
            0x041D => self.pending(opcode, 0x0C, &[0, h0, h1, 0x0C, 0xFF, 0xFF, 0, 0]),
            0x2022 => {
                self.complete(opcode, &[0, h0, h1]);
                self.event(0x3E, &[7, h0, h1, 251, 0, 0x48, 8, 251, 0, 0x48, 8]);
            }
            0x2032 => self.pending(opcode, 0x3E, &[0x0C, 0, h0, h1, 2, 2]),
            0x2013 => {
                let new = [at(4), at(5), at(6), at(7), at(8), at(9)];
                self.pending(opcode, 0x3E, &[&[3, 0, h0, h1], &new[..]].concat());
            }
            0x0406 => {
                let index = usize::from(word(parameters, 0).wrapping_sub(FIRST_HANDLE));
                if let Some(link) = self.links.get_mut(index) {
                    *link = Link::default();
                }
                self.pending(opcode, 0x05, &[0, h0, h1, 0x16]);
            }
            // Read RSSI.
            0x1405 => self.complete(opcode, &[0, h0, h1, 0xC4]),
            // Set Controller To Host Flow Control, Host Buffer Size, Host Number Of Completed Packets (not answered).
            0x0C31 => {
                self.host_credits.on = at(0) & 1 != 0;
                self.complete(opcode, &[0]);
            }
            0x0C33 => {
                self.host_credits.buffers = u64::from(word(parameters, 3));
                self.host_credits.left = self.host_credits.buffers;
                self.complete(opcode, &[0]);
            }
            0x0C35 => {
                let groups = parameters.get(1..).unwrap_or_default().chunks_exact(4);
                let given: u64 = groups.map(|group| u64::from(word(group, 2))).sum();
                self.host_credits.left = (self.host_credits.left + given).min(self.host_credits.buffers);
            }
            _ if ACCEPTED.contains(&opcode) => self.complete(opcode, &[0]),
            _ => self.complete(opcode, &[UNKNOWN_COMMAND]),
        }
    }

    fn reset(&mut self) {
        self.links.iter_mut().for_each(|link| *link = Link::default());
        self.scan.enable(Duration::ZERO, false, None);
        self.le_event_mask = DEFAULT_MASK;
        self.host_credits = Default::default();
        self.complete(0x0C03, &[0]);
    }

    fn supported_commands(&mut self) {
        let mut bits = [0; 64];
        for (octet, mask) in SUPPORTED {
            bits[octet] = mask;
        }
        if self.options.extended {
            (bits[36], bits[37]) = (0xFE, 0xFF);
        }
        self.complete(0x1002, &[[0].as_slice(), &bits].concat());
    }

    /// Whatever the address, somebody there accepts at once.
    fn connect(&mut self, opcode: u16, address_type: u8, address: [u8; 6]) {
        let Some((handle, link)) = (FIRST_HANDLE..).zip(&mut self.links).find(|(_, link)| !link.up) else {
            return self.status(opcode, CONNECTION_LIMIT);
        };
        *link = Link { up: true, mtu: 23, ..Link::default() };
        let [h0, h1] = handle.to_le_bytes();
        let enhanced = self.le_event_mask & 1 << 9 != 0;
        let mut parameters = vec![if enhanced { 0x0A } else { 0x01 }, 0, h0, h1, 0, address_type];
        parameters.extend(address);
        if enhanced {
            parameters.extend([0; 12]);
        }
        parameters.extend([6, 0, 0, 0, 0xF4, 1, 0]);
        self.pending(opcode, 0x3E, &parameters);
    }

    fn complete(&mut self, opcode: u16, parameters: &[u8]) {
        let [low, high] = opcode.to_le_bytes();
        self.event(0x0E, &[&[1, low, high], parameters].concat());
    }

    fn status(&mut self, opcode: u16, status: u8) {
        let [low, high] = opcode.to_le_bytes();
        self.event(0x0F, &[status, 1, low, high]);
    }

    /// Command Status, and what comes of the command at once.
    fn pending(&mut self, opcode: u16, code: u8, parameters: &[u8]) {
        self.status(opcode, 0);
        self.event(code, parameters);
    }
}

const UNKNOWN_COMMAND: u8 = 0x01;
const CONNECTION_LIMIT: u8 = 0x09;

/// Commands that only say that they worked: event masks, addresses, parameters, data, lists, host support.
const ACCEPTED: [u16; 28] = [
    0x0C01, 0x0C63, 0x0C6D, 0x2005, 0x2006, 0x2008, 0x2009, 0x200A, 0x200B, 0x200E, 0x2010, 0x2011, 0x2012,
    0x2024, 0x2027, 0x2028, 0x2029, 0x202D, 0x202E, 0x2031, 0x2035, 0x2037, 0x2038, 0x2039, 0x203C, 0x203D,
    0x2041, 0x204E,
];

/// Octets of Supported Commands that are not zero.
const SUPPORTED: [(usize, u8); 12] = [
    (0, 0x20),
    (2, 0x80),
    (5, 0xC0),
    (14, 0xA8),
    (15, 0x22),
    (25, 0xF7),
    (26, 0xFF),
    (27, 0xFF),
    (28, 0x0F),
    (33, 0xC0),
    (34, 0x01),
    (35, 0x78),
];
