"""The serial lines of the guest, and the controllers outside that they can lead to.

The end in the guest is a tty for as long as the guest runs; which controller answers there is the choice of a case.
"""

import contextlib
import socket
import threading

from harness import Failure, expect


class Line:
    """One line: QEMU's end is a unix socket; the other is plugged into a TCP port of a peer, or into nothing."""

    def __init__(self, name, folder):
        self.name, self.path = name, folder / f'{name}.socket'
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(self.path))
        self.listener.listen(1)
        self.guest = self.controller = None
        self.port, self.heard, self.changed = None, bytearray(), threading.Condition()

    def accept(self, timeout):
        """QEMU connects when it starts."""
        self.listener.settimeout(timeout)
        self.guest, _ = self.listener.accept()
        self.listener.close()
        threading.Thread(target=self.from_guest, daemon=True).start()

    def plug(self, port):
        """Connects the line to the controller that this port of loopback makes for it; another one is taken out."""
        if self.controller is not None and self.port == port:
            return
        self.unplug()
        made = socket.create_connection(('127.0.0.1', port), timeout=5)
        made.settimeout(None)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.controller, self.port = made, port
        threading.Thread(target=self.to_guest, args=(made,), daemon=True).start()

    def unplug(self):
        """From now on nothing answers, as on a cable that was pulled: a serial line does not tell."""
        taken_out, self.controller = self.controller, None
        if taken_out is not None:
            with contextlib.suppress(OSError):
                taken_out.shutdown(socket.SHUT_RDWR)
            taken_out.close()

    def mark(self):
        with self.changed:
            return len(self.heard)

    def wait_for(self, octets, what, timeout=15, start=0):
        """Until the host in the guest has sent these octets."""
        with self.changed:
            expect(self.changed.wait_for(lambda: self.heard.find(octets, start) >= 0, timeout),
                   f'{what} was not sent within {timeout} s on {self.name}')

    def from_guest(self):
        while chunk := receive(self.guest):
            with self.changed:
                self.heard += chunk
                self.changed.notify_all()
            if (controller := self.controller) is not None:
                with contextlib.suppress(OSError):
                    controller.sendall(chunk)

    def to_guest(self, controller):
        while chunk := receive(controller):
            if self.controller is controller:
                with contextlib.suppress(OSError):
                    self.guest.sendall(chunk)
        if self.controller is controller:
            self.unplug()

    def close(self):
        self.unplug()
        if self.guest is not None:
            with contextlib.suppress(OSError):
                self.guest.shutdown(socket.SHUT_RDWR)
            self.guest.close()


def receive(connection):
    """b'' at the end, whichever way it came."""
    try:
        return connection.recv(65536)
    except OSError:
        return b''


class Lines(dict):
    """All lines of a guest, by the name of their tty."""

    def __init__(self, names, folder):
        super().__init__((name, Line(name, folder)) for name in names)

    def accept(self, timeout):
        for line in self.values():
            try:
                line.accept(timeout)
            except OSError:
                raise Failure(f'QEMU did not open the line {line.name}') from None

    def close(self):
        for line in self.values():
            line.close()
