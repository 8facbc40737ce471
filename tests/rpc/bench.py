"""What a case gets: programs `rpc` on a radio of one kind, and something of every kind to talk to there.

`sim` is the virtual radio with its demo devices, and for a second side another `rpc`; `bumble` has the peers of
tests/peers. What a case looks for is found by its name in `DEVICES` and `UUIDS`, so most cases run on both.
"""

import itertools
import shutil

from client import Rpc
from harness import Bench, Command, equal

HR_STRAP, THERMOMETER, ECHO, BEACON, KEY_FINDER, DOOR_LOCK = (f'C0:BA:E7:70:00:{n:02X}' for n in range(1, 7))
PEER, CENTRAL = 'F0:F1:F2:F3:F4:F5', 'E0:E1:E2:E3:E4:E5'
NOBODY = 'C0:00:00:00:00:99'


def assigned(number):
    return f'{number:08x}-0000-1000-8000-00805f9b34fb'


# What a thing is called, by radio: who has it, and its UUID.
THINGS = {
    'sim': {
        'battery': (HR_STRAP, assigned(0x2A19)), 'heart_rate': (HR_STRAP, assigned(0x2A37)),
        'long': (THERMOMETER, 'ba8e7007-0001-4000-8000-000000000001'),
        'refused': (THERMOMETER, 'ba8e7007-0001-4000-8000-000000000002'),
        'indicate': (THERMOMETER, assigned(0x2A1C)),
        'echo': (ECHO, '6e400002-b5a3-f393-e0a9-e50e24dcca9e'),
        'echoed': (ECHO, '6e400003-b5a3-f393-e0a9-e50e24dcca9e'),
        'encrypted': (KEY_FINDER, assigned(0x2A06)),
        'authenticated': (DOOR_LOCK, 'ba8e7007-0002-4000-8000-000000000001'),
    },
    'bumble': {
        name: (PEER, uuid) for name, uuid in {
            'battery': assigned(0x2A19), 'heart_rate': assigned(0x2A37),
            **{name: f'7e57{number:04x}-a5c0-4b1e-8f00-b0b5c0ffee01' for name, number in {
                'long': 0x0100, 'encrypted': 0x0101, 'authenticated': 0x0102, 'indicate': 0x0103, 'refused': 0x0106,
                'slow': 0x0107, 'sink': 0x0109, 'sink_stats': 0x010A, 'empty': 0x010C}.items()},
            'echo': '6e400002-b5a3-f393-e0a9-e50e24dcca9e', 'echoed': '6e400003-b5a3-f393-e0a9-e50e24dcca9e'}.items()},
}


class RpcBench(Bench):
    def __init__(self, via, program, folder, schema):
        super().__init__(via, program, folder)
        self.schema, self.programs, self.radio_of_two = schema, [], None
        self.driven, self.numbers = set(), itertools.count(1)

    # --- programs

    def rpc(self, *words, adapter=None, store=False, seed=1):
        """One with an adapter of its own, and a place for its bonds if `store`. Two on one radio need two seeds, which
        are where their keys come from."""
        name = f'{self.test}-{next(self.numbers)}'
        capture, bonds = self.folder / f'{name}.btsnoop', self.folder / f'{name}-store'
        shutil.rmtree(bonds, ignore_errors=True)  # of an earlier run
        bonds = ['--store', bonds] if store else ['--no-store']
        adapter = adapter or ('sim' if self.via == 'sim' else self.adapter)
        command = [self.program, 'rpc', '-a', adapter, '--seed', seed, '--capture', capture, *bonds, *words]
        made = Rpc(command, self.schema, self.folder / 'rpc.log')
        made.capture = capture
        self.programs.append(made)
        return made

    def two(self, **options):
        """Two programs on one virtual radio."""
        adapters = enumerate(self.adapters_of_two(), 1)
        return [self.rpc(adapter=adapter, seed=seed, **options) for seed, adapter in adapters]

    def adapters_of_two(self):
        paths = [self.folder / f'{self.test}-{next(self.numbers)}.socket' for _ in range(2)]
        listening = [word for path in paths for word in ('--listen', f'unix-server:{path}')]
        self.radio_of_two = Command([self.program, '--json', '--seed', 1, 'sim', *listening], stdin=None)
        self.peers.append(self)
        return [self.radio_of_two.wait('listening', listen=f'unix-server:{path}')['adapter'] for path in paths]

    def kill(self):
        """Of the virtual radio that two programs share; the end of a case asks for it as for a peer's."""
        self.radio_of_two.process.kill()
        self.radio_of_two.process.wait()

    def judged(self, case):
        """The case, and the transcripts of all programs that it has left running."""
        def run(bench):
            remark = case(bench)
            for program in bench.programs:
                if not program.finished:
                    program.finish()
            return remark
        run.__name__ = case.__name__
        return run

    def end_test(self):
        for program in self.programs:
            self.driven |= {message['method'] for _, message in program.sent if self.answered_well(program, message)}
            self.driven |= {line['method'] for line in program.lines if 'method' in line}
            if program.process.poll() is None:
                program.process.kill()
                program.process.wait()
        self.programs = []
        super().end_test()

    @staticmethod
    def answered_well(program, message):
        return 'id' not in message or 'result' in program.answers.get(message['id'], {})

    # --- things

    def link(self, thing, rpc=None, **options):
        """A link to what has this thing, on a program of its own if none is given."""
        address, _ = THINGS[self.via][thing]
        return Link(self, rpc or self.rpc(), address, **options)

    def uuid(self, thing):
        return THINGS[self.via][thing][1]


class Link:
    def __init__(self, bench, rpc, address, **options):
        self.bench, self.rpc, self.address = bench, rpc, address
        self.mark = rpc.mark()
        self.told = rpc.call('connect', address=address, address_type='random', **options)
        self.number, self.found = self.told['connection'], None

    def send(self, method, /, **params):
        return self.rpc.send(method, connection=self.number, **params)

    def call(self, method, /, timeout=15, **params):
        return self.rpc.call(method, timeout, connection=self.number, **params)

    def refused(self, method, kind, /, within=15, **params):
        return self.rpc.refused(method, kind, within, connection=self.number, **params)

    def wait(self, told, /, timeout=10, start=None, **members):
        start = self.mark if start is None else start
        return self.rpc.wait(told, timeout, start, connection=self.number, **members)

    def handle(self, thing):
        """Of its value."""
        if self.found is None:
            self.found = self.call('gatt.discover')['services']
        wanted = self.bench.uuid(thing)
        return next(c['value_handle'] for s in self.found for c in s['characteristics'] if c['uuid'] == wanted)

    def read(self, thing):
        return self.call('gatt.read', handle=self.handle(thing))['value']

    def disconnect(self):
        equal(self.call('disconnect'), {}, 'the answer of disconnect')
        return self.wait('disconnected')
