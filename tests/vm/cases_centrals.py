"""Our own peripheral on hci0, judged by the kernel on hci1: gatttool for its attributes, l2test for its channels, and
bluetoothd, which is the host of most Linux machines.

Between the two is btvirt, whose controllers take one ACL packet at a time.
"""

import re
import signal
import struct
import time
import zlib

from bench import DEVICE, case
from bluez import BlueZ, Controllers
from cases_gatt import PATTERN
from harness import DeviceProcess, Lines, equal, expect

LARGE = 0x80  # SPSM of a channel that the device echoes
CONTROL_SEND = 0x0B  # what the control characteristic is told to have octets sent on a channel


def device(bench):
    """The peripheral, started by the first case that asks."""
    shared = bench.guest.shared
    if 'device' not in shared:
        shared['controllers'] = Controllers(bench.guest)
        bench.guest.run('hciconfig', 'hci1', 'up')
        shared['capture'] = bench.folder / 'device.btsnoop'
        shared['device'] = DeviceProcess([DEVICE, 'hci0', '--capture', shared['capture']], bench.folder / 'device.log',
                                         bench.guest.spawn)
    return shared['device']


def gatttool(bench, *words, code=0):
    return bench.guest.run(*command(bench, *words), code=code, timeout=40)


def command(bench, *words):
    return ['gatttool', '-i', 'hci1', '-t', 'random', '-b', device(bench).ready['address'], *words]


def handle(bench, name):
    return f"0x{device(bench).characteristic(name)['value_handle']:04x}"


def cccd(bench, name):
    found, = (d['handle'] for d in device(bench).characteristic(name)['descriptors'] if d['uuid'].startswith('00002902'))
    return f'0x{found:04x}'


class Listening:
    """gatttool that writes a value and then stays connected to print what comes."""

    def __init__(self, bench, handle, value):
        self.start = device(bench).mark()
        self.process = bench.guest.spawn(command(bench, '--char-write-req', '-a', handle, '-n', value, '--listen'))
        self.printed, self.bench = Lines(self.process.stdout), bench

    def wait(self, pattern, count):
        """The first so many values that are printed as this pattern."""
        return [bytes.fromhex(match[1]) for match in wait_printed(self.printed, pattern, count)]

    def end(self):
        """The kernel ends the link when nobody uses it any more."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(5)
        device(self.bench).wait('disconnected', timeout=15, start=self.start)


def wait_printed(printed, pattern, count, timeout=30):
    """The first so many lines that match."""
    deadline = time.monotonic() + timeout
    with printed.changed:
        while len(found := [match for line in printed.other if (match := re.match(pattern, line))]) < count:
            expect(time.monotonic() < deadline, f'no {count} lines {pattern} within {timeout} s, in: {printed.other}')
            printed.changed.wait(1)
    return found[:count]


@case()
def gatttool_finds_our_primary_services(bench):
    wanted = [f"attr handle = 0x{s['handle']:04x}, end grp handle = 0x{s['end_handle']:04x} uuid: {s['uuid']}"
              for s in device(bench).ready['table'] if s['primary']]
    equal(gatttool(bench, '--primary').splitlines(), wanted, 'services')
    return f'{len(wanted)} services'


@case()
def gatttool_finds_our_characteristics_and_descriptors(bench):
    bits = ['broadcast', 'read', 'write-without-response', 'write', 'notify', 'indicate', 'authenticated-signed-writes',
            'extended-properties']
    table = sorted(device(bench).ready['table'], key=lambda service: service['handle'])
    characteristics = [c for service in table for c in service['characteristics']]
    wanted = [f"handle = 0x{c['handle']:04x}, char properties = 0x{sum(1 << bits.index(p) for p in c['properties']):02x}, "
              f"char value handle = 0x{c['value_handle']:04x}, uuid = {c['uuid']}" for c in characteristics]
    equal(gatttool(bench, '--characteristics').splitlines(), wanted, 'characteristics')
    found = dict(re.findall('handle = 0x(\\S+), uuid = (\\S+)', gatttool(bench, '--char-desc')))
    for described in [d for c in characteristics for d in c['descriptors']]:
        equal(found[f"{described['handle']:04x}"], described['uuid'], 'descriptor')
    equal(len(found), table[-1]['end_handle'], 'attributes')
    return f'{len(wanted)} characteristics'


@case()
def gatttool_reads_our_values(bench):
    constants = [c for s in device(bench).ready['table'] for c in s['characteristics'] if c['value'] is not None]
    for c in constants[:4]:
        told = gatttool(bench, '--char-read', '-a', f"0x{c['value_handle']:04x}")
        equal(told.split(':')[1].replace(' ', '').strip(), c['value'], c['char'])
    told = gatttool(bench, '--char-read', '-a', handle(bench, 'long'))
    equal(told.split(':')[1].replace(' ', '').strip(), PATTERN.hex(), 'the value of 512 octets')
    # One request, whose answer has values of one length: the second is for the next.
    told = gatttool(bench, '--char-read', '-u', '7e570105-a5c0-4b1e-8f00-b0b5c0ffee01')
    equal(told.strip(), f"handle: {handle(bench, 'first')} \t value: {b'first'.hex(' ')}", 'the value of a UUID')
    told = gatttool(bench, '--char-read', '-a', handle(bench, 'error'), code=None)
    expect('read failed' in told and 'pplication' in told, f'the error of the application, in: {told}')


@case()
def gatttool_writes_our_values(bench):
    long = handle(bench, 'long')
    for written in '42', 'a5' * 100:
        told = gatttool(bench, '--char-write-req', '-a', long, '-n', written)
        expect('written successfully' in told, told)
        equal(gatttool(bench, '--char-read', '-a', long).split(':')[1].replace(' ', '').strip(), written, 'read back')
    gatttool(bench, '--char-write-req', '-a', long, '-n', PATTERN.hex())
    told = gatttool(bench, '--char-write-req', '-a', handle(bench, 'first'), '-n', '00', code=None)
    expect("can't be written" in told or 'Attribute can' in told or 'failed' in told, told)


@case()
def gatttool_hears_our_notifications(bench):
    listening = Listening(bench, cccd(bench, 'heart_rate'), '0100')
    values = listening.wait(f"Notification handle = {handle(bench, 'heart_rate')} value: (.*)", 3)
    listening.end()
    numbers = [int.from_bytes(value[2:], 'little') for value in values]
    equal(numbers, [numbers[0] + at for at in range(3)], 'numbers')


@case()
def l2test_sends_to_our_channel(bench):
    frames, octets, start = 50, 500, device(bench).mark()
    bench.guest.run(*l2test(bench, '-s', '-b', octets, '-N', frames, '-O', octets), timeout=40)
    closed = device(bench).wait('channel_closed', timeout=20, start=start)
    equal([closed['sdus'], closed['octets']], [frames, frames * octets], 'what came')


@case()
def l2test_gets_back_what_it_sends(bench):
    frames, octets, start = 20, 300, device(bench).mark()
    sender = bench.guest.spawn(l2test(bench, '-y', '-b', octets, '-N', frames, '-I', 512))
    wait_printed(Lines(sender.stderr), f'.*: Received {octets} bytes', frames)
    sender.send_signal(signal.SIGTERM)
    equal(device(bench).wait('channel_closed', timeout=20, start=start)['sdus'], frames, 'SDUs')


@case()
def l2test_hears_every_frame_of_our_channel(bench):
    spsm, sdu, frames, start = 0x91, 512, 40, device(bench).mark()
    receiver = bench.guest.spawn(['l2test', '-r', '-V', 'le_public', '-P', spsm, '-I', sdu, '-b', sdu * frames])
    printed = Lines(receiver.stderr)
    wait_printed(printed, '.*Waiting for connection', 1)
    told = bytes([CONTROL_SEND]) + struct.pack('<HHHHI', spsm, 512, 247, 10, sdu * frames)
    listening = Listening(bench, handle(bench, 'control'), told.hex())
    wait_printed(printed, f'.*: {sdu * frames} bytes in', 1)
    device(bench).wait('sent', start=start)
    listening.end()
    receiver.send_signal(signal.SIGTERM)
    wrong = [line for line in printed.other if 'mismatch' in line]
    equal(wrong, [], 'frames whose number, length or octets are not those of the sender')


def l2test(bench, *words):
    return ['l2test', *words, '-V', 'le_random', '-P', LARGE, device(bench).ready['address']]


@case()
def bluetoothd_resolves_our_services_and_uses_them(bench):
    served, start = device(bench), device(bench).mark()
    address, paths = served.ready['address'], exported(served.ready['table'])
    say = BlueZ(bench.guest, bench.guest.shared['controllers'].addresses[1], serving=False).control.say
    say('scan on', f'Device {address}')
    say('scan off', 'Discovery stopped')
    say(f'connect {address}', 'ServicesResolved: yes', timeout=40)
    say('menu gatt', 'Menu gatt')
    path, uuid = list(paths.items())[-1]
    listed = say(f'list-attributes {address}', f'{path}\n\t{uuid}')
    root = f"/org/bluez/hci1/dev_{address.replace(':', '_')}"
    equal(dict(re.findall(f'{root}(\\S+)\n\t(\\S+)', listed)), paths, 'what bluetoothd exports')

    def select(name):
        found, = (path for path in paths if path.endswith(f"/char{served.characteristic(name)['handle']:04x}"))
        say(f'select-attribute {root}{found}', f'{found}]')
    select('first')
    say('read', b'first'.hex(' '))
    select('write_only')
    say('write "0x68 0x69"', 'Attempting to write')
    equal(served.wait('write', start=start, char='write_only')['crc32'], zlib.crc32(b'hi'), 'CRC of what we got')
    select('heart_rate')
    say('notify on', 'Notify started')
    say('', 'Value:')
    say('back', 'Menu main')
    say(f'disconnect {address}', 'Successful disconnected')
    served.wait('disconnected', start=start)
    return f'{len(paths)} attributes'


def exported(table):
    """Paths and UUIDs of what bluetoothd makes objects of: everything but GAP, by ascending handle."""
    found = {}
    for service in sorted(table, key=lambda service: service['handle']):
        if service['uuid'].startswith('00001800'):
            continue
        at = f"/service{service['handle']:04x}"
        found[at] = service['uuid']
        for c in service['characteristics']:
            found[f"{at}/char{c['handle']:04x}"] = c['uuid']
            found |= {f"{at}/char{c['handle']:04x}/desc{d['handle']:04x}": d['uuid'] for d in c['descriptors']}
    return found
