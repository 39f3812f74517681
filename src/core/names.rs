//! Names of agencies that a reader cannot take for another's (UTS 39).
//!
//! A name is Highly Restrictive: its letters are of one script, or Latin beside those of Chinese, Japanese or Korean; each
//! letter, mark and digit is one that identifiers may hold, or a compatibility form of such. Punctuation and spaces are free.
//! Two names are confusable when their skeletons are equal, letter case and compatibility forms set aside.
//!
//! Data: identifiers, scripts and confusables of Unicode 18.0 (`unicode-security` 0.1.3, `unicode-script` 0.5.9), case folding
//! of Unicode 16.0 (`caseless` 0.2.2). They are part of the rule set, so these versions are pinned; a test checks them.

use caseless::Caseless;
use unicode_general_category::{GeneralCategory, get_general_category};
use unicode_normalization::UnicodeNormalization;
use unicode_script::Script;
use unicode_security::GeneralSecurityProfile;
use unicode_security::mixed_script::AugmentedScriptSet;

use crate::core::hash::Hash;
use crate::core::refusal::{Code, Refusal};

/// Whether a name is Highly Restrictive.
///
/// # Errors
/// `text-forbidden`.
pub fn check(name: &str) -> Result<(), Refusal> {
    let refuse = |found: String, expected: &str| Err(Refusal::new(Code::TextForbidden, found, expected));
    if let Some(character) = name.chars().find(|character| !is_allowed(*character)) {
        return refuse(format!("U+{:04X}", u32::from(character)), "letters, marks and digits that identifiers may hold (UTS 39)");
    }
    let mut all = AugmentedScriptSet::default();
    let mut beside_latin = AugmentedScriptSet::default();
    for character in name.chars() {
        let scripts = AugmentedScriptSet::from(character);
        all.intersect_with(scripts);
        if !scripts.base.contains_script(Script::Latin) {
            beside_latin.intersect_with(scripts);
        }
    }
    let is_mixed = all.is_empty() && !(beside_latin.hanb || beside_latin.jpan || beside_latin.kore);
    if is_mixed { refuse(format!("'{name}', of mixed scripts"), "one script, or Latin beside Chinese, Japanese or Korean") } else { Ok(()) }
}

/// In the general security profile, by itself or by what it folds to; or no part of a word.
fn is_allowed(character: char) -> bool {
    use GeneralCategory as Category;
    let is_free = matches!(
        get_general_category(character),
        Category::SpaceSeparator
            | Category::ConnectorPunctuation
            | Category::DashPunctuation
            | Category::OpenPunctuation
            | Category::ClosePunctuation
            | Category::InitialPunctuation
            | Category::FinalPunctuation
            | Category::OtherPunctuation
            | Category::MathSymbol
            | Category::CurrencySymbol
            | Category::ModifierSymbol
            | Category::OtherSymbol
    );
    is_free || GeneralSecurityProfile::identifier_allowed(character) || folded([character]).all(GeneralSecurityProfile::identifier_allowed)
}

/// NFKC case fold.
fn folded(characters: impl IntoIterator<Item = char>) -> impl Iterator<Item = char> {
    characters.into_iter().nfd().default_case_fold().nfkd().default_case_fold().nfkc()
}

/// What all names that are confusable with this one share: SHA-256 of the skeleton of the NFKC case fold.
pub fn skeleton(name: &str) -> Hash {
    let folded: String = folded(name.chars()).collect();
    let skeleton: String = unicode_security::skeleton(&folded).collect();
    Hash::of(skeleton.as_bytes())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn the_tables_are_those_of_the_rule_set() {
        assert_eq!(unicode_security::UNICODE_VERSION, (18, 0, 0));
        assert_eq!(caseless::UNICODE_VERSION, (16, 0, 0));
    }

    #[test]
    fn mixed_scripts_and_odd_characters_are_refused() {
        // Cyrillic a, Greek o, a mathematical a outside words is folded, a letter-like rune.
        for bad in ["He\u{430}lth", "\u{3bf}ffice", "\u{16a0}", "\u{793e}\u{6703}\u{5c40}\u{430}", "\u{1d7ca}\u{430}b"] {
            assert_eq!(check(bad).unwrap_err().code, Code::TextForbidden, "{bad}");
        }
        for good in [
            "Health & Care (North)",
            "NHS \u{5065}\u{5eb7}",
            "\u{793e}\u{6703}\u{5c40}\u{ff08}A\u{ff09}",
            "\u{437}\u{434}\u{440}\u{430}\u{432}",
            "\u{ff2e}\u{ff28}\u{ff33}",
            "Caf\u{e9} \u{2116} 5",
        ] {
            assert!(check(good).is_ok(), "{good}");
        }
    }

    #[test]
    fn confusable_names_share_a_skeleton() {
        for (a, b) in [
            ("Health", "HEALTH"),
            ("Health", "\u{ff28}ealth"),
            ("Unit 1", "Unit l"),
            ("\u{441}\u{430}\u{440}", "cap"),
            ("Stra\u{df}e", "STRASSE"),
            ("Care\u{a0}One", "Care One"),
        ] {
            assert_eq!(skeleton(a), skeleton(b), "{a} {b}");
        }
        assert_ne!(skeleton("Health"), skeleton("Wealth"));
    }

    /// The second cell of each line, quotes understood.
    fn second_cell(line: &str) -> String {
        let mut cells = vec![String::new()];
        let mut is_quoted = false;
        for character in line.chars() {
            match character {
                '"' => is_quoted = !is_quoted,
                ',' if !is_quoted => cells.push(String::new()),
                _ => cells.last_mut().unwrap().push(character),
            }
        }
        cells.swap_remove(1).trim().to_owned()
    }

    /// The given files are imported with nothing refused: one agency for each name, letter case set aside.
    #[test]
    fn the_given_agencies_pass() {
        let tyc = include_str!("../../tests/data/tyc_agencies.csv");
        let nhsd = include_str!("../../tests/data/nhsd_agreements_2021-02.csv");
        for (file, agencies) in [(tyc, 34), (nhsd, 337)] {
            let mut names: BTreeMap<Hash, String> = BTreeMap::new();
            let mut spellings: BTreeMap<String, String> = BTreeMap::new();
            for line in file.lines().skip(1).filter(|line| !line.is_empty()) {
                let name = second_cell(line);
                check(&name).unwrap();
                spellings.insert(name.to_lowercase(), name);
            }
            for name in spellings.into_values() {
                if let Some(other) = names.insert(skeleton(&name), name.clone()) {
                    panic!("{name} and {other}");
                }
            }
            assert_eq!(names.len(), agencies);
        }
    }
}
