"""Runs `baretooth` against the peers and checks what it printed, what the peer saw and what the captures hold.

    run.py --cli target/release/baretooth [--via bumble|rootcanal] [-k WORDS] [--list] [--keep FOLDER]

One line per case; exit status 0 when all passed. The Python that runs it must be that of setup.sh.
"""

import argparse
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

# Each import registers its cases; this is the order of the run.
import cases_scan  # noqa: F401, I001
import cases_gatt  # noqa: F401
import cases_errors  # noqa: F401
import cases_l2cap  # noqa: F401
import cases_live  # noqa: F401
import cases_peripheral  # noqa: F401
import cases_judges  # noqa: F401
import cases_security  # noqa: F401
import cases_pairing  # noqa: F401
import cases_channels  # noqa: F401
import cases_bearers  # noqa: F401
import cases_captures  # noqa: F401 reads what the others left
import programs
from harness import Bench
from registry import add_options, check_program, chosen, conclude, passes


def main():
    options = parse()
    cases = chosen(options)
    check_environment(options.cli)
    folder = Path(options.keep or tempfile.mkdtemp(prefix='baretooth-peers-'))
    device = (options.device or programs.device()).resolve()
    benches = {via: Bench(via, options.cli.resolve(), folder / via, device) for via in options.via}
    outcomes = ((f'{via} {case.__name__}', passes(case, benches[via])) for case, via in cases)
    conclude(outcomes, folder, options.keep)


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_options(parser, ['bumble', 'rootcanal'])
    parser.add_argument('--device', type=Path, metavar='PROGRAM',
                        help='our own peripheral; the program of baretooth-device, built now, if not given')
    options = parser.parse_args()
    options.via = options.via or ['bumble', 'rootcanal']
    return options


def check_environment(program):
    """A missing peer is a failure, said before anything runs."""
    check_program(program)
    for needed in ('tshark', 'gcc'):
        if shutil.which(needed) is None:
            sys.exit(f'run.py: {needed} is not installed: apt-get install tshark gcc')
    subprocess.run([str(Path(__file__).with_name('setup.sh'))], check=True, stdout=subprocess.DEVNULL)


if __name__ == '__main__':
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the children are ended
    main()
