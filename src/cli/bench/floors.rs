//! The machine's own floors, measured in the same run. Rates are per second of CPU, as the nodes' use is counted: what else
//! the machine does meanwhile must not make the nodes look cheap.

use std::fs::File;
use std::io::Write as _;
use std::time::Instant;

use anyhow::{Context as _, Result};

use crate::cli::bench::load::cpu_s;
use crate::core::hash::Hash;
use crate::core::key::SecretKey;

/// CPU seconds for which each rate is measured: some hundred times the step in which they are counted.
const SPAN_CPU_S: f64 = 1.5;
/// About the size of a share.deliver note.
const MESSAGE_BYTES: usize = 450;
const SYNCS: usize = 200;

/// Rates of one core, and the disk's.
#[derive(Clone, Copy, Debug, Default)]
pub struct Floors {
    /// Ed25519 `verify_strict` per second, one core, a message of 450 bytes.
    pub verify_per_s: f64,
    /// SHA-256 of 450 bytes per second, one core.
    pub sha256_per_s: f64,
    /// Median fdatasync after a 4 KiB overwrite, ms.
    pub fdatasync_ms: f64,
}

impl Floors {
    /// The mean of two measurements.
    pub fn mean(&self, other: &Floors) -> Floors {
        Floors {
            verify_per_s: f64::midpoint(self.verify_per_s, other.verify_per_s),
            sha256_per_s: f64::midpoint(self.sha256_per_s, other.sha256_per_s),
            fdatasync_ms: f64::midpoint(self.fdatasync_ms, other.fdatasync_ms),
        }
    }
}

pub fn measure() -> Result<Floors> {
    let secret = SecretKey::from_seed(&[11; 32]);
    let public = secret.public();
    let message = vec![b'x'; MESSAGE_BYTES];
    let signature = secret.sign(&message);
    Ok(Floors {
        verify_per_s: rate(|| assert!(public.verifies_strictly(&message, &signature)))?,
        sha256_per_s: rate(|| assert_ne!(std::hint::black_box(Hash::of(&message)), Hash::default()))?,
        fdatasync_ms: fdatasync_ms()?,
    })
}

fn rate(mut work: impl FnMut()) -> Result<f64> {
    let now = || cpu_s("thread-self").context("reading /proc/thread-self/stat");
    let start = now()?;
    let mut done = 0_u32;
    loop {
        for _ in 0..2_000 {
            work();
        }
        done += 2_000;
        let used = now()? - start;
        if used >= SPAN_CPU_S {
            return Ok(f64::from(done) / used);
        }
    }
}

fn fdatasync_ms() -> Result<f64> {
    use std::os::unix::fs::FileExt as _;
    let path = std::env::temp_dir().join(format!("sharelog-floor-{}", std::process::id()));
    let mut file = File::create(&path)?;
    file.write_all(&vec![0; 1 << 20])?;
    file.sync_all()?;
    let mut spans = Vec::with_capacity(SYNCS);
    for index in 0..SYNCS {
        file.write_all_at(&[1; 4096], u64::try_from(index % 256)? * 4096)?;
        let start = Instant::now();
        file.sync_data()?;
        spans.push(start.elapsed().as_secs_f64() * 1e3);
    }
    std::fs::remove_file(&path)?;
    spans.sort_by(f64::total_cmp);
    Ok(spans[SYNCS / 2])
}
