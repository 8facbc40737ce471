"""tshark, a third reading of all that was sent: every capture of the cases before, and no malformed frame.

Three things are malformed to tshark and right all the same; nothing else is let through:
- an include declaration without a UUID, which is the form for 128-bit services ([Vol 3] Part G, 3.2);
- the advertisers of advfarm.py that are malformed on purpose;
- the parts of advertising data that came in several reports, each of which tshark reads as if it were whole.
"""

from concurrent.futures import ThreadPoolExecutor

from advfarm import catalogue
from harness import expect, tshark
from registry import case

READ_BY_TYPE_RESPONSE = '0x09'
REPORT_OCTETS = 229  # of data in one extended advertising report
FIELDS = ('frame.number', 'btatt.opcode', 'btatt.uuid16', 'bthci_evt.bd_addr', 'bthci_evt.le_meta_subevent')
ODD_ADVERTISERS = {row.address.lower() for row in catalogue() if row.malformed or len(row.data) > REPORT_OCTETS}


@case
def captures_have_no_malformed_frame(bench):
    captures = sorted(bench.folder.glob('*.btsnoop'))
    expect(len(captures) == bench.runs_with_capture > 0,
           f'{len(captures)} captures of {bench.runs_with_capture} runs')
    with ThreadPoolExecutor(2) as pool:
        wrong = [line for lines in pool.map(malformed_frames, captures) for line in lines]
    expect(not wrong, f'{len(wrong)} malformed frames:\n  ' + '\n  '.join(wrong[:20]))
    return f'{len(captures)} captures'


def malformed_frames(capture):
    return [f'{capture.name} frame {number}: ATT {opcode or "-"}, advertiser {addresses or "-"}'
            for number, opcode, uuid, addresses, subevent in tshark(capture, '_ws.malformed', *FIELDS)
            if not (is_include(opcode, uuid) or is_odd_advertiser(addresses, subevent))]
