"""A radio in one process: Bumble's virtual controllers with the gaps closed that a strict host runs into.

Every TCP connection to `VirtualLink.listen` is a new controller on the air, powered off when the connection ends.
Both the peripheral (Bumble's host) and the host under test sit on such controllers. Nothing in here knows GATT.
"""

from __future__ import annotations

import asyncio
import itertools
import socket

from bumble import controller, core, hci, link, ll
from bumble.host import Host
from bumble.transport import open_transport
from bumble.transport.common import StreamPacketSink, StreamPacketSource

RSSI = -50  # dBm, of every report

# Advertising event properties, as in LE Set Extended Advertising Parameters.
CONNECTABLE, SCANNABLE, DIRECTED, LEGACY = 0x01, 0x02, 0x04, 0x10
LEGACY_PROPERTIES = {0: 0x13, 1: 0x1D, 2: 0x12, 3: 0x10, 4: 0x15}  # by legacy advertising type
EXTENDED_FEATURES = hci.LeFeatureMask.LE_EXTENDED_ADVERTISING | hci.LeFeatureMask.LE_PERIODIC_ADVERTISING
RESOLVING = {hci.HCI_LE_ADD_DEVICE_TO_RESOLVING_LIST_COMMAND, hci.HCI_LE_REMOVE_DEVICE_FROM_RESOLVING_LIST_COMMAND,
             hci.HCI_LE_CLEAR_RESOLVING_LIST_COMMAND, hci.HCI_LE_READ_RESOLVING_LIST_SIZE_COMMAND,
             hci.HCI_LE_READ_PEER_RESOLVABLE_ADDRESS_COMMAND, hci.HCI_LE_READ_LOCAL_RESOLVABLE_ADDRESS_COMMAND,
             hci.HCI_LE_SET_ADDRESS_RESOLUTION_ENABLE_COMMAND, hci.HCI_LE_SET_PRIVACY_MODE_COMMAND,
             hci.HCI_LE_SET_RESOLVABLE_PRIVATE_ADDRESS_TIMEOUT_COMMAND}
REPORT_DATA = 229  # octets of data that fit one extended advertising report


def radio_options(parser):
    """What `host_on` reads."""
    parser.add_argument('--listen', type=int, default=0, metavar='PORT', help='bring the radio; 0: any free port')
    parser.add_argument('--hci', metavar='SPEC', help='join a radio: tcp-client:127.0.0.1:6402')
    parser.add_argument('--legacy-controllers', action='store_true', help='controllers without extended advertising')


async def host_on(options) -> tuple[Host, int | None]:
    """A host on the radio that `--hci` names, or on one of its own that `--listen` opens for others, with its port."""
    if options.hci:
        transport = await open_transport(options.hci)
        return Host(transport.source, transport.sink), None
    link = VirtualLink(extended=not options.legacy_controllers)
    port = await link.listen(options.listen)
    return link.host(), port


def free_closed_channels(manager):
    """Bumble never forgets the peer's CID of a closed channel, and refuses it when it is used again."""
    closed = manager.on_channel_closed

    def on_channel_closed(channel):
        closed(channel)
        manager.le_coc_channels.get(channel.connection.handle, {}).pop(channel.destination_cid, None)
    manager.on_channel_closed = on_channel_closed


class VirtualLink:
    """The air, and the controllers on it."""

    def __init__(self, extended: bool = True):
        self.air = AddressRouting()
        self.extended = extended

    def controller(self) -> RepairedController:
        """With the first address that none on the air has: a host that comes again alone finds the same controller."""
        number = next(n for n in itertools.count(1) if n not in [other.number for other in self.air.controllers])
        public = f'C0:FF:EE:00:{number >> 8 & 0xFF:02X}:{number & 0xFF:02X}'
        made = RepairedController(f'controller-{number}', link=self.air, public_address=public)
        made.number = number
        made.le_acl_data_packet_length, made.total_num_le_acl_data_packets = 27, 64
        made.supported_max_tx_octets = made.supported_max_rx_octets = 251
        made.le_features = made.le_features & ~hci.LeFeatureMask.LL_PRIVACY
        if not self.extended:
            made.le_features = made.le_features & ~EXTENDED_FEATURES
        return made

    def host(self) -> Host:
        """A Bumble host in this process, on a controller of its own."""
        host, made = Host(), self.controller()
        host.controller = made
        made.set_packet_sink(host)
        return host

    async def listen(self, port: int = 0) -> int:
        """Serves a new controller to each host that connects; returns the port."""
        listener = socket.create_server(('127.0.0.1', port))
        await asyncio.get_running_loop().create_server(lambda: HostConnection(self), sock=listener)
        return listener.getsockname()[1]


class HostConnection(StreamPacketSource):
    """One host under test, over H4 on TCP."""

    def __init__(self, owner: VirtualLink):
        super().__init__()
        self.owner = owner

    def connection_made(self, transport):
        transport.get_extra_info('socket').setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.controller = self.owner.controller()
        self.controller.set_packet_sink(StreamPacketSink(transport))
        self.set_packet_sink(self.controller)

    def connection_lost(self, error):
        self.controller.power_off()


class AddressRouting(link.LocalLink):
    """Routes ACL data by the address the connection was made with; the stock link uses the sender's *current*
    random address, and so drops the data of every host that connected with its public one."""

    def send_acl_data(self, sender, dest, transport, data):
        if transport != core.PhysicalTransport.LE:
            return super().send_acl_data(sender, dest, transport, data)
        connection, receiver = sender.le_connections.get(dest), self.find_le_controller(dest)
        if connection and receiver:
            asyncio.get_running_loop().call_soon(
                receiver.on_link_acl_data, connection.self_address, transport, data)


class OnAir:
    """What an advertising PDU carries beyond Bumble's class: rides on the PDU as `pdu.on_air`."""

    def __init__(self, properties, response=b'', phys=(1, 0), sid=0xFF, target=None):
        self.properties, self.response = properties, response
        self.phys, self.sid, self.target = phys, sid, target


class LegacyAdvertiser(controller.LegacyAdvertiser):
    """All five legacy PDU types (stock: ADV_IND only), at the interval asked for (stock: 0.625 ms units as ms)."""

    def _on_timer_fired(self):
        self.send_advertising_data()
        self.timer_handle = asyncio.get_running_loop().call_later(
            max(self.advertising_interval_min, 0x20) * 0.000625, self._on_timer_fired)

    def send_advertising_data(self):
        if not self.enabled:
            return
        properties = LEGACY_PROPERTIES.get(int(self.advertising_type), LEGACY)
        pdu = ll.AdvInd(advertiser_address=self.address, data=bytes(self.advertising_data))
        pdu.on_air = OnAir(properties, bytes(self.scan_response_data),
                           target=self.peer_address if properties & DIRECTED else None)
        self.controller.send_advertising_pdu(pdu)


class RepairedController(controller.Controller):
    """The stock controller, where: every command is answered, Reset resets, Create Connection Cancel cancels, a local
    disconnection is reported as 0x16, reports follow the kind of scan, a key is refreshed when the link is encrypted
    already, and data length, PHY, remote version and the filter accept list work. It has no resolving list: Bumble's
    takes what it is told, and resolves nothing."""

    supported_commands = controller.Controller.supported_commands - RESOLVING

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.le_legacy_advertiser = LegacyAdvertiser(self)
        self.extended_scan = False
        self.reported = set()
        self.accept_list = set()
        self.phys = {}

    def power_off(self):
        self.silence()
        self.link.remove_controller(self)

    def silence(self):
        """Stops advertising, scanning and initiating; the peer of each link sees a supervision time-out."""
        self.le_legacy_advertiser.stop()
        for advertising_set in self.advertising_sets.values():
            advertising_set.stop()
        self.advertising_sets.clear()
        self.le_scan_enable = False
        self.pending_le_connection = None
        self.accept_list.clear()
        for connection in list(self.le_connections.values()):
            connection.send_ll_control_pdu(ll.TerminateInd(hci.HCI_CONNECTION_TIMEOUT_ERROR))
            self.le_connections.pop(connection.peer_address, None)

    # --- commands

    def on_hci_command_packet(self, command):
        if hasattr(self, f'on_{command.name.lower()}') and command.op_code not in RESOLVING:
            return super().on_hci_command_packet(command)
        self._send_hci_command_status(hci.HCI_ErrorCode.UNKNOWN_HCI_COMMAND_ERROR, command.op_code)

    def on_hci_reset_command(self, command):
        self.silence()
        self.le_legacy_advertiser.advertising_data = b''
        self.le_legacy_advertiser.scan_response_data = b''
        return super().on_hci_reset_command(command)

    def on_hci_le_set_scan_enable_command(self, command):
        self.extended_scan = False
        self.reported.clear()
        return super().on_hci_le_set_scan_enable_command(command)

    def on_hci_le_set_extended_scan_enable_command(self, command):
        self.extended_scan = True
        self.reported.clear()
        return super().on_hci_le_set_extended_scan_enable_command(command)

    def on_hci_le_set_extended_scan_parameters_command(self, command):
        self.le_scan_type = command.scan_types[0] if command.scan_types else 0
        return super().on_hci_le_set_extended_scan_parameters_command(command)

    def on_hci_le_create_connection_cancel_command(self, command):
        if self.pending_le_connection is None:
            return hci.HCI_StatusReturnParameters(hci.HCI_ErrorCode.COMMAND_DISALLOWED_ERROR)
        self.pending_le_connection = None
        cancelled = hci.HCI_LE_Connection_Complete_Event(
            status=hci.HCI_ErrorCode.UNKNOWN_CONNECTION_IDENTIFIER_ERROR, connection_handle=0, role=0,
            peer_address_type=0, peer_address=hci.Address.ANY, connection_interval=0, peripheral_latency=0,
            supervision_timeout=0, central_clock_accuracy=0)
        asyncio.get_running_loop().call_soon(self.send_hci_packet, cancelled)
        return hci.HCI_StatusReturnParameters(hci.HCI_ErrorCode.SUCCESS)

    def on_hci_le_clear_filter_accept_list_command(self, command):
        self.accept_list.clear()
        return super().on_hci_le_clear_filter_accept_list_command(command)

    def on_hci_le_add_device_to_filter_accept_list_command(self, command):
        self.accept_list.add(bytes(command.address))
        return super().on_hci_le_add_device_to_filter_accept_list_command(command)

    def on_hci_le_remove_device_from_filter_accept_list_command(self, command):
        self.accept_list.discard(bytes(command.address))
        return super().on_hci_le_remove_device_from_filter_accept_list_command(command)

    def on_le_encryption_change(self, connection, status):
        if status == hci.HCI_ErrorCode.SUCCESS and getattr(connection, 'encrypted', False):
            self.send_hci_packet(hci.HCI_Encryption_Key_Refresh_Complete_Event(
                status=status, connection_handle=connection.handle))
            return
        connection.encrypted = status == hci.HCI_ErrorCode.SUCCESS
        super().on_le_encryption_change(connection, status)

    def on_hci_disconnect_command(self, command):
        connection = self.find_le_connection_by_handle(command.connection_handle)
        if connection is None:
            return self._send_hci_command_status(
                hci.HCI_ErrorCode.UNKNOWN_CONNECTION_IDENTIFIER_ERROR, command.op_code)
        self._send_hci_command_status(0, command.op_code)
        connection.send_ll_control_pdu(ll.TerminateInd(command.reason))
        self.on_le_disconnected(connection, hci.HCI_CONNECTION_TERMINATED_BY_LOCAL_HOST_ERROR)

    def on_hci_le_set_data_length_command(self, command):
        connection = self.find_le_connection_by_handle(command.connection_handle)
        for end, handle in self.both_ends(connection):
            end.send_hci_packet(hci.HCI_LE_Data_Length_Change_Event(
                connection_handle=handle, max_tx_octets=command.tx_octets, max_tx_time=command.tx_time,
                max_rx_octets=command.tx_octets, max_rx_time=command.tx_time))
        return hci.HCI_StatusAndConnectionHandleReturnParameters(
            status=0 if connection else hci.HCI_UNKNOWN_CONNECTION_IDENTIFIER_ERROR,
            connection_handle=command.connection_handle)

    def on_hci_le_set_phy_command(self, command):
        connection = self.find_le_connection_by_handle(command.connection_handle)
        status = 0 if connection else hci.HCI_UNKNOWN_CONNECTION_IDENTIFIER_ERROR
        self._send_hci_command_status(status, command.op_code)

        def chosen(no_preference, wanted):
            return 1 if no_preference or not wanted & 6 else 2 if wanted & 2 else 3
        tx = chosen(command.all_phys & 1, int(command.tx_phys))
        rx = chosen(command.all_phys & 2, int(command.rx_phys))
        for end, handle in self.both_ends(connection):
            phys = (tx, rx) if end is self else (rx, tx)
            end.phys[handle] = phys
            end.send_hci_packet(hci.HCI_LE_PHY_Update_Complete_Event(
                status=0, connection_handle=handle, tx_phy=hci.Phy(phys[0]), rx_phy=hci.Phy(phys[1])))

    def on_hci_le_read_phy_command(self, command):
        tx, rx = self.phys.get(command.connection_handle, (1, 1))
        return hci.HCI_LE_Read_PHY_ReturnParameters(
            status=0, connection_handle=command.connection_handle, tx_phy=tx, rx_phy=rx)

    def on_hci_read_remote_version_information_command(self, command):
        connection = self.find_le_connection_by_handle(command.connection_handle)
        status = 0 if connection else hci.HCI_UNKNOWN_CONNECTION_IDENTIFIER_ERROR
        self._send_hci_command_status(status, command.op_code)
        if connection:
            self.send_hci_packet(hci.HCI_Read_Remote_Version_Information_Complete_Event(
                status=0, connection_handle=connection.handle, version=9, manufacturer_name=0xFFFF,
                subversion=0x0236))

    def both_ends(self, connection):
        if connection is None:
            return
        yield self, connection.handle
        other = self.link.find_le_controller(connection.peer_address)
        if other and (their_end := other.le_connections.get(connection.self_address)):
            yield other, their_end.handle

    # --- the air

    def send_advertising_pdu(self, pdu):
        if isinstance(pdu, ll.AdvExtInd):
            for advertising_set in self.advertising_sets.values():
                parameters = advertising_set.parameters
                if (advertising_set.address == pdu.advertiser_address and parameters
                        and parameters.advertising_sid == pdu.sid):
                    pdu.on_air = describe(advertising_set, parameters)
        super().send_advertising_pdu(pdu)

    def on_advertising_pdu(self, pdu):
        """Bumble's part creates connections and periodic syncs; reports are made here."""
        scanning, self.le_scan_enable = self.le_scan_enable, False
        pending = self.pending_le_connection
        ignored = pending is not None and not self.may_connect(pending, pdu)
        if ignored:
            self.pending_le_connection = None
        try:
            super().on_advertising_pdu(pdu)
        finally:
            self.le_scan_enable = scanning
            if ignored:
                self.pending_le_connection = pending
        if scanning:
            self.report(pdu)

    def may_connect(self, pending, pdu):
        if not pdu.on_air.properties & CONNECTABLE:
            return False
        if pending.initiator_filter_policy == 1:
            if bytes(pdu.advertiser_address) not in self.accept_list:
                return False
            pending.peer_address = pdu.advertiser_address
        return True

    def report(self, pdu):
        address, on_air = pdu.advertiser_address, pdu.on_air
        if self.le_scanning_filter_policy & 1 and bytes(address) not in self.accept_list:
            return
        packets = [(False, b'' if on_air.properties & DIRECTED else bytes(pdu.data))]
        if on_air.properties & SCANNABLE and self.le_scan_type == 1:
            packets.append((True, bytes(on_air.response)))
        for is_response, data in packets:
            key = (bytes(address), is_response, on_air.properties, on_air.sid)
            if self.filter_duplicates and key in self.reported:
                continue
            self.reported.add(key)
            if self.extended_scan:
                self.report_extended(address, on_air, is_response, data)
            elif on_air.properties & LEGACY:
                self.report_legacy(address, on_air, is_response, data)

    def report_legacy(self, address, on_air, is_response, data):
        event, properties = hci.HCI_LE_Advertising_Report_Event, on_air.properties
        kind = (4 if is_response else 1 if properties & DIRECTED else 0 if properties & CONNECTABLE
                else 2 if properties & SCANNABLE else 3)
        self.send_hci_packet(event([event.Report(
            event_type=event.EventType(kind), address_type=address.address_type, address=address, data=data,
            rssi=RSSI)]))

    def report_extended(self, address, on_air, is_response, data):
        event = hci.HCI_LE_Extended_Advertising_Report_Event
        kind = on_air.properties & 0x17 | (0x08 if is_response else 0)
        parts = [data[at:at + REPORT_DATA] for at in range(0, len(data), REPORT_DATA)] or [b'']
        for index, part in enumerate(parts):
            more = 0x20 if index + 1 < len(parts) else 0
            self.send_hci_packet(event([event.Report(
                event_type=kind | more, address_type=address.address_type, address=address,
                primary_phy=hci.Phy(on_air.phys[0] or 1), secondary_phy=on_air.phys[1] or 0,
                advertising_sid=on_air.sid, tx_power=0x7F, rssi=RSSI, periodic_advertising_interval=0,
                direct_address_type=on_air.target.address_type if on_air.target else 0,
                direct_address=on_air.target or hci.Address.ANY, data=part)]))


def describe(advertising_set, parameters) -> OnAir:
    properties = int(parameters.advertising_event_properties)
    legacy = properties & LEGACY
    return OnAir(
        properties, bytes(advertising_set.scan_response_data),
        phys=(int(parameters.primary_advertising_phy), 0 if legacy else int(parameters.secondary_advertising_phy)),
        sid=0xFF if legacy else parameters.advertising_sid,
        target=parameters.peer_address if properties & DIRECTED else None)
