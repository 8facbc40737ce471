//! Channels between the host and those who hold them.

use super::Task;
use crate::driver::channels::{ChannelEnd, ChannelMessage, OpenReply};
use crate::driver::routes::Waiter;
use crate::driver::{Failure, Ticket};
use crate::host::{ChannelEvent, ChannelRequest, ConnectionId, OpError, OpenedChannel, Output, Request};
use crate::l2cap::credit::{ChannelKey, OpenFailure};

impl Task {
    pub(super) fn take_channel_message(&mut self, message: ChannelMessage) {
        let now = self.now();
        match message {
            ChannelMessage::Listen { ticket, spsm, server, accepted, reply } => {
                // Before the host's answer, so that whoever gives it up meanwhile is found.
                self.channels.listen(spsm, ticket, accepted);
                let request = Request::Channel(ChannelRequest::Listen { spsm, server });
                let op = self.host.submit(now, request);
                self.requests.add(op, ticket, Waiter::Listener(reply));
            }
            ChannelMessage::StopListening { ticket } => {
                if let Some(spsm) = self.channels.stop_listening(ticket) {
                    self.host.submit(now, Request::Channel(ChannelRequest::StopListening { spsm }));
                }
            }
            ChannelMessage::Open { ticket, connection, request, reply } => {
                let op = self.host.submit(now, Request::Channel(request));
                self.requests.add(op, ticket, Waiter::Channels { connection, reply });
            }
            ChannelMessage::Room { connection, key } => {
                self.channels.bring(now, connection, key, &mut self.host);
            }
            ChannelMessage::Release { connection, key } => self.release_channel(connection, key),
        }
    }

    pub(super) fn bring_channel_event(&mut self, event: ChannelEvent) {
        let now = self.now();
        match event {
            ChannelEvent::Opened { connection, spsm, channel } => {
                let link = self.states.get(&connection).cloned();
                if !link.is_some_and(|link| self.channels.accept(link, spsm, channel)) {
                    self.release_channel(connection, channel.key);
                }
            }
            ChannelEvent::Received { connection, channel } => {
                self.channels.bring(now, connection, channel, &mut self.host);
            }
            ChannelEvent::PeerReconfigured { connection, channel, mtu } => {
                self.channels.on_reconfigured(connection, channel, mtu);
            }
            ChannelEvent::Closed { connection, channel, reason, unread } => {
                self.channels.on_closed(now, connection, channel, (reason, unread), &mut self.host);
            }
        }
    }

    /// A request for channels is over; those that nobody waits for any more are closed.
    pub(super) fn on_channels_opened(
        &mut self,
        connection: ConnectionId,
        ticket: Ticket,
        reply: OpenReply,
        result: Result<Output, OpError>,
    ) {
        let mut end = |opened: OpenedChannel| self.channels.add(connection, opened, Some(ticket));
        let ends: Result<Vec<Result<ChannelEnd, OpenFailure>>, _> = match result {
            Ok(Output::Channel(opened)) => Ok(vec![Ok(end(opened))]),
            Ok(Output::Channels(results)) => Ok(results.into_iter().map(|it| it.map(&mut end)).collect()),
            Ok(_) => Err(Failure::Closed),
            Err(error) => Err(Failure::Op(error)),
        };
        if reply.send(ends).is_err() {
            self.release_channels_of(ticket);
        }
    }

    /// Closes the channels that a request has opened, which nobody wants.
    pub(super) fn release_channels_of(&mut self, ticket: Ticket) {
        for (connection, key) in self.channels.of(ticket) {
            self.release_channel(connection, key);
        }
    }

    fn release_channel(&mut self, connection: ConnectionId, channel: ChannelKey) {
        self.channels.remove(connection, channel);
        let now = self.now();
        self.host.submit(now, Request::Channel(ChannelRequest::Close { connection, channel }));
    }
}
