"""Adapters that are pulled in every phase of a session, and what becomes of them when a session ends."""

import signal
import time

from bench import case
from harness import equal, expect

FAILED, INTERRUPTED = 1, 130
SOON = 3  # seconds
RESET = bytes.fromhex('01030c00')
CREATE_CONNECTION = bytes.fromhex('014320')  # LE Extended Create Connection
SCAN_OFF = bytes.fromhex('0142200600')  # LE Set Extended Scan Enable
REMOTE_USER_TERMINATED = 0x13
NOBODY = 'C0:00:00:00:00:01/random'


def pulled(bench, command):
    """Pulls the adapter under a running command, which must end soon and say why."""
    at = time.monotonic()
    bench.hardware.pull()
    error = command.finish(FAILED, timeout=15).error
    taken = time.monotonic() - at
    equal(error['kind'], 'transport', 'kind of error')
    expect('disconnected' in error['message'], f"what happened, in: {error['message']}")
    expect('plug it in' in error['message'], f"what to do, in: {error['message']}")
    expect(taken < SOON, f'it took {taken:.1f} s')
    return f'{taken:.1f} s'


@case('usb', 'hci')
def pulled_while_it_opens(bench):
    bench.plug()
    bench.hardware.settle()
    bench.hardware.line.unplug()  # the controller answers nothing: it stays in this phase
    start = bench.hardware.line.mark()
    command = bench.start('scan', adapter=bench.spec)
    bench.hardware.line.wait_for(RESET, 'Reset', start=start)
    return pulled(bench, command)


@case('usb', 'hci')
def pulled_while_it_scans(bench):
    command = bench.start('scan', '--timeout', '60')
    command.wait('report')
    return pulled(bench, command)


@case('usb', 'hci')
def pulled_while_it_connects(bench):
    bench.plug()
    start = bench.hardware.line.mark()
    command = bench.start('read', NOBODY, '2a19', '--connect-timeout', '60')
    bench.hardware.line.wait_for(CREATE_CONNECTION, 'LE Extended Create Connection', start=start)
    return pulled(bench, command)


@case('usb', 'hci')
def pulled_while_it_reads(bench):
    peer = bench.start_peer('--slow', '30')
    adapter, start = bench.adapter_of(peer), bench.hardware.line.mark()
    handle = peer.characteristic('slow')['value_handle']
    command = bench.start('read', peer.address, f'0x{handle:04x}', adapter=adapter)
    request = b'\x03\x00\x04\x00\x0a' + handle.to_bytes(2, 'little')
    bench.hardware.line.wait_for(request, 'the Read Request', start=start)
    return pulled(bench, command)


@case('usb', 'hci')
def pulled_while_notifications_come(bench):
    peer = bench.start_peer('--hr-rate', '50')
    command = bench.start('notify', peer.address, '2a37', adapter=bench.adapter_of(peer))
    command.wait('notification')
    return pulled(bench, command)


@case('usb', 'hci')
def it_works_again_when_it_is_plugged_in_again(bench):
    bench.plug()
    bench.hardware.pull()
    equal(bench.run('read', bench.peer.address, '2a19').of('value')[0]['value'], '64', 'battery level')


# --- the end of a session


@case('usb', 'hci')
def the_kernel_has_it_back_after_a_session(bench):
    bench.run('read', bench.peer.address, '2a19')
    bench.hardware.usable()


@case('usb', 'hci')
def an_interrupted_scan_stops_scanning_and_the_kernel_has_it_back(bench):
    bench.plug()
    start = bench.hardware.line.mark()
    command = bench.start('scan', '--extended', '--timeout', '60')
    command.wait('report')
    command.process.send_signal(signal.SIGINT)
    command.finish(INTERRUPTED, timeout=5)
    bench.hardware.line.wait_for(SCAN_OFF, 'the end of the scan', timeout=1, start=start)
    bench.hardware.usable()


@case('usb', 'hci')
def an_interrupted_subscription_hangs_up_and_the_kernel_has_it_back(bench):
    peer = bench.start_peer('--hr-rate', '50')
    start = peer.mark()
    command = bench.start('notify', peer.address, '2a37', adapter=bench.adapter_of(peer))
    command.wait('notification')
    command.process.send_signal(signal.SIGINT)
    command.finish(INTERRUPTED, timeout=5)
    equal(peer.wait('disconnected', start=start)['reason'], REMOTE_USER_TERMINATED, 'the reason that the peer saw')
    bench.hardware.usable()


@case('usb', 'hci')
def the_kernel_has_it_back_after_a_kill(bench):
    peer = bench.start_peer('--hr-rate', '50')
    command = bench.start('notify', peer.address, '2a37', adapter=bench.adapter_of(peer))
    command.wait('notification')
    command.process.kill()
    command.finish(-signal.SIGKILL, timeout=5)
    bench.hardware.usable()
    # Its controller was left connected; a new session makes it forget that.
    equal(bench.run('read', bench.peer.address, '2a19').of('value')[0]['value'], '64', 'battery level')
