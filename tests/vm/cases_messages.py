"""What a user is told when an adapter cannot be had: exit status 1, one line that says what, why, and what to do."""

from bench import PROGRAM, case
from harness import equal, expect

FAILED = 1
NOBODY = 65534


def refused(bench, adapter, words=('info',), user=None):
    """The message of a session that does not come about; the same without --json, on one line."""
    options = {'user': user, 'env': {'BARETOOTH_ADAPTER': adapter}}
    error = bench.run_alone(*words, code=FAILED, **options).error
    equal(error['kind'], 'transport', 'kind of error')
    plain = bench.guest.run(PROGRAM, *words, code=FAILED, **options)
    equal(plain.count('\n'), 1, f'lines of what a user sees: {plain}')
    expect(error['message'] in plain, f"{error['message']!r} in what a user sees: {plain}")
    return error['message']


def told(message, *parts):
    for part in parts:
        expect(part in message, f'{part!r} in: {message}')


@case('hci')
def an_adapter_of_the_kernel_needs_a_capability(bench):
    message = refused(bench, bench.plug(), user=NOBODY)
    told(message, f'no permission to use {bench.spec}', 'CAP_NET_ADMIN', f'setcap cap_net_admin+ep {PROGRAM}')


@case('hci')
def the_capability_that_the_message_names_is_enough(bench):
    bench.plug()
    bench.guest.shell(f'cp {PROGRAM} {PROGRAM}-capable && setcap cap_net_admin+ep {PROGRAM}-capable')
    bench.guest.run(f'{PROGRAM}-capable', '-a', bench.spec, 'info', user=NOBODY)


@case('hci')
def an_adapter_of_the_kernel_that_another_baretooth_has(bench):
    command = bench.start('scan', '--timeout', '60')
    command.wait('report')
    told(refused(bench, bench.spec), f'{bench.spec} is in use', 'baretooth (pid ', 'user channel', 'end that program')
    command.process.send_signal(2)
    command.finish(130, timeout=5)


@case('hci')
def an_adapter_that_rfkill_blocks(bench):
    bench.plug()
    bench.hardware.settle()
    switch = f'$(echo /sys/class/bluetooth/{bench.spec}/rfkill*)/soft'
    bench.guest.shell(f'echo 1 > {switch}')
    try:
        told(refused(bench, bench.spec), f'{bench.spec} is blocked', '`rfkill unblock bluetooth`')
    finally:
        bench.guest.shell(f'echo 0 > {switch}')
    bench.run('info')


@case('hci')
def an_adapter_of_the_kernel_that_is_not_there(bench):
    bench.plug()
    told(refused(bench, 'hci9'), 'hci9 was not found', bench.spec)


@case('hci')
def an_adapter_that_is_up_is_left_so_if_asked(bench):
    bench.plug()
    bench.guest.run('hciconfig', bench.spec, 'up')
    told(refused(bench, bench.spec, ('--no-down', 'info')), f'{bench.spec} is in use', 'it is up', f'hciconfig {bench.spec} down')
    bench.run('info')  # brings it down


@case('usb')
def a_dongle_needs_permission(bench):
    bench.plug()
    bench.hardware.settle()
    message = refused(bench, bench.spec, user=NOBODY)
    told(message, 'no permission to use usb:0', 'udev')


@case('usb')
def a_dongle_that_another_baretooth_has(bench):
    command = bench.start('scan', '--timeout', '60')
    command.wait('report')
    told(refused(bench, bench.spec), 'is in use')
    command.process.send_signal(2)
    command.finish(130, timeout=5)


@case('usb')
def a_dongle_that_is_not_there(bench):
    bench.plug()
    told(refused(bench, 'usb:dead:beef'), 'usb:dead:beef was not found')


@case()
def a_serial_port_that_is_not_there(bench):
    told(refused(bench, 'uart:/dev/ttyUSB7'), '/dev/ttyUSB7', 'not found')


@case()
def a_serial_port_needs_permission(bench):
    told(refused(bench, 'uart:/dev/ttyS1', user=NOBODY), 'no permission', '/dev/ttyS1')
