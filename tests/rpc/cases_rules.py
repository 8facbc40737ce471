"""The rules themselves: each finds a transcript that breaks it, and nothing in one that does not."""

from harness import equal
from registry import case
from rules import broken_rules

READY = {'method': 'ready', 'params': {}}
SOUND = [
    READY,
    {'method': 'connected', 'params': {'connection': 1}}, {'id': 1, 'result': {'connection': 1}},
    {'id': 2, 'result': {}}, {'method': 'gatt.notification', 'params': {'connection': 1, 'handle': 3}},
    {'id': 3, 'result': {}}, {'id': 4, 'result': {'scan': 1}}, {'method': 'scan.report', 'params': {'scan': 1}},
    {'id': 5, 'result': {}}, {'method': 'disconnected', 'params': {'connection': 1}}]
OF_ANOTHER = {'method': 'gatt.notification', 'params': {'connection': 1, 'handle': 9}}
SENT = [
    (1, {'id': 1, 'method': 'connect'}),
    (3, {'id': 2, 'method': 'gatt.subscribe', 'params': {'connection': 1, 'handle': 3}}),
    (5, {'id': 3, 'method': 'gatt.unsubscribe', 'params': {'connection': 1, 'handle': 3}}),
    (6, {'id': 4, 'method': 'scan.start', 'params': {}}), (8, {'id': 5, 'method': 'scan.stop', 'params': {'scan': 1}})]


@case(via='sim')
def the_rules_find_what_breaks_them(_):
    equal(broken_rules(SOUND, SENT), [], 'what is found in a sound transcript')
    swapped = [READY, SOUND[2], SOUND[1], *SOUND[3:]]
    for what, lines in (
            ('a line before `ready`', [SOUND[1], READY, *SOUND[2:]]),
            ('two answers', [*SOUND, SOUND[3]]),
            ('an answer to nobody', [*SOUND, {'id': 99, 'result': {}}]),
            ('an answer that names a link before it is told', swapped),
            ('a value after the end of its link', [*SOUND, OF_ANOTHER]),
            ('a second end', [*SOUND, SOUND[-1]]),
            ('a link with a number that was used', [*SOUND[:-1], SOUND[1], SOUND[-1]]),
            ('a value after the end of its subscription', [*SOUND[:-1], SOUND[4], SOUND[-1]]),
            ('a report after the end of its scan', [*SOUND, SOUND[7]])):
        equal(len(broken_rules(lines, SENT)), 1, f'{what}: what is found')
