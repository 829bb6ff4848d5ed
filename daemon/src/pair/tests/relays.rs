//! Relays that are old, break, or are one of several.
//!
//! Lives here: tests of which relay is asked, and of links that end.
//! Must not: know what the two say to each other.

use ahoy_proto::pair::meeting::Meeting;

use super::*;

#[test]
fn a_link_that_breaks_at_any_moment_ends_it_with_a_sentence() {
    for passes in 1..12 {
        for breaks in [ANA, BEN] {
            let mut r = Rig::new();
            r.passes = passes;
            r.start(ANA).unwrap();
            r.join(BEN, r.code()).unwrap();
            r.passes = 0;
            let to_do = r.sides[breaks].lost(r.now, RELAYS[0]);
            r.carry_out(breaks, to_do);
            let row = r.sides[breaks].row();
            assert!(
                row.state == Some(PairingState::Paired) || row.reason == Some(PairingEnd::Lost),
                "{row:?}"
            );
            // The other is told by the relay, or hears nothing.
            r.after(Duration::from_secs(700));
            for who in [ANA, BEN] {
                let row = r.sides[who].row();
                match row.state {
                    Some(PairingState::Paired) => assert_eq!(r.kept[who].len(), 1),
                    Some(PairingState::Failed) => {
                        assert!(!row.sentence.is_empty());
                        assert_eq!((r.kept[who].len(), r.made[who] - r.taken_back[who]), (0, 0));
                    }
                    other => panic!("{passes}: {other:?}"),
                }
            }
            assert!(r.kept[BEN].is_empty() || !r.kept[ANA].is_empty(), "who joined keeps last");
        }
    }
}

#[test]
fn a_link_of_another_relay_and_late_words_change_nothing() {
    let mut r = Rig::new();
    r.start(ANA).unwrap();
    assert_eq!(r.sides[ANA].lost(r.now, RELAYS[1]), []);
    assert_eq!(r.sides[ANA].hear(r.now, RELAYS[1], PlateNews::Over(PlateOver::Expired)), []);
    r.hear(ANA, PlateNews::Claimed(4_712, Duration::from_secs(600)));
    assert_eq!((r.code().number, r.state(ANA)), (4_711, Some(PairingState::Waiting)));
    r.hear(ANA, PlateNews::Said(Body::try_from(vec![1]).unwrap()));
    assert_eq!(r.state(ANA), Some(PairingState::Waiting), "before anybody is there");
}

#[test]
fn a_relay_that_does_not_answer_is_too_old_and_the_next_one_is_asked() {
    let mut r = Rig::new();
    r.passes = 0;
    r.start(ANA).unwrap();
    r.after(ANSWERS_WITHIN);
    r.failed(ANA, PairingEnd::OldRelay);
    assert_eq!(r.refused.pop().unwrap().kind, DeniedKind::NotSupported);

    let (draw, own) = (r.draw(), r.cards[ANA].peer_id());
    let up = RELAYS.map(str::to_owned);
    let ask = |to_do: &[Do]| match to_do {
        [Do::Ask(relay, PlateAsk::Claim)] => relay.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(ask(&r.sides[ANA].start(r.now, own, &up, draw).unwrap()), RELAYS[0]);
    assert_eq!(ask(&r.sides[ANA].tick(r.now + ANSWERS_WITHIN)), RELAYS[1]);
    let full = r.sides[ANA].hear(r.now, RELAYS[1], PlateNews::Over(PlateOver::Full));
    assert!(full.iter().any(|it| matches!(it, Do::Refuse(denied) if denied.kind == DeniedKind::RateLimited)));
}

#[test]
fn a_code_is_looked_up_at_every_relay_and_a_named_one_there_alone() {
    let mut r = Rig::new();
    let up = RELAYS.map(str::to_owned);
    let two = RelayUrl::parse(RELAYS[1]).unwrap();
    let code = Code::draw(4_711, &two, [1, 2, 3, 4]).unwrap();
    let asked = |to_do: &[Do]| -> Vec<String> {
        let joins = to_do.iter().filter_map(|it| {
            if let Do::Ask(relay, PlateAsk::Join(4_711)) = it { Some(relay.clone()) } else { None }
        });
        joins.collect()
    };
    let (draw, own) = (r.draw(), r.cards[BEN].peer_id());
    let bare = code.clone().anywhere();
    assert_eq!(asked(&r.sides[BEN].join(r.now, own, &up, draw, bare.clone()).unwrap()), [RELAYS[0]]);
    let none = PlateNews::Over(PlateOver::NoSuch);
    assert_eq!(asked(&r.sides[BEN].hear(r.now, RELAYS[0], none.clone())), [RELAYS[1]]);
    r.sides[BEN].hear(r.now, RELAYS[1], none);
    r.failed(BEN, PairingEnd::NoSuchCode);

    // A stranger holds that number at the first relay: the words do not fit there, and it goes on.
    let draw = r.draw();
    r.sides[BEN].join(r.now, own, &up, draw, bare).unwrap();
    let chance = Chance { secret: [7; 64].into(), session: [7; 16] };
    let (_, first) = Meeting::start(&wrong(&code), "one.example", chance);
    r.sides[BEN].hear(r.now, RELAYS[0], PlateNews::Met);
    r.sides[BEN].hear(r.now, RELAYS[0], PlateNews::Said(Body::try_from(first).unwrap()));
    let left = r.sides[BEN].hear(r.now, RELAYS[0], PlateNews::Over(PlateOver::Left));
    assert_eq!(asked(&left), [RELAYS[1]]);

    let draw = r.draw();
    assert_eq!(asked(&r.sides[BEN].join(r.now, own, &up, draw, code.clone()).unwrap()), [RELAYS[1]]);
    let draw = r.draw();
    let denied = r.sides[BEN].join(r.now, own, &up[..1], draw, code).unwrap_err();
    assert_eq!(denied.kind, DeniedKind::NotConnected);
    let draw = r.draw();
    assert_eq!(r.sides[BEN].start(r.now, own, &[], draw).unwrap_err().kind, DeniedKind::NotConnected);
}
