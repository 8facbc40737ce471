"""Every verb over every adapter, against the Bumble peer outside: the same values as without a kernel in between."""

import time
import zlib

import cases_errors
import cases_gatt
import cases_scan
from bench import CASES, case
from cases_gatt import SINK
from harness import equal, expect

ADAPTERS = 'hci', 'usb', 'ttyS1', 'ttyUSB0'

# The peers' cases that say most about a transport: reports, a whole table, every length of value, both directions.
for theirs in (
        cases_scan.scan_extended_reports_the_peer,
        cases_scan.scan_legacy_reports_the_peer,
        cases_scan.passive_scan_sends_no_scan_request,
        cases_gatt.gatt_equals_the_table_of_the_peer,
        cases_gatt.every_constant_value_is_read,
        cases_gatt.a_512_octet_value_is_read,
        cases_gatt.a_short_value_is_written_and_read_back,
        cases_gatt.long_values_go_in_parts_when_the_mtu_is_small,
        cases_gatt.indications_arrive_and_are_confirmed_once_each,
        cases_gatt.a_parameter_request_of_the_peer_is_answered_and_notifications_go_on,
        cases_errors.a_disconnection_by_the_peer_ends_notify_with_its_reason):
    CASES.extend((theirs, kind, __name__) for kind in ADAPTERS)


@case(*ADAPTERS)
def info_tells_the_controller(bench):
    done = bench.run('info')
    info, = done.of('info')
    expect(info['public_address'].startswith('C0:FF:EE:'), f"the address of a controller outside: {info}")
    equal((info['acl_length'], info['acl_count']), (27, 64), 'ACL buffers')
    equal(info['extended'], True, 'extended advertising')
    return info['adapter']


@case(*ADAPTERS)
def a_thousand_writes_without_response_all_arrive(bench):
    peer = bench.peer
    peer.command('reset_sink')
    lines = ''.join(f'{number:040x}\n' for number in range(1000))
    done = bench.run('write', peer.address, SINK, '-', '--without-response', stdin=lines, timeout=90)
    deadline = time.monotonic() + 20  # nothing answers a Write Command: the last ones may still be on their way
    while (stats := peer.command('sink'))['count'] < 1000 and time.monotonic() < deadline:
        time.sleep(0.05)
    wanted = zlib.crc32(b''.join(bytes.fromhex(line) for line in lines.split()))
    equal((stats['count'], stats['octets'], stats['crc']), (1000, 20_000, wanted), 'what the peer got')
    return f'{1000 / done.seconds:.0f} a second'


@case(*ADAPTERS)
def a_thousand_notifications_are_all_printed(bench):
    peer = bench.peer
    peer.command('hr_rate', hz=250)
    command = bench.start('notify', peer.address, '2a37', '--count', '1000', '--timeout', '60')
    command.finish(0, timeout=70)
    peer.command('hr_rate', hz=1)
    notifications = command.of('notification')
    sequence = [int.from_bytes(bytes.fromhex(n['value'])[2:4], 'little') for n in notifications]
    equal(len(sequence), 1000, 'notifications')
    equal([at for at in range(1, 1000) if sequence[at] != (sequence[at - 1] + 1) & 0xFFFF], [], 'jumps of the sequence')
    equal({n['missed'] for n in notifications}, {0}, 'missed')
    taken = command.out.times[-1] - command.out.times[0]
    return f'{1000 / taken:.0f} a second'
