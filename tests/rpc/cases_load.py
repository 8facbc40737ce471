"""Much at once: every request answered once, memory bounded, and a reader that stops harms nobody but itself."""

import time

from bench import THERMOMETER
from harness import equal, expect
from registry import case
from rules import unanswered

MIB = 1 << 20


@case
def ten_thousand_requests_in_flight_are_all_answered(bench):
    """Beside 2,000 notifications a second, where the radio has them."""
    if bench.via == 'bumble':
        peer = bench.start_peer('--hr-rate', '2000')
        rpc = bench.rpc(adapter=bench.adapter_of(peer))
    else:
        rpc = bench.rpc()
    link = bench.link('battery', rpc)
    battery = link.handle('battery')
    if bench.via == 'bumble':
        link.call('gatt.subscribe', handle=link.handle('heart_rate'))
    before, started, calls = rpc.memory(), time.monotonic(), []
    for number in range(10_000):
        if number % 100 == 0:
            calls.append(('gatt.read', dict(connection=link.number, handle=battery)))
        elif number % 7 == 0:
            calls.append(('gatt.read', dict(connection=99, handle=battery)))
        else:
            calls.append(('info', {}))
    ids = rpc.send_all(calls)
    for id in ids:
        rpc.answer(id, timeout=120)
    taken, grown = time.monotonic() - started, rpc.memory() - before
    equal(unanswered(rpc.lines, rpc.sent), [], 'requests without an answer')
    expect(grown < 64 * MIB, f'it grew by {grown // MIB} MiB')
    values = rpc.notified('gatt.notification')
    missed = sum(one['missed'] for one in values)
    expect(bench.via == 'sim' or values, 'there were notifications')
    return f'{taken:.1f} s, {grown // 1024} KiB more, {len(values)} notifications beside them, {missed} missed'


@case
def a_reader_that_stops_loses_values_is_told_how_many_and_nothing_else(bench):
    """Meanwhile the program stays small, and afterwards the link is as it was."""
    if bench.via == 'bumble':
        peer = bench.start_peer('--hr-rate', '1000')
        rpc = bench.rpc(adapter=bench.adapter_of(peer))
        link = bench.link('heart_rate', rpc)
        handle = link.handle('heart_rate')
        link.call('gatt.subscribe', handle=handle)
        seconds = 6
    else:
        rpc = bench.rpc()
        link = bench.link('echo', rpc)
        handle = link.handle('echoed')
        link.call('gatt.subscribe', handle=handle)
        seconds = 4
    before = rpc.memory()
    with rpc.not_reading():
        if bench.via == 'sim':
            value = 'ab' * 400
            write = ('gatt.write', dict(connection=link.number, handle=link.handle('echo'), value=value,
                                        response=False))
            rpc.send_all([write] * 1000)
        time.sleep(seconds)
    grown = rpc.memory() - before
    if bench.via == 'bumble':
        rpc.wait_for(lambda line: line.get('method') == 'gatt.notification' and line['params']['missed'] > 0, 15,
                     'a value that says how many were missed')
        link.call('gatt.unsubscribe', handle=handle)
        values = rpc.notified('gatt.notification')
        numbers = [int.from_bytes(bytes.fromhex(one['value'])[-2:], 'little') for one in values]
        for (one, number), later in zip(zip(values[1:], numbers[1:]), numbers):
            equal(one['missed'], (number - later - 1) % 65536, f'what was missed before value {number}')
    expect(grown < 16 * MIB, f'it grew by {grown // 1024} KiB')
    rpc.call('info')
    missed = sum(one['missed'] for one in rpc.notified('gatt.notification'))
    return f'{grown // 1024} KiB more, {missed} missed'


@case(via='sim')
def a_scan_of_a_reader_that_stops_does_not_hold_up_a_link(bench):
    rpc = bench.rpc()
    link = bench.link('battery', rpc)
    handle = link.handle('battery')
    rpc.call('scan.start', duplicates=True)
    with rpc.not_reading():
        time.sleep(2)
        ids = rpc.send_all([('gatt.read', dict(connection=link.number, handle=handle))] * 50)
        time.sleep(3)
    for id in ids:
        equal(rpc.result(id), {'value': '57'}, 'the battery')
    rpc.wait('scan.report', address=THERMOMETER, start=rpc.mark())
