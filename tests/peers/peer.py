"""A Bumble peripheral with a rich GATT table (services.py). Prints `ready` with its port and table, then events.

Either it brings the radio (`--listen`: hosts connect over H4 on TCP), or it joins one (`--hci`, rootcanal).
Commands on stdin, one JSON object per line: {"cmd": "battery", "level": N} {"cmd": "indicate"} {"cmd": "hr_rate",
"hz": N} {"cmd": "disconnect", "reason": N} {"cmd": "sink"} {"cmd": "reset_sink"} {"cmd": "service_changed"}
{"cmd": "conn_params"} {"cmd": "advertise", "on": bool} {"cmd": "echo", "psm": N, "mtu": N, "mps": N, "credits": N}
{"cmd": "security_request"} {"cmd": "new_address"}, and those of pairing.py. The control characteristic does some of it from the air:
01 disconnect, 02 battery, 03 indicate, 04 <u16 Hz> heart rate, 05 security request, 06 parameters, 07 service changed, 08 reset the sink.
"""

import argparse
import asyncio
import logging
import struct
import sys
import time

from bumble import gatt, hci, l2cap
from bumble.core import AdvertisingData
from bumble.device import (AdvertisingEventProperties, AdvertisingParameters, Device,
                           DeviceConfiguration)
from jsonlines import emit, serve_commands
from pairing import Security, pairing_options, privacy
from services import Services, test_uuid
from virtual_link import free_closed_channels, host_on, radio_options


class Peripheral:
    def __init__(self, options):
        self.options = options
        self.hr_hz = options.hr_rate
        self.sequence = 0
        self.security = Security(options)

    async def run(self):
        host, port = await host_on(self.options)
        self.device = Device(host=host, config=DeviceConfiguration(
            name=self.options.name, address=hci.Address(self.options.address), eatt_enabled=False,
            **privacy(self.options)))
        self.security.attach(self.device)
        self.device.gatt_server.max_mtu = self.options.mtu
        self.services = Services(self.device.notify_subscriber, self.control, self.options.slow)
        self.device.add_services(self.services.all)
        self.repair_includes()
        self.device.on('connection', self.on_connection)
        await self.device.power_on()
        free_closed_channels(self.device.l2cap_channel_manager)
        await self.advertise()
        serve_commands(self, self.security)
        emit('ready', port=port, address=self.on_air(), identity=self.options.address, name=self.options.name,
             table=self.services.table(self.device.gatt_server))
        await self.beat()

    def repair_includes(self):
        """Bumble adds two octets of a 128-bit UUID to an include declaration, which shall then have none."""
        for attribute in self.device.gatt_server.attributes:
            if attribute.type == gatt.GATT_INCLUDE_ATTRIBUTE_TYPE and len(attribute.service.uuid.to_bytes()) != 2:
                attribute.value = attribute.value[:4]

    async def advertise(self):
        data = bytes(AdvertisingData([
            (AdvertisingData.FLAGS, b'\x06'),
            (AdvertisingData.INCOMPLETE_LIST_OF_16_BIT_SERVICE_CLASS_UUIDS, struct.pack('<HH', 0x180D, 0x180F)),
            (AdvertisingData.COMPLETE_LOCAL_NAME, self.options.name.encode())]))
        response = bytes(AdvertisingData([
            (AdvertisingData.INCOMPLETE_LIST_OF_128_BIT_SERVICE_CLASS_UUIDS, test_uuid(1).to_bytes()),
            (AdvertisingData.MANUFACTURER_SPECIFIC_DATA, b'\xff\xff\x01\x02')]))
        interval = self.options.interval
        if self.options.extended_pdus:
            await self.device.create_advertising_set(
                advertising_parameters=AdvertisingParameters(
                    advertising_event_properties=AdvertisingEventProperties(is_connectable=True),
                    primary_advertising_interval_min=interval, primary_advertising_interval_max=interval),
                random_address=self.device.random_address, advertising_data=data,
                auto_start=True, auto_restart=True)
        else:
            await self.device.start_advertising(
                advertising_data=data, scan_response_data=response, auto_restart=True,
                own_address_type=hci.OwnAddressType.RANDOM,
                advertising_interval_min=interval, advertising_interval_max=interval)

    def on_air(self):
        return self.device.random_address.to_string(False)

    async def beat(self):
        """Notifies the heart rate at `hr_hz`, catching up after a late wake-up, numbering every value."""
        due = time.monotonic()
        while True:
            subscribed = any(by_handle.get(self.services.heart_rate.handle)
                             for by_handle in self.device.gatt_server.subscribers.values())
            if not subscribed or not self.hr_hz:
                await asyncio.sleep(0.02)
                due = time.monotonic()
                continue
            now, burst = time.monotonic(), 0
            while due <= now and burst < 64:
                value = struct.pack('<BBH', 0x10, 60 + self.sequence % 60, self.sequence & 0xFFFF)
                self.sequence += 1
                await self.device.notify_subscribers(self.services.heart_rate, value)
                due += 1 / self.hr_hz
                burst += 1
            await asyncio.sleep(max(0, min(due - time.monotonic(), 0.05)))

    def on_connection(self, connection):
        emit('connected', peer=connection.peer_address.to_string(False))
        self.security.watch(connection)
        connection.on('disconnection', lambda reason: emit('disconnected', reason=int(reason)))
        connection.on('connection_att_mtu_update', lambda: emit('mtu', mtu=connection.att_mtu))

    def control(self, connection, value):
        actions = {1: lambda: connection.disconnect(), 2: self.cmd_battery, 3: self.cmd_indicate,
                   4: lambda: self.cmd_hr_rate(struct.unpack('<H', value[1:3])[0]), 6: self.cmd_conn_params,
                   7: self.cmd_service_changed, 8: self.cmd_reset_sink}
        action = actions.get(value[0] if value else 0)
        result = action() if action else None
        if asyncio.iscoroutine(result):
            asyncio.get_running_loop().create_task(result)

    # --- commands

    async def cmd_battery(self, level=None):
        services = self.services
        services.battery_level = (services.battery_level - 1) % 101 if level is None else level
        await self.device.notify_subscribers(services.battery, bytes([services.battery_level]))

    async def cmd_indicate(self):
        """`done` comes after the confirmation."""
        self.services.indications += 1
        await self.device.indicate_subscribers(self.services.indicate, struct.pack('<I', self.services.indications))
        return self.services.indications

    def cmd_hr_rate(self, hz):
        self.hr_hz = hz

    def cmd_sink(self):
        return dict(count=self.services.sink_count, octets=self.services.sink_octets, crc=self.services.sink_crc)

    def cmd_reset_sink(self):
        self.services.reset_sink()

    async def cmd_disconnect(self, reason=0x13):
        for connection in list(self.device.connections.values()):
            await connection.disconnect(reason)

    def cmd_echo(self, psm, mtu=2048, mps=1004, credits=10):
        """Serves channels that send everything back."""
        def echo(channel):
            channel.sink = channel.write
            emit('channel', psm=psm, mtu=channel.peer_mtu, mps=channel.peer_mps, credits=channel.credits)
            channel.on('close', lambda: emit('channel_closed', psm=psm))
        spec = l2cap.LeCreditBasedChannelSpec(psm=psm, mtu=mtu, mps=mps, max_credits=credits)
        self.device.create_l2cap_server(spec=spec, handler=echo)

    async def cmd_conn_params(self, interval_min=30, interval_max=50, latency=0, timeout=4000):
        for connection in list(self.device.connections.values()):
            await connection.update_parameters(interval_min, interval_max, latency, timeout, use_l2cap=True)

    def cmd_security_request(self):
        for connection in self.device.connections.values():
            connection.request_pairing()

    async def cmd_new_address(self):
        """Advertises with another resolvable address: that."""
        while not self.device.is_advertising:  # begun again after a link, but not yet
            await asyncio.sleep(0.02)
        await self.device.stop_advertising()
        made = await self.security.new_address()
        await self.advertise()
        return made

    async def cmd_service_changed(self, start=1, end=0xFFFF):
        await self.device.gatt_server.indicate_subscribers(
            self.device.gatt_service.service_changed_characteristic, struct.pack('<HH', start, end))

    async def cmd_advertise(self, on=True):
        await (self.advertise() if on else self.device.stop_advertising())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    radio_options(parser)
    pairing_options(parser)
    parser.add_argument('--extended-pdus', action='store_true', help='advertise with extended PDUs')
    parser.add_argument('--name', default='Peer')
    parser.add_argument('--address', default='F0:F1:F2:F3:F4:F5', help='static random address')
    parser.add_argument('--mtu', type=int, default=517)
    parser.add_argument('--hr-rate', type=float, default=1.0, help='Hz')
    parser.add_argument('--interval', type=float, default=50, help='advertising interval, ms')
    parser.add_argument('--slow', type=float, default=2.0, help='seconds that the slow characteristic takes')
    parser.add_argument('--debug', action='store_true')
    options = parser.parse_args()
    logging.basicConfig(stream=sys.stderr, level=logging.DEBUG if options.debug else logging.CRITICAL)
    asyncio.run(Peripheral(options).run())


if __name__ == '__main__':
    main()
