//! What stands in an address: parameters behind the question mark, each known and at most once, and ids in the path.

use axum::extract::{FromRequestParts, Path, Query};
use axum::http::Uri;
use axum::http::request::Parts;

use crate::api::problem::Failed;
use crate::core::hash::Hash;
use crate::core::refusal::{Code, Refusal};
use crate::query::page::Filter;
use crate::query::questions::Asked;

/// The parameters of a request.
#[derive(Debug)]
pub struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// # Errors
    /// `query-invalid` for a parameter that is not in `known`, stands twice or is no text.
    pub fn of(uri: &Uri, known: &[&str]) -> Result<Self, Refusal> {
        let invalid = |found: &str, expected: String| Refusal::new(Code::QueryInvalid, found, expected);
        let pairs = Query::<Vec<(String, String)>>::try_from_uri(uri);
        let Query(pairs) = pairs.map_err(|_| invalid(uri.query().unwrap_or_default(), "name=value pairs joined by &".to_owned()))?;
        for (index, (name, _)) in pairs.iter().enumerate() {
            if !known.contains(&name.as_str()) {
                let expected = if known.is_empty() { "no parameters".to_owned() } else { format!("of {}", known.join(", ")) };
                return Err(invalid(name, expected));
            }
            if pairs[..index].iter().any(|(earlier, _)| earlier == name) {
                return Err(invalid(&format!("{name} twice"), "each parameter once".to_owned()));
            }
        }
        Ok(Parameters(pairs))
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// # Errors
    /// `query-invalid` for anything but decimal digits.
    pub fn number(&self, name: &str) -> Result<Option<u64>, Refusal> {
        self.get(name).map(|text| parse_number(name, text)).transpose()
    }

    /// # Errors
    /// `query-invalid` for anything but decimal digits, and when it is missing.
    pub fn required_number(&self, name: &str) -> Result<u64, Refusal> {
        self.number(name)?.ok_or_else(|| Refusal::new(Code::QueryInvalid, format!("no {name}"), format!("{name}=<number>")))
    }

    /// What a question is asked with; how it is answered, `format`, is not for it.
    ///
    /// # Errors
    /// `query-invalid`.
    pub fn asked(&self) -> Result<Asked, Refusal> {
        let mut asked = Asked::default();
        for (name, text) in self.0.iter().filter(|(name, _)| name != "format") {
            asked.set(name, text)?;
        }
        Ok(asked)
    }

    /// # Errors
    /// `query-invalid`.
    pub fn filter(&self) -> Result<Filter, Refusal> {
        let mut filter = Filter::default();
        for (name, text) in &self.0 {
            filter.set(name, text)?;
        }
        Ok(filter)
    }
}

fn parse_number(name: &str, text: &str) -> Result<u64, Refusal> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = text.parse().ok().filter(|number| digits && *number <= crate::core::limits::INTEGER_MAX);
    number.ok_or_else(|| Refusal::new(Code::QueryInvalid, format!("{name}={text}"), "an integer from 0 to 2^53-1"))
}

/// The one variable part of a path.
pub struct Segment(pub String);

impl<S: Send + Sync> FromRequestParts<S> for Segment {
    type Rejection = Failed;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failed> {
        let path = Path::<String>::from_request_parts(parts, state).await;
        let Path(segment) = path.map_err(|_| Failed::Refused(Refusal::new(Code::NotFound, parts.uri.path(), "a path of UTF-8 text")))?;
        Ok(Segment(segment))
    }
}

impl Segment {
    /// # Errors
    /// `not-found` for anything but a record id.
    pub fn id(&self) -> Result<Hash, Refusal> {
        Hash::parse(&self.0).map_err(|_| Refusal::new(Code::NotFound, self.0.clone(), "a record id: 64 lower-case hex digits"))
    }

    /// # Errors
    /// `not-found` for anything but a number.
    pub fn number(&self) -> Result<u64, Refusal> {
        parse_number("", &self.0).map_err(|_| Refusal::new(Code::NotFound, self.0.clone(), "a number"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_and_repeated_parameters_are_refused() {
        let of = |query: &str| Parameters::of(&format!("/x?{query}").parse().unwrap(), &["from", "to"]);
        let parameters = of("from=5&to=%37").unwrap();
        assert_eq!((parameters.number("from").unwrap(), parameters.required_number("to").unwrap()), (Some(5), 7));
        for bad in ["from=1&from=2", "other=1", "FROM=1", "from=1&=2"] {
            assert_eq!(of(bad).unwrap_err().code, Code::QueryInvalid, "{bad}");
        }
        for bad in ["from=", "from=-1", "from=1e3", "from=9007199254740992", "to=1"] {
            assert!(of(bad).unwrap().required_number("from").is_err(), "{bad}");
        }
    }
}
