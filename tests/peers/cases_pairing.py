"""The verbs `pair`, `bonds` and `unpair`, with Bumble as the peripheral in every method: both sides must have the same
keys, and the next link be encrypted with them."""

import queue
import signal

from cases_peripheral import ATT_ERRORS
from cases_security import KEY_MISSING
from harness import equal, expect, tshark
from judges import other_passkey
from pairings import (ALL_KEYS, JUST_WORKS, KEY_SIZE, NUMERIC_COMPARISON_FAILED, PAIRINGS, End, Pairing, check_keys,
                      check_told, pairing_named, shown_by_the_peripheral)
from registry import case

AUTHENTICATION_REQUIREMENTS, PAIRING_NOT_SUPPORTED = 0x03, 0x05  # reasons of Pairing Failed
MIC_FAILURE = 0x3D  # an error of the controller
IO = {'justworks': 'no-input-no-output', 'oob': 'no-input-no-output', 'numeric': 'display-yes-no',
      'passkey-display': 'display-only', 'passkey-entry': 'keyboard-only'}


class Pair:
    """`baretooth pair` with a peer of its own, and the prompts of both answered."""

    def __init__(self, bench, pairing, *words, answer='yes'):
        self.bench, self.pairing, self.answer = bench, pairing, answer
        self.peer = bench.start_peer(*pairing.peripheral.options)
        self.adapter = bench.adapter_of(self.peer)
        self.store = bench.folder / f'{bench.test}-store'
        self.lines = queue.Queue()
        self.command = bench.start('--store', self.store, 'pair', self.peer.address, *self.options(), *words,
                                   adapter=self.adapter, stdin=iter(self.lines.get, None))

    def options(self):
        generation, kind = self.pairing.central.mode.split('-', 1)
        words = ['--io', IO[kind]]
        if kind != 'justworks':
            words.append('--mitm')
        if generation == 'legacy':
            words.append('--legacy')
        if not self.pairing.central.bond:
            words.append('--no-bond')
        if self.pairing.central.mode == 'legacy-oob':
            words += ['--oob', self.pairing.central.tk]
        if self.pairing.central.mode == 'sc-oob':
            theirs = self.peer.command('oob')
            words += ['--oob', theirs['c'] + theirs['r']] + ['--oob-local'] * (not self.pairing.one_way)
        return words

    def finish(self, code=0):
        """Answers what is asked, to the end."""
        pairing = self.pairing
        if pairing.central.mode == 'sc-oob' and not pairing.one_way:
            ours = self.command.wait('prompt', kind='oob_local')
            self.peer.command('oob', c=ours['c'], r=ours['r'])
            self.lines.put('\n')
        if pairing.central.mode.endswith('passkey-entry'):
            passkey = self.peer.wait('prompt', kind='display_passkey', timeout=30)['passkey']
            self.command.wait('prompt', kind='enter_passkey')
            self.lines.put((other_passkey(passkey) if pairing.central.wrong else passkey) + '\n')
        if pairing.peripheral.mode.endswith('passkey-entry'):
            passkey = self.command.wait('prompt', kind='display_passkey')['passkey']
            self.peer.wait('prompt', kind='enter_passkey', timeout=30)
            self.peer.command('answer', value=passkey)
        if pairing.central.mode == pairing.peripheral.mode == 'sc-numeric':
            number = self.command.wait('prompt', kind='confirm_number')['number']
            equal(number, self.peer.wait('prompt', kind='confirm_number', timeout=30)['number'], 'the numbers')
            self.lines.put(f'{self.answer}\n')
        self.command.finish(code, timeout=60)
        self.lines.put(None)
        if code == 0:
            self.bench.opened.append(self.bench.capture_name())
        return self

    def run(self, *words, **options):
        """Another verb, with the same bonds."""
        return self.bench.run('--store', self.store, *words, adapter=self.adapter, **options)

    def alone(self, *words):
        """A verb that needs no adapter, and so leaves no capture."""
        return self.bench.start('--store', self.store, *words, adapter=self.adapter).finish(0)

    def bonds(self):
        return self.alone('bonds', '--keys').of('bond')

    def read(self, name, code=0):
        """The value, on a link of its own; or how the verb failed."""
        done = self.run('read', f"{self.peer.ready['identity']}/random", self.peer.handle(name), code=code)
        return done.error if code else bytes.fromhex(done.of('value')[0]['value'])

    def check_failure(self, reason, by):
        """We and the peer have the same reason; `by` is who gave it, from the peer's side."""
        error = self.finish(1).command.error
        equal((error['kind'], error['operation'], error['code']), ('smp', 'pair', reason), f"the error {error['message']}")
        told = self.peer.wait('pairing_failed')
        equal((told['reason'], told['by']), (reason, by), 'what the peer saw')
        equal(self.peer.events('paired'), [], 'pairings that the peer saw')
        equal((self.bonds(), self.peer.command('bonds')), ([], []), 'bonds')


def we_pair(pairing):
    def run(bench):
        pair = Pair(bench, pairing)
        if pairing.method is None:
            pair.check_failure(pairing.reason, by='this')
            return
        told, = pair.finish().command.of('paired')
        theirs = pair.peer.wait('paired')
        check_told(pairing, told, 'what we told')
        check_told(pairing, theirs, 'what the peer told')
        equal(f"{told['address']}/{told['address_type']}", f"{pair.peer.ready['identity']}/random", 'identity')
        bonds = pair.bonds()
        if not pairing.bonds:
            equal((bonds, pair.peer.command('bonds')), ([], []), 'bonds')
            return
        equal([{name: bond[name] for name in told} for bond in bonds], [{**told, 'type': 'bond'}], 'bonds')
        check_keys(pairing, bonds[0]['keys'], theirs['keys'])
        if pairing.peripheral.rpa:
            pair.peer.command('new_address')
        check_the_next_links(pair)
    run.__name__ = f'we_pair_with_{pairing.name}'
    return run


def check_the_next_links(pair):
    """Encrypted with the key of the bond, before anything is read; no second pairing."""
    start = pair.peer.mark()
    equal(pair.read('encrypted'), b'encrypted-ok', 'what needs encryption')
    equal(pair.peer.wait('key_asked', start=start)['found'], True, 'the key is that of the bond')
    if pair.pairing.method == JUST_WORKS:
        # Not even a new pairing could give us more, as we can neither show nor type anything.
        equal(pair.read('authenticated', code=1)['code'], ATT_ERRORS['authentication'], 'reading what needs authentication')
    else:
        equal(pair.read('authenticated'), b'authenticated-ok', 'what needs authentication')
        equal(len(pair.peer.events('paired')), 1, 'pairings')


# Keys of other kinds or sizes have no options of the verb.
for made in PAIRINGS:
    if made.peripheral.keys != ALL_KEYS and made.key_size == 16 and not made.peripheral.debug_key:
        case(we_pair(made))


# --- what must fail


def just_works(**peripheral):
    return Pairing('just_works', End('sc-justworks', **peripheral), End('sc-justworks'), method=None)


@case
def numbers_that_we_say_differ_end_the_pairing(bench):
    numeric = Pairing('numeric_comparison', End('sc-numeric'), End('sc-numeric'), method=None)
    Pair(bench, numeric, answer='no').check_failure(NUMERIC_COMPARISON_FAILED, by='other')


@case
def a_key_of_7_octets_is_refused(bench):
    Pair(bench, just_works(key_size=7)).check_failure(KEY_SIZE, by='other')


@case
def the_debug_key_of_a_peer_is_refused(bench):
    pair = Pair(bench, just_works(debug_key=True))
    error = pair.finish(1).command.error
    equal(error['kind'], 'smp', f"the error {error['message']}")
    equal(pair.peer.wait('pairing_failed')['by'], 'other', 'who ended it')
    equal(pair.bonds(), [], 'bonds')


@case
def protection_that_the_peer_cannot_give_is_an_error(bench):
    Pair(bench, just_works(), '--mitm').check_failure(AUTHENTICATION_REQUIREMENTS, by='other')


@case
def a_legacy_peer_is_refused_if_it_has_to_be_secure_connections(bench):
    legacy = Pairing('legacy', End('legacy-justworks'), End('sc-justworks'), method=None)
    Pair(bench, legacy, '--secure-connections-only').check_failure(AUTHENTICATION_REQUIREMENTS, by='other')


@case
def a_peer_that_does_not_pair_is_told_of(bench):
    unwilling = Pairing('none', End('none'), End('sc-justworks'), method=None)
    Pair(bench, unwilling).check_failure(PAIRING_NOT_SUPPORTED, by='this')


# --- bonds that are not what they were


def bonded(bench):
    pair = Pair(bench, pairing_named('just_works')).finish()
    pair.peer.wait('paired')
    equal(len(pair.bonds()), 1, 'bonds')
    return pair


def nothing_is_read_in_plaintext(bench, pair, error):
    start = pair.peer.mark()
    failed = pair.read('first', code=1)  # which needs no encryption
    expect(error in (failed.get('code'), failed.get('status')), f'the error of the controller, 0x{error:02x}: {failed}')
    pair.peer.wait('disconnected', start=start)
    equal(pair.peer.events('paired', start), [], 'new pairings')
    capture = bench.folder / bench.capture_name()
    equal(tshark(capture, 'btatt.opcode == 0x0a', 'btatt.handle'), [], 'Read Requests')
    equal(len(pair.bonds()), 1, 'bonds: nothing is forgotten by itself')


@case
def a_peer_that_lost_the_key_is_not_spoken_to_in_plaintext(bench):
    pair = bonded(bench)
    pair.peer.command('forget')
    nothing_is_read_in_plaintext(bench, pair, KEY_MISSING[bench.via])


@case(via='bumble')  # rootcanal does not compare the keys
def a_peer_with_another_key_is_not_spoken_to_at_all(bench):
    pair = bonded(bench)
    pair.peer.command('spoil')
    nothing_is_read_in_plaintext(bench, pair, MIC_FAILURE)


@case
def unpair_forgets_and_pairing_again_replaces(bench):
    pair = bonded(bench)
    first = pair.bonds()[0]['keys']['ltk']
    pair.alone('unpair', pair.peer.address)
    equal(pair.bonds(), [], 'bonds')
    pair.run('pair', pair.peer.address, '--yes')
    second, = pair.bonds()
    expect(second['keys']['ltk'] != first, 'the key is new')
    equal(second['keys']['ltk'], pair.peer.command('bonds')[0]['keys']['ltk'], 'the key')
    equal(pair.read('encrypted'), b'encrypted-ok', 'what needs encryption')


@case
def a_stronger_bond_is_not_replaced_by_a_weaker_one(bench):
    pair = Pair(bench, pairing_named('numeric_comparison')).finish()
    first, = pair.bonds()
    pair.run('pair', pair.peer.address, '--io', 'no-input-no-output', code=1)
    equal(pair.bonds(), [first], 'bonds')
    equal(pair.read('authenticated'), b'authenticated-ok', 'what needs authentication')


# --- the verb `advertise`

LOCK = """
name = "Lock"

[[service]]
uuid = "fff0"

[[service.characteristic]]
uuid = "fff1"
read = "authenticated"
value = "open"
"""


@case
def advertise_pairs_with_who_asks_and_knows_them_again(bench):
    numeric, lines, store = pairing_named('numeric_comparison'), queue.Queue(), bench.folder / f'{bench.test}-store'
    central = bench.start_peer(*numeric.central.options, name='central.py')
    file = bench.folder / 'lock.toml'
    file.write_text(LOCK, encoding='utf-8')

    def advertise(*words):
        command = bench.start('--store', store, 'advertise', file, *words, adapter=bench.adapter_of(central),
                              stdin=iter(lines.get, None))
        command.wait('advertising')
        central.command('connect', address=central.command('find', called='Lock'))
        found = {c['uuid'][4:8]: c['value_handle'] for s in central.command('discover') for c in s['characteristics']}
        return command, found['fff1']

    def end(command):
        central.command('disconnect')
        command.wait('disconnected')
        command.process.send_signal(signal.SIGINT)
        command.finish(130)
        bench.opened.append(bench.capture_name())
    command, lock = advertise('--io', 'display-yes-no', '--mitm')
    equal(central.command('read', handle=lock), {'error': ATT_ERRORS['authentication']}, 'the lock')
    begun = central.begin('pair')
    number = command.wait('prompt', kind='confirm_number')['number']
    equal(central.wait('prompt', kind='confirm_number')['number'], number, 'the numbers')
    lines.put('yes\n')
    equal(central.answered('pair', begun), {}, 'the end of the pairing')
    told = command.wait('paired')
    check_told(numeric, told, 'what we told')
    equal(central.command('read', handle=lock), {'value': b'open'.hex()}, 'the lock')
    end(command)
    told = bench.start('--store', store, 'bonds', '--keys', adapter=bench.adapter_of(central)).finish(0)
    bond, = told.of('bond')
    check_keys(numeric, bond['keys'], central.events('paired')[0]['keys'])

    command, lock = advertise()
    equal(central.command('encrypt'), {}, 'encrypting the next link')
    equal(central.command('read', handle=lock), {'value': b'open'.hex()}, 'the lock')
    end(command)


@case
def a_passkey_on_the_command_line_is_typed(bench):
    shown = Pairing('passkey', **shown_by_the_peripheral('sc'), method='passkey_entry')
    peer = bench.start_peer(*shown.peripheral.options, '--passkey', '12')
    done = bench.run('pair', peer.address, '--io', 'keyboard-only', '--mitm', '--passkey', '000012',
                     adapter=bench.adapter_of(peer))
    equal(done.of('paired')[0]['method'], 'passkey_entry', 'method')
