"""Processes of the peers' tests: the peers, rootcanal, the `baretooth` program, tshark.

All are children that die with the driver, every wait has an end, and every port is a free one on loopback.
"""

import atexit
import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None)
RUNNING = []  # every child, for the end


class Failure(Exception):
    """A test's expectation that did not hold."""


def expect(condition, message):
    if not condition:
        raise Failure(message)


def equal(got, wanted, what):
    if got != wanted:
        raise Failure(f'{what}: got {shortened(got)}, expected {shortened(wanted)}')


def shortened(value):
    text = repr(value)
    return text if len(text) < 400 else f'{text[:300]}… ({len(text)} characters)'


def spawn(command, **options):
    def die_with_parent():
        LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    process = subprocess.Popen([str(word) for word in command], preexec_fn=die_with_parent, **options)
    RUNNING.append(process)
    return process


@atexit.register
def kill_all():
    for process in RUNNING:
        if process.poll() is None:
            process.kill()
            process.wait()


def free_ports(count):
    """Ports that nobody listens on; held together until all are known, so that they differ."""
    held = [socket.create_server(('127.0.0.1', 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in held]
    for one in held:
        one.close()
    return ports


class Lines:
    """The JSON lines of a child's output, read by a thread, each with the time it came."""

    def __init__(self, stream):
        self.objects, self.times, self.other = [], [], []
        self.changed, self.ended = threading.Condition(), False
        self.thread = threading.Thread(target=self.read, args=(stream,), daemon=True)
        self.thread.start()

    def read(self, stream):
        for line in stream:
            now = time.monotonic()
            try:
                parsed = json.loads(line)
            except ValueError:
                parsed = None
            with self.changed:
                if isinstance(parsed, dict):
                    self.objects.append(parsed)
                    self.times.append(now)
                elif line.strip():
                    self.other.append(line.rstrip('\n'))
                self.changed.notify_all()
        with self.changed:
            self.ended = True
            self.changed.notify_all()

    def wait(self, matches, timeout, what, start=0):
        """The first object from `start` on that matches."""
        return first(self, self.objects, matches, timeout, what, start)


def first(reader, found, matches, timeout, what, start):
    """The first of what a thread has `found`, or will, from `start` on that matches: `reader.changed` tells of more, and
    `reader.ended` that there is none."""
    deadline, at = time.monotonic() + timeout, start
    with reader.changed:
        while True:
            for one in found[at:]:
                if matches(one):
                    return one
            at = max(at, len(found))
            left = deadline - time.monotonic()
            expect(left > 0, f'{what} did not come within {timeout} s')
            expect(not reader.ended, f'the output ended before {what}')
            reader.changed.wait(left)


class JsonProcess:
    """A child that prints events, `ready` first, and takes commands."""

    def __init__(self, command, log, spawn=spawn):
        with open(log, 'ab') as errors:
            self.process = spawn(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True)
        self.lines = Lines(self.process.stdout)
        self.ready = self.wait('ready', timeout=20)

    @property
    def address(self):
        return f"{self.ready['address']}/random"

    def mark(self):
        """A place in the events; `wait(..., start=mark)` sees only what comes after it."""
        return len(self.lines.objects)

    def wait(self, event, timeout=10, start=0, **members):
        wanted = {'event': event, **members}
        return self.lines.wait(lambda found: wanted.items() <= found.items(), timeout, f'the peer\'s {wanted}', start)

    def events(self, event, start=0):
        return [found for found in self.lines.objects[start:] if found['event'] == event]

    def characteristic(self, name):
        return next(c for s in self.ready['table'] for c in s['characteristics'] if c['char'] == name)

    def handle(self, name):
        return f"0x{self.characteristic(name)['value_handle']:04x}"

    def command(self, name, within=15, **members):
        """Runs a command of the peer to its end."""
        return self.answered(name, self.begin(name, **members), within)

    def begin(self, name, **members):
        """Starts one; what `answered` then waits for."""
        start = self.mark()
        self.process.stdin.write(json.dumps({'cmd': name, **members}) + '\n')
        self.process.stdin.flush()
        return start

    def answered(self, name, start, within=15):
        answer = self.lines.wait(lambda found: found.get('cmd') == name, within, f'the answer to {name}', start)
        equal(answer['event'], 'done', f'the peer\'s command {name}: {answer}')
        return answer['result']

    def kill(self):
        self.process.kill()
        self.process.wait()


class DeviceProcess(JsonProcess):
    """Our own side, the program of the package baretooth-device."""

    def kill(self):
        """Lets it end, so that its capture is whole."""
        self.process.stdin.close()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            super().kill()


class PeerProcess(JsonProcess):
    """peer.py, central.py or advfarm.py."""

    def __init__(self, script, options, log):
        super().__init__([sys.executable, HERE / script, *options], log)


class Command:
    """One run of `baretooth`. `stdin` is a text, or several as they come."""

    def __init__(self, command, stdin, spawn=spawn):
        self.started = time.monotonic()
        self.command = ' '.join(str(word) for word in command)
        self.process = spawn(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, text=True)
        self.out, self.err = Lines(self.process.stdout), Lines(self.process.stderr)
        threading.Thread(target=self.feed, args=(stdin,), daemon=True).start()

    def feed(self, stdin):
        try:
            for text in [stdin] if isinstance(stdin, str) else stdin or []:
                self.process.stdin.write(text)
                self.process.stdin.flush()
            self.process.stdin.close()
        except BrokenPipeError:
            pass  # it ended without reading: the exit status tells

    def wait(self, kind, /, timeout=15, **members):
        """The first line of that type, and with these members."""
        wanted = {'type': kind, **members}
        return self.out.wait(lambda found: wanted.items() <= found.items(), timeout, f'{wanted} of `{self.command}`')

    def finish(self, code, timeout=30):
        """Waits for the end, which must be `code`."""
        try:
            self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise Failure(f'`{self.command}` did not end within {timeout} s\n{self.stderr}') from None
        self.seconds = time.monotonic() - self.started
        self.out.thread.join(5)
        self.err.thread.join(5)
        if self.process.returncode != code:
            raise Failure(f'`{self.command}` ended with {self.process.returncode}, expected {code}\n{self.stderr}')
        equal(self.out.other, [], f'lines on stdout of `{self.command}` that are not JSON')
        return self

    @property
    def stderr(self):
        return '\n'.join([*self.err.other, *map(json.dumps, self.err.objects)])

    @property
    def error(self):
        """The one error line."""
        errors = [found for found in self.err.objects if found.get('type') == 'error']
        equal(len(errors), 1, f'number of error lines of `{self.command}`\n{self.stderr}\n')
        return errors[0]

    def of(self, kind):
        return [found for found in self.out.objects if found.get('type') == kind]


class Bench:
    """What a test gets: a radio of one kind, a peer on it, and `baretooth` to run there."""

    spawn = staticmethod(spawn)  # what starts the program

    def __init__(self, via, program, folder, device=None):
        self.via, self.program, self.folder, self.device = via, program, folder, device
        self.slow = via == 'rootcanal'  # 45 ms a round trip
        self.peers, self.radio, self.shared, self.runs = [], None, None, 0
        self.test, self.opened = 'none', []  # opened: captures that must be there
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def peer(self):
        """The peer that tests share which leave it as they found it."""
        if self.shared is None or self.shared.process.poll() is not None:
            self.shared = self.start_peer()
        return self.shared

    @property
    def adapter(self):
        return self.adapter_of(self.peer)

    def adapter_of(self, peer):
        port = peer.ready.get('port') or self.radio.port
        return f'tcp:127.0.0.1:{port}'

    def start_peer(self, *options, name='peer.py'):
        """A peer of the test's own. On rootcanal there is one air: the shared peer is ended first."""
        if self.via == 'rootcanal':
            if self.radio is None or self.radio.process.poll() is not None:
                self.radio = Rootcanal(self.folder / 'rootcanal.log')
            if self.shared is not None:
                self.shared.kill()
                self.shared = None
            options = ('--hci', f'tcp-client:127.0.0.1:{self.radio.port}', *options)
        made = PeerProcess(name, options, self.folder / 'peers.log')
        self.peers.append(made)
        return made

    def join(self, peer):
        """Options for another one on the radio of this peer; on rootcanal all are."""
        return ['--hci', f"tcp-client:127.0.0.1:{peer.ready['port']}"] if peer.ready['port'] else []

    def start_device(self, radio, *options):
        """Our own peripheral, on the radio of this peer."""
        self.runs += 1
        capture = self.folder / self.capture_name()
        made = DeviceProcess([self.device, self.adapter_of(radio), '--capture', capture, *options],
                             self.folder / 'device.log', self.spawn)
        self.opened.append(self.capture_name())
        self.peers.append(made)
        return made

    def capture_of(self, device):
        """What one of ours has captured, whole: the device is ended, for what came last is written within a second."""
        device.kill()
        self.peers.remove(device)
        capture, = self.folder.glob(f'{self.test}-*.btsnoop')
        return capture

    def end_test(self):
        for peer in reversed(self.peers):
            if peer is not self.shared:
                peer.kill()
        self.peers = [self.shared] if self.shared else []

    def start(self, *words, adapter=None, stdin=None):
        self.runs += 1
        capture = self.folder / self.capture_name()
        store = [] if '--store' in words else ['--no-store']
        command = [self.program, '-a', adapter or self.adapter, '--json', '--capture', capture, *store, *words]
        return Command(command, stdin, self.spawn)

    def run(self, *words, code=0, adapter=None, stdin=None, timeout=30):
        done = self.start(*words, adapter=adapter, stdin=stdin).finish(code, timeout)
        if code == 0:
            self.opened.append(self.capture_name())
        return done

    def capture_name(self):
        return f'{self.test}-{self.runs:03}.btsnoop'


class Rootcanal:
    def __init__(self, log):
        for _ in range(3):  # a port can be taken between the choice and the use
            ports = free_ports(4)
            with open(log, 'ab') as output:
                self.process = spawn([HERE / 'rootcanal.sh', *ports], stdin=subprocess.DEVNULL, stdout=output,
                                     stderr=output)
            self.port = ports[0]
            if self.listening():
                return
            self.kill()
        raise Failure(f'rootcanal does not start, see {log}')

    def listening(self):
        deadline = time.monotonic() + 15
        while time.monotonic() < deadline and self.process.poll() is None:
            with open('/proc/net/tcp', encoding='ascii') as table:
                if any(f':{self.port:04X} 00000000:0000 0A ' in line for line in table):
                    return True
            time.sleep(0.05)
        return False

    def kill(self):
        self.process.kill()
        self.process.wait()


def tshark(capture, display_filter, *fields):
    """The fields of each frame that the filter keeps."""
    command = ['tshark', '-n', '-r', capture, '-Y', display_filter, '-T', 'fields', '-E', 'occurrence=a']
    for field in fields:
        command += ['-e', field]
    environment = {**os.environ, 'LC_ALL': 'C'}
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=120,
                          env=environment, check=False)
    expect(done.returncode == 0, f'tshark cannot read {capture}: {done.stderr.strip()}')
    return [line.split('\t') for line in done.stdout.splitlines()]
