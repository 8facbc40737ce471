"""The guest as the driver sees it: QEMU, a way to run programs in it, and its serial lines.

QEMU is a child that dies with the driver; every wait has an end. It emulates the processor, so neither /dev/kvm nor
root is needed.
"""

import contextlib
import json
import os
import signal
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path

from harness import Failure, expect, shortened, spawn
from lines import Lines

HERE = Path(__file__).resolve().parent
BOOT_LIMIT = 240  # seconds; it takes 6 on a quiet machine
MEMORY = 1024  # MiB, most of it for the layer that takes what is written

# 16550s in the order that the kernel numbers them, behind the console; a USB serial cable, which takes any baud rate;
# and consoles of virtio, fast lines for hardware that a program in the guest plays.
UARTS, CABLE, CONSOLES = ('ttyS1', 'ttyS2'), 'ttyUSB0', ('hvc0', 'hvc1', 'hvc2')


class Guest:
    """A running guest. `out` is a folder that both sides write, under one path."""

    def __init__(self, image, out):
        self.out, self.next = Path(out).resolve(), 0
        self.running, self.lock = {}, threading.Lock()
        self.shared = {}  # what cases have started here for those that come after
        self.ready = threading.Event()
        self.console = self.out / 'console.log'
        self.out.mkdir(parents=True, exist_ok=True)
        started = time.monotonic()
        # A unix socket's path may have 107 octets: its folder is not that of the logs.
        with tempfile.TemporaryDirectory(prefix='vm-') as folder, socket.socket(socket.AF_UNIX) as listener:
            listener.bind(f'{folder}/agent.socket')
            listener.listen(1)
            self.lines = Lines([*UARTS, CABLE, *CONSOLES], Path(folder))
            with open(self.out / 'qemu.log', 'wb') as log:
                self.qemu = spawn(self.command(image, Path(folder)), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
            try:
                listener.settimeout(20)
                self.port, _ = listener.accept()
                self.lines.accept(20)
            except OSError:
                self.stop()
                raise Failure(f'QEMU does not start, see {self.out}/qemu.log') from None
        threading.Thread(target=self.listen, daemon=True).start()
        if not self.ready.wait(BOOT_LIMIT) or self.qemu.poll() is not None:
            self.stop()
            raise Failure(f'the guest did not start within {BOOT_LIMIT} s, see {self.console}')
        self.boot_seconds = time.monotonic() - started

    def command(self, image, folder):
        words = ['qemu-system-x86_64', '-accel', 'tcg,thread=multi', '-cpu', 'max', '-m', MEMORY, '-nodefaults',
                 '-no-reboot', '-display', 'none', '-monitor', 'none',
                 '-kernel', image / 'vmlinux', '-initrd', image / 'initramfs', '-append',
                 f'console=ttyS0 panic=-1 loglevel=5 nokaslr mitigations=off tsc=reliable '
                 f'AGENT={HERE}/agent.py OUT={self.out}',
                 '-device', 'isa-debug-exit,iobase=0xf4,iosize=0x04', '-device', 'virtio-rng-pci',
                 '-device', 'virtio-serial-pci,max_ports=8', '-device', 'qemu-xhci',
                 '-serial', f'file:{self.console}',
                 '-chardev', f'socket,id=agent,path={folder}/agent.socket',
                 '-device', 'virtserialport,chardev=agent,name=agent']
        for name in self.lines:
            words += ['-chardev', f'socket,id={name},path={self.lines[name].path}']
        for name in UARTS:
            words += ['-serial', f'chardev:{name}']
        words += ['-device', f'usb-serial,chardev={CABLE}']
        for name in CONSOLES:
            words += ['-device', f'virtconsole,chardev={name}']
        for tag, path, more in ('host', '/', ',readonly=on'), ('out', self.out, ''):
            words += ['-fsdev', f'local,id={tag},path={path},security_model=none,multidevs=remap{more}',
                      '-device', f'virtio-9p-pci,fsdev={tag},mount_tag={tag}']
        return words

    # --- programs in it

    def spawn(self, command, user=None, env=None, **_):
        """Starts a program; what comes back can be used like what Popen gives. Standard input is a pipe."""
        process = GuestProcess(self, self.next)
        self.next += 1
        self.running[process.id] = process
        self.send(id=process.id, run=[str(word) for word in command], user=user, env=env or {})
        return process

    def run(self, *command, timeout=20, code=0, stdin='', **options):
        """Runs a program to its end, which must be `code`; what it printed on both streams."""
        process = self.spawn(command, **options)
        printed = []
        streams = [threading.Thread(target=lambda stream=stream: printed.append(stream.read()), daemon=True)
                   for stream in (process.stdout, process.stderr)]
        for stream in streams:
            stream.start()
        process.stdin.write(stdin)
        process.stdin.close()
        words = shortened(' '.join(str(word) for word in command))
        try:
            status = process.wait(timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            raise Failure(f'`{words}` did not end within {timeout} s in the guest') from None
        for stream in streams:
            stream.join(5)
        expect(process.id is not None, f'the guest ended while `{words}` ran in it, see {self.console}')
        text = ''.join(printed)
        expect(code is None or status == code, f'`{words}` ended with {status} in the guest: {text.strip()}')
        return text

    def shell(self, script, **options):
        return self.run('/bin/sh', '-c', script, **options)

    def until(self, script, what, timeout=15):
        """Waits for a condition, a shell script that succeeds."""
        loop = f'until {script}; do sleep 0.05; done >/dev/null 2>&1'
        try:
            self.shell(loop, timeout=timeout)
        except Failure:
            raise Failure(f'{what} did not happen within {timeout} s in the guest') from None

    # --- the agent

    def send(self, **members):
        with self.lock, contextlib.suppress(OSError):
            self.port.sendall(json.dumps(members).encode() + b'\n')

    def listen(self):
        try:
            with self.port.makefile('rb') as lines:
                for line in lines:
                    self.hear(json.loads(line))
        except (OSError, ValueError):
            pass
        for process in list(self.running.values()):
            process.ended(None)
        self.ready.set()

    def hear(self, message):
        if 'ready' in message:
            self.ready.set()
            return
        process = self.running[message['id']]
        if 'exit' in message:
            del self.running[message['id']]
            process.ended(message['exit'])
        for kind in ('out', 'err'):
            if kind in message:
                process.printed(kind, message[kind])

    # --- the end

    def stop(self):
        """Ends the guest; the status that it ended with, None if it had to be killed."""
        with contextlib.suppress(OSError, AttributeError):
            self.port.shutdown(socket.SHUT_RDWR)
        self.lines.close()
        try:
            status = self.qemu.wait(10)
            return status >> 1 if status & 1 else None
        except subprocess.TimeoutExpired:
            self.qemu.kill()
            self.qemu.wait()
            return None


class GuestProcess:
    """A program in the guest, with the part of Popen's interface that the tests use."""

    def __init__(self, guest, number):
        self.guest, self.id, self.pid = guest, number, None
        self.returncode, self.over = None, threading.Event()
        self.stdin = GuestInput(guest, number)
        self.ends = {}
        for kind, name in ('out', 'stdout'), ('err', 'stderr'):
            reader, self.ends[kind] = os.pipe()
            setattr(self, name, open(reader, encoding='utf-8', errors='surrogateescape'))

    def printed(self, kind, text):
        rest = text.encode('utf-8', 'surrogateescape')
        while rest:
            rest = rest[os.write(self.ends[kind], rest):]

    def ended(self, status):
        """None: the guest has gone, and it with it."""
        if status is None:
            self.id = None
        self.returncode = -signal.SIGKILL if status is None else status
        for end in self.ends.values():
            os.close(end)
        self.over.set()

    def poll(self):
        return self.returncode

    def wait(self, timeout=None):
        if not self.over.wait(timeout):
            raise subprocess.TimeoutExpired(f'program {self.id} of the guest', timeout)
        return self.returncode

    def send_signal(self, number):
        self.guest.send(id=self.id, signal=int(number))

    def kill(self):
        self.send_signal(signal.SIGKILL)


class GuestInput:
    def __init__(self, guest, number):
        self.guest, self.number = guest, number

    def write(self, text):
        for at in range(0, len(text), 32768):
            self.guest.send(id=self.number, stdin=text[at:at + 32768])

    def flush(self):
        pass

    def close(self):
        self.guest.send(id=self.number, end=True)
