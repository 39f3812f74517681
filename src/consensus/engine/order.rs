//! Who proposes at a height: a pure function of committed history, the same on every node.
//!
//! A member that built none of the last n blocks (n = members of the set) is absent, and its turns are skipped: a dead
//! proposer costs one timeout per block that it misses, not one at every turn. Rounds, certificates and clocks have no part
//! in it, because nodes may see those differently.

/// At every height that this divides, the first turn goes to an absent member: the way back.
const WAY_BACK_EVERY: u64 = 32;

/// The order of turns at `height`, as indexes into `members` (ascending by agency), every member once.
///
/// `built` names the proposers of the newest blocks below `height`, oldest first; only its last n count. Present members go
/// first, the least recently building one in front (never-seen ones before all, by agency); absent ones follow, so that a
/// height ends even when every present member has died.
pub fn turns<'a>(members: &[&str], built: impl DoubleEndedIterator<Item = &'a str>, height: u64) -> Vec<usize> {
    let count = members.len();
    let newest_first: Vec<&str> = built.rev().take(count).collect();
    let age = |index: usize| newest_first.iter().position(|agency| *agency == members[index]);
    let is_young = newest_first.len() < count;
    let (mut present, absent): (Vec<usize>, Vec<usize>) = (0..count).partition(|index| is_young || age(*index).is_some());
    present.sort_by_key(|index| std::cmp::Reverse(age(*index).unwrap_or(usize::MAX)));
    let mut order = present;
    order.extend(&absent);
    if !absent.is_empty() && height.is_multiple_of(WAY_BACK_EVERY) {
        let turn = height / WAY_BACK_EVERY % u64::try_from(absent.len()).expect("a set has at most 22 members");
        let returning = absent[usize::try_from(turn).expect("below the number of absent members")];
        order.retain(|index| *index != returning);
        order.insert(0, returning);
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEMBERS: [&str; 4] = ["a", "b", "c", "d"];

    fn order(built: &str, height: u64) -> String {
        let built: Vec<String> = built.chars().map(String::from).collect();
        turns(&MEMBERS, built.iter().map(String::as_str), height).into_iter().map(|index| MEMBERS[index]).collect()
    }

    #[test]
    fn a_young_chain_goes_by_agency_and_then_by_age() {
        assert_eq!(order("", 1), "abcd");
        assert_eq!(order("a", 2), "bcda");
        assert_eq!(order("ab", 3), "cdab");
        assert_eq!(order("abc", 4), "dabc");
    }

    #[test]
    fn present_members_rotate() {
        assert_eq!(order("abcd", 5), "abcd");
        assert_eq!(order("abcda", 6), "bcda");
    }

    #[test]
    fn who_built_none_of_the_last_n_is_skipped_and_comes_last() {
        assert_eq!(order("dabca", 6), "bcad");
        assert_eq!(order("abca", 6), "bcad");
        assert_eq!(order("aaaa", 7), "abcd");
    }

    #[test]
    fn an_absent_member_gets_the_first_turn_at_every_32nd_height_in_turn() {
        assert_eq!(order("abca", 32), "dbca");
        assert_eq!(order("abab", 32), "dabc");
        assert_eq!(order("abab", 64), "cabd");
        assert_eq!(order("abcd", 32), "abcd");
    }

    #[test]
    fn every_member_has_one_turn() {
        for built in ["", "a", "aa", "abcd", "dddd", "xyzw", "abxy"] {
            for height in 1..70 {
                let mut order: Vec<char> = order(built, height).chars().collect();
                order.sort_unstable();
                assert_eq!(order, ['a', 'b', 'c', 'd']);
            }
        }
    }
}
