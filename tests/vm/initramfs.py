"""Writes an initramfs: busybox, `init`, the modules asked for and those that they need.

The archive is cpio's "newc" format, written here: neither cpio nor root is needed. It is not compressed, which would
cost the emulated processor more than it saves.
"""

import os
import stat
import subprocess

FOLDERS = 'proc sys dev run bin sbin host rw root out'.split()


def write(path, busybox, init, modules, wanted):
    """`modules`: the folder lib/modules/VERSION that depmod has been over."""
    archive = Archive()
    for folder in FOLDERS:
        archive.folder(folder)
    archive.add('dev/console', stat.S_IFCHR | 0o600, device=(5, 1))
    archive.add('dev/null', stat.S_IFCHR | 0o666, device=(1, 3))
    archive.file('init', init, 0o755)
    archive.file('bin/busybox', busybox, 0o755)
    for applet in subprocess.run([busybox, '--list'], stdout=subprocess.PIPE, text=True, check=True).stdout.split():
        archive.link(f'bin/{applet}', 'busybox')
    needs = dependencies(modules)
    chosen = closure(needs, wanted)
    root = f'lib/modules/{modules.name}'
    for module in chosen:
        archive.file(f'{root}/{module}', modules / module, 0o644)
    archive.text(f'{root}/modules.dep', ''.join(f"{module}: {' '.join(needs[module])}\n" for module in chosen))
    for index in modules.glob('modules.*'):
        if index.suffix != '.dep':  # busybox would read its 2 MB; kmod has them as modules.dep.bin
            archive.file(f'{root}/{index.name}', index, 0o644)
    path.write_bytes(archive.finish())


def name_of(module):
    return os.path.basename(module).split('.ko')[0].replace('-', '_')


def dependencies(modules):
    lines = (line.split(':') for line in (modules / 'modules.dep').read_text().splitlines())
    return {module: needed.split() for module, needed in lines}


def closure(needs, wanted):
    """The files of these modules and of what they need. Kernels differ in what is a module at all: one that is not
    here is built in, or missed by the first case that loads it."""
    by_name = {name_of(module): module for module in needs}
    chosen = {}
    for name in (name_of(word) for word in wanted):
        if name in by_name:
            chosen.update(dict.fromkeys([by_name[name], *needs[by_name[name]]]))
    return list(chosen)


class Archive:
    def __init__(self):
        self.octets, self.names = bytearray(), set()

    def folder(self, name):
        self.add(name, stat.S_IFDIR | 0o755)

    def link(self, name, target):
        self.add(name, stat.S_IFLNK | 0o777, target.encode())

    def file(self, name, path, mode):
        self.add(name, stat.S_IFREG | mode, path.read_bytes())

    def text(self, name, text):
        self.add(name, stat.S_IFREG | 0o644, text.encode())

    def add(self, name, mode, data=b'', device=(0, 0)):
        """A member, and the folders above it."""
        if name in self.names:
            return
        if os.path.dirname(name):
            self.folder(os.path.dirname(name))
        self.names.add(name)
        self.member(name, mode, data, device)

    def member(self, name, mode, data, device):
        named = name.encode() + b'\0'
        #         inode            mode  uid gid links mtime size       device on  its own        name         check
        header = (len(self.names), mode, 0, 0, 1, 0, len(data), 0, 0, *device, len(named), 0)
        self.octets += b'070701' + b''.join(b'%08X' % number for number in header) + named
        self.pad(4)
        self.octets += data
        self.pad(4)

    def finish(self):
        self.member('TRAILER!!!', 0, b'', (0, 0))
        self.pad(512)
        return self.octets

    def pad(self, unit):
        self.octets += b'\0' * (-len(self.octets) % unit)
