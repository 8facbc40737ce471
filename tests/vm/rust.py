"""The package baretooth-guest: its program, which plays hardware, and its tests (tests/*.rs), which need a real kernel.
Both are compiled outside; each file of tests has a guest to itself."""

import re
import subprocess
import threading
import time

from programs import compiled

LIMIT = 600  # seconds for one file of tests, on a machine that is busy


def program():
    """The program `guest`."""
    path, = compiled('baretooth-guest', 'bin', 'build', '--bins').values()
    return path


def tests():
    """The programs of the tests, by the name of the file."""
    return compiled('baretooth-guest', 'test', 'test', '--no-run', '--tests')


def names(executable):
    """The tests that wait for a guest."""
    listed = subprocess.run([executable, '--list', '--ignored'], stdout=subprocess.PIPE, text=True, check=True).stdout
    return [line.removesuffix(': test') for line in listed.splitlines() if line.endswith(': test')]


def run(guest, file, executable, chosen):
    """Runs these tests of one file. Prints a line for each; how many passed, and which failed."""
    started = last = time.monotonic()
    process = guest.spawn([executable, '--ignored', '--test-threads=1', '--show-output', '--exact', *chosen])
    process.stdin.close()
    timer = threading.Timer(LIMIT, process.kill)
    timer.start()
    collected, passed, failed = [], 0, []
    errors = threading.Thread(target=lambda: collected.extend(process.stderr), daemon=True)
    errors.start()
    for line in process.stdout:
        collected.append(line)
        if found := re.match(r'test (\S+) .*?(ok|FAILED)$', line.rstrip('\n')):
            now = time.monotonic()
            print(f"{'PASS' if found[2] == 'ok' else 'FAIL'} {file:9} {found[1]}  {now - last:.1f} s", flush=True)
            last = now
            passed += found[2] == 'ok'
            if found[2] != 'ok':
                failed.append(f'{file} {found[1]}')
    status = process.wait(10)
    timer.cancel()
    errors.join(5)
    (guest.out / 'output.log').write_text(''.join(collected))
    if passed + len(failed) != len(chosen):
        failed.append(f'{file}: ended with {status} after {time.monotonic() - started:.0f} s, '
                      f'{passed} of {len(chosen)} tests passed')
    for line in collected if failed else figures(collected):
        print(f'     {line}', end='', flush=True)
    return passed, failed


def figures(lines):
    """What the tests that passed have printed."""
    headings = [at for at, line in enumerate(lines) if line == 'successes:\n']
    between = lines[headings[0] + 1:headings[-1]] if headings else []
    return [line for line in between if line.strip() and not line.startswith('---- ')]
