//! Building a body: members that were given, and no others.

use std::collections::BTreeMap;

use crate::cli::failure::Failure;
use crate::core::json::{Value, object, strings};

/// The members of a body.
#[derive(Debug, Default)]
pub struct Members(BTreeMap<String, Value>);

impl Members {
    pub fn new() -> Self {
        Members::default()
    }

    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0.insert(name.to_owned(), value.into());
        self
    }

    #[must_use]
    pub fn maybe<T: Into<Value>>(self, name: &str, value: Option<T>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    #[must_use]
    pub fn text(self, name: &str, text: Option<&String>) -> Self {
        self.maybe(name, text.map(String::as_str))
    }

    /// A list that is absent when it is empty.
    #[must_use]
    pub fn list<S: AsRef<str>>(self, name: &str, items: &[S]) -> Self {
        if items.is_empty() { self } else { self.with(name, strings(items)) }
    }

    /// `{"from":...,"to":...}`, of what was given.
    #[must_use]
    pub fn term(self, from: Option<&String>, to: Option<&String>) -> Self {
        let term = Members::new().text("from", from).text("to", to);
        if term.0.is_empty() { self } else { self.with("term", term.into_value()) }
    }

    /// The members of a body that is whole already; of anything but an object, none.
    pub fn of(body: Value) -> Self {
        match body {
            Value::Object(members) => Members(members),
            _ => Members::new(),
        }
    }

    /// These members and the other's, which win.
    #[must_use]
    pub fn and(mut self, other: Members) -> Self {
        self.0.extend(other.0);
        self
    }

    /// `names`: at least one of the two.
    ///
    /// # Errors
    /// [`Failure::Usage`].
    pub fn names(self, english: Option<&String>, chinese: Option<&String>) -> Result<Self, Failure> {
        let names = Members::new().text("en", english).text("zh", chinese);
        if names.0.is_empty() {
            return Err(Failure::Usage("a name is needed: --name-en or --name-zh".to_owned()));
        }
        Ok(self.with("names", names.into_value()))
    }

    pub fn into_value(self) -> Value {
        Value::Object(self.0)
    }
}

/// The type of an item of which nothing else is said.
pub const ITEM_TYPE: &str = "text";

/// `NAME` or `NAME:TYPE` as an item of a dataset.
pub fn item(text: &str) -> Value {
    let (name, kind) = text.rsplit_once(':').unwrap_or((text, ITEM_TYPE));
    object([("name", name.into()), ("type", kind.into())])
}
