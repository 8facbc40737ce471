//! `wait`: lets some time pass, for scripts that subscribe.

use crate::failure::Failure;
use crate::target::seconds;
use std::time::Duration;

#[derive(Debug, clap::Args)]
pub struct Wait {
    /// For how long
    #[arg(value_name = "SECONDS", value_parser = seconds)]
    time: Duration,
}

pub async fn run(args: Wait) -> Result<(), Failure> {
    tokio::time::sleep(args.time).await;
    Ok(())
}
