//! A controller that does what it is told, at once: enough of one for a host to be initialised and to have links.

use arbitrary::Arbitrary;
use baretooth::att::pdu::ExchangeMtuRsp;
use baretooth::att::{AttOpcode, AttPdu};
use baretooth::codec::{HexInt, List, Rest};
use baretooth::hci::event::*;
use baretooth::hci::{
    AclData, AddressType, Command, CompletedPackets, ConnectionHandle, ErrorCode, Event, LeEvent, Opcode,
    Phy, Role,
};
use baretooth::l2cap::{ChannelId, fragment, frame};
use baretooth::transports::{HciPacket, PacketIndicator};
use baretooth::{AddressKind, BdAddr};

/// What it says of itself.
#[derive(Arbitrary, Clone, Debug)]
pub struct Abilities {
    features: u64,
    /// 0 has the host ask for the buffers of BR/EDR.
    acl_length: u8,
    acl_count: u8,
    att_mtu: u16,
}

/// The controller, and the server behind every link, which knows of ATT only the exchange of the MTU.
#[derive(Debug)]
pub struct Controller {
    abilities: Abilities,
    next_handle: u16,
    said: Vec<HciPacket>,
}

impl Controller {
    pub fn new(abilities: Abilities) -> Self {
        Self { abilities, next_handle: 1, said: Vec::new() }
    }

    /// What it says to a packet of the host.
    pub fn on_packet(&mut self, packet: &HciPacket) -> Vec<HciPacket> {
        match packet.indicator() {
            PacketIndicator::Command => self.on_command(packet),
            PacketIndicator::AclData => self.on_data(packet),
            _ => {}
        }
        std::mem::take(&mut self.said)
    }

    fn on_command(&mut self, packet: &HciPacket) {
        let opcode = opcode(packet);
        // The host's user may send anything.
        let command =
            Command::parse(opcode, packet.payload()).unwrap_or(Command::Unknown { opcode, parameters: &[] });
        let status = ErrorCode::Success;
        match command {
            Command::LeReadBufferSize(_) => {
                let [low, high] = u16::from(self.abilities.acl_length).to_le_bytes();
                self.complete(opcode, &[0, low, high, self.abilities.acl_count]);
            }
            Command::ReadBufferSize(_) => self.complete(opcode, &[0, 0xFD, 3, 0, 8, 0, 0, 0]),
            Command::ReadLocalSupportedCommands(_) => {
                self.complete(opcode, &[&[0][..], &[0xFF; 64]].concat())
            }
            Command::LeReadLocalSupportedFeaturesPage0(_) => {
                self.complete(opcode, &[&[0][..], &self.abilities.features.to_le_bytes()].concat());
            }
            Command::LeCreateConnection(c) => self.connect(opcode, c.peer_address_type, c.peer_address),
            Command::LeExtendedCreateConnection(c) => {
                self.connect(opcode, c.peer_address_type, c.peer_address)
            }
            Command::Disconnect(c) => {
                let (connection_handle, reason) = (c.connection_handle, c.reason);
                self.status_and(opcode, DisconnectionComplete { status, connection_handle, reason });
            }
            Command::ReadRemoteVersionInformation(c) => {
                let event = ReadRemoteVersionInformationComplete {
                    status,
                    connection_handle: c.connection_handle,
                    version: 13,
                    company_identifier: HexInt(0xFFFF),
                    subversion: 1,
                };
                self.status_and(opcode, event);
            }
            Command::LeReadRemoteFeaturesPage0(c) => {
                let le_features = HexInt(0x1F);
                let connection_handle = c.connection_handle;
                let event = LeReadRemoteFeaturesPage0Complete { status, connection_handle, le_features };
                self.status_and(opcode, LeEvent::from(event));
            }
            Command::LeSetPhy(c) => {
                let (tx_phy, rx_phy) = (Phy::Le2M, Phy::Le2M);
                let connection_handle = c.connection_handle;
                let event = LePhyUpdateComplete { status, connection_handle, tx_phy, rx_phy };
                self.status_and(opcode, LeEvent::from(event));
            }
            Command::LeConnectionUpdate(c) => {
                let event = LeConnectionUpdateComplete {
                    status,
                    connection_handle: c.connection_handle,
                    connection_interval: c.connection_interval_max,
                    peripheral_latency: c.max_latency,
                    supervision_timeout: c.supervision_timeout,
                };
                self.status_and(opcode, LeEvent::from(event));
            }
            Command::LeEnableEncryption(c) => {
                let connection_handle = c.connection_handle;
                let event = EncryptionChange { status, connection_handle, encryption_enabled: 1 };
                self.status_and(opcode, event);
            }
            Command::LeLongTermKeyRequestReply(c) => {
                let connection_handle = c.connection_handle;
                self.complete(opcode, &[&[0][..], &connection_handle.0.to_le_bytes()].concat());
                self.say(EncryptionChange { status, connection_handle, encryption_enabled: 1 });
            }
            _ => self.complete(opcode, &[0; 16]),
        }
    }

    fn connect(&mut self, opcode: Opcode, peer_address_type: AddressType, peer_address: BdAddr) {
        let connection_handle = ConnectionHandle(self.next_handle);
        self.next_handle = self.next_handle % 8 + 1;
        let event = LeConnectionComplete {
            status: ErrorCode::Success,
            connection_handle,
            role: Role::Central,
            peer_address_type,
            peer_address,
            connection_interval: 24,
            peripheral_latency: 0,
            supervision_timeout: 500,
            central_clock_accuracy: 0,
        };
        self.status_and(opcode, LeEvent::from(event));
    }

    fn on_data(&mut self, packet: &HciPacket) {
        let Ok(acl) = AclData::parse(packet.as_slice()) else { panic!("{packet:?} is malformed") };
        let handles = [CompletedPackets { connection_handle: acl.handle, num_completed_packets: 1 }];
        let handles = List::new(&handles).expect("one");
        self.say(NumberOfCompletedPackets { handles });
        if let Ok((ChannelId::Attribute, pdu)) = frame::parse(acl.data)
            && let Ok(AttPdu::ExchangeMtuReq(_)) = AttPdu::from_octets(pdu)
        {
            let answer = AttPdu::from(ExchangeMtuRsp { server_rx_mtu: self.abilities.att_mtu }).to_bytes();
            self.said.extend(fragment::fragments(acl.handle, 27, ChannelId::Attribute, &answer));
        }
    }

    fn complete(&mut self, command_opcode: Opcode, return_parameters: &[u8]) {
        let return_parameters = Rest(return_parameters);
        self.say(CommandComplete { num_hci_command_packets: 1, command_opcode, return_parameters });
    }

    fn status_and<'a>(&mut self, command_opcode: Opcode, event: impl Into<Event<'a>>) {
        self.say(CommandStatus { status: ErrorCode::Success, num_hci_command_packets: 1, command_opcode });
        self.say(event);
    }

    fn say<'a>(&mut self, event: impl Into<Event<'a>>) {
        self.said.push(event.into().to_packet().expect("what it says is short"));
    }
}

/// The opcode of a command packet.
pub fn opcode(packet: &HciPacket) -> Opcode {
    match packet.as_slice() {
        [1, low, high, ..] => Opcode(u16::from_le_bytes([*low, *high])),
        _ => Opcode::NONE,
    }
}

/// The request in an ACL packet that begins a frame with one.
pub fn att_request(packet: &HciPacket) -> Option<(ConnectionHandle, AttOpcode)> {
    let acl = AclData::parse(packet.as_slice()).ok()?;
    match acl.data {
        [_, _, 4, 0, code, ..] => AttOpcode(*code).response().map(|_| (acl.handle, AttOpcode(*code))),
        _ => None,
    }
}

/// One of eight peers.
pub fn peer(number: u8) -> baretooth::Address {
    let bd_addr = BdAddr([number % 8, 0, 0, 0, 0, 0xC0]);
    baretooth::Address { bd_addr, kind: AddressKind::Random }
}
