"""The ends of the program: what it leaves on the air, its capture, its exit status."""

import signal
import struct
import time

from harness import equal, expect
from registry import case

INTERRUPTED, FAILED = 130, 1
COMMAND, EVENT = 1, 4  # H4 types
ENABLES = {0x200A: 'advertising', 0x2039: 'advertising', 0x200C: 'scanning', 0x2042: 'scanning'}  # by opcode
DISCONNECTION_COMPLETE = 0x05
RECORD_HEADER = struct.Struct('>IIIIQ')  # of btsnoop: lengths, flags, drops, time


def busy(bench):
    """A program that scans, advertises and has a link, and a request that waits."""
    rpc = bench.rpc()
    link = bench.link('heart_rate', rpc)
    link.call('gatt.subscribe', handle=link.handle('heart_rate'))
    rpc.call('scan.start', duplicates=True)
    rpc.call('advertise.start', data='020106')
    if bench.via == 'sim':  # with Bumble nobody is left who advertises
        rpc.wait('scan.report')
    return rpc, link


def check_idle(rpc):
    """By its capture: everything that was switched on was switched off, and the link is down."""
    on, ended = {}, 0
    for packet in packets(rpc.capture):
        if packet[0] == COMMAND:
            opcode, _, first = struct.unpack('<HBB', packet[1:5].ljust(4, b'\0'))
            if opcode in ENABLES:
                on[ENABLES[opcode]] = first != 0
        ended += packet[:2] == bytes([EVENT, DISCONNECTION_COMPLETE])
    equal(on, {'advertising': False, 'scanning': False}, 'what the capture says is on')
    equal(ended, 1, 'links that ended in the capture')


def packets(capture):
    """Of a btsnoop file: H4 packets."""
    octets = capture.read_bytes()
    at, found = 16, []
    while at < len(octets):
        _, length, *_ = RECORD_HEADER.unpack_from(octets, at)
        at += RECORD_HEADER.size + length
        found.append(octets[at - length:at])
    equal(at, len(octets), 'the end of the last record, and of the file')
    return found


@case
def the_end_of_its_input_leaves_the_adapter_idle(bench):
    rpc, _ = busy(bench)
    started = time.monotonic()
    rpc.finish(0)
    check_idle(rpc)
    return f'{time.monotonic() - started:.2f} s'


@case
def a_signal_leaves_the_adapter_idle(bench):
    for number in signal.SIGINT, signal.SIGTERM:
        rpc, _ = busy(bench)
        rpc.process.send_signal(number)
        rpc.process.wait(10)
        rpc.finish(INTERRUPTED)
        check_idle(rpc)


@case(via='sim')
def requests_before_the_end_of_the_input_are_done_or_not_but_nothing_hangs(bench):
    rpc = bench.rpc()
    link = bench.link('long', rpc)
    read = ('gatt.read', dict(connection=link.number, handle=link.handle('long')))
    rpc.send_all([read] * 200)
    rpc.finish(0)


@case(via='sim')
def half_a_line_at_the_end_of_the_input_is_an_error_and_the_end(bench):
    rpc = bench.rpc()
    rpc.raw(b'{"jsonrpc":"2.0","id":1,"meth')
    rpc.finish(0)
    errors = [line['error']['code'] for line in rpc.lines if 'error' in line]
    expect(errors in ([], [-32700]), f'errors: {errors}')


@case
def an_adapter_that_is_lost_fails_what_waits_and_ends_it(bench):
    if bench.via == 'bumble':
        radio = bench.start_peer()
        rpc, thing = bench.rpc(adapter=bench.adapter_of(radio)), 'slow'
    else:
        rpc, thing, radio = bench.rpc(adapter=bench.adapters_of_two()[0]), 'long', bench
    link = bench.link(thing, rpc)
    handle = link.handle(thing)
    reads = rpc.send_all([('gatt.read', dict(connection=link.number, handle=handle))] * 20
                         + [('connect', dict(address='C0:00:00:00:00:99', address_type='random'))])
    time.sleep(0.05)
    radio.kill()
    closed = rpc.wait('closed')
    expect(closed['reason'], 'the reason')
    lost = 0
    for id in reads:
        if 'error' in rpc.answer(id):
            rpc.error(id, 'adapter')
            lost += 1
        expect(rpc.place_of_answer(id) < rpc.place('closed'), 'the failure comes first')
    expect(lost > 2, f'{lost} were lost')
    rpc.process.wait(5)
    equal(rpc.lines[-1]['method'], 'closed', 'the last line')
    rpc.finish(FAILED)


@case(via='sim')
def a_reader_that_leaves_ends_it(bench):
    rpc, _ = busy(bench)
    rpc.reading.clear()
    time.sleep(0.2)
    rpc.process.stdout.close()
    rpc.process.wait(15)
    check_idle(rpc)
    rpc.finished = True


@case(via='sim')
def what_has_no_place_beside_it_is_refused(bench):
    done = bench.start('rpc', '--capture', '-', adapter='sim')
    done.process.wait(10)
    equal(done.process.returncode, 2, 'exit status with --capture -')
