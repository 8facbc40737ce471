//! Session: what there is.

use crate::message::Nothing;
use crate::message::error::RpcError;
use crate::message::session::Info;
use crate::session::Context;

pub(super) async fn info(context: &Context, _: Nothing) -> Result<Info, RpcError> {
    Ok(Info::of(context.session.adapter()))
}
