"""Enhanced ATT bearers between our own peripheral and Bumble, in the clear: Bumble asks for no more."""

from cases_peripheral import Judged
from harness import equal
from registry import case


@case
def the_peer_reads_on_five_bearers_at_once(bench):
    judged = Judged(bench, '--eatt').connect(247)
    names = ['slow', 'battery', 'slow', 'battery', 'slow']
    values = [bytes.fromhex(value) for value in judged.command('bearers', handles=[judged.handle(n) for n in names])]
    battery = judged.read('battery')
    equal(values, [battery if name == 'battery' else b'slow-ok' for name in names], 'values by bearer')


@case
def we_read_on_five_bearers_of_the_peer_at_once(bench):
    judged = Judged(bench, '--eatt', central=('--eatt',)).connect(247)
    start = judged.device.mark()
    judged.write('control', b'\x0c\x05')
    done = judged.device.wait('bearers', start=start, timeout=30)
    equal(done['opened'], 5, 'bearers that we opened')
    equal(done['names'], ['Central'] * 6, 'the name read on each bearer')


@case
def bearers_are_refused_where_they_are_off(bench):
    judged = Judged(bench, central=('--eatt',)).connect(23)
    start = judged.device.mark()
    judged.write('control', b'\x0c\x01')
    judged.device.wait('failed', start=start)
