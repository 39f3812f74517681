//! Failing disks for the tests, chosen by the variable `SHARELOG_FAULT=disk:<kind>:<point>:<count>`; never part of a release
//! build. A point is a place of `store/disk.rs` (`log.sync`) or what comes last in the names of several (`sync`).
//!
//! - `eio`: the call with this count, from 1 on, fails; the next ones do not, as after a failed fsync;
//! - `enospc`: that call and all that follow fail: the disk is full;
//! - `die-before`, `die-after`, `torn`: the process ends like one that is killed, before or after that call, or in the middle
//!   of what it writes.
//!
//! What took effect is told on stderr. `SHARELOG_SEGMENT_BYTES` makes the log's files small.

use std::io;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use super::disk::Ends;

/// Written before a fault: who finds it in a node's log knows that it took effect.
pub const TOOK_EFFECT: &str = "disk fault took effect";

struct Fault {
    kind: String,
    point: String,
    count: u64,
}

fn fault() -> Option<&'static Fault> {
    static FAULT: OnceLock<Option<Fault>> = OnceLock::new();
    let read = || {
        let chosen = std::env::var("SHARELOG_FAULT").ok()?;
        let mut parts = chosen.strip_prefix("disk:")?.splitn(3, ':').map(str::to_owned);
        Some(Fault { kind: parts.next()?, point: parts.next()?, count: parts.next()?.parse().ok()? })
    };
    FAULT.get_or_init(read).as_ref()
}

/// What becomes of the call at `point`.
///
/// # Errors
/// Those that a failing disk gives.
pub fn before(point: &str) -> io::Result<Ends> {
    static CALLS: AtomicU64 = AtomicU64::new(0);
    let Some(fault) = fault().filter(|fault| matches(point, &fault.point)) else {
        return Ok(Ends::Never);
    };
    let count = CALLS.fetch_add(1, Ordering::SeqCst) + 1;
    if count < fault.count || (count > fault.count && fault.kind != "enospc") {
        return Ok(Ends::Never);
    }
    eprintln!("{TOOK_EFFECT}: {} at {point}, call {count}", fault.kind);
    match fault.kind.as_str() {
        "eio" => Err(io::Error::from_raw_os_error(rustix::io::Errno::IO.raw_os_error())),
        "enospc" => Err(io::Error::from_raw_os_error(rustix::io::Errno::NOSPC.raw_os_error())),
        "die-before" => std::process::abort(),
        "torn" => Ok(Ends::Torn),
        _ => Ok(Ends::After),
    }
}

fn matches(point: &str, chosen: &str) -> bool {
    point == chosen || point.rsplit_once('.').is_some_and(|(_, last)| last == chosen)
}

/// The size of a log file.
pub fn segment_bytes() -> Option<u64> {
    std::env::var("SHARELOG_SEGMENT_BYTES").ok()?.parse().ok()
}
