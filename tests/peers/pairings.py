"""The pairings that are tried, with either side as the one under test, and what has to be equal on both sides."""

from dataclasses import dataclass, field

from harness import equal, expect

CONFIRM_VALUE_FAILED, KEY_SIZE, NUMERIC_COMPARISON_FAILED = 0x04, 0x06, 0x0C
TK, OTHER_TK = '00112233445566778899aabbccddeeff', '55' * 16


@dataclass(frozen=True)
class End:
    """What one side does. `mode` is one of pairing.py's."""

    mode: str
    bond: bool = True
    keys: str = 'enc,id'
    key_size: int = 16
    rpa: bool = False  # a resolvable private address on the air
    debug_key: bool = False
    answer: str = 'yes'
    wrong: bool = False  # has another TK, or types another passkey than is shown

    @property
    def tk(self):
        return OTHER_TK if self.wrong else TK

    @property
    def options(self):
        """For peer.py and central.py."""
        words = ['--pairing', self.mode, '--keys', self.keys, '--key-size', self.key_size, '--answer', self.answer,
                 '--oob-tk', self.tk]
        flags = {'--no-bond': not self.bond, '--rpa': self.rpa, '--debug-key': self.debug_key}
        return [str(word) for word in words] + [flag for flag, given in flags.items() if given]


@dataclass(frozen=True)
class Pairing:
    """Ends in `method`; or fails, when that is None, for a reason that the peripheral gives."""

    name: str
    peripheral: End
    central: End
    method: str | None
    one_way: bool = False  # the peripheral has not got the central's out-of-band data
    asked: bool = False  # by a Security Request of the peripheral
    reason: int = field(default=CONFIRM_VALUE_FAILED)

    @property
    def secure(self):
        return self.peripheral.mode.startswith('sc') and self.central.mode.startswith('sc')

    @property
    def bonds(self):
        return self.method is not None and self.peripheral.bond and self.central.bond

    @property
    def key_size(self):
        return min(self.peripheral.key_size, self.central.key_size)


def both(mode, **more):
    return dict(peripheral=End(mode, **more), central=End(mode, **more))


def shown_by_the_peripheral(generation, **typing):
    return dict(peripheral=End(f'{generation}-passkey-display'), central=End(f'{generation}-passkey-entry', **typing))


def shown_by_the_central(generation):
    return dict(peripheral=End(f'{generation}-passkey-entry'), central=End(f'{generation}-passkey-display'))


JUST_WORKS, PASSKEY, NUMERIC, OOB = 'just_works', 'passkey_entry', 'numeric_comparison', 'oob'
ALL_KEYS = 'enc,id,sign,link'
PAIRINGS = [
    Pairing('legacy_just_works', **both('legacy-justworks'), method=JUST_WORKS),
    Pairing('legacy_passkey_shown_by_the_peripheral', **shown_by_the_peripheral('legacy'), method=PASSKEY),
    Pairing('legacy_passkey_shown_by_the_central', **shown_by_the_central('legacy'), method=PASSKEY),
    Pairing('legacy_oob', **both('legacy-oob'), method=OOB),
    Pairing('just_works', **both('sc-justworks'), method=JUST_WORKS),
    Pairing('numeric_comparison', **both('sc-numeric'), method=NUMERIC),
    Pairing('passkey_shown_by_the_peripheral', **shown_by_the_peripheral('sc'), method=PASSKEY),
    Pairing('passkey_shown_by_the_central', **shown_by_the_central('sc'), method=PASSKEY),
    Pairing('oob', **both('sc-oob'), method=OOB),
    Pairing('oob_one_way', **both('sc-oob'), method=OOB, one_way=True),
    Pairing('just_works_without_a_bond', **both('sc-justworks', bond=False), method=JUST_WORKS),
    Pairing('numeric_comparison_with_all_keys', **both('sc-numeric', keys=ALL_KEYS), method=NUMERIC),
    Pairing('numeric_comparison_of_private_addresses', **both('sc-numeric', rpa=True), method=NUMERIC),
    Pairing('legacy_passkey_with_keys_of_7_octets', End('legacy-passkey-display', key_size=7),
            End('legacy-passkey-entry'), method=PASSKEY),
    Pairing('secure_connections_with_a_legacy_peripheral', End('legacy-justworks'), End('sc-justworks'),
            method=JUST_WORKS),
    Pairing('numbers_that_are_said_to_differ', End('sc-numeric', answer='no'), End('sc-numeric'), method=None),
    Pairing('a_wrong_passkey', **shown_by_the_peripheral('sc', wrong=True), method=None),
    Pairing('a_wrong_legacy_passkey', **shown_by_the_peripheral('legacy', wrong=True), method=None),
    Pairing('a_wrong_legacy_tk', End('legacy-oob'), End('legacy-oob', wrong=True), method=None),
    Pairing('the_debug_key', **both('sc-justworks', debug_key=True), method=JUST_WORKS),
    Pairing('a_security_request', **both('sc-justworks'), method=JUST_WORKS, asked=True),
]


def check_told(pairing, told, what):
    """What one side says of the pairing."""
    wanted = dict(method=pairing.method, secure_connections=pairing.secure, key_size=pairing.key_size,
                  authenticated=pairing.method != JUST_WORKS, bonded=pairing.bonds)
    equal({name: told[name] for name in wanted}, wanted, what)


def check_keys(pairing, ours, theirs):
    """The keys of both sides, each as it sees them, are the same keys."""
    if pairing.secure:
        expect(len(bytes.fromhex(ours['ltk'])) == 16, f"a key of 16 octets: {ours['ltk']}")
        equal(ours['ltk'], theirs['ltk'], 'the key')
    else:
        for one, other in (ours, theirs), (theirs, ours):
            if other.get('local_ltk'):
                sent = (other['local_ltk'], other['local_ediv'], other['local_rand'])
                equal((one['ltk'], one['ediv'], one['rand']), sent, 'the key that the other side sent')
                expect(not any(bytes.fromhex(one['ltk'])[pairing.key_size:]), 'octets beyond the size of the key')
    for one, other in (ours, theirs), (theirs, ours):
        for name in 'irk', 'csrk':
            equal(one.get(name), other.get(f'local_{name}'), f'the {name} that the other side sent')


def pairing_named(name):
    return next(pairing for pairing in PAIRINGS if pairing.name == name)
