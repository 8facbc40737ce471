"""Programs of this workspace that tests need, compiled when they are."""

import json
import subprocess
from pathlib import Path

from harness import Failure

ROOT = Path(__file__).resolve().parents[2]


def compiled(package, kind, *words):
    """Runs cargo with these words; the programs of that kind that it made, by their names."""
    command = ['cargo', words[0], '-p', package, '--release', *words[1:], '--message-format=json']
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
    messages = [json.loads(line) for line in done.stdout.splitlines()]
    if done.returncode != 0:
        problems = [m['message']['rendered'] for m in messages if m['reason'] == 'compiler-message']
        raise Failure(f'{package} does not compile\n' + '\n'.join(problems))
    return {m['target']['name']: Path(m['executable']) for m in messages
            if m['reason'] == 'compiler-artifact' and m['executable'] and m['target']['kind'] == [kind]}


def device():
    """Our own peripheral."""
    return compiled('baretooth-device', 'bin', 'build')['device']
