//! Those who are called and in the room before they answer.
//!
//! Lives here: what the port does with guests, and as one.
//! Must not: tell what it does with members.

use super::*;

fn admitted(rig: &mut Rig) -> Vec<BTreeSet<Identity>> {
    let all = rig.ordered().into_iter();
    all.filter_map(|it| if let StayOrder::Members(all) = it { Some(all) } else { None }).collect()
}

fn opens(rig: &Rig) -> usize {
    rig.path.as_ref().unwrap().legs.borrow().len()
}

#[test]
fn a_guest_is_let_be_its_voice_asked_for_and_not_heard_before_it_takes_part() {
    let mut rig = Rig::host();
    assert!(rig.happens(RoomEvent::Here(who("ana"))).is_empty());
    assert!(rig.order(RoomOrder::Guests([leg(3)].into())).is_empty());
    assert!(rig.order(RoomOrder::Key { leg: leg(3), key: key("ana", 0) }).is_empty(), "she is not heard");
    assert_eq!(admitted(&mut rig), [BTreeSet::from([who("ana")])]);
    assert_eq!(opens(&rig), 0, "nothing of hers is opened or played");
    assert!(rig.later(50_000).is_empty(), "she is put out by nobody");
    let heard = Came::Told(RoomReport::Heard { leg: leg(3), heard: true });
    assert!(
        rig.order(RoomOrder::Members([leg(3)].into())).is_empty(),
        "what is known opens her frames at once"
    );
    assert_eq!(opens(&rig), 1);
    assert_eq!(rig.comes(4, 3, true), [heard]);
    assert!(rig.order(RoomOrder::Guests(BTreeSet::new())).is_empty());
    assert_eq!((admitted(&mut rig).len(), opens(&rig)), (0, 1), "and nothing is asked for anew");
}

#[test]
fn a_guest_that_is_called_no_more_and_stays_is_put_out_and_its_key_forgotten() {
    let mut rig = Rig::host();
    rig.happens(RoomEvent::Here(who("ana")));
    rig.order(RoomOrder::Guests([leg(3)].into()));
    rig.order(RoomOrder::Key { leg: leg(3), key: key("ana", 0) });
    assert!(rig.order(RoomOrder::Guests(BTreeSet::new())).is_empty());
    assert_eq!(admitted(&mut rig).last(), Some(&BTreeSet::new()));
    let came = rig.later(3_000);
    let [Came::Asked(job, _, RoomAsk::Remove { .. })] = came[..] else { panic!("{came:?}") };
    assert!(rig.answer(job, Some(RoomNews::Done)).is_empty());
    rig.happens(RoomEvent::Gone(who("ana")));
    rig.order(RoomOrder::Members([leg(3)].into()));
    assert_eq!(opens(&rig), 0, "she has to tell it again");
    // Another that nobody knows is put out, guests or not.
    rig.order(RoomOrder::Guests([leg(4)].into()));
    rig.happens(RoomEvent::Here(who("mallory")));
    let came = rig.later(11_000);
    assert!(matches!(&came[..], [Came::Asked(_, _, RoomAsk::Remove { .. })]), "{came:?}");
}

#[test]
fn as_a_guest_it_asks_for_no_voice_before_it_is_told_who_takes_part() {
    let mut rig = Rig::new();
    rig.enter(THEIRS);
    let (_, parts) = rig.stay.as_ref().unwrap();
    assert!(parts.members.is_empty());
    rig.happens(RoomEvent::Here(who("ana")));
    assert!(rig.later(60_000).is_empty() && admitted(&mut rig).is_empty());
    let heard = Came::Told(RoomReport::Heard { leg: leg(3), heard: true });
    rig.order(RoomOrder::Members([leg(3)].into()));
    rig.order(RoomOrder::Key { leg: leg(3), key: key("ana", 0) });
    assert_eq!(rig.comes(4, 3, true), [heard]);
    assert_eq!(admitted(&mut rig), [BTreeSet::from([who("ana")])]);
}
