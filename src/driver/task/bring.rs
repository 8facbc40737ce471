//! What the host tells, brought to whoever waits for it.

use super::{PATIENCE, Task};
use crate::driver::routes::Waiter;
use crate::driver::{Begun, Failure, LinkState, RecoveryEvent};
use crate::hci::ErrorCode;
use crate::host::{
    ConnectionId, ConnectionInfo, Event, Fault, IndicationId, OpError, OpId, Output, Request, Rung, Sighting,
};
use bytes::Bytes;
use std::sync::Arc;
use std::sync::atomic::Ordering;

impl Task {
    /// Brings what the host has to say to whoever waits for it; whether a request was answered.
    pub(super) async fn bring_events(&mut self) -> Result<bool, Failure> {
        let mut answered = false;
        while let Some(event) = self.host.poll_event() {
            match event {
                Event::OpDone { op, result } => {
                    answered = true;
                    self.on_done(op, result);
                }
                Event::ScanStarted { op } => {
                    if let Some(reader) = self.requests.scan(op) {
                        reader.on_started();
                    }
                }
                Event::AdvertisingStarted { op, tx_power, address } => {
                    if let Some(reader) = self.requests.advertisement(op) {
                        reader.on_started(Begun { tx_power, address }, &self.advertising);
                    }
                }
                Event::ScanRequested { op, scanner } => {
                    if let Some(reader) = self.requests.advertisement(op) {
                        let _ = reader.scanners.try_send(scanner);
                    }
                }
                Event::Heard { op, sighting } => self.bring_sighting(op, sighting).await,
                Event::Value { connection, handle, value, indication } => {
                    self.bring_value(connection, handle, value, indication).await;
                }
                Event::Connected(info) => self.on_connected(info),
                Event::Disconnected { connection, reason } => {
                    self.on_disconnected(connection, reason, self.fault.clone().map(Failure::Op));
                }
                Event::Mtu { connection, mtu } => {
                    if let Some(state) = self.states.get(&connection) {
                        state.update(|info| info.mtu = mtu);
                    }
                }
                Event::Timing { connection, timing } => {
                    if let Some(state) = self.states.get(&connection) {
                        state.update(|info| info.timing = timing);
                    }
                }
                Event::Ready(controller) => {
                    if self.started.is_some() {
                        self.load_bonds(*controller).await?;
                    }
                    if self.fault.take().is_some() {
                        let _ = self.recoveries.send(RecoveryEvent::Recovered);
                    }
                }
                Event::Fault { fault, then } => {
                    self.reopen = then.filter(|rung| *rung != Rung::Reset);
                    self.fault = Some(OpError::ControllerFailed { fault: fault.clone(), then });
                    // Nobody may listen.
                    let _ = self.recoveries.send(RecoveryEvent::Failed { fault, then });
                }
                Event::Failed(error) => return Err(self.failure(error)),
                Event::Server(event) => self.bring_from_client(event).await,
                Event::Channel(event) => self.bring_channel_event(event),
                Event::Security(event) => self.on_security_event(event),
                Event::Phy { connection, tx, rx } => {
                    if let Some(state) = self.states.get(&connection) {
                        state.update(|info| info.phys = Some((tx, rx)));
                    }
                }
                Event::Unknown(_) => {}
            }
        }
        Ok(answered)
    }

    fn on_done(&mut self, op: OpId, result: Result<Output, OpError>) {
        match self.requests.take(op) {
            Some((ticket, Waiter::Reply(reply))) => {
                if let Ok(Output::Connected(info)) = &result {
                    self.made.insert(ticket, info.connection);
                }
                let _ = reply.send(result.map_err(|error| self.failure(error)));
            }
            Some((_, Waiter::Scan(reader))) => {
                let error = result.err().unwrap_or(OpError::Cancelled);
                reader.fail(self.failure(error));
            }
            Some((ticket, Waiter::Listener(reply))) => {
                if result.is_err() {
                    self.channels.stop_listening(ticket);
                }
                let _ = reply.send(result.map_err(|error| self.failure(error)));
            }
            Some((ticket, Waiter::Channels { connection, reply })) => {
                self.on_channels_opened(connection, ticket, reply, result);
            }
            Some((_, Waiter::Kept { reply, peer })) => {
                self.pairings.end_of(op);
                match result {
                    Ok(output) => self.when_kept(peer, reply, output),
                    Err(error) => drop(reply.send(Err(self.failure(error)))),
                }
            }
            Some((_, Waiter::Advertise(reader))) => {
                reader.end(result.map_err(|error| self.failure(error)));
            }
            None if self.loading.take_if(|loading| *loading == op).is_some() => self.on_loaded(result),
            None => {}
        }
    }

    /// What the host says of a transport that could not be opened, it has from here.
    pub(super) fn failure(&self, error: OpError) -> Failure {
        match (&error, &self.not_opened) {
            (OpError::ControllerFailed { fault: Fault::NotOpened(_), .. }, Some(why)) => {
                Failure::Transport(why.clone())
            }
            _ => Failure::Op(error),
        }
    }

    async fn bring_sighting(&mut self, op: OpId, sighting: Box<Sighting>) {
        let Some(reader) = self.requests.scan(op) else { return };
        if reader.sightings.capacity() == 0 {
            // Let a reader on this thread run; advertisers come again, so there is no waiting for one that does not.
            tokio::task::yield_now().await;
        }
        if reader.sightings.try_send(Ok(sighting)).is_err() {
            reader.missed.fetch_add(1, Ordering::Relaxed);
        }
    }

    async fn bring_value(
        &mut self,
        connection: ConnectionId,
        handle: u16,
        value: Bytes,
        indication: Option<IndicationId>,
    ) {
        if indication.is_none()
            && let Some(queue) = self.readers.full(connection, handle)
        {
            // A reader that is running makes room now; one that is not costs this wait once.
            if tokio::time::timeout(PATIENCE, queue.reserve()).await.is_err() {
                self.readers.give_up_on_full(connection, handle);
            }
        }
        if let Some(state) = self.states.get(&connection)
            && state.service_changed.is_at(handle)
        {
            state.service_changed.on_value(&value);
        }
        if self.readers.deliver(connection, handle, &value, indication) {
            self.confirm(connection, indication);
        }
    }

    /// Indications have reached all their readers.
    pub(super) fn confirm(
        &mut self,
        connection: ConnectionId,
        indications: impl IntoIterator<Item = IndicationId>,
    ) {
        let now = self.now();
        for id in indications {
            self.host.submit(now, Request::Confirm { connection, indication: Some(id) });
        }
    }

    fn on_connected(&mut self, info: ConnectionInfo) {
        self.states.insert(info.connection, Arc::new(LinkState::new(info)));
        self.publish();
    }

    pub(super) fn on_disconnected(
        &mut self,
        connection: ConnectionId,
        reason: ErrorCode,
        cause: Option<Failure>,
    ) {
        // Whoever waits for the end of the link finds that all that was asked of it has ended, and whoever reads its values,
        // why they end.
        if let Some(result) = self.pairings.take_agents(connection) {
            let _ = result.send(Err(Failure::Op(OpError::Disconnected { reason })));
        }
        if let Some(state) = self.states.remove(&connection) {
            if let Some(cause) = cause {
                let _ = state.cause.set(cause);
            }
            state.down.send_replace(Some(reason));
        }
        self.readers.remove_link(connection);
        self.made.retain(|_, made| *made != connection);
        self.publish();
    }

    fn publish(&self) {
        self.links.send_replace(self.states.values().cloned().collect());
    }
}
