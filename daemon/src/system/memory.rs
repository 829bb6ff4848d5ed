//! Memory that a daemon at rest does not need.
//!
//! Lives here: giving freed memory and unused pages of our own program back to the system, and an allocator that keeps little.
//! Must not: be called in a call; know when a daemon is at rest.
//!
//! What it is worth (release, online, PSS a minute after a call): 5.4 MiB, and 19.4 MiB where the program's pages stay.
#![expect(
    unsafe_code,
    reason = "the system's calls for this are unsafe; all only give back what can be had again"
)]

use std::ffi::c_void;

use rustix::mm::{Advice, madvise};

#[cfg(target_env = "gnu")]
unsafe extern "C" {
    /// Gives free memory at the end of each arena, and whole free pages in it, back. See malloc_trim(3).
    safe fn malloc_trim(pad: usize) -> i32;
    /// Sets one parameter of the allocator. See mallopt(3).
    safe fn mallopt(parameter: i32, value: i32) -> i32;
}

/// Lets the allocator keep little of what is freed. To be called before the first thread begins.
///
/// A sound stream has a thread and buffers of a megabyte. By itself glibc raises its thresholds when such a buffer is freed, up to
/// 64 MiB, and from then on each of up to eight arenas a core keeps what its threads have freed, which `malloc_trim` does not
/// touch: a megabyte a stream, for ever.
pub fn keep_little() {
    #[cfg(target_env = "gnu")]
    {
        // Of <malloc.h>; the threshold is glibc's own at the start.
        const M_TRIM_THRESHOLD: i32 = -1;
        const M_MMAP_THRESHOLD: i32 = -3;
        const M_ARENA_MAX: i32 = -8;
        const THRESHOLD: i32 = 128 * 1024;
        for (parameter, value) in
            [(M_TRIM_THRESHOLD, THRESHOLD), (M_MMAP_THRESHOLD, THRESHOLD), (M_ARENA_MAX, 2)]
        {
            if mallopt(parameter, value) == 0 {
                // The log is not open yet, and nothing depends on it but a few megabytes.
                return;
            }
        }
    }
}

/// Gives back what a start or a call has left: what the allocator holds free, and the code that will not run for hours. The
/// code stays in the system's cache of the program's file, from where the next call takes it as it needs it, within
/// some tenths of a millisecond.
pub(crate) fn rest() {
    #[cfg(target_env = "gnu")]
    malloc_trim(0);
    let Ok(maps) = std::fs::read_to_string("/proc/self/smaps") else { return };
    for (start, length) in unchanged(&maps, rest as *const () as usize) {
        let start = std::ptr::with_exposed_provenance_mut::<c_void>(start);
        // SAFETY: the range is one whole mapping of our program's file that cannot be written, and of which no page was
        // ever changed: what is dropped is read again from the file, in the same place, when it is touched.
        if let Err(error) = unsafe { madvise(start, length, Advice::LinuxDontNeed) } {
            tracing::debug!(%error, "the program's code stays in memory");
        }
    }
}

/// Start and length of each mapping of the file that `within` lies in, if nobody can write to it and no page of it was changed.
fn unchanged(smaps: &str, within: usize) -> Vec<(usize, usize)> {
    struct Mapping<'a> {
        start: usize,
        end: usize,
        read_only: bool,
        inode: &'a str,
        clean: bool,
    }
    let mut all: Vec<Mapping<'_>> = Vec::new();
    for line in smaps.lines() {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        match words.as_slice() {
            ["Anonymous:", kib, ..] => {
                if let Some(last) = all.last_mut() {
                    last.clean = *kib == "0";
                }
            }
            [range, rights, _, _, inode, ..] if rights.len() == 4 => {
                let Some((start, end)) = range.split_once('-') else { continue };
                let hex = |text| usize::from_str_radix(text, 16).ok();
                if let (Some(start), Some(end)) = (hex(start), hex(end)) {
                    let read_only = rights.starts_with('r') && !rights.contains('w');
                    all.push(Mapping { start, end, read_only, inode, clean: false });
                }
            }
            _ => {}
        }
    }
    let own = all.iter().find(|map| (map.start..map.end).contains(&within)).map_or("0", |map| map.inode);
    let ours = all.iter().filter(|map| map.inode == own && own != "0" && map.read_only && map.clean);
    ours.map(|map| (map.start, map.end - map.start)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_back_is_had_again() {
        let resident = || {
            let status = std::fs::read_to_string("/proc/self/status").unwrap();
            let line = status.lines().find_map(|line| line.strip_prefix("RssFile:")).unwrap().to_owned();
            line.split_whitespace().next().unwrap().parse::<u64>().unwrap()
        };
        let before = resident();
        rest();
        assert!(resident() < before, "pages of the program were given back");
        let words = format!("{:?} {}", [1.5, 2.5], "as before");
        assert_eq!(words, "[1.5, 2.5] as before", "and everything works on");
    }

    #[test]
    fn what_was_written_to_or_is_another_s_stays() {
        let map = |range: &str, rights: &str, inode: u32, changed: u32| {
            format!(
                "{range} {rights} 00000000 08:01 {inode} /x\nRss: 4 kB\nAnonymous: {changed} kB\nVmFlags: rd mr\n"
            )
        };
        let smaps = [
            map("1000-2000", "r--p", 7, 0),
            map("2000-4000", "r-xp", 7, 0),
            map("4000-5000", "r--p", 7, 4),
            map("5000-6000", "rw-p", 7, 0),
            map("8000-9000", "r-xp", 9, 0),
        ];
        assert_eq!(unchanged(&smaps.concat(), 0x2010), [(0x1000, 0x1000), (0x2000, 0x2000)]);
        assert!(unchanged(&smaps.concat(), 0xa000).is_empty(), "nothing is known of where we are");
    }
}
