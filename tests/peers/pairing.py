"""How the peers pair: Bumble's Security Manager, with the modes that a test chooses from, repaired where it is weak.

A mode names what this side does (`sc-passkey-entry`: it types), so the other side has the mode of the other end. What
happens is told by the events `prompt`, `paired`, `pairing_failed`, `encrypted`, `encryption_failed`, `key_asked` and
`security_requested`. Keys, confirmation values and random numbers are octets in the order of the air.
"""

import asyncio
import os
import secrets

from bumble import core, crypto, hci, smp
from bumble.pairing import PairingConfig, PairingDelegate
from bumble.smp import OobContext, OobLegacyContext, OobSharedData, PairingMethod
from jsonlines import emit

IO = PairingDelegate.IoCapability
MODES = {  # Secure Connections, protection from a man in the middle, input and output
    'legacy-justworks': (False, False, IO.NO_OUTPUT_NO_INPUT),
    'legacy-passkey-display': (False, True, IO.DISPLAY_OUTPUT_ONLY),
    'legacy-passkey-entry': (False, True, IO.KEYBOARD_INPUT_ONLY),
    'legacy-oob': (False, True, IO.NO_OUTPUT_NO_INPUT),
    'sc-justworks': (True, False, IO.NO_OUTPUT_NO_INPUT),
    'sc-numeric': (True, True, IO.DISPLAY_OUTPUT_AND_YES_NO_INPUT),
    'sc-passkey-display': (True, True, IO.DISPLAY_OUTPUT_ONLY),
    'sc-passkey-entry': (True, True, IO.KEYBOARD_INPUT_ONLY),
    'sc-oob': (True, True, IO.NO_OUTPUT_NO_INPUT),
    'keyboard-display': (True, True, IO.DISPLAY_OUTPUT_AND_KEYBOARD_INPUT),
}
METHODS = {PairingMethod.JUST_WORKS: 'just_works', PairingMethod.NUMERIC_COMPARISON: 'numeric_comparison',
           PairingMethod.PASSKEY: 'passkey_entry', PairingMethod.OOB: 'oob'}
KEYS = {'enc': smp.KeyDistribution.ENC_KEY, 'id': smp.KeyDistribution.ID_KEY, 'sign': smp.KeyDistribution.SIGN_KEY,
        'link': smp.KeyDistribution.LINK_KEY}


def pairing_options(parser):
    """What `Security` reads."""
    parser.add_argument('--pairing', choices=['none', *MODES], default='none', help='what this side does; none: refuses')
    parser.add_argument('--passkey', type=int, help='shown, or typed; without it a random one is shown, and the command '
                                                    'answer types it')
    parser.add_argument('--answer', choices=['yes', 'no', 'ask'], default='yes', help='to the numbers, or to the request')
    parser.add_argument('--no-bond', action='store_true')
    parser.add_argument('--keys', default='enc,id', help=f"distributed each way: {','.join(KEYS)}")
    parser.add_argument('--key-size', type=int, default=16, help='the most octets that a key has')
    parser.add_argument('--irk', default=os.urandom(16).hex(), help='of this side')
    parser.add_argument('--rpa', action='store_true', help='a resolvable private address on the air')
    parser.add_argument('--oob-tk', default='00112233445566778899aabbccddeeff', help='of legacy-oob')
    parser.add_argument('--debug-key', action='store_true', help='the key pair that everybody knows')


def privacy(options):
    """The part of Bumble's configuration that depends on them."""
    return dict(irk=bytes.fromhex(options.irk), le_privacy_enabled=options.rpa, le_rpa_timeout=0)


class Security:
    """Pairing of one device, and the bonds that it makes."""

    def __init__(self, options):
        self.options = options
        self.bonds = {}  # by identity address, as in the event `paired`
        self.awaited = None  # the answer that a prompt waits for
        self.oob, self.their_oob = OobContext(), None

    def attach(self, device):
        self.device, manager = device, device.smp_manager
        device.pairing_config_factory = self.config
        manager.session_proxy = lambda *words, **more: Session(self, *words, **more)
        manager.debug_mode = self.options.debug_key
        manager.on_pairing = self.paired
        device.host.long_term_key_provider = self.long_term_key

    def watch(self, connection):
        """Tells what becomes of this link."""
        connection.protected = False
        connection.on('connection_encryption_change', lambda: emit('encrypted'))
        connection.on('connection_encryption_key_refresh', lambda: emit('encrypted', refreshed=True))
        connection.on('connection_encryption_failure', lambda error: emit('encryption_failed', error=int(error)))
        connection.on('security_request', lambda flags: emit('security_requested', flags=int(flags)))

    def config(self, _=None):
        options = self.options
        secure, mitm, io = MODES[options.pairing] if options.pairing != 'none' else MODES['sc-justworks']
        keys = 0
        for name in [] if options.no_bond else options.keys.split(','):
            keys |= KEYS[name]
        oob = None
        if options.pairing == 'legacy-oob':
            oob = PairingConfig.OobConfig(None, None, OobLegacyContext(bytes.fromhex(options.oob_tk)))
        elif options.pairing == 'sc-oob':
            oob = PairingConfig.OobConfig(self.oob, self.their_oob, None)
        return PairingConfig(sc=secure, mitm=mitm, bonding=not options.no_bond, oob=oob,
                             delegate=Delegate(self, io, keys), identity_address_type=PairingConfig.AddressType.RANDOM)

    async def answer(self):
        self.awaited = asyncio.get_running_loop().create_future()
        return await self.awaited

    async def paired(self, session, identity, keys):
        """In the place of Bumble's, which keeps the keys of those who do not want to be bonded too."""
        connection = session.connection
        connection.protected = session.pairing_method != PairingMethod.JUST_WORKS
        if session.bonding:
            await self.device.update_keys(str(identity), keys)
            self.bonds[identity.to_string(False)] = session.told(identity)
        self.device.on_pairing(connection, identity, keys, session.sc)
        emit('paired', **session.told(identity))

    async def long_term_key(self, handle, rand, ediv):
        """By EDIV and Rand; Bumble looks up the key of the other role when it is a peripheral of legacy pairing."""
        connection, session = self.device.lookup_connection(handle), self.device.smp_manager.sessions.get(handle)
        key = session.long_term_key(rand, ediv) if session else None
        bond = self.bonds.get(connection.peer_address.to_string(False))
        if key is None and bond is not None:
            keys, first = bond['keys'], 'ltk' if bond['secure_connections'] else 'local_ltk'
            named = (keys.get('local_ediv', 0), bytes.fromhex(keys.get('local_rand', '00' * 8)))
            if first in keys and named == (ediv, rand):
                key, connection.protected = bytes.fromhex(keys[first]), bond['authenticated']
        emit('key_asked', ediv=ediv, rand=rand, found=key is not None)
        return key

    # --- for the commands of both

    async def pair(self, connection, seconds=40):
        """As the central; what it failed with, if it did."""
        try:
            await asyncio.wait_for(connection.pair(), seconds)
        except core.ProtocolError as error:
            return {'failed': int(error.error_code)}
        except asyncio.CancelledError:
            return {'disconnected': True}
        return {}

    async def encrypt(self, connection, seconds=10):
        """With the key of the bond; the error, if there was one."""
        # Bumble listens for the end of the link only once its controller has answered, which may be too late.
        gone = asyncio.Event()
        connection.once('disconnection', lambda reason: gone.set())
        tasks = encrypted, _ = [asyncio.ensure_future(done) for done in (connection.encrypt(), gone.wait())]
        try:
            await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            if gone.is_set():
                return {'disconnected': True}
            if not encrypted.done():
                raise TimeoutError
            await encrypted
        except hci.HCI_Error as error:
            return {'error': int(error.error_code)}
        finally:
            for task in tasks:
                task.cancel()
        connection.protected = self.bonds[connection.peer_address.to_string(False)]['authenticated']
        return {}

    def cmd_answer(self, value):
        """To the prompt that waits."""
        self.awaited.set_result(value)

    def cmd_oob(self, c=None, r=None):
        """Takes the other side's data, if they are given, and tells this side's."""
        if c:
            self.their_oob = OobSharedData(bytes.fromhex(c), bytes.fromhex(r))
        ours = self.oob.share()
        return dict(c=ours.c.hex(), r=ours.r.hex())

    def cmd_bonds(self):
        return list(self.bonds.values())

    async def cmd_forget(self):
        self.bonds.clear()
        await self.device.keystore.delete_all()

    async def cmd_spoil(self):
        """From now on this side has another key than the other for each bond."""
        for bond in self.bonds.values():
            bond['keys'] |= {name: os.urandom(16).hex() for name in ('ltk', 'local_ltk') if name in bond['keys']}
        for name, keys in await self.device.keystore.get_all():
            for key in filter(None, (keys.ltk, keys.ltk_central)):
                key.value = os.urandom(16)
            await self.device.keystore.update(name, keys)

    async def new_address(self):
        """Another resolvable address; nothing may be using the present one. Bumble's own forgets to tell the controller."""
        made = hci.Address.generate_private_address(self.device.irk)
        await self.device.send_sync_command(hci.HCI_LE_Set_Random_Address_Command(random_address=made))
        self.device.random_address = made
        return made.to_string(False)


class Delegate(PairingDelegate):
    """Asks whoever drives this side, or answers as the options say."""

    def __init__(self, security, io, keys):
        size = security.options.key_size
        super().__init__(io, keys, keys, size)
        self.security, self.options = security, security.options

    async def accept(self):
        return self.options.pairing != 'none'

    async def consent(self, kind, **members):
        emit('prompt', kind=kind, **members)
        return await self.security.answer() if self.options.answer == 'ask' else self.options.answer == 'yes'

    async def confirm(self, auto=False):
        return await self.consent('consent')

    async def compare_numbers(self, number, digits):
        return await self.consent('confirm_number', number=f'{number:06}')

    async def get_number(self):
        emit('prompt', kind='enter_passkey')
        if self.options.passkey is not None:
            return self.options.passkey
        return int(await self.security.answer())

    async def generate_passkey(self):
        # Bumble cannot pair with the passkey 0.
        return secrets.randbelow(999_999) + 1 if self.options.passkey is None else self.options.passkey

    async def display_number(self, number, digits=6):
        emit('prompt', kind='display_passkey', passkey=f'{number:06}')


class Session(smp.Session):
    """One pairing, with what Bumble leaves out: a random EDIV and Rand with a legacy key, keys no longer than agreed on,
    a signature key that is not zero, a second pairing on a link, and a bond with who hangs up at once."""

    def __init__(self, security, manager, *words, **more):
        self.security = security
        self.local_csrk = os.urandom(16)
        super().__init__(manager, *words, **more)
        self.ltk_ediv, self.ltk_rand = int.from_bytes(os.urandom(2), 'little'), os.urandom(8)

    def __setattr__(self, name, value):
        if name in ('ltk', 'stk') and value is not None:
            value = value[:self.key_size] + bytes(16 - self.key_size)
        super().__setattr__(name, value)

    @property
    def key_size(self):
        return min(self.preq[4], self.pres[4])

    def long_term_key(self, rand, ediv):
        """Of the pairing in progress: both are 0 for it; or of what was distributed on this link."""
        if (ediv, rand) == (0, bytes(8)):
            return getattr(self, 'ltk', None) if self.sc else self.stk
        return self.ltk if self.completed and (ediv, rand) == (self.ltk_ediv, self.ltk_rand) else None

    def told(self, identity):
        """What was agreed on: the keys are `ltk`, that both have or the other side distributed, `local_ltk`, `irk`, ..."""
        ours, theirs = self.initiator_key_distribution, self.responder_key_distribution
        if not self.is_initiator:
            ours, theirs = theirs, ours
        keys = dict(irk=self.peer_identity_resolving_key, csrk=self.peer_signature_key)
        if self.sc:
            keys |= dict(ltk=self.ltk, ediv=0, rand=bytes(8))
        else:
            keys |= dict(ltk=self.peer_ltk, ediv=self.peer_ediv, rand=self.peer_rand)
            if ours & smp.KeyDistribution.ENC_KEY:
                keys |= dict(local_ltk=self.ltk, local_ediv=self.ltk_ediv, local_rand=self.ltk_rand)
        if ours & smp.KeyDistribution.ID_KEY:
            keys |= dict(local_irk=self.manager.device.irk)
        if ours & smp.KeyDistribution.SIGN_KEY:
            keys |= dict(local_csrk=self.local_csrk)
        return dict(
            address=identity.to_string(False), address_type='public' if identity.is_public else 'random',
            method=METHODS[self.pairing_method], secure_connections=bool(self.sc), key_size=self.key_size,
            authenticated=self.pairing_method != PairingMethod.JUST_WORKS, bonded=bool(self.bonding),
            keys={name: value if isinstance(value, int) else bytes(value).hex()
                  for name, value in keys.items() if value is not None})

    def send_command(self, command):
        if isinstance(command, smp.SMP_Signing_Information_Command):
            command = smp.SMP_Signing_Information_Command(signature_key=self.local_csrk)
        super().send_command(command)

    def send_pairing_failed(self, error):
        self.told_failure = True
        super().send_pairing_failed(error)

    def on_pairing_failure(self, reason):
        emit('pairing_failed', reason=int(reason), by='this' if hasattr(self, 'told_failure') else 'other')
        super().on_pairing_failure(reason)

    def on_peer_key_distribution_complete(self):
        """All keys are here; Bumble forgets them when the link ends in this moment."""
        if self.is_initiator:
            self.distribute_keys()
        self.finishing = asyncio.ensure_future(self.on_pairing())

    def on_smp_pairing_request_command(self, command):
        if self.completed:
            self.on_disconnection(0)  # ends it for the manager, which makes another
            self.manager.on_smp_pdu(self.connection, bytes(command))
        else:
            super().on_smp_pairing_request_command(command)
