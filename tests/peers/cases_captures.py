"""tshark, a third reading of all that was sent: every capture of the cases before, and no malformed frame.

Some things are malformed to tshark and right all the same; nothing else is let through:
- an include declaration without a UUID, which is the form for 128-bit services ([Vol 3] Part G, 3.2);
- the advertisers of advfarm.py that are malformed on purpose, and requests that Bumble sends us for the errors they get;
- the parts of advertising data that came in several reports, each of which tshark reads as if it were whole.
"""

from concurrent.futures import ThreadPoolExecutor

from advfarm import catalogue
from cases_peripheral import errors_are_those_of_the_specification
from harness import expect, tshark
from registry import case

READ_BY_TYPE_RESPONSE, INCLUDE = '0x09', '0x2802'
HANDLES_ONLY = '6'  # octets of an entry: its handle, and the two of the service
REPORT_OCTETS = 229  # of data in one extended advertising report
SUFFIXES = ('.btsnoop', '.pcap', '.pcapng', '.pklg')
FIELDS = ('frame.number', 'btatt.opcode', 'btatt.uuid16', 'btatt.length', 'bthci_evt.bd_addr', 'hci_h4.direction')
RECEIVED = '0x01'
ODD_ADVERTISERS = {row.address.lower() for row in catalogue() if row.malformed or len(row.data) > REPORT_OCTETS}


@case
def captures_have_no_malformed_frame(bench):
    captures = sorted(path for path in bench.folder.iterdir() if path.suffix in SUFFIXES)
    expect(captures, 'no run left a capture')
    missing = [name for name in bench.opened if not (bench.folder / name).is_file()]
    expect(not missing, f'runs that left no capture: {missing}')
    with ThreadPoolExecutor(2) as pool:
        wrong = [line for lines in pool.map(malformed_frames, captures) for line in lines]
    expect(not wrong, f'{len(wrong)} malformed frames:\n  ' + '\n  '.join(wrong[:20]))
    return f'{len(captures)} captures'


def malformed_frames(capture):
    return [f'{capture.name} frame {number}: ATT {opcode or "-"}, advertiser {advertisers or "-"}'
            for number, opcode, uuid, length, advertisers, direction in tshark(capture, '_ws.malformed', *FIELDS)
            if not is_include_without_uuid(opcode, uuid, length) and not is_odd_advertiser(advertisers)
            and not (direction == RECEIVED and capture.name.startswith(errors_are_those_of_the_specification.__name__))]


def is_include_without_uuid(opcode, uuid, length):
    return opcode == READ_BY_TYPE_RESPONSE and set(uuid.split(',')) == {INCLUDE} and length == HANDLES_ONLY


def is_odd_advertiser(advertisers):
    return set(advertisers.split(',')) <= ODD_ADVERTISERS
