"""The main job on one peer: discover, read, write, flood both ways, indications, reconnecting."""

import struct
import time
import zlib

from harness import equal, expect, tshark
from registry import case

PATTERN = bytes((i * 7 + 3) & 0xFF for i in range(512))
OTHER = bytes((i * 11 + 5) & 0xFF for i in range(512))
LONG, INDICATE, SINK = (f'7e57{n}-a5c0-4b1e-8f00-b0b5c0ffee01' for n in ('0100', '0103', '0109'))
REMOTE_USER_TERMINATED = 0x13
READ_BLOB, PREPARE_WRITE, EXECUTE_WRITE = 0x0C, 0x16, 0x18  # ATT request opcodes


def read(bench, peer, what, adapter=None):
    done = bench.run('read', peer.address, what, adapter=adapter)
    values = done.of('value')
    equal(len(values), 1, f'values of `{done.command}`')
    return values[0]


@case
def gatt_equals_the_table_of_the_peer(bench):
    peer = bench.peer
    found = bench.run('gatt', peer.address).of('service')
    wanted = {service['handle']: service for service in peer.ready['table']}
    primary = {handle for handle, service in wanted.items() if service['primary']}
    handles = {service['handle'] for service in found}
    expect(primary <= handles <= set(wanted), f'services at {sorted(handles)}, the peer has {sorted(wanted)}')
    for service in found:
        equal(comparable(service), comparable(wanted[service['handle']]), f"service {service['uuid']}")
    includes = [i for s in found for i in s['includes']]
    equal(len(includes), 2, 'included services, one of them with a 128-bit UUID')
    return f"{len(found)} services, {sum(len(s['characteristics']) for s in found)} characteristics"


def comparable(service):
    """What the peer and `gatt` both say of a service."""
    return dict(
        uuid=service['uuid'].lower(), primary=service['primary'],
        handles=(service['handle'], service['end_handle']),
        includes=[(i['handle'], i['uuid'].lower(), i['service_handle'], i['end_handle']) for i in service['includes']],
        characteristics=[(c['uuid'].lower(), c['handle'], c['value_handle'], sorted(c['properties']),
                          [(d['uuid'].lower(), d['handle']) for d in c['descriptors']])
                         for c in service['characteristics']])


@case
def every_constant_value_is_read(bench):
    peer = bench.peer
    constants = [c for s in peer.ready['table'] for c in s['characteristics'] if c['value'] is not None]
    if bench.slow:
        constants = [c for c in constants if c['char'] in ('manufacturer', 'second', 'empty', 'inner')]
    for characteristic in constants:
        value = read(bench, peer, peer.handle(characteristic['char']))
        equal(value['value'], characteristic['value'], characteristic['char'])
        equal(value['handle'], characteristic['value_handle'], f"handle of {characteristic['char']}")
        equal(value['uuid'].lower(), characteristic['uuid'], f"UUID of {characteristic['char']}")
    return f'{len(constants)} values'


@case
def a_value_is_read_by_uuid_by_name_and_after_a_scan(bench):
    peer = bench.peer
    peer.command('battery', level=77)
    for what in ('2a19', 'battery_level', '00002a19-0000-1000-8000-00805f9b34fb'):
        equal(read(bench, peer, what)['value'], '4d', what)
    done = bench.run('read', peer.ready['address'], '2a19')  # no address type: learned by scanning
    equal(done.of('value')[0]['value'], '4d', 'value after a scan')
    peer.command('battery', level=100)


@case
def a_512_octet_value_is_read(bench):
    start = bench.peer.mark()
    equal(read(bench, bench.peer, LONG)['value'], PATTERN.hex(), 'the long value')
    equal([e['mtu'] for e in bench.peer.events('mtu', start)], [517], 'MTU exchanges that the peer saw')


@case
def a_slow_answer_is_waited_for(bench):
    value = read(bench, bench.peer, bench.peer.handle('slow'))
    equal(bytes.fromhex(value['value']), b'slow-ok', 'the slow value')


@case
def a_short_value_is_written_and_read_back(bench):
    peer = bench.start_peer()
    adapter = bench.adapter_of(peer)
    bench.run('write', peer.address, LONG, '0102', adapter=adapter)
    equal(read(bench, peer, LONG, adapter)['value'], '0102', 'the value')
    bench.run('write', peer.address, peer.handle('write_only'), 'hello', '--text', adapter=adapter)
    equal(peer.wait('write', char='write_only')['crc32'], zlib.crc32(b'hello'), 'CRC of what the peer got')


@case
def long_values_go_in_parts_when_the_mtu_is_small(bench):
    peer = bench.start_peer('--mtu', '64')
    adapter = bench.adapter_of(peer)
    equal(read(bench, peer, LONG, adapter)['value'], PATTERN.hex(), 'the long value')
    bench.run('write', peer.address, LONG, OTHER.hex(), adapter=adapter)
    written = peer.wait('write', char='long')
    equal((written['length'], written['crc32']), (512, zlib.crc32(OTHER)), 'what the peer got')
    equal(read(bench, peer, LONG, adapter)['value'], OTHER.hex(), 'the long value read back')
    captures = sorted(bench.folder.glob(f'{bench.test}-*.btsnoop'))
    opcodes = [int(o, 16) for c in captures for (o,) in tshark(c, 'btatt.opcode', 'btatt.opcode')]
    expect(opcodes.count(READ_BLOB) >= 8, f'only {opcodes.count(READ_BLOB)} Read Blob Requests')
    expect(opcodes.count(PREPARE_WRITE) >= 8, f'only {opcodes.count(PREPARE_WRITE)} Prepare Write Requests')
    equal(opcodes.count(EXECUTE_WRITE), 1, 'Execute Write Requests')


@case
def writes_without_response_all_arrive_in_order(bench):
    peer = bench.peer
    peer.command('reset_sink')
    count = 5000
    values = [struct.pack('<I', i) + bytes(i + k & 0xFF for k in range(16)) for i in range(count)]
    lines = ''.join(value.hex() + '\n' for value in values)
    done = bench.run('write', peer.address, SINK, '-', '--without-response', stdin=lines, timeout=90)
    deadline = time.monotonic() + 20  # nothing answers a Write Command: the last ones may still be on their way
    while (stats := peer.command('sink'))['count'] < count and time.monotonic() < deadline:
        time.sleep(0.05)
    wanted = dict(count=count, octets=20 * count, crc=zlib.crc32(b''.join(values)))
    equal(stats, wanted, 'what the peer got (the CRC tells the order)')
    over_the_air = read(bench, peer, peer.handle('sink_stats'))
    equal(over_the_air['value'], struct.pack('<III', *wanted.values()).hex(), 'what the peer says on the air')
    return f'{count / done.seconds:.0f} a second'


@case
def notifications_at_2000_a_second_lose_none(bench):
    peer = bench.peer
    count = 10_000
    peer.command('hr_rate', hz=2000)
    command = bench.start('notify', peer.address, '2a37', '--count', str(count), '--timeout', '60')
    command.finish(0, timeout=70)
    peer.command('hr_rate', hz=1)
    notifications = command.of('notification')
    equal(len(notifications), count, 'notifications')
    sequence = [int.from_bytes(bytes.fromhex(n['value'])[2:4], 'little') for n in notifications]
    gaps = [at for at in range(1, count) if sequence[at] != (sequence[at - 1] + 1) & 0xFFFF]
    equal(gaps, [], 'places where the sequence jumps')
    equal({n['missed'] for n in notifications}, {0}, 'missed')
    equal({n['indication'] for n in notifications}, {False}, 'indication')
    taken = command.out.times[-1] - command.out.times[0]
    expect(taken < 7.5, f'10,000 notifications took {taken:.1f} s: the load was not 2,000 a second')
    return f'{count / taken:.0f} a second'


@case
def indications_arrive_and_are_confirmed_once_each(bench):
    peer = bench.start_peer()
    command = bench.start('notify', peer.address, INDICATE, '--count', '3', '--timeout', '20',
                          adapter=bench.adapter_of(peer))
    peer.wait('subscription', char='indicate', indicate=True, timeout=15)
    for number in (1, 2, 3):
        # `done` comes when the confirmation did; a second confirmation would be an error in the peer.
        equal(peer.command('indicate'), number, 'indications sent')
    command.finish(0)
    got = command.of('notification')
    equal([int.from_bytes(bytes.fromhex(n['value']), 'little') for n in got], [1, 2, 3], 'values')
    equal({n['indication'] for n in got}, {True}, 'indication')
    capture, = bench.folder.glob(f'{bench.test}-*.btsnoop')
    equal(len(tshark(capture, 'btatt.opcode == 0x1e', 'frame.number')), 3, 'Handle Value Confirmations')


@case
def notify_takes_several_characteristics(bench):
    peer = bench.start_peer('--hr-rate', '20')
    command = bench.start('notify', peer.address, '2a37', '2a19', '--timeout', '4', adapter=bench.adapter_of(peer))
    peer.wait('subscription', char='battery', notify=True, timeout=15)
    peer.command('battery', level=42)
    command.finish(0)
    values = {n['uuid'][4:8]: n['value'] for n in command.of('notification')}
    equal(values.get('2a19'), '2a', 'battery level')
    expect('2a37' in values, 'no heart rate came')


@case
def it_reconnects_20_times_and_hangs_up_each_time(bench):
    peer = bench.peer
    start, handle = peer.mark(), peer.handle('body_location')
    for _ in range(20):
        equal(read(bench, peer, handle)['value'], '01', 'body sensor location')
    peer.lines.wait(lambda _: len(peer.events('disconnected', start)) == 20, 10, 'the 20th disconnection', start)
    equal(len(peer.events('connected', start)), 20, 'connections that the peer saw')
    equal([e['reason'] for e in peer.events('disconnected', start)], [REMOTE_USER_TERMINATED] * 20, 'reasons')


@case
def a_parameter_request_of_the_peer_is_answered_and_notifications_go_on(bench):
    peer = bench.start_peer('--hr-rate', '20')
    command = bench.start('notify', peer.address, '2a37', '--count', '60', adapter=bench.adapter_of(peer))
    command.wait('notification')
    peer.command('conn_params')  # `done` comes with the answer; none, or a refusal, is `failed`
    command.finish(0)
    equal(len(command.of('notification')), 60, 'notifications')
