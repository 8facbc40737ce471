//! Every future and handle of a pairing, dropped where it waits.

use super::*;
use baretooth::{Agent, Peer};

/// Both sides pair, and their people see the same number; by which method.
async fn pair_by_numbers(peer: &Peer, agent: &mut Agent) -> Method {
    let people = People::new();
    let (began, answered) =
        tokio::join!(go_through(peer.pair_with(options(YES_NO)), people.clone()), async {
            go_through(agent.next().await.expect("open"), people.clone()).await
        });
    answered.expect("paired");
    began.expect("paired").method
}

#[tokio::test(start_paused = true)]
async fn a_dropped_pairing_is_given_up_and_the_next_one_works() {
    let two = two().await;
    let mut agent = two.peripheral.agent(options(YES_NO));
    // Each time a little later, into every step of it.
    for step in 0..12 {
        let mut pairing = two.peer.pair_with(options(YES_NO));
        let _ = tokio::time::timeout(ms(step * 13), pairing.next()).await;
        drop(pairing);
        tokio::time::sleep(secs(600)).await;
        // What the agent has heard of, has an end.
        while let Ok(Some(mut begun)) = tokio::time::timeout(ms(1), agent.next()).await {
            let end = tokio::time::timeout(secs(1), begun.finish()).await.expect("it is over");
            assert!(end.is_err(), "{end:?}");
        }
        assert!(two.peer.is_connected(), "step {step}");
    }
    pair_by_numbers(&two.peer, &mut agent).await;
}

#[tokio::test(start_paused = true)]
async fn a_pairing_that_is_given_up_from_outside_ends_once_at_both_sides() {
    let two = two().await;
    let mut agent = two.peripheral.agent(options(YES_NO));
    for step in 0..12 {
        let cancel = Cancel::new();
        let mut pairing = two.peer.until(&cancel).pair_with(options(YES_NO));
        let give_up = async {
            tokio::time::sleep(ms(step * 13)).await;
            cancel.cancel();
        };
        // Our user sees the number, and is given up on.
        let end = async {
            let prompt = pairing.next().await;
            let end = pairing.finish().await;
            drop(prompt);
            end
        };
        let (end, ()) = tokio::join!(end, give_up);
        assert_eq!(end.expect_err("given up").kind(), ErrorKind::Cancelled, "step {step}");
        tokio::time::sleep(secs(600)).await;
        while let Ok(Some(mut begun)) = tokio::time::timeout(ms(1), agent.next()).await {
            begun.finish().await.expect_err("the peer was told");
        }
        assert!(two.peer.is_connected(), "step {step}");
    }
    pair_by_numbers(&two.peer, &mut agent).await;
}

#[tokio::test(start_paused = true)]
async fn a_pairing_begun_in_the_same_breath_as_another_is_dropped_has_its_own_prompts() {
    let two = two().await;
    let mut agent = two.central.agent(options(YES_NO));
    // As the peripheral: the central is asked, and hears nothing of our giving up.
    drop(two.accepted.pair_with(options(YES_NO)));
    let method = pair_by_numbers(&two.accepted, &mut agent).await;
    assert_eq!(method, Method::NumericComparison);
}

#[tokio::test(start_paused = true)]
async fn a_prompt_that_is_dropped_is_refused_on_either_side() {
    for ours in [true, false] {
        let two = two().await;
        let mut agent = two.peripheral.agent(options(YES_NO));
        let answers = |answers: bool, mut pairing: Pairing| async move {
            while let Some(prompt) = pairing.next().await {
                match prompt {
                    Prompt::ConfirmNumber(_, answer) if answers => answer.yes(),
                    _ => {}
                }
            }
            pairing.finish().await
        };
        let (began, answered) = tokio::join!(answers(!ours, two.peer.pair_with(options(YES_NO))), async {
            answers(ours, agent.next().await.expect("open")).await
        });
        for result in [began, answered] {
            let Err(Error::Pairing { source, .. }) = &result else { panic!("{result:?}") };
            assert_eq!(source.reason, PairingFailedReason::NumericComparisonFailed);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_agents_pairing_that_is_dropped_is_refused() {
    let two = two().await;
    let mut agent = two.peripheral.agent(options(NOTHING));
    let (began, ()) = tokio::join!(async { two.peer.pair().finish().await }, async {
        drop(agent.next().await.expect("open"))
    });
    assert_eq!(began.expect_err("refused").kind(), ErrorKind::Smp);
    // As is one that waits in the agent's queue when that goes.
    tokio::time::sleep(secs(600)).await;
    let (began, ()) = tokio::join!(async { two.peer.pair().finish().await }, async {
        tokio::time::sleep(secs(5)).await;
        drop(agent);
    });
    assert_eq!(began.expect_err("refused").kind(), ErrorKind::Smp);
}

#[tokio::test(start_paused = true)]
async fn waiting_for_a_prompt_or_for_the_end_may_be_given_up_and_begun_again() {
    let two = two().await;
    let mut agent = two.peripheral.agent(options(NOTHING));
    let mut pairing = two.peer.pair();
    drop_after(ms(5), pairing.next()).await;
    drop_after(ms(1), pairing.finish()).await;
    drop_after(ms(1), agent.next()).await;
    let (began, answered) = tokio::join!(async { pairing.finish().await }, async {
        go_through(agent.next().await.expect("open"), People::new()).await
    });
    began.expect("paired");
    answered.expect("paired");
    drop(pairing);
    assert!(two.peer.security().encrypted, "what is done stays");
}

#[tokio::test(start_paused = true)]
async fn a_link_that_goes_down_ends_the_pairings_on_it_on_both_sides() {
    let two = two().await;
    let mut agent = two.peripheral.agent(options(YES_NO));
    let down = async {
        let mut pairing = agent.next().await.expect("open");
        let _prompt = pairing.next().await.expect("a number");
        two.accepted.disconnect().await.expect("ends");
        pairing.finish().await
    };
    let (began, answered) =
        tokio::join!(go_through(two.peer.pair_with(options(YES_NO)), People::new()), down);
    for result in [began, answered] {
        assert_eq!(result.expect_err("down").kind(), ErrorKind::Disconnected);
    }
    let late = two.peer.pair().finish().await.expect_err("down");
    assert_eq!(late.kind(), ErrorKind::Disconnected, "{late}");
    let mut agent = two.central.agent(options(NOTHING));
    two.central.close().await;
    assert!(agent.next().await.is_none());
    assert!(matches!(two.central.bonds().await, Err(Error::Closed { .. })));
}
