//! A disk that is an older copy, a lost disk, a lost `last-signed`: what the victim signs afterwards.

use std::fs;

use sharelog::node::local::LocalNetwork;

use super::super::network::{READY, TestNetwork};
use super::{
    Seeded, VICTIM, check_it_votes, copy_dir, count, data, log_text, network, replace_dir, signed, start_victim, under_load, victim_ready,
};

/// Waits until `count` more blocks are there.
fn let_pass(network: &mut TestNetwork, blocks: u64) {
    let (from, _) = network.net.head(0).unwrap();
    let more = |net: &mut LocalNetwork| net.head(0).is_ok_and(|(height, _)| height >= from + blocks);
    network.net.wait_until("more blocks", READY, more).unwrap_or_else(|error| panic!("{error}\n{}", network.log_tail(0)));
}

/// The victim signs again.
fn votes_again(network: &mut TestNetwork) {
    let path = signed(network);
    let texts = || fs::read_to_string(&path).unwrap().lines().count();
    let before = texts();
    let votes = network.net.wait_until("votes of the victim", READY, |_| texts() >= before + 6);
    votes.unwrap_or_else(|error| panic!("{error}\n{}", network.log_tail(VICTIM)));
}

/// The victim reaches the blocks that the others have now.
fn catch_up(network: &mut TestNetwork) {
    let (_, size) = network.net.head(0).unwrap();
    network.net.wait_size(VICTIM, size, READY).unwrap_or_else(|error| panic!("{error}\n{}", network.log_tail(VICTIM)));
    victim_ready(network);
}

/// A validator whose data folder was replaced by an older copy, `last-signed` and WAL included, started at the copy's height and
/// voted there at once: nil where it had voted for a block, or for a block of its own where it had proposed another. Now it
/// signs nothing before it is level with the others; and where a certificate holds a signature that it does not know of,
/// nothing at heights in which it may have voted.
#[test]
fn an_older_copy_of_the_data_contradicts_nothing() {
    let mut network = network();
    let mut random = Seeded::new();
    let older = tempfile::tempdir().unwrap();
    under_load(&mut network, "older", |network| {
        for turn in 0..count(4) {
            let_pass(network, 1 + random.below(6));
            // Every other copy is that of a running node: its files are of different moments.
            if turn % 2 == 0 {
                network.net.kill(VICTIM);
            }
            let _ = fs::remove_dir_all(older.path());
            copy_dir(&data(network), older.path());
            if turn % 2 == 0 {
                start_victim(network, "");
                victim_ready(network);
            }
            let (height, _) = network.net.head(VICTIM).unwrap();
            let_pass(network, 5 + random.below(12));
            network.net.kill(VICTIM);
            let (reached, _) = network.net.head(0).unwrap();
            assert!(reached > height, "void: the copy is not old");
            println!("turn {turn}: a copy of height {height} at height {reached}");
            replace_dir(older.path(), &data(network));
            start_victim(network, "");
            catch_up(network);
            votes_again(network);
        }
    });
    assert!(log_text(&network).contains("the disk is an older copy"), "void: no older copy was noticed");
    check_it_votes(&mut network, "after-older-copies");
}

/// Neither a lost disk, nor a lost or half damaged `last-signed`, lets it sign what it may have signed otherwise.
#[test]
fn a_lost_disk_and_a_lost_last_signed_contradict_nothing() {
    let mut network = network();
    under_load(&mut network, "lost", |network| {
        let_pass(network, 10);
        network.net.kill(VICTIM);
        fs::remove_dir_all(data(network)).unwrap();
        start_victim(network, "");
        catch_up(network);
        votes_again(network);

        network.net.kill(VICTIM);
        let last_signed = data(network).join("consensus/last-signed");
        fs::remove_file(&last_signed).unwrap();
        start_victim(network, "");
        let ended = network.net.wait_until("a refusal to start", READY, |net| net.ended(VICTIM).is_some());
        ended.unwrap_or_else(|error| panic!("{error}\n{}", network.log_tail(VICTIM)));
        assert!(!network.net.ended(VICTIM).unwrap().success());
        assert!(network.log_tail(VICTIM).contains("last-signed"), "{}", network.log_tail(VICTIM));

        fs::write(data(network).join("consensus/rejoin"), "").unwrap();
        start_victim(network, "");
        catch_up(network);
        votes_again(network);

        // Half of it is damaged: that one may have been the newest.
        network.net.kill(VICTIM);
        let mut bytes = fs::read(&last_signed).unwrap();
        bytes[4_096 + 12] ^= 1;
        fs::write(&last_signed, bytes).unwrap();
        start_victim(network, "");
        catch_up(network);
        votes_again(network);
    });
    assert!(log_text(&network).contains("a damaged slot"));
    check_it_votes(&mut network, "after-lost-disks");
}
