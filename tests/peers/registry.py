"""The list of cases. A case is a function of a `Bench`; it fails by raising `Failure`, and may return a remark."""

CASES = []


def case(function=None, *, via=None):
    """`@case`, or `@case(via='bumble')` for what only one radio can do."""
    def register(decorated):
        CASES.append((decorated, via))
        return decorated
    return register(function) if function else register
