"""What goes wrong, and what a user is told: exit status, the error line, and in time."""

import signal
import socket
import time

from harness import equal, expect, free_ports
from registry import case

DUPLICATE = '7e570105-a5c0-4b1e-8f00-b0b5c0ffee01'
LONG = '7e570100-a5c0-4b1e-8f00-b0b5c0ffee01'
FAILED, USAGE, INTERRUPTED = 1, 2, 130  # exit status


@case
def an_application_error_is_told_with_its_code(bench):
    peer = bench.peer
    handle = peer.characteristic('error')['value_handle']
    for words in (['read', peer.address, peer.handle('error')], ['write', peer.address, peer.handle('error'), '00']):
        error = bench.run(*words, code=FAILED).error
        equal({k: error[k] for k in ('kind', 'operation', 'handle', 'code')},
              dict(kind='att', operation=words[0], handle=handle, code=0x80), 'error')


@case
def a_disconnection_by_the_peer_ends_notify_with_its_reason(bench):
    peer = bench.start_peer('--hr-rate', '50')
    command = bench.start('notify', peer.address, '2a37', adapter=bench.adapter_of(peer))
    command.wait('notification')
    peer.command('disconnect', reason=0x15)  # power off: not what we or a time-out would give
    error = command.finish(FAILED, timeout=5).error
    equal((error['kind'], error['reason']), ('disconnected', 0x15), 'error')


@case
def a_peer_that_is_not_there_is_told_in_time(bench):
    for address, kind in (('C0:00:00:00:00:01', 'not_found'), ('C0:00:00:00:00:01/random', 'timeout')):
        done = bench.run('read', address, '2a19', '--connect-timeout', '2', code=FAILED)
        equal(done.error['kind'], kind, 'kind of error')
        expect('C0:00:00:00:00:01' in done.error['message'].upper(), f"the address in: {done.error['message']}")
        latest = 8 if bench.slow else 5  # with opening the adapter
        expect(2 <= done.seconds < latest, f'it took {done.seconds:.1f} s, asked for 2')
    bench.run('read', bench.peer.address, '2a19')  # the radio is free again


@case
def an_ambiguous_uuid_lists_the_handles(bench):
    peer = bench.peer
    error = bench.run('read', peer.address, DUPLICATE, code=FAILED).error
    equal(error['kind'], 'ambiguous', 'kind of error')
    for name in ('first', 'second'):
        expect(peer.handle(name) in error['message'].lower(), f"{peer.handle(name)} in: {error['message']}")


@case
def a_characteristic_that_is_not_there_is_told(bench):
    error = bench.run('read', bench.peer.address, '2aff', code=FAILED).error
    equal(error['kind'], 'not_found', 'kind of error')


@case
def a_value_of_513_octets_is_refused(bench):
    peer = bench.start_peer()
    start = peer.mark()
    error = bench.run('write', peer.address, LONG, '00' * 513, adapter=bench.adapter_of(peer), code=FAILED).error
    expect('512' in error['message'], f"the limit in: {error['message']}")
    equal(peer.events('write', start), [], 'writes that the peer saw')


@case(via='bumble')
def a_wrong_adapter_string_shows_the_forms(bench):
    done = bench.run('scan', adapter='carrier-pigeon:7', code=USAGE)
    expect('carrier-pigeon' in done.stderr, f'what was typed, in: {done.stderr}')
    expect('tcp:' in done.stderr and 'usb:' in done.stderr, f'the forms, in: {done.stderr}')


@case(via='bumble')
def a_refused_connection_is_told(bench):
    port, = free_ports(1)
    error = bench.run('scan', adapter=f'tcp:127.0.0.1:{port}', code=FAILED).error
    equal(error['kind'], 'transport', 'kind of error')
    expect(f'127.0.0.1:{port}' in error['message'], f"the address in: {error['message']}")


@case(via='bumble')
def a_silent_controller_is_told(bench):
    with socket.create_server(('127.0.0.1', 0)) as silent:
        done = bench.run('scan', adapter=f'tcp:127.0.0.1:{silent.getsockname()[1]}', code=FAILED, timeout=30)
    expect('reset' in done.error['message'].lower(), f"the command in: {done.error['message']}")


@case
def a_transport_that_closes_is_told_within_a_second(bench):
    peer = bench.start_peer('--hr-rate', '50')
    command = bench.start('notify', peer.address, '2a37', adapter=bench.adapter_of(peer))
    command.wait('notification')
    (bench.radio or peer).kill()
    closed = time.monotonic()
    done = command.finish(FAILED, timeout=5)
    taken = time.monotonic() - closed
    expect(taken < 1, f'it took {taken:.1f} s')
    equal(done.error['kind'], 'transport', 'kind of error')
    return f'{taken * 1000:.0f} ms'


@case
def an_interrupted_scan_ends_clean(bench):
    command = bench.start('scan', '--timeout', '60')
    command.wait('report')
    command.process.send_signal(signal.SIGINT)
    command.finish(INTERRUPTED, timeout=5)
    bench.run('read', bench.peer.address, '2a19')
