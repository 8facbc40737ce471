"""The GATT table of the peripheral: what a client can meet, one characteristic for each way to behave.

Test service 0001 of the base UUID below:
  0100 `long` 512 octets, readable, writable · 0101 `encrypted` · 0102 `authenticated` · 0103 `indicate`
  0104 `described` (2900, 2901, 2904) · 0105 twice: `first`, `second` · 0106 error 0x80 to everything · 0107 `slow`
  0108 write only · 0109 sink for Write Commands · 010a its u32 count, octets, CRC-32 · 010b control · 010c empty
Service 0002 includes Battery and the secondary 128-bit service 0003.
Heart Rate Measurement carries `10`, the rate, a u16 sequence number.
"""

import asyncio
import struct
import zlib

from bumble import att, gatt
from bumble.core import UUID
from bumble.gatt import Characteristic, CharacteristicValue, Descriptor, Service
from jsonlines import emit

P = Characteristic.Properties
READABLE, WRITEABLE = att.Attribute.READABLE, att.Attribute.WRITEABLE
APPLICATION_ERROR = 0x80
PROPERTY_NAMES = ['broadcast', 'read', 'write-without-response', 'write', 'notify', 'indicate',
                  'authenticated-signed-writes', 'extended-properties']


def test_uuid(number):
    return UUID(f'7E57{number:04X}-A5C0-4B1E-8F00-B0B5C0FFEE01')


def uart_uuid(number):
    return UUID(f'6E40{number:04X}-B5A3-F393-E0A9-E50E24DCCA9E')


def assigned(number):
    return UUID.from_16_bits(number)


class Services:
    """Values and services; `notify(connection, characteristic, value)` is how the echo answers."""

    def __init__(self, notify, control, slow_seconds):
        self.names = {}  # characteristic -> name
        self.static = {}  # characteristic -> value that never changes
        self.notify, self.slow_seconds = notify, slow_seconds
        self.long = bytes((i * 7 + 3) & 0xFF for i in range(512))
        self.protected = {'encrypted': b'encrypted-ok', 'authenticated': b'authenticated-ok'}
        self.battery_level, self.indications = 100, 0
        self.reset_sink()
        self.control = control
        self.all = self.build()

    def reset_sink(self):
        self.sink_count = self.sink_octets = self.sink_crc = 0

    def build(self):
        information = Service(assigned(0x180A), [
            self.constant('manufacturer', assigned(0x2A29), b'Peers Inc.'),
            self.constant('model', assigned(0x2A24), b'P-1'),
            self.constant('serial', assigned(0x2A25), b'SN-0001'),
            self.constant('firmware', assigned(0x2A26), b'1.2.3'),
            self.constant('pnp', assigned(0x2A50), struct.pack('<BHHH', 1, 0xFFFF, 0x1234, 0x0100))])
        self.battery = self.readable('battery', assigned(0x2A19), lambda: bytes([self.battery_level]), P.NOTIFY)
        battery = Service(assigned(0x180F), [self.battery])
        self.heart_rate = self.add('heart_rate', assigned(0x2A37), P.NOTIFY, b'')
        heart = Service(assigned(0x180D), [
            self.heart_rate, self.constant('body_location', assigned(0x2A38), b'\x01')])
        self.uart_tx = self.add('uart_tx', uart_uuid(3), P.NOTIFY, b'')
        uart = Service(uart_uuid(1), [
            self.add('uart_rx', uart_uuid(2), P.WRITE | P.WRITE_WITHOUT_RESPONSE,
                     CharacteristicValue(write=self.echo)), self.uart_tx])
        inner = Service(test_uuid(3), [self.constant('inner', test_uuid(0x0301), b'inner')], primary=False)
        outer = Service(test_uuid(2), [self.constant('outer', test_uuid(0x0201), b'outer')],
                        included_services=[battery, inner])
        return [information, battery, heart, uart, self.test_service(), inner, outer]

    def test_service(self):
        extended = Descriptor(assigned(0x2900), READABLE, b'\x01\x00')  # reliable write
        self.indicate = self.readable('indicate', test_uuid(0x0103),
                                      lambda: struct.pack('<I', self.indications), P.INDICATE)
        return Service(test_uuid(1), [
            self.add('long', test_uuid(0x0100), P.READ | P.WRITE | P.EXTENDED_PROPERTIES,
                     CharacteristicValue(lambda _: self.long, self.write_long), [extended]),
            self.encrypted('encrypted', test_uuid(0x0101)),
            self.encrypted('authenticated', test_uuid(0x0102)),
            self.indicate,
            self.constant('described', test_uuid(0x0104), struct.pack('<h', 2150), P.NOTIFY | P.EXTENDED_PROPERTIES, [
                Descriptor(assigned(0x2900), READABLE, b'\x01\x00'),
                Descriptor(assigned(0x2901), READABLE | WRITEABLE, b'Room temperature'),
                Descriptor(assigned(0x2904), READABLE, struct.pack('<BbHBH', 0x0E, -2, 0x272F, 1, 0))]),
            self.constant('first', test_uuid(0x0105), b'first'),
            self.constant('second', test_uuid(0x0105), b'second'),
            self.add('error', test_uuid(0x0106), P.READ | P.WRITE, CharacteristicValue(refuse, refuse)),
            self.add('slow', test_uuid(0x0107), P.READ, CharacteristicValue(self.read_slowly)),
            self.add('write_only', test_uuid(0x0108), P.WRITE, CharacteristicValue(refuse, self.log('write_only'))),
            self.add('sink', test_uuid(0x0109), P.WRITE_WITHOUT_RESPONSE, CharacteristicValue(refuse, self.sink)),
            self.readable('sink_stats', test_uuid(0x010A), lambda: struct.pack(
                '<III', self.sink_count, self.sink_octets, self.sink_crc)),
            self.add('control', test_uuid(0x010B), P.WRITE, CharacteristicValue(refuse, self.write_control)),
            self.constant('empty', test_uuid(0x010C), b''),
        ])

    # --- kinds of characteristics

    def add(self, name, uuid, properties, value, descriptors=()):
        permissions = att.Attribute.Permissions(0)
        if properties & P.READ:
            permissions |= READABLE
        if properties & (P.WRITE | P.WRITE_WITHOUT_RESPONSE):
            permissions |= WRITEABLE
        made = Characteristic(uuid, properties, permissions, value, list(descriptors))
        made.on('subscription', lambda bearer, notify, indicate: emit(
            'subscription', char=name, notify=notify, indicate=indicate))
        self.names[made] = name
        return made

    def readable(self, name, uuid, value, properties=P(0)):
        return self.add(name, uuid, P.READ | properties, CharacteristicValue(lambda _: value()))

    def constant(self, name, uuid, value, properties=P(0), descriptors=()):
        made = self.add(name, uuid, P.READ | properties, CharacteristicValue(lambda _: value), descriptors)
        self.static[made] = value
        return made

    def encrypted(self, name, uuid):
        def need(connection):
            if not connection.encryption:
                raise att.ATT_Error(att.ErrorCode.INSUFFICIENT_ENCRYPTION)
            # Bumble's own `authenticated` is true after Just Works too.
            if name == 'authenticated' and not connection.protected:
                raise att.ATT_Error(att.ErrorCode.INSUFFICIENT_AUTHENTICATION)

        def read(connection):
            need(connection)
            return self.protected[name]

        def write(connection, value):
            need(connection)
            self.protected[name] = bytes(value)
        return self.add(name, uuid, P.READ | P.WRITE, CharacteristicValue(read, write))

    # --- behaviours

    def log(self, name):
        def write(connection, value):
            emit('write', char=name, length=len(value), crc32=zlib.crc32(bytes(value)))
        return write

    def write_long(self, connection, value):
        if len(value) > 512:
            raise att.ATT_Error(att.ErrorCode.INVALID_ATTRIBUTE_LENGTH)
        self.long = bytes(value)
        self.log('long')(connection, value)

    async def read_slowly(self, _):
        await asyncio.sleep(self.slow_seconds)
        return b'slow-ok'

    def sink(self, _, value):
        self.sink_count += 1
        self.sink_octets += len(value)
        self.sink_crc = zlib.crc32(bytes(value), self.sink_crc)

    def write_control(self, connection, value):
        """Acts a little later, so that the Write Response goes first."""
        asyncio.get_running_loop().call_later(0.02, self.control, connection, bytes(value))

    def echo(self, connection, value):
        value, step = bytes(value), connection.att_mtu - 3

        async def answer():
            for at in range(0, len(value), step):
                await self.notify(connection, self.uart_tx, value[at:at + step])
        asyncio.get_running_loop().create_task(answer())

    # --- the table as a client must find it

    def table(self, server):
        """All services of the server, GAP and GATT too, in the form that `baretooth gatt --json` prints."""
        services = []
        for attribute in server.attributes:
            if isinstance(attribute, Service):
                services.append(dict(
                    uuid=full(attribute.uuid), handle=attribute.handle, end_handle=attribute.end_group_handle,
                    primary=attribute.type == gatt.GATT_PRIMARY_SERVICE_ATTRIBUTE_TYPE,
                    includes=[], characteristics=[]))
            elif isinstance(attribute, gatt.IncludedServiceDeclaration):
                included = attribute.service
                services[-1]['includes'].append(dict(
                    handle=attribute.handle, uuid=full(included.uuid), service_handle=included.handle,
                    end_handle=included.end_group_handle))
            elif isinstance(attribute, Characteristic):
                value = self.static.get(attribute)
                services[-1]['characteristics'].append(dict(
                    uuid=full(attribute.uuid), handle=attribute.handle - 1, value_handle=attribute.handle,
                    char=self.names.get(attribute), value=None if value is None else value.hex(), descriptors=[],
                    properties=[n for bit, n in enumerate(PROPERTY_NAMES) if int(attribute.properties) >> bit & 1]))
            elif not isinstance(attribute, gatt.CharacteristicDeclaration):
                services[-1]['characteristics'][-1]['descriptors'].append(
                    dict(uuid=full(attribute.type), handle=attribute.handle))
        return services


def refuse(*_):
    raise att.ATT_Error(APPLICATION_ERROR)


def full(uuid):
    """The 128-bit form, in text."""
    octets = uuid.to_bytes(force_128=True)[::-1].hex()
    return '-'.join([octets[:8], octets[8:12], octets[12:16], octets[16:20], octets[20:]])
