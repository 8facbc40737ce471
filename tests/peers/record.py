"""Records the captures of `captures/` that peers take part in: a run of `baretooth` each, by its --capture.

    record.py --cli target/release/baretooth [-k WORD] [--to FOLDER]

Use record.sh, which builds the program and writes the texts too. Nothing but virtual peers is heard.
"""

import argparse
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from cases_gatt import INDICATE, LONG, OTHER
from harness import HERE, Bench, Command, expect

LIMIT = 60_000  # octets of a file


@dataclass
class Session:
    """What one capture is of: a verb with its arguments, and what the peer does meanwhile."""

    name: str  # of the file; its first word is the radio
    verb: str  # PEER is the peer's address, a name in braces the handle of that characteristic
    peer: tuple = ()  # options of peer.py
    script: str = 'peer.py'
    meanwhile: Callable = field(default=lambda peer, command: None)
    code: int = 0  # exit status


def advertise_65(name, verb):
    return Session(name, verb, script='advfarm.py')


def power_off(peer, command):
    command.wait('notification')
    peer.command('disconnect', reason=0x15)


def new_parameters(peer, command):
    command.wait('notification')
    peer.command('conn_params')
    peer.command('battery', level=42)


def indicate(peer, command):
    peer.wait('subscription', char='indicate', indicate=True, timeout=15)
    for _ in range(3):
        peer.command('indicate')


LIVELY = ('--hr-rate', '10')
SESSIONS = [
    advertise_65('bumble_scan_legacy.btsnoop', 'scan --legacy --timeout 0.3'),
    advertise_65('bumble_scan_extended.pcapng', 'scan --extended --timeout 0.3'),
    Session('bumble_read_mtu_23.btsnoop', f'read PEER {LONG}', ('--mtu', '23')),
    Session('bumble_read_mtu_247.pcap', f'read PEER {LONG}', ('--mtu', '247')),
    Session('bumble_read_mtu_517.pcapng', f'read PEER {LONG}'),
    Session('bumble_write_mtu_23.pklg', f'write PEER {{long}} {OTHER.hex()}', ('--mtu', '23')),
    Session('bumble_notify.btsnoop', 'notify PEER 2a37 2a19 --count 20', LIVELY, meanwhile=new_parameters),
    Session('bumble_remote_disconnect.pcap', 'notify PEER 2a37', LIVELY, meanwhile=power_off, code=1),
    Session('bumble_refused.pklg', 'read PEER {encrypted}', code=1),
    Session('rootcanal_scan_legacy.pcap', 'scan --legacy --timeout 1'),
    Session('rootcanal_scan_extended.btsnoop', 'scan --extended --timeout 1', ('--extended-pdus',)),
    Session('rootcanal_read_mtu_517.pklg', f'read PEER {LONG}'),
    Session('rootcanal_write_mtu_247.pcapng', f'write PEER {{long}} {OTHER.hex()}', ('--mtu', '247')),
    Session('rootcanal_indicate.pcapng', f'notify PEER {INDICATE} --count 3 --timeout 20', meanwhile=indicate),
    Session('rootcanal_remote_disconnect.btsnoop', 'notify PEER 2a37', LIVELY, meanwhile=power_off, code=1),
    Session('rootcanal_refused.pcap', 'write PEER {error} 00', code=1),
]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--cli', type=Path, required=True, help='the baretooth program')
    parser.add_argument('-k', default='', metavar='WORD', help='only files with this in the name')
    parser.add_argument('--to', type=Path, default=HERE.parent.parent / 'captures', metavar='FOLDER')
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix='baretooth-record-') as folder:
        benches = {via: Bench(via, options.cli.resolve(), Path(folder) / via) for via in ('bumble', 'rootcanal')}
        for session in SESSIONS:
            if options.k in session.name:
                record(session, benches[session.name.split('_')[0]], options.to / session.name)


def record(session, bench, capture):
    peer = bench.start_peer(*session.peer, name=session.script)
    words = [word.replace('PEER', peer.address) if word == 'PEER' else
             peer.handle(word[1:-1]) if word.startswith('{') else word for word in session.verb.split()]
    # A seed, so that our own part is the same each time and the clock of the capture starts in 1970.
    command = Command([bench.program, '-a', bench.adapter_of(peer), '--json', '--seed', '1', '--capture', capture,
                       *words], stdin=None)
    session.meanwhile(peer, command)
    command.finish(session.code)
    bench.end_test()
    octets = capture.stat().st_size
    expect(octets < LIMIT, f'{capture.name} is too large: {octets} octets')
    print(f'{capture.name:40} {octets:6} octets  {session.verb[:60]}', flush=True)


if __name__ == '__main__':
    main()
