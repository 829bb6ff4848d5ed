//! The threads that serve sound, so that each can be given priority and all can lose it at once.
//!
//! Lives here: their list, the limit of real-time, and what happens when one of them runs away.
//! Must not: ask another program; allocate, lock or log where a thread enlists or a signal is served.
//!
//! A real-time thread that computes without a pause holds up its whole machine. The limit (`RLIMIT_RTTIME`) is its guard: past the
//! soft one the kernel sends SIGXCPU, and every thread of the list goes back to ordinary; past the hard one it would kill us.
#![expect(
    unsafe_code,
    reason = "scheduling and signals have no safe form; what the signal's handler does is plain system calls and atomics"
)]

use std::sync::atomic::{AtomicI32, AtomicU8, AtomicU32, Ordering};

use libc::{SCHED_OTHER, SCHED_RESET_ON_FORK, SCHED_RR, SYS_sched_setscheduler, c_int, c_long};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// More than sound has: the media thread, a stream in each direction, what a person tries and looks at.
const MOST: usize = 16;
/// Processor time without a pause, in microseconds, after which a thread has run away. The second is what rtkit demands at most.
const SOFT: u64 = 100_000;
const HARD: u64 = 200_000;
/// Below every sound server's, above all that is ordinary.
pub(super) const PRIORITY: u32 = 5;

/// What became of a thread's wish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum State {
    /// Nobody has asked for it yet.
    Waiting,
    RealTime,
    /// Refused: high priority, or none.
    Other,
    /// It was real-time until a thread ran away.
    Demoted,
}

struct Slot {
    /// Its number; 0 where there is none.
    thread: AtomicI32,
    state: AtomicU8,
}

static ROLL: [Slot; MOST] =
    [const { Slot { thread: AtomicI32::new(0), state: AtomicU8::new(State::Waiting as u8) } }; MOST];
/// How often a thread ran away.
static RUN_AWAY: AtomicU32 = AtomicU32::new(0);

/// A thread is on the list as long as this lives.
#[derive(Debug)]
pub struct Enlisted(usize);

/// Puts the present thread on the list. None if there are too many.
pub fn enlist() -> Option<Enlisted> {
    let thread = own_number();
    let taken = |slot: &Slot| {
        let free = slot.thread.compare_exchange(0, thread, Ordering::AcqRel, Ordering::Relaxed);
        free.map(|_| slot.state.store(State::Waiting as u8, Ordering::Release)).is_ok()
    };
    ROLL.iter().position(taken).map(Enlisted)
}

impl Drop for Enlisted {
    fn drop(&mut self) {
        let Slot { thread, state } = &ROLL[self.0];
        // First the state: who takes the place next is not taken for one that was served.
        state.store(State::Waiting as u8, Ordering::Release);
        thread.store(0, Ordering::Release);
    }
}

/// The threads for which nobody has asked yet.
pub(super) fn waiting() -> Vec<i32> {
    with(State::Waiting).map(|slot| slot.thread.load(Ordering::Acquire)).collect()
}

/// Somebody waits.
pub(super) fn anybody_waits() -> bool {
    with(State::Waiting).next().is_some()
}

fn with(state: State) -> impl Iterator<Item = &'static Slot> {
    let lives = |slot: &&Slot| slot.thread.load(Ordering::Acquire) > 0;
    ROLL.iter().filter(lives).filter(move |slot| slot.state.load(Ordering::Acquire) == state as u8)
}

/// This became of the thread's wish. A thread that ran away meanwhile stays so.
pub(super) fn settle(thread: i32, state: State) {
    if let Some(slot) = ROLL.iter().find(|slot| slot.thread.load(Ordering::Acquire) == thread) {
        let (from, to) = (State::Waiting as u8, state as u8);
        // It is another thread's by now, or it is demoted.
        let _other = slot.state.compare_exchange(from, to, Ordering::AcqRel, Ordering::Relaxed);
    }
}

/// Whoever is not real-time waits again.
pub(super) fn ask_again() {
    for slot in with(State::Other).chain(with(State::Demoted)) {
        slot.state.store(State::Waiting as u8, Ordering::Release);
    }
}

/// How often a thread ran away since the process began.
pub(super) fn ran_away() -> u32 {
    RUN_AWAY.load(Ordering::Acquire)
}

/// Sets the limit, without which nobody gives real-time priority and no thread of ours is to have it. False if that failed.
/// Each time anew: the kernel raises the soft one when it sends its signal.
pub(super) fn limit() -> bool {
    if !serves_the_signal() {
        return false;
    }
    let hard = getrlimit(Resource::Rttime).maximum.map_or(HARD, |now| now.min(HARD));
    let limit = Rlimit { current: Some(SOFT.min(hard)), maximum: Some(hard) };
    setrlimit(Resource::Rttime, limit).is_ok()
}

/// The present thread's number.
pub(super) fn own_number() -> i32 {
    rustix::thread::gettid().as_raw_nonzero().get()
}

/// Gives real-time priority to a thread of ours. True where this user may do so without asking anybody.
pub(super) fn give(thread: i32) -> bool {
    schedule(thread, SCHED_RR, PRIORITY.try_into().unwrap_or(1)) == 0
}

fn schedule(thread: i32, policy: c_int, priority: c_int) -> c_long {
    let parameters = libc::sched_param { sched_priority: priority };
    // SAFETY: the kernel reads the structure within the call. Not by the C library's function: musl's refuses.
    unsafe {
        libc::syscall(SYS_sched_setscheduler, thread, policy | SCHED_RESET_ON_FORK, &raw const parameters)
    }
}

fn serves_the_signal() -> bool {
    // SAFETY: the structure is plain data and may be zero; the handler is of the right form and does only what a handler may.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = run_away as extern "C" fn(c_int) as usize;
        action.sa_flags = libc::SA_RESTART;
        libc::sigaction(libc::SIGXCPU, &raw const action, std::ptr::null_mut()) == 0
    }
}

/// A thread ran away: it may be any of them. All go back; an ordinary user may do that only with the flag that they came with.
extern "C" fn run_away(_signal: c_int) {
    // SAFETY: the pointer is the thread's own errno, which what was interrupted may be about to read.
    let errno = unsafe { libc::__errno_location() };
    // SAFETY: as above.
    let before = unsafe { *errno };
    for slot in &ROLL {
        let thread = slot.thread.load(Ordering::Acquire);
        // Whatever is known of it: it may have been promoted a moment ago.
        if thread > 0 {
            schedule(thread, SCHED_OTHER, 0);
            slot.state.store(State::Demoted as u8, Ordering::Release);
        }
    }
    RUN_AWAY.fetch_add(1, Ordering::AcqRel);
    // SAFETY: as above.
    unsafe { *errno = before };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_is_on_the_list_while_it_says_so_and_is_asked_for_once_a_call() {
        let own = rustix::thread::gettid().as_raw_nonzero().get();
        let enlisted = enlist().unwrap();
        assert!(anybody_waits() && waiting().contains(&own));
        settle(own, State::Other);
        assert!(!waiting().contains(&own), "the answer is known");
        ask_again();
        assert!(waiting().contains(&own), "the next call asks again");
        settle(own, State::RealTime);
        ask_again();
        assert!(!waiting().contains(&own), "what is given is not asked for");
        drop(enlisted);
        settle(own, State::Other);
        assert!(enlist().is_some() && !waiting().contains(&own), "the next one begins anew, and is gone");
    }
}
