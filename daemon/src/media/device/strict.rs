//! An allocator that counts what the current thread takes from it while it is asked to.
//!
//! Lives here: the proof that callbacks do not allocate, in tests only.
//! Must not: be in the program.
#![expect(unsafe_code, reason = "an allocator cannot be written without; it only counts and passes on")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    static COUNT: Cell<Option<u64>> = const { Cell::new(None) };
}

struct Strict;

// SAFETY: every call goes to the system's allocator unchanged; counting touches a constant-initialised thread-local without
// destructor, which allocates nothing itself.
unsafe impl GlobalAlloc for Strict {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note();
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        note();
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static STRICT: Strict = Strict;

fn note() {
    COUNT.with(|count| count.set(count.get().map(|n| n + 1)));
}

/// How often `f` took memory or gave it back.
pub(super) fn allocations(f: impl FnOnce()) -> u64 {
    COUNT.with(|count| count.set(Some(0)));
    f();
    COUNT.with(Cell::take).unwrap_or(0)
}
