"""Scanning: what is reported, by legacy and extended commands, and of the strangest advertisers."""

from harness import equal, expect
from registry import case

HEART_RATE = '0000180d-0000-1000-8000-00805f9b34fb'
BATTERY = '0000180f-0000-1000-8000-00805f9b34fb'
TEST_SERVICE = '7e570001-a5c0-4b1e-8f00-b0b5c0ffee01'


def reports_of(command, address):
    return [r for r in command.of('report') if r['address'].upper() == address.upper()]


def expect_peer(bench, peer, reports, legacy):
    """Advertising data and, where there is one, the scan response."""
    expect(reports, 'the peer is not in the reports')
    advertised = [r for r in reports if not r['scan_response']]
    expect(advertised, 'no report of the advertising PDU itself')
    report = advertised[0]
    equal(report['address_type'], 'random', 'address type')
    equal(report['name'], peer.ready['name'], 'name')
    equal(report['name_complete'], True, 'the name is complete')
    equal(report['flags'], 6, 'flags')
    equal(set(report['services']) >= {HEART_RATE, BATTERY}, True, f"services {report['services']}")
    equal(report['connectable'], True, 'connectable')
    equal(report['legacy'], legacy, 'legacy PDU')
    equal(report['primary_phy'], '1M', 'primary PHY')
    if bench.via == 'bumble':
        equal(report['rssi'], -50, 'RSSI')
    else:
        expect(-127 <= report['rssi'] <= 20, f"RSSI {report['rssi']} is a measured one")
    if legacy:
        responses = [r for r in reports if r['scan_response']]
        expect(responses, 'no scan response')
        expect(TEST_SERVICE in responses[0]['services'], 'the 128-bit service of the scan response')
        equal(responses[0]['manufacturer_data'], {'ffff': '0102'}, 'manufacturer data')


@case
def scan_legacy_reports_the_peer(bench):
    peer = bench.peer
    done = bench.run('scan', '--legacy', '--timeout', '2')
    expect_peer(bench, peer, reports_of(done, peer.ready['address']), legacy=True)


@case
def scan_extended_reports_the_peer(bench):
    peer = bench.peer
    done = bench.run('scan', '--extended', '--timeout', '2')
    expect_peer(bench, peer, reports_of(done, peer.ready['address']), legacy=True)


@case
def extended_pdus_are_reported_and_connected_to(bench):
    peer = bench.start_peer('--extended-pdus', '--name', 'Wide', '--address', 'F0:F1:F2:F3:F4:E0')
    adapter = bench.adapter_of(peer)
    done = bench.run('scan', '--extended', '--timeout', '2', adapter=adapter)
    expect_peer(bench, peer, reports_of(done, peer.ready['address']), legacy=False)
    done = bench.run('read', peer.address, '2a19', adapter=adapter)
    equal(done.of('value')[0]['value'], '64', 'battery level')


@case
def passive_scan_sends_no_scan_request(bench):
    peer = bench.peer
    reports = reports_of(bench.run('scan', '--passive', '--timeout', '1.5'), peer.ready['address'])
    expect(reports, 'the peer is not in the reports')
    equal([r for r in reports if r['scan_response']], [], 'scan responses')


@case
def scan_filters_by_name_and_by_service(bench):
    peer = bench.peer
    for wanted in (['--name', 'Pe*'], ['--service', '180d'], ['--address', peer.ready['address']]):
        expect(reports_of(bench.run('scan', '--timeout', '1', *wanted), peer.ready['address']),
               f'the peer is not in the reports with {wanted}')
    for other in (['--name', 'Nobody*'], ['--service', '1802'], ['--address', 'C0:00:00:00:00:01']):
        equal(bench.run('scan', '--timeout', '1', *other).of('report'), [], f'reports with {other}')


@case(via='bumble')
def scan_without_extended_advertising_falls_back_to_legacy(bench):
    peer = bench.start_peer('--legacy-controllers')
    done = bench.run('scan', '--timeout', '2', adapter=bench.adapter_of(peer))
    expect_peer(bench, peer, reports_of(done, peer.ready['address']), legacy=True)


NAMES = {'name-complete': 'Kitchen Sensor', 'name-short': 'Kit', 'name-utf8': 'Küche ☕ 温度',
         'ext-conn': 'ExtConn'}


def farm_reports(bench, *words):
    farm = bench.start_peer(name='advfarm.py')
    done = bench.run('scan', *words, '--timeout', '4', adapter=bench.adapter_of(farm))
    return farm.ready['advertisers'], done


@case(via='bumble')
def all_65_advertisers_are_found_malformed_ones_included(bench):
    advertisers, done = farm_reports(bench, '--extended')
    equal(len(advertisers), 65, 'advertisers on the air')
    equal(len([a for a in advertisers if a['malformed']]), 10, 'malformed ones')
    wrong = []
    for advertiser in advertisers:
        reports = reports_of(done, advertiser['address'])
        seen = {(r['scan_response'], r['data']) for r in reports}
        wanted = {(False, advertiser['data'])}
        if advertiser['response'] is not None:
            wanted.add((True, advertiser['response']))
        if seen != wanted:
            wrong.append(f"{advertiser['name']}: got {seen}, on the air {wanted}")
        types = {r['address_type'] for r in reports} - {advertiser['address_type']}
        kinds = {r['legacy'] for r in reports} - {advertiser['legacy']}
        if types or kinds:
            wrong.append(f"{advertiser['name']}: address type {types} or legacy {kinds} is wrong")
        if advertiser['name'] in NAMES and NAMES[advertiser['name']] not in {r['name'] for r in reports}:
            wrong.append(f"{advertiser['name']}: name {[r['name'] for r in reports]}")
    expect(not wrong, f'{len(wrong)} advertisers are not reported as sent:\n  ' + '\n  '.join(wrong))
    return f"{len(done.of('report'))} reports"


@case(via='bumble')
def a_legacy_scan_finds_the_58_legacy_advertisers(bench):
    advertisers, done = farm_reports(bench, '--legacy')
    found = {r['address'].upper() for r in done.of('report')}
    equal(found, {a['address'] for a in advertisers if a['legacy']}, 'addresses')
    equal(len(found), 58, 'legacy advertisers')
