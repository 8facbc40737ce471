//! What the host sends: every part in its turn, and the commands that it gives besides.

use super::link::Out;
use super::phase::Wait;
use super::{Host, Owner, State};
use crate::Instant;
use crate::gap::scan::ScanSupport;
use crate::hci::command::{self, HciCommand};
use crate::hci::{ConnectionHandle, ErrorCode};

/// Commands of the host itself that may wait for the controller.
const MOST_HOUSEKEEPING: usize = 64;

impl Host {
    /// Lets every part send what it may send now.
    pub(super) fn pump(&mut self, now: Instant) {
        if let State::Ready = self.state {
            let may_connect = self.pump_privacy(now);
            self.pump_controller(now, may_connect);
        }
        self.tell_ended_searches();
        self.poll_advertising();
        self.poll_security(now);
        self.tell_paired(now);
        let (acl, events) = (&mut self.acl, &mut self.events);
        let out = &mut Out { acl, events, table: &mut self.table, servers: &self.servers };
        self.links.values_mut().for_each(|link| link.pump_channels(now, out));
        while let Some(packet) = self.commands.pump(now) {
            self.transmit.push_back(packet);
        }
        while let Some(packet) = self.acl.pump() {
            self.transmit.push_back(packet);
        }
    }

    /// Connecting, scanning and advertising.
    fn pump_controller(&mut self, now: Instant, may_connect: bool) {
        let Some(info) = &self.info else { return };
        let (extended, usual) = (info.extended, self.privacy.on_air().usual);
        if self.connector.is_blocked() {
            self.scanner.pause();
        }
        if may_connect {
            let may_start = !self.scanner.is_scanning();
            if let Some(packet) = self.connector.poll_command(now, extended, may_start, usual) {
                self.commands.push(Owner::Connect, packet);
            }
        }
        if !self.connector.is_blocked() && !self.connector.is_initiating() {
            self.scanner.resume();
        }
        let support = ScanSupport {
            extended,
            coded: info.features.coded_phy(),
            own_address_type: self.scan_address().unwrap_or(usual).to_wire(),
        };
        if let Some(packet) = self.scanner.poll_command(&support) {
            self.commands.push(Owner::Scan, packet);
        }
        while let Some(outcome) = self.scanner.poll_outcome() {
            self.on_scan_outcome(outcome);
        }
        let support = self.advertise_support();
        if let Some(packet) = self.advertising.advertiser.poll_command(&support) {
            self.commands.push(Owner::Advertise, packet);
        }
    }

    /// A command whose outcome nobody waits for. Peers and controllers can cause any number of them, so only a few
    /// wait for a controller that does not answer.
    pub(super) fn housekeeping<'a>(&mut self, command: impl HciCommand<'a>) {
        let ours = self.commands.waiting().filter(|(owner, _)| matches!(owner, Owner::Housekeeping));
        if ours.count() >= MOST_HOUSEKEEPING {
            tracing::warn!("command not sent: the controller answers too slowly");
            return;
        }
        match command.to_packet() {
            Ok(packet) => self.commands.push(Owner::Housekeeping, packet),
            Err(error) => tracing::warn!(%error, "command not sent"),
        }
    }

    pub(super) fn disconnect(&mut self, now: Instant, handle: ConnectionHandle, reason: ErrorCode) {
        if let Some(link) = self.links.get_mut(&handle) {
            link.end(now);
            if link.is_waiting(Wait::Disconnection) {
                return;
            }
        }
        // Never left out, but never twice: no more wait than there are handles.
        if let Ok(packet) = (command::Disconnect { connection_handle: handle, reason }).to_packet()
            && !self.commands.waiting().any(|(_, waiting)| *waiting == packet)
        {
            self.commands.push(Owner::Housekeeping, packet);
        }
    }

    /// What the controller has begun for somebody it need not be told again.
    pub(super) fn withdraw_disconnect(&mut self, handle: ConnectionHandle) {
        let opcode = command::Disconnect::OPCODE.0.to_le_bytes();
        self.commands.withdraw(|owner, packet| {
            matches!((owner, packet.as_slice()), (Owner::Housekeeping, [_, a, b, _, c, d, ..])
                if [*a, *b] == opcode && [*c, *d] == handle.0.to_le_bytes())
        });
    }
}
