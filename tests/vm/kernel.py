"""The kernel of the guest: Debian's own, fetched as a package and unpacked, never installed.

`prepare()` gives a folder with `vmlinux` and `initramfs`, in the cache of the tests. It is made once, in a folder of
another name that is renamed when it is whole: a build that was killed leaves nothing that looks finished.
"""

import fcntl
import hashlib
import lzma
import os
import platform
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import time
import zlib
from pathlib import Path

import initramfs

HERE = Path(__file__).resolve().parent
CACHE = Path(os.environ.get('BARETOOTH_TEST_CACHE')
             or Path(os.environ.get('XDG_CACHE_HOME') or Path.home() / '.cache') / 'baretooth-tests')

# What the guest loads, now or in a case; what these need comes with them. drbg: without it bluetooth's self-test of
# ECDH fails and Secure Connections are gone from the kernel.
MODULES = """
    virtio_pci virtio_console virtio_rng 9pnet_virtio 9p overlay
    drbg jitterentropy_rng sha512_generic ctr ccm af_alg algif_hash algif_skcipher cmac ecb ecdh_generic hmac sha256_generic
    bluetooth hci_vhci hci_uart btusb rfcomm bnep hidp uhid
    vhci-hcd usbmon xhci-pci xhci-hcd usbserial ftdi_sio
""".split()


class Missing(Exception):
    """What is needed and cannot be had, with what to do about it."""


def prepare():
    """The folder with `vmlinux` and `initramfs`; made now if it is not there."""
    if platform.machine() != 'x86_64' or shutil.which('apt-get') is None:
        raise Missing('the guest is made of Debian packages for x86-64: this system has none')
    CACHE.mkdir(parents=True, exist_ok=True)
    with open(CACHE / 'vm.lock', 'w', encoding='ascii') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # one build at a time, the others take what it made
        made = sorted(CACHE.glob(f'vm-*-{recipe()}'), key=lambda folder: folder.stat().st_mtime)
        return made[-1] if made else build()


def recipe():
    """Stands for everything of ours that the folder depends on."""
    digest = hashlib.sha256()
    for file in ('kernel.py', 'initramfs.py', 'init'):
        digest.update((HERE / file).read_bytes())
    return digest.hexdigest()[:8]


def build():
    for half_made in CACHE.glob('vm-building-*'):
        shutil.rmtree(half_made)
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix='vm-building-', dir=CACHE) as folder:
        folder = Path(folder)
        version = kernel_package().removeprefix('linux-image-')
        print(f'making the guest with Linux {version}', file=sys.stderr, flush=True)
        kernel = unpack(f'linux-image-{version}', folder)
        busybox = next(unpack('busybox-static', folder).rglob('bin/busybox'))
        made = folder / 'made'
        made.mkdir()
        image, = kernel.rglob(f'vmlinuz-{version}')
        (made / 'vmlinux').write_bytes(uncompressed(image.read_bytes()))
        modules, = kernel.rglob(f'lib/modules/{version}')
        # The package has no list of what needs what; depmod makes it.
        run('depmod', '--basedir', modules.parents[2], version)
        initramfs.write(made / 'initramfs', busybox, HERE / 'init', modules, MODULES)
        final = CACHE / f'vm-{version}-{recipe()}'
        made.rename(final)
    print(f'made {final} in {time.monotonic() - started:.0f} s', file=sys.stderr, flush=True)
    return final


def kernel_package():
    """The package that `linux-image-amd64` stands for today."""
    for attempt in range(2):
        listed = subprocess.run(['apt-cache', 'depends', 'linux-image-amd64'], capture_output=True, text=True, check=False)
        found = re.search(r'Depends: (linux-image-\S+-amd64)\s', listed.stdout)
        if found:
            return found[1]
        if attempt == 0:
            refresh_lists()
    raise Missing('no Debian kernel is known here: apt-get update, and look at apt-cache depends linux-image-amd64')


def unpack(package, folder):
    """Downloads a package and unpacks it into a folder of its own."""
    for attempt in range(3):
        done = subprocess.run(['apt-get', '-q', 'download', package], cwd=folder, capture_output=True, text=True,
                              check=False)
        if done.returncode == 0:
            break
        if attempt == 2:
            raise Missing(f'apt-get download {package} failed: {done.stderr.strip()}')
        refresh_lists()  # an old list names a version that the mirror has no more
    archive, = folder.glob(f'{package}_*.deb')
    run('dpkg', '-x', archive, folder / package)
    archive.unlink()
    return folder / package


def refresh_lists():
    if os.geteuid() == 0:
        subprocess.run(['apt-get', '-q', '-o', 'DPkg::Lock::Timeout=120', 'update'], stdout=subprocess.DEVNULL, check=False)


def run(*words):
    environment = {**os.environ, 'PATH': os.environ['PATH'] + ':/usr/sbin:/sbin'}
    try:
        subprocess.run([str(word) for word in words], check=True, env=environment)
    except FileNotFoundError:
        raise Missing(f'{words[0]} is not installed: apt-get install kmod dpkg') from None


def uncompressed(image):
    """The ELF file inside a bzImage: to start it saves ten seconds of decompression by an emulated processor.

    Linux/x86 boot protocol: setup_sects at 0x1f1, payload_offset at 0x248, payload_length at 0x24c.
    """
    if image[0x202:0x206] != b'HdrS':
        raise Missing('the kernel of the package is no bzImage')
    offset, length = struct.unpack_from('<II', image, 0x248)
    start = ((image[0x1f1] or 4) + 1) * 512 + offset
    payload = image[start:start + length]
    if payload.startswith(b'\xfd7zXZ\0'):
        return lzma.LZMADecompressor().decompress(payload)  # ends before the length that stands behind it
    if payload.startswith(b'\x1f\x8b'):
        return zlib.decompressobj(31).decompress(payload)
    if payload.startswith(b'\x28\xb5\x2f\xfd'):
        return subprocess.run(['zstd', '-dcq'], input=payload[:-4], stdout=subprocess.PIPE, check=True).stdout
    raise Missing(f'the kernel is compressed in a way that is not known here: {payload[:8].hex()}')


if __name__ == '__main__':
    print(prepare())
