//! Which strings may stand on the ledger.
//!
//! NFC, every code point assigned in Unicode 16.0, no control characters, no line or paragraph separators, no
//! Bidi_Control, no zero-width or invisible joiners: two different strings never look alike by invisible means.

use unicode_general_category::{GeneralCategory, get_general_category};
use unicode_normalization::UnicodeNormalization;

use crate::core::refusal::{Code, Refusal};

/// Checks a string of a signed or hashed JSON text.
///
/// # Errors
/// `text-forbidden`, naming the code point or the missing normal form.
pub fn check(string: &str) -> Result<(), Refusal> {
    check_with(string, &[])
}

/// As [`check`], with U+000A allowed: for members that hold a whole note.
///
/// # Errors
/// As [`check`].
pub fn check_note(string: &str) -> Result<(), Refusal> {
    check_with(string, &['\n'])
}

fn check_with(string: &str, allowed: &[char]) -> Result<(), Refusal> {
    if string.bytes().all(|byte| (b' '..0x7f).contains(&byte)) {
        return Ok(());
    }
    if let Some(bad) = string.chars().find(|c| !allowed.contains(c) && is_forbidden(*c)) {
        return Err(Refusal::new(
            Code::TextForbidden,
            format!("U+{:04X}", u32::from(bad)),
            "text without control, bidi or invisible characters",
        ));
    }
    if !string.nfc().eq(string.chars()) {
        return Err(Refusal::new(Code::TextForbidden, "text that is not in normal form C", "NFC"));
    }
    Ok(())
}

fn is_forbidden(character: char) -> bool {
    match character {
        '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{2028}'..='\u{2029}' => true,
        // Bidi_Control of Unicode 16.0.
        '\u{61c}' | '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => true,
        '\u{200b}'..='\u{200d}' | '\u{2060}' | '\u{feff}' => true,
        _ if character.is_ascii() => false,
        _ => get_general_category(character) == GeneralCategory::Unassigned,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_unicode_16() {
        assert_eq!(unicode_general_category::UNICODE_VERSION, (16, 0, 0));
    }

    #[test]
    fn invisible_and_unassigned_code_points_are_refused() {
        for bad in ["\u{202e}", "\u{200b}", "\u{feff}", "\u{2028}", "\u{85}", "\u{378}", "\u{ffff}", "\u{fdd0}", "e\u{301}", "\n"] {
            assert_eq!(check(bad).unwrap_err().code, Code::TextForbidden, "{bad:?}");
        }
        for good in ["", "plain", "\u{793e}\u{6703}\u{5c40}", "\u{e9}", "\u{e000}"] {
            assert!(check(good).is_ok(), "{good:?}");
        }
        assert!(check_note("a\nb").is_ok());
        assert!(check_note("a\tb").is_err());
    }
}
