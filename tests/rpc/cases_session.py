"""`ready`, `info`, `configure`, and what is no request at all: JSON-RPC's own errors, and never an end."""

import json

from harness import equal, expect
from registry import case

PARSE, INVALID_REQUEST, NO_METHOD, INVALID_PARAMS = -32700, -32600, -32601, -32602
MIB = 1 << 20
INFO = {'id': 'x', 'method': 'info'}


def code_of(rpc, octets, id=None):
    """The code of the error that answers these octets."""
    start = rpc.mark()
    rpc.raw(octets, id and {'id': id, 'method': 'info'})
    found = rpc.wait_for(
        lambda line: 'method' not in line and line['id'] == id, 20, f'an answer to {octets[:60]!r}', start)
    expect('error' in found, f'{octets[:60]!r} is answered by {found}')
    return found['error']['code']


def request(**members):
    return json.dumps({'jsonrpc': '2.0', 'id': 'x', **members}).encode() + b'\n'


@case
def the_first_line_is_ready_and_has_all_of_info(bench):
    rpc = bench.rpc()
    info = rpc.call('info')
    equal(rpc.ready['protocol'], 1, 'protocol')
    equal({name: rpc.ready.get(name) for name in info}, info, 'what ready has of info')
    expect(info['acl']['length'] >= 27 and info['acl']['count'] >= 1, f"buffers: {info['acl']}")
    return f"{rpc.ready['version']}, {len(info['features'])} features"


@case(via='sim')
def an_id_is_a_number_or_a_text_and_comes_back_as_it_was(bench):
    rpc = bench.rpc()
    for id in 0, -7, 2 ** 53, 'a text', '', 'ü \u2028 "':
        rpc.write([{'jsonrpc': '2.0', 'id': id, 'method': 'info'}])
        expect('result' in rpc.answer(id), f'the answer to {id!r}')
        expect(type(rpc.answer(id)['id']) is type(id), f'the type of {id!r}')


@case(via='sim')
def a_request_without_an_id_is_done_and_not_answered(bench):
    rpc = bench.rpc()
    rpc.raw(b'{"jsonrpc":"2.0","method":"scan.start"}\n')
    rpc.wait('scan.report')
    expect(all('method' in line for line in rpc.lines), 'there is an answer')


@case
def configure_takes_what_it_knows(bench):
    rpc = bench.rpc()
    for params in (
            {}, {'name': 'Judge'}, {'io': 'keyboard-display'}, {'mitm': True}, {'bond': False},
            {'secure_connections': 'only'}, {'secure_connections': False}, {'min_key_size': 16},
            {'initiator_keys': ['ltk', 'irk'], 'responder_keys': []}, {'identity': 'public'}, {'identity': 'random'},
            {'ask': True}, {'mtu': 23}, {'mtu': None, 'ask': None},
            {'io': 'no-input-no-output', 'mitm': False, 'bond': True, 'secure_connections': True, 'ask': False}):
        equal(rpc.call('configure', **params), {}, f'configure {params}')


@case(via='sim')
def what_is_no_request_is_an_error_of_json_rpc(bench):
    rpc = bench.rpc()
    for octets, code, id in (
            (b'hello\n', PARSE, None), (b'{"jsonrpc":"2.0",\n', PARSE, None), (b'\xff\xfe{}\n', PARSE, None),
            (b'{"jsonrpc":"2.0","id":1,"method":"info\x00"}\n', PARSE, None),
            (b'{"jsonrpc":"2.0","id":"x","method":"\xc3\x28"}\n', PARSE, None),
            (b'[' * 100_000 + b'\n', PARSE, None),
            (b'42\n', INVALID_REQUEST, None), (b'null\n', INVALID_REQUEST, None), (b'[]\n', INVALID_REQUEST, None),
            (b'[' + request(method='info').strip() + b']\n', INVALID_REQUEST, None),
            (b'{"id":"x","method":"info"}\n', INVALID_REQUEST, 'x'),
            (b'{"jsonrpc":"1.0","id":"x","method":"info"}\n', INVALID_REQUEST, 'x'),
            (request(method=7), INVALID_REQUEST, 'x'), (request(), INVALID_REQUEST, 'x'),
            (request(method='info', id=[1]), INVALID_REQUEST, None),
            (request(method='info', id=True), INVALID_REQUEST, None),
            (request(method='nothing'), NO_METHOD, 'x'), (request(method=''), NO_METHOD, 'x'),
            (request(method='scan.report'), NO_METHOD, 'x'), (request(method='INFO'), NO_METHOD, 'x')):
        equal(code_of(rpc, octets, id), code, f'the answer to {octets[:60]!r}')
    expect('address' in rpc.call('info'), 'it goes on')


@case(via='sim')
def what_no_method_takes_is_refused_as_the_schema_does(bench):
    rpc = bench.rpc()
    for method, params in (
            ('info', {'all': True}), ('scan.start', {'passive': True}), ('scan.start', {'active': 'yes'}),
            ('scan.start', {'phys': ['3M']}), ('scan.start', {'own_address_type': 'static'}), ('scan.stop', {}),
            ('connect', {}), ('connect', {'address': 'C0:BA:E7:70:00:01'}),
            ('connect', {'address': 'C0:BA:E7:70:00', 'address_type': 'random'}),
            ('connect', {'address': 'C0:BA:E7:70:00:01', 'address_type': 'resolvable'}),
            ('gatt.read', {'connection': 1}), ('gatt.read', {'connection': 1, 'handle': '0x0021'}),
            ('gatt.read', {'connection': 1, 'handle': 65536}), ('gatt.read', {'connection': -1, 'handle': 3}),
            ('gatt.read', {'connection': 1, 'handle': 3.5}),
            ('gatt.write', {'connection': 1, 'handle': 3, 'value': 'abc'}),
            ('gatt.write', {'connection': 1, 'handle': 3, 'value': 'zz'}),
            ('gatt.write', {'connection': 1, 'handle': 3, 'value': [1]}),
            ('gatt.discover', {'connection': 1, 'services': ['heart']}),
            ('configure', {'io': 'keyboard'}), ('configure', {'secure_connections': 'yes'}),
            ('configure', {'min_key_size': 256}), ('configure', {'mtu': -1}), ('pairing.reply', {'request': 1}),
            ('advertise.start', {'data': '020106', 'name': 'x'}), ('server.set', {}),
            ('server.set', {'services': [{'uuid': assigned_service(), 'colour': 'red'}]})):
        expect(bench.schema.refusal(method, params), f'the schema takes {method} {params}')
        equal(code_of(rpc, request(method=method, params=params), 'x'), INVALID_PARAMS, f'{method} {params}')
    by_position = request(method='connect', params=['C0:BA:E7:70:00:01'])
    equal(code_of(rpc, by_position, 'x'), INVALID_PARAMS, 'params by position')
    expect('address' in rpc.call('info'), 'it goes on')


def assigned_service():
    return '0000180f-0000-1000-8000-00805f9b34fb'


@case(via='sim')
def empty_lines_and_ends_of_lines_of_other_systems_are_nothing(bench):
    rpc = bench.rpc()
    rpc.raw(b'\n\r\n  \n')
    rpc.raw(request(method='info').replace(b'\n', b'\r\n'), INFO)
    expect('result' in rpc.answer('x'), 'the answer')
    equal(len(rpc.lines), 2, 'lines')


@case(via='sim')
def a_line_of_any_length_is_skipped_in_bounded_memory(bench):
    rpc = bench.rpc()
    rpc.call('info')
    before = rpc.memory()
    for octets in 10 * MIB, 64 * MIB:
        start = rpc.mark()
        rpc.raw(b'{"jsonrpc":"2.0","id":1,"method":"')
        for _ in range(octets // MIB):
            rpc.raw(b'x' * MIB)
        rpc.raw(b'"}\n')
        found = rpc.wait_for(lambda line: 'error' in line, 30, 'an error', start)
        expect(found['error']['code'] in (PARSE, INVALID_REQUEST), f'{found}')
        expect('address' in rpc.call('info'), 'it goes on')
    grown = rpc.memory() - before
    expect(grown < 8 * MIB, f'it grew by {grown // 1024} KiB')
    return f'{grown // 1024} KiB more'


@case(via='sim')
def a_line_that_comes_in_pieces_is_one_line(bench):
    rpc = bench.rpc()
    rpc.raw(b'', INFO)
    for octet in request(method='info'):
        rpc.raw(bytes([octet]))
    expect('result' in rpc.answer('x'), 'the answer')
