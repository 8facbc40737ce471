"""Bumble as the central: our own peripheral (`device/`) is judged by what another stack makes of it."""

import copy
import queue
import struct
import time
import zlib

from cases_gatt import OTHER, PATTERN, comparable
from harness import HERE, equal, expect, tshark
from registry import case

ATT_ERRORS = dict(handle=1, read=2, write=3, pdu=4, authentication=5, request=6, offset=7, queue=9, not_found=10,
                      encryption=15, group=16, application=0x80)
EXAMPLES = HERE.parents[1] / 'examples'
DEVICE_NAME, SERVICE_CHANGED = '2a00', '2a05'
REMOTE_USER_TERMINATED = 0x13


class Judged:
    """Our peripheral, and Bumble as a central on the same air."""

    def __init__(self, bench, *options, central=()):
        self.bench, self.central = bench, bench.start_peer(*central, name='central.py')
        self.device = bench.start_device(self.central, *options)
        self.address = self.device.ready['address']
        self.within = 90  # seconds

    def another(self, address):
        """A second central on the air, for the same peripheral."""
        made = copy.copy(self)
        made.central = self.bench.start_peer(*self.bench.join(self.central), '--address', address, name='central.py')
        return made

    def connect(self, mtu=None):
        """A new link; with the table discovered, and after an exchange of the MTU, if one is given."""
        start = self.device.mark()
        self.command('connect', address=self.address)
        self.device.wait('connected', start=start, role='Peripheral')
        if mtu is not None:
            equal(self.command('mtu', mtu=mtu), mtu, 'MTU')
            self.command('discover')
        return self

    def disconnect(self):
        start = self.device.mark()
        self.command('disconnect')
        equal(self.device.wait('disconnected', start=start)['reason'], REMOTE_USER_TERMINATED, 'reason that we saw')

    def command(self, name, **members):
        return self.central.command(name, within=self.within + 10, **members)

    def handle(self, what):
        """Of the value with that name of ours, or that short UUID; a handle is one."""
        characteristics = [c for s in self.device.ready['table'] for c in s['characteristics']]
        found = [c['value_handle'] for c in characteristics if what == c['char'] or c['uuid'].startswith(f'0000{what}-')]
        return what if isinstance(what, int) else found[0]

    def descriptor(self, name, uuid):
        found = [d['handle'] for d in self.device.characteristic(name)['descriptors'] if d['uuid'].startswith(f'0000{uuid}')]
        equal(len(found), 1, f'descriptors {uuid} of {name}')
        return found[0]

    def read(self, what):
        return outcome(self.command('read', handle=self.handle(what)))

    def write(self, what, value, response=True):
        return outcome(self.command('write', handle=self.handle(what), value=value.hex(), response=response))

    def subscribe(self, what):
        self.command('subscribe', handle=self.handle(what))

    def received(self, what, count):
        values = self.command('received', handle=self.handle(what), count=count, seconds=self.within)
        return [bytes.fromhex(value) for value in values]


def outcome(result):
    """The value, or the number of the error."""
    return result['error'] if 'error' in result else bytes.fromhex(result.get('value', ''))


# --- advertising


@case
def our_advertisement_is_heard_as_it_was_declared(bench):
    judged = Judged(bench)
    heard = judged.command('scan', address=judged.address)
    flags_services_name = '020106' + '05020d180f18' + '0709' + b'Device'.hex()
    uuid_company = '1106' + '01eeffc0b5b0008f1e4bc0a50100577e' + '05ffffff0102'
    wanted = dict(legacy=True, random=True, connectable=True, scannable=True)
    equal(heard['advertisement'], dict(wanted, data=flags_services_name), 'advertisement')
    equal(heard['response']['data'], uuid_company, 'scan response')


@case
def our_extended_advertisement_is_heard_and_connected_to(bench):
    judged = Judged(bench, '--extended')
    heard = judged.command('scan', address=judged.address)
    flags_services_name = '020106' + '05020d180f18' + '0709' + b'Device'.hex()
    wanted = dict(legacy=False, random=True, connectable=True, scannable=False, data=flags_services_name)
    equal(heard, {'advertisement': wanted}, 'what is heard')
    judged.connect()
    equal(judged.read(DEVICE_NAME), b'Device', 'name')


@case(via='bumble')
def a_controller_without_extended_advertising_serves_as_well(bench):
    judged = Judged(bench, central=('--legacy-controllers',))
    equal(judged.command('scan', address=judged.address)['advertisement']['legacy'], True, 'legacy')
    equal(judged.connect().read(DEVICE_NAME), b'Device', 'name')


@case
def advertising_goes_on_after_each_of_20_links(bench):
    judged = Judged(bench)
    for _ in range(5 if bench.slow else 20):
        equal(judged.connect().read('body_location'), b'\x01', 'body sensor location')
        judged.disconnect()


# --- the table


@case
def discovery_finds_the_table_that_was_declared(bench):
    judged = Judged(bench).connect()
    found = judged.command('discover')  # at an MTU of 23: many PDUs
    equal([comparable(s) for s in found], [comparable(s) for s in judged.device.ready['table']], 'services')
    return f"{len(found)} services, {sum(len(s['characteristics']) for s in found)} characteristics"


@case(via='bumble')
def the_table_is_that_of_the_other_peripheral(bench):
    """Written twice, in two languages: what one of them does not declare as it means to is seen here."""
    def meant(table):
        return sorted((s['uuid'], s['primary'], [i['uuid'] for i in s['includes']], [
            (c['uuid'], c['char'], c['value'], c['properties'], sorted(d['uuid'] for d in c['descriptors']))
            for c in s['characteristics']]) for s in table if s['characteristics'][0]['char'])
    ours = meant(Judged(bench).device.ready['table'])
    for service, wanted in zip(ours, meant(bench.peer.ready['table']), strict=True):
        equal(service, wanted, 'service')


@case
def values_are_read_at_every_mtu(bench):
    judged = Judged(bench)
    constants = [c for s in judged.device.ready['table'] for c in s['characteristics'] if c['value'] is not None]
    if bench.slow:
        constants = [c for c in constants if c['char'] in ('manufacturer', 'second', 'empty', 'inner')]
    for mtu in 23, 247, 517:
        judged.connect(mtu)
        equal(judged.read('long'), PATTERN, f'the value of 512 octets at MTU {mtu}')
        for c in constants:
            equal(judged.read(c['value_handle']).hex(), c['value'], f"{c['char']} at MTU {mtu}")
        judged.disconnect()
    return f'{len(constants)} values'


@case
def our_mtu_bounds_the_link(bench):
    judged = Judged(bench, '--mtu', '64').connect()
    equal(judged.command('mtu', mtu=517), 64, 'MTU')
    judged.command('discover')
    equal(judged.read('long'), PATTERN, 'the value of 512 octets')


@case
def both_characteristics_of_a_uuid_are_read_by_it(bench):
    judged = Judged(bench).connect()
    found = judged.command('read_by_uuid', uuid='7e570105-a5c0-4b1e-8f00-b0b5c0ffee01')
    equal([bytes.fromhex(value) for value in found], [b'first', b'second'], 'values')


@case
def descriptors_are_read_and_written(bench):
    judged = Judged(bench).connect(247)
    description = judged.descriptor('described', '2901')
    equal(judged.read(description), b'Room temperature', 'user description')
    equal(judged.write(description, b'Cellar'), b'', 'writing it')
    equal(judged.read(description), b'Cellar', 'user description')
    equal(judged.read(judged.descriptor('described', '2904')).hex(), '0efe2f27010000', 'presentation format')
    equal(judged.read(judged.descriptor('long', '2900')).hex(), '0100', 'extended properties')
    cccd = judged.descriptor('battery', '2902')
    equal(judged.write(cccd, b'\x01\x00'), b'', 'subscribing')
    equal(judged.read(cccd), b'\x01\x00', 'configuration')
    judged.disconnect()
    equal(judged.connect().read(cccd), b'\x00\x00', 'configuration of the next link, as there is no bond')


# --- values


@case
def values_are_written_at_every_mtu(bench):
    judged = Judged(bench)
    for mtu, value in (23, OTHER), (247, PATTERN), (517, OTHER):
        judged.connect(mtu)
        for written in b'', b'\x01\x02', value:
            equal(judged.write('long', written), b'', f'writing {len(written)} octets at MTU {mtu}')
            equal(judged.read('long'), written, f'{len(written)} octets read back at MTU {mtu}')
        judged.disconnect()
    start = judged.device.mark()
    judged.connect(23).write('write_only', PATTERN[:100])
    told = judged.device.wait('write', start=start, char='write_only')
    equal((told['length'], told['crc32']), (100, zlib.crc32(PATTERN[:100])), 'what we got')


@case
def a_slow_answer_holds_up_no_notification(bench):
    judged = Judged(bench).connect(247)
    judged.subscribe('heart_rate')
    judged.write('control', b'\x04' + struct.pack('<H', 20))
    equal(judged.read('slow'), b'slow-ok', 'the slow value')
    expect(len(judged.received('heart_rate', 20)) >= 20, 'notifications came while it was waited for')


@case
def errors_are_those_of_the_specification(bench):
    judged, code = Judged(bench).connect(64), ATT_ERRORS
    handle, long = judged.handle('first'), judged.handle('long')
    for what, wanted in ('error', 'application'), ('write_only', 'read'), ('heart_rate', 'read'), (
            'encrypted', 'authentication'), ('authenticated', 'authentication'), (0xFFFF, 'handle'):
        equal(judged.read(what), code[wanted], f'reading {what}')
    for what, wanted in ('error', 'application'), ('first', 'write'), ('heart_rate', 'write'), (
            'encrypted', 'authentication'), (0xFFFF, 'handle'), (judged.handle('first') - 1, 'write'):
        equal(judged.write(what, b'x'), code[wanted], f'writing {what}')
    for pdu, wanted, at in (
            ('0c' + le(handle) + le(6), 'offset', handle),  # a part that begins behind the end
            ('0a' + le(0), 'handle', 0),
            ('10' + le(1) + le(0xFFFF) + le(0x2803), 'group', 1),  # characteristics are no groups
            ('10' + le(5) + le(4) + le(0x2800), 'handle', 5),  # from 5 to 4
            ('04' + le(0xFF00) + le(0xFFFF), 'not_found', 0xFF00),
            ('08' + le(1) + le(0xFFFF) + le(0x2A99), 'not_found', 1),
            ('16' + le(long) + le(513) + 'aa', None, None),  # is queued, and refused when executed
            ('18' + '01', 'offset', long),
            ('0a' + '01', 'pdu', 0),
            ('0e' + le(handle) + 'ff', 'pdu', 0),
            ('3f' + '0000', 'request', 0)):  # an opcode that nobody has
        answer = judged.command('request', pdu=pdu)
        if wanted:
            equal(answer, '01' + pdu[:2] + le(at) + f'{code[wanted]:02x}', f'the answer to {pdu}')
        else:
            equal(answer, '17' + pdu[2:], f'the answer to {pdu}')


def le(number):
    return number.to_bytes(2, 'little').hex()


@case
def a_queue_of_prepared_writes_is_bounded_and_can_be_dropped(bench):
    judged = Judged(bench).connect(64)
    long, answers = judged.handle('long'), []
    for number in range(200):
        answers.append(judged.command('request', pdu='16' + le(long) + le(number) + '55'))
        if answers[-1].startswith('01'):
            break
    equal(answers[-1], '0116' + le(long) + '09', 'the last answer: Prepare Queue Full')
    expect(len(answers) > 20, f'{len(answers) - 1} parts were taken')
    equal(judged.command('request', pdu='1800'), '19', 'the answer to the cancellation')
    equal(judged.read('long'), PATTERN, 'the value, which nothing was written to')
    return f'{len(answers) - 1} parts'


# --- what we send by ourselves


@case
def notifications_at_a_high_rate_lose_none(bench):
    judged = Judged(bench).connect(247)
    count, hz = (500, 100) if bench.slow else (10_000, 2000)
    judged.write('control', b'\x04' + struct.pack('<H', hz))
    judged.subscribe('heart_rate')
    started = time.monotonic()
    values = judged.received('heart_rate', count)
    rate = len(values) / (time.monotonic() - started)
    expect(len(values) >= count, f'only {len(values)} of {count} came')
    expect_no_gap(values)
    judged.command('unsubscribe', handle=judged.handle('heart_rate'))
    judged.received('heart_rate', 0)
    equal(judged.read('body_location'), b'\x01', 'a value, behind what was still on its way')
    judged.received('heart_rate', 0)
    equal(judged.command('received', handle=judged.handle('heart_rate'), count=1, seconds=0.3), [], 'after the end')
    return f'{rate:.0f} a second'


def expect_no_gap(values):
    numbers = [struct.unpack('<BBH', value)[2] for value in values]
    equal(numbers, [(numbers[0] + at) & 0xFFFF for at in range(len(numbers))], 'numbers')


@case
def three_centrals_are_served_at_once(bench):
    judged = Judged(bench)
    everyone = [judged, *(judged.another(f'E0:E1:E2:E3:E4:0{number}') for number in (1, 2))]
    for central in everyone:
        central.connect(64)
        central.subscribe('heart_rate')
    judged.write('control', b'\x04' + struct.pack('<H', 20 if bench.slow else 200))
    everyone[2].write('long', OTHER)
    everyone[1].command('unsubscribe', handle=judged.handle('heart_rate'))
    for central in everyone:
        equal(central.read('long'), OTHER, 'the value that one of them wrote')
        configured = central.read(central.descriptor('heart_rate', '2902'))
        equal(configured, b'\x00\x00' if central is everyone[1] else b'\x01\x00', 'configuration, each its own')
    for central in judged, everyone[2]:
        expect_no_gap(central.received('heart_rate', 50 if bench.slow else 500))
        central.disconnect()
    equal(everyone[1].read('first'), b'first', 'a value, for who is left')


@case
def indications_are_confirmed_one_by_one(bench):
    judged = Judged(bench).connect(23)
    judged.subscribe('indicate')
    start = judged.device.mark()
    for _ in range(3):
        judged.write('control', b'\x03')
    values = judged.received('indicate', 3)
    equal([struct.unpack('<I', value)[0] for value in values], [1, 2, 3], 'values')
    for number in (1, 2, 3):
        judged.device.wait('confirmed', start=start, number=number)
    equal(judged.read('indicate'), struct.pack('<I', 3), 'the value read')
    capture = bench.capture_of(judged.device)
    opcodes = [o for (o,) in tshark(capture, 'btatt.opcode == 0x1d or btatt.opcode == 0x1e', 'btatt.opcode')]
    equal(opcodes, ['0x1d', '0x1e'] * 3, 'indications and confirmations')


@case
def what_is_sent_is_notified_back_in_parts(bench):
    judged = Judged(bench)
    for mtu in 23, 247:
        judged.connect(mtu)
        judged.subscribe('uart_tx')
        sent = bytes(range(18)) + b'hello'
        judged.write('uart_rx', sent[:20], response=False)
        judged.write('uart_rx', sent[20:], response=False)
        judged.write('uart_rx', PATTERN)  # a long write: one value, several notifications
        back, size = b'', mtu - 3
        parts = judged.received('uart_tx', 2 + -(-len(PATTERN) // size))
        equal(b''.join(parts), sent + PATTERN, 'what came back')
        equal(max(len(part) for part in parts), size, 'the longest')
        judged.disconnect()


@case
def a_battery_level_is_notified_to_whom_subscribed(bench):
    judged = Judged(bench).connect(23)
    judged.write('control', b'\x02\x32')
    equal(judged.read('battery'), b'\x32', 'level')
    judged.subscribe('battery')
    judged.write('control', b'\x02\x33')
    equal(judged.received('battery', 1), [b'\x33'], 'what was notified: nothing of before')
    judged.device.wait('subscription', char='battery', notify=True)


@case
def a_flood_of_write_commands_arrives_in_order(bench):
    judged = Judged(bench).connect(247)
    count = 500 if bench.slow else 5000
    sent = judged.command('flood', handle=judged.handle('sink'), count=count, octets=20)
    wanted = struct.pack('<III', count, 20 * count, sent['crc'])
    equal(judged.read('sink_stats').hex(), wanted.hex(), 'count, octets and CRC of what we got')
    return f"{count / sent['seconds']:.0f} a second"


@case
def a_table_that_changes_is_indicated(bench):
    judged = Judged(bench).connect(247)
    judged.subscribe(SERVICE_CHANGED)
    before = judged.device.ready['table']
    judged.write('control', b'\x07')
    after = judged.device.wait('table')['table']
    equal(len(after), len(before) + 1, 'services')
    changed, = judged.received(SERVICE_CHANGED, 1)
    first, last = struct.unpack('<HH', changed)
    grown = next(s for s in after if s['handle'] not in [s['handle'] for s in before])
    expect(first <= grown['handle'] and grown['end_handle'] <= last, f'{first} to {last} holds {grown}')
    judged.disconnect()
    found = judged.connect().command('discover')
    equal([comparable(s) for s in found], [comparable(s) for s in after], 'services')


# --- the link


@case
def either_side_ends_the_link(bench):
    judged = Judged(bench).connect(23)
    start = judged.central.mark()
    judged.write('control', b'\x01')
    equal(judged.central.wait('disconnected', start=start)['reason'], REMOTE_USER_TERMINATED, 'reason that Bumble saw')
    judged.connect()
    judged.disconnect()


@case
def the_link_changes_and_goes_on(bench):
    judged = Judged(bench).connect(247)
    judged.subscribe('heart_rate')
    judged.write('control', b'\x04' + struct.pack('<H', 20))
    timing = judged.command('parameters', interval_min=30, interval_max=50, latency=0, timeout=5000)
    expect(30 <= timing['interval'] <= 50, f'interval: {timing}')
    start = judged.central.mark()
    judged.write('control', b'\x06')  # ours to ask for, the central's to do
    judged.central.wait('parameters', start=start)
    judged.device.wait('parameters')
    equal(judged.command('phy', phy=2), [2, 2], 'PHY')
    if not bench.slow:  # rootcanal takes the command and stays at 27
        equal(judged.command('data_length', octets=251, microseconds=2120), [251, 251], 'data length')
    judged.command('features')
    judged.received('heart_rate', 0)
    expect(len(judged.received('heart_rate', 10)) >= 10, 'notifications after it all')


@case
def a_server_and_a_client_share_the_link(bench):
    judged = Judged(bench).connect(247)
    judged.subscribe('heart_rate')
    judged.write('control', b'\x04' + struct.pack('<H', 50))
    for _ in range(3):
        start = judged.device.mark()
        judged.write('control', b'\x0a')
        for _ in range(3):  # requests both ways at once
            equal(judged.read('long'), PATTERN, 'the value of 512 octets')
        found = judged.device.wait('discovered', start=start)['services']
        equal([uuid[4:8] for uuid in found][:2], ['1800', '1801'], "services that we found in Bumble's table")
    expect_no_gap(judged.received('heart_rate', 10))


# --- the verb


@case
def advertise_serves_the_device_of_a_file(bench):
    central, lines = bench.start_peer(name='central.py'), queue.Queue()
    command = bench.start('advertise', EXAMPLES / 'thermometer.toml', '--notify', 'temperature', '--i16', '--until-eof',
                          adapter=bench.adapter_of(central), stdin=iter(lines.get, None))
    command.wait('advertising')
    central.command('connect', address=central.command('find', called='Greenhouse'))
    command.wait('connected', address=central.ready['address'])
    found = {c['uuid'][4:8]: c for s in central.command('discover') for c in s['characteristics']}
    temperature = found['2a6e']
    equal(temperature['properties'], ['read', 'notify'], 'properties')
    equal([d['uuid'][4:8] for d in temperature['descriptors']], ['2902', '2901', '2904'], 'descriptors')
    equal(central.command('read', handle=temperature['value_handle']), {'value': '6608'}, 'temperature')
    central.command('subscribe', handle=temperature['value_handle'])
    command.wait('subscribed', notifications=True)
    lines.put('2200\n')
    lines.put('-5\n')
    values = central.command('received', handle=temperature['value_handle'], count=2)
    equal(values, ['9808', 'fbff'], 'what was notified')
    central.command('write', handle=found['0002']['value_handle'], value='6869')
    equal(command.wait('written')['value'], '6869', 'what we printed')
    central.command('disconnect')
    command.wait('disconnected', reason=REMOTE_USER_TERMINATED)
    central.command('connect', address=central.command('find', called='Greenhouse'))
    equal(central.command('read', handle=temperature['value_handle']), {'value': 'fbff'}, 'temperature')
    lines.put(None)
    command.finish(0)
    bench.opened.append(bench.capture_name())
