"""docs/rpc.md to the letter, and the client in examples/."""

import json
import re
import subprocess
import sys
from pathlib import Path

from harness import Failure, equal, expect, shortened
from registry import case

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / 'docs' / 'rpc.md'
ANY = '…'
LINE = re.compile(r'(2?)(-->|<--) (.*)')


def sections():
    """Of the page: the heading, and the lines of its examples as (block, program, arrow, text)."""
    title, block, found = None, None, {}
    for line in PAGE.read_text(encoding='utf-8').splitlines():
        if line.startswith('```'):
            block = None if block else line[3:] or 'text'
        elif line.startswith('## '):
            title = line[3:]
        elif block in ('rpc', 'shown'):
            match = LINE.fullmatch(line)
            expect(match, f'no line of an example: {line}')
            found.setdefault(title, []).append((block, int(match[1] or 1), match[2], match[3]))
    return found


def played(program, lines):
    """Plays the lines of one section; `program(n)` is the n-th. A line of the page stands for one that came after the
    last that was sent to its program, and for which no other stands."""
    since, shown = {}, {}
    for _, number, arrow, text in lines:
        rpc, used = program(number), shown.setdefault(number, set())
        if arrow == '-->':
            since[number] = rpc.mark()
            rpc.raw(text.encode() + b'\n', asked(text))
            continue
        wanted, start = json.loads(text), since.get(number, 0)

        def places(right):
            return [at for at, line in enumerate(rpc.lines[start:], start) if at not in used and right(line)]

        def alike(line):
            return all(line.get(name) == wanted.get(name) for name in ('id', 'method'))
        try:
            rpc.wait_for(lambda line: fits(line, wanted) and places(lambda one: one is line)
                         or 'method' not in wanted and places(alike), 15, 'the line', start)
            used.add(places(lambda line: fits(line, wanted))[0])
        except (Failure, IndexError):
            came = [json.dumps(rpc.lines[at]) for at in places(alike)][:3]
            raise Failure('\n'.join([f'this line did not come: {text}', 'what came:', *came])) from None
    for number, used in shown.items():
        for at, line in enumerate(program(number).lines):
            expect('method' in line or at in used, f'the page has no answer like {shortened(line)}')


def asked(text):
    """The request, if it is one that is answered by its id."""
    try:
        message = json.loads(text)
        return message if 'id' in message and 'method' in message else None
    except (ValueError, TypeError):
        return None


def fits(value, wanted):
    """Whether a value is what the page says."""
    if wanted == ANY:
        return True
    if isinstance(wanted, dict):
        if not isinstance(value, dict):
            return False
        named = {name for name in wanted if name != ANY}
        return (named <= value.keys() and (ANY in wanted or value.keys() <= named)
                and all(fits(value[name], wanted[name]) for name in named))
    if isinstance(wanted, list):
        whole = wanted[:-1] if wanted[-1:] == [ANY] else wanted
        more = len(whole) < len(wanted)
        return (isinstance(value, list) and (len(value) >= len(whole) if more else len(value) == len(whole))
                and all(map(fits, value, whole)))
    return value == wanted and isinstance(value, bool) == isinstance(wanted, bool)


@case(via='sim')
def every_example_of_the_page_is_true(bench):
    count = 0
    for title, lines in sections().items():
        adapters = iter(bench.adapters_of_two())
        programs = {}

        def program(number):
            if number not in programs:
                programs[number] = bench.rpc(adapter=next(adapters), store=True, seed=number)
            return programs[number]
        try:
            played(program, [line for line in lines if line[0] == 'rpc'])
        except Failure as failure:
            raise Failure(f'{title}: {failure}') from None
        for rpc in programs.values():
            rpc.finish()
        bench.kill()
        count += len(lines)
    return f'{count} lines'


@case(via='sim')
def the_page_has_every_method_and_notification(bench):
    sent, received = set(), set()
    for _, _, arrow, text in (line for lines in sections().values() for line in lines):
        try:
            message = json.loads(text)
            method = message['method']
        except (ValueError, KeyError, TypeError):
            continue
        (sent if arrow == '-->' else received).add(method)
        if arrow == '<--' and ANY not in text:
            equal(bench.schema.problem(message, None), None, f'the schema of {text}')
    missing = [*set(bench.schema.methods) - sent, *set(bench.schema.notifications) - received]
    equal(sorted(missing), [], 'without an example')


@case
def the_client_in_the_examples_works(bench):
    name = 'HR strap' if bench.via == 'sim' else bench.peer.ready['name']
    adapter = 'sim' if bench.via == 'sim' else bench.adapter
    done = subprocess.run([sys.executable, ROOT / 'examples' / 'rpc_client.py', bench.program, adapter, name],
                          capture_output=True, text=True, timeout=60, check=False)
    equal(done.returncode, 0, f'exit status, it told: {done.stderr[-500:]}')
    first, battery, *beats = done.stdout.splitlines()
    expect(first.startswith('adapter '), first)
    equal(battery, f"battery {87 if bench.via == 'sim' else 100} %", 'the battery')
    equal(len(beats), 3, f'lines with beats: {beats}')
    if bench.via == 'sim':
        equal([beat.split()[0] for beat in beats], ['60', '67', '74'], 'beats')
