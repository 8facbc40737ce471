"""The Rust tests that need a real kernel (package baretooth-guest, tests/*.rs): compiled outside, run in a guest each."""

import json
import re
import subprocess
import threading
import time
from pathlib import Path

from harness import Failure

ROOT = Path(__file__).resolve().parents[2]
LIMIT = 300  # seconds for one file of tests


def build(profile=('--release',)):
    """Compiles the package; the programs of its tests, by name."""
    command = ['cargo', 'test', '-p', 'baretooth-guest', *profile, '--no-run', '--message-format=json']
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
    messages = [json.loads(line) for line in done.stdout.splitlines()]
    if done.returncode != 0:
        problems = [m['message']['rendered'] for m in messages if m['reason'] == 'compiler-message']
        raise Failure('baretooth-guest does not compile\n' + '\n'.join(problems))
    return {message['target']['name']: Path(message['executable']) for message in messages
            if message['reason'] == 'compiler-artifact' and message['target']['kind'] == ['test'] and message['executable']}


def tests_of(executable):
    """The names of the tests that wait for a guest."""
    listed = subprocess.run([executable, '--list', '--ignored'], stdout=subprocess.PIPE, text=True, check=True).stdout
    return [line.removesuffix(': test') for line in listed.splitlines() if line.endswith(': test')]


def run(guest, name, executable, tests):
    """Runs these tests of one file. Prints a line for each; how many passed, and which failed."""
    started = last = time.monotonic()
    process = guest.spawn([executable, '--ignored', '--test-threads=1', '--show-output', '--exact', *tests])
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
            print(f"{'PASS' if found[2] == 'ok' else 'FAIL'} {name:9} {found[1]}  {now - last:.1f} s", flush=True)
            last = now
            passed += found[2] == 'ok'
            if found[2] != 'ok':
                failed.append(f'{name} {found[1]}')
    status = process.wait(10)
    timer.cancel()
    errors.join(5)
    (guest.out / 'output.log').write_text(''.join(collected))
    if passed + len(failed) != len(tests):
        failed.append(f'{name}: ended with {status} after {time.monotonic() - started:.0f} s, '
                      f'{passed} of {len(tests)} tests passed')
    for line in collected if failed else figures(collected):
        print(f'     {line}', end='', flush=True)
    return passed, failed


def figures(lines):
    """What the tests that passed have printed."""
    headings = [at for at, line in enumerate(lines) if line == 'successes:\n']
    between = lines[headings[0] + 1:headings[-1]] if headings else []
    return [line for line in between if line.strip() and not line.startswith('---- ')]
