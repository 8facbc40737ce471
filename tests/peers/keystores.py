#!/usr/bin/env python3
"""Bonds that Bumble's own key store has written become ours and Bumble's again, to the key.

    keystores.py --cli target/release/baretooth

It runs in the environment of setup.sh, whose Bumble is the judge: its `JsonKeyStore` writes a file, `baretooth bonds`
imports it into a store and exports it, and the same class reads that. A file of BlueZ is made of the same store, read by
Python's own parser of such files, and imported again.
"""

import argparse
import asyncio
import configparser
import json
import stat
import subprocess
import tempfile
from pathlib import Path

from bumble import hci
from bumble.keys import JsonKeyStore, PairingKeys

ADAPTER = '00:11:22:33:44:55'
# What Bumble calls a device with this public address.
NAMESPACE = f'{ADAPTER}/P'
LTK, CENTRAL, PERIPHERAL = bytes(range(0x10, 0x20)), bytes(range(0x20, 0x30)), bytes(range(0x30, 0x40))
IRK, CSRK = bytes(range(0x40, 0x50)), bytes(range(0x50, 0x60))
RAND = bytes([1, 2, 3, 4, 5, 6, 7, 0xf8])

SECURE = hci.Address('C0:00:00:00:00:01', hci.AddressType.RANDOM_DEVICE)
LEGACY = hci.Address('00:00:00:00:00:02', hci.AddressType.PUBLIC_DEVICE)
CLASSIC = hci.Address('00:00:00:00:00:03', hci.AddressType.PUBLIC_DEVICE)


def stored() -> dict[str, PairingKeys]:
    key = PairingKeys.Key
    secure = PairingKeys(
        address_type=SECURE.address_type, ltk=key(LTK, True), irk=key(IRK, True), csrk=key(CSRK, True))
    legacy = PairingKeys(
        address_type=LEGACY.address_type, ltk_central=key(CENTRAL, False, 0x1234, RAND),
        ltk_peripheral=key(PERIPHERAL, False, 0xfedc, bytes(8)))
    return {str(SECURE): secure, str(LEGACY): legacy}


async def write(path: Path) -> None:
    store = JsonKeyStore(NAMESPACE, str(path))
    for name, keys in stored().items():
        await store.update(name, keys)
    await store.update(str(CLASSIC), PairingKeys(link_key=PairingKeys.Key(LTK), link_key_type=4))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
    parser.add_argument('--cli', type=Path, required=True, help='the built program')
    cli = parser.parse_args().cli.resolve()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        theirs, ours, again = folder / 'theirs.json', folder / 'store', folder / 'again.json'

        def bonds(store: Path, *words: str | Path) -> list[str]:
            words = [cli, '--store', store, 'bonds', *words]
            return subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True, timeout=30).stdout.splitlines()

        asyncio.run(write(theirs))
        said = bonds(ours, '--import', theirs)
        expect(len(said), 2, 'the peer without a key for LE is left out')
        file, = ours.glob('*.json')
        expect([stat.S_IMODE(path.stat().st_mode) for path in (ours, file)], [0o700, 0o600], 'modes')
        kept = {bond['peer']: bond for bond in json.loads(file.read_text())['bonds']}
        secure, legacy = kept['C0:00:00:00:00:01/random'], kept['00:00:00:00:00:02/public']
        expect(secure['peer_ltk'], {'key': LTK.hex(), 'ediv': 0, 'rand': bytes(8).hex()}, 'Secure Connections')
        expect(secure['local_ltk'], secure['peer_ltk'], 'one key for both roles')
        expect(legacy['peer_ltk'], {'key': CENTRAL.hex(), 'ediv': 0x1234, 'rand': RAND.hex()}, 'as central')
        expect(legacy['local_ltk'], {'key': PERIPHERAL.hex(), 'ediv': 0xfedc, 'rand': bytes(8).hex()}, 'as peripheral')

        bonds(ours, '--export', again, '--format', 'bumble')
        expect(dict(asyncio.run(JsonKeyStore(NAMESPACE, str(again)).get_all())), stored(), 'as Bumble reads it')

        for address, section, kind in (SECURE, 'PeripheralLongTermKey', 'static'), (LEGACY, 'LongTermKey', 'public'):
            peer = address.to_string(with_type_qualifier=False)
            file = folder / ADAPTER / peer / 'info'
            file.parent.mkdir(parents=True)
            bonds(ours, '--export', file, '--format', 'bluez', peer)
            info = configparser.ConfigParser()
            info.read(file)
            expect(info['General']['AddressType'], kind, 'AddressType')
            ltk = LTK if address == SECURE else CENTRAL
            expect(bytes.fromhex(info[section]['Key']), ltk, section)
            if address == LEGACY:
                expect(int(info[section]['Rand']).to_bytes(8, 'little'), RAND, 'Rand')
            bonds(folder / 'from-bluez', '--import', file)
        last = folder / 'last.json'
        bonds(folder / 'from-bluez', '--export', last, '--format', 'bumble')
        expect(dict(asyncio.run(JsonKeyStore(NAMESPACE, str(last)).get_all())), stored(), 'through a file of BlueZ')
    print('key stores: 2 bonds from Bumble, as Bumble reads them again, and through the files of BlueZ')


def expect(seen: object, wanted: object, what: str) -> None:
    if seen != wanted:
        raise SystemExit(f'{what}: {seen!r} in place of {wanted!r}')


if __name__ == '__main__':
    main()
