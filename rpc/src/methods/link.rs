//! Links: how they come, what they are and how they go.

use super::failed;
use crate::connections::Held;
use crate::message::error::{Kind, RpcError};
use crate::message::link::{ConnectParams, Connected, DisconnectParams, Mtu, Parameters, PhyChange};
use crate::message::{Identity, Nothing, PhyName};
use crate::session::{Context, Session};
use baretooth::{ConnectOptions, Error, ErrorCode};
use std::sync::Arc;
use std::time::Duration;

/// How long to try to connect.
const TIMEOUT: Duration = Duration::from_secs(30);

pub(super) async fn connect(context: &Context, params: ConnectParams) -> Result<Connected, RpcError> {
    let address = Identity { address: params.address, address_type: params.address_type }.address();
    let adapter = context.adapter();
    let connecting = adapter.connect_with(address, options(&params)?);
    let peer = connecting.await.map_err(|error| match error {
        Error::Invalid { .. } if adapter.connections().contains(&address) => {
            let exists = ErrorCode::ConnectionAlreadyExists;
            RpcError::failed(Kind::Hci, error.to_string()).with_code(Some(exists.0))
        }
        error => failed(error),
    })?;
    let (connected, held) = context.session.connected(peer, None).await;
    context.keep(held);
    Ok(connected)
}

fn options(params: &ConnectParams) -> Result<ConnectOptions, RpcError> {
    let own_address = params.own_address_type.unwrap_or_default().into();
    let timeout = params.timeout.map_or(TIMEOUT, |timeout| timeout.0);
    let mut options = ConnectOptions::new().timeout(timeout).own_address(own_address);
    let phys = params.phys.as_deref().unwrap_or(&[PhyName::Le1M]);
    if !phys.contains(&PhyName::Le1M) || phys.contains(&PhyName::Le2M) {
        let cause = "a peer is listened for on LE 1M, and on LE Coded beside it";
        return Err(RpcError::failed(Kind::Unsupported, cause));
    }
    options = options.coded(phys.contains(&PhyName::LeCoded));
    match params.mtu {
        Some(mtu) if (23..=517).contains(&mtu) => Ok(options.mtu(mtu)),
        Some(mtu) => Err(RpcError::invalid_params(format!("an mtu of {mtu} is not between 23 and 517"))),
        None => Ok(options),
    }
}

pub(super) async fn disconnect(context: &Context, params: DisconnectParams) -> Result<Nothing, RpcError> {
    let link = context.link(params.connection)?;
    let reason = params.reason.map_or(ErrorCode::RemoteUserTerminatedConnection, ErrorCode);
    link.peer().disconnect_with(reason).await.map_err(failed)?;
    Ok(Nothing {})
}

/// Tells what changes of a link.
pub(super) fn watch(session: &Arc<Session>, held: &Held) {
    let (session, link) = (session.clone(), held.clone());
    session.clone().spawn(async move {
        let mut last = link.peer().info();
        let mut changes = link.peer().info_changes();
        while let Some(info) = changes.next().await {
            if info.mtu != last.mtu {
                session.tell(&Mtu { connection: link.number(), mtu: info.mtu }).await;
            }
            if info.timing != last.timing {
                session.tell(&Parameters::of(link.number(), info.timing)).await;
            }
            if let Some(phys) = info.phys.filter(|_| info.phys != last.phys) {
                session.tell(&PhyChange::of(link.number(), phys)).await;
            }
            last = info;
        }
    });
}
