//! Reading the members of an object one by one, each with its bound, until none is left over.

use std::collections::BTreeMap;

use crate::core::hash::Hash;
use crate::core::json::Value;
use crate::core::key::PublicKey;
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

    /// # Errors
    /// `field-missing`.
    pub fn value(&mut self, name: &str) -> Result<&'a Value, Refusal> {
        self.members.remove(name).ok_or_else(|| Refusal::new(Code::FieldMissing, format!("no {}", self.path(name)), "this member"))
    }

    /// # Errors
    /// `field-missing`, `field-invalid`.
    pub fn string(&mut self, name: &str) -> Result<&'a str, Refusal> {
        let path = self.path(name);
        self.value(name)?.as_str().ok_or_else(|| Refusal::new(Code::FieldInvalid, path, "a string"))
    }

    /// # Errors
    /// `field-invalid`.
    pub fn optional_string(&mut self, name: &str) -> Result<Option<&'a str>, Refusal> {
        if self.has(name) { self.string(name).map(Some) } else { Ok(None) }
    }

    /// A free text: not empty, no white space at either end, at most `bytes_max` bytes of UTF-8.
    ///
    /// # Errors
    /// `field-missing`, `field-invalid`.
    pub fn text(&mut self, name: &str, bytes_max: usize) -> Result<&'a str, Refusal> {
        let path = self.path(name);
        let text = self.string(name)?;
        check_text(text, bytes_max).map_err(|refusal| refusal.within(&path))?;
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
        let path = self.path(name);
        self.value(name)?.as_u64().ok_or_else(|| Refusal::new(Code::FieldInvalid, path, "an integer from 0 to 2^53-1"))
    }

    /// # Errors
    /// `field-invalid`.
    pub fn optional_integer(&mut self, name: &str) -> Result<Option<u64>, Refusal> {
        if self.has(name) { self.integer(name).map(Some) } else { Ok(None) }
    }

    /// # Errors
    /// `field-missing`, `field-invalid`.
    pub fn boolean(&mut self, name: &str) -> Result<bool, Refusal> {
        let path = self.path(name);
        self.value(name)?.as_bool().ok_or_else(|| Refusal::new(Code::FieldInvalid, path, "true or false"))
    }

    /// A list of `least` to `most` values.
    ///
    /// # Errors
    /// `field-missing`, `field-invalid`.
    pub fn list(&mut self, name: &str, least: usize, most: usize) -> Result<&'a [Value], Refusal> {
        let path = self.path(name);
        let items = self.value(name)?.as_array().ok_or_else(|| Refusal::new(Code::FieldInvalid, path.clone(), "a list"))?;
        if !(least..=most).contains(&items.len()) {
            return Err(Refusal::new(Code::FieldInvalid, format!("{path} with {} entries", items.len()), format!("{least} to {most}")));
        }
        Ok(items)
    }

    /// A list of strings.
    ///
    /// # Errors
    /// `field-missing`, `field-invalid`.
    pub fn strings(&mut self, name: &str, least: usize, most: usize) -> Result<Vec<&'a str>, Refusal> {
        let path = self.path(name);
        let items = self.list(name, least, most)?;
        items.iter().map(|item| item.as_str().ok_or_else(|| Refusal::new(Code::FieldInvalid, path.clone(), "a list of strings"))).collect()
    }

    /// # Errors
    /// `field-missing`, `field-invalid`.
    pub fn time(&mut self, name: &str) -> Result<Time, Refusal> {
        let path = self.path(name);
        Time::parse(self.string(name)?).map_err(|refusal| refusal.within(&path))
    }

    /// # Errors
    /// `field-missing`, `field-invalid`.
    pub fn day(&mut self, name: &str) -> Result<Day, Refusal> {
        let path = self.path(name);
        Day::parse(self.string(name)?).map_err(|refusal| refusal.within(&path))
    }

    /// # Errors
    /// `field-missing`, `field-invalid`.
    pub fn hash(&mut self, name: &str) -> Result<Hash, Refusal> {
        let path = self.path(name);
        Hash::parse(self.string(name)?).map_err(|refusal| refusal.within(&path))
    }

    /// # Errors
    /// `field-missing`, `field-invalid`.
    pub fn public_key(&mut self, name: &str) -> Result<PublicKey, Refusal> {
        let path = self.path(name);
        PublicKey::from_base64(self.string(name)?).map_err(|refusal| refusal.within(&path))
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

/// A free text: not empty, no white space at either end, at most `bytes_max` bytes of UTF-8.
///
/// # Errors
/// `field-invalid`.
pub fn check_text(text: &str, bytes_max: usize) -> Result<(), Refusal> {
    if text.is_empty() || text.trim() != text {
        return Err(Refusal::new(Code::FieldInvalid, format!("'{text}'"), "a text that is not empty, without white space at either end"));
    }
    if text.len() > bytes_max {
        return Err(Refusal::new(Code::FieldInvalid, format!("{} bytes", text.len()), format!("at most {bytes_max} bytes")));
    }
    Ok(())
}
