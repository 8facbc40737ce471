#!/usr/bin/env python3
"""Runs `baretooth` and the tests that need a real Linux kernel in a guest, without hardware.

    run.py --cli target/release/baretooth [-k WORD] [--list] [--keep FOLDER]    the cases, cases_*.py
    run.py --rust [-k WORD]                                                     the tests of baretooth-guest
    run.py --shell 'hciconfig -a'                                               a command in a fresh guest

One line per case; exit status 0 when all passed. The Python that runs it must be that of tests/peers/setup.sh.
"""

import argparse
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.append(str(HERE.parent / 'peers'))  # the peers are those of the other tests, and so is the harness

# Each import registers its cases; this is the order of the run.
import cases_verbs  # noqa: F401, I001
import cases_unplug  # noqa: F401
import cases_messages  # noqa: F401
import cases_bluez  # noqa: F401
import cases_centrals  # noqa: F401
import cases_bonds  # noqa: F401
import cases_live  # noqa: F401
import cases_system  # noqa: F401
import kernel
import programs
import rust
from bench import CASES, DEVICE, HARDWARE, PROGRAM, GuestBench
from harness import Failure, PeerProcess
from machine import Guest

NEEDED = {'qemu-system-x86_64': 'qemu-system-x86', 'btvirt': 'bluez-test-tools', 'btmon': 'bluez', 'depmod': 'kmod',
          'dbus-daemon': 'dbus', 'udevadm': 'udev', 'setcap': 'libcap2-bin', 'tshark': 'tshark'}


def main():
    options = parse()
    if options.list:
        for function, kind, group in CASES:
            print(f'{kind:9} {function.__name__}')
        return
    folder = Path(options.keep or tempfile.mkdtemp(prefix='baretooth-vm-')).resolve()
    try:
        check_environment()
        image = kernel.prepare()
        if options.shell:
            status = shell(image, folder, options.shell)
            shutil.rmtree(folder)
            sys.exit(status)
        passed, failed = 0, []
        wanted = options.k or ['']
        if options.rust:
            passed, failed = run_rust(image, folder, wanted)
        if options.cli:
            more = run_cases(image, folder, options, wanted)
            passed, failed = passed + more[0], failed + more[1]
    except (Failure, kernel.Missing) as problem:
        sys.exit(f'run.py: {problem}')
    print(f'{passed} passed, {len(failed)} failed')
    if failed or not passed:
        sys.exit('\n'.join([*(f'failed: {name}' for name in failed or ['nothing was run']), f'logs: {folder}']))
    if not options.keep:
        shutil.rmtree(folder)


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--cli', type=Path, help='the baretooth program')
    parser.add_argument('--hardware', type=Path, metavar='PROGRAM',
                        help='what plays hardware; the program of baretooth-guest, built now, if not given')
    parser.add_argument('--device', type=Path, metavar='PROGRAM',
                        help='our own peripheral; the program of baretooth-device, built now, if not given')
    parser.add_argument('--rust', action='store_true', help='the tests of baretooth-guest')
    parser.add_argument('--shell', metavar='WORDS', help='run this in a guest and print what it prints')
    parser.add_argument('-k', action='append', metavar='WORD', help='only cases with this in the name; repeatable')
    parser.add_argument('--list', action='store_true')
    parser.add_argument('--keep', metavar='FOLDER', help='leave captures and logs there')
    options = parser.parse_args()
    if not (options.cli or options.rust or options.shell or options.list):
        parser.error('one of --cli, --rust, --shell and --list')
    if options.cli and not options.cli.is_file():
        parser.error(f'{options.cli} is not there: cargo build --release -p baretooth-cli')
    return options


def check_environment():
    """What is missing is a failure, said before anything runs."""
    path = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
    missing = sorted({package for program, package in NEEDED.items() if shutil.which(program, path=path) is None})
    if missing:
        sys.exit(f"run.py: not installed: apt-get install --no-install-recommends {' '.join(missing)}")
    subprocess.run([str(HERE.parent / 'peers' / 'setup.sh')], check=True, stdout=subprocess.DEVNULL)


def shell(image, folder, words):
    guest = Guest(image, folder)
    process = guest.spawn(['/bin/sh', '-c', f'exec 2>&1; {words}'])
    process.stdin.close()
    for line in process.stdout:
        print(line, end='', flush=True)
    status = process.wait()
    guest.stop()
    return status


def run_cases(image, folder, options, wanted):
    """A guest for each group of cases, a bench for each kind of adapter in it."""
    chosen = [case for case in CASES if any(word in f'{case[1]} {case[0].__name__}' for word in wanted)]
    installed = {PROGRAM: options.cli.resolve(), HARDWARE: options.hardware or rust.program(),
                 DEVICE: options.device or programs.device()}
    passed, failed = 0, []
    for group in dict.fromkeys(group for *_, group in chosen):
        guest = Guest(image, folder / group)
        for path, built in installed.items():
            guest.run('install', built.resolve(), path)
        benches = {}
        for function, kind, _ in (case for case in chosen if case[2] == group):
            if kind not in benches:
                benches[kind] = GuestBench(guest, kind, folder / group / kind)
            if passes(function, benches[kind]):
                passed += 1
            else:
                failed.append(f'{kind} {function.__name__}')
        for bench in benches.values():
            bench.close()
        guest.stop()
    return passed, failed


def passes(function, bench):
    """Prints the line of a case; whether it passed."""
    bench.test, started, remark, problem = function.__name__, time.monotonic(), None, None
    try:
        remark = function(bench)
    except Failure as failure:
        problem = str(failure)
    except Exception as error:  # output in a shape that the case did not expect
        at = traceback.extract_tb(error.__traceback__)[-1]
        problem = f'{error!r} at {Path(at.filename).name}:{at.lineno}'
    finally:
        bench.end_test()
    note = f'  ({remark})' if remark else ''
    print(f"{'FAIL' if problem else 'PASS'} {bench.kind:9} {function.__name__}  {time.monotonic() - started:.1f} s{note}",
          flush=True)
    if problem:
        print('     ' + problem.replace('\n', '\n     '), flush=True)
    return problem is None


def run_rust(image, folder, wanted):
    """A guest for each file of tests, with a controller at the end of every line."""
    passed, failed = 0, []
    for name, executable in sorted(rust.tests().items()):
        chosen = [test for test in rust.names(executable) if any(word in f'{name} {test}' for word in wanted)]
        if not chosen:
            continue
        guest = Guest(image, folder / f'rust-{name}')
        peer = PeerProcess('peer.py', [], folder / 'peers.log')
        for line in guest.lines.values():
            line.plug(peer.ready['port'])
        good, bad = rust.run(guest, name, executable, chosen)
        peer.kill()
        guest.stop()
        passed, failed = passed + good, failed + bad
    return passed, failed


if __name__ == '__main__':
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the children are ended
    main()
