//! Pairing among neighbours: alone, and beside a relay.
//!
//! Lives here: where numbers are offered and looked for; somebody between two, there and at a relay.
//! Must not: open a socket.

use super::*;

/// Ana has asked for a code, and has one.
fn waits(up: &[&str]) -> (Pairing, Vec<Do>) {
    let (mut rig, mut ana) = (Rig::new(), Pairing::default());
    let up: Vec<String> = up.iter().map(|at| (*at).to_owned()).collect();
    let asked = ana.start(rig.now, rig.cards[ANA].peer_id(), &up, rig.draw()).unwrap();
    assert_eq!(asks(&asked), [(up[0].clone(), PlateAsk::Claim)]);
    let shown = ana.hear(rig.now, &up[0], PlateNews::Claimed(4_711, Duration::from_secs(600)));
    (ana, shown)
}

fn shown(to_do: &[Do]) -> Code {
    let code = to_do.iter().find_map(|it| if let Do::Show(code) = it { Some(code.clone()) } else { None });
    code.unwrap()
}

#[test]
fn where_there_is_no_relay_a_number_is_drawn_among_neighbours_and_its_code_names_none() {
    let (_, to_do) = waits(&[PAIRING_PLACE]);
    assert_eq!((to_do.len(), shown(&to_do).relay), (1, None));
}

#[test]
fn a_relay_s_number_is_offered_among_neighbours_too_and_the_first_who_comes_decides() {
    let now = Moment::from_micros(1);
    for (comes, leaves) in [(PAIRING_PLACE, RELAYS[0]), (RELAYS[0], PAIRING_PLACE)] {
        let (mut ana, to_do) = waits(&[RELAYS[0], PAIRING_PLACE]);
        assert!(to_do.contains(&Do::Offer(4_711)));
        assert_eq!(shown(&to_do).relay.as_deref(), Some("one.example"));
        let over = PlateNews::Over(PlateOver::Left);
        assert!(ana.hear(now, PAIRING_PLACE, over).is_empty(), "nobody came there yet");
        let asked = asks(&ana.hear(now, comes, PlateNews::Met));
        assert_eq!(asked[0], (leaves.to_owned(), PlateAsk::Leave));
        assert!(asked[1].0 == comes && matches!(asked[1].1, PlateAsk::Say(_)), "{asked:?}");
        assert!(ana.hear(now, leaves, PlateNews::Met).is_empty(), "one at a time");
    }
}

#[test]
fn a_code_outlives_the_relay_where_neighbours_have_it_and_its_end_is_told_to_both() {
    let now = Moment::from_micros(1);
    let (mut ana, _) = waits(&[RELAYS[0], PAIRING_PLACE]);
    assert_eq!(asks(&ana.cancel(now)).len(), 2);
    let (mut ana, _) = waits(&[RELAYS[0], PAIRING_PLACE]);
    assert!(ana.lost(now, RELAYS[0]).is_empty());
    assert_eq!(ana.row().state, Some(PairingState::Waiting));
    assert_eq!(asks(&ana.hear(now, PAIRING_PLACE, PlateNews::Met)).len(), 1);
}

#[test]
fn a_typed_code_is_looked_up_at_relays_first_and_among_neighbours_last_whatever_relay_it_names() {
    for (code, first) in
        [("4711-abandon-ability", RELAYS[0]), ("4711-abandon-ability@two.example", PAIRING_PLACE)]
    {
        let (mut rig, mut ben) = (Rig::new(), Pairing::default());
        let up = [RELAYS[0], PAIRING_PLACE].map(str::to_owned);
        let (own, draw) = (rig.cards[BEN].peer_id(), rig.draw());
        let asked = ben.join(rig.now, own, (&up, &[]), draw, Code::parse(code).unwrap()).unwrap();
        assert_eq!(asks(&asked), [(first.to_owned(), PlateAsk::Join(4_711))]);
        let next = ben.hear(rig.now, first, PlateNews::Over(PlateOver::NoSuch));
        if first == PAIRING_PLACE {
            assert_eq!(ben.row().reason, Some(PairingEnd::NoSuchCode));
        } else {
            let then = [(first, PlateAsk::Leave), (PAIRING_PLACE, PlateAsk::Join(4_711))];
            assert_eq!(asks(&next), then.map(|(at, ask)| (at.to_owned(), ask)));
        }
    }
}

/// What somebody between two does to one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Spoil {
    Flip,
    Drop,
    Double,
    SendBack,
    /// Until the next one has passed.
    KeepBack,
    /// One of another pairing takes its place.
    Splice,
}

/// Two who meet there, where one message is spoilt; all that was said.
fn spoilt(spot: &'static str, spoil: Option<(usize, Spoil)>, earlier: Vec<Body>) -> (Rig, Vec<Body>) {
    let said = std::rc::Rc::new(std::cell::RefCell::new(Vec::new()));
    let (mut r, all) = (Rig::new(), std::rc::Rc::clone(&said));
    let mut kept_back = None;
    r.spot = spot;
    // The other pairing has other words and other chance.
    r.draws = if spoil.is_none() { 10 } else { 0 };
    r.between = Box::new(move |number, to, body| {
        all.borrow_mut().push(body.clone());
        let late = kept_back.take();
        let passes = match spoil.filter(|(at, _)| *at == number).map(|(_, spoil)| spoil) {
            None => vec![(to, body)],
            Some(Spoil::Flip) => {
                let mut bytes = body.into_bytes();
                let place = bytes.len().min(17) - 1;
                bytes[place] ^= 1;
                vec![(to, Body::try_from(bytes).unwrap())]
            }
            Some(Spoil::Drop) => Vec::new(),
            Some(Spoil::Double) => vec![(to, body.clone()), (to, body)],
            Some(Spoil::SendBack) => vec![(1 - to, body.clone()), (to, body)],
            Some(Spoil::KeepBack) => {
                kept_back = Some((to, body));
                Vec::new()
            }
            Some(Spoil::Splice) => vec![(to, earlier[number].clone())],
        };
        passes.into_iter().chain(late).collect()
    });
    r.start(ANA).unwrap();
    r.join(BEN, r.code()).unwrap();
    r.after(Duration::from_secs(700));
    let said = said.borrow().clone();
    (r, said)
}

#[test]
fn each_message_that_somebody_between_two_spoils_ends_it_with_a_sentence_and_no_contact() {
    for spot in [PAIRING_PLACE, RELAYS[0]] {
        let (r, earlier) = spoilt(spot, None, Vec::new());
        assert_eq!([ANA, BEN].map(|who| r.state(who)), [Some(PairingState::Paired); 2]);
        let count = earlier.len();
        assert_eq!(count, 6);
        for at in 0..count {
            for spoil in
                [Spoil::Flip, Spoil::Drop, Spoil::Double, Spoil::SendBack, Spoil::KeepBack, Spoil::Splice]
            {
                let (r, said) = spoilt(spot, Some((at, spoil)), earlier.clone());
                assert!(said.len() > at, "{spot} {at} {spoil:?}: it was not spoilt");
                let paired = [ANA, BEN].map(|who| r.state(who) == Some(PairingState::Paired));
                for who in [ANA, BEN] {
                    let row = r.sides[who].row();
                    assert_eq!(r.kept[who].len(), usize::from(paired[who]), "{spot} {at} {spoil:?}");
                    if !paired[who] {
                        assert_eq!(row.state, Some(PairingState::Failed), "{spot} {at} {spoil:?}");
                        r.failed(who, row.reason.unwrap());
                    }
                }
                // A double of the last that a side waits for meets nobody. The very last message tells Ben that Ana has him: whether it
                // arrives she cannot know, and he is told that it did not; so where a double ends it for him behind his card.
                let whole =
                    spoil == Spoil::Double && at >= count - 2 || spoil == Spoil::SendBack && at == count - 1;
                let half = at == count - 1
                    || spoil == Spoil::Double && at == count - 3
                    || spoil == Spoil::SendBack && at == count - 2;
                assert!(paired[BEN] == whole, "{spot} {at} {spoil:?}: {paired:?}");
                assert!(!paired[ANA] || whole || half, "{spot} {at} {spoil:?}: {paired:?}");
            }
        }
    }
}
