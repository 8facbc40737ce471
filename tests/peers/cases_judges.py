"""Bumble against Bumble: the judges of our pairing agree with each other, in everything that they judge us by."""

from harness import equal
from judges import Judges, agree
from pairings import PAIRINGS, pairing_named
from registry import case


def two_judges(pairing):
    def run(bench):
        agree(Judges(bench, pairing))
    run.__name__ = f'two_judges_agree_on_{pairing.name}'
    return run


for made in PAIRINGS:
    case(two_judges(made))


@case(via='bumble')
def two_judges_part_when_one_has_forgotten_the_key(bench):
    judges = Judges(bench, pairing_named('just_works'))
    judges.connect()
    judges.pair()
    judges.disconnect()
    judges.peer.command('spoil')
    judges.connect()
    equal(judges.central.command('encrypt'), {'disconnected': True}, 'encrypting with another key')
    judges.peer.command('forget')
    judges.connect()
    equal(judges.central.command('encrypt'), {'error': 0x06}, 'encrypting with a key that was forgotten')
