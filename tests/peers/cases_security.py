"""Our device and Bumble pair, in both roles, by the API; what both tell must agree."""

from cases_peripheral import ATT_ERRORS
from harness import equal, expect, tshark
from judges import Judges, agree
from pairings import PAIRINGS, End, Pairing, pairing_named
from registry import case

# What the central's controller says when the peripheral has no key; rootcanal says Authentication Failure.
KEY_MISSING = {'bumble': 0x06, 'rootcanal': 0x05}


def judged(pairing, role):
    def run(bench):
        agree(Judges(bench, pairing, ours=role))
    run.__name__ = f'our_{role}_pairs_with_{pairing.name}'
    return run


for role in 'central', 'peripheral':
    for made in PAIRINGS:
        case(judged(made, role))


@case
def our_peripheral_has_no_key_for_a_central_that_it_has_forgotten(bench):
    judges = Judges(bench, pairing_named('just_works'), ours='peripheral')
    judges.connect()
    judges.pair()
    judges.disconnect()
    judges.peer.command('forget')
    judges.connect()
    equal(judges.central.command('encrypt'), {'error': KEY_MISSING[bench.via]}, 'encrypting')
    equal(judges.read('encrypted'), ATT_ERRORS['authentication'], 'what needs encryption')


@case
def a_second_pairing_on_a_link_gives_new_keys(bench):
    for ours in 'central', 'peripheral':
        judges = Judges(bench, pairing_named('numeric_comparison'), ours=ours)
        judges.connect()
        keys = [judges.pair()[1][0]['keys']['ltk'] for _ in range(2)]
        expect(keys[0] != keys[1], 'the keys differ')
        equal([one.command('bonds')[0]['keys']['ltk'] for one in (judges.central, judges.peer)], keys[1:] * 2, 'keys')
        equal(judges.read('authenticated'), b'authenticated-ok', 'what needs authentication')
        bench.end_test()  # the next have the same addresses


@case
def a_security_request_of_a_bonded_peripheral_encrypts_and_does_not_pair(bench):
    judges = Judges(bench, pairing_named('just_works'), ours='central')
    judges.connect()
    judges.pair()
    since = judges.peer.mark()
    judges.peer.command('security_request')
    judges.disconnect()
    judges.connect()
    judges.peer.command('security_request')
    equal(judges.read('encrypted'), b'encrypted-ok', 'what needs encryption')
    equal(judges.peer.events('paired', since), [], 'new pairings')


@case
def subscriptions_of_a_bonded_central_outlive_the_link(bench):
    judges = Judges(bench, pairing_named('just_works'), ours='peripheral')
    judges.connect()
    judges.pair()
    judges.central.command('mtu', mtu=247)
    judges.central.command('discover')
    battery = judges.peer.characteristic('battery')
    judges.central.command('subscribe', handle=battery['value_handle'])
    judges.disconnect()
    judges.connect()
    configuration, = (d['handle'] for d in battery['descriptors'] if d['uuid'].startswith('00002902'))
    equal(judges.central.command('read', handle=configuration), {'value': '0000'}, 'configuration, not encrypted yet')
    equal(judges.central.command('encrypt'), {}, 'encrypting')
    equal(judges.central.command('read', handle=configuration), {'value': '0100'}, 'configuration')


# --- raising the security of a link


@case
def an_error_that_wants_security_raises_it_once(bench):
    for method, name in ('just_works', 'encrypted'), ('legacy_just_works', 'encrypted'), (
            'numeric_comparison', 'authenticated'):
        judges = Judges(bench, pairing_named(method), 'central', '--raise')
        judges.connect()
        equal(judges.read(name), f'{name}-ok'.encode(), f'what needs to be {name}')
        for side in judges.central, judges.peer:
            side.wait('paired')
            equal(len(side.events('paired')), 1, 'pairings')
        equal(judges.read('encrypted'), b'encrypted-ok', 'what needs encryption, again')
        bench.end_test()  # the next have the same addresses


@case
def what_cannot_be_had_is_the_error_of_the_peer(bench):
    judges = Judges(bench, pairing_named('just_works'), 'central', '--raise')
    judges.connect()
    equal(judges.read('authenticated'), ATT_ERRORS['authentication'], 'what needs authentication')
    equal(len(judges.peer.events('paired')), 1, 'pairings')
    bench.end_test()  # the next have the same addresses
    unwilling = Pairing('none', End('none'), End('sc-justworks'), method=None)
    judges = Judges(bench, unwilling, 'central', '--raise')
    judges.connect()
    equal(judges.read('encrypted'), ATT_ERRORS['encryption'], 'what needs encryption')
    judges.peer.wait('pairing_failed')
    equal(judges.read('first'), b'first', 'what needs nothing, on the same link')


@case
def keys_are_on_the_air_only_when_it_is_encrypted(bench):
    """By the capture: no key before the encryption has begun, and none after the pairing."""
    judges = Judges(bench, pairing_named('legacy_passkey_shown_by_the_peripheral'), ours='central')
    judges.connect()
    judges.pair()
    judges.disconnect()
    rows = tshark(bench.capture_of(judges.central), 'btsmp.opcode >= 6 || bthci_evt.code == 0x08', 'btsmp.opcode', 'bthci_evt.code')
    codes = [smp or 'encrypted' for smp, _ in rows]
    expect('encrypted' in codes and '0x06' in codes, f'encryption and keys in {codes}')
    equal([code for code in codes[:codes.index('encrypted')]], [], 'keys before the encryption')
