//! `read`: one value, however long.

use crate::failure::Failure;
use crate::global::Global;
use crate::output::hex;
use crate::target::{CharName, Found, PeerArgs, uuid_at};
use crate::value::Format;
use baretooth::ErrorKind;
use serde::Serialize;

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    peer: PeerArgs,
    /// A UUID (2a19), a standard name (battery_level), or a handle (0x0015)
    #[arg(value_name = "CHAR")]
    characteristic: CharName,
    #[command(flatten)]
    format: Format,
}

#[derive(Serialize)]
struct Value {
    r#type: &'static str,
    handle: u16,
    uuid: Option<String>,
    value: String,
}

pub async fn run(global: &Global, args: Args) -> Result<(), Failure> {
    let (found, value) = global
        .session(async |adapter| {
            let peer = args.peer.connect(global, adapter).await?;
            let mut found = args.characteristic.locate(global, &peer).await?;
            let value = peer.read(found).await?;
            if found.uuid.is_none() {
                found.uuid = match global.discover(&peer).await {
                    Ok(services) => uuid_at(&services, found.handle),
                    // The value is there: a table that cannot be read costs its name only.
                    Err(error) if matches!(error.kind(), ErrorKind::Att | ErrorKind::Gatt) => None,
                    Err(error) => return Err(error.into()),
                };
            }
            Ok((found, value))
        })
        .await?;
    let mut output = global.output();
    if output.is_json() {
        let Found { handle, uuid } = found;
        let uuid = uuid.map(|uuid| uuid.to_string());
        output.object(&Value { r#type: "value", handle, uuid, value: hex(&value) })?;
    } else {
        output.line(format_args!("{found}: {}", args.format.show(&value)))?;
    }
    Ok(output.flush()?)
}
