"""Pairing in both roles, and what comes of it. The devices of the virtual radio have a key finder for Just Works and a
lock that shows a passkey; Bumble has every method."""

import time

from harness import equal, expect
from pairings import CONFIRM_VALUE_FAILED
from registry import case

PAIRING_NOT_SUPPORTED, NUMERIC_COMPARISON_FAILED = 0x05, 0x0C
LOCK_PASSKEY = 123456


def paired(level, **members):
    return {'level': level, 'encrypted': True, 'authenticated': level > 2, 'secure_connections': True, 'key_size': 16,
            'bonded': True, **members}


def of_link(told):
    return {name: value for name, value in told.items() if name != 'connection'}


def to_pair(bench, mode, thing='encrypted', store=True, **configured):
    """A link to what pairs in this mode (of pairing.py; the virtual radio has its own)."""
    peer = None
    if bench.via == 'bumble':
        peer = bench.start_peer('--pairing', mode)
        rpc = bench.rpc(adapter=bench.adapter_of(peer), store=store)
    else:
        rpc = bench.rpc(store=store)
    if configured:
        rpc.call('configure', **configured)
    return peer, bench.link(thing, rpc)


@case
def just_works_gives_a_bond_that_encrypts_the_next_link(bench):
    _, link = to_pair(bench, 'sc-justworks')
    rpc = link.rpc
    link.refused('encrypt', 'not_found')
    equal(link.call('pair', timeout=30), paired(2), 'the result of pair')
    equal(of_link(link.wait('pairing.done')), paired(2), 'pairing.done')
    equal(link.wait('security')['encrypted'], True, 'security')
    link.read('encrypted')
    bond, = rpc.call('bonds.list')['bonds']
    equal((bond['address'], bond['address_type'], bond['level']), (link.address, 'random', 2), 'the bond')
    expect('ltk' in bond['keys'], f"the keys {bond['keys']}")
    link.disconnect()
    start = rpc.mark()
    again = bench.link('encrypted', rpc)
    told = again.call('encrypt')
    equal((told['level'], told['encrypted'], told['bonded']), (2, True, True), 'the result of encrypt')
    equal(again.read('encrypted'), link.bench.via == 'sim' and '00' or b'encrypted-ok'.hex(), 'the value')
    equal(rpc.notified('pairing.done', start), [], 'new pairings')
    again.disconnect()
    equal(rpc.call('bonds.delete', address=link.address, address_type='random'), {}, 'the answer of bonds.delete')
    equal(rpc.call('bonds.list'), {'bonds': []}, 'bonds')
    rpc.refused('bonds.delete', 'not_found', address=link.address, address_type='random')
    equal(rpc.call('bonds.delete', all=True), {}, 'the answer of bonds.delete, all')


@case(via='sim')
def a_peripheral_that_is_asked_can_refuse_and_accept(bench):
    central, peripheral = bench.two(store=True)
    peripheral.call('configure', ask=True)
    link, theirs = linked(central, peripheral)
    id = central.send('pair', connection=link)
    asked = peripheral.wait('pairing.request', connection=theirs)
    equal(asked['method'], 'just_works', 'method')
    equal(peripheral.call('pairing.reply', request=asked['request'], accept=False), {}, 'the answer of the reply')
    central.error(id, 'smp', timeout=30)
    failed = [rpc.wait('pairing.failed') for rpc in (central, peripheral)]
    equal([one['by'] for one in failed], ['peer', 'us'], 'who ended it')
    equal(failed[0]['code'], failed[1]['code'], 'why')
    peripheral.refused('pairing.reply', 'not_found', request=asked['request'], accept=True)
    equal(central.call('bonds.list'), {'bonds': []}, 'bonds')

    start = peripheral.mark()
    time.sleep(2)  # who has failed may try again after this
    id = central.send('pair', connection=link, bond=False)
    asked = peripheral.wait('pairing.request', start=start, connection=theirs)
    peripheral.call('pairing.reply', request=asked['request'], accept=True)
    equal(central.result(id, 30), paired(2, bonded=False), 'the result of pair')
    equal(central.call('bonds.list'), {'bonds': []}, 'bonds')


def passkey_shown_by_the_peer(bench, passkey_of):
    """Pairs by typing what `passkey_of` makes of the passkey."""
    peer, link = to_pair(bench, 'sc-passkey-display', 'authenticated', io='keyboard-only', mitm=True)
    id = link.send('pair')
    asked = link.wait('pairing.request', timeout=20, method='passkey_entry')
    shown = int(peer.wait('prompt', kind='display_passkey', timeout=20)['passkey']) if peer else LOCK_PASSKEY
    link.rpc.call('pairing.reply', request=asked['request'], accept=True, passkey=passkey_of(shown))
    return link, id


@case
def a_passkey_that_is_typed_authenticates(bench):
    link, id = passkey_shown_by_the_peer(bench, lambda shown: shown)
    equal(link.rpc.result(id, 30), paired(4), 'the result of pair')
    link.read('authenticated')


@case
def a_wrong_passkey_fails_by_its_name(bench):
    link, id = passkey_shown_by_the_peer(bench, lambda shown: (shown + 1) % 1_000_000)
    equal(link.rpc.error(id, 'smp', timeout=30)['code'], CONFIRM_VALUE_FAILED, 'code of the error')
    failed = link.wait('pairing.failed')
    equal((failed['code'], failed['name']), (CONFIRM_VALUE_FAILED, 'confirm_value_failed'), 'why')
    expect(failed['by'] in ('peer', 'us'), f'who ended it: {failed}')


@case(via='bumble')
def a_passkey_that_we_show_needs_no_reply(bench):
    peer, link = to_pair(bench, 'sc-passkey-entry', 'authenticated', io='display-only', mitm=True)
    id = link.send('pair')
    shown = link.wait('pairing.request', timeout=20, method='passkey_display')
    equal(shown['request'], None, 'the request')
    peer.wait('prompt', kind='enter_passkey', timeout=20)
    peer.command('answer', value=f"{int(shown['passkey']):06}")
    equal(link.rpc.result(id, 30), paired(4), 'the result of pair')


@case(via='bumble')
def numbers_are_compared(bench):
    for accept in False, True:
        peer, link = to_pair(bench, 'sc-numeric', 'authenticated', io='display-yes-no', mitm=True)
        id = link.send('pair')
        asked = link.wait('pairing.request', timeout=20, method='numeric_comparison')
        theirs = peer.wait('prompt', kind='confirm_number', timeout=20)['number']
        equal(int(asked['passkey']), int(theirs), 'the numbers')
        link.rpc.call('pairing.reply', request=asked['request'], accept=accept)
        if accept:
            equal(link.rpc.result(id, 30), paired(4), 'the result of pair')
            link.read('authenticated')
        else:
            equal(link.rpc.error(id, 'smp', timeout=30)['code'], NUMERIC_COMPARISON_FAILED, 'code of the error')
            equal(link.wait('pairing.failed')['by'], 'us', 'who ended it')
        link.rpc.finish()


@case(via='bumble')
def a_peer_that_does_not_pair_is_told_of(bench):
    _, link = to_pair(bench, 'none')
    equal(link.rpc.error(link.send('pair'), 'smp', timeout=30)['code'], PAIRING_NOT_SUPPORTED, 'code of the error')
    failed = link.wait('pairing.failed')
    equal((failed['by'], failed['name']), ('peer', 'pairing_not_supported'), 'why')


@case(via='bumble')
def nothing_follows_a_security_request_until_it_is_wanted(bench):
    peer, link = to_pair(bench, 'sc-justworks')
    peer.command('security_request')
    asked = link.wait('security.request')
    equal((asked['bond'], asked['secure_connections']), (True, True), 'what it asks for')
    time.sleep(1)
    equal(link.rpc.notified('security') + link.rpc.notified('pairing.done'), [], 'what followed')
    equal(peer.events('prompt'), [], 'prompts of the peer')
    equal(link.call('pair', timeout=30)['level'], 2, 'the level, when it is wanted')


@case
def a_refusal_for_want_of_security_is_an_error_and_no_pairing(bench):
    """Whoever wants a pairing asks for it."""
    _, link = to_pair(bench, 'sc-justworks')
    error = link.refused('gatt.read', 'att', handle=link.handle('encrypted'))
    expect(error['code'] in (0x05, 0x0F), f'the code of {error}')
    equal(link.rpc.notified('pairing.done'), [], 'pairings')
    link.call('pair', timeout=30)
    link.read('encrypted')


@case(via='sim')
def two_programs_compare_numbers(bench):
    central, peripheral = bench.two(store=True)
    for rpc in central, peripheral:
        rpc.call('configure', io='display-yes-no', mitm=True)
    link, theirs = linked(central, peripheral)
    id = central.send('pair', connection=link)
    asked = [rpc.wait('pairing.request', timeout=20, method='numeric_comparison') for rpc in (central, peripheral)]
    equal(asked[0]['passkey'], asked[1]['passkey'], 'the numbers')
    for rpc, one in zip((central, peripheral), asked):
        rpc.call('pairing.reply', request=one['request'], accept=True)
    equal(central.result(id, 30), paired(4), 'the result of pair')
    equal(of_link(peripheral.wait('pairing.done', connection=theirs)), paired(4), 'pairing.done of the other side')
    equal([len(rpc.call('bonds.list')['bonds']) for rpc in (central, peripheral)], [1, 1], 'bonds')


@case(via='sim')
def a_peripheral_asks_and_then_waits(bench):
    central, peripheral = bench.two(store=True)
    link, theirs = linked(central, peripheral)
    id = peripheral.send('pair', connection=theirs)
    asked = central.wait('security.request', connection=link)
    equal(asked['bond'], True, 'what it asks for')
    time.sleep(0.5)
    equal(central.notified('pairing.done'), [], 'what followed')
    equal(central.call('pair', 30, connection=link), paired(2), 'the result of pair')
    equal(peripheral.result(id), paired(2), 'the result of pair of the other side')
    for rpc in central, peripheral:
        expect(rpc.notified('security', encrypted=True), '`security` of both')


@case(via='bumble')
def a_central_pairs_with_us_if_we_say_so(bench):
    central, rpc, link = with_a_central(bench, ask=True)
    begun = central.begin('pair')
    asked = rpc.wait('pairing.request', connection=link)
    equal(asked['method'], 'just_works', 'method')
    rpc.call('pairing.reply', request=asked['request'], accept=True)
    equal(central.answered('pair', begun), {}, 'how it ended for the central')
    equal(rpc.wait('pairing.done')['bonded'], True, 'that it is bonded')
    equal(rpc.notified('pairing.failed'), [], 'failures')


@case(via='bumble')
def a_central_pairs_because_we_ask_it_to(bench):
    central, rpc, link = with_a_central(bench)
    id = rpc.send('pair', connection=link)
    central.wait('security_requested')
    equal(central.command('pair'), {}, 'how it ended for the central')
    equal(rpc.result(id, 30), paired(2), 'the result of pair')


def with_a_central(bench, **configured):
    """Bumble's central, our program, and their link."""
    central = bench.start_peer('--pairing', 'sc-justworks', name='central.py')
    rpc = bench.rpc(adapter=bench.adapter_of(central), store=True)
    rpc.call('configure', **configured)
    central.command('connect', address=rpc.call('advertise.start', data='020106')['address'])
    return central, rpc, rpc.wait('connected', role='peripheral')['connection']


def linked(central, peripheral):
    """The number of one link on either side."""
    advertiser = peripheral.call('advertise.start', data='020106')
    told = central.call('connect', address=advertiser['address'], address_type=advertiser['address_type'])
    theirs = peripheral.wait('connected', role='peripheral', advertiser=advertiser['advertiser'])
    return told['connection'], theirs['connection']
