//! The machine below: clocks, files, the kernel's news, the service manager.
//!
//! Lives here: one file a subject, each for anybody in the daemon.
//! Must not: know calls, the engine or a port.

pub mod census;
pub mod cli;
pub mod clock;
pub mod failpoint;
pub mod file;
pub mod level;
pub mod lock;
pub mod log;
pub mod memory;
pub(crate) mod names;
pub(crate) mod netlink;
pub mod paths;
pub mod priority;
pub mod private;
pub(crate) mod race;
pub mod ready;
pub mod store;
pub mod trust;
