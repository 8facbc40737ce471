//! A peripheral's wish for other timing: by the controllers where both have the procedure for it
//! ([Vol 6] Part B, 5.1.7), else by asking the central's host ([Vol 3] Part A, 4.20).

use super::link::{Link, Out};
use super::phase::Wait;
use super::{Host, OpError, OpId};
use crate::Instant;
use crate::hci::{ConnectionHandle, ErrorCode, ParameterUnits, Role};
use crate::l2cap::ChannelId;
use crate::l2cap::signaling::{
    ConnectionParameterUpdateReq, ParameterUpdateResult, Signal, SignalingCommand,
};

/// What the central was asked for last.
#[derive(Debug, Default)]
pub(super) struct ParameterWish {
    units: Option<ParameterUnits>,
    /// Of our L2CAP request, as long as it is not answered.
    identifier: Option<u8>,
}

impl Host {
    /// Asks the central's host, where ours is the controller that lacks the procedure; `false` where it is to be told.
    pub(super) fn wish_parameters(
        &mut self,
        now: Instant,
        handle: ConnectionHandle,
        op: OpId,
        units: ParameterUnits,
    ) -> bool {
        let has_procedure = self.info.as_ref().is_some_and(|info| info.features.parameters_request());
        let asked = self.on_link(handle, |link, out| {
            link.wish.units = Some(units);
            if link.role == Role::Central || has_procedure {
                return false;
            }
            link.wait(now, op, Wait::Timing);
            link.request_parameters(units, out);
            true
        });
        asked.unwrap_or(false)
    }

    /// LE Connection Update Complete: whether the central's controller lacks the procedure, and its host was asked.
    pub(super) fn ask_instead(&mut self, handle: ConnectionHandle, status: ErrorCode) -> bool {
        let asked = self.on_link(handle, |link, out| match link.wish.units.take() {
            Some(units)
                if status == ErrorCode::UnsupportedRemoteFeature
                    && link.role == Role::Peripheral
                    && link.is_waiting(Wait::Timing) =>
            {
                link.request_parameters(units, out);
                true
            }
            _ => false,
        });
        asked.unwrap_or(false)
    }
}

impl Link {
    fn request_parameters(&mut self, units: ParameterUnits, out: &mut Out<'_>) {
        let identifier = self.channels.next_identifier();
        let request = ConnectionParameterUpdateReq {
            interval_min: units.interval_min,
            interval_max: units.interval_max,
            latency: units.latency,
            timeout: units.timeout,
        };
        self.wish.identifier = Some(identifier);
        self.send(ChannelId::Signaling, &SignalingCommand::from(request).to_bytes(identifier), out);
    }

    /// Takes the central's answer. When it grants what was asked for, its controller tells of the new timing.
    pub(super) fn on_parameter_answer(&mut self, payload: &[u8], out: &mut Out<'_>) -> bool {
        let Ok(signal) = Signal::parse(payload) else { return false };
        if self.wish.identifier != Some(signal.identifier) {
            return false;
        }
        let granted = match signal.command() {
            Ok(SignalingCommand::ConnectionParameterUpdateRsp(answer)) => {
                answer.result == ParameterUpdateResult::Accepted
            }
            Ok(SignalingCommand::CommandRejectRsp(_)) => false,
            // A request of the central's, whose identifiers are its own.
            _ => return false,
        };
        self.wish = ParameterWish::default();
        if !granted && let Some(op) = self.take_wait(Wait::Timing) {
            out.done(op, Err(OpError::ParametersRejected));
        }
        true
    }
}
