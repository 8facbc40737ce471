"""Bumble against Bumble: the judges of our pairing agree with each other, in everything that they judge us by."""

from cases_peripheral import outcome
from harness import equal, expect
from pairings import PAIRINGS, check_keys, check_told
from registry import case

INSUFFICIENT_AUTHENTICATION, INSUFFICIENT_ENCRYPTION = 0x05, 0x0F


class Judges:
    """Two of them on one air."""

    def __init__(self, bench, pairing):
        self.pairing = pairing
        self.peer = bench.start_peer(*pairing.peripheral.options)
        port = self.peer.ready['port']
        join = ['--hci', f'tcp-client:127.0.0.1:{port}'] if port else []
        self.central = bench.start_peer(*join, *pairing.central.options, name='central.py')
        self.address = self.peer.ready['address']

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

    def pair(self):
        """What both told of it, or None if it failed; the central's result."""
        self.exchange_oob()
        starts = [self.central.mark(), self.peer.mark()]
        if self.pairing.asked:
            self.peer.command('security_request')
            self.central.wait('security_requested', start=starts[0])
        begun = self.central.begin('pair')
        self.pass_the_passkey(starts)
        result = self.central.answered('pair', begun, within=60)
        if self.pairing.method is None:
            failed = [self.central.wait('pairing_failed', start=starts[0]), self.peer.wait('pairing_failed', start=starts[1])]
            equal([told['by'] for told in failed], ['other', 'this'], 'who ended it')
            return result, failed
        return result, [self.central.wait('paired', start=starts[0]), self.peer.wait('paired', start=starts[1])]

    def exchange_oob(self):
        if self.pairing.central.mode == 'sc-oob':
            central = self.central.command('oob', **self.peer.command('oob'))
            if not self.pairing.one_way:
                self.peer.command('oob', **central)

    def pass_the_passkey(self, starts):
        ends = [(self.central, self.pairing.central, starts[0]), (self.peer, self.pairing.peripheral, starts[1])]
        for (typing, end, since), (showing, _, shown_since) in (ends, reversed(ends)):
            if end.mode.endswith('passkey-entry'):
                passkey = showing.wait('prompt', kind='display_passkey', start=shown_since)['passkey']
                typing.wait('prompt', kind='enter_passkey', start=since)
                typing.command('answer', value=other_passkey(passkey) if end.wrong else passkey)


def other_passkey(passkey):
    return f'{(int(passkey) + 1) % 1_000_000:06}'


def judges_agree(pairing):
    def run(bench):
        judges = Judges(bench, pairing)
        judges.connect()
        equal(judges.read('encrypted'), INSUFFICIENT_ENCRYPTION, 'reading what needs encryption, at first')
        result, told = judges.pair()
        if pairing.method is None:
            equal((result, [one['reason'] for one in told]), ({'failed': pairing.reason}, [pairing.reason] * 2), 'the reason')
            equal(judges.read('encrypted'), INSUFFICIENT_ENCRYPTION, 'reading what needs encryption')
            return
        equal(result, {}, 'the end of the pairing')
        for one, what in zip(told, ('central', 'peripheral')):
            check_told(pairing, one, f'what the {what} told')
        check_keys(pairing, *(one['keys'] for one in told))
        equal([one['address'] for one in told], [judges.peer.ready['identity'], judges.central.ready['identity']], 'identities')
        check_numbers(judges)
        check_values(judges)
        judges.disconnect()
        if pairing.peripheral.rpa:
            judges.address = judges.peer.command('new_address')
            judges.central.command('new_address')
        judges.connect()
        if pairing.bonds:
            start = judges.peer.mark()
            equal(judges.central.command('encrypt'), {}, 'encrypting the next link')
            equal(judges.peer.wait('key_asked', start=start)['found'], True, 'the key was found')
            check_values(judges)
        else:
            equal([one.command('bonds') for one in (judges.peer, judges.central)], [[], []], 'bonds')
            equal(judges.read('encrypted'), INSUFFICIENT_ENCRYPTION, 'reading what needs encryption')
    run.__name__ = f'two_judges_agree_on_{pairing.name}'
    return run


def check_numbers(judges):
    shown = [[prompt['number'] for prompt in side.events('prompt') if prompt['kind'] == 'confirm_number']
             for side in (judges.central, judges.peer)]
    equal(shown[0], shown[1], 'numbers')
    equal(len(shown[0]), judges.pairing.method == 'numeric_comparison', 'how many')


def check_values(judges):
    protected = judges.pairing.method != 'just_works'
    equal(judges.read('encrypted'), b'encrypted-ok', 'reading what needs encryption')
    wanted = b'authenticated-ok' if protected else INSUFFICIENT_AUTHENTICATION
    equal(judges.read('authenticated'), wanted, 'reading what needs authentication')


for made in PAIRINGS:
    case(judges_agree(made))


@case(via='bumble')
def two_judges_part_when_one_has_forgotten_the_key(bench):
    judges = Judges(bench, next(pairing for pairing in PAIRINGS if pairing.name == 'just_works'))
    judges.connect()
    judges.pair()
    judges.disconnect()
    for spoilt, wanted in ('spoil', {'disconnected': True}), ('forget', {'error': 0x06}):
        judges.peer.command(spoilt)
        judges.connect()
        equal(judges.central.command('encrypt'), wanted, f'encrypting after {spoilt}')
        if 'error' in wanted:
            judges.disconnect()
    expect(judges.peer.command('bonds') == [], 'no bonds')
