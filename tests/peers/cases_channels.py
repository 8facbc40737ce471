"""Credit-based channels between our own peripheral and Bumble: who opens, how small, how many."""

import struct

from cases_peripheral import Judged
from harness import equal, expect
from registry import case

LARGE, SMALL = 0x80, 0x81  # SPSMs that the device echoes
SPSM_NOT_SUPPORTED, NO_RESOURCES = 0x0002, 0x0004


@case
def channels_of_every_size_are_echoed(bench):
    judged, rates = Judged(bench).connect(23), []
    octets = 20_000 if bench.slow else 1_000_000
    for spsm, mtu, mps, credits, share in (
            (LARGE, 2048, 1004, 10, 1), (LARGE, 65_535, 23, 255, 0.1), (LARGE, 512, 247, 1, 0.1),
            (SMALL, 64, 23, 1, 0.002), (SMALL, 2048, 1004, 255, 0.01)):
        done = judged.command('channel_echo', psm=spsm, octets=int(octets * share), mtu=mtu, mps=mps, credits=credits)
        sizes = [2048, 1004] if spsm == LARGE else [64, 23]
        equal(done['sizes'], [sizes], 'what we said that we take')
        equal(done['equal'], [True], f'echo of {octets * share:.0f} octets, their MPS {mps}, {credits} credits')
        rates.append(octets * share / done['seconds'] / 1000)
    return ', '.join(f'{rate:.1f}' for rate in rates) + ' kB/s'


@case
def channels_that_we_open_are_echoed(bench):
    judged = Judged(bench).connect(23)
    echo, octets = judged.central.ready['echo_psm'], 2_000 if bench.slow else 20_000
    for mtu, mps, credits in (2048, 1004, 10), (23, 23, 1), (512, 64, 255):
        ours, theirs = judged.device.mark(), judged.central.mark()
        judged.write('control', b'\x09' + struct.pack('<HHHHI', echo, mtu, mps, credits, octets))
        opened = judged.central.wait('channel', start=theirs)
        equal([opened['mtu'], opened['mps'], opened['credits']], [mtu, mps, credits], 'what Bumble was told')
        done = judged.device.wait('echoed', start=ours, timeout=60)
        equal([done['mtu'], done['equal']], [512, True], f'echo, our MPS {mps}, {credits} credits')
        judged.central.wait('channel_closed', start=theirs)
    ours = judged.device.mark()
    judged.write('control', b'\x09' + struct.pack('<HHHHI', 0xF0, 64, 64, 1, 1))
    judged.device.wait('failed', start=ours)


@case
def enhanced_channels_are_opened_together(bench):
    judged = Judged(bench).connect(23)
    done = judged.command('channel_echo', psm=LARGE, octets=2_000, mtu=256, mps=64, enhanced=5)
    equal(done['equal'], [True] * 5, 'echoes')
    equal(done['sizes'], [[2048, 1004]] * 5, 'what we said that we take')


@case
def channels_are_refused_for_the_right_reason(bench):
    judged = Judged(bench).connect(23)
    equal(judged.command('channel_echo', psm=0xF0, octets=1), {'error': SPSM_NOT_SUPPORTED}, 'nobody listens')
    equal(judged.command('channel_echo', psm=LARGE, octets=100)['equal'], [True], 'echo after the refusal')


@case
def a_channel_can_be_opened_again_and_again(bench):
    judged = Judged(bench).connect(23)
    for _ in range(10 if bench.slow else 100):  # a link has 64 CIDs
        equal(judged.command('channel_echo', psm=LARGE, octets=100)['equal'], [True], 'echo')
    closed = len(judged.device.events('channel_closed'))
    expect(closed >= (10 if bench.slow else 100) - 1, f'{closed} ends that we saw')
