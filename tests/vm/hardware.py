"""The adapters of the guest: how each is plugged in, pulled, and named to `baretooth`.

What plays the hardware is the program `guest` of the package baretooth-guest; each has a line of its own to a
controller outside.
"""

from harness import Lines, expect

DONGLE = '1209:0001'  # vendor and product that the software dongle has


class Serial:
    """A serial port is always there; what can be pulled is the controller at its end."""

    def __init__(self, guest, line, spec):
        self.guest, self.line, self.spec = guest, guest.lines[line], spec

    def plug(self, port):
        self.line.plug(port)

    def pull(self):
        self.line.unplug()


class Played:
    """Hardware that a program in the guest plays, until it is pulled. It leads to a controller outside by a line of its
    own, and says in its first line of output what it has become."""

    def __init__(self, guest, program, verb, line):
        self.guest, self.program, self.verb = guest, program, verb
        self.line, self.process = guest.lines[line], None

    def plug(self, port):
        """Plugs it in if it is not, with the controller at this port behind it."""
        self.line.plug(port)
        if self.process is None or self.process.poll() is not None:
            self.prepare()
            self.process = self.guest.spawn([self.program, self.verb, f'uart:/dev/{self.line.name},115200'])
            self.printed, self.told = Lines(self.process.stdout), Lines(self.process.stderr)
            with self.printed.changed:
                self.printed.changed.wait_for(lambda: self.printed.other or self.printed.ended, 15)
            expect(self.printed.other, f'{self.verb} does not start: {self.told.other}')
            self.guest.until(self.there(), f'the appearance of {self.spec}')

    def prepare(self):
        pass

    def pull(self):
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait(5)
            self.guest.until(f'! {self.there()}', f'the disappearance of {self.spec}')
        self.process = None


class Dongle(Played):
    """A USB dongle in software, on the kernel's host controller for USB/IP."""

    spec = 'usb:0'

    def __init__(self, guest, program, line='hvc0', driver=True):
        super().__init__(guest, program, 'dongle', line)
        self.driver = driver

    def prepare(self):
        self.guest.run('modprobe', *([] if self.driver else ['-r']), 'btusb')

    def there(self):
        return self.is_the_kernels() if self.driver else f"grep -qi {DONGLE.split(':')[0]} /sys/bus/usb/devices/*/idVendor"

    def is_the_kernels(self):
        """A script that succeeds while btusb has it, and the kernel an adapter of it."""
        return 'ls -d /sys/bus/usb/drivers/btusb/*:1.0/bluetooth/hci*'

    def settle(self):
        """Until the kernel has set its adapter up, if it has one."""
        if self.driver:
            self.guest.until('hciconfig | grep -A2 USB | grep -q DOWN', 'the end of the set-up of the dongle')

    def usable(self):
        """That the kernel has it again, if it had it before."""
        if self.driver:
            self.guest.until(self.is_the_kernels(), 'the return of the dongle to btusb', timeout=5)


class KernelAdapter(Played):
    """An adapter of the kernel's, hciN."""

    def __init__(self, guest, program, line='hvc1'):
        super().__init__(guest, program, 'vhci', line)

    @property
    def spec(self):
        return self.printed.other[0].split()[0]

    def settle(self):
        """Until the kernel has set it up and, as nobody wants it, down again."""
        self.guest.until(f'hciconfig {self.spec} | grep -q DOWN', f'the end of the set-up of {self.spec}')

    def there(self):
        return f'test -d /sys/class/bluetooth/{self.spec}'

    def usable(self):
        """That the kernel can have it again."""
        self.guest.run('hciconfig', self.spec, 'up')
        expect('UP RUNNING' in self.guest.run('hciconfig', self.spec), f'the kernel has {self.spec} up')
        self.guest.run('hciconfig', self.spec, 'down')
