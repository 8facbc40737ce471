"""Scans: what is heard, as it was on the air, and nothing after the end."""

import time

from bench import BEACON, HR_STRAP, PEER, THERMOMETER, assigned
from harness import equal, expect
from registry import case

# AD structures: length, type, data.
HR_DATA = '020106' '05030d180f18' '03194103' '0909' + b'HR strap'.hex()
HR_RESPONSE = '020a00' '06ffffff010203'
PEER_DATA = '020106' '05020d180f18' '0509' + b'Peer'.hex()
MANUFACTURER_OF_PEER = '05ffffff0102'


def first_of(rpc, address, scan, **members):
    return rpc.wait('scan.report', scan=scan, address=address, **members)


@case
def reports_have_the_data_as_they_were_on_the_air(bench):
    rpc = bench.rpc()
    scan = rpc.call('scan.start')['scan']
    if bench.via == 'sim':
        report = first_of(rpc, HR_STRAP, scan, scan_response=False)
        response = first_of(rpc, HR_STRAP, scan, scan_response=True)
        equal((report['data'], response['data']), (HR_DATA, HR_RESPONSE), 'data')
        equal(report['name'], 'HR strap', 'name')
        equal(response['manufacturer_data'], {'ffff': '010203'}, 'manufacturer data')
        equal(report['rssi'], -42, 'signal')
    else:
        bench.peer
        report = first_of(rpc, PEER, scan, scan_response=False)
        response = first_of(rpc, PEER, scan, scan_response=True)
        equal(report['data'], PEER_DATA, 'data')
        expect(response['data'].endswith(MANUFACTURER_OF_PEER), f"data {response['data']}")
        equal(report['name'], 'Peer', 'name')
    equal((report['address_type'], report['connectable'], report['scannable'], report['directed'], report['truncated']),
          ('random', True, True, False, False), 'what else there is')
    expect(assigned(0x180D) in report['services'], f"services {report['services']}")
    equal(rpc.call('scan.stop', scan=scan), {}, 'the answer of scan.stop')


@case
def no_report_follows_the_end_of_a_scan(bench):
    rpc = bench.rpc()
    for number in 1, 2:
        scan = rpc.call('scan.start', duplicates=True)['scan']
        equal(scan, number, 'its number')
        rpc.wait('scan.report', scan=scan)
        rpc.call('scan.stop', scan=scan)
        time.sleep(0.3)  # the rules look at what came meanwhile
    rpc.refused('scan.stop', 'not_found', scan=1)


@case
def a_second_scan_is_refused_while_there_is_one(bench):
    rpc = bench.rpc()
    scan = rpc.call('scan.start')
    rpc.refused('scan.start', 'busy')
    rpc.call('scan.stop', **scan)
    rpc.call('scan.start')


@case
def a_passive_scan_asks_for_no_responses(bench):
    rpc = bench.rpc()
    scan = rpc.call('scan.start', active=False, duplicates=True)['scan']
    address = HR_STRAP if bench.via == 'sim' else bench.peer.ready['address']
    for _ in range(3):
        first_of(rpc, address, scan)
    time.sleep(0.5)
    equal(rpc.notified('scan.report', scan_response=True), [], 'scan responses')


@case
def duplicates_are_told_if_they_are_wanted(bench):
    rpc = bench.rpc()
    address = HR_STRAP if bench.via == 'sim' else bench.peer.ready['address']

    def heard(seconds=1.5, **params):
        scan = rpc.call('scan.start', **params)
        time.sleep(seconds)
        rpc.call('scan.stop', **scan)
        return len(rpc.notified('scan.report', address=address, scan_response=False, **scan))
    once, often = heard(), heard(duplicates=True)
    equal(once, 1, 'reports without duplicates')
    expect(often > 3, f'{often} reports with duplicates')
    return f'{often} reports'


@case(via='sim')
def only_what_has_the_service_is_told(bench):
    rpc = bench.rpc()
    rpc.call('scan.start', services=[assigned(0x1809)])
    report = rpc.wait('scan.report')
    equal(report['name'], 'Thermometer', 'name')
    time.sleep(1)
    addresses = {report['address'] for report in rpc.notified('scan.report')}
    equal(addresses, {THERMOMETER}, 'addresses')


@case(via='sim')
def an_extended_advertisement_is_one_report(bench):
    rpc = bench.rpc()
    scan = rpc.call('scan.start', phys=['1M'], interval=0.06, window=0.06)['scan']
    report = first_of(rpc, BEACON, scan)
    equal((len(report['data']) // 2, report['legacy'], report['secondary_phy'], report['truncated']),
          (602, False, '2M', False), 'octets and the rest')
    equal(report['data'][:16], '0709' + b'Beacon'.hex(), 'its first octets')


@case(via='sim')
def a_legacy_scan_hears_no_extended_advertisement(bench):
    rpc = bench.rpc()
    rpc.call('scan.start', legacy=True, own_address_type='public')
    rpc.wait('scan.report', address=HR_STRAP)
    time.sleep(0.6)
    equal(rpc.notified('scan.report', address=BEACON), [], 'reports of the beacon')
