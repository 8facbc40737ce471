"""The GATT client: tables, values, subscriptions, and the first ordering rule, that a value is out before it is
confirmed."""

import struct
import time
import zlib

from bench import assigned
from client import Refused
from harness import Failure, equal, expect
from registry import case

APPLICATION_ERROR, INVALID_HANDLE = 0x80, 0x01
LONG = {'sim': bytes([*range(256), *reversed(range(256))]), 'bumble': bytes((i * 7 + 3) & 0xFF for i in range(512))}
BATTERY = {'sim': 87, 'bumble': 100}
FIRST_OF_SIM = [0x00, 365]  # flags and tenths of a degree, of the first indication of a link


def without(services, *members):
    """The table without these, and without what is the peer's own affair."""
    return [{**{k: v for k, v in s.items() if k not in members}, 'characteristics': [
        {**{k: v for k, v in c.items() if k not in members}, 'descriptors': [
            {k: v for k, v in d.items() if k not in members} for d in c['descriptors']]}
        for c in s['characteristics']]} for s in services]


@case(via='bumble')
def discovery_gives_the_table_of_the_peer(bench):
    peer = bench.start_peer()
    link = bench.link('battery', bench.rpc(adapter=bench.adapter_of(peer)))
    found = link.call('gatt.discover')
    equal(found['mtu'], link.told['mtu'], 'mtu')
    ours, theirs = without(found['services'], 'name', 'user_description'), without(peer.ready['table'], 'char', 'value')
    key = 'handle'
    equal(sorted(ours, key=lambda s: s[key]), sorted(theirs, key=lambda s: s[key]), 'the table')
    return f"{len(ours)} services"


@case
def discovery_of_some_services_gives_and_walks_only_these(bench):
    rpc = bench.rpc()
    link = bench.link('battery', rpc)
    services = link.call('gatt.discover', services=[assigned(0x180F)])['services']
    equal([s['uuid'] for s in services], [assigned(0x180F)], 'services')
    equal([c['uuid'] for c in services[0]['characteristics']], [assigned(0x2A19)], 'characteristics')
    equal(services[0]['characteristics'][0]['properties'], ['read', 'notify'], 'properties')
    equal(link.call('gatt.discover', services=[assigned(0x1234)])['services'], [], 'services that it has not got')


@case
def values_are_read_whole_and_never_from_a_cache(bench):
    rpc = bench.rpc()
    link = bench.link('battery', rpc)
    equal(link.read('battery'), f"{BATTERY[bench.via]:02x}", 'battery')
    if bench.via == 'bumble':
        bench.peer.command('battery', level=42)
        equal(link.read('battery'), '2a', 'battery, later')
        bench.peer.command('battery', level=100)
        equal(link.read('empty'), '', 'an empty value')
    else:
        link = bench.link('long', rpc)
    equal(bytes.fromhex(link.read('long')), LONG[bench.via], 'a value longer than a PDU')


@case
def a_refusal_tells_its_code_and_leaves_the_link(bench):
    rpc = bench.rpc()
    link = bench.link('refused', rpc)
    handle = link.handle('refused')
    error = link.refused('gatt.write', 'att', handle=handle, value='00')
    wanted = {'kind': 'att', 'operation': 'gatt.write', 'handle': handle, 'code': APPLICATION_ERROR}
    equal(error, wanted, 'error of the write')
    error = link.refused('gatt.read', 'att', handle=0xFFF0)
    equal((error['handle'], error['code']), (0xFFF0, INVALID_HANDLE), 'error of the read')
    link.read('battery' if bench.via == 'bumble' else 'long')


@case
def what_is_written_is_there(bench):
    rpc = bench.rpc()
    link = bench.link('long', rpc)
    handle, first = link.handle('long'), link.read('long')
    for value in (b'short', bytes(range(256)) * 2, b''):
        equal(link.call('gatt.write', handle=handle, value=value.hex()), {}, 'the answer')
        equal(link.read('long')[:2 * len(value)], value.hex(), 'what is there')
    link.call('gatt.write', handle=handle, value=first)


@case
def writes_without_response_arrive_in_their_order(bench):
    rpc = bench.rpc()
    values = [struct.pack('<I', n) * 20 for n in range(100)]
    if bench.via == 'sim':
        link = bench.link('echo', rpc)
        link.call('gatt.subscribe', handle=link.handle('echoed'))
    else:
        link = bench.link('sink', rpc)
        bench.peer.command('reset_sink')
    handle = link.handle('echo' if bench.via == 'sim' else 'sink')
    ids = rpc.send_all([('gatt.write', dict(connection=link.number, handle=handle, value=value.hex(), response=False))
                        for value in values])
    for id in ids:
        equal(rpc.result(id), {}, 'the answer')
    if bench.via == 'sim':
        link.wait('gatt.notification', value=values[-1].hex())
        echoed = [told['value'] for told in rpc.notified('gatt.notification')]
        equal(echoed, [value.hex() for value in values], 'what came back')
    else:
        link.read('battery')
        equal(bench.peer.command('sink')['crc'], zlib.crc32(b''.join(values)), 'the CRC of what came')


@case
def a_subscription_gives_values_until_it_ends(bench):
    rpc = bench.rpc()
    link = bench.link('heart_rate', rpc)
    handle = link.handle('heart_rate')
    if bench.via == 'bumble':
        bench.peer.command('hr_rate', hz=10)
    equal(link.call('gatt.subscribe', handle=handle), {'indication': False}, 'the answer of subscribe')
    for _ in range(3):
        start = rpc.mark()
        told = link.wait('gatt.notification', start=start, handle=handle)
        equal((told['indication'], told['missed']), (False, 0), 'what it says')
    values = [bytes.fromhex(one['value'])[-2:] for one in rpc.notified('gatt.notification')]
    numbers = [int.from_bytes(value, 'little') for value in values]
    equal(numbers, list(range(numbers[0], numbers[0] + len(numbers))), 'the numbers of the values')
    equal(link.call('gatt.unsubscribe', handle=handle), {}, 'the answer of unsubscribe')
    time.sleep(1.2)  # the rules look at what came meanwhile
    link.call('gatt.subscribe', handle=handle)
    link.wait('gatt.notification', start=rpc.mark())
    if bench.via == 'bumble':
        bench.peer.command('hr_rate', hz=1)


@case
def an_indication_is_told_as_one(bench):
    rpc = bench.rpc()
    link = bench.link('indicate', rpc)
    handle = link.handle('indicate')
    equal(link.call('gatt.subscribe', handle=handle), {'indication': True}, 'the answer of subscribe')
    begun = bench.peer.begin('indicate') if bench.via == 'bumble' else None
    told = link.wait('gatt.notification', handle=handle)
    equal(told['indication'], True, 'what it says')
    if begun is not None:
        bench.peer.answered('indicate', begun)  # after the confirmation
    else:
        equal(list(struct.unpack('<BH', bytes.fromhex(told['value'])[:3])), FIRST_OF_SIM, 'the value')


@case(via='bumble')
def an_indication_is_not_confirmed_before_its_line_is_out(bench):
    """The reader stops, so that there is no room for the line; the peer must not be told before there is."""
    peer = bench.start_peer('--hr-rate', '500')
    rpc = bench.rpc(adapter=bench.adapter_of(peer))
    link = bench.link('indicate', rpc)
    handle = link.handle('indicate')
    link.call('gatt.subscribe', handle=handle)
    link.call('gatt.subscribe', handle=link.handle('heart_rate'))
    with rpc.not_reading():
        time.sleep(4)  # a pipe holds 64 KiB: some 500 lines
        begun = peer.begin('indicate')
        try:
            peer.answered('indicate', begun, within=2)
            raise Failure('it was confirmed while its line waited')
        except Failure as failure:
            if 'did not come' not in str(failure):
                raise
    link.wait('gatt.notification', handle=handle)
    peer.answered('indicate', begun)


@case
def what_cannot_be_subscribed_to_is_not_found(bench):
    rpc = bench.rpc()
    link = bench.link('long', rpc)
    link.refused('gatt.subscribe', 'not_found', handle=link.handle('long'))
    link.refused('gatt.subscribe', 'not_found', handle=0xFFF0)
    link.refused('gatt.unsubscribe', 'not_found', handle=link.handle('long'))


@case
def an_end_of_a_link_ends_its_subscriptions(bench):
    rpc = bench.rpc()
    for _ in range(2):
        link = bench.link('heart_rate', rpc)
        link.call('gatt.subscribe', handle=link.handle('heart_rate'))
        link.wait('gatt.notification')
        link.disconnect()
    time.sleep(0.2)  # the rules look at what names a link that is down


@case(via='bumble')
def a_changed_table_is_told_of(bench):
    peer = bench.start_peer()
    link = bench.link('battery', bench.rpc(adapter=bench.adapter_of(peer)))
    link.call('gatt.discover')
    peer.command('service_changed', start=7, end=99)  # its end is after the confirmation
    equal(link.wait('gatt.changed'), {'connection': link.number, 'handle': 7, 'end_handle': 99}, 'what has changed')


@case(via='bumble')
def a_peer_that_does_not_answer_for_30_s_loses_its_link(bench):
    peer = bench.start_peer('--slow', '60')
    rpc = bench.rpc(adapter=bench.adapter_of(peer))
    link = bench.link('slow', rpc)
    started = time.monotonic()
    id = link.send('gatt.read', handle=link.handle('slow'))
    rpc.error(id, 'timeout', timeout=35)
    taken = time.monotonic() - started
    expect(29 < taken < 33, f'it took {taken:.1f} s')
    link.wait('disconnected')
    expect(rpc.place_of_answer(id) < rpc.place('disconnected'), 'the failure comes first')


@case
def many_requests_of_one_link_are_answered_by_their_ids(bench):
    rpc = bench.rpc()
    link = bench.link('long', rpc)
    handle, services = link.handle('long'), link.found
    handles = [c['value_handle'] for s in services for c in s['characteristics'] if 'read' in c['properties']]
    handles = [at for at in handles if bench.via == 'sim' or at != link.handle('slow')]
    ids = rpc.send_all([('gatt.read', dict(connection=link.number, handle=at)) for at in handles * 3])
    values = {}
    for id, at in zip(ids, handles * 3):
        try:
            value = rpc.result(id)['value']
        except Refused as refused:
            equal((refused.data['kind'], refused.data['handle']), ('att', at), 'a refusal')
            value = refused.data['code']
        expect(values.setdefault(at, value) == value, f'two answers for handle {at}')
    equal(bytes.fromhex(values[handle]), LONG[bench.via], 'the long one among them')
    return f'{len(ids)} requests'
