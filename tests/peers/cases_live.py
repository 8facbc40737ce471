"""Captures while they grow: tshark reads the pipe of `--capture -`, and the file of a program that was killed."""

import os
import random
import subprocess
import time

from harness import Failure, equal, expect, spawn, tshark
from registry import case

REMOTE_USER_TERMINATED = 0x13
SENT, RECEIVED = '0x00', '0x01'
READ_REQUEST, READ_RESPONSE, NOTIFICATION = '0x0a', '0x0b', '0x1b'  # ATT opcodes
DISCONNECTION_COMPLETE = '0x05'  # event code
FORMATS = ('btsnoop', 'pcap', 'pcapng', 'pklg')


@case
def tshark_reads_the_pipe_live_and_its_end_ends_the_session(bench):
    peer = bench.start_peer('--hr-rate', '20')
    start = peer.mark()
    ours = piped(bench, peer, 'notify', peer.address, '2a37')
    frames = live_tshark(ours, '-c', '300')  # more than it takes to subscribe
    reader_gone = time.monotonic()
    told = finish(ours, 1)
    taken = time.monotonic() - reader_gone
    equal([number for number, *_ in frames], [str(n) for n in range(1, 301)], 'frames')
    expect(NOTIFICATION in [opcode for _, _, opcode, _ in frames], 'no notification among the frames')
    equal({direction for _, direction, *_ in frames}, {SENT, RECEIVED}, 'directions')
    expect('nobody reads it any more' in told.splitlines()[-1], f'why it ended, in: {told}')
    expect(taken < 2, f'it went on for {taken:.1f} s')
    equal(peer.wait('disconnected', start=start)['reason'], REMOTE_USER_TERMINATED, 'reason that the peer saw')


@case
def a_session_on_a_pipe_is_whole(bench):
    peer = bench.peer
    ours = piped(bench, peer, 'read', peer.address, '2a19')
    frames = live_tshark(ours)
    expect('"type":"value"' in finish(ours, 0), 'no value on standard error')
    read = [direction for _, direction, opcode, _ in frames if opcode in (READ_REQUEST, READ_RESPONSE)]
    equal(read[-2:], [SENT, RECEIVED], 'directions of the request and its response')
    expect(DISCONNECTION_COMPLETE in [event for *_, event in frames], 'the end of the link is not among the frames')
    return f'{len(frames)} frames'


@case
def a_capture_of_a_killed_program_is_whole_in_every_format(bench):
    peer = bench.start_peer('--hr-rate', '2000')
    moments, frames = random.Random(5), 0
    for number in range(len(FORMATS) * 2):
        capture = bench.folder / f'{bench.test}-{number}.{FORMATS[number % len(FORMATS)]}'
        words = ['-a', bench.adapter_of(peer), '--capture', capture, 'notify', peer.address, '2a37']
        ours = spawn([bench.program, *words], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                     stderr=subprocess.DEVNULL)
        started, delay = time.monotonic(), moments.uniform(0.3, 4 if bench.slow else 2)
        while not (capture.is_file() and capture.stat().st_size) and time.monotonic() < started + 5:
            time.sleep(0.01)
        time.sleep(delay)
        ours.kill()
        ours.wait()
        frames += len(tshark(capture, 'frame', 'frame.number'))
    expect(frames > 1000, f'{frames} frames: nothing was under way')
    return f'{frames} frames'


def piped(bench, peer, *words):
    return spawn([bench.program, '-a', bench.adapter_of(peer), '--json', '--capture', '-', *words],
                 stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def live_tshark(ours, *options):
    """The frames that tshark reads from the program's standard output, until either ends."""
    reader = spawn(['tshark', '-n', '-l', '-i', '-', *options, '-T', 'fields', '-e', 'frame.number',
                    '-e', 'hci_h4.direction', '-e', 'btatt.opcode', '-e', 'bthci_evt.code'],
                   stdin=ours.stdout, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                   env={**os.environ, 'LC_ALL': 'C'})
    ours.stdout.close()  # tshark alone holds it now
    out, errors = reader.communicate(timeout=60)
    expect(reader.returncode == 0, f'tshark ended with {reader.returncode}: {errors}')
    return [line.split('\t') for line in out.splitlines()]


def finish(ours, code):
    try:
        ours.wait(10)
    except subprocess.TimeoutExpired:
        ours.kill()
        raise Failure('it did not end within 10 s of its reader') from None
    told = ours.stderr.read().decode()
    equal(ours.returncode, code, f'exit status, it told: {told}\n')
    return told
