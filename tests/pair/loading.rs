//! A host that is told who it was, by a controller that may have something against it.

use crate::common::*;
use baretooth::host::{HostConfig, OpError, OpId, Output, SecurityRequest};
use baretooth::{BdAddr, ErrorCode, OwnAddress};
use std::time::Duration;

const SET_RANDOM_ADDRESS: u16 = 0x2005;
const KEPT: BdAddr = BdAddr([1, 2, 3, 4, 5, 0xC6]);

fn load(script: &mut Script, random_address: BdAddr) -> OpId {
    let mut identity = script.host.identity();
    identity.random_address = random_address;
    script.submit(SecurityRequest::Load { identity, bonds: Vec::new() }.into())
}

fn loaded(config: HostConfig, address: Option<BdAddr>) -> (Result<Output, OpError>, Vec<u16>) {
    let mut script = Script::with(config);
    let address = address.unwrap_or(script.host.identity().random_address);
    let op = load(&mut script, address);
    (script.result(op), script.commands())
}

#[test]
fn the_address_that_was_kept_is_given_to_the_controller_where_it_is_shown() {
    assert_eq!(loaded(config(1), Some(KEPT)), (Ok(Output::Done), vec![SET_RANDOM_ADDRESS]));
    assert_eq!(loaded(config(1), None), (Ok(Output::Done), vec![]), "it has it");
    let public = || config(1).own_address(OwnAddress::Public);
    assert_eq!(loaded(public(), Some(KEPT)), (Ok(Output::Done), vec![]));
}

#[test]
fn a_controller_that_does_not_take_the_address_that_was_kept_fails_the_request() {
    let mut script = Script::new();
    script.refuses.push((SET_RANDOM_ADDRESS, 0x0C));
    let op = load(&mut script, KEPT);
    let Err(OpError::Controller { command, status }) = script.result(op) else { panic!("it was refused") };
    assert_eq!((command.0, status), (SET_RANDOM_ADDRESS, ErrorCode::CommandDisallowed));
    script.run(Duration::from_secs(60));
    assert_eq!(script.commands(), [SET_RANDOM_ADDRESS], "not again");
}

#[test]
fn an_address_that_cannot_be_ours_is_refused_here() {
    let (result, sent) = loaded(config(1), Some(BdAddr([1, 2, 3, 4, 5, 0x46])));
    assert!(matches!(result, Err(OpError::Invalid(_))), "{result:?}");
    assert!(sent.is_empty());
}

#[test]
fn a_controller_that_is_reset_meanwhile_has_the_address_from_its_initialisation() {
    let mut script = Script::new();
    script.answers = false;
    let op = load(&mut script, KEPT);
    assert!(!script.is_done(op));
    script.run(Duration::from_secs(1));
    script.answers = true;
    script.run(Duration::from_secs(5));
    assert_eq!(script.result(op), Ok(Output::Done));
    assert_eq!(script.host.controller().map(|info| info.random_address.bd_addr), Some(KEPT));
}
