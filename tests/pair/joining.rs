//! A user who asks for a pairing while another is in progress on the link: no second one is begun beside it.

use crate::common::*;
use baretooth::host::{
    ConnectionId, OpError, OpId, Output, PairingSummary, SecurityEvent, SecurityOptions, SecurityRequest,
};
use baretooth::smp::{
    Answer, By, IoCapability, Method, PairingFailedReason, PairingOptions, Prompt, PromptId,
};

const CENTRAL: usize = 0;
const PERIPHERAL: usize = 1;

/// Two hosts of which the peripheral has asked to pair, and the central's user is asked whether to. The link at the
/// central, the question, and the peripheral's request.
fn asked() -> (Crowd, ConnectionId, PromptId, OpId) {
    let mut crowd = Crowd::new(2);
    crowd.agent(CENTRAL);
    crowd.agent(PERIPHERAL);
    let shows = PairingOptions::new().io(IoCapability::DisplayYesNo);
    crowd.configure(PERIPHERAL, SecurityOptions::new().pairing(shows));
    let (central, peripheral) = crowd.link(CENTRAL, PERIPHERAL);
    let begins = crowd.submit(PERIPHERAL, pair(peripheral, PairingOptions::new()));
    crowd.until("a question", |crowd| question(crowd).is_some());
    let id = question(&crowd).expect("waited for");
    (crowd, central, id, begins)
}

fn question(crowd: &Crowd) -> Option<PromptId> {
    crowd.security_events(CENTRAL).into_iter().find_map(|event| match event {
        SecurityEvent::Prompt { id, prompt: Prompt::Consent, .. } => Some(id),
        _ => None,
    })
}

fn pair(connection: ConnectionId, options: PairingOptions) -> SecurityRequest {
    SecurityRequest::Pair { connection, options: Box::new(options) }
}

fn answer(crowd: &mut Crowd, connection: ConnectionId, prompt: PromptId, answer: Answer) {
    assert_eq!(crowd.ask(CENTRAL, SecurityRequest::Answer { connection, prompt, answer }), Ok(Output::Done));
}

fn summary(result: Result<Output, OpError>) -> PairingSummary {
    match result {
        Ok(Output::Paired(summary)) => summary,
        other => panic!("{other:?} of a pairing"),
    }
}

/// How many pairings there were on this side.
fn pairings(crowd: &Crowd) -> usize {
    let events = crowd.security_events(CENTRAL);
    events.iter().filter(|event| matches!(event, SecurityEvent::Paired { .. })).count()
}

#[test]
fn a_request_is_content_with_the_pairing_that_is_in_progress() {
    let (mut crowd, central, id, begins) = asked();
    let joins = crowd.submit(CENTRAL, pair(central, PairingOptions::new()));
    crowd.run(ms(500));
    assert_eq!(crowd.stations[CENTRAL].told.result(joins), None, "it waits");
    answer(&mut crowd, central, id, Answer::Yes);
    let (ours, theirs) = (summary(crowd.done(CENTRAL, joins)), summary(crowd.done(PERIPHERAL, begins)));
    assert_eq!((ours.method, theirs.method), (Method::JustWorks, Method::JustWorks));
    assert_eq!((pairings(&crowd), crowd.bonds(CENTRAL).len()), (1, 1));
}

#[test]
fn a_request_that_wants_more_pairs_anew_behind_it() {
    let (mut crowd, central, id, _) = asked();
    answer(&mut crowd, central, id, Answer::Yes);
    let protected = PairingOptions::new().io(IoCapability::DisplayYesNo).mitm(true);
    let paired = crowd.pair(CENTRAL, central, protected).expect("paired");
    assert_eq!((paired.method, paired.authenticated), (Method::NumericComparison, true));
    assert_eq!((pairings(&crowd), crowd.bonds(CENTRAL).len()), (2, 1));
}

#[test]
fn a_request_tries_by_itself_when_the_other_pairing_is_refused() {
    let (mut crowd, central, id, begins) = asked();
    let joins = crowd.submit(CENTRAL, pair(central, PairingOptions::new()));
    answer(&mut crowd, central, id, Answer::No);
    assert!(matches!(crowd.done(PERIPHERAL, begins), Err(OpError::Pairing(_))));
    // The peer has seen an attempt fail, and wants none so soon.
    match crowd.done(CENTRAL, joins) {
        Err(OpError::Pairing(error)) => {
            assert_eq!((error.reason, error.by), (PairingFailedReason::RepeatedAttempts, By::Peer));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_request_that_waits_is_given_up_alone() {
    let (mut crowd, central, id, begins) = asked();
    let joins = crowd.submit(CENTRAL, pair(central, PairingOptions::new()));
    crowd.cancel(CENTRAL, joins);
    assert_eq!(crowd.done(CENTRAL, joins), Err(OpError::Cancelled));
    answer(&mut crowd, central, id, Answer::Yes);
    assert_eq!(summary(crowd.done(PERIPHERAL, begins)).method, Method::JustWorks);
}

#[test]
fn a_second_request_is_refused_and_the_end_of_the_link_ends_the_one_that_waits() {
    let (mut crowd, central, _, _) = asked();
    let joins = crowd.submit(CENTRAL, pair(central, PairingOptions::new()));
    let second = crowd.ask(CENTRAL, pair(central, PairingOptions::new()));
    assert!(matches!(second, Err(OpError::Pairing(_))), "{second:?}");
    let reason = baretooth::hci::ErrorCode::RemoteUserTerminatedConnection;
    let end = baretooth::host::Request::Disconnect { connection: central, reason };
    assert_eq!(crowd.ask(CENTRAL, end), Ok(Output::Done));
    assert!(matches!(crowd.done(CENTRAL, joins), Err(OpError::Disconnected { .. })));
}
