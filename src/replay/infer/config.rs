//! The configuration of a host, as far as its packets show it.

use super::command;
use crate::BdAddr;
use crate::hci::Command;
use crate::hci::command::LeSetRandomAddress;
use crate::host::{HostConfig, SecurityOptions};
use crate::replay::{Script, is_sent};

impl Script {
    /// The random address that the session's host had, first of all.
    pub fn random_address(&self) -> Option<BdAddr> {
        let commands = self.packets().iter().filter_map(|packet| command(&packet.packet));
        let mut addresses = commands.filter_map(|command| match command {
            Command::LeSetRandomAddress(LeSetRandomAddress { random_address }) => Some(random_address),
            _ => None,
        });
        addresses.next()
    }

    /// The configuration that a host needs to send what this one holds, as far as the packets show it: our random
    /// address, the longest ATT PDU, whether extended commands are avoided, and whether it pairs by itself. The seed is
    /// not in it.
    pub fn config(&self) -> HostConfig {
        let config = HostConfig::new([0; 32]);
        self.configure(match self.random_address() {
            Some(address) => config.random_address(address),
            None => config,
        })
    }

    /// The same for a host whose seed is known: all but the random address, which follows from the seed.
    pub fn configure(&self, mut config: HostConfig) -> HostConfig {
        let sent = || self.packets().iter().filter(|packet| is_sent(packet)).map(|packet| &packet.packet);
        let (mut legacy, mut extended) = (false, false);
        for command in sent().filter_map(command) {
            match command {
                Command::LeSetScanParameters(_)
                | Command::LeCreateConnection(_)
                | Command::LeSetAdvertisingParameters(_) => legacy = true,
                Command::LeSetExtendedScanParameters(_)
                | Command::LeExtendedCreateConnection(_)
                | Command::LeSetExtendedAdvertisingParameters(_) => extended = true,
                _ => {}
            }
        }
        // A host that tried both learned that its controller lacks what it claims.
        config = config.legacy_only(legacy && !extended);
        // A host that pairs where a server asks for it has done so, or is not to.
        let pairs =
            sent().any(|packet| matches!(packet.as_slice(), [0x02, _, _, _, _, _, _, 6, 0, 1 | 0x0B, ..]));
        if !pairs {
            config = config.security(SecurityOptions::new().raise(false));
        }
        let mtu = sent().find_map(|packet| match packet.as_slice() {
            // Exchange MTU, asked or answered, always in one piece ([Vol 3] Part F, 3.4.2).
            [0x02, _, _, 7, 0, 3, 0, 4, 0, 0x02 | 0x03, low, high] => Some(u16::from_le_bytes([*low, *high])),
            _ => None,
        });
        match mtu {
            Some(mtu) => config.mtu(mtu),
            None => config,
        }
    }
}
