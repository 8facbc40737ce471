"""`decode --live`: what the kernel's monitor channel tells of the sessions of others."""

from bench import PROGRAM, case
from harness import equal, expect

INTERRUPTED = 130
SIGINT = 2


@case('hci')
def a_session_is_heard_as_it_was_and_kept(bench):
    adapter = bench.adapter
    kept = bench.folder / 'heard.btsnoop'
    listener = bench.start_alone('--capture', kept, 'decode', '--live')
    listener.wait('packet')
    bench.run('info', adapter=adapter)
    own = bench.folder / bench.capture_name()
    listener.out.wait(lambda found: 'Close Index' in found.get('text', ''), 15, 'the end of the session')
    listener.process.send_signal(SIGINT)
    listener.finish(INTERRUPTED, timeout=5)
    passed = packets(bench.run_alone('decode', own))
    heard = packets(listener)
    expect(len(passed) >= 20, f'a session has more packets than {len(passed)}')
    start = heard.index(passed[0])
    equal(heard[start:start + len(passed)], passed, 'packets that were heard')
    again = bench.run_alone('decode', kept).of('packet')
    equal([found['text'] for found in again], [found['text'] for found in listener.of('packet')], 'records that were kept')
    equal({found['adapter'] for found in again if 'adapter' in found}, {0}, 'adapters')
    return f'{len(passed)} packets'


def packets(command):
    """Which way each HCI packet went, and all its fields as text."""
    return [(found['direction'], found['text']) for found in command.of('packet') if 'direction' in found]


@case('hci')
def nobody_listens_without_the_capability(bench):
    message = bench.start_alone('decode', '--live', user=65534).finish(1).error['message']
    for part in 'no permission to use monitor:', 'CAP_NET_RAW', f'setcap cap_net_raw+ep {PROGRAM}':
        expect(part in message, f'{part!r} in: {message}')
