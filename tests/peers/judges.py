"""Two sides that pair and tell of it: Bumble and Bumble, or Bumble and our device in either role. What each tells must be
what the other tells, and the next link be encrypted with the keys that they then have."""

from cases_peripheral import ATT_ERRORS, outcome
from harness import equal, expect
from pairings import JUST_WORKS, NUMERIC, NUMERIC_COMPARISON_FAILED, check_keys, check_told

NEED_ENCRYPTION = {'bumble': ATT_ERRORS['encryption'], 'ours': ATT_ERRORS['authentication']}  # without a bond


class Judges:
    """A peripheral and a central on one air; `ours` names the one that is our device, if one is, with more options."""

    def __init__(self, bench, pairing, ours=None, *more):
        self.pairing, self.ours, self.more = pairing, ours, more
        if ours == 'peripheral':
            self.central = bench.start_peer(*pairing.central.options, name='central.py')
            self.peer = self.device(bench, self.central, pairing.peripheral)
        else:
            self.peer = bench.start_peer(*pairing.peripheral.options)
        if ours == 'central':
            self.central = self.device(bench, self.peer, pairing.central, '--central')
        elif ours is None:
            self.central = bench.start_peer(*bench.join(self.peer), *pairing.central.options, name='central.py')
        self.address = self.peer.ready['address']
        if ours == 'peripheral' and pairing.peripheral.rpa:
            self.address = self.central.command('find', called=self.peer.ready['name'])
            differ = self.address != self.peer.ready['identity']
            expect(differ, f'the address on the air, {self.address}, is not the identity')

    def device(self, bench, radio, end, *words):
        sizes = ['--min-key-size', str(self.pairing.key_size)]
        return bench.start_device(radio, *words, *end.options, *sizes, *self.more)

    def connect(self):
        start = self.peer.mark()
        self.central.command('connect', address=self.address)
        self.peer.wait('connected', start=start)

    def disconnect(self):
        start = self.peer.mark()
        self.central.command('disconnect')
        self.peer.wait('disconnected', start=start)

    def read(self, name):
        return outcome(self.central.command('read', handle=self.peer.characteristic(name)['value_handle']))

    @property
    def need_encryption(self):
        return NEED_ENCRYPTION['ours' if self.ours == 'peripheral' else 'bumble']

    @property
    def reason(self):
        """Why it fails, if it does. Bumble gives this one for numbers that differ too."""
        differ = self.ours == 'peripheral' and self.pairing.peripheral.answer == 'no'
        return NUMERIC_COMPARISON_FAILED if differ else self.pairing.reason

    def pair(self):
        """The central's result, and what both told of the success or of the failure, the central first."""
        self.exchange_oob()
        starts = [self.central.mark(), self.peer.mark()]
        if self.pairing.asked:
            self.peer.command('security_request')
        result = {}
        if not (self.pairing.asked and self.ours == 'central'):  # which then pairs by itself
            if self.pairing.asked:
                self.central.wait('security_requested', start=starts[0])
            begun = self.central.begin('pair')
            self.pass_the_passkey(starts)
            result = self.central.answered('pair', begun, within=60)
        event = 'paired' if self.pairing.method else 'pairing_failed'
        return result, [side.wait(event, start=start) for side, start in zip((self.central, self.peer), starts)]

    def exchange_oob(self):
        if self.pairing.central.mode == 'sc-oob':
            central = self.central.command('oob', **self.peer.command('oob'))
            if not self.pairing.one_way:
                self.peer.command('oob', **central)

    def pass_the_passkey(self, starts):
        ends = [(self.central, self.pairing.central, starts[0]), (self.peer, self.pairing.peripheral, starts[1])]
        for (typing, end, since), (showing, _, shown_since) in (ends, reversed(ends)):
            if end.mode.endswith('passkey-entry'):
                passkey = showing.wait('prompt', kind='display_passkey', start=shown_since, timeout=30)['passkey']
                typing.wait('prompt', kind='enter_passkey', start=since, timeout=30)
                typing.command('answer', value=other_passkey(passkey) if end.wrong else passkey)


def other_passkey(passkey):
    return f'{(int(passkey) + 1) % 1_000_000:06}'


def agree(judges):
    """Pairs, and checks everything."""
    pairing = judges.pairing
    judges.connect()
    equal(judges.read('encrypted'), judges.need_encryption, 'reading what needs encryption, at first')
    result, told = judges.pair()
    if pairing.method is None:
        equal([one['by'] for one in told], ['other', 'this'], 'who ended it')
        equal((result, [one['reason'] for one in told]), ({'failed': judges.reason}, [judges.reason] * 2), 'the reason')
        equal(judges.read('encrypted'), judges.need_encryption, 'reading what needs encryption')
        equal([one.command('bonds') for one in (judges.peer, judges.central)], [[], []], 'bonds')
        return
    equal(result, {}, 'the end of the pairing')
    for one, what in zip(told, ('central', 'peripheral')):
        check_told(pairing, one, f'what the {what} told')
    identities = [side.ready['identity'] for side in (judges.peer, judges.central)]
    if pairing.bonds:
        check_keys(pairing, *(one['keys'] for one in told))
        equal([one['address'] for one in told], identities, 'identities')
    check_numbers(judges)
    check_values(judges)
    judges.disconnect()
    if pairing.peripheral.rpa:
        change_addresses(judges)
    since = judges.peer.mark()
    judges.connect()
    if not pairing.bonds:
        equal([one.command('bonds') for one in (judges.peer, judges.central)], [[], []], 'bonds')
        equal(judges.read('encrypted'), judges.need_encryption, 'reading what needs encryption')
        return
    if judges.ours != 'central':  # which has encrypted the link by itself
        equal(judges.central.command('encrypt'), {}, 'encrypting the next link')
    if judges.ours != 'peripheral':
        equal(judges.peer.wait('key_asked', start=since)['found'], True, 'that the key was found')
    judges.peer.wait('encrypted', start=since)
    check_values(judges)
    equal(judges.peer.events('paired', since), [], 'new pairings')


def change_addresses(judges):
    """Another on the air, of Bumble's; ours changes in its own time."""
    if judges.ours != 'peripheral':
        judges.address = judges.peer.command('new_address')
    if judges.ours != 'central':
        judges.central.command('new_address')


def check_numbers(judges):
    shown = [[prompt['number'] for prompt in side.events('prompt') if prompt['kind'] == 'confirm_number']
             for side in (judges.central, judges.peer)]
    equal(shown[0], shown[1], 'numbers')
    equal(len(shown[0]), int(judges.pairing.method == NUMERIC), 'how many')


def check_values(judges):
    equal(judges.read('encrypted'), b'encrypted-ok', 'what needs encryption')
    wanted = ATT_ERRORS['authentication'] if judges.pairing.method == JUST_WORKS else b'authenticated-ok'
    equal(judges.read('authenticated'), wanted, 'what needs authentication')
