//! Restricted JCS: the one JSON of everything that is signed, hashed or served.
//!
//! A subset of RFC 8785 in which a value has exactly one text: sorted ASCII member names, no duplicates, no null, no
//! float, integers from 0 to 2^53-1, strings under the rules of [`crate::core::text`], depth at most [`DEPTH_MAX`].
//! [`parse`] refuses every text that is not its own canonical form, so readers compare bytes and never normalise.

use std::collections::BTreeMap;

use crate::core::limits::{DEPTH_MAX, INTEGER_MAX};
use crate::core::refusal::{Code, Refusal};
use crate::core::text;

/// A JSON value of the restricted subset. Members stand in byte order of their names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    Bool(bool),
    Int(u64),
    String(String),
    Array(Vec<Value>),
    Object(BTreeMap<String, Value>),
}

/// Which strings a text may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strings {
    /// Records, genesis, votes: no control character at all.
    Strict,
    /// Evidence and API answers: the members `leaf`, `entry`, `note` and `checkpoint` may hold U+000A.
    WithNotes,
}

const NOTE_MEMBERS: [&str; 4] = ["leaf", "entry", "note", "checkpoint"];

impl Value {
    /// The canonical text of this value.
    pub fn to_jcs(&self) -> String {
        let mut out = String::new();
        self.write_jcs(&mut out);
        out
    }

    /// Appends the canonical text to `out`.
    pub fn write_jcs(&self, out: &mut String) {
        match self {
            Value::Bool(true) => out.push_str("true"),
            Value::Bool(false) => out.push_str("false"),
            Value::Int(number) => out.push_str(&number.to_string()),
            Value::String(string) => write_string(string, out),
            Value::Array(items) => {
                out.push('[');
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    item.write_jcs(out);
                }
                out.push(']');
            }
            Value::Object(members) => {
                out.push('{');
                for (index, (name, value)) in members.iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    write_string(name, out);
                    out.push(':');
                    value.write_jcs(out);
                }
                out.push('}');
            }
        }
    }

    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::String(string) => Some(string),
            _ => None,
        }
    }

    pub fn as_u64(&self) -> Option<u64> {
        match self {
            Value::Int(number) => Some(*number),
            _ => None,
        }
    }

    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Value::Bool(value) => Some(*value),
            _ => None,
        }
    }

    pub fn as_array(&self) -> Option<&[Value]> {
        match self {
            Value::Array(items) => Some(items),
            _ => None,
        }
    }

    pub fn as_object(&self) -> Option<&BTreeMap<String, Value>> {
        match self {
            Value::Object(members) => Some(members),
            _ => None,
        }
    }

    /// The member `name` of an object; `None` for a missing member or another type.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.as_object()?.get(name)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Value::String(value.to_owned())
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Value::String(value)
    }
}

impl From<u64> for Value {
    fn from(value: u64) -> Self {
        Value::Int(value)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Value::Bool(value)
    }
}

impl From<Vec<Value>> for Value {
    fn from(value: Vec<Value>) -> Self {
        Value::Array(value)
    }
}

/// An object from (name, value) pairs; a later pair replaces an earlier one of the same name.
pub fn object<const N: usize>(members: [(&str, Value); N]) -> Value {
    Value::Object(members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

/// A list of strings.
pub fn strings<S: AsRef<str>>(items: impl IntoIterator<Item = S>) -> Value {
    Value::Array(items.into_iter().map(|item| Value::String(item.as_ref().to_owned())).collect())
}

/// RFC 8785 section 3.2.2.2: the short escapes, `\u00xx` in lower case for other controls, all else as it is.
fn write_string(string: &str, out: &mut String) {
    out.push('"');
    if !string.bytes().any(|byte| byte < b' ' || byte == b'"' || byte == b'\\') {
        out.push_str(string);
        out.push('"');
        return;
    }
    for character in string.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\u{c}' => out.push_str("\\f"),
            '\r' => out.push_str("\\r"),
            control if control < ' ' => out.push_str(&format!("\\u{:04x}", u32::from(control))),
            other => out.push(other),
        }
    }
    out.push('"');
}

/// Parses `bytes` as restricted JCS.
///
/// # Errors
/// `json-malformed` (not JSON of the subset: null, floats, depth, numbers out of range), `json-duplicate-key`,
/// `text-forbidden` (a string that admission refuses), `json-not-canonical` (the same value has another text).
pub fn parse(bytes: &[u8], strings: Strings) -> Result<Value, Refusal> {
    let text = std::str::from_utf8(bytes)
        .map_err(|error| Refusal::new(Code::JsonMalformed, format!("a byte that is not UTF-8 at {}", error.valid_up_to()), "UTF-8"))?;
    let mut parser = Parser { text, at: 0, strings, is_plain: true };
    let value = parser.value(1, false)?;
    if parser.at != text.len() {
        return Err(parser.malformed("more text after the value", "the end"));
    }
    if parser.is_plain {
        debug_assert_eq!(value.to_jcs().as_bytes(), bytes);
        return Ok(value);
    }
    let mut canonical = String::with_capacity(bytes.len());
    value.write_jcs(&mut canonical);
    if canonical.as_bytes() != bytes {
        let at = canonical.bytes().zip(bytes).position(|(a, b)| a != *b).unwrap_or(canonical.len().min(bytes.len()));
        return Err(Refusal::new(Code::JsonNotCanonical, format!("another byte at {at}"), "RFC 8785 (JCS) text on one line"));
    }
    Ok(value)
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    strings: Strings,
    /// No space, no escape, names ascending so far: the text is the value's one text, which need not be written to compare.
    is_plain: bool,
}

impl Parser<'_> {
    fn malformed(&self, found: &str, expected: &str) -> Refusal {
        Refusal::new(Code::JsonMalformed, format!("{found} at byte {}", self.at), expected)
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
            self.is_plain = false;
        }
    }

    fn expect(&mut self, byte: u8) -> Result<(), Refusal> {
        if self.peek() != Some(byte) {
            return Err(self.malformed("another character", &format!("'{}'", char::from(byte))));
        }
        self.at += 1;
        Ok(())
    }

    fn value(&mut self, depth: usize, note_member: bool) -> Result<Value, Refusal> {
        self.skip_space();
        let value = match self.peek() {
            Some(b'{') => self.object(depth)?,
            Some(b'[') => self.array(depth)?,
            Some(b'"') => {
                let string = self.string()?;
                self.check_string(&string, note_member)?;
                Value::String(string)
            }
            Some(b'0'..=b'9') => self.integer()?,
            Some(b't') => self.word("true", Value::Bool(true))?,
            Some(b'f') => self.word("false", Value::Bool(false))?,
            Some(b'n') => return Err(self.malformed("null", "a value; leave an absent member out")),
            Some(b'-') => return Err(self.malformed("a negative number", "an integer from 0 to 2^53-1")),
            _ => return Err(self.malformed("no value", "a JSON value")),
        };
        self.skip_space();
        Ok(value)
    }

    fn check_string(&self, string: &str, note_member: bool) -> Result<(), Refusal> {
        let allowed = if note_member && self.strings == Strings::WithNotes { text::check_note(string) } else { text::check(string) };
        allowed.map_err(|refusal| refusal.within(&format!("string before byte {}", self.at)))
    }

    fn word(&mut self, word: &str, value: Value) -> Result<Value, Refusal> {
        if !self.text[self.at..].starts_with(word) {
            return Err(self.malformed("an unknown word", word));
        }
        self.at += word.len();
        Ok(value)
    }

    fn integer(&mut self) -> Result<Value, Refusal> {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if matches!(self.peek(), Some(b'.' | b'e' | b'E')) {
            return Err(self.malformed("a float", "an integer from 0 to 2^53-1"));
        }
        let digits = &self.text[start..self.at];
        if digits.len() > 1 && digits.starts_with('0') {
            return Err(self.malformed("a leading zero", "an integer without leading zeros"));
        }
        match digits.parse::<u64>() {
            Ok(number) if number <= INTEGER_MAX => Ok(Value::Int(number)),
            _ => Err(self.malformed("a number that is too large", "an integer from 0 to 2^53-1")),
        }
    }

    fn deeper(&self, depth: usize) -> Result<(), Refusal> {
        if depth > DEPTH_MAX {
            return Err(self.malformed("arrays and objects nested too deeply", &format!("a depth of at most {DEPTH_MAX}")));
        }
        Ok(())
    }

    fn array(&mut self, depth: usize) -> Result<Value, Refusal> {
        self.deeper(depth)?;
        self.expect(b'[')?;
        let mut items = Vec::new();
        self.skip_space();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(Value::Array(items));
        }
        loop {
            items.push(self.value(depth + 1, false)?);
            match self.peek() {
                Some(b',') => self.at += 1,
                _ => break,
            }
        }
        self.expect(b']')?;
        Ok(Value::Array(items))
    }

    fn object(&mut self, depth: usize) -> Result<Value, Refusal> {
        self.deeper(depth)?;
        self.expect(b'{')?;
        let mut members = BTreeMap::new();
        self.skip_space();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(Value::Object(members));
        }
        loop {
            self.skip_space();
            let name = self.string()?;
            if !name.is_ascii() || name.bytes().any(|byte| byte < b' ' || byte == 0x7f) {
                return Err(self.malformed("a member name that is not printable ASCII", "an ASCII name"));
            }
            self.skip_space();
            self.expect(b':')?;
            let value = self.value(depth + 1, NOTE_MEMBERS.contains(&name.as_str()))?;
            if members.last_key_value().is_some_and(|(last, _)| *last >= name) {
                self.is_plain = false;
                if members.contains_key(&name) {
                    return Err(Refusal::new(Code::JsonDuplicateKey, name, "each member name once"));
                }
            }
            members.insert(name, value);
            match self.peek() {
                Some(b',') => self.at += 1,
                _ => break,
            }
        }
        self.expect(b'}')?;
        Ok(Value::Object(members))
    }

    fn string(&mut self) -> Result<String, Refusal> {
        self.expect(b'"')?;
        let mut out = String::new();
        loop {
            let rest = &self.text[self.at..];
            let plain = rest.bytes().position(|byte| byte < b' ' || byte == b'"' || byte == b'\\');
            let plain = plain.ok_or_else(|| self.malformed("a string without end", "'\"'"))?;
            out.push_str(&rest[..plain]);
            match rest.as_bytes()[plain] {
                b'"' => {
                    self.at += plain + 1;
                    return Ok(out);
                }
                b'\\' => {
                    self.at += plain + 1;
                    self.is_plain = false;
                    out.push(self.escape()?);
                }
                _ => return Err(self.malformed("a raw control character", "an escape")),
            }
        }
    }

    fn escape(&mut self) -> Result<char, Refusal> {
        let byte = self.peek().ok_or_else(|| self.malformed("a string without end", "an escape"))?;
        self.at += 1;
        Ok(match byte {
            b'"' => '"',
            b'\\' => '\\',
            b'/' => '/',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => return self.unicode_escape(),
            _ => return Err(self.malformed("an unknown escape", "a JSON escape")),
        })
    }

    fn unicode_escape(&mut self) -> Result<char, Refusal> {
        let first = self.four_hex()?;
        let code = if (0xd800..0xdc00).contains(&first) {
            if !self.text[self.at..].starts_with("\\u") {
                return Err(self.malformed("a lone surrogate", "a pair of surrogates"));
            }
            self.at += 2;
            let second = self.four_hex()?;
            if !(0xdc00..0xe000).contains(&second) {
                return Err(self.malformed("a lone surrogate", "a pair of surrogates"));
            }
            0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00)
        } else {
            first
        };
        char::from_u32(code).ok_or_else(|| self.malformed("a lone surrogate", "a pair of surrogates"))
    }

    fn four_hex(&mut self) -> Result<u32, Refusal> {
        let digits = self.text.get(self.at..self.at + 4).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let code = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        let code = code.ok_or_else(|| self.malformed("a broken \\u escape", "four hex digits"))?;
        self.at += 4;
        Ok(code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> Code {
        parse(text.as_bytes(), Strings::Strict).unwrap_err().code
    }

    #[test]
    fn canonical_text_round_trips() {
        let text = r#"{"a":[1,true,"x\\y\"z"],"b":{"c":9007199254740991}}"#;
        assert_eq!(parse(text.as_bytes(), Strings::Strict).unwrap().to_jcs(), text);
    }

    #[test]
    fn every_other_text_has_its_code() {
        for text in ["null", "1.0", "1e3", "-1", "01", "9007199254740992", "[1", "{\"a\":1}x", "\"\\ud800\"", "", "[[[[[[[[[1]]]]]]]]]"] {
            assert_eq!(code(text), Code::JsonMalformed, "{text}");
        }
        assert_eq!(code(r#"{"a":1,"a":2}"#), Code::JsonDuplicateKey);
        for text in [r#"{"b":1,"a":2}"#, r#"{"a":{"b":1,"a":2}}"#, "[1, 2]", " 1", "1\n", r#"{"a" :1}"#, "[ ]", r#""\u0061""#, r#""\/""#] {
            assert_eq!(code(text), Code::JsonNotCanonical, "{text}");
        }
        assert_eq!(code("\"e\u{301}\""), Code::TextForbidden);
        assert_eq!(code("\"\\n\""), Code::TextForbidden);
    }

    #[test]
    fn a_line_feed_is_allowed_in_note_members_alone() {
        let text = br#"{"entry":"a\nb"}"#;
        assert!(parse(text, Strings::WithNotes).is_ok());
        assert!(parse(text, Strings::Strict).is_err());
        assert!(parse(br#"{"other":"a\nb"}"#, Strings::WithNotes).is_err());
    }
}
