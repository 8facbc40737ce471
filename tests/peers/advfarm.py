"""65 advertisers, one of each kind worth scanning for, ten of them malformed and seven with extended PDUs.

`CATALOGUE` is what is on the air; each row is sent every `--period` seconds. The malformed ones break the framing of
the AD structures or the length of a type's data; a scanner must still report them, octets and all.
"""

import argparse
import asyncio
import random
import struct
from dataclasses import dataclass

from bumble import hci, ll
from jsonlines import emit, serve_commands
from virtual_link import CONNECTABLE, LEGACY, SCANNABLE, OnAir, VirtualLink

IND, DIRECT, SCAN, NONCONN = 0x13, 0x1D, 0x12, 0x10  # event properties of the legacy PDUs
FLAGS = (0x01, b'\x06')
UART = '6e400001-b5a3-f393-e0a9-e50e24dcca9e'
TOP_BITS = {'static': 0xC0, 'rpa': 0x40, 'nrpa': 0x00}  # of a random address, by kind


@dataclass
class Advertiser:
    name: str
    properties: int
    data: bytes
    response: bytes
    kind: str
    target: hci.Address | None
    phys: tuple
    sid: int
    malformed: bool
    address: str


def ad(*structures):
    return b''.join(bytes([len(data) + 1, kind]) + data for kind, data in structures)


def u128(text):
    return bytes.fromhex(text.replace('-', ''))[::-1]


def catalogue():
    rows, generator = [], random.Random(7)

    def add(name, properties, data, response=b'', kind='static', target=None, phys=(1, 0), sid=0xFF, malformed=False):
        address = bytearray(generator.randbytes(6))
        address[0] = 0 if kind == 'public' else address[0] & 0x3F | TOP_BITS[kind]
        address[5] = len(rows)
        rows.append(Advertiser(name, properties, data, response, kind, target, phys, sid, malformed,
                               ':'.join(f'{octet:02X}' for octet in address)))

    add('ibeacon', NONCONN,
        ad(FLAGS, (0xFF, bytes.fromhex('4c000215 f7826da64fa24e988024bc5b71e0893e 0064 0007 c5'))))
    add('altbeacon', NONCONN,
        ad(FLAGS, (0xFF, b'\x18\x01\xbe\xac' + bytes(range(16)) + struct.pack('>HHbB', 1, 2, -60, 0))))
    add('eddystone-uid', NONCONN,
        ad(FLAGS, (0x03, b'\xaa\xfe'), (0x16, b'\xaa\xfe\x00\xee' + bytes(range(16)) + b'\0\0')))
    add('eddystone-url', NONCONN, ad(FLAGS, (0x03, b'\xaa\xfe'), (0x16, b'\xaa\xfe\x10\xee\x03example\x07')))
    add('eddystone-tlm', NONCONN,
        ad(FLAGS, (0x03, b'\xaa\xfe'), (0x16, b'\xaa\xfe\x20\x00' + struct.pack('>HHII', 3000, 0x1580, 1234, 5678))))
    add('eddystone-eid', NONCONN, ad(FLAGS, (0x03, b'\xaa\xfe'), (0x16, b'\xaa\xfe\x30\xee' + bytes(range(8)))))
    add('name-complete', IND, ad(FLAGS, (0x09, b'Kitchen Sensor')))
    add('name-short', IND, ad(FLAGS, (0x08, b'Kit')), ad((0x09, b'Kitchen Scale XL')))
    add('name-utf8', IND, ad(FLAGS, (0x09, 'Küche ☕ 温度'.encode())))
    add('name-empty', IND, ad(FLAGS, (0x09, b'')))
    add('name-badutf8', IND, ad(FLAGS, (0x09, b'bad\xff\xfe\xc3')))
    add('uuid16', IND, ad(FLAGS, (0x03, struct.pack('<HHH', 0x180D, 0x180F, 0x180A))))
    add('uuid16-incomplete', IND, ad(FLAGS, (0x02, struct.pack('<H', 0x1809))))
    add('uuid32', IND, ad(FLAGS, (0x05, struct.pack('<I', 0x12345678))))
    add('uuid128', IND, ad(FLAGS, (0x07, u128(UART))), ad((0x09, b'NUS device')))
    add('uuid128-scanrsp', IND, ad(FLAGS, (0x09, b'N128')), ad((0x06, u128(UART))))
    add('svcdata16', NONCONN, ad(FLAGS, (0x16, struct.pack('<HHb', 0x181A, 2150, 45))))
    add('svcdata32', NONCONN, ad((0x20, struct.pack('<I', 0xAABBCCDD) + b'\x01\x02')))
    add('svcdata128', NONCONN, ad((0x21, u128(UART) + b'\xde\xad\xbe\xef')))
    add('svcdata-two', NONCONN, ad((0x16, b'\x0f\x18\x55'), (0x16, b'\x1a\x18\x01\x02')))
    add('mfr', NONCONN, ad(FLAGS, (0xFF, b'\x59\x00' + bytes(range(20)))))
    add('mfr-empty', NONCONN, ad(FLAGS, (0xFF, b'\x59\x00')))
    add('mfr-two', NONCONN, ad((0xFF, b'\x59\x00\x01'), (0xFF, b'\x4c\x00\x10\x02\x0b\x00')))
    add('apple-continuity', IND,
        ad((0x01, b'\x1a'), (0x0A, b'\x0c'), (0xFF, b'\x4c\x00\x10\x05\x03\x18\x1a\x2b\x3c')), kind='rpa')
    add('ms-swift-pair', SCAN, ad((0x01, b'\x1a'), (0xFF, b'\x06\x00\x03\x00\x80')), ad((0x09, b'Mouse')), kind='rpa')
    add('google-fast-pair', IND, ad((0x01, b'\x06'), (0x16, b'\x2c\xfe\x00\x0a\xbc')), kind='rpa')
    add('ruuvi-v5', NONCONN,
        ad(FLAGS, (0xFF, b'\x99\x04\x05' + bytes.fromhex('12fc5394c37c0004fffc040cac364200cdcbb8334c884f'))))
    add('txpower-appearance', IND,
        ad(FLAGS, (0x0A, struct.pack('b', -21)), (0x19, struct.pack('<H', 833)), (0x09, b'HRM')))
    add('conn-interval-range', IND, ad(FLAGS, (0x12, struct.pack('<HH', 6, 3200)), (0x1A, struct.pack('<H', 160))))
    add('solicit', IND, ad((0x14, b'\x0d\x18'), (0x15, u128(UART))))
    add('uri', NONCONN, ad((0x24, b'\x17//example.org')))
    add('target-addr', NONCONN, ad((0x17, bytes.fromhex('665544332211')), (0x18, bytes.fromhex('112233445566'))))
    add('le-role-addr', IND, ad((0x1B, bytes.fromhex('00aabbccddeeff')), (0x1C, b'\x02')))
    add('mesh', NONCONN, ad((0x2B, bytes(range(22)))), kind='nrpa')
    add('mesh-pbadv', NONCONN, ad((0x29, bytes(range(20)))), kind='nrpa')
    add('enc-data', NONCONN, ad((0x31, bytes(range(15)))), kind='nrpa')
    add('gap-unknown-type', NONCONN, ad(FLAGS, (0x7E, b'\x01\x02\x03')))
    add('flags-two-octets', IND, ad((0x01, b'\x06\x00')))
    add('full-31', IND, ad(FLAGS, (0x09, b'abcdefghijklmnopqrstuvwxyz')), ad((0xFF, b'\xff\xff' + bytes(27))))
    add('no-data', IND, b'')
    add('public-addr', IND, ad(FLAGS, (0x09, b'Pub')), kind='public')
    add('nonresolvable', NONCONN, ad(FLAGS, (0x09, b'NRPA')), kind='nrpa')
    add('directed', DIRECT, b'', target=hci.Address('E0:E1:E2:E3:E4:E5'))
    add('scannable', SCAN, ad(FLAGS, (0x09, b'Scannable')), ad((0x0A, b'\x00')))
    add('bad-len-overrun', NONCONN, b'\x02\x01\x06\x1e\x09abc', malformed=True)
    add('bad-len-zero-mid', NONCONN, b'\x02\x01\x06\x00\x03\x09XY', malformed=True)
    add('zero-padding', NONCONN, b'\x02\x01\x06\x03\x09ab' + bytes(20))
    add('only-zeros', NONCONN, bytes(31))
    add('len-ff', NONCONN, b'\xff' * 31, malformed=True)
    add('one-byte', NONCONN, b'\x05', malformed=True)
    add('type-no-data', NONCONN, b'\x01\x09\x02\x01\x06')
    add('odd-uuid16', NONCONN, ad((0x03, b'\x0d\x18\x0f')), malformed=True)
    add('short-uuid128', NONCONN, ad((0x07, bytes(15))), malformed=True)
    add('short-mfr', NONCONN, ad((0xFF, b'\x59')), malformed=True)
    add('short-svcdata', NONCONN, ad((0x16, b'\x0f')), malformed=True)
    add('empty-flags', NONCONN, ad((0x01, b'')), malformed=True)
    add('short-txpower', NONCONN, ad((0x0A, b'')), malformed=True)
    add('dup-names', IND, ad((0x09, b'one'), (0x09, b'two')))
    add('ext-nonconn-200', 0, ad((0x09, b'Ext200'), (0xFF, b'\xff\xff' + bytes(i & 255 for i in range(187)))),
        phys=(1, 2), sid=1)
    add('ext-conn', CONNECTABLE, ad(FLAGS, (0x09, b'ExtConn'), (0x07, u128(UART))), phys=(1, 2), sid=2)
    add('ext-coded', 0, ad((0x09, b'LongRange')), phys=(3, 3), sid=3)
    add('ext-scannable', SCANNABLE, b'', ad((0x09, b'ExtScan'), (0xFF, b'\xff\xff' + bytes(100))), phys=(1, 1), sid=4)
    big = ad(*[(0xFF, b'\xff\xff' + bytes([k]) * 200) for k in range(8)])
    add('ext-1632', 0, big, phys=(1, 2), sid=5)
    add('ext-458', 0,
        ad((0xFF, b'\xff\xff' + bytes(i & 255 for i in range(226))), (0xFF, b'\xff\xff' + bytes(225))),
        phys=(1, 2), sid=6)
    add('ext-empty', 0, b'', phys=(1, 1), sid=7)
    return rows


async def advertise(air, row, period, delay):
    kind = hci.Address.PUBLIC_DEVICE_ADDRESS if row.kind == 'public' else hci.Address.RANDOM_DEVICE_ADDRESS
    address = hci.Address(row.address, kind)
    await asyncio.sleep(delay)
    while True:
        legacy = row.properties & LEGACY
        pdu = (ll.AdvInd if legacy else ll.AdvExtInd)(advertiser_address=address, data=row.data)
        if not legacy:
            pdu.sid = row.sid
        pdu.on_air = OnAir(row.properties, row.response, row.phys, row.sid, row.target)
        air.send_advertising_pdu(None, pdu)
        await asyncio.sleep(period)


async def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--listen', type=int, default=0, metavar='PORT', help='0: any free port')
    parser.add_argument('--period', type=float, default=0.1, help='seconds between two PDUs of one advertiser')
    options = parser.parse_args()
    rows, link = catalogue(), VirtualLink()
    serve_commands()
    emit('ready', port=await link.listen(options.listen), advertisers=[
        dict(name=row.name, address=row.address, address_type='public' if row.kind == 'public' else 'random',
             data=row.data, response=row.response if row.properties & SCANNABLE else None,
             legacy=bool(row.properties & LEGACY), malformed=row.malformed) for row in rows])
    await asyncio.gather(*(advertise(link.air, row, options.period, options.period * index / len(rows))
                           for index, row in enumerate(rows)))


if __name__ == '__main__':
    asyncio.run(main())
