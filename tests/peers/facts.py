#!/usr/bin/env python3
"""What a capture holds, counted by tshark, beside what `baretooth stats --json` says: equal key by key.

    facts.py --cli target/release/baretooth [--facts FOLDER] [--write FOLDER] [FILE...]

FILE: captures to compare; all of captures/ if none is given. A file that holds no HCI must be refused.
--facts: tshark's counts of an earlier time, FOLDER/NAME.json, must be those of today too.
--write: leaves tshark's counts there, in that form.

Where tshark is the one that is wrong, a row of TSHARK_IS_WRONG says why, takes its words out of its counts, and is
printed for each capture that it was needed for. Python's own library only; tshark is run without a network.
"""

import argparse
import collections
import json
import shutil
import subprocess
import sys
from pathlib import Path

from harness import Failure, tshark

CAPTURES = Path(__file__).resolve().parents[2] / 'captures'
SUFFIXES = {'.btsnoop', '.cfa', '.log', '.pcap', '.pcapng', '.pklg'}

ADVERTISING_SUBEVENTS = {0x02, 0x0b, 0x0d, 0x0f}
CONNECTION_SUBEVENTS = {0x01, 0x0a, 0x29}
CONNECTION_COMPLETE, DISCONNECTION_COMPLETE, COMMAND_COMPLETE, COMMAND_STATUS, LE_META = 0x03, 0x05, 0x0e, 0x0f, 0x3e
DIAGNOSTIC_HANDLES = {0xedc, 0xff1}

FIELDS = (
    'frame.protocols', 'bthci_cmd.opcode', 'bthci_evt.code', 'bthci_evt.le_meta_subevent', 'bthci_evt.opcode',
    'bthci_evt.status', 'bthci_evt.bd_addr', 'bthci_evt.reason', 'bthci_evt.connection_handle', 'bthci_acl.chandle',
    'bthci_acl.pb_flag', 'btl2cap.cid', 'btl2cap.cmd_code', 'btatt.opcode', 'btatt.error_code', 'btsmp.opcode')
ABOVE_HCI = ('btl2cap.cid', 'btl2cap.cmd_code', 'btatt.opcode', 'btatt.error_code', 'btsmp.opcode')
LAYERS = {'bthci_cmd': 'command', 'bthci_evt': 'event', 'bthci_acl': 'acl', 'bthci_sco': 'sco', 'bthci_iso': 'iso'}
CARRIERS = ('hci_h1', 'hci_h4', 'hci_mon', 'packetlogger')  # what stands below them in a capture of HCI


def main():
    options = parse()
    if shutil.which('tshark') is None:
        sys.exit('facts.py: tshark is not installed: apt-get install tshark')
    files = options.file or sorted(path for path in CAPTURES.iterdir() if path.suffix in SUFFIXES)
    if not files:
        sys.exit(f'facts.py: no capture in {CAPTURES}')
    differ = sum(not compare(options, path) for path in files)
    print(f'{len(files) - differ} equal, {differ} differ')
    sys.exit(1 if differ else 0)


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('file', type=Path, nargs='*', metavar='FILE')
    parser.add_argument('--cli', type=Path, required=True, help='the baretooth program')
    parser.add_argument('--facts', type=Path, metavar='FOLDER')
    parser.add_argument('--write', type=Path, metavar='FOLDER')
    return parser.parse_args()


def compare(options, path):
    """Prints how a capture compares; whether it is equal."""
    try:
        frames = read(path)
        problems, remarks = [], []
        if not is_hci(frames):
            problems += refusal_problems(options.cli, path)
            remarks.append('holds no HCI')
        else:
            of_tshark = count(frames)
            problems += stored_differences(options.facts, path, of_tshark)
            if options.write:
                options.write.mkdir(parents=True, exist_ok=True)
                (options.write / f'{path.name}.json').write_text(json.dumps({'tshark': of_tshark}, indent=1) + '\n')
            remarks += correct(frames)
            problems += differences('stats', statistics(options.cli, path), 'tshark', count(frames))
            remarks.insert(0, f'{of_tshark["packets"]} records')
    except Failure as failure:
        problems, remarks = [str(failure)], []
    print(f"{'DIFFERS' if problems else 'equal  '} {path.name}  ({'; '.join(remarks)})")
    for problem in problems:
        print(f'        {problem}')
    return not problems


# --- where tshark is wrong


def on_diagnostic_handle(frame, connected):
    handle = first(frame, 'bthci_acl.chandle')
    return handle in DIAGNOSTIC_HANDLES and handle not in connected


# Each row: why; which frames, with the handles that are connected then; the fields that are nonsense in them.
TSHARK_IS_WRONG = (
    ('ACL data on 0xEDC or 0xFF1, where no link is: the traces of a controller, read as L2CAP by tshark',
     on_diagnostic_handle, ABOVE_HCI),
)


def correct(frames):
    """Takes out of the frames what tshark is wrong about. A remark for each reason that was needed."""
    needed, connected = collections.Counter(), set()
    for frame in frames:
        follow_links(frame, connected)
        for reason, applies, fields in TSHARK_IS_WRONG:
            if applies(frame, connected) and any(frame[field] for field in fields):
                needed[reason] += 1
                frame.update((field, []) for field in fields)
    return [f'tshark is wrong about {number} frames: {reason}' for reason, number in needed.items()]


def follow_links(frame, connected):
    code, status = first(frame, 'bthci_evt.code'), first(frame, 'bthci_evt.status')
    handle = first(frame, 'bthci_evt.connection_handle')
    subevent = first(frame, 'bthci_evt.le_meta_subevent')
    if status != 0 or handle is None:
        return
    if code == DISCONNECTION_COMPLETE:
        connected.discard(handle)
    elif code == CONNECTION_COMPLETE or code == LE_META and subevent in CONNECTION_SUBEVENTS:
        connected.add(handle)


# --- counting


def read(path):
    """Each frame as its fields, each a list of texts."""
    rows = tshark(path, 'frame', *FIELDS)
    return [{field: [text for text in cell.split(',') if text] for field, cell in zip(FIELDS, row, strict=True)}
            for row in rows]


def is_hci(frames):
    return not frames or any(set(layers(frame)) & {*LAYERS, *CARRIERS} for frame in frames)


def layers(frame):
    return [layer for text in frame['frame.protocols'] for layer in text.split(':')]


def number(text):
    try:
        return int(text, 0)
    except ValueError:
        return None


def numbers(frame, field):
    return [value for value in map(number, frame[field]) if value is not None]


def first(frame, field):
    return next(iter(numbers(frame, field)), None)


def count(frames):
    """The counts, with the keys and forms of `stats --json`."""
    tallies, advertisers = collections.defaultdict(collections.Counter), set()
    reports = connections = failures = 0

    def add(key, form, values):
        tallies[key].update(form.format(value) for value in values if value is not None)

    for frame in frames:
        kinds = [kind for layer, kind in LAYERS.items() if layer in layers(frame)]
        tallies['hci_packet_types'][kinds[0] if kinds else 'other'] += 1
        code, subevent = first(frame, 'bthci_evt.code'), first(frame, 'bthci_evt.le_meta_subevent')
        add('command_opcodes', '0x{:04x}', [first(frame, 'bthci_cmd.opcode')])
        add('event_codes', '0x{:02x}', [code])
        add('le_meta_subevents', '0x{:02x}', [subevent])
        for event, key in (COMMAND_COMPLETE, 'command_complete_opcodes'), (COMMAND_STATUS, 'command_status_opcodes'):
            if code == event:
                add(key, '0x{:04x}', [first(frame, 'bthci_evt.opcode')])
        if code == DISCONNECTION_COMPLETE:
            add('disconnect_reasons', '0x{:02x}', [first(frame, 'bthci_evt.reason')])
        if code == LE_META and subevent in ADVERTISING_SUBEVENTS:
            reports += len(frame['bthci_evt.bd_addr'])
            advertisers.update(frame['bthci_evt.bd_addr'])
        if code == LE_META and subevent in CONNECTION_SUBEVENTS:
            succeeded = first(frame, 'bthci_evt.status') == 0
            connections += succeeded
            failures += not succeeded
        add('acl_pb_flags', '{}', [first(frame, 'bthci_acl.pb_flag')])
        add('l2cap_cids', '0x{:04x}', [first(frame, 'btl2cap.cid')])
        add('l2cap_signalling_codes', '0x{:02x}', numbers(frame, 'btl2cap.cmd_code'))
        add('att_opcodes', '0x{:02x}', [first(frame, 'btatt.opcode')])
        add('att_error_codes', '0x{:02x}', numbers(frame, 'btatt.error_code'))
        add('smp_opcodes', '0x{:02x}', [first(frame, 'btsmp.opcode')])
    return {'packets': len(frames), **{key: dict(sorted(tallies[key].items())) for key in TALLIES},
            'adv_reports_with_address': reports, 'distinct_advertisers': len(advertisers),
            'le_connections': connections, 'le_connections_failed': failures}


TALLIES = (
    'hci_packet_types', 'event_codes', 'le_meta_subevents', 'command_opcodes', 'command_complete_opcodes',
    'command_status_opcodes', 'disconnect_reasons', 'acl_pb_flags', 'l2cap_cids', 'l2cap_signalling_codes', 'att_opcodes',
    'att_error_codes', 'smp_opcodes')


# --- comparing


def baretooth(program, path):
    command = [str(program), 'stats', str(path), '--json']
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Failure(f'{" ".join(command)}: {error}') from error


def statistics(program, path):
    done = baretooth(program, path)
    if done.returncode != 0:
        raise Failure(f'stats ended with {done.returncode}: {done.stderr.strip()}')
    try:
        return json.loads(done.stdout)
    except ValueError as error:
        raise Failure(f'stats printed no JSON: {done.stdout[:200]!r}') from error


def refusal_problems(program, path):
    done = baretooth(program, path)
    if done.returncode != 1 or done.stdout or not done.stderr.strip():
        return [f'not refused: exit status {done.returncode}, {done.stdout[:200]!r}']
    return []


def stored_differences(folder, path, of_tshark):
    if folder is None:
        return []
    file = folder / f'{path.name}.json'
    if not file.is_file():
        return [f'{folder} has no facts of it']
    return differences('stored facts', json.loads(file.read_text())['tshark'], 'tshark today', of_tshark)


def differences(this, ours, that, theirs):
    """A line for each count of `theirs` that is another in `ours`."""
    lines = []
    for key, expected in theirs.items():
        got = ours.get(key)
        if not isinstance(expected, dict):
            got, expected = {'': got}, {'': expected}
        elif not isinstance(got, dict):
            lines.append(f'{key}: {this} has {got!r}')
            continue
        for entry in sorted({*got, *expected}):
            if got.get(entry, 0) != expected.get(entry, 0):
                name = f'{key} {entry}'.strip()
                lines.append(f'{name}: {this} {got.get(entry, 0)}, {that} {expected.get(entry, 0)}')
    return lines


if __name__ == '__main__':
    main()
