"""Runs programs in the guest for the driver outside. The first process of the guest once `init` has made its root, and
its child; the machine's own Python runs it, as root.

One JSON object per line, both ways, over a virtio serial port. From the driver, each with the `id` that it chose:
    {"id", "run": [words], "user": number or null, "env": {}}   {"id", "signal": number}
    {"id", "stdin": text}   {"id", "end": true}, the end of its input
To the driver: {"id", "out": text} {"id", "err": text} {"id", "exit": status}; octets that are no UTF-8 come as
surrogates. The end of the port is the end of the guest.
"""

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

PORT_NAME = 'agent'
DEBUG_EXIT = 0xf4  # the port of QEMU's isa-debug-exit
# Loaded before anything waits for them. btusb is for the cases to load.
MODULES = 'drbg algif_hash algif_skcipher cmac ecb bluetooth hci_vhci vhci-hcd xhci-pci ftdi_sio'.split()
GRACE = 2  # seconds for the output of a program that has ended and left a child with its pipes


def main():
    agent, status = os.fork(), 0
    if agent == 0:
        subprocess.run(['modprobe', '-a', *MODULES], check=False)
        sys.exit(serve())
    # The first process is the parent of all whose own parent has gone, and has to bury them.
    ended = None
    while ended != agent:
        ended, status = os.wait()
    os.sync()
    with open('/dev/port', 'wb', buffering=0) as ports:
        ports.seek(DEBUG_EXIT)
        ports.write(bytes([os.waitstatus_to_exitcode(status) & 0x7F]))


def serve():
    """Until the driver closes the port; the status that the guest ends with."""
    print('the agent is up', time.monotonic(), flush=True)
    port = os.open(find_port(), os.O_RDWR | os.O_CLOEXEC)  # which can be opened once only
    agent, rest = Agent(port), b''
    agent.send(ready=True)
    while chunk := os.read(port, 65536):
        *lines, rest = (rest + chunk).split(b'\n')
        for line in lines:
            agent.obey(json.loads(line))
    return 0


def find_port():
    for name in Path('/sys/class/virtio-ports').glob('*/name'):
        if name.read_text().strip() == PORT_NAME:
            return f'/dev/{name.parent.name}'
    sys.exit('agent: there is no port of that name')


class Agent:
    def __init__(self, port):
        self.port, self.lock, self.running = port, threading.Lock(), {}

    def send(self, **members):
        line = json.dumps(members).encode() + b'\n'
        with self.lock:
            while line:
                line = line[os.write(self.port, line):]

    def obey(self, command):
        number = command['id']
        if 'run' in command:
            self.run(number, command)
            return
        process = self.running.get(number)
        if process is None:
            return  # it ended meanwhile
        try:
            if 'signal' in command:
                process.send_signal(command['signal'])
            elif 'stdin' in command:
                process.stdin.write(command['stdin'].encode('utf-8', 'surrogateescape'))
            else:
                process.stdin.close()
        except (BrokenPipeError, ValueError):
            pass  # it reads no more

    def run(self, number, command):
        user = command.get('user')
        identity = {} if user is None else {'user': user, 'group': user, 'extra_groups': []}
        # What root keeps at home is nobody else's, and keys there are not to be read.
        home = {} if user is None else {'HOME': '/nonexistent'}
        try:
            process = subprocess.Popen(command['run'], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0,
                                       stderr=subprocess.PIPE, env={**os.environ, **home, **command.get('env', {})},
                                       cwd='/root' if user is None else '/', **identity)
        except OSError as error:
            self.send(id=number, err=f'{command["run"][0]}: {error.strerror}\n')
            self.send(id=number, exit=127)
            return
        self.running[number] = process
        threading.Thread(target=self.follow, args=(number, process), daemon=True).start()

    def follow(self, number, process):
        readers = [threading.Thread(target=self.pump, args=(number, kind, stream), daemon=True)
                   for kind, stream in (('out', process.stdout), ('err', process.stderr))]
        for reader in readers:
            reader.start()
        status = process.wait()
        for reader in readers:
            reader.join(GRACE)
        del self.running[number]
        self.send(id=number, exit=status)

    def pump(self, number, kind, stream):
        while chunk := stream.read(65536):
            self.send(**{'id': number, kind: chunk.decode('utf-8', 'surrogateescape')})


if __name__ == '__main__':
    main()
