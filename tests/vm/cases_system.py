"""What the system around an adapter does: the list of adapters, its driver or none, listening along, permissions."""

import signal
from pathlib import Path

from bench import PROGRAM, case
from cases_gatt import gatt_equals_the_table_of_the_peer
from harness import Command, equal, expect, tshark
from hardware import KernelAdapter

NOBODY = 65534
REPOSITORY = Path(__file__).resolve().parents[2]
RULES = '/etc/udev/rules.d/70-baretooth.rules'
PACKETS = 'hci_mon.opcode >= 2 && hci_mon.opcode <= 7'  # commands, events, data


@case('bare')
def a_dongle_without_its_driver_is_used_like_any_other(bench):
    bench.plug()
    expect('btusb' not in bench.guest.run('lsmod'), 'btusb is not loaded')
    return gatt_equals_the_table_of_the_peer(bench)


@case('bare')
def adapters_lists_each_with_its_state(bench):
    bench.plug()
    played = KernelAdapter(bench.guest, bench.hardware.program)
    played.plug(bench.peer.ready['port'])
    played.settle()

    def listed(**options):
        return {found['adapter']: found for found in bench.run_alone('adapters', **options).of('adapter')}
    found = listed()
    equal({name for name in found if name.startswith(('usb:', 'hci', 'uart:/dev/ttyUSB', 'uart:/dev/ttyS1'))},
          {'usb:1209:0001', played.spec, 'uart:/dev/ttyS1,115200', 'uart:/dev/ttyUSB0,1000000'}, 'adapters')
    equal([one for one in found.values() if not one['usable']], [], 'unusable ones')
    expect('down' in found[played.spec]['description'], f'its state, in: {found[played.spec]}')
    bench.guest.run('hciconfig', played.spec, 'up')
    expect('up' in listed()[played.spec]['description'], f'its state, in: {found[played.spec]}')
    bench.guest.run('hciconfig', played.spec, 'down')
    for name, one in listed(user=NOBODY).items():
        if name != 'sim':
            equal((one['usable'], one['reason']), (False, 'no permission'), f'what nobody is told of {name}')
            expect(one['hint'], f'what to do about {name}')
    played.pull()


@case('hci')
def decode_live_hears_what_btmon_hears(bench):
    bench.plug()
    bench.hardware.settle()
    ours, theirs = bench.folder / 'live.btsnoop', bench.folder / 'btmon.btsnoop'
    words = [PROGRAM, '--json', '--capture', ours, 'decode', '--live']
    live = Command(words, None, bench.spawn)
    live.wait('packet')
    btmon = bench.guest.spawn(['btmon', '-w', theirs])
    bench.guest.until(f'test $(stat -c %s {theirs}) -gt 16', 'the first record of btmon')
    bench.run('read', bench.peer.address, '2a19')
    for listener in live.process, btmon:
        listener.send_signal(signal.SIGINT)
    live.finish(130, timeout=10)
    btmon.wait(10)
    heard = [tshark(file, PACKETS, 'hci_mon.opcode', 'hci_mon.adapter_id', 'bthci_cmd.opcode', 'bthci_evt.code', 'btatt.opcode',
                    'frame.len') for file in (ours, theirs)]
    equal(heard[0], heard[1], 'packets that baretooth heard, and btmon')
    expect(len(heard[1]) > 40, f'{len(heard[1])} packets: no session was heard')
    printed = [p for p in live.of('packet') if p['kind'] in ('command', 'event', 'acl')]
    equal(len(printed), len(heard[1]), 'packets that it printed')
    return f'{len(printed)} packets'


@case('bare')
def the_udev_rule_gives_a_dongle_to_its_group(bench):
    guest = bench.guest
    bench.hardware.pull()
    # As the file says: for a group, the # before the last rule goes away.
    guest.shell(f"sed 's/^#GROUP=/GROUP=/' {REPOSITORY}/setup/70-baretooth.rules >{RULES} && grep -q '^GROUP=' {RULES} && "
                '/lib/systemd/systemd-udevd --daemon 2>/dev/null && udevadm control --reload')
    bench.plug()
    guest.run('udevadm', 'settle')
    node = guest.shell('for node in /dev/bus/usb/*/*; do udevadm info -q all $node | grep -q 1209 && echo $node; done; true').split()
    equal(len(node), 1, f'nodes of the dongle {node}')
    equal(guest.run('stat', '-c', '%G %a', node[0]).strip(), 'plugdev 660', 'group and mode of its node')
    expect('uaccess' in guest.run('udevadm', 'info', '-q', 'all', node[0]), 'the tag for the user who sits there')
    session = [PROGRAM, '-a', 'usb:0', 'info']
    identity = ['env', 'HOME=/nonexistent', 'setpriv', f'--reuid={NOBODY}', '--clear-groups']
    guest.run(*identity, '--regid=plugdev', *session)
    expect('no permission' in guest.run(*identity, f'--regid={NOBODY}', *session, code=1), 'another group is refused')
