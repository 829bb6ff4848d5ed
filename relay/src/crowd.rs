//! Who is connected, and who gives way when there is no room.
//!
//! Lives here: all sockets from the moment they are taken, by address, with what each is worth: who only knocked or only
//! sends, who claimed an inbox, who has kept one for a while. Within an address, and of the address that has most, the
//! one that has been idle longest gives way to a newcomer.
//! Must not: know what is said.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::address::{Address, Near, Wide};
use crate::budgets;
use crate::client_id::ClientId;
use crate::shares::Shares;
use crate::time::Moment;

/// How many may be connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// In all.
    pub connections: usize,
    /// From one address.
    pub of_address: usize,
}

impl Default for Room {
    fn default() -> Self {
        Self { connections: 10_000, of_address: budgets::CONNECTIONS_OF_ADDRESS }
    }
}

/// What a connection is worth. The lowest give way first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// In its handshake, or claimed nothing.
    Guest,
    /// Claimed an inbox a moment ago.
    Claimed,
    /// Has kept an inbox for a while.
    Settled,
}

/// Activity is noted no more often than that.
const NOTED_EVERY: Duration = Duration::from_secs(1);

/// How many of who settled are worth as much as one who claimed, and how many of those as one guest.
const WORTH: [usize; 3] = [256, 64, 1];

/// Connections of one standing, the idlest of each address first.
type Ranked = Shares<Wide, Near, (Moment, ClientId)>;

#[derive(Debug)]
struct Member {
    address: Address,
    standing: Standing,
    busy_at: Moment,
}

/// All sockets.
#[derive(Debug, Default)]
pub(crate) struct Crowd {
    room: Room,
    members: BTreeMap<ClientId, Member>,
    guests: Ranked,
    claimed: Ranked,
    settled: Ranked,
}

impl Crowd {
    /// Room for so many.
    pub(crate) fn set_room(&mut self, room: Room) {
        self.room = room;
    }

    /// Takes one in and tells who has to go for it, which is itself only where everybody else has settled and no address
    /// has more than its own.
    pub(crate) fn enter(&mut self, now: Moment, client: ClientId, address: Address) -> Vec<ClientId> {
        let mut leave = Vec::new();
        let Room { connections, of_address } = self.room;
        let Address { near, wide } = address;
        while self.count(|s| s.of_inner(wide, near)) >= of_address.max(1) {
            let Some(idle) = self.first_of_near(wide, near) else { break };
            self.leave(idle);
            leave.push(idle);
        }
        while self.count(|s| s.of(wide)) >= of_address.max(1) * budgets::NETWORKS_OF_CUSTOMER {
            let Some(idle) = self.first_of_wide(wide) else { break };
            self.leave(idle);
            leave.push(idle);
        }
        while self.members.len() >= connections.max(1) {
            let Some(idle) = self.first_of_all(wide) else {
                leave.push(client);
                return leave;
            };
            self.leave(idle);
            leave.push(idle);
        }
        self.members.insert(client, Member { address, standing: Standing::Guest, busy_at: now });
        self.guests.put(wide, near, (now, client), 1);
        leave
    }

    /// One is gone.
    pub(crate) fn leave(&mut self, client: ClientId) {
        if let Some(member) = self.members.remove(&client) {
            let Address { near, wide } = member.address;
            self.of(member.standing).take(wide, near, (member.busy_at, client));
        }
    }

    /// One does something.
    pub(crate) fn busy(&mut self, now: Moment, client: ClientId) {
        let Some(member) = self.members.get(&client) else { return };
        if now.since(member.busy_at) >= NOTED_EVERY {
            self.change(now, client, member.standing);
        }
    }

    /// One is worth more now.
    pub(crate) fn stands(&mut self, now: Moment, client: ClientId, standing: Standing) {
        self.change(now, client, standing);
    }

    /// Whether it is known.
    pub(crate) fn has(&self, client: ClientId) -> bool {
        self.members.contains_key(&client)
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.members.len()
    }

    fn change(&mut self, now: Moment, client: ClientId, standing: Standing) {
        let Some(member) = self.members.get_mut(&client) else { return };
        let (Address { near, wide }, before, at) = (member.address, member.standing, member.busy_at);
        (member.standing, member.busy_at) = (standing, now);
        self.of(before).take(wide, near, (at, client));
        self.of(standing).put(wide, near, (now, client), 1);
    }

    fn of(&mut self, standing: Standing) -> &mut Ranked {
        match standing {
            Standing::Guest => &mut self.guests,
            Standing::Claimed => &mut self.claimed,
            Standing::Settled => &mut self.settled,
        }
    }

    fn ranks(&self) -> [&Ranked; 3] {
        [&self.guests, &self.claimed, &self.settled]
    }

    fn count(&self, of: impl Fn(&Ranked) -> usize) -> usize {
        self.ranks().into_iter().map(of).sum()
    }

    /// The ranks, the one that is to lose first. Its number counts too, so that newcomers in their handshakes do not
    /// push out each other where somebody has filled the room with claims.
    fn by_weight(&self, weight: impl Fn(&Ranked) -> usize) -> impl Iterator<Item = &Ranked> {
        let mut ranks: Vec<_> = self.ranks().into_iter().zip(WORTH).collect();
        ranks.sort_by_key(|(rank, worth)| std::cmp::Reverse(weight(rank).saturating_mul(*worth)));
        ranks.into_iter().map(|(rank, _)| rank)
    }

    fn first_of_near(&self, wide: Wide, near: Near) -> Option<ClientId> {
        let mut ranks = self.by_weight(|rank| rank.of_inner(wide, near));
        ranks.find_map(|rank| rank.first(wide, near)).map(|(_, client)| client)
    }

    fn first_of_wide(&self, wide: Wide) -> Option<ClientId> {
        let mut ranks = self.by_weight(|rank| rank.of(wide));
        ranks.find_map(|rank| rank.gives_way_in(wide)).map(|(_, (_, client))| client)
    }

    fn first_of_all(&self, newcomer: Wide) -> Option<ClientId> {
        let most = |rank: &Ranked| rank.heaviest().map_or(0, |most| rank.of(most));
        let own = self.count(|rank| rank.of(newcomer));
        let loses = |rank: &&Ranked| !std::ptr::eq(*rank, &raw const self.settled) || most(rank) > own + 1;
        let found = self.by_weight(most).filter(loses).find_map(Shares::gives_way);
        found.map(|(_, _, (_, client))| client)
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    fn at(n: u8) -> Address {
        Address::from(IpAddr::from([192, 0, 2, n]))
    }

    fn second(n: u64) -> Moment {
        Moment::default() + Duration::from_secs(n)
    }

    fn crowd(connections: usize, of_address: usize) -> Crowd {
        let mut crowd = Crowd::default();
        crowd.set_room(Room { connections, of_address });
        crowd
    }

    #[test]
    fn a_newcomer_takes_the_place_of_its_idlest_neighbour_and_never_of_another_address() {
        let mut crowd = crowd(1_000, 3);
        for n in 0..3 {
            assert_eq!(crowd.enter(second(n), ClientId(n), at(1)), []);
        }
        crowd.enter(second(0), ClientId(50), at(2));
        crowd.busy(second(5), ClientId(0));
        crowd.stands(second(5), ClientId(1), Standing::Claimed);
        assert_eq!(crowd.enter(second(6), ClientId(3), at(1)), [ClientId(2)], "idle since 2");
        assert_eq!(crowd.enter(second(7), ClientId(4), at(1)), [ClientId(0)], "a guest before who claimed");
    }

    #[test]
    fn in_a_full_relay_the_address_with_most_loses_and_who_settled_loses_last() {
        let mut crowd = crowd(6, 100);
        for n in 0..2 {
            crowd.enter(second(n), ClientId(n), at(1));
            crowd.stands(second(n), ClientId(n), Standing::Settled);
        }
        for n in 2..5 {
            crowd.enter(second(n), ClientId(n), at(2));
        }
        crowd.enter(second(5), ClientId(5), at(3));
        for (n, goes) in [(10, 2), (11, 3)] {
            assert_eq!(crowd.enter(second(n), ClientId(n), at(10)), [ClientId(goes)]);
        }
        for n in [4, 5, 10, 11] {
            crowd.leave(ClientId(n));
        }
        for n in 20..24_u8 {
            crowd.enter(second(20), ClientId(n.into()), at(n));
            crowd.stands(second(20), ClientId(n.into()), Standing::Settled);
        }
        assert_eq!(crowd.enter(second(30), ClientId(30), at(30)), [ClientId(0)], "two of one address");
        crowd.stands(second(30), ClientId(30), Standing::Settled);
        assert_eq!(crowd.enter(second(31), ClientId(31), at(31)), [ClientId(31)], "all have one, and stay");
    }

    #[test]
    fn newcomers_do_not_push_out_each_other_where_claims_have_filled_the_room() {
        let mut crowd = crowd(200, 100);
        for n in 0..200 {
            crowd.enter(second(0), ClientId(n), at(if n < 100 { 1 } else { 2 }));
            crowd.stands(second(0), ClientId(n), Standing::Claimed);
        }
        // Ten at once from one address, ten more from the flood's own.
        for (n, from) in (1_000..1_010).map(|n| (n, 3)).chain((1_010..1_020).map(|n| (n, 1))) {
            let gave_way = crowd.enter(second(1), ClientId(n), at(from));
            assert!(gave_way.iter().all(|ClientId(n)| *n < 200) && gave_way.len() == 1, "{gave_way:?}");
        }
        for n in 0..200 {
            crowd.stands(second(300), ClientId(n), Standing::Settled);
        }
        let gave_way = crowd.enter(second(301), ClientId(2_000), at(4));
        assert_eq!(gave_way, [ClientId(1_000)], "when they have stayed, a guest of who has most goes first");
    }

    #[test]
    fn two_hundred_people_behind_one_address_fit_with_what_they_send_by() {
        let mut crowd = Crowd::default();
        let out: Vec<_> = (0..1_000).flat_map(|n| crowd.enter(second(0), ClientId(n), at(1))).collect();
        assert_eq!(out, []);
    }

    #[test]
    fn one_customers_networks_count_together() {
        let mut crowd = crowd(1_000_000, 10);
        let net = |n: u16| Address::from(IpAddr::from([0x2001, 0xdb8, 1, n, 0, 0, 0, 1]));
        let out = (0..1_000).flat_map(|n| crowd.enter(second(n.into()), ClientId(n.into()), net(n))).count();
        assert_eq!((out, crowd.len()), (960, 40));
    }

    #[test]
    fn who_leaves_is_uncounted() {
        let mut crowd = crowd(2, 2);
        for n in 0..100 {
            assert_eq!(crowd.enter(second(0), ClientId(n), at(1)), []);
            crowd.leave(ClientId(n));
        }
        assert_eq!((crowd.len(), crowd.guests.total()), (0, 0));
    }
}
