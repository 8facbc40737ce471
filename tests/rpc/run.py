"""Drives `baretooth rpc`: every method and notification, on the virtual radio and with Bumble on the other side.

    run.py --cli target/release/baretooth [--via sim|bumble] [-k WORDS] [--list] [--keep FOLDER]

Each line that comes is held to rpc/schema.json (client.py), and each transcript to the rules of rules.py. One line per
case; exit status 0 when all passed. The Python that runs it must be that of tests/peers/setup.sh.
"""

import argparse
import signal
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(1, str(HERE.parent / 'peers'))

# Each import registers its cases; this is the order of the run.
import cases_rules  # noqa: E402, F401, I001
import cases_session  # noqa: E402, F401, I001
import cases_scan  # noqa: E402, F401
import cases_links  # noqa: E402, F401
import cases_gatt  # noqa: E402, F401
import cases_security  # noqa: E402, F401
import cases_server  # noqa: E402, F401
import cases_load  # noqa: E402, F401
import cases_ends  # noqa: E402, F401
import cases_documents  # noqa: E402, F401
from bench import RpcBench  # noqa: E402
from harness import expect  # noqa: E402
from registry import add_options, check_program, chosen, conclude, passes  # noqa: E402
from schema import Schema  # noqa: E402

# What a radio cannot bring about, and why; rpc/tests/session/link.rs does, with a host in the place of a device.
OUT_OF_REACH = {
    'sim': {'parameters': 'none of its devices asks for other parameters',
            'phy': 'none of its devices asks for another PHY'},
    'bumble': {},
}


def main():
    options = parse()
    cases = chosen(options)
    folder = Path(options.keep or tempfile.mkdtemp(prefix='baretooth-rpc-')).resolve()
    schema = Schema(ROOT / 'rpc' / 'schema.json')
    benches = {via: RpcBench(via, options.cli.resolve(), folder / via, schema) for via in options.via}
    if not options.k:
        cases += [(everything_was_driven, via) for via in options.via]
    outcomes = ((f'{via} {case.__name__}', passes(benches[via].judged(case), benches[via])) for case, via in cases)
    conclude(outcomes, folder, options.keep)


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_options(parser, ['sim', 'bumble'])
    options = parser.parse_args()
    options.via = options.via or ['sim', 'bumble']
    check_program(options.cli)
    return options


def everything_was_driven(bench):
    """The last one: each method of the schema was answered by a result, each notification came."""
    names = set(bench.schema.methods) | set(bench.schema.notifications)
    missing = names - bench.driven
    expect(missing == set(OUT_OF_REACH[bench.via]), f'not driven: {sorted(missing)}; '
           f'said to be out of reach: {sorted(OUT_OF_REACH[bench.via])}')
    return f'{len(names - missing)} methods and notifications'


if __name__ == '__main__':
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the children are ended
    main()
