"""The list of cases, which of them a command line means, and how they are run. A case is a function of a `Bench`; it fails
by raising `Failure`, and may return a remark."""

import shutil
import sys
import time
from pathlib import Path

from harness import Failure

CASES = []


def case(function=None, *, via=None):
    """`@case`, or `@case(via='bumble')` for what only one radio can do."""
    def register(decorated):
        CASES.append((decorated, via))
        return decorated
    return register(function) if function else register


def add_options(parser, radios):
    """What every driver takes."""
    parser.add_argument('--cli', type=Path, required=True, help='the baretooth program')
    parser.add_argument('--via', action='append', choices=radios, help='the radio; both if not given')
    parser.add_argument('-k', action='append', metavar='WORD', help='only cases with this in the name; repeatable')
    parser.add_argument('--list', action='store_true')
    parser.add_argument('--keep', metavar='FOLDER', help='leave captures and logs there')


def chosen(options):
    """The cases that the options mean, each with its radio; with `--list` their names instead, and no more."""
    found = [(case, via) for via in options.via for case, only in CASES
             if only in (None, via) and any(word in f'{via} {case.__name__}' for word in options.k or [''])]
    if not found:
        sys.exit('run.py: no case has that name')
    if options.list:
        for case, via in found:
            print(f'{via:9} {case.__name__}')
        sys.exit()
    return found


def check_program(program):
    if not program.is_file():
        sys.exit(f'run.py: {program} is not there: cargo build --release -p baretooth-cli')


def conclude(outcomes, folder, keep):
    """Says how many of the (name, whether it passed) did, and ends so; what they left goes unless it tells why."""
    outcomes = list(outcomes)
    failed = [name for name, passed in outcomes if not passed]
    print(f'{len(outcomes) - len(failed)} passed, {len(failed)} failed')
    if failed:
        sys.exit('\n'.join([*(f'failed: {name}' for name in failed), f'captures and logs: {folder}']))
    if not keep:
        shutil.rmtree(folder)


def passes(case, bench):
    """Runs it, prints its line, and ends what it has started."""
    bench.test = case.__name__
    started = time.monotonic()
    try:
        remark, problem = case(bench), None
    except Failure as failure:
        remark, problem = None, str(failure)
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        # Output in a shape that the case did not expect.
        at = error.__traceback__
        while at.tb_next:
            at = at.tb_next
        problem, remark = f'{error!r} at {Path(at.tb_frame.f_code.co_filename).name}:{at.tb_lineno}', None
    finally:
        bench.end_test()
    seconds = time.monotonic() - started
    note = f'  ({remark})' if remark else ''
    print(f"{'FAIL' if problem else 'PASS'} {bench.via:9} {case.__name__}  {seconds:.1f} s{note}", flush=True)
    if problem:
        print('     ' + problem.replace('\n', '\n     '), flush=True)
    return problem is None
