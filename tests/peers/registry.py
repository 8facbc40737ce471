"""The list of cases, and how one is run. A case is a function of a `Bench`; it fails by raising `Failure`, and may return
a remark."""

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
