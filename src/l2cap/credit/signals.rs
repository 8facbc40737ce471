//! The peer's commands on the signalling channel, as far as they are about credit-based channels.

use super::channel::{Channel, Receiver, Sender, State};
use super::{
    ChannelOptions, CloseReason, CreditChannels, DYNAMIC, Event, LinkSecurity, MAX_MPS, MIN_ENHANCED,
    MIN_SIZE, MOST_AT_ONCE, MOST_SIGNALS, OpenFailure, PENDING_TIMEOUT, Pending, ReconfigureFailure,
    RejectReason, Request, Server, Servers, Violation, refuses_sizes,
};
use crate::Instant;
use crate::codec::{HexInt, Tail};
use crate::l2cap::signaling::{
    CreditBasedConnectionReq, CreditBasedConnectionRsp, CreditBasedReconfigureReq, CreditBasedReconfigureRsp,
    CreditConnectionResult, CreditConnectionsResult, DisconnectionReq, DisconnectionRsp,
    LeCreditBasedConnectionReq, LeCreditBasedConnectionRsp, ReconfigureResult, SIGNALING_MTU, Signal,
    SignalingCommand,
};

/// The peer's end of a channel, as it describes it.
struct Remote {
    cid: u16,
    mtu: u16,
    mps: u16,
    credits: u16,
}

impl CreditChannels {
    /// Takes the payload of a frame on the signalling channel. Whether it was about these channels and is done with:
    /// anything else (other commands, malformed ones, a disconnection of no channel) is for whoever answers those.
    pub fn handle_signal(
        &mut self,
        now: Instant,
        payload: &[u8],
        servers: &Servers,
        security: LinkSecurity,
    ) -> bool {
        if payload.len() > SIGNALING_MTU {
            return false;
        }
        let Ok(signal) = Signal::parse(payload) else { return false };
        let Ok(command) = signal.command() else { return false };
        let identifier = signal.identifier;
        if identifier == 0 {
            return false;
        }
        let request = matches!(
            command,
            SignalingCommand::LeCreditBasedConnectionReq(_)
                | SignalingCommand::CreditBasedConnectionReq(_)
                | SignalingCommand::CreditBasedReconfigureReq(_)
                | SignalingCommand::DisconnectionReq(_)
        );
        if request && self.signals.len() >= MOST_SIGNALS {
            tracing::warn!("a request for a channel is dropped: the peer asks faster than it listens");
            return true;
        }
        match command {
            SignalingCommand::LeCreditBasedConnectionReq(it) => {
                self.on_connection_request(identifier, &it, servers, security);
            }
            SignalingCommand::CreditBasedConnectionReq(it) => {
                self.on_enhanced_request(identifier, &it, signal.data.len(), servers, security);
            }
            SignalingCommand::CreditBasedReconfigureReq(it) => self.on_reconfigure_request(identifier, &it),
            SignalingCommand::DisconnectionReq(it) => return self.on_disconnection_request(identifier, &it),
            SignalingCommand::LeCreditBasedConnectionRsp(it) => {
                self.on_connection_response(now, identifier, &it);
            }
            SignalingCommand::CreditBasedConnectionRsp(it) => {
                self.on_enhanced_response(now, identifier, &it);
            }
            SignalingCommand::CreditBasedReconfigureRsp(it) => {
                self.on_reconfigure_response(identifier, it.result);
            }
            SignalingCommand::DisconnectionRsp(it) => self.on_disconnection_response(identifier, &it),
            SignalingCommand::FlowControlCreditInd(it) => self.on_credits(now, it.cid.0, it.credits),
            SignalingCommand::CommandRejectRsp(it) => self.on_reject(identifier, it.reason),
            _ => return false,
        }
        true
    }

    fn on_connection_request(
        &mut self,
        identifier: u8,
        request: &LeCreditBasedConnectionReq,
        servers: &Servers,
        security: LinkSecurity,
    ) {
        let remote = Remote {
            cid: request.source_cid.0,
            mtu: request.mtu,
            mps: request.mps,
            credits: request.initial_credits,
        };
        let spsm = request.spsm.0;
        let accepted = match servers.judge(spsm, false, security) {
            Err(refusal) => Err(refusal),
            Ok(_) if !remote.has_sizes(MIN_SIZE) => Err(CreditConnectionResult::UnacceptableParameters),
            Ok(server) => self.accept(spsm, server, server.options, &remote, false),
        };
        let response = match accepted {
            Ok((cid, options)) => LeCreditBasedConnectionRsp {
                destination_cid: HexInt(cid),
                mtu: options.mtu,
                mps: options.mps,
                initial_credits: options.credits,
                result: CreditConnectionResult::ConnectionSuccessful,
            },
            Err(result) => LeCreditBasedConnectionRsp {
                destination_cid: HexInt(0),
                mtu: 0,
                mps: 0,
                initial_credits: 0,
                result,
            },
        };
        self.reply(identifier, response.into());
    }

    fn on_enhanced_request(
        &mut self,
        identifier: u8,
        request: &CreditBasedConnectionReq<'_>,
        length: usize,
        servers: &Servers,
        security: LinkSecurity,
    ) {
        let spsm = request.spsm.0;
        // Bounded by the signalling MTU.
        let sources: Vec<u16> = request.source_cids.iter().map(|cid| cid.0).collect();
        let remote =
            |cid| Remote { cid, mtu: request.mtu, mps: request.mps, credits: request.initial_credits };
        let valid = (1..=MOST_AT_ONCE).contains(&sources.len())
            && length.is_multiple_of(2)
            && remote(0).has_sizes(MIN_ENHANCED)
            && request.initial_credits > 0;
        let (mut result, mut destinations) = (CreditConnectionsResult::AllSuccessful, Vec::new());
        let mut options = ChannelOptions { mtu: 0, mps: 0, credits: 0 };
        match servers.judge(spsm, true, security) {
            // The numbers of the two variants are the same.
            Err(refusal) => result = CreditConnectionsResult(refusal.0),
            Ok(_) if !valid => result = CreditConnectionsResult::AllRefusedInvalidParameters,
            Ok(server) => {
                options = server.options.at_least(MIN_ENHANCED);
                for &source in &sources {
                    match self.accept(spsm, server, options, &remote(source), true) {
                        Ok((cid, _)) => destinations.push(HexInt(cid)),
                        Err(refusal) => {
                            result = CreditConnectionsResult(refusal.0);
                            destinations.push(HexInt(0));
                        }
                    }
                }
            }
        }
        destinations.resize(sources.len().min(MOST_AT_ONCE), HexInt(0));
        let response = CreditBasedConnectionRsp {
            mtu: options.mtu,
            mps: options.mps,
            initial_credits: options.credits,
            result,
            destination_cids: Tail::new(&destinations),
        };
        self.reply(identifier, response.into());
    }

    /// A channel that the peer asks for, where nothing is wrong with its CID and there is room.
    fn accept(
        &mut self,
        spsm: u16,
        server: &Server,
        options: ChannelOptions,
        remote: &Remote,
        enhanced: bool,
    ) -> Result<(u16, ChannelOptions), CreditConnectionResult> {
        if !DYNAMIC.contains(&remote.cid) {
            return Err(CreditConnectionResult::InvalidSourceCid);
        }
        if self.at_peer(remote.cid).is_some() {
            return Err(CreditConnectionResult::SourceCidAlreadyAllocated);
        }
        let served = self.channels.values().filter(|it| it.by_peer && it.spsm == spsm).count();
        if served >= server.most {
            return Err(CreditConnectionResult::NoResourcesAvailable);
        }
        let channel = Channel {
            serial: 0,
            spsm,
            remote: Some(remote.cid),
            enhanced,
            by_peer: true,
            state: State::Open,
            sender: Sender::new(remote.mtu, remote.mps, remote.credits),
            receiver: Receiver::new(&options),
        };
        let cid = self.insert(channel).ok_or(CreditConnectionResult::NoResourcesAvailable)?;
        self.tell(cid, |channel| Event::Opened { channel, spsm, by_peer: true, mtu: remote.mtu });
        Ok((cid, options))
    }

    fn on_connection_response(
        &mut self,
        now: Instant,
        identifier: u8,
        response: &LeCreditBasedConnectionRsp,
    ) {
        let Some(&Pending { what: Request::Open(cid), .. }) = self.pending.get(&identifier) else { return };
        self.pending.remove(&identifier);
        if response.result != CreditConnectionResult::ConnectionSuccessful {
            return self.refuse(cid, OpenFailure::Refused(response.result));
        }
        let remote = Remote {
            cid: response.destination_cid.0,
            mtu: response.mtu,
            mps: response.mps,
            credits: response.initial_credits,
        };
        self.opened(now, cid, &remote, MIN_SIZE);
    }

    fn on_enhanced_response(
        &mut self,
        now: Instant,
        identifier: u8,
        response: &CreditBasedConnectionRsp<'_>,
    ) {
        let Some(pending) = self.pending.get_mut(&identifier) else { return };
        let Request::OpenEnhanced(cids) = &pending.what else { return };
        let cids = cids.clone();
        if matches!(
            response.result,
            CreditConnectionsResult::AllPendingNoFurtherInformationAvailable
                | CreditConnectionsResult::AllPendingAuthenticationPending
                | CreditConnectionsResult::AllPendingAuthorizationPending
        ) {
            // Once: a peer that says so for ever does not keep CIDs for ever.
            if !pending.extended {
                pending.extended = true;
                pending.deadline = now + PENDING_TIMEOUT;
            }
            return;
        }
        self.pending.remove(&identifier);
        // What the result says of all is true of all, whatever CIDs stand behind it.
        let some = matches!(
            response.result,
            CreditConnectionsResult::AllSuccessful
                | CreditConnectionsResult::SomeRefusedInsufficientResourcesAvailable
                | CreditConnectionsResult::SomeRefusedInvalidSourceCid
                | CreditConnectionsResult::SomeRefusedSourceCidAlreadyAllocated
        );
        let mut destinations = response.destination_cids.iter().map(|cid| cid.0);
        for cid in cids {
            match destinations.next().filter(|&destination| some && destination != 0) {
                Some(destination) => {
                    let remote = Remote {
                        cid: destination,
                        mtu: response.mtu,
                        mps: response.mps,
                        credits: response.initial_credits,
                    };
                    self.opened(now, cid, &remote, MIN_ENHANCED);
                }
                None if response.result == CreditConnectionsResult::AllSuccessful => {
                    self.refuse(cid, OpenFailure::InvalidResponse);
                }
                None => {
                    self.refuse(cid, OpenFailure::EnhancedRefused(response.result));
                }
            }
        }
    }

    /// The peer says that a channel of ours is open.
    fn opened(&mut self, now: Instant, cid: u16, remote: &Remote, least: u16) {
        if let Some(other) = self.at_peer(remote.cid) {
            // Nobody can tell what belongs to which ([Vol 3] Part A, 4.26).
            self.refuse(cid, OpenFailure::InvalidResponse);
            if self.channels.get(&other).is_some_and(|it| it.state == State::Open) {
                self.fail(now, other, Violation::CidTwice);
            }
            return;
        }
        if !DYNAMIC.contains(&remote.cid) {
            return self.refuse(cid, OpenFailure::InvalidResponse);
        }
        let Some(it) = self.channels.get_mut(&cid) else { return };
        it.remote = Some(remote.cid);
        if it.state == State::Abandoned {
            return self.disconnect(now, cid, None);
        }
        if !remote.has_sizes(least) {
            self.tell(cid, |channel| Event::Refused { channel, reason: OpenFailure::InvalidResponse });
            return self.disconnect(now, cid, None);
        }
        it.state = State::Open;
        it.sender = Sender::new(remote.mtu, remote.mps, remote.credits);
        let spsm = it.spsm;
        self.tell(cid, |channel| Event::Opened { channel, spsm, by_peer: false, mtu: remote.mtu });
    }

    /// The CIDs of the request are the peer's own names.
    fn on_reconfigure_request(&mut self, identifier: u8, request: &CreditBasedReconfigureReq<'_>) {
        let remotes: Vec<u16> = request.destination_cids.iter().map(|cid| cid.0).collect();
        let ours: Vec<u16> = remotes
            .iter()
            .filter_map(|&remote| self.at_peer(remote))
            .filter(|cid| self.channels.get(cid).is_some_and(|it| it.enhanced && it.state == State::Open))
            .collect();
        let sizes: Vec<_> = ours
            .iter()
            .filter_map(|cid| self.channels.get(cid))
            .map(|it| (it.sender.mtu, it.sender.mps))
            .collect();
        let valid = (1..=MOST_AT_ONCE).contains(&remotes.len())
            && request.mtu >= MIN_ENHANCED
            && (MIN_ENHANCED..=MAX_MPS).contains(&request.mps);
        let result = if !valid {
            ReconfigureResult::OtherUnacceptableParameters
        } else if ours.len() < remotes.len() {
            ReconfigureResult::OneOrMoreDestinationCidsInvalid
        } else if let Some(refused) = refuses_sizes(&sizes, request.mtu, request.mps) {
            refused
        } else {
            for cid in ours {
                if let Some(it) = self.channels.get_mut(&cid) {
                    it.sender.mtu = request.mtu;
                    it.sender.mps = request.mps;
                }
                self.tell(cid, |channel| Event::PeerReconfigured { channel, mtu: request.mtu });
            }
            ReconfigureResult::ReconfigurationSuccessful
        };
        self.reply(identifier, CreditBasedReconfigureRsp { result }.into());
    }

    fn on_reconfigure_response(&mut self, identifier: u8, result: ReconfigureResult) {
        if !matches!(self.pending.get(&identifier), Some(Pending { what: Request::Reconfigure { .. }, .. })) {
            return;
        }
        let Some(Pending { what: Request::Reconfigure { channels, mps }, .. }) =
            self.pending.remove(&identifier)
        else {
            return;
        };
        let result = if result == ReconfigureResult::ReconfigurationSuccessful {
            for &channel in &channels {
                if let Some(it) = self.get_mut(channel) {
                    it.receiver.mps = mps;
                }
            }
            Ok(())
        } else {
            Err(ReconfigureFailure::Refused(result))
        };
        self.events.push_back(Event::Reconfigured { channels, result });
    }

    /// `false` for a channel that is none of ours: an answer is due, and it is not ours to give.
    fn on_disconnection_request(&mut self, identifier: u8, request: &DisconnectionReq) -> bool {
        let cid = request.destination_cid.0;
        let Some(it) = self.channels.get(&cid).filter(|it| it.state != State::Ended) else { return false };
        if it.remote != Some(request.source_cid.0) {
            return true; // dropped without a word ([Vol 3] Part A, 4.6)
        }
        let (destination_cid, source_cid) = (request.destination_cid, request.source_cid);
        self.reply(identifier, DisconnectionRsp { destination_cid, source_cid }.into());
        // Both may ask at once; the peer will answer ours too, and nobody waits for that any more.
        self.pending.retain(|_, pending| !matches!(pending.what, Request::Disconnect(of) if of == cid));
        self.end(cid, CloseReason::Peer);
        true
    }

    fn on_disconnection_response(&mut self, identifier: u8, response: &DisconnectionRsp) {
        let Some(&Pending { what: Request::Disconnect(cid), .. }) = self.pending.get(&identifier) else {
            return;
        };
        let remote = self.channels.get(&cid).and_then(|it| it.remote);
        if response.source_cid.0 == cid && Some(response.destination_cid.0) == remote {
            self.pending.remove(&identifier);
            self.end(cid, CloseReason::Local);
        }
    }

    /// The CID of the indication is the peer's own name. No credits at all do nothing ([Vol 3] Part A, 10.1).
    fn on_credits(&mut self, now: Instant, remote: u16, credits: u16) {
        let Some(cid) = self.at_peer(remote) else { return };
        let Some(it) = self.channels.get_mut(&cid).filter(|it| it.state == State::Open) else { return };
        if let Err(violation) = it.sender.on_credits(credits) {
            self.fail(now, cid, violation);
        }
    }

    fn on_reject(&mut self, identifier: u8, reason: RejectReason) {
        if let Some(pending) = self.pending.remove(&identifier) {
            let open = OpenFailure::Rejected(reason);
            self.unanswered(pending.what, open, ReconfigureFailure::Rejected(reason));
        }
    }

    /// Our CID of the channel that the peer calls so.
    fn at_peer(&self, remote: u16) -> Option<u16> {
        self.channels.iter().find(|(_, it)| it.is_at_peer(remote)).map(|(&cid, _)| cid)
    }

    fn reply(&mut self, identifier: u8, command: SignalingCommand<'_>) {
        self.signals.push_back(command.to_bytes(identifier));
    }
}

impl Remote {
    fn has_sizes(&self, least: u16) -> bool {
        self.mtu >= least && (least..=MAX_MPS).contains(&self.mps)
    }
}
