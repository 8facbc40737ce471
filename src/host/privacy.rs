//! Addresses: which of ours the controller shows, whose peers' addresses are, and how somebody is reached who is known by
//! another address than he shows.
//!
//! A controller has one random address for scanning, for connecting and, with the legacy commands, for advertising
//! ([Vol 4] Part E, 7.8.4). It is given to connecting first, then to a legacy advertisement, then to a scan. Meanwhile a
//! legacy advertisement that wants another waits for the connection; a scan waits for it too, but takes the address of an
//! advertisement, which is on the air anyway. Each extended advertising set has an address of its own.
//!
//! While that address changes, nothing may use it, and while the resolving list changes, nothing at all ([Vol 4] Part E,
//! 7.8.38): scans and advertisements pause for the moment. An attempt to connect is waited for; until it is over all that
//! is on the air keeps the address that it has.

use super::link::Ends;
use super::{Host, HostConfig, OpError, OpId, Output, Owner, State};
use crate::gap::advertise::AdvertiseFailure;
use crate::gap::connect::{Attempt, Dial};
use crate::gap::filter::Filter;
use crate::gap::privacy::{Known, ListSupport, OwnAddress, OwnAddresses, OwnOnAir, Resolver, ResolvingList};
use crate::gap::scan::{Duplicates, ScanFailure, ScanOptions, ScanPhys};
use crate::hci::command::{HciCommand, LeSetPrivacyMode, LeSetRandomAddress};
use crate::hci::event::LeConnectionComplete;
use crate::hci::{ErrorCode, Opcode};
use crate::smp::Key;
use crate::{Address, AddressKind, BdAddr, Instant};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use std::collections::BTreeMap;

#[derive(Debug)]
pub(super) struct Privacy {
    usual: OwnAddress,
    own: OwnAddresses,
    rng: ChaCha20Rng,
    /// The controller's random address.
    register: BdAddr,
    /// What it is about to be.
    setting: Option<BdAddr>,
    /// The request to be who we were, until the controller has our address.
    loading: Option<OpId>,
    /// Peers whose keys are known without a bond.
    strangers: Vec<Known>,
    resolver: Resolver,
    list: ResolvingList,
    /// Attempts to reach somebody whose address has yet to be heard.
    searches: BTreeMap<OpId, Attempt<OpId>>,
    /// Those that came to nothing, and are told when the controller does not scan any more on their behalf.
    ended: Vec<(OpId, OpError)>,
    /// The private addresses that the controller tells with a new link: its own, and the peer's.
    pub(super) on_link: (Option<BdAddr>, Option<BdAddr>),
}

/// The stream of the seed's generator that private addresses come from: what is shown to everybody has nothing in common
/// with keys.
const STREAM: u64 = 1;

impl Privacy {
    pub(super) fn new(config: &HostConfig, random_static: BdAddr, irk: &Key) -> Self {
        let mut rng = ChaCha20Rng::from_seed(config.seed);
        rng.set_stream(STREAM);
        let strangers = config.peer_keys.iter().map(|(identity, key)| Known {
            identity: *identity,
            irk: key.clone(),
            local_irk: irk.clone(),
        });
        let mut privacy = Self {
            usual: config.own_address,
            own: OwnAddresses::new(random_static, irk, config.rotation),
            rng,
            register: random_static,
            setting: None,
            loading: None,
            strangers: strangers.collect(),
            resolver: Resolver::new(),
            list: ResolvingList::default(),
            searches: BTreeMap::new(),
            ended: Vec::new(),
            on_link: (None, None),
        };
        privacy.set_bonds(Vec::new());
        privacy
    }

    /// The keys of all bonds, the most important first.
    pub(super) fn set_bonds(&mut self, bonds: Vec<Known>) {
        let is_bonded = |stranger: &&Known| bonds.iter().any(|bond| bond.identity == stranger.identity);
        let strangers: Vec<_> = self.strangers.iter().filter(|it| !is_bonded(it)).cloned().collect();
        let known = [bonds, strangers].concat();
        self.resolver.set(known.iter().map(|known| (known.identity, &known.irk)));
        self.list.set(known);
    }

    /// Who is behind a resolvable private address, if it is somebody whose key is known.
    pub(super) fn identity_of(&mut self, address: Address) -> Option<Address> {
        self.resolver.resolve(address)
    }

    /// The addresses that are shown now.
    pub(super) fn on_air(&self) -> OwnOnAir {
        self.own.on_air(self.usual)
    }

    /// What is needed to hear a report, while everything else is in use.
    pub(super) fn hearing(&mut self) -> (&mut Resolver, &BTreeMap<OpId, Attempt<OpId>>) {
        (&mut self.resolver, &self.searches)
    }

    /// We are somebody else now.
    pub(super) fn set_identity(&mut self, random_static: BdAddr, irk: &Key) {
        self.own.set_identity(random_static, irk);
    }

    /// The controller was reset.
    pub(super) fn on_reset(&mut self) {
        self.setting = None;
        self.list.on_reset();
    }

    /// The controller is initialised, and was given this random address.
    pub(super) fn on_ready(&mut self, register: BdAddr) {
        self.register = register;
    }
}

impl Host {
    /// The address by which a new link has us, when `random` is our random address on it and `None` stands for the public
    /// one.
    pub(super) fn shown(&self, random: Option<BdAddr>) -> Address {
        let public = self.info.as_ref().and_then(|info| info.public_address);
        random.map(Address::random).or(public).unwrap_or(Address::public(BdAddr::ANY))
    }

    /// Our random address on a link that an attempt of ours has made.
    pub(super) fn shown_connecting(&self, wish: Option<OwnAddress>) -> Option<BdAddr> {
        let sort = self.privacy.on_air().sort(wish);
        (sort != OwnAddress::Public).then_some(self.privacy.register)
    }

    /// The address by which bonded peers are to know us: as configured, else the one that we show where we show a lasting
    /// one.
    pub(super) fn own_identity(&self, shown: Address) -> Address {
        let public = self.info.as_ref().and_then(|info| info.public_address);
        let shows_public = self.privacy.usual == OwnAddress::Public || shown.kind == AddressKind::Public;
        let prefers_public = self.security.identity.map_or(shows_public, |kind| kind == AddressKind::Public);
        public.filter(|_| prefers_public).unwrap_or(Address::random(self.random_address))
    }

    /// The ends of a new link; `random` as of [`shown`](Self::shown).
    pub(super) fn ends(
        &mut self,
        complete: &LeConnectionComplete,
        peer: Address,
        random: Option<BdAddr>,
    ) -> Ends {
        let (kind, bd_addr) = (complete.peer_address_type, complete.peer_address);
        let identity = kind.identity(bd_addr).or_else(|| self.privacy.identity_of(peer));
        let (ours, its) = self.privacy.on_link;
        let on_air = its.map_or(peer, Address::random);
        Ends { role: complete.role, local: self.shown(ours.or(random)), peer, on_air, identity }
    }

    /// The keys of the bonds have changed.
    pub(super) fn follow_bonds(&mut self) {
        let known = self.bonds.iter().filter_map(|bond| {
            let local_irk = bond.local_irk.as_ref().unwrap_or(&self.irk).clone();
            Some(Known { identity: bond.peer, irk: bond.keys.irk.clone()?, local_irk })
        });
        let known = known.collect();
        self.privacy.set_bonds(known);
    }

    /// We are who we were as soon as the controller has our address.
    pub(super) fn begin_loading(&mut self, op: OpId) {
        self.fail_loading(&OpError::Cancelled);
        self.privacy.loading = Some(op);
        self.end_loading();
    }

    /// Tells that it has, unless it does not: what shows a private address or the public one asks for no other.
    pub(super) fn end_loading(&mut self) {
        let Privacy { usual, register, .. } = self.privacy;
        if usual == OwnAddress::RandomStatic && register != self.random_address {
            return;
        }
        if let Some(op) = self.privacy.loading.take() {
            self.done(op, Ok(Output::Done));
        }
    }

    pub(super) fn fail_loading(&mut self, error: &OpError) {
        if let Some(op) = self.privacy.loading.take() {
            self.done(op, Err(error.clone()));
        }
    }

    /// Brings the controller's random address and its resolving list to what they have to be, making quiet for it. To be
    /// called before anything else begins; `false` when no connection may begin yet.
    pub(super) fn pump_privacy(&mut self, now: Instant) -> bool {
        self.direct_attempts(now);
        let initiating = self.connector.is_initiating();
        let sorts = self.sorts_in_use();
        self.privacy.own.renew(now, sorts, !initiating, &mut self.privacy.rng);
        let (on_air, register) = (self.privacy.on_air(), self.privacy.register);
        let legacy = self.info.as_ref().is_some_and(|info| !info.extended);
        let connecting = self.connector.own_address().and_then(|wish| on_air.random(wish));
        let advertising = self.advertising.advertiser.own_addresses().next().filter(|_| legacy);
        let advertising = advertising.and_then(|wish| on_air.random(wish));
        let scanning = self.scan_address();
        let scanning = scanning.and_then(|sort| on_air.random(Some(sort)));

        let support = self.list_support();
        let loading = self.privacy.loading.and(on_air.random(None));
        let wanted = connecting.or(advertising).or(scanning).or(loading);
        let wanted = wanted.filter(|wanted| *wanted != register);
        let relist = self.privacy.list.needs_quiet(support);
        let readdress = wanted.is_some() || self.privacy.setting.is_some();
        let quieten = (relist || readdress) && !initiating;

        let unlike = |wanted: Option<BdAddr>| wanted.is_some_and(|wanted| wanted != register);
        let advertiser = &mut self.advertising.advertiser;
        self.scanner.hold(quieten || unlike(scanning) && advertising != Some(register));
        advertiser.hold(quieten && (legacy || relist) || unlike(advertising));

        let quiet = quieten && !self.scanner.is_scanning() && !(advertiser.is_on_air() && (legacy || relist));
        let change = quiet.then(|| self.privacy.list.poll_command(support));
        if let Some(packet) = change.flatten() {
            self.commands.push(Owner::Privacy, packet);
        }
        if let (Some(random_address), None, true) = (wanted, self.privacy.setting, quiet)
            && let Ok(packet) = (LeSetRandomAddress { random_address }).to_packet()
        {
            self.commands.push(Owner::Privacy, packet);
            self.privacy.setting = Some(random_address);
        }
        !quieten
    }

    /// The sort of address that a scan shows: the most private of those that are asked for. `None` while nobody asks
    /// anything of advertisers.
    pub(super) fn scan_address(&self) -> Option<OwnAddress> {
        let on_air = self.privacy.usual;
        self.scanner.own_addresses().map(|wish| wish.unwrap_or(on_air)).max()
    }

    /// When an address that is in use has to be renewed.
    pub(super) fn rotation_deadline(&self) -> Option<Instant> {
        if !matches!(self.state, State::Ready) || self.connector.is_initiating() {
            return None;
        }
        self.sorts_in_use().into_iter().filter_map(|sort| self.privacy.own.deadline(sort)).min()
    }

    fn sorts_in_use(&self) -> Vec<OwnAddress> {
        let connecting = self.connector.own_address();
        let advertising = self.advertising.advertiser.own_addresses();
        let scanning = self.scan_address().map(Some);
        let wishes = connecting.into_iter().chain(advertising).chain(scanning);
        wishes.map(|wish| wish.unwrap_or(self.privacy.usual)).filter(|sort| sort.is_private()).collect()
    }

    fn list_support(&self) -> ListSupport {
        let info = self.info.as_ref();
        ListSupport {
            list: info.is_some_and(|info| info.features.ll_privacy()),
            privacy_mode: info.is_some_and(|info| info.supports(LeSetPrivacyMode::OPCODE)),
        }
    }

    /// The answer to a command of [`pump_privacy`](Self::pump_privacy).
    pub(super) fn on_privacy_answer(&mut self, opcode: Opcode, answer: Option<&[u8]>) {
        if opcode != LeSetRandomAddress::OPCODE {
            return self.privacy.list.on_command_result(opcode, answer);
        }
        let Some(address) = self.privacy.setting.take() else { return };
        match answer.and_then(|octets| octets.first()).map(|&status| ErrorCode(status)) {
            Some(ErrorCode::Success) => {
                self.privacy.register = address;
                self.end_loading();
            }
            status => self.refuse_address(opcode, status),
        }
    }

    /// The controller does not show the address that was asked for, and nothing that was to be private goes out under
    /// another.
    fn refuse_address(&mut self, opcode: Opcode, status: Option<ErrorCode>) {
        tracing::warn!(?status, "the controller does not take another random address");
        let error = match status {
            Some(status) => OpError::Controller { command: opcode, status },
            None => self.silent(opcode),
        };
        self.fail_loading(&error);
        while let Some(attempt) = self.connector.take_next() {
            self.done(attempt.key, Err(error.clone()));
        }
        let (scan, advertise) = match status {
            Some(status) => {
                (ScanFailure::Refused { opcode, status }, AdvertiseFailure::Refused { opcode, status })
            }
            None => (ScanFailure::Silent { opcode }, AdvertiseFailure::Silent { opcode }),
        };
        self.scanner.refuse(scan);
        if self.info.as_ref().is_some_and(|info| !info.extended) {
            self.advertising.advertiser.refuse(&advertise);
        }
    }
}

/// Reaching somebody by identity: the controller listens for him where it can resolve him, else the host does.
impl Host {
    /// Decides how the next attempt reaches its peer.
    fn direct_attempts(&mut self, now: Instant) {
        while let Some(attempt) = self.connector.next() {
            match self.privacy.list.resolves(attempt.address) {
                Some(call_it_identity) => {
                    attempt.dial = if call_it_identity { Dial::Identity } else { Dial::Address };
                    return;
                }
                None if matches!(attempt.dial, Dial::Heard(_)) => return,
                None if !self.privacy.resolver.knows(attempt.address) => return,
                None => {}
            }
            if let Some(attempt) = self.connector.take_next() {
                self.search(now, attempt);
            }
        }
    }

    /// Listens for a peer until it is heard under whatever address.
    pub(super) fn search(&mut self, now: Instant, mut attempt: Attempt<OpId>) {
        let op = attempt.key;
        attempt.end.get_or_insert(now + attempt.options.timeout);
        let coded = attempt.options.coded.then_some(ScanPhys::LE_CODED);
        let options = ScanOptions::new()
            .active(false)
            .phys(coded.map_or(ScanPhys::LE_1M, |coded| ScanPhys::LE_1M | coded))
            .duplicates(Duplicates::All)
            .filter(Filter::new().address(attempt.address).connectable(true));
        // The times of these options are those of every scan.
        if self.scanner.subscribe(op.0, options).is_ok() {
            self.privacy.searches.insert(op, attempt);
        }
    }

    pub(super) fn is_searching(&self, op: OpId) -> bool {
        self.privacy.searches.contains_key(&op)
    }

    /// The peer shows this address now.
    pub(super) fn on_found(&mut self, op: OpId, address: Address) {
        if let Some(attempt) = self.end_search(op) {
            self.connector.push(Attempt { dial: Dial::Heard(address), ..attempt });
        }
    }

    /// Stops listening for somebody.
    pub(super) fn end_search(&mut self, op: OpId) -> Option<Attempt<OpId>> {
        let attempt = self.privacy.searches.remove(&op)?;
        self.scanner.unsubscribe(op.0);
        if self.scanner.is_unsubscribed() {
            // What began in this scan will not end in the next.
            self.assembler.clear();
        }
        Some(attempt)
    }

    /// Those who listen for somebody.
    pub(super) fn searching(&self) -> impl Iterator<Item = OpId> {
        self.privacy.searches.keys().copied()
    }

    pub(super) fn is_searching_for(&self, address: Address) -> bool {
        self.privacy.searches.values().any(|attempt| attempt.address == address)
    }

    pub(super) fn search_deadline(&self) -> Option<Instant> {
        self.privacy.searches.values().filter_map(|attempt| attempt.end).min()
    }

    /// Ends the searches whose time is over.
    pub(super) fn end_late_searches(&mut self, now: Instant) {
        let late = |attempt: &&Attempt<OpId>| attempt.end.is_some_and(|end| end <= now);
        let late: Vec<_> = self.privacy.searches.values().filter(late).map(|attempt| attempt.key).collect();
        for op in late {
            if let Some(attempt) = self.end_search(op) {
                let late = OpError::ConnectTimeout { after: attempt.options.timeout };
                self.privacy.ended.push((op, late));
            }
        }
    }

    /// Gives a search up, if it is one.
    pub(super) fn cancel_search(&mut self, op: OpId) {
        if self.end_search(op).is_some() {
            self.privacy.ended.push((op, OpError::Cancelled));
        }
    }

    /// Tells those who listened for somebody in vain, once they leave the controller idle, or to others who scan.
    pub(super) fn tell_ended_searches(&mut self) {
        if self.scanner.is_idle() || !self.scanner.is_unsubscribed() {
            for (op, error) in std::mem::take(&mut self.privacy.ended) {
                self.done(op, Err(error));
            }
        }
    }
}
