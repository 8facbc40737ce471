"""What a case gets: `baretooth` in a guest, with an adapter of one kind, and a Bumble peer outside behind it.

It can do what the bench of the peers' tests can, so their cases run here too.
"""

import time

from harness import Bench, Command, equal, expect
from hardware import Dongle, KernelAdapter, Serial

PROGRAM = '/usr/local/bin/baretooth'  # where the guest has its copy: all users may run that, and it may get capabilities
HARDWARE = '/usr/local/bin/baretooth-guest'
DEVICE = '/usr/local/bin/baretooth-device'
KINDS = {
    'ttyS1': lambda guest: Serial(guest, 'ttyS1', 'uart:/dev/ttyS1,115200,rtscts'),
    'ttyUSB0': lambda guest: Serial(guest, 'ttyUSB0', 'uart:/dev/ttyUSB0,3000000'),
    'usb': lambda guest: Dongle(guest, HARDWARE),
    'bare': lambda guest: Dongle(guest, HARDWARE, line='hvc2', driver=False),  # without btusb
    'hci': lambda guest: KernelAdapter(guest, HARDWARE),
    'guest': lambda guest: None,  # a case that has its own hardware, or none
}
CASES = []  # (function, kind, group): the cases of a group share a guest


def case(*kinds):
    """A case that runs once for each of these adapters; `@case()`: it sees to its own."""
    def register(function):
        CASES.extend((function, kind, function.__module__) for kind in kinds or ['guest'])
        return function
    return register


class GuestBench(Bench):
    def __init__(self, guest, kind, folder):
        super().__init__('bumble', PROGRAM, folder)
        self.slow = True  # an emulated processor
        self.guest, self.kind, self.hardware = guest, kind, KINDS[kind](guest)

    def spawn(self, command, **options):
        return self.guest.spawn(command, **options)

    def close(self):
        for peer in self.peers:
            peer.kill()

    @property
    def spec(self):
        return self.hardware.spec

    def plug(self):
        """Sees that the adapter is plugged in, with the shared peer's radio behind it."""
        return self.adapter_of(self.peer)

    def adapter_of(self, peer):
        """The adapter, with this peer's radio behind it."""
        self.hardware.plug(peer.ready['port'])
        return self.spec

    def wait_captured(self, octets, what, timeout=20):
        """Until the capture of the program that was started last has these octets."""
        capture, deadline = self.folder / self.capture_name(), time.monotonic() + timeout
        while not (capture.is_file() and octets in capture.read_bytes()):
            expect(time.monotonic() < deadline, f'{what} did not come within {timeout} s')
            time.sleep(0.05)

    def start_alone(self, *words, **options):
        """Without an adapter or a capture. `options` are those of `Guest.spawn`."""
        return Command([PROGRAM, '--json', *words], None, lambda command, **_: self.guest.spawn(command, **options))

    def run_alone(self, *words, code=0, timeout=30, **options):
        done = self.start_alone(*words, **options).finish(code, timeout)
        equal(done.err.other if code == 0 else [], [], f'what `{done.command}` told')
        return done
