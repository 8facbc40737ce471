"""Links: how they begin, end and change, and the second and third ordering rule: what fails before `disconnected`, and
that a cancellation leads to one answer."""

import time

from bench import NOBODY, THINGS
from harness import equal, expect
from registry import case

ALREADY_THERE, REMOTE_USER, LOW_RESOURCES, LOCAL_HOST = 0x0B, 0x13, 0x14, 0x16  # [Vol 1] Part F
OUR_MTU = 517


@case
def a_link_is_told_of_before_its_connect_is_answered(bench):
    rpc = bench.rpc()
    link = bench.link('battery', rpc)
    equal(link.wait('connected'), link.told, 'what `connected` and the answer say')
    equal({name: link.told[name] for name in ('connection', 'role', 'transport', 'address', 'address_type', 'mtu')},
          {'connection': 1, 'role': 'central', 'transport': 'le', 'address': link.address, 'address_type': 'random',
           'mtu': OUR_MTU}, 'the link')
    ended = link.disconnect()
    equal(ended['reason'], LOCAL_HOST, 'reason')
    expect(ended['reason_name'], 'its name')
    equal(bench.link('battery', rpc).number, 2, 'the number of the next link')


@case
def the_mtu_is_what_was_asked_for(bench):
    rpc = bench.rpc()
    first = bench.link('battery', rpc, mtu=64)
    equal(first.told['mtu'], 64, 'the mtu of this link')
    first.disconnect()
    rpc.call('configure', mtu=100)
    equal(bench.link('battery', rpc).told['mtu'], 100, 'the mtu of the next one')


@case
def a_second_link_to_the_same_peer_is_refused(bench):
    rpc = bench.rpc()
    link = bench.link('battery', rpc)
    error = rpc.refused('connect', 'hci', address=link.address, address_type='random')
    equal(error['code'], ALREADY_THERE, 'code')
    link.read('battery')


@case
def a_connect_that_times_out_leaves_the_controller_idle(bench):
    rpc = bench.rpc()
    started = time.monotonic()
    rpc.refused('connect', 'timeout', address=NOBODY, address_type='random', timeout=0.5)
    taken = time.monotonic() - started
    expect(0.4 < taken < 3, f'it took {taken:.1f} s')
    bench.link('battery', rpc).read('battery')
    equal(len(rpc.notified('connected')), 1, 'links')


@case
def a_connect_that_is_cancelled_leaves_the_controller_idle(bench):
    rpc = bench.rpc()
    id = rpc.send('connect', address=NOBODY, address_type='random')
    time.sleep(0.3)
    rpc.cancel(id)
    rpc.error(id, 'cancelled')
    bench.link('battery', rpc).read('battery')
    equal(len(rpc.notified('connected')), 1, 'links')


@case
def a_cancel_that_crosses_a_connect_has_one_answer_and_leaves_no_link_behind(bench):
    """Each comes a little later than the one before: too early, in the middle, too late."""
    rpc, outcomes = bench.rpc(), {'result': 0, 'cancelled': 0}
    address, _ = THINGS[bench.via]['battery']
    for number in range(20):
        id, = rpc.send_all([('connect', dict(address=address, address_type='random'))])
        time.sleep(number * 0.01)
        rpc.cancel(id)
        answer = rpc.answer(id)
        if 'result' in answer:
            outcomes['result'] += 1
            rpc.call('disconnect', connection=answer['result']['connection'])
        else:
            rpc.error(id, 'cancelled')
            outcomes['cancelled'] += 1
    links, ends = rpc.notified('connected'), rpc.notified('disconnected')
    equal(len(ends), len(links), 'links that have ended')
    expect(outcomes['cancelled'], f'nothing was cancelled: {outcomes}')
    bench.link('battery', rpc).read('battery')
    return f'{outcomes}'


@case
def requests_that_wait_fail_before_the_end_of_their_link_is_told(bench):
    rpc = bench.rpc()
    link = bench.link('long', rpc)
    handle = link.handle('long')
    one_at_a_time = [('gatt.read', dict(connection=link.number, handle=handle)) for _ in range(5)]
    *waiting, end = rpc.send_all([*one_at_a_time, ('disconnect', dict(connection=link.number))])
    equal(rpc.result(end), {}, 'the answer of disconnect')
    link.wait('disconnected')
    end_told = rpc.place('disconnected', connection=link.number)
    outcomes = [rpc.answer(id) for id in waiting]
    expect(all(rpc.place_of_answer(id) < end_told for id in waiting), 'each has its answer before `disconnected`')
    failed = [id for id, outcome in zip(waiting, outcomes) if 'error' in outcome]
    expect(len(failed) >= 3, f'{len(failed)} of 5 failed')
    for id in failed:
        rpc.error(id, 'disconnected')
    equal(len(rpc.notified('disconnected')), 1, 'times that the end was told')
    link.refused('gatt.read', 'disconnected', handle=handle)


@case(via='bumble')
def a_peer_that_hangs_up_fails_what_waits_for_it(bench):
    rpc, peer = bench.rpc(), bench.peer
    link = bench.link('slow', rpc)
    handle = link.handle('slow')
    waiting = rpc.send_all([('gatt.read', dict(connection=link.number, handle=handle)) for _ in range(3)])
    time.sleep(0.3)
    peer.command('disconnect', reason=LOW_RESOURCES)
    equal(link.wait('disconnected')['reason'], LOW_RESOURCES, 'reason')
    for id in waiting:
        rpc.error(id, 'disconnected')
        expect(rpc.place_of_answer(id) < rpc.place('disconnected'), 'the failure comes first')


@case(via='bumble')
def the_peer_is_given_the_reason(bench):
    link, mark = bench.link('battery'), bench.peer.mark()
    equal(link.call('disconnect', reason=LOW_RESOURCES), {}, 'the answer')
    equal(bench.peer.wait('disconnected', start=mark)['reason'], LOW_RESOURCES, 'what the peer saw')


@case(via='bumble')
def a_read_that_is_cancelled_has_one_answer_and_the_link_goes_on(bench):
    rpc = bench.rpc()
    link = bench.link('slow', rpc)
    handle = link.handle('slow')
    first, second = rpc.send_all([('gatt.read', dict(connection=link.number, handle=handle))] * 2)
    time.sleep(0.2)
    rpc.cancel(second)  # it has not begun
    rpc.error(second, 'cancelled', timeout=1)
    rpc.cancel(first)  # it has
    answered = rpc.answer(first, timeout=5)
    if 'error' in answered:
        rpc.error(first, 'cancelled')
    link.read('battery')


@case
def a_cancel_that_crosses_its_answer_leads_to_one(bench):
    rpc = bench.rpc()
    link = bench.link('battery', rpc)
    read = ('gatt.read', dict(connection=link.number, handle=link.handle('battery')))
    ids = rpc.send_all([read] * 40, and_cancel=True)
    for number in range(20):
        id, = rpc.send_all([read])
        time.sleep(number * 0.003)
        rpc.cancel(id)
        ids.append(id)
    kinds = {}
    for id in ids:
        answer = rpc.answer(id)
        if 'error' in answer:
            rpc.error(id, 'cancelled')
        kind = 'error' if 'error' in answer else 'result'
        kinds[kind] = kinds.get(kind, 0) + 1
    link.read('battery')
    expect(len(kinds) == 2, f'there are both: {kinds}')
    return f'{kinds}'


@case(via='sim')
def what_is_over_or_unknown_can_be_cancelled_in_vain(bench):
    rpc = bench.rpc()
    id = rpc.send('info')
    rpc.result(id)
    for what in id, 4711, 'nothing':
        rpc.cancel(what)
    rpc.call('info')
    equal(len(rpc.lines), 3, 'lines')


@case
def a_connection_that_is_none_is_not_found(bench):
    rpc = bench.rpc()
    for method, params in (('disconnect', {}), ('gatt.discover', {}), ('gatt.read', {'handle': 3}),
                           ('gatt.write', {'handle': 3, 'value': '00'}), ('gatt.subscribe', {'handle': 3}),
                           ('gatt.unsubscribe', {'handle': 3}), ('pair', {}), ('encrypt', {})):
        rpc.refused(method, 'not_found', connection=99, **params)


@case(via='bumble')
def the_peer_changes_the_parameters_of_the_link(bench):
    peer = bench.peer
    link = bench.link('battery')
    peer.begin('conn_params', interval_min=40, interval_max=40, latency=1, timeout=3000)
    told = link.wait('parameters')
    expect(len(told) > 1, f'no values in {told}')
    return f'{told}'


@case(via='bumble')
def the_central_changes_phy_parameters_and_mtu(bench):
    rpc, central = peripheral(bench)
    central.command('phy', phy=2)
    equal(rpc.wait('phy', connection=1), {'connection': 1, 'tx': '2M', 'rx': '2M'}, 'PHY')
    central.command('mtu', mtu=99)
    equal(rpc.wait('mtu', connection=1)['mtu'], 99, 'MTU')
    central.command('parameters', interval_min=50, interval_max=50, latency=0, timeout=2000)
    rpc.wait('parameters', connection=1)


def peripheral(bench):
    """Our side advertises, and a Bumble central has connected."""
    central = bench.start_peer(name='central.py')
    rpc = bench.rpc(adapter=bench.adapter_of(central))
    advertiser = rpc.call('advertise.start', data='020106')
    central.command('connect', address=advertiser['address'])
    rpc.wait('connected', role='peripheral')
    return rpc, central


@case(via='sim')
def links_to_several_peers_are_kept_apart(bench):
    rpc = bench.rpc()
    links = [bench.link(thing, rpc) for thing in ('battery', 'long', 'echo')]
    equal([link.number for link in links], [1, 2, 3], 'numbers')
    links[1].disconnect()
    links[0].read('battery')
    links[2].handle('echo')
