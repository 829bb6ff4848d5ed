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
            // Who looks for a number has met nobody yet.
            let ends = [PairingEnd::Lost, PairingEnd::Unreachable];
            let lost = row.reason.is_some_and(|why| ends[..=usize::from(row.joined)].contains(&why));
            assert!(row.state == Some(PairingState::Paired) || lost, "{row:?}");
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
    let claim = |relay: &str| (relay.to_owned(), PlateAsk::Claim);
    assert_eq!(asks(&r.sides[ANA].start(r.now, own, &up, draw).unwrap()), [claim(RELAYS[0])]);
    let next = asks(&r.sides[ANA].tick(r.now + ANSWERS_WITHIN));
    // A number that it gives too late is not held.
    assert_eq!(next, [(RELAYS[0].to_owned(), PlateAsk::Leave), claim(RELAYS[1])]);
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
        let joins = asks(to_do).into_iter().filter(|(_, ask)| *ask == PlateAsk::Join(4_711));
        joins.map(|(relay, _)| relay).collect()
    };
    let (draw, own) = (r.draw(), r.cards[BEN].peer_id());
    let bare = code.clone().anywhere();
    assert_eq!(asked(&r.sides[BEN].join(r.now, own, (&up, &[]), draw, bare.clone()).unwrap()), [RELAYS[0]]);
    let none = PlateNews::Over(PlateOver::NoSuch);
    assert_eq!(asked(&r.sides[BEN].hear(r.now, RELAYS[0], none.clone())), [RELAYS[1]]);
    r.sides[BEN].hear(r.now, RELAYS[1], none);
    r.failed(BEN, PairingEnd::NoSuchCode);

    // A stranger holds that number at the first relay: the words do not fit there, and it goes on.
    let draw = r.draw();
    r.sides[BEN].join(r.now, own, (&up, &[]), draw, bare).unwrap();
    let chance = Chance { secret: [7; 64].into(), session: [7; 16] };
    let (_, first) = Meeting::start(&wrong(&code), "one.example", chance);
    r.sides[BEN].hear(r.now, RELAYS[0], PlateNews::Met);
    r.sides[BEN].hear(r.now, RELAYS[0], PlateNews::Said(Body::try_from(first).unwrap()));
    let left = r.sides[BEN].hear(r.now, RELAYS[0], PlateNews::Over(PlateOver::Left));
    assert_eq!(asked(&left), [RELAYS[1]]);

    let draw = r.draw();
    assert_eq!(asked(&r.sides[BEN].join(r.now, own, (&up, &[]), draw, code.clone()).unwrap()), [RELAYS[1]]);
    let draw = r.draw();
    let denied = r.sides[BEN].join(r.now, own, (&up[..1], &[]), draw, code).unwrap_err();
    assert_eq!(denied.kind, DeniedKind::NotConnected);
    let draw = r.draw();
    assert_eq!(r.sides[BEN].start(r.now, own, &[], draw).unwrap_err().kind, DeniedKind::NotConnected);
}

#[test]
fn a_code_of_a_foreign_relay_is_looked_up_there_and_one_without_a_name_wherever_a_relay_is_known() {
    let one = || RELAYS[0].to_owned();
    let two = || RELAYS[1].to_owned();
    let home = || PAIRING_PLACE.to_owned();
    let (join, leave) = (|| PlateAsk::Join(4_711), || PlateAsk::Leave);
    let bare = Code::draw(4_711, &RelayUrl::parse(RELAYS[1]).unwrap(), [1, 2, 3, 4]).unwrap();
    let named = bare.clone();
    let bare = bare.anywhere();
    // The code, what is up, which others there are; who is asked in turn while nobody has it.
    for (story, code, up, foreign, turns) in [
        ("its own", &named, vec![one()], vec![two()], vec![vec![(two(), join())], vec![(two(), leave())]]),
        (
            "that before neighbours",
            &named,
            vec![one(), home()],
            vec![two()],
            vec![vec![(two(), join())], vec![(two(), leave()), (home(), join())], vec![(home(), leave())]],
        ),
        (
            "neighbours before foreign ones",
            &bare,
            vec![one(), home()],
            vec![two()],
            vec![
                vec![(one(), join())],
                vec![(one(), leave()), (home(), join())],
                vec![(home(), leave()), (two(), join())],
                vec![(two(), leave())],
            ],
        ),
        ("no relay is ours", &bare, vec![], vec![two()], vec![vec![(two(), join())], vec![(two(), leave())]]),
        ("it is ours", &named, vec![two()], vec![two()], vec![vec![(two(), join())], vec![(two(), leave())]]),
    ] {
        let mut r = Rig::new();
        let (draw, own) = (r.draw(), r.cards[BEN].peer_id());
        let mut to_do = r.sides[BEN].join(r.now, own, (&up, &foreign), draw, code.clone()).unwrap();
        for (n, wanted) in turns.iter().enumerate() {
            assert_eq!(asks(&to_do), *wanted, "{story}: {n}");
            let at = wanted.last().unwrap().0.clone();
            to_do = r.sides[BEN].hear(r.now, &at, PlateNews::Over(PlateOver::NoSuch));
        }
        r.failed(BEN, PairingEnd::NoSuchCode);
    }
}

#[test]
fn a_foreign_relay_has_time_to_be_linked_to_and_one_that_cannot_be_is_named_so() {
    let code = Code::draw(4_711, &RelayUrl::parse(RELAYS[1]).unwrap(), [1, 2, 3, 4]).unwrap();
    for breaks in [true, false] {
        let mut r = Rig::new();
        let (draw, own) = (r.draw(), r.cards[BEN].peer_id());
        let places = (&[RELAYS[0].to_owned()][..], &[RELAYS[1].to_owned()][..]);
        r.sides[BEN].join(r.now, own, places, draw, code.clone()).unwrap();
        let left = if breaks {
            r.sides[BEN].lost(r.now, RELAYS[1])
        } else {
            assert_eq!(r.sides[BEN].deadline(), Some(r.now + LINKS_WITHIN));
            r.sides[BEN].tick(r.now + LINKS_WITHIN)
        };
        assert_eq!(asks(&left), [(RELAYS[1].to_owned(), PlateAsk::Leave)]);
        r.failed(BEN, PairingEnd::Unreachable);
    }
}
