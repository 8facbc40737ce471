"""Pairing with the kernel's Security Manager, which shares nothing with ours: bluetoothd keeps the bonds, and
bluetoothctl is its agent. It is the peripheral of our central and the central of our peripheral, both on btvirt.

Its file of a bond must have our keys, and the next link must be encrypted with them.
"""

import itertools
import queue
import re
from dataclasses import dataclass

from bench import DEVICE, case
from bluez import PROTECTED, BlueZ, Controllers
from harness import DeviceProcess, equal, expect, tshark

NO_INPUT, YES_NO, DISPLAY, KEYBOARD = 'NoInputNoOutput', 'DisplayYesNo', 'DisplayOnly', 'KeyboardOnly'
ENCRYPTED, AUTHENTICATED = PROTECTED


@dataclass(frozen=True)
class Way:
    """How to pair: what the agent can do, and the mode of our side as in tests/peers/pairing.py."""

    agent: str
    mode: str
    method: str
    io: str  # of the verb

    @property
    def secure(self):
        return self.mode.startswith('sc')

    @property
    def authenticated(self):
        return self.method != 'just_works'

    @property
    def name(self):
        who = {DISPLAY: '_shown_by_bluez', KEYBOARD: '_typed_into_bluez'}.get(self.agent, '')
        return ('' if self.secure else 'legacy_') + self.method + who


WAYS = [
    Way(NO_INPUT, 'sc-justworks', 'just_works', 'no-input-no-output'),
    Way(YES_NO, 'sc-numeric', 'numeric_comparison', 'display-yes-no'),
    Way(DISPLAY, 'sc-passkey-entry', 'passkey_entry', 'keyboard-only'),
    Way(KEYBOARD, 'sc-passkey-display', 'passkey_entry', 'display-only'),
    Way(NO_INPUT, 'legacy-justworks', 'just_works', 'no-input-no-output'),
    Way(DISPLAY, 'legacy-passkey-entry', 'passkey_entry', 'keyboard-only'),
    Way(KEYBOARD, 'legacy-passkey-display', 'passkey_entry', 'display-only'),
]


def bluez(bench):
    """bluetoothd, started by the first case that asks."""
    shared = bench.guest.shared
    if 'bluez' not in shared:
        shared['controllers'] = Controllers(bench.guest)
        shared['bluez'] = BlueZ(bench.guest, shared['controllers'].addresses[1], protected=True)
    return shared['bluez']


def converse(way, control, start, prompted, answer):
    """Answers what both sides ask; `prompted(kind)` is a prompt of ours, `answer(text)` what the user says to it."""
    if way.method == 'numeric_comparison':
        number = control.find('Confirm passkey (\\d{6})', start)[1]
        equal(prompted('confirm_number')['number'], number, 'the numbers')
        control.type('yes')
        answer('yes')
    elif way.agent == DISPLAY:
        prompted('enter_passkey')
        answer(control.find('Passkey: (\\d{6})', start)[1])
    elif way.agent == KEYBOARD:
        control.find('Enter passkey', start)
        control.type(prompted('display_passkey')['passkey'])


def check_keys(way, ours, theirs):
    """Ours are those of a bond of ours."""
    received, own = theirs.get('LongTermKey'), theirs.get('PeripheralLongTermKey')
    if way.secure:
        equal(own['key'].lower(), ours['ltk'], 'the key')
    else:
        equal(named(own), (ours['ltk'], ours['ediv'], ours['rand']), 'the key that bluez distributed')
        equal(named(received), (ours['local_ltk'], ours['local_ediv'], ours['local_rand']), 'the key that we distributed')
    equal((received or own)['authenticated'] in '13', way.authenticated, 'that the key is authenticated')
    equal(theirs['IdentityResolvingKey']['key'].lower(), ours['local_irk'], 'our identity resolving key')


def named(key):
    return key['key'].lower(), int(key['ediv']), int(key['rand']).to_bytes(8, 'little').hex()


# --- ours is the central


def we_pair(way):
    def run(bench):
        peer, control, lines = bluez(bench), bluez(bench).control, queue.Queue()
        store = f'/root/bonds/{bench.test}'
        peer.agent(way.agent)
        start = control.mark()
        words = ['--io', way.io] + ['--legacy'] * (not way.secure) + ['--mitm'] * way.authenticated
        command = bench.start('--store', store, 'pair', peer.address, *words, adapter='hci0', stdin=iter(lines.get, None))
        if way.agent == NO_INPUT:
            control.find('Accept pairing', start)
            control.type('yes')
        converse(way, control, start, lambda kind: command.wait('prompt', kind=kind, timeout=30),
                 lambda text: lines.put(text + '\n'))
        command.finish(0, timeout=60)
        lines.put(None)
        told, = command.of('paired')
        wanted = dict(method=way.method, secure_connections=way.secure, authenticated=way.authenticated, key_size=16,
                      bonded=True)
        equal({name: told[name] for name in wanted}, wanted, 'what we told')
        equal(f"{told['address']}/{told['address_type']}", peer.address, 'identity')

        bond, = bench.start('--store', store, 'bonds', '--keys', adapter='hci0').finish(0).of('bond')
        us = control.find('Device (\\S+) Bonded: yes', start)[1]
        check_keys(way, bond['keys'], peer.keys(us))

        read, = bench.run('--store', store, 'read', peer.address, ENCRYPTED, adapter='hci0').of('value')
        equal(bytes.fromhex(read['value']).decode(), PROTECTED[ENCRYPTED], 'what needs encryption')
        if way.authenticated:
            read, = bench.run('--store', store, 'read', peer.address, AUTHENTICATED, adapter='hci0').of('value')
            equal(bytes.fromhex(read['value']).decode(), PROTECTED[AUTHENTICATED], 'what needs authentication')
        capture = bench.folder / bench.capture_name()
        # A Security Request may come from a kernel that has not heard yet that the link is encrypted.
        equal(tshark(capture, 'btsmp.opcode != 0x0b', 'btsmp.opcode'), [], 'PDUs of a pairing on the next link')
        control.say(f'remove {us}', 'Device has been removed')
    run.__name__ = f'we_pair_with_bluez_by_{way.name}'
    return run


# --- ours is the peripheral


def bluez_pairs(way):
    def run(bench):
        central, control = bluez(bench), bluez(bench).control
        central.agent(way.agent)
        served = DeviceProcess([DEVICE, 'hci0', '--capture', bench.folder / f'{bench.test}.btsnoop', '--pairing', way.mode],
                               bench.folder / 'device.log', bench.guest.spawn)
        bench.peers.append(served)
        us = served.ready['address']
        control.say('scan on', f'Device {us}')
        control.say('scan off', 'Discovery stopped')
        start, since = control.mark(), served.mark()
        control.say(f'pair {us}', 'Attempting to pair')

        def answer(text):
            if text != 'yes':  # it says yes by itself
                served.command('answer', value=text)
        converse(way, control, start, lambda kind: served.wait('prompt', kind=kind, start=since, timeout=30), answer)
        control.find('Pairing successful', start, timeout=60)
        told = served.wait('paired', start=since)
        wanted = dict(method=way.method, secure_connections=way.secure, authenticated=way.authenticated, key_size=16,
                      bonded=True)
        equal({name: told[name] for name in wanted}, wanted, 'what we told')
        equal(f"{told['address']}/{told['address_type']}", central.address, 'identity')
        check_keys(way, told['keys'], central.keys(us))

        control.say(f'disconnect {us}', 'Successful disconnected')
        served.wait('disconnected', start=since)
        since = served.mark()
        control.say(f'connect {us}', 'Connection successful', timeout=60)
        served.wait('encrypted', start=since, timeout=20)
        control.say('menu gatt', 'Menu gatt')
        for name in ['encrypted'] + ['authenticated'] * way.authenticated:
            path = attribute(control, us, served.characteristic(name)['uuid'])
            control.say(f'select-attribute {path}', f'{path[-8:]}]')
            control.say('read', f'{name}-ok'.encode().hex(' ')[:47])
        control.say('back', 'Menu main')
        equal(served.events('paired', since), [], 'new pairings')
        control.say(f'remove {us}', 'Device has been removed')
    run.__name__ = f'bluez_pairs_with_us_by_{way.name}'
    return run


def attribute(control, address, uuid):
    """The path that bluetoothd exports it under."""
    listed = control.say(f'list-attributes {address}', uuid)
    found = re.findall('(/org/bluez/\\S+)\n\t(\\S+)', listed)
    paths = [path for path, its in found if its == uuid]
    expect(paths, f'{uuid} in {found}')
    return paths[0]


for made, turned in itertools.product(WAYS, (we_pair, bluez_pairs)):
    case()(turned(made))
