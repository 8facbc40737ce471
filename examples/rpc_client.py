#!/usr/bin/env python3
"""A Bluetooth application without a Bluetooth library: `baretooth rpc` and Python 3, nothing else. It scans for a
heart-rate strap, connects, reads its battery and shows three beats. docs/rpc.md has the protocol.

    rpc_client.py [PROGRAM [ADAPTER [NAME]]]
"""
import json, subprocess, sys

PROGRAM, ADAPTER, NAME = sys.argv[1:] + ['baretooth', 'sim', 'HR strap'][len(sys.argv) - 1:]
BATTERY_LEVEL, HEART_RATE = (f'0000{short}-0000-1000-8000-00805f9b34fb' for short in ('2a19', '2a37'))
rpc = subprocess.Popen([PROGRAM, '-a', ADAPTER, 'rpc'], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
early = []  # what came while something else was waited for


def wait(wanted):
    """The first line with this `method` or `id`."""
    for at, line in enumerate(early):
        if wanted.items() <= line.items():
            return early.pop(at)
    for line in map(json.loads, rpc.stdout):
        if wanted.items() <= line.items():
            return line
        early.append(line)
    sys.exit('the program has ended')


def call(id, method, **params):
    print(json.dumps({'jsonrpc': '2.0', 'id': id, 'method': method, 'params': params}), file=rpc.stdin, flush=True)
    answer = wait({'id': id})
    return answer['result'] if 'result' in answer else sys.exit(answer['error']['message'])


print('adapter', wait({'method': 'ready'})['params']['address'])
scan = call(1, 'scan.start')
while (device := wait({'method': 'scan.report'})['params'])['name'] != NAME:
    pass
call(2, 'scan.stop', **scan)
connection = call(3, 'connect', address=device['address'], address_type=device['address_type'])['connection']
services = call(4, 'gatt.discover', connection=connection)['services']
handles = {c['uuid']: c['value_handle'] for service in services for c in service['characteristics']}
print('battery', int(call(5, 'gatt.read', connection=connection, handle=handles[BATTERY_LEVEL])['value'], 16), '%')
call(6, 'gatt.subscribe', connection=connection, handle=handles[HEART_RATE])
for _ in range(3):
    print(bytes.fromhex(wait({'method': 'gatt.notification'})['params']['value'])[1], 'beats per minute')
rpc.stdin.close()  # the link goes down, and the program ends
sys.exit(rpc.wait())
