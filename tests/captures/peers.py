#!/usr/bin/python3
"""tshark and btmon read every file that the library writes: the same packets, times, directions and octets.

The files come from the ignored test in peers.rs, each with a table of what its writer did not leave out.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

FILES = 23
FIELDS = ('frame.time_epoch', 'frame.len', 'frame.comment', 'frame.interface_name', 'hci_h4.direction',
          'hci_h1.direction', 'hci_mon.opcode', 'hci_mon.adapter_id', 'packetlogger.type')
# Of H4 indicators and directions, as each link numbers them.
MONITOR = {(1, 'sent'): 2, (4, 'received'): 3, (2, 'sent'): 4, (2, 'received'): 5, (3, 'sent'): 6, (3, 'received'): 7,
           (5, 'sent'): 18, (5, 'received'): 19}
MONITOR_NOTE = 12
PACKETLOGGER = {(1, 'sent'): 0, (4, 'received'): 1, (2, 'sent'): 2, (2, 'received'): 3, (3, 'sent'): 8,
                (3, 'received'): 9, (5, 'sent'): 12, (5, 'received'): 13}
PACKETLOGGER_NOTE = 0xFC
ENVIRONMENT = {**os.environ, 'LC_ALL': 'C', 'TZ': 'UTC'}


def main():
    for program in ('tshark', 'btmon'):
        expect(shutil.which(program), f'{program} is not installed: apt-get install tshark bluez')
    with tempfile.TemporaryDirectory() as folder:
        run('cargo', 'test', '--quiet', '-p', 'baretooth', '--test', 'captures', '--', '--exact', '--ignored',
            'peers::write_every_format', BARETOOTH_WRITE_CAPTURES=folder)
        tables = sorted(Path(folder).glob('*.tsv'))
        expect(len(tables) == FILES, f'{len(tables)} files were written, not {FILES}')
        packets = 0
        for table in tables:
            capture, rows = table.with_suffix(''), read_table(table)
            compare(capture, rows, tshark(capture))
            if capture.suffix == '.btsnoop':
                btmon(capture, rows)
            packets += len(rows)
        print(f'tshark reads {packets} records of {len(tables)} files as they were written')


def read_table(table):
    names = ('kind', 'nanos', 'direction', 'adapter', 'original', 'comments', 'data')
    return [dict(zip(names, line.split('\t'), strict=True)) for line in table.read_text().splitlines()]


def compare(capture, rows, frames):
    expect(len(frames) == len(rows), f'{capture.name}: tshark sees {len(frames)} records, {len(rows)} were written')
    link = capture.name.split('.')[0]
    for number, (row, frame) in enumerate(zip(rows, frames, strict=True), 1):
        wanted = expected(row, link, capture.suffix)
        seen = {name: frame[name] for name in wanted}
        expect(seen == wanted, f'{capture.name}, record {number}: tshark sees {seen}, written was {wanted}')


def expected(row, link, extension):
    """What tshark shows of a record: it takes off what stands before the packet in pcap, but not PacketLogger's type."""
    data, original = bytes.fromhex(row['data']), int(row['original'])
    note, key = row['kind'] == 'note', (data[0], row['direction'])
    seconds, nanos = divmod(int(row['nanos']), 10 ** 9)
    shown = {'frame.time_epoch': f'{seconds}.{nanos:09}', 'frame.comment': row['comments']}
    if link.startswith('h4'):
        # Link type 187 of pcap has no place for it.
        if (link, extension) != ('h4', '.pcap'):
            shown['hci_h4.direction'] = '0x00' if row['direction'] == 'sent' else '0x01'
    elif link == 'h1':
        shown['hci_h1.direction'] = '0' if row['direction'] == 'sent' else '1'
        data, original = data[1:], original - 1
    elif link == 'monitor':
        shown['hci_mon.opcode'] = str(MONITOR_NOTE if note else MONITOR[key])
        shown['hci_mon.adapter_id'] = '65535' if note else row['adapter'] or '0'
        data = data + b'\0' if note else data[1:]
        original += 1 if note else -1
    else:
        kind = PACKETLOGGER_NOTE if note else PACKETLOGGER[key]
        shown['packetlogger.type'] = f'0x{kind:02x}'
        data = bytes([kind]) + (data if note else data[1:])
        original = len(data)
    if extension == '.pcapng':
        shown['frame.interface_name'] = 'bluetooth-monitor' if link == 'monitor' else 'hci' + row['adapter']
    return shown | {'frame.len': str(original), 'data': data.hex()}


def tshark(capture):
    """The fields of each frame, and its octets."""
    fields = [word for field in FIELDS for word in ('-e', field)]
    lines = run('tshark', '-n', '-r', capture, '-T', 'fields', *fields).splitlines()
    frames = [dict(zip(FIELDS, line.split('\t'), strict=True)) for line in lines]
    raw = json.loads(run('tshark', '-n', '-r', capture, '-T', 'jsonraw'))
    for frame, octets in zip(frames, raw, strict=True):
        frame['data'] = octets['_source']['layers']['frame_raw'][0]
    return frames


def btmon(capture, rows):
    """btmon marks packets with their direction. Version 5.66 loses its way behind a record that was cut, for it takes
    the original length for the one in the file, and shows no ISO data."""
    cut = next(number for number, row in enumerate(rows) if int(row['original']) > len(row['data']) // 2)
    wanted = [('<' if row['direction'] == 'sent' else '>', row['adapter'])
              for row in rows[:cut] if row['data'][:2] != '05']
    packet = r'^([<>]) (?:HCI|ACL|SCO) .* #\d+(?: \[hci(\d+)\])?'
    seen = re.findall(packet, run('btmon', '-r', capture), re.MULTILINE)
    if not capture.name.startswith('monitor'):
        seen = [(arrow, '') for arrow, _ in seen]
    else:
        wanted = [(arrow, adapter or '0') for arrow, adapter in wanted]
    expect(seen[:len(wanted)] == wanted, f'{capture.name}: btmon sees {seen}, written was {wanted}')


def run(*command, **environment):
    command = [str(word) for word in command]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, env=ENVIRONMENT | environment,
                          check=False)
    expect(done.returncode == 0, f'{" ".join(command)} failed:\n{done.stdout}{done.stderr}')
    return done.stdout


def expect(holds, message):
    if not holds:
        sys.exit(f'peers.py: {message}')


if __name__ == '__main__':
    main()
