"""The verb `l2cap`: channels with Bumble, as its client and as its server."""

from harness import equal
from registry import case

PSM = 0x80
REFUSED_SPSM = 2
SIZES = [  # MTU, MPS, credits, share of the octets: small ones are many round trips
    (2048, 1004, 255, 1), (2048, 1004, 10, 0.1), (2048, 247, 32, 0.1), (65_535, 23, 255, 0.1), (512, 64, 1, 0.02),
    (23, 23, 1, 0.002)]


def octets_of(bench, share):
    return int((20_000 if bench.slow else 1_000_000) * share)


def text(octets):
    """ASCII that shows where an octet is missing or moved."""
    return ''.join(chr(at * 31 + (at >> 8) & 0x7F) for at in range(octets))


def options(mtu, mps, credits):
    return '--mtu', str(mtu), '--mps', str(mps), '--credits', str(credits)


@case
def channels_of_the_peer_bring_everything_back(bench):
    peer, rates = bench.start_peer(), []
    for psm, (mtu, mps, credits, share) in enumerate(SIZES, PSM):
        sent, start = text(octets_of(bench, share)), peer.mark()
        peer.command('echo', psm=psm, mtu=mtu, mps=mps, credits=credits)
        done = bench.run('l2cap', 'connect', peer.address, str(psm), '--linger', '3', *options(mtu, mps, credits),
                         adapter=bench.adapter_of(peer), stdin=sent, timeout=120)
        seen = peer.wait('channel', start=start)
        equal((seen['mtu'], seen['mps'], seen['credits']), (mtu, mps, credits), 'what Bumble was told')
        equal(done.of('channel')[0]['mtu'], mtu, 'what we were told')
        back = b''.join(bytes.fromhex(sdu['value']) for sdu in done.of('sdu'))
        what = f'of {len(sent)} octets with MTU {mtu}, MPS {mps}, {credits} credits'
        equal(len(back), len(sent), f'octets that came back {what}')
        equal(back == sent.encode(), True, f'same octets {what}')
        closed, = done.of('closed')
        equal((closed['sent'], closed['received']), (len(sent), len(sent)), f'counts {what}')
        peer.wait('channel_closed', start=start)
        rates.append(len(sent) / (done.out.times[-2] - done.out.times[0]) / 1000)
    return ', '.join(f'{rate:.1f}' for rate in rates) + ' kB/s'


@case
def the_peer_gets_everything_back_from_our_channels(bench):
    central, rates = bench.start_peer(name='central.py'), []
    for mtu, mps, credits, share in SIZES:
        start = central.mark()
        command = bench.start('l2cap', 'listen', str(PSM), '--echo', '--count', '1', *options(mtu, mps, credits),
                              adapter=bench.adapter_of(central))
        central.command('connect', address=command.wait('listening')['address'])
        count = octets_of(bench, share)
        done = central.command('channel_echo', within=100, psm=PSM, octets=count, mtu=mtu, mps=mps, credits=credits)
        what = f'{count} octets with MTU {mtu}, MPS {mps}, {credits} credits'
        equal(done['equal'], [True], f'echo of {what}')
        equal(done['sizes'], [[mtu, mps]], 'what we said that we take')
        command.finish(0)
        equal(command.of('closed')[0]['received'], count, f'counts of {what}')
        central.wait('disconnected', start=start)
        rates.append(count / done['seconds'] / 1000)
    return ', '.join(f'{rate:.1f}' for rate in rates) + ' kB/s'


@case
def a_channel_that_the_peer_does_not_have_is_an_error(bench):
    done = bench.run('l2cap', 'connect', bench.peer.address, '0xf0', code=1)
    equal((done.error['kind'], done.error['code']), ('channel', REFUSED_SPSM), 'kind and code')
