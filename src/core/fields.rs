//! Reading the members of an object one by one, each with its bound, until none is left over.

use std::collections::BTreeMap;

use crate::core::hash::Hash;
use crate::core::json::Value;
use crate::core::key::PublicKey;
use crate::core::privacy;
use crate::core::refusal::{Code, Refusal};
use crate::core::time::{Day, Time};

/// The members of one object. Every reader takes a member away; [`Fields::end`] refuses what nobody took.
pub struct Fields<'a> {
    members: BTreeMap<&'a str, &'a Value>,
    place: String,
}

impl<'a> Fields<'a> {
    /// `place` names the object in refusals, such as `body` or `items[3]`.
    ///
    /// # Errors
    /// `field-invalid` when `value` is no object.
    pub fn of(value: &'a Value, place: &str) -> Result<Self, Refusal> {
        let members = value.as_object().ok_or_else(|| Refusal::new(Code::FieldInvalid, place, "an object"))?;
        Ok(Fields { members: members.iter().map(|(name, value)| (name.as_str(), value)).collect(), place: place.to_owned() })
    }

    fn path(&self, name: &str) -> String {
        format!("{}.{name}", self.place)
    }

    pub fn has(&self, name: &str) -> bool {
        self.members.contains_key(name)
    }

    /// A copy of what nobody took yet.
    pub fn rest(&self) -> Value {
        Value::Object(self.members.iter().map(|(name, value)| ((*name).to_owned(), (*value).clone())).collect())
    }

    /// # Errors
    /// `field-missing`.
    pub fn value(&mut self, name: &str) -> Result<&'a Value, Refusal> {
        self.members.remove(name).ok_or_else(|| Refusal::new(Code::FieldMissing, format!("no {}", self.path(name)), "this member"))
    }

    /// # Errors
    /// `field-missing`, `field-invalid`.
    pub fn string(&mut self, name: &str) -> Result<&'a str, Refusal> {
        self.value(name)?.as_str().ok_or_else(|| Refusal::new(Code::FieldInvalid, self.path(name), "a string"))
    }

    /// # Errors
    /// `field-invalid`.
    pub fn optional_string(&mut self, name: &str) -> Result<Option<&'a str>, Refusal> {
        if self.has(name) { self.string(name).map(Some) } else { Ok(None) }
    }

    /// A free text, under [`check_text`].
    ///
    /// # Errors
    /// `field-missing`, `field-invalid`, `text-forbidden`.
    pub fn text(&mut self, name: &str, bytes_max: usize) -> Result<&'a str, Refusal> {
        let text = self.string(name)?;
        check_text(text, bytes_max).map_err(|refusal| refusal.within(&self.path(name)))?;
        Ok(text)
    }

    /// # Errors
    /// `field-invalid`.
    pub fn optional_text(&mut self, name: &str, bytes_max: usize) -> Result<Option<&'a str>, Refusal> {
        if self.has(name) { self.text(name, bytes_max).map(Some) } else { Ok(None) }
    }

    /// # Errors
    /// `field-missing`, `field-invalid`.
    pub fn integer(&mut self, name: &str) -> Result<u64, Refusal> {
        self.value(name)?.as_u64().ok_or_else(|| Refusal::new(Code::FieldInvalid, self.path(name), "an integer from 0 to 2^53-1"))
    }

    /// # Errors
    /// `field-invalid`.
    pub fn optional_integer(&mut self, name: &str) -> Result<Option<u64>, Refusal> {
        if self.has(name) { self.integer(name).map(Some) } else { Ok(None) }
    }

    /// # Errors
    /// `field-missing`, `field-invalid`.
    pub fn boolean(&mut self, name: &str) -> Result<bool, Refusal> {
        self.value(name)?.as_bool().ok_or_else(|| Refusal::new(Code::FieldInvalid, self.path(name), "true or false"))
    }

    /// A list of `least` to `most` values.
    ///
    /// # Errors
    /// `field-missing`, `field-invalid`.
    pub fn list(&mut self, name: &str, least: usize, most: usize) -> Result<&'a [Value], Refusal> {
        let items = self.value(name)?.as_array().ok_or_else(|| Refusal::new(Code::FieldInvalid, self.path(name), "a list"))?;
        if !(least..=most).contains(&items.len()) {
            let found = format!("{} with {} entries", self.path(name), items.len());
            return Err(Refusal::new(Code::FieldInvalid, found, format!("{least} to {most}")));
        }
        Ok(items)
    }

    /// A list of strings.
    ///
    /// # Errors
    /// `field-missing`, `field-invalid`.
    pub fn strings(&mut self, name: &str, least: usize, most: usize) -> Result<Vec<&'a str>, Refusal> {
        let items = self.list(name, least, most)?;
        let string = |item: &'a Value| item.as_str().ok_or_else(|| Refusal::new(Code::FieldInvalid, self.path(name), "a list of strings"));
        items.iter().map(string).collect()
    }

    /// A list of free texts.
    ///
    /// # Errors
    /// `field-missing`, `field-invalid`, `text-forbidden`.
    pub fn texts(&mut self, name: &str, least: usize, most: usize, bytes_max: usize) -> Result<Vec<&'a str>, Refusal> {
        let texts = self.strings(name, least, most)?;
        for text in &texts {
            check_text(text, bytes_max).map_err(|refusal| refusal.within(&self.path(name)))?;
        }
        Ok(texts)
    }

    /// One of a few words.
    ///
    /// # Errors
    /// `field-missing`, `field-invalid`.
    pub fn one_of(&mut self, name: &str, words: &[&str]) -> Result<&'a str, Refusal> {
        let word = self.string(name)?;
        if !words.contains(&word) {
            return Err(Refusal::new(Code::FieldInvalid, word, words.join(", ")).within(&self.path(name)));
        }
        Ok(word)
    }

    /// A string that `check` accepts, such as an id.
    ///
    /// # Errors
    /// `field-missing`, and what `check` refuses with, naming the member.
    pub fn checked(&mut self, name: &str, check: impl FnOnce(&str) -> Result<(), Refusal>) -> Result<&'a str, Refusal> {
        let string = self.string(name)?;
        check(string).map_err(|refusal| refusal.within(&self.path(name)))?;
        Ok(string)
    }

    /// As [`Fields::checked`], for an optional member.
    ///
    /// # Errors
    /// As [`Fields::checked`].
    pub fn optional_checked(&mut self, name: &str, check: impl FnOnce(&str) -> Result<(), Refusal>) -> Result<Option<&'a str>, Refusal> {
        if self.has(name) { self.checked(name, check).map(Some) } else { Ok(None) }
    }

    /// # Errors
    /// `field-missing`, `field-invalid`.
    pub fn time(&mut self, name: &str) -> Result<Time, Refusal> {
        Time::parse(self.string(name)?).map_err(|refusal| refusal.within(&self.path(name)))
    }

    /// # Errors
    /// `field-missing`, `field-invalid`.
    pub fn day(&mut self, name: &str) -> Result<Day, Refusal> {
        Day::parse(self.string(name)?).map_err(|refusal| refusal.within(&self.path(name)))
    }

    /// # Errors
    /// `field-missing`, `field-invalid`.
    pub fn hash(&mut self, name: &str) -> Result<Hash, Refusal> {
        Hash::parse(self.string(name)?).map_err(|refusal| refusal.within(&self.path(name)))
    }

    /// # Errors
    /// `field-missing`, `field-invalid`.
    pub fn public_key(&mut self, name: &str) -> Result<PublicKey, Refusal> {
        PublicKey::from_base64(self.string(name)?).map_err(|refusal| refusal.within(&self.path(name)))
    }

    /// A nested object.
    ///
    /// # Errors
    /// `field-missing`, `field-invalid`.
    pub fn object(&mut self, name: &str) -> Result<Fields<'a>, Refusal> {
        let path = self.path(name);
        Fields::of(self.value(name)?, &path)
    }

    /// # Errors
    /// `field-unknown`, naming the first member that nobody took.
    pub fn end(self) -> Result<(), Refusal> {
        match self.members.keys().next() {
            Some(name) => Err(Refusal::new(Code::FieldUnknown, self.path(name), "only the documented members")),
            None => Ok(()),
        }
    }
}

/// A free text: not empty, no white space at either end, at most `bytes_max` bytes of UTF-8, no resident's number in it.
///
/// # Errors
/// `field-invalid`, `text-forbidden`.
pub fn check_text(text: &str, bytes_max: usize) -> Result<(), Refusal> {
    if text.is_empty() || text.trim() != text {
        return Err(Refusal::new(Code::FieldInvalid, format!("'{text}'"), "a text that is not empty, without white space at either end"));
    }
    if text.len() > bytes_max {
        return Err(Refusal::new(Code::FieldInvalid, format!("{} bytes", text.len()), format!("at most {bytes_max} bytes")));
    }
    privacy::check_no_resident_number(text)
}
