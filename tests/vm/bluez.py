"""BlueZ as the peer: bluetoothd is the host of a second controller of the kernel, and may be a GATT server on it.

Both controllers are btvirt's, on one air. The server's table is made with bluetoothctl, whose prompts are answered here.
"""

import configparser
import os
import re
import threading

from harness import Failure

SERVICE = '12345678-1234-5678-1234-56789abcdef0'
CHARACTERISTIC = '12345678-1234-5678-1234-56789abcdef1'
PROTECTED = {f'{CHARACTERISTIC[:-1]}2': 'encrypt-read', f'{CHARACTERISTIC[:-1]}3': 'encrypt-authenticated-read'}
NAME = 'kernel-peer'
VALUE = bytes(range(200))  # at the start; no longer one is taken
PLUGINS_OUT = 'a2dp,avrcp,midi,bap,vcp,sap,input,hog'
READY = 'test -d /sys/class/bluetooth/hci1 && hciconfig hci0 | grep -q AA:01 && hciconfig hci1 | grep -q AA:01'


class Controllers:
    """btvirt's: hci0 for us, hci1 for BlueZ, LE only, with legacy advertising."""

    def __init__(self, guest, attempts=3):
        self.process = guest.spawn(['/usr/bin/btvirt', '-L', '-l2'])
        try:
            # The kernel waits 2 s for an answer, which btvirt misses on a machine that is busy: then it never asks again.
            guest.until(READY, 'the set-up of the two controllers', timeout=8)
        except Failure:
            if attempts == 1:
                raise
            self.process.kill()
            guest.until('! test -d /sys/class/bluetooth/hci0', 'the end of btvirt')
            self.__init__(guest, attempts - 1)
        self.addresses = [re.search('BD Address: (\\S+)', guest.run('hciconfig', name))[1] for name in ('hci0', 'hci1')]


class BlueZ:
    """As a server (`serve`), with `protected` characteristics if wanted, or only as a host that can connect."""

    def __init__(self, guest, address, serving=True, protected=False):
        self.guest, self.address = guest, f'{address}/public'
        guest.shell('mkdir -p /run/dbus /var/lib/bluetooth && dbus-daemon --system --fork --nopidfile')
        log = guest.out / 'bluetoothd.log'
        self.daemon = guest.spawn(['/bin/sh', '-c', f'exec /usr/libexec/bluetooth/bluetoothd -n --noplugin={PLUGINS_OUT} '
                                                    f'>{log} 2>&1'])
        guest.until('busctl --system status org.bluez || dbus-send --system --print-reply --dest=org.bluez / '
                    'org.freedesktop.DBus.Peer.Ping', 'the start of bluetoothd', timeout=30)
        self.control = Conversation(guest)
        self.control.say('', f'Controller {address}')
        self.control.say(f'select {address}', '')
        self.control.say('power on', 'Changing power on succeeded')
        if serving:
            self.serve(PROTECTED if protected else {})

    def serve(self, protected):
        say = self.control.say
        say(f'system-alias {NAME}', f'Changing {NAME} succeeded')
        say('menu gatt', 'Menu gatt')
        say(f'register-service {SERVICE}', '(yes/no):')
        say('yes', '#')
        say(f'register-characteristic {CHARACTERISTIC} read,write,notify', 'value:')
        say(' '.join(f'0x{octet:02x}' for octet in VALUE), '#')
        for uuid, flag in protected.items():
            say(f'register-characteristic {uuid} {flag}', 'value:')
            say(' '.join(f'0x{octet:02x}' for octet in flag.encode()), '#')
        say('register-application', 'Application registered')
        say('back', 'Menu main')
        say('discoverable on', 'Changing discoverable on succeeded')
        say('advertise on', 'Advertising object registered')

    def agent(self, capability):
        """What bluetoothctl can show and ask for from now on, when a pairing needs it."""
        say = self.control.say
        say('pairable on', 'Changing pairable on succeeded')
        say('agent off', 'Agent unregistered')
        say(f'agent {capability}', 'Agent registered')
        say('default-agent', 'Default agent request successful')

    def keys(self, peer):
        """The keys that it keeps for this address: `LongTermKey` came from the peer, `PeripheralLongTermKey` is its own,
        or that of both by Secure Connections."""
        adapter = self.address.split('/')[0]
        read = configparser.ConfigParser()
        read.read_string(self.guest.run('cat', f'/var/lib/bluetooth/{adapter}/{peer}/info'))
        return {section: dict(read[section]) for section in read.sections() if section.endswith('Key')}

    def change_table(self):
        """Takes the service out and puts it in again; who subscribed to Service Changed hears of both."""
        self.control.say('menu gatt', 'Menu gatt')
        self.control.say('unregister-application', 'Application unregistered')
        self.control.say('register-application', 'Application registered')
        self.control.say('back', 'Menu main')


class Conversation:
    """bluetoothctl on pipes. Its prompts end without a newline."""

    def __init__(self, guest):
        self.process = guest.spawn(['bluetoothctl'])
        self.text, self.changed = '', threading.Condition()
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        descriptor = self.process.stdout.fileno()
        while chunk := os.read(descriptor, 65536):
            with self.changed:
                self.text += re.sub(r'\x1b\[[0-9;]*[A-Za-z]|[\x01\x02\r]', '', chunk.decode(errors='replace'))
                self.changed.notify_all()

    def mark(self):
        """A place in what it has said."""
        with self.changed:
            return len(self.text)

    def find(self, pattern, start, timeout=30):
        """The first match in what it says from there on."""
        with self.changed:
            self.changed.wait_for(lambda: re.search(pattern, self.text[start:]), timeout)
            found = re.search(pattern, self.text[start:])
            if not found:
                raise Failure(f'bluetoothctl did not say {pattern!r} within {timeout} s: {self.text[start:]}')
            return found

    def type(self, line):
        """The answer to a question of its."""
        self.process.stdin.write(line + '\n')

    def say(self, line, wanted, timeout=20):
        """Types a line, if there is one; returns what came since, when `wanted` is in it."""
        with self.changed:
            start = len(self.text) if line else 0
        if line:
            self.process.stdin.write(line + '\n')
        with self.changed:
            found = self.changed.wait_for(lambda: wanted in self.text[start:], timeout)
            if not found:
                raise Failure(f'bluetoothctl did not answer {line!r} with {wanted!r}: {self.text[start:]}')
            return self.text[start:]
