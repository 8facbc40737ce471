"""Advertising and our own GATT table, as another host sees them: another `rpc` on the virtual radio, or the central of
Bumble."""

from bench import assigned
from client import Refused
from harness import equal, expect
from registry import case

SERVICE, PLAIN, ASKED, NOTIFIED, INDICATED = (f'c0de000{n}-a5c0-4b1e-8f00-b0b5c0ffee01' for n in range(5))
TABLE = [{'uuid': SERVICE, 'characteristics': [
    {'uuid': PLAIN, 'properties': ['read', 'write'], 'value': '0102',
     'descriptors': [{'uuid': assigned(0x2901), 'value': b'plain'.hex()}]},
    {'uuid': ASKED, 'properties': ['read', 'write'], 'ask': True},
    {'uuid': NOTIFIED, 'properties': ['notify', 'write-without-response'], 'value': ''},
    {'uuid': INDICATED, 'properties': ['indicate'], 'value': ''}]}]
APPLICATION_ERROR = 0x85
DATA, RESPONSE = '020106' + '0409' + b'RPC'.hex(), '05ff' + 'ffff0102'


class OtherRpc:
    """A central that is another program."""

    def __init__(self, rpc):
        self.rpc, self.link = rpc, None

    def connect(self, advertiser):
        told = self.rpc.call('connect', address=advertiser['address'], address_type=advertiser['address_type'])
        self.link = told['connection']

    def discover(self):
        return self.rpc.call('gatt.discover', connection=self.link)['services']

    def begin(self, method, **params):
        return self.rpc.send(f'gatt.{method}', connection=self.link, **params)

    def end(self, id):
        try:
            return self.rpc.result(id)
        except Refused as refused:
            return {'error': refused.data['code']}

    def subscribe(self, handle):
        self.rpc.call('gatt.subscribe', connection=self.link, handle=handle)

    def unsubscribe(self, handle):
        self.rpc.call('gatt.unsubscribe', connection=self.link, handle=handle)

    def received(self, handle, count):
        self.rpc.wait_for(lambda _: len(self.values(handle)) >= count, 10, f'{count} values')
        return self.values(handle)

    def values(self, handle):
        return [told['value'] for told in self.rpc.notified('gatt.notification', handle=handle)]

    def disconnect(self):
        self.rpc.call('disconnect', connection=self.link)


class Bumble:
    def __init__(self, process):
        self.process = process

    def connect(self, advertiser):
        self.process.command('connect', address=advertiser['address'])

    def discover(self):
        return self.process.command('discover')

    def begin(self, method, **params):
        return method, self.process.begin(method, **params)

    def end(self, begun):
        return self.process.answered(*begun)

    def subscribe(self, handle):
        self.process.command('subscribe', handle=handle)

    def unsubscribe(self, handle):
        self.process.command('unsubscribe', handle=handle)

    def received(self, handle, count):
        return self.process.command('received', handle=handle, count=count)

    def disconnect(self):
        self.process.command('disconnect')


def sides(bench):
    """Our program, and a central on its radio."""
    if bench.via == 'sim':
        central, ours = bench.two()
        return ours, OtherRpc(central)
    central = bench.start_peer(name='central.py')
    return bench.rpc(adapter=bench.adapter_of(central)), Bumble(central)


def served(bench):
    """Our program, a central that has connected and found the table, the link's number here, the handles by UUID."""
    ours, central = sides(bench)
    table = ours.call('server.set', services=TABLE)['services']
    central.connect(ours.call('advertise.start', data=DATA))
    link = ours.wait('connected', role='peripheral')['connection']
    found = {c['uuid']: c for s in central.discover() for c in s['characteristics']}
    handles = {c['uuid']: c['value_handle'] for s in table for c in s['characteristics']}
    for uuid, handle in handles.items():
        equal(found[uuid]['value_handle'], handle, f'the handle of {uuid}')
    return ours, central, link, handles


@case
def what_is_advertised_is_heard(bench):
    if bench.via == 'sim':
        central, ours = bench.two()
    else:
        process = bench.start_peer(name='central.py')
        ours = bench.rpc(adapter=bench.adapter_of(process))
    advertiser = ours.call('advertise.start', data=DATA, scan_response=RESPONSE, interval=0.05)
    if bench.via == 'sim':
        central.call('scan.start')
        heard = [central.wait('scan.report', address=advertiser['address'], scan_response=response)
                 for response in (False, True)]
        equal([one['data'] for one in heard], [DATA, RESPONSE], 'data')
        equal(heard[0]['address_type'], advertiser['address_type'], 'type of the address')
    else:
        heard = process.command('scan', address=advertiser['address'])
        equal([heard[kind]['data'] for kind in ('advertisement', 'response')], [DATA, RESPONSE], 'data')
    equal(ours.call('advertise.stop', advertiser=advertiser['advertiser']), {}, 'the answer of advertise.stop')
    ours.refused('advertise.stop', 'not_found', advertiser=99)
    equal(ours.call('advertise.start', legacy=False, connectable=False, data=DATA)['advertiser'], 2, 'the next number')


@case
def a_table_comes_back_with_handles(bench):
    ours, _, _, handles = served(bench)
    equal(len(set(handles.values())), 4, 'handles')
    expect(ours.wait('connected')['advertiser'] == 1, 'whose link it is')


@case
def values_are_served_and_changed(bench):
    ours, central, link, handles = served(bench)
    handle = handles[PLAIN]
    equal(central.end(central.begin('read', handle=handle))['value'], '0102', 'the value')
    equal(ours.call('server.value', handle=handle, value='ff' * 300), {}, 'the answer of server.value')
    equal(central.end(central.begin('read', handle=handle))['value'], 'ff' * 300, 'the value, later')
    central.end(central.begin('write', handle=handle, value='0a0b'))
    told = ours.wait('server.write', handle=handle)
    equal((told['connection'], told['value'], told['request']), (link, '0a0b', None), 'what is told')
    equal(central.end(central.begin('read', handle=handle))['value'], '0a0b', 'the value, in the end')
    ours.refused('server.value', 'not_found', handle=0xFFF0, value='00')


@case
def who_asks_to_be_asked_answers_reads_and_writes(bench):
    ours, central, link, handles = served(bench)
    handle = handles[ASKED]
    refusal = {'error': APPLICATION_ERROR}
    for answer, wanted in ({'value': '2a'}, {'value': '2a'}), (refusal, refusal):
        start, begun = ours.mark(), central.begin('read', handle=handle)
        asked = ours.wait('server.read', start=start, connection=link, handle=handle, offset=0)
        equal(ours.call('server.reply', request=asked['request'], **answer), {}, 'the answer of the reply')
        equal(central.end(begun), wanted, 'how the read ended')
    for answer, wanted in ({}, {}), (refusal, refusal):
        start, begun = ours.mark(), central.begin('write', handle=handle, value='c0ffee')
        asked = ours.wait('server.write', start=start, connection=link, handle=handle, value='c0ffee')
        ours.call('server.reply', request=asked['request'], **answer)
        equal(central.end(begun), wanted, 'how the write ended')
    ours.refused('server.reply', 'not_found', request=asked['request'])


@case
def who_subscribes_is_notified_and_confirms(bench):
    ours, central, link, handles = served(bench)
    notified, indicated = handles[NOTIFIED], handles[INDICATED]
    for handle in notified, indicated:
        central.subscribe(handle)
        told = ours.wait('server.subscribed', connection=link, handle=handle)
        equal((told['notifications'], told['indications']), (handle == notified, handle == indicated), 'what it wants')
    values = [f'{n:04x}' for n in range(20)]
    ids = ours.send_all([('server.notify', dict(connection=link, handle=notified, value=value, indication=False))
                         for value in values])
    for id in ids:
        equal(ours.result(id), {}, 'the answer of server.notify')
    equal(central.received(notified, len(values)), values, 'what came')
    equal(ours.call('server.notify', connection=link, handle=indicated, value='beef', indication=True), {}, 'after it')
    equal(central.received(indicated, 1), ['beef'], 'what came')
    start = ours.mark()
    central.unsubscribe(notified)
    ours.wait('server.subscribed', start=start, handle=notified)


@case
def an_indication_without_a_link_is_not_found(bench):
    ours, central, link, handles = served(bench)
    ours.refused('server.notify', 'not_found', connection=99, handle=handles[NOTIFIED], value='00', indication=False)
    central.disconnect()
    ours.wait('disconnected', connection=link)
    too_late = dict(connection=link, handle=handles[INDICATED], value='00', indication=True)
    ours.refused('server.notify', 'disconnected', **too_late)


@case(via='sim')
def the_mtu_and_a_changed_table_are_told_to_the_other_side(bench):
    central, ours = bench.two()
    ours.call('server.set', services=TABLE)
    advertiser = ours.call('advertise.start', data=DATA)
    link = central.call('connect', address=advertiser['address'], address_type=advertiser['address_type'], mtu=150)
    equal(ours.wait('mtu')['mtu'], 150, 'MTU')
    central.call('gatt.discover', connection=link['connection'])
    ours.call('server.set', services=TABLE + [{'uuid': assigned(0x180F), 'characteristics': [
        {'uuid': assigned(0x2A19), 'properties': ['read'], 'value': '50'}]}])
    changed = central.wait('gatt.changed', connection=link['connection'])
    expect(changed['handle'] <= changed['end_handle'], f'{changed}')
    found = central.call('gatt.discover', connection=link['connection'], services=[assigned(0x180F)])['services']
    equal(len(found), 1, 'new services')
