"""The adapters of the guest: how each is plugged in, pulled, and named to `baretooth`.

What plays the hardware is the program `guest` of the package baretooth-guest; each has a line of its own to a
controller outside.
"""

from harness import expect

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
    """Hardware that a program in the guest plays, until it is pulled."""

    def __init__(self, guest, program, verb, line, spec):
        self.guest, self.program, self.verb, self.spec = guest, program, verb, spec
        self.line, self.process = guest.lines[line], None

    def plug(self, port):
        """Plugs it in if it is not, with the controller at this port behind it."""
        self.line.plug(port)
        if self.process is None or self.process.poll() is not None:
            self.process = self.guest.spawn([self.program, self.verb, f'/dev/{self.line.name}'])
            self.guest.until(self.there(), f'the appearance of {self.spec}')

    def pull(self):
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait(5)
        self.guest.until(f'! {self.there()}', f'the disappearance of {self.spec}')
        self.process = None
        self.line.unplug()


class Dongle(Played):
    """A USB dongle in software, on the kernel's host controller for USB/IP. With btusb loaded the kernel takes it."""

    def __init__(self, guest, program, line='hvc0'):
        super().__init__(guest, program, 'dongle', line, 'usb:0')

    def there(self):
        return f"grep -qi {DONGLE.split(':')[0]} /sys/bus/usb/devices/*/idVendor"

    def is_the_kernels(self):
        """A script that succeeds while btusb has it."""
        return 'ls -d /sys/bus/usb/drivers/btusb/*:1.0'


class KernelAdapter(Played):
    """An adapter of the kernel's, hciN."""

    def __init__(self, guest, program, line='hvc1', index=0):
        super().__init__(guest, program, 'vhci', line, f'hci{index}')

    def there(self):
        return f'test -d /sys/class/bluetooth/{self.spec}'

    def usable(self):
        """That the kernel can have it again."""
        self.guest.run('hciconfig', self.spec, 'up')
        expect('UP RUNNING' in self.guest.run('hciconfig', self.spec), f'the kernel has {self.spec} up')
        self.guest.run('hciconfig', self.spec, 'down')
