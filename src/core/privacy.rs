//! Personal data in free texts: the one pattern that admission refuses, and guesses that it leaves to the submitting side.
//!
//! Refused is a resident identity number (GB 11643). After folding full-width digits, a maximal run of 18 characters `[0-9]{17}[0-9Xx]` whose digits 7 to 14 are a real date
//! from 1900 on and whose check character is right. Anything less certain is no rule of consensus (DOMAIN, Privacy):
//! [`guesses`] points at what looks like a bank card, a mobile number or an e-mail address, for a client or a node to ask
//! about before it signs or spreads a record.

mod guess;

use jiff::civil::Date;

pub use guess::{Guess, Looks};

use crate::core::json::Value;
use crate::core::refusal::{Code, Refusal};

/// Members whose strings are free texts, in whatever depth.
const FREE_TEXTS: [&str; 25] = [
    "bar",
    "basis",
    "cause",
    "conditions",
    "given",
    "grounds",
    "items",
    "label",
    "method",
    "missing",
    "names",
    "purpose",
    "purposes",
    "reason",
    "scenario",
    "scope",
    "subject",
    "summary",
    "system",
    "text",
    "texts",
    "title",
    "topic",
    "type",
    "what",
];

/// What looks like personal data in the free texts of a body, in the order of the members.
pub fn guesses(body: &Value) -> Vec<Guess> {
    let mut found = Vec::new();
    for (name, member) in body.as_object().into_iter().flatten() {
        if FREE_TEXTS.contains(&name.as_str()) {
            search(member, name, &mut found);
        } else if !matches!(member, Value::String(_)) {
            nested(member, name, &mut found);
        }
    }
    found
}

/// The refusal that a client and a submitting node give for [`guesses`], unless they are forced.
///
/// # Errors
/// `text-forbidden`, naming the members and not what they hold.
pub fn check_guesses(body: &Value) -> Result<(), Refusal> {
    let found: Vec<_> = guesses(body).iter().map(|guess| format!("what looks like a {} in {}", guess.looks.as_str(), guess.path)).collect();
    if found.is_empty() {
        return Ok(());
    }
    let expected = "text without personal data; where it is none, force it: --force-text, or force_text=true over HTTP";
    Err(Refusal::new(Code::TextForbidden, found.join(", "), expected))
}

/// Free texts inside a member that is none itself, such as the purposes of counts.
fn nested(value: &Value, path: &str, found: &mut Vec<Guess>) {
    match value {
        Value::Array(items) => items.iter().enumerate().for_each(|(index, item)| nested(item, &format!("{path}[{index}]"), found)),
        Value::Object(_) => found.extend(guesses(value).into_iter().map(|guess| Guess { path: format!("{path}.{}", guess.path), ..guess })),
        _ => {}
    }
}

/// All strings below a free text.
fn search(value: &Value, path: &str, found: &mut Vec<Guess>) {
    match value {
        Value::String(text) => found.extend(guess::look(text).into_iter().map(|looks| Guess { path: path.to_owned(), looks })),
        Value::Array(items) => items.iter().enumerate().for_each(|(index, item)| search(item, &format!("{path}[{index}]"), found)),
        Value::Object(members) => members.iter().for_each(|(name, member)| search(member, &format!("{path}.{name}"), found)),
        _ => {}
    }
}

const LENGTH: usize = 18;
/// GB 11643, the weights of the first 17 digits.
const WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
/// GB 11643, the check character by the weighted sum modulo 11.
const CHECKS: &[u8; 11] = b"10X98765432";

/// # Errors
/// `text-forbidden`; the number is not repeated in it.
pub fn check_no_resident_number(text: &str) -> Result<(), Refusal> {
    if text.len() < LENGTH {
        return Ok(());
    }
    let mut run = [0; LENGTH];
    let mut length = 0;
    for character in text.chars().map(fold).chain([None]) {
        match character {
            Some(byte) => {
                if let Some(place) = run.get_mut(length) {
                    *place = byte;
                }
                length += 1;
            }
            None if length == LENGTH && is_resident_number(&run) => {
                return Err(Refusal::new(Code::TextForbidden, "a resident identity number", "text without personal data"));
            }
            None => length = 0,
        }
    }
    Ok(())
}

/// A character of a number as its ASCII byte.
fn fold(character: char) -> Option<u8> {
    match character {
        '0'..='9' | 'X' => u8::try_from(character).ok(),
        'x' => Some(b'X'),
        '\u{ff10}'..='\u{ff19}' => u8::try_from(u32::from(character) - 0xff10).ok().map(|digit| b'0' + digit),
        _ => None,
    }
}

fn is_resident_number(run: &[u8; LENGTH]) -> bool {
    let Some((check, digits)) = run.split_last() else {
        return false;
    };
    if !digits.iter().all(u8::is_ascii_digit) {
        return false;
    }
    let number = |range: std::ops::Range<usize>| digits[range].iter().fold(0_i16, |sum, digit| sum * 10 + i16::from(digit - b'0'));
    let (year, month, day) = (number(6..10), number(10..12), number(12..14));
    let real = |month, day| Date::new(year, month, day).is_ok();
    if year < 1900 || !i8::try_from(month).ok().zip(i8::try_from(day).ok()).is_some_and(|(month, day)| real(month, day)) {
        return false;
    }
    let sum: u32 = digits.iter().zip(WEIGHTS).map(|(digit, weight)| u32::from(digit - b'0') * weight).sum();
    usize::try_from(sum % 11).is_ok_and(|index| CHECKS[index] == *check)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::json::{Strings, parse};

    #[test]
    fn guesses_name_the_member_and_never_the_value() {
        let body = r#"{"batch":"13800138000","counts":[{"count":3,"purpose":"ask 13800138000"}],"names":{"en":"ask a.b@example.org"},"reason":"card 6222021234567890128","title":"Call 0571-88888888"}"#;
        let found = guesses(&parse(body.as_bytes(), Strings::Strict).unwrap());
        let shown: Vec<_> = found.iter().map(|guess| (guess.path.as_str(), guess.looks)).collect();
        assert_eq!(shown, [("counts[0].purpose", Looks::Mobile), ("names.en", Looks::Email), ("reason", Looks::Card)]);
    }

    #[test]
    fn a_resident_number_is_found_by_run_date_and_check() {
        // The example of GB 11643 itself.
        for bad in [
            "11010519491231002X",
            "of 11010519491231002x, as filed",
            "\u{53f7}\u{ff11}\u{ff11}010519491231002X\u{53f7}",
            "1 11010519491231002X",
        ] {
            let refusal = check_no_resident_number(bad).unwrap_err();
            assert_eq!(refusal.code, Code::TextForbidden, "{bad}");
            assert!(!refusal.to_string().contains("1949"), "the number is not repeated");
        }
        for good in [
            "110105194912310021",
            "111010519491231002X",
            "11010519491231002X1",
            "11010518991231002X",
            "11010519490231002X",
            "1101051949123100X2",
            "",
            "91350100M000100Y43",
        ] {
            assert!(check_no_resident_number(good).is_ok(), "{good}");
        }
    }
}
