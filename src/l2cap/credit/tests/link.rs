//! Two of ours joined by a link that loses nothing, and one of ours with a peer that sends anything.

use super::*;
use proptest::prelude::*;

/// An end of the link: its channels, what it has to send and what came.
struct End {
    channels: CreditChannels,
    servers: Servers,
    /// By the order of opening, which is that of the CIDs at both ends.
    keys: Vec<ChannelKey>,
    unsent: Vec<VecDeque<Bytes>>,
    came: Vec<Vec<Bytes>>,
}

impl End {
    fn new(options: ChannelOptions, unsent: &[Vec<Vec<u8>>]) -> Self {
        let mut servers = Servers::default();
        servers.listen(SPSM, Server { options, security: RequiredSecurity::None, most: 9 }).expect("free");
        let unsent: Vec<VecDeque<Bytes>> =
            unsent.iter().map(|sdus| sdus.iter().cloned().map(Bytes::from).collect()).collect();
        let came = vec![Vec::new(); unsent.len()];
        Self { channels: CreditChannels::default(), servers, keys: Vec::new(), unsent, came }
    }

    fn get(&mut self, frame: Frame) {
        if frame.channel == ChannelId::Signaling {
            assert!(self.channels.handle_signal(NOW, &frame.payload, &self.servers, OPEN_LINK));
        } else {
            self.channels.handle_frame(NOW, frame);
        }
    }

    /// Hears what happened, reads some of what came and sends what goes.
    fn work(&mut self, reads: usize) {
        while let Some(event) = self.channels.poll_event() {
            match event {
                Event::Opened { channel, .. } => self.keys.push(channel),
                Event::Received { .. } | Event::Sent { .. } => {}
                other => panic!("{other:?}"),
            }
        }
        for (index, &key) in self.keys.iter().enumerate() {
            self.came[index].extend(std::iter::from_fn(|| self.channels.take(key)).take(reads));
            while let Some(sdu) = self.unsent[index].pop_front() {
                match self.channels.send(key, sdu) {
                    Ok(()) => {}
                    Err(SendError::Full(sdu)) => {
                        self.unsent[index].push_front(sdu);
                        break;
                    }
                    Err(error) => panic!("{error}"),
                }
            }
        }
    }
}

fn sizes() -> impl Strategy<Value = ChannelOptions> {
    (23u16..1500, 23u16..=1004, 1u16..=255).prop_map(|(mtu, mps, credits)| options(mtu, mps, credits))
}

/// SDUs of some channels, of any length that an MTU allows.
fn sdus(mtu: u16, channels: usize) -> impl Strategy<Value = Vec<Vec<Vec<u8>>>> {
    let sdu = (0..=usize::from(mtu), any::<u8>())
        .prop_map(|(length, first)| (0..length).map(|at| first.wrapping_add(at.to_le_bytes()[0])).collect());
    prop::collection::vec(prop::collection::vec(sdu, 0..12), channels)
}

type Session = (bool, ChannelOptions, ChannelOptions, Vec<Vec<Vec<u8>>>, Vec<Vec<Vec<u8>>>);

fn sessions() -> impl Strategy<Value = Session> {
    (any::<bool>(), sizes(), sizes(), 1usize..=5).prop_flat_map(|(enhanced, a, b, count)| {
        let (a, b) = if enhanced { (a.at_least(64), b.at_least(64)) } else { (a, b) };
        (Just(enhanced), Just(a), Just(b), sdus(b.mtu, count), sdus(a.mtu, count))
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn every_sdu_arrives_octet_for_octet_both_ways(
        (enhanced, ours, theirs, to_b, to_a) in sessions(),
        pace in prop::collection::vec((1usize..4, 0usize..3), 1..8),
    ) {
        let (mut a, mut b) = (End::new(ours, &to_b), End::new(theirs, &to_a));
        if enhanced {
            a.channels.open_enhanced(NOW, SPSM, ours, to_b.len()).expect("free");
        } else {
            for _ in &to_b {
                a.channels.open(NOW, SPSM, ours).expect("free");
            }
        }
        // Each round is bursts of frames each way and some reading; every eighth reads, so that all ends.
        let mut idle = 0;
        for round in 0usize.. {
            let (burst, reads) = pace[round % pace.len()];
            let reads = if round % 8 == 7 { reads + 1 } else { reads };
            let mut moved = false;
            for _ in 0..burst {
                let frames = (a.channels.poll_frame(), b.channels.poll_frame());
                moved |= frames.0.is_some() || frames.1.is_some();
                frames.0.into_iter().for_each(|frame| b.get(frame));
                frames.1.into_iter().for_each(|frame| a.get(frame));
            }
            a.work(reads);
            b.work(reads);
            idle = if moved { 0 } else { idle + 1 };
            if idle > 16 * 12 {
                break;
            }
        }
        prop_assert_eq!(&b.came, &to_b);
        prop_assert_eq!(&a.came, &to_a);
        for (end, keys) in [(&mut a, to_b.len()), (&mut b, to_a.len())] {
            prop_assert_eq!(end.keys.len(), keys);
            for key in std::mem::take(&mut end.keys) {
                end.channels.close(NOW, key);
            }
        }
        for _ in 0..100 {
            a.channels.poll_frame().into_iter().for_each(|frame| b.get(frame));
            b.channels.poll_frame().into_iter().for_each(|frame| a.get(frame));
        }
        prop_assert!(a.channels.channels.is_empty() && b.channels.channels.is_empty());
        prop_assert!(a.channels.pending.is_empty() && b.channels.pending.is_empty());
    }

    #[test]
    fn nothing_a_peer_sends_panics_or_is_kept_beyond_the_window(
        inputs in prop::collection::vec(hostile(), 1..400),
    ) {
        let mut it = CreditChannels::default();
        let servers = servers(RequiredSecurity::None, 8);
        let mut keys: Vec<_> = (0..3).map(|_| it.open(NOW, SPSM, options(200, 50, 3)).expect("free")).collect();
        keys.extend(it.open_enhanced(NOW, SPSM, options(200, 64, 3), 3).expect("free"));
        for cid in 0x50..0x52 {
            it.handle_signal(NOW, &command(0x14, 1, &[SPSM, cid, 100, 30, 2]), &servers, OPEN_LINK);
        }
        let mut now = NOW;
        for input in inputs {
            match input {
                Hostile::Signal(payload) => { it.handle_signal(now, &payload, &servers, OPEN_LINK); }
                Hostile::Data(cid, payload) => {
                    it.handle_frame(now, Frame { channel: ChannelId(cid), payload: payload.into() });
                }
                Hostile::Time(seconds) => {
                    now = now + Duration::from_secs(seconds);
                    it.handle_timeout(now);
                }
                Hostile::Ours(index, act) => {
                    let key = keys[index % keys.len()];
                    match act {
                        0 => it.close(now, key),
                        1 => { let _ = it.send(key, vec![1; 60].into()); }
                        2 => { it.take(key); }
                        3 => { let _ = it.reconfigure(now, &[key], 250, 100); }
                        _ => while it.poll_frame().is_some() {},
                    }
                }
            }
            while let Some(event) = it.poll_event() {
                if let Event::Opened { channel, .. } = event {
                    keys.push(channel);
                }
            }
            prop_assert!(it.channels.len() <= 64 && it.pending.len() <= 65);
            prop_assert!(it.signals.len() <= MOST_SIGNALS + 128);
            for channel in it.channels.values() {
// What was ever allowed: the window in K-frames, and an SDU.
                let most = if channel.by_peer { 4 * 64 + 100 } else { 3 * 100 + 250 };
                prop_assert!(channel.receiver.octets() <= most);
            }
        }
        it.handle_link_lost();
        prop_assert_eq!(it.deadline(), None);
    }
}

#[derive(Clone, Debug)]
enum Hostile {
    Signal(Vec<u8>),
    Data(u16, Vec<u8>),
    Time(u64),
    Ours(usize, u8),
}

fn hostile() -> impl Strategy<Value = Hostile> {
    let value = prop_oneof![0u16..3, 0x3Eu16..0x54, Just(SPSM), 60u16..70, any::<u16>()];
    let signal = (prop_oneof![Just(1u8), 6u8..8, 0x14u8..0x1B], 0u8..12, prop::collection::vec(value, 0..9));
    let data = (
        prop_oneof![0x3Fu16..0x4A, Just(0x46), Just(0x46)],
        prop_oneof![
            40 => (1u8..38).prop_map(|length| [&[length, 0][..], &vec![0; length.into()]].concat()),
            1 => prop::collection::vec(any::<u8>(), 0..70),
            1 => (0u8..60, 0usize..60).prop_map(|(length, octets)| [&[length, 0][..], &vec![0; octets]].concat()),
        ],
    );
    prop_oneof![
        4 => signal.prop_map(|(code, identifier, values)| Hostile::Signal(command(code, identifier, &values))),
        1 => prop::collection::vec(any::<u8>(), 0..30).prop_map(Hostile::Signal),
        4 => data.prop_map(|(cid, payload)| Hostile::Data(cid, payload)),
        1 => (0u64..40).prop_map(Hostile::Time),
        4 => (any::<usize>(), 0u8..6).prop_map(|(index, act)| Hostile::Ours(index, act)),
    ]
}
