"""hci0 against a peer that shares nothing with us or with Bumble: BlueZ on the kernel's other controller."""

from bench import case
from bluez import CHARACTERISTIC, NAME, SERVICE, VALUE, BlueZ, Controllers
from cases_messages import refused, told
from harness import equal, expect

GAP_DEVICE_NAME, SERVICE_CHANGED, CCCD = '2a00', '2a05', '00002902-0000-1000-8000-00805f9b34fb'

WRITE_RESPONSE = bytes.fromhex('0100040013')  # of ATT, in an L2CAP frame


def bluez(bench):
    """The peer, started by the first case that asks."""
    shared = bench.guest.shared
    if 'bluez' not in shared:
        shared['controllers'] = Controllers(bench.guest)
        shared['bluez'] = BlueZ(bench.guest, shared['controllers'].addresses[1])
    return shared['bluez']


def run(bench, *words, **options):
    return bench.run(*words, adapter='hci0', **options)


def value(bench, peer, what):
    found, = run(bench, 'read', peer.address, what).of('value')
    return found['value']


@case()
def info_of_a_controller_of_btvirt(bench):
    bluez(bench)
    info, = run(bench, 'info').of('info')
    equal(info['public_address'], bench.guest.shared['controllers'].addresses[0], 'address')
    equal(info['extended'], False, 'extended advertising, which btvirt -L has not')


@case()
def scan_finds_bluez(bench):
    peer = bluez(bench)
    reports = run(bench, 'scan', '--timeout', '3').of('report')
    mine = [report for report in reports if f"{report['address']}/public" == peer.address]
    expect(mine, f'{peer.address} in the reports: {reports}')
    equal(mine[0]['address_type'], 'public', 'address type')


@case()
def gatt_shows_the_table_of_bluez(bench):
    services = run(bench, 'gatt', bluez(bench).address).of('service')
    mine = [service for service in services if service['uuid'] == SERVICE]
    equal(len(mine), 1, f"services of that UUID among {[service['uuid'] for service in services]}")
    characteristic, = mine[0]['characteristics']
    equal(characteristic['uuid'], CHARACTERISTIC, 'UUID')
    equal(sorted(characteristic['properties']), ['notify', 'read', 'write'], 'properties')
    expect(CCCD in [descriptor['uuid'] for descriptor in characteristic['descriptors']], 'no CCCD')
    return f'{len(services)} services'


@case()
def values_of_bluez_are_read_and_written(bench):
    peer = bluez(bench)
    equal(bytes.fromhex(value(bench, peer, GAP_DEVICE_NAME)).decode(), NAME, 'the name of the device')
    equal(value(bench, peer, CHARACTERISTIC), VALUE.hex(), 'the value')
    for written in '42', 'a5' * 200:
        run(bench, 'write', peer.address, CHARACTERISTIC, written)
        equal(value(bench, peer, CHARACTERISTIC), written, 'the value read back')


@case()
def indications_of_bluez_arrive(bench):
    peer = bluez(bench)
    service, = (s for s in run(bench, 'gatt', peer.address).of('service') if s['uuid'] == SERVICE)
    command = bench.start('notify', peer.address, SERVICE_CHANGED, '--count', '2', '--timeout', '60', adapter='hci0')
    bench.wait_captured(WRITE_RESPONSE, 'the subscription')
    peer.change_table()
    command.finish(0)
    handles = service['handle'].to_bytes(2, 'little') + service['end_handle'].to_bytes(2, 'little')
    equal([n['value'] for n in command.of('notification')], [handles.hex()] * 2, 'handles that changed')
    equal({n['indication'] for n in command.of('notification')}, {True}, 'indication')


@case()
def an_adapter_that_bluetoothd_has_up(bench):
    bluez(bench)
    bench.guest.run('hciconfig', 'hci0', 'up', code=None)
    told(refused(bench, 'hci0', ('--no-down', 'info')), 'hci0 is in use', 'bluetoothd runs (pid ', '`systemctl stop bluetooth`')
    run(bench, 'info')
