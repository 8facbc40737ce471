"""A Bumble central that does what it is told, to judge a peripheral by. Prints `ready`, then events; every command on
stdin, one JSON object per line, is answered by what it saw.

Either it brings the radio (`--listen`: the peripheral connects over H4 on TCP), or it joins one (`--hci`, rootcanal).
An ATT error is an answer too: {"error": code}. The commands are the methods `cmd_…` below and in pairing.py.
"""

import argparse
import asyncio
import logging
import struct
import sys
import time
import zlib

from bumble import att, core, hci, l2cap
from bumble.core import UUID, AdvertisingData
from bumble.device import Advertisement, Device, DeviceConfiguration, Peer
from bumble.gatt import GATT_INCLUDE_ATTRIBUTE_TYPE
from bumble.gatt_client import Client, ServiceProxy
from jsonlines import emit, serve_commands
from pairing import Security, pairing_options, privacy
from services import PROPERTY_NAMES, full
from virtual_link import free_closed_channels, host_on, radio_options

ECHO_PSM = 0x90  # of the channels that this side echoes


class Central:
    def __init__(self, options):
        self.options = options
        self.connection = self.peer = None
        self.security = Security(options)
        self.received = {}  # value handle -> values, in the order they came

    async def run(self):
        host, port = await host_on(self.options)
        self.device = Device(host=host, config=DeviceConfiguration(
            name='Central', address=hci.Address(self.options.address), eatt_enabled=self.options.eatt,
            **privacy(self.options)))
        self.security.attach(self.device)
        free_closed_channels(self.device.l2cap_channel_manager)
        self.device.create_l2cap_server(
            spec=l2cap.LeCreditBasedChannelSpec(psm=ECHO_PSM, mtu=512, mps=64, max_credits=4), handler=self.echo)
        await self.device.power_on()
        serve_commands(self, self.security)
        emit('ready', port=port, address=self.device.random_address.to_string(False), identity=self.options.address,
             echo_psm=ECHO_PSM)
        await asyncio.get_running_loop().create_future()

    def echo(self, channel):
        channel.sink = channel.write
        channel.on('close', lambda: emit('channel_closed', psm=channel.psm))
        emit('channel', psm=channel.psm, mtu=channel.peer_mtu, mps=channel.peer_mps, credits=channel.credits)

    # --- the link

    async def cmd_scan(self, address, seconds=10):
        """What is heard of a device: its advertisement, and its scan response if it can have one."""
        heard, whole = {}, asyncio.get_running_loop().create_future()

        def listen(report):
            advertisement = Advertisement.from_advertising_report(report)
            if report.address.to_string(False) != address:
                return
            kind = 'response' if advertisement.is_scan_response else 'advertisement'
            heard[kind] = dict(
                data=bytes(report.data).hex(), legacy=advertisement.is_legacy, random=report.address.is_random,
                connectable=advertisement.is_connectable, scannable=advertisement.is_scannable)
            if 'advertisement' in heard and ('response' in heard or not heard['advertisement']['scannable']):
                whole.done() or whole.set_result(heard)
        self.device.host.on('advertising_report', listen)
        await self.device.start_scanning(active=True)
        try:
            return await asyncio.wait_for(whole, seconds)
        except asyncio.TimeoutError:
            return heard
        finally:
            await self.device.stop_scanning()
            self.device.host.remove_listener('advertising_report', listen)

    async def cmd_find(self, called, seconds=10):
        """The address of a device that advertises this name."""
        found = asyncio.get_running_loop().create_future()

        def listen(advertisement):
            if advertisement.data.get(AdvertisingData.COMPLETE_LOCAL_NAME) == called and not found.done():
                found.set_result(advertisement.address.to_string(False))
        self.device.on('advertisement', listen)
        await self.device.start_scanning(active=True)
        try:
            return await asyncio.wait_for(found, seconds)
        finally:
            await self.device.stop_scanning()
            self.device.remove_listener('advertisement', listen)

    async def cmd_connect(self, address, seconds=10):
        self.connection = connection = await self.device.connect(
            hci.Address(address), own_address_type=hci.OwnAddressType.RANDOM, timeout=seconds)
        self.peer, self.received = Peer(connection), {}
        self.security.watch(connection)
        connection.on('disconnection', lambda reason: emit('disconnected', reason=int(reason)))
        connection.on('connection_parameters_update', lambda: emit('parameters', **self.timing()))

    async def cmd_disconnect(self, reason=0x13):
        await self.connection.disconnect(reason)

    async def cmd_parameters(self, interval_min, interval_max, latency, timeout):
        """In milliseconds, but for the latency; what the link has then."""
        await self.connection.update_parameters(interval_min, interval_max, latency, timeout)
        return self.timing()

    def timing(self):
        now = self.connection.parameters
        return dict(interval=now.connection_interval, latency=now.peripheral_latency, timeout=now.supervision_timeout)

    async def cmd_phy(self, phy):
        """Asks for a PHY both ways; what the link has then."""
        changed = asyncio.get_running_loop().create_future()
        self.connection.once('connection_phy_update', changed.set_result)
        await self.connection.set_phy([hci.Phy(phy)], [hci.Phy(phy)])
        await asyncio.wait_for(changed, 5)
        now = await self.connection.get_phy()
        return [int(now.tx_phy), int(now.rx_phy)]

    async def cmd_data_length(self, octets, microseconds):
        changed = asyncio.get_running_loop().create_future()
        self.connection.once('connection_data_length_change', lambda: changed.set_result(None))
        await self.connection.set_data_length(octets, microseconds)
        await asyncio.wait_for(changed, 5)
        now = self.connection.data_length
        return [now.max_tx_octets, now.max_rx_octets]

    async def cmd_features(self):
        return int(await self.connection.get_remote_le_features())

    # --- security

    async def cmd_pair(self):
        return await self.security.pair(self.connection)

    async def cmd_encrypt(self):
        return await self.security.encrypt(self.connection)

    async def cmd_new_address(self):
        """Connects with another resolvable address from now on: that."""
        return await self.security.new_address()

    # --- the attribute protocol

    async def cmd_mtu(self, mtu):
        return await self.peer.request_mtu(mtu)

    async def cmd_discover(self):
        """All services, in the form that `baretooth gatt --json` prints."""
        await self.peer.discover_services()
        services, found = list(self.peer.services), []
        for service in services:  # grows by what is included
            includes = [await self.include(handle, value, services) for handle, value in await self.declared(service)]
            await self.peer.discover_characteristics(service=service)
            for characteristic in service.characteristics:
                await self.peer.discover_descriptors(characteristic)
            found.append(dict(
                uuid=full(service.uuid), handle=service.handle, end_handle=service.end_group_handle,
                primary=service in self.peer.services, includes=includes, characteristics=[dict(
                    uuid=full(c.uuid), handle=c.handle - 1, value_handle=c.handle,
                    properties=[n for bit, n in enumerate(PROPERTY_NAMES) if int(c.properties) >> bit & 1],
                    descriptors=[dict(uuid=full(d.type), handle=d.handle) for d in c.descriptors])
                    for c in service.characteristics]))
        self.peer.gatt_client.services = services
        return found

    async def declared(self, service):
        """Its include declarations; Bumble's own procedure takes none without a UUID, which is the 128-bit form."""
        start, declarations = service.handle, []
        while start <= service.end_group_handle:
            response = await self.peer.gatt_client.send_request(att.ATT_Read_By_Type_Request(
                starting_handle=start, ending_handle=service.end_group_handle,
                attribute_type=GATT_INCLUDE_ATTRIBUTE_TYPE))
            if response.op_code == att.Opcode.ATT_ERROR_RESPONSE:
                break
            declarations += response.attributes
            start = response.attributes[-1][0] + 1
        return declarations

    async def include(self, handle, value, services):
        first, last = struct.unpack_from('<HH', value)
        uuid = UUID.from_bytes(value[4:] or await self.peer.gatt_client.read_value(first))
        if all(service.handle != first for service in services):
            services.append(ServiceProxy(self.peer.gatt_client, first, last, uuid, False))
        return dict(handle=handle, uuid=full(uuid), service_handle=first, end_handle=last)

    async def cmd_read(self, handle):
        return await answer(self.peer.gatt_client.read_value(handle))

    async def cmd_read_by_uuid(self, uuid):
        values = await self.peer.gatt_client.read_characteristics_by_uuid(UUID(uuid), None)
        return [value.hex() for value in values]

    async def cmd_write(self, handle, value, response=True):
        return await answer(self.peer.gatt_client.write_value(handle, bytes.fromhex(value), with_response=response))

    async def cmd_request(self, pdu):
        """Any request, as octets; the response."""
        return bytes(await self.peer.gatt_client.send_request(Octets(bytes.fromhex(pdu)))).hex()

    async def cmd_flood(self, handle, count, octets):
        """Write Commands, each beginning with its number; the CRC-32 of all of them in order."""
        crc, started = 0, time.monotonic()
        for number in range(count):
            value = struct.pack('<I', number) + bytes(number + at & 0xFF for at in range(octets - 4))
            crc = zlib.crc32(value, crc)
            await self.peer.gatt_client.write_value(handle, value, with_response=False)
            if number % 32 == 31:
                await self.connection.drain()
        await self.connection.drain()
        return dict(crc=crc, seconds=time.monotonic() - started)

    async def cmd_subscribe(self, handle):
        values = self.received.setdefault(handle, [])
        await self.peer.subscribe(self.characteristic(handle), values.append)

    async def cmd_unsubscribe(self, handle):
        await self.peer.unsubscribe(self.characteristic(handle))

    def characteristic(self, handle):
        return next(c for s in self.peer.gatt_client.services for c in s.characteristics if c.handle == handle)

    async def cmd_received(self, handle, count=0, seconds=10):
        """The values that came, once there are so many or the time is over; they are not told again."""
        values, deadline = self.received[handle], time.monotonic() + seconds
        while len(values) < count and time.monotonic() < deadline:
            await asyncio.sleep(0.01)
        told = [bytes(value).hex() for value in values]
        del values[:len(told)]
        return told

    # --- bearers

    async def cmd_bearers(self, handles):
        """Opens enhanced ATT bearers, and reads one of these on each at once: the values."""
        clients = await Client.connect_eatt(self.connection, count=len(handles))
        values = await asyncio.gather(*(client.read_value(handle) for client, handle in zip(clients, handles)))
        return [bytes(value).hex() for value in values]

    # --- channels

    async def cmd_channel_echo(self, psm, octets, mtu=2048, mps=1004, credits=10, enhanced=0, seconds=60):
        """Opens channels, `enhanced` of them in one request if not 0, sends so many octets on each and waits for them
        to come back; what the other side takes, how long it took, and whether all were the same octets."""
        spec = l2cap.LeCreditBasedChannelSpec(psm=psm, mtu=mtu, mps=mps, max_credits=credits)
        manager = self.device.l2cap_channel_manager
        try:
            if enhanced:
                channels = await manager.create_enhanced_credit_based_channels(self.connection, spec, enhanced)
            else:
                channels = [await self.connection.create_l2cap_channel(spec=spec)]
        except core.BaseBumbleError as error:
            return {'error': int(error.error_code)}
        started = time.monotonic()
        equal = await asyncio.gather(*(self.one_echo(channel, octets, seconds) for channel in channels))
        taken = time.monotonic() - started
        sizes = [[channel.peer_mtu, channel.peer_mps] for channel in channels]
        for channel in channels:
            await channel.disconnect()
        return dict(equal=equal, seconds=taken, sizes=sizes)

    async def one_echo(self, channel, octets, seconds):
        back, sent = bytearray(), bytes(at * 31 + (at >> 8) & 0xFF for at in range(octets))
        deadline = time.monotonic() + seconds
        channel.sink = back.extend
        for at in range(0, octets, channel.peer_mtu):
            channel.write(sent[at:at + channel.peer_mtu])
            await asyncio.wait_for(channel.drain(), seconds)
        while len(back) < octets and time.monotonic() < deadline:
            await asyncio.sleep(0.002)
        return bytes(back) == sent


class Octets:
    """A request that need not be well-formed."""

    def __init__(self, octets):
        self.octets = octets
        self.name = att.Opcode(octets[0]).name  # which tells Bumble what its response is called

    def __bytes__(self):
        return self.octets


async def answer(procedure):
    """What it returns, or the ATT error that it ended with."""
    try:
        value = await procedure
    except core.ProtocolError as error:
        return {'error': int(error.error_code)}
    return {} if value is None else {'value': bytes(value).hex()}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    radio_options(parser)
    pairing_options(parser)
    parser.add_argument('--address', default='E0:E1:E2:E3:E4:E5', help='static random address')
    parser.add_argument('--eatt', action='store_true', help='enhanced ATT bearers to its own table')
    parser.add_argument('--debug', action='store_true')
    options = parser.parse_args()
    logging.basicConfig(stream=sys.stderr, level=logging.DEBUG if options.debug else logging.CRITICAL)
    asyncio.run(Central(options).run())


if __name__ == '__main__':
    main()
