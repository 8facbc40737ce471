//! Pairings that nobody here asked for.

use super::*;

#[tokio::test(start_paused = true)]
async fn without_an_agent_no_peer_pairs() {
    let two = two().await;
    let refused = two.peer.pair().finish().await.expect_err("nobody is asked");
    let Error::Pairing { source, .. } = &refused else { panic!("{refused}") };
    assert_eq!(source.reason, PairingFailedReason::PairingNotSupported);
    assert_eq!(
        (refused.kind(), refused.kind().as_str(), refused.code()),
        (ErrorKind::Smp, "smp", Some(0x05))
    );
    assert!(
        refused.to_string().starts_with(&format!("pairing with {} failed: ", two.peer.address())),
        "{refused}"
    );
    assert!(two.peer.is_connected() && !two.peer.security().encrypted);
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_is_gone_lets_nobody_pair_and_a_second_takes_the_place_of_the_first() {
    let two = two().await;
    let mut first = two.peripheral.agent(options(NOTHING));
    let mut second = two.peripheral.agent(options(NOTHING));
    assert!(first.next().await.is_none());
    // The end of the first is not the end of the second.
    drop(first);
    let (began, answered) = tokio::join!(async { two.peer.pair().finish().await }, async {
        go_through(second.next().await.expect("open"), People::new()).await
    });
    began.expect("paired");
    answered.expect("paired");
    two.central.unpair(two.peripheral.controller().random_address).await.expect("known");
    drop(second);
    // With the bond the link ends.
    two.peer.disconnected().await;
    let [peer, _accepted] = link(&two.central, &two.peripheral).await.expect("a link");
    assert_eq!(peer.pair().finish().await.expect_err("nobody is asked").kind(), ErrorKind::Smp);
}

#[tokio::test(start_paused = true)]
async fn each_pairing_of_an_agent_names_its_peer_and_says_what_came_of_it() {
    let two = two().await;
    let mut agent = two.peripheral.agent(options(NOTHING));
    let (began, _) = tokio::join!(async { two.peer.pair().finish().await }, async {
        let mut pairing = agent.next().await.expect("open");
        assert_eq!(pairing.peer().address(), two.central.controller().random_address);
        let Some(Prompt::Consent(answer)) = pairing.next().await else { panic!("no consent") };
        answer.no();
        assert!(pairing.next().await.is_none());
        let refused = pairing.finish().await.expect_err("refused");
        assert_eq!(refused.kind(), ErrorKind::Smp, "{refused}");
        // It can be asked again.
        assert_eq!(pairing.finish().await.expect_err("refused").to_string(), refused.to_string());
    });
    assert_eq!(began.expect_err("refused").kind(), ErrorKind::Smp);
}

#[tokio::test(start_paused = true)]
async fn an_agent_hears_of_a_pairing_that_failed_before_it_asked_anything() {
    let two = two().await;
    let with = |octet| options(NOTHING).oob(OobData::Legacy(Key::new([octet; 16])));
    let mut agent = two.peripheral.agent(with(1));
    let (began, told) = tokio::join!(async { two.peer.pair_with(with(2)).finish().await }, async {
        agent.next().await.expect("open").finish().await
    });
    for result in [began, told] {
        let Err(Error::Pairing { source, .. }) = result else { panic!("{result:?}") };
        assert_eq!(source.reason, PairingFailedReason::ConfirmValueFailed);
    }
}

#[tokio::test(start_paused = true)]
async fn s14_an_agent_that_never_answers_ends_in_a_time_out_and_its_answer_then_is_ignored() {
    let two = two().await;
    let mut agent = two.peripheral.agent(options(YES_NO));
    let started = tokio::time::Instant::now();
    let (began, ()) = tokio::join!(go_through(two.peer.pair_with(options(YES_NO)), People::new()), async {
        let mut pairing = agent.next().await.expect("open");
        let Some(Prompt::ConfirmNumber(_, mut answer)) = pairing.next().await else { panic!("no number") };
        answer.withdrawn().await;
        assert!(pairing.next().await.is_none());
        let late = pairing.finish().await.expect_err("nobody answered");
        assert_eq!(late.kind(), ErrorKind::Smp, "{late}");
        answer.yes();
    });
    assert_eq!(began.expect_err("nobody answered").kind(), ErrorKind::Smp);
    assert!((secs(30)..secs(32)).contains(&started.elapsed()), "{:?}", started.elapsed());
    tokio::time::sleep(secs(1)).await;
    assert!(!two.peer.security().encrypted && !two.accepted.security().encrypted);
}

#[tokio::test(start_paused = true)]
async fn s14_another_passkey_than_the_one_shown_pairs_nobody() {
    let two = two().await;
    let mut agent = two.peripheral.agent(options(DISPLAY));
    let (typed, shown) = tokio::join!(
        async {
            let mut pairing = two.peer.pair_with(options(KEYBOARD));
            let Some(Prompt::EnterPasskey(answer)) = pairing.next().await else { panic!("no passkey") };
            // One in a million that it is the right one, and always the same one with the seed.
            answer.enter(Passkey::new(999_999).expect("six digits"));
            pairing.finish().await
        },
        async {
            let mut pairing = agent.next().await.expect("open");
            let Some(Prompt::DisplayPasskey(_)) = pairing.next().await else { panic!("no passkey") };
            pairing.finish().await
        }
    );
    let Err(Error::Pairing { source, .. }) = typed else { panic!("{typed:?}") };
    assert_eq!(source.reason, PairingFailedReason::ConfirmValueFailed);
    assert!(shown.is_err());
    let early = two.peer.pair_with(options(KEYBOARD)).finish().await.expect_err("s13: it has to wait");
    assert!(matches!(early.kind(), ErrorKind::Security | ErrorKind::Smp), "{early}");
}

/// What a read needs, the link gets: with no agent by Just Works, with one by what the agent has.
#[tokio::test(start_paused = true)]
async fn a_read_that_needs_more_pairs_by_itself_and_prompts_the_agent() {
    let two = two().await;
    let mut theirs = two.peripheral.agent(options(DISPLAY));
    let mut ours = two.central.agent(options(KEYBOARD));
    let people = People::new();
    let answering = async {
        tokio::join!(async { go_through(ours.next().await.expect("open"), people.clone()).await }, async {
            go_through(theirs.next().await.expect("open"), people.clone()).await
        })
    };
    let reading = async { two.peer.read_by_uuid(AUTHENTICATED).await.expect("raised") };
    let (value, (typed, shown)) = tokio::join!(reading, answering);
    assert_eq!(value[0].value[..], *b"kept");
    assert_eq!(typed.expect("paired").method, Method::PasskeyEntry);
    assert!(shown.expect("paired").authenticated);
    assert!(two.peer.security().authenticated);
}
