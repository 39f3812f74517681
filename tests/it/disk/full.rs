//! A disk that is really full: the victim's data on a small tmpfs of its own. Needs root; the failing writes of `failing.rs`
//! stand in for it elsewhere.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use super::super::network::{READY, TestNetwork};
use super::{VICTIM, check_it_votes, data, network, start_victim, under_load, victim_ready};

const MIB: u64 = 1 << 20;
/// Time for a load to fill what is left.
const FILLS: Duration = Duration::from_secs(90);

/// A mounted tmpfs, gone with this value.
struct Small(PathBuf);

impl Small {
    /// `None` for a user who may not mount.
    fn mount(dir: &Path, bytes: u64) -> Option<Self> {
        let mount = |options: String| Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(dir).status();
        mount(format!("size={bytes}")).is_ok_and(|status| status.success()).then(|| Small(dir.to_owned()))
    }

    fn resize(&self, bytes: u64) {
        let status = Command::new("mount").args(["-o", &format!("remount,size={bytes}")]).arg(&self.0).status().unwrap();
        assert!(status.success());
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        // At the end of a test: a process that is still there keeps it until it ends.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

fn used(dir: &Path) -> u64 {
    let space = rustix::fs::statvfs(dir).unwrap();
    (space.f_blocks - space.f_bfree) * space.f_frsize
}

/// Sets the floor below which the node takes no records, bytes.
fn set_floor(network: &TestNetwork, bytes: u64) {
    let path = network.net.nodes[VICTIM].home.join("config.toml");
    let text = fs::read_to_string(&path).unwrap();
    let lines = text
        .lines()
        .map(|line| if line.starts_with("disk_free_bytes_min") { format!("disk_free_bytes_min = {bytes}") } else { line.to_owned() });
    fs::write(&path, lines.collect::<Vec<_>>().join("\n") + "\n").unwrap();
}

#[test]
fn a_full_disk_takes_nothing_and_goes_on_after_growth() {
    let mut network = network();
    assert!(network.net.stop(VICTIM));
    let (dir, aside) = (data(&network), network.path("aside"));
    fs::rename(&dir, &aside).unwrap();
    fs::create_dir(&dir).unwrap();
    let Some(small) = Small::mount(&dir, 256 * MIB) else {
        println!("not root: no tmpfs; see failing.rs");
        return;
    };
    super::copy_dir(&aside, &dir);
    set_floor(&network, 0);
    start_victim(&mut network, "");
    victim_ready(&mut network);
    under_load(&mut network, "full", |network| {
        std::thread::sleep(Duration::from_secs(1));
        // Room for a few blocks, and none for zeros ahead.
        small.resize(used(&dir) + MIB / 32);
        let since = Instant::now();
        while network.net.ended(VICTIM).is_none() {
            assert!(since.elapsed() < FILLS, "void: the disk does not fill, or the node goes on\n{}", network.log_tail(VICTIM));
            std::thread::sleep(Duration::from_millis(100));
        }
        assert!(!network.net.ended(VICTIM).unwrap().success());
        println!(
            "full after {:?}: {}",
            since.elapsed(),
            super::log_text(network).lines().rfind(|line| line.contains("ended by")).unwrap_or_default()
        );
        // Still full: whatever it does, it takes nothing.
        start_victim(network, "");
        std::thread::sleep(Duration::from_secs(3));
        small.resize(256 * MIB);
        if network.net.ended(VICTIM).is_some() {
            start_victim(network, "");
        }
        victim_ready(network);
        let (_, size) = network.net.head(0).unwrap();
        network.net.wait_size(VICTIM, size, READY).unwrap();
    });
    check_it_votes(&mut network, "after-a-full-disk");

    // Below the floor it serves, votes, takes nothing and says so; above it, it takes records again by itself.
    set_floor(&network, 128 * MIB);
    network.net.kill(VICTIM);
    start_victim(&mut network, "");
    victim_ready(&mut network);
    small.resize(used(&dir) + 64 * MIB);
    let key = network.key("agency-3", "office");
    let mut posts = 0;
    let mut post = |network: &TestNetwork| {
        posts += 1;
        let note = super::duty(&network.net.origin, "agency-3", &format!("floor-{posts}"), &key);
        network.net.post(VICTIM, &note, "?wait=committed").unwrap()
    };
    let life = |network: &TestNetwork| network.net.ask(VICTIM, "/api/v1/status").unwrap().get("life").unwrap().as_str().unwrap().to_owned();
    let since = Instant::now();
    while life(&network) != "low-space" {
        assert!(since.elapsed() < READY, "life is {}", life(&network));
        std::thread::sleep(Duration::from_millis(100));
    }
    let (status, body) = post(&network);
    assert_eq!(status, 503, "{}", String::from_utf8_lossy(&body));
    assert!(String::from_utf8_lossy(&body).contains("low-space"));
    small.resize(512 * MIB);
    victim_ready(&mut network);
    let (status, body) = post(&network);
    assert_eq!(status, 200, "{}", String::from_utf8_lossy(&body));
    network.net.kill(VICTIM);
}
