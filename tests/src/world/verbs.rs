//! Verbs and questions that a test reads like prose.
//!
//! Lives here: what a person does to the call they mean, and what is to be seen of it.
//! Must not: do more than a client of the bus could.

use std::time::Duration;

use ahoy_call::{
    CallId, CallView, Callee, Command, DeclineReason, EndReason, EndedBy, Fact, GroupId, MemberId,
    MemberState, MemberView, Others, Outcome, Record, Refusal, Scope, State,
};

use super::{SECOND, World, peer};

impl World {
    /// The number of a device.
    ///
    /// # Panics
    /// If there is no such device.
    pub fn who(&self, name: &str) -> usize {
        self.people.iter().position(|person| person.name == name).expect("a device of this world")
    }

    /// `a` dials `b`.
    ///
    /// # Errors
    /// As the rules say.
    pub fn dial(&mut self, a: &str, b: &str) -> Result<CallId, Refusal> {
        self.dial_for(a, b, Duration::from_secs(60))
    }

    /// `a` dials `b` and lets it ring so long.
    ///
    /// # Errors
    /// As the rules say.
    pub fn dial_for(&mut self, a: &str, b: &str, lifetime: Duration) -> Result<CallId, Refusal> {
        self.dial_with(a, b, lifetime, None, true)
    }

    /// `a` dials `b` with everything that can be said.
    ///
    /// # Errors
    /// As the rules say.
    pub fn dial_with(
        &mut self,
        a: &str,
        b: &str,
        lifetime: Duration,
        note: Option<&str>,
        hold_others: bool,
    ) -> Result<CallId, Refusal> {
        let call = self.fresh_call();
        self.dial_as(call, a, b, lifetime, note, hold_others).map(|()| call)
    }

    /// `a` dials `b`; the call has this id.
    ///
    /// # Errors
    /// As the rules say.
    pub fn dial_as(
        &mut self,
        call: CallId,
        a: &str,
        b: &str,
        lifetime: Duration,
        note: Option<&str>,
        hold_others: bool,
    ) -> Result<(), Refusal> {
        let (a, owner) = (self.who(a), self.people[self.who(b)].owner);
        let (peer, devices, note) = (peer(owner), self.devices_of(owner), note.map(str::to_owned));
        let both_tell = self.tells(a, owner);
        self.command(a, Command::Dial { call, peer, devices, lifetime, note, hold_others, both_tell })
    }

    /// `a` starts a group with these people.
    ///
    /// # Errors
    /// As the rules say.
    pub fn start(&mut self, a: &str, others: &[&str]) -> Result<CallId, Refusal> {
        let call = self.fresh_call();
        self.start_as(call, None, a, others).map(|()| call)
    }

    /// `a` starts a group with these people; the call has this id, and the group may have a name.
    ///
    /// # Errors
    /// As the rules say.
    pub fn start_as(
        &mut self,
        call: CallId,
        group: Option<GroupId>,
        a: &str,
        others: &[&str],
    ) -> Result<(), Refusal> {
        let targets = others.iter().map(|other| self.callee(other)).collect();
        let (lifetime, note, hold_others) = (Duration::from_secs(90), None, true);
        let start = Command::StartGroup { call, group, targets, lifetime, note, hold_others };
        self.command(self.who(a), start)
    }

    /// A person with all of their devices.
    pub fn callee(&self, name: &str) -> Callee {
        let owner = self.people[self.who(name)].owner;
        Callee { peer: peer(owner), devices: self.devices_of(owner) }
    }

    /// `a` starts a group with these people, all of whom answer after a second.
    ///
    /// # Panics
    /// If it is refused.
    pub fn gather(&mut self, a: &str, others: &[&str]) -> CallId {
        let call = self.start(a, others).expect("it may start");
        self.pass(2 * SECOND);
        for other in others {
            self.answer(other).expect("it may answer");
        }
        self.pass(5 * SECOND);
        call
    }

    /// `a` calls `whom` into that call.
    ///
    /// # Errors
    /// As the rules say.
    pub fn invite(&mut self, a: &str, call: CallId, whom: &str) -> Result<(), Refusal> {
        let (whom, lifetime) = (self.callee(whom), Duration::from_secs(90));
        self.command(self.who(a), Command::Invite { call, whom, lifetime })
    }

    /// The person enters a group call that runs without them.
    ///
    /// # Errors
    /// As the rules say.
    pub fn join(&mut self, who: &str, call: CallId) -> Result<(), Refusal> {
        self.command(self.who(who), Command::Join { call })
    }

    /// The person leaves that call.
    ///
    /// # Errors
    /// As the rules say.
    pub fn leave(&mut self, who: &str, call: CallId) -> Result<(), Refusal> {
        self.command(self.who(who), Command::HangUp { call, everyone: false })
    }

    /// The person ends that call for everybody.
    ///
    /// # Errors
    /// As the rules say.
    pub fn end_for_all(&mut self, who: &str, call: CallId) -> Result<(), Refusal> {
        self.command(self.who(who), Command::HangUp { call, everyone: true })
    }

    /// `a` puts `whom` out of that call.
    ///
    /// # Errors
    /// As the rules say.
    pub fn remove(&mut self, a: &str, call: CallId, whom: &str) -> Result<(), Refusal> {
        let member = self.member(a, call, whom).map_or(MemberId(999), |member| member.id);
        self.command(self.who(a), Command::Remove { call, member })
    }

    /// What `a` sees of `whom` in that call.
    pub fn member(&self, a: &str, call: CallId, whom: &str) -> Option<MemberView> {
        let owner = self.people[self.who(whom)].owner;
        self.view_of(a, call)?.members.into_iter().find(|member| member.peer == peer(owner))
    }

    /// How far `whom` has come in that call, for `a`.
    pub fn stands(&self, a: &str, call: CallId, whom: &str) -> Option<MemberState> {
        self.member(a, call, whom).map(|member| member.state)
    }

    /// From now on these two let each other see whether they can be reached.
    pub fn let_tell(&mut self, one: &str, other: &str) {
        let (one, other) = (self.people[self.who(one)].owner, self.people[self.who(other)].owner);
        self.telling.extend([(one, other), (other, one)]);
    }

    /// Whether that device's person and that person do.
    pub(crate) fn tells(&self, device: usize, person: usize) -> bool {
        self.telling.contains(&(self.people[device].owner, person))
    }

    /// The person takes the call that rings, holding the others.
    ///
    /// # Errors
    /// As the rules say.
    pub fn answer(&mut self, who: &str) -> Result<(), Refusal> {
        self.answer_and(who, Others::Hold)
    }

    /// The person takes the call that rings.
    ///
    /// # Errors
    /// As the rules say.
    pub fn answer_and(&mut self, who: &str, others: Others) -> Result<(), Refusal> {
        self.of_the_last(who, |call| Command::Answer { call, others })
    }

    /// The person declines the newest call, on this device.
    ///
    /// # Errors
    /// As the rules say.
    pub fn decline(&mut self, who: &str) -> Result<(), Refusal> {
        self.decline_with(who, DeclineReason::Declined, Scope::ThisDevice, None)
    }

    /// The person declines the newest call with everything that can be said.
    ///
    /// # Errors
    /// As the rules say.
    pub fn decline_with(
        &mut self,
        who: &str,
        reason: DeclineReason,
        scope: Scope,
        text: Option<&str>,
    ) -> Result<(), Refusal> {
        let text = text.map(str::to_owned);
        self.of_the_last(who, |call| Command::Decline { call, reason, scope, text })
    }

    /// The person hangs the newest call up.
    ///
    /// # Errors
    /// As the rules say.
    pub fn hang_up(&mut self, who: &str) -> Result<(), Refusal> {
        self.of_the_last(who, |call| Command::HangUp { call, everyone: false })
    }

    /// `a` dials `b`, and a second passes: it rings there, if it can.
    ///
    /// # Panics
    /// If it is refused.
    pub fn ring(&mut self, a: &str, b: &str) -> CallId {
        let call = self.dial(a, b).expect("it may dial");
        self.pass(SECOND);
        call
    }

    /// The person takes the call that rings, and a second passes: they talk, if they can.
    ///
    /// # Panics
    /// If it is refused.
    pub fn pick_up(&mut self, who: &str) {
        self.answer(who).expect("it may answer");
        self.pass(SECOND);
    }

    /// The person hangs the newest call up, and a second passes.
    ///
    /// # Panics
    /// If it is refused.
    pub fn put_down(&mut self, who: &str) {
        self.hang_up(who).expect("it may hang up");
        self.pass(SECOND);
    }

    /// `a` and `b` talk.
    ///
    /// # Panics
    /// If that is refused.
    pub fn talk(&mut self, a: &str, b: &str) -> CallId {
        let call = self.ring(a, b);
        self.pick_up(b);
        call
    }

    /// The person mutes or unmutes the newest call.
    ///
    /// # Errors
    /// As the rules say.
    pub fn mute(&mut self, who: &str, muted: bool) -> Result<(), Refusal> {
        self.of_the_last(who, |call| Command::SetMuted { call, muted })
    }

    /// The person silences the newest call.
    ///
    /// # Errors
    /// As the rules say.
    pub fn silence(&mut self, who: &str) -> Result<(), Refusal> {
        self.of_the_last(who, |call| Command::Silence { call })
    }

    /// The person holds a call.
    ///
    /// # Errors
    /// As the rules say.
    pub fn hold(&mut self, who: &str, call: CallId) -> Result<(), Refusal> {
        self.command(self.who(who), Command::Hold { call })
    }

    /// The person takes a call up again.
    ///
    /// # Errors
    /// As the rules say.
    pub fn resume(&mut self, who: &str, call: CallId) -> Result<(), Refusal> {
        self.command(self.who(who), Command::Resume { call })
    }

    /// The person swaps the call that has the ear with the one that is held.
    ///
    /// # Errors
    /// As the rules say.
    pub fn swap(&mut self, who: &str) -> Result<(), Refusal> {
        self.command(self.who(who), Command::Swap)
    }

    /// The person blocks another one on this device.
    ///
    /// # Errors
    /// As the rules say.
    pub fn block(&mut self, who: &str, whom: &str) -> Result<(), Refusal> {
        let owner = self.people[self.who(whom)].owner;
        self.command(self.who(who), Command::Block { peer: peer(owner) })
    }

    fn of_the_last(&mut self, who: &str, ask: impl FnOnce(CallId) -> Command) -> Result<(), Refusal> {
        let who = self.who(who);
        self.command(who, ask(self.last_call(who)))
    }

    /// The newest call that this device may know of, an unknown one if there is none.
    pub fn last_call(&self, who: usize) -> CallId {
        let views = self.people[who].phone.views();
        views.last().map_or(CallId::from_bytes([0; 16]), |view| view.id)
    }

    /// The newest view of this device.
    pub fn view(&self, who: &str) -> Option<CallView> {
        self.people[self.who(who)].phone.views().pop()
    }

    /// How many calls this device shows.
    pub fn views_of(&self, who: &str) -> usize {
        self.people[self.who(who)].phone.views().len()
    }

    /// The view of one call on this device.
    pub fn view_of(&self, who: &str, call: CallId) -> Option<CallView> {
        self.people[self.who(who)].phone.views().into_iter().find(|view| view.id == call)
    }

    /// The state of the newest call.
    pub fn state(&self, who: &str) -> Option<State> {
        self.view(who).map(|view| view.state)
    }

    /// The state of one call.
    pub fn state_of(&self, who: &str, call: CallId) -> Option<State> {
        self.view_of(who, call).map(|view| view.state)
    }

    /// The facts of all records of a device, oldest first.
    pub fn facts(&self, who: &str) -> Vec<Fact> {
        self.people[self.who(who)].records.iter().map(|record| record.fact).collect()
    }

    /// The final records of a device, one for each ended call.
    pub fn rows(&self, who: &str) -> Vec<&Record> {
        let person = &self.people[self.who(who)];
        person.records.iter().filter(|record| record.fact == Fact::Ended).collect()
    }

    /// How the call that ended last on this device is filed.
    ///
    /// # Panics
    /// If none has ended.
    pub fn end(&self, who: &str) -> (EndReason, EndedBy, Outcome) {
        let rows = self.rows(who);
        let view = &rows.last().expect("a call has ended").view;
        let all = view.reason.zip(view.ended_by).zip(view.outcome);
        let ((reason, by), outcome) = all.expect("an ended call says why");
        (reason, by, outcome)
    }

    /// Who of a group put this device out of its last call, or ended that for all.
    pub fn ender(&self, who: &str) -> Option<&str> {
        let view = &self.rows(who).last()?.view;
        let peer = view.members.iter().find(|member| Some(member.id) == view.ender)?.peer;
        self.people.iter().find(|person| super::peer(person.owner) == peer).map(|person| &person.name[..])
    }

    /// The reasons of all ended calls of a device, in the order of their ends.
    pub fn reasons(&self, who: &str) -> Vec<EndReason> {
        self.rows(who).iter().filter_map(|row| row.view.reason).collect()
    }
}
