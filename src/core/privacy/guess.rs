//! What a text seems to hold: guesses from the shape of numbers and addresses.

/// What something looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Looks {
    /// A bank card: 13 to 19 digits with an issuer's prefix and Luhn's check digit.
    Card,
    /// An e-mail address.
    Email,
    /// A mobile number of mainland China.
    Mobile,
}

impl Looks {
    pub fn as_str(self) -> &'static str {
        match self {
            Looks::Card => "bank card",
            Looks::Email => "e-mail address",
            Looks::Mobile => "mobile number",
        }
    }
}

/// Where something was found; never the value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guess {
    /// Such as `names.en` or `purposes[2]`.
    pub path: String,
    pub looks: Looks,
}

/// First digits of issuers, with the lengths of their numbers. UnionPay, Mastercard, Visa, American Express, JCB, Diners Club.
const ISSUERS: [(u32, u32, &[usize]); 9] = [
    (62, 62, &[16, 17, 18, 19]),
    (51, 55, &[16]),
    (2221, 2720, &[16]),
    (4, 4, &[13, 16, 19]),
    (34, 34, &[15]),
    (37, 37, &[15]),
    (3528, 3589, &[16]),
    (36, 36, &[14]),
    (300, 305, &[14]),
];

/// What `text` seems to hold, each kind once, ascending.
pub fn look(text: &str) -> Vec<Looks> {
    let mut found = Vec::new();
    let numbers = numbers(text);
    if numbers.iter().any(|number| is_card(number)) {
        found.push(Looks::Card);
    }
    if has_email(text) {
        found.push(Looks::Email);
    }
    if numbers.iter().any(|number| is_mobile(number)) {
        found.push(Looks::Mobile);
    }
    found
}

/// The numbers of a text as ASCII digits, full-width ones folded: groups that single spaces or hyphens join are one. A number
/// that touches an ASCII letter, a dot or an underscore belongs to a code and is left out.
fn numbers(text: &str) -> Vec<String> {
    let characters: Vec<char> = text.chars().collect();
    let digit = |index: usize| characters.get(index).copied().and_then(fold);
    let is_word = |character: &char| character.is_ascii_alphanumeric() || matches!(character, '.' | '_' | '/');
    let mut numbers = Vec::new();
    let mut index = 0;
    while index < characters.len() {
        if digit(index).is_none() {
            index += 1;
            continue;
        }
        let start = index;
        let mut number = String::new();
        while let Some(next) = digit(index) {
            number.push(next);
            let joins = matches!(characters.get(index + 1), Some(' ' | '-')) && digit(index + 2).is_some();
            index += if joins { 2 } else { 1 };
        }
        let before = start.checked_sub(1).and_then(|before| characters.get(before));
        let hyphened = matches!(before, Some('-')) && start.checked_sub(2).is_some_and(|place| characters[place].is_ascii_alphanumeric());
        let ends_a_sentence = matches!(characters.get(index), Some('.')) && !characters.get(index + 1).is_some_and(is_word);
        let after = characters.get(index).filter(|_| !ends_a_sentence);
        if !before.is_some_and(is_word) && !hyphened && !after.is_some_and(is_word) {
            numbers.push(number);
        }
    }
    numbers
}

fn fold(character: char) -> Option<char> {
    match character {
        '0'..='9' => Some(character),
        '\u{ff10}'..='\u{ff19}' => char::from_digit(u32::from(character) - 0xff10, 10),
        _ => None,
    }
}

fn is_card(number: &str) -> bool {
    let is_issued = ISSUERS.iter().any(|(first, last, lengths)| {
        let digits = first.to_string().len();
        let prefix = number.get(..digits).and_then(|prefix| prefix.parse::<u32>().ok());
        lengths.contains(&number.len()) && prefix.is_some_and(|prefix| (*first..=*last).contains(&prefix))
    });
    is_issued && luhn(number)
}

fn luhn(number: &str) -> bool {
    let weighed = |(index, digit): (usize, char)| {
        let digit = digit.to_digit(10).unwrap_or(0);
        match index % 2 {
            0 => digit,
            _ => digit * 2 / 10 + digit * 2 % 10,
        }
    };
    number.chars().rev().enumerate().map(weighed).sum::<u32>() % 10 == 0
}

/// 11 digits of an allotted range, with or without the country's code. Office lines begin with an area code or are shorter.
fn is_mobile(number: &str) -> bool {
    let national = match number.len() {
        11 => number,
        13 => number.strip_prefix("86").unwrap_or(""),
        15 => number.strip_prefix("0086").unwrap_or(""),
        _ => "",
    };
    let range = national.get(..3).unwrap_or("");
    let allotted = matches!(range.get(..2), Some("13" | "18" | "19"))
        || matches!(range, "145" | "146" | "147" | "148" | "149" | "162" | "165" | "166" | "167")
        || range.starts_with("15") && range != "154"
        || range.starts_with("17") && range != "179";
    allotted && range != "194"
}

/// `local@domain.top`, the parts in ASCII.
fn has_email(text: &str) -> bool {
    let local = |character: char| character.is_ascii_alphanumeric() || "._%+-".contains(character);
    let domain = |character: char| character.is_ascii_alphanumeric() || ".-".contains(character);
    text.match_indices('@').any(|(at, _)| {
        let before = text[..at].chars().next_back().is_some_and(local);
        let after = &text[at + 1..];
        let host = &after[..after.find(|character| !domain(character)).unwrap_or(after.len())];
        let labels: Vec<&str> = host.trim_end_matches('.').split('.').collect();
        let top = labels.last().is_some_and(|top| top.len() >= 2 && top.bytes().all(|byte| byte.is_ascii_alphabetic()));
        before && top && labels.len() >= 2 && labels.iter().all(|label| !label.is_empty())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_personal_data_is_found() {
        for (text, looks) in [
            ("card 6222021234567890128", Looks::Card),
            ("4111 1111 1111 1111", Looks::Card),
            ("378282246310005", Looks::Card),
            ("\u{ff14}111111111111111", Looks::Card),
            ("13800138000", Looks::Mobile),
            ("\u{7535}\u{8bdd}13800138000\u{3002}", Looks::Mobile),
            ("+86 138-0013-8000.", Looks::Mobile),
            ("008613800138000", Looks::Mobile),
            ("write to a.b@example.org.", Looks::Email),
        ] {
            assert_eq!(look(text), [looks], "{text}");
        }
    }

    #[test]
    fn ordinary_numbers_are_not() {
        for text in [
            "",
            "0571-88888888",
            "010 8888 8888",
            "12345",
            "12380000000",
            "15400000000",
            "DARS-NIC-13800138000-G9W6M",
            "NIC13800138000",
            "6222021234567890123",
            "4111111111111112",
            "91350100M000100Y43",
            "33010200000",
            "section 261(7), 2012-2013, 1 200 000 rows",
            "user@host",
            "@ 5 pm",
            "1.13800138000",
        ] {
            assert_eq!(look(text), [], "{text}");
        }
    }
}
