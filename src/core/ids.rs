//! Names and identifiers of the domain, with their one spelling each.

use crate::core::hash::Hash;
use crate::core::limits::LEDGER_NAME_BYTES_MAX;
use crate::core::refusal::{Code, Refusal};

/// `<name>/<first 16 hex digits of SHA-256(genesis bytes)>`: stands in every signed thing.
///
/// # Errors
/// `field-invalid` when `name` breaks [`check_ledger_name`].
pub fn origin(name: &str, genesis: &Hash) -> Result<String, Refusal> {
    check_ledger_name(name)?;
    Ok(format!("{name}/{}", &genesis.to_hex()[..16]))
}

/// A ledger's name: 1 to 100 bytes of `[a-z0-9.-]+(/[a-z0-9.-]+)*`, not starting with `sharelog/`.
///
/// # Errors
/// `field-invalid`.
pub fn check_ledger_name(name: &str) -> Result<(), Refusal> {
    let part_ok =
        |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'.' || b == b'-');
    if name.len() > LEDGER_NAME_BYTES_MAX || name.starts_with("sharelog/") || !name.split('/').all(part_ok) {
        return Err(invalid(name, "1 to 100 bytes of [a-z0-9.-] parts joined by '/', not starting with sharelog/"));
    }
    Ok(())
}

/// `[0-9A-Za-z][0-9A-Za-z-]{0,63}`.
///
/// # Errors
/// `field-invalid`.
pub fn check_agency(id: &str) -> Result<(), Refusal> {
    if !matches_word(id, |byte| byte.is_ascii_alphanumeric() || byte == b'-') {
        return Err(invalid(id, "an agency id: a letter or digit, then up to 63 letters, digits or hyphens"));
    }
    Ok(())
}

/// The local part of a duty or dataset id, and a batch: `[0-9A-Za-z][0-9A-Za-z._-]{0,63}`.
///
/// # Errors
/// `field-invalid`.
pub fn check_local(local: &str) -> Result<(), Refusal> {
    if !matches_word(local, |byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-')) {
        return Err(invalid(local, "a letter or digit, then up to 63 letters, digits, dots, underscores or hyphens"));
    }
    Ok(())
}

/// `<agency id>:<local>`; gives the two parts.
///
/// # Errors
/// `field-invalid`.
pub fn split_scoped(id: &str) -> Result<(&str, &str), Refusal> {
    let (agency, local) = id.split_once(':').ok_or_else(|| invalid(id, "<agency id>:<local>"))?;
    check_agency(agency)?;
    check_local(local)?;
    Ok((agency, local))
}

/// A territory code, `[0-9]{2,12}`.
///
/// # Errors
/// `field-invalid`.
pub fn check_territory(code: &str) -> Result<(), Refusal> {
    if !(2..=12).contains(&code.len()) || !code.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(invalid(code, "a territory code of 2 to 12 digits"));
    }
    Ok(())
}

/// A line code, `[a-z0-9][a-z0-9-]{0,63}`.
///
/// # Errors
/// `field-invalid`.
pub fn check_line(code: &str) -> Result<(), Refusal> {
    if !matches_word(code, |byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-') {
        return Err(invalid(code, "a line code: up to 64 lower-case letters, digits or hyphens"));
    }
    Ok(())
}

/// A UUIDv7 in its 36 lower-case characters, version and variant checked (RFC 9562); its time is not.
///
/// # Errors
/// `field-invalid`.
pub fn check_uid(uid: &str) -> Result<(), Refusal> {
    let shape_ok = uid.len() == 36
        && uid.bytes().enumerate().all(|(index, byte)| match index {
            8 | 13 | 18 | 23 => byte == b'-',
            14 => byte == b'7',
            19 => matches!(byte, b'8' | b'9' | b'a' | b'b'),
            _ => byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte),
        });
    if !shape_ok {
        return Err(invalid(uid, "a UUIDv7 in lower case"));
    }
    Ok(())
}

fn matches_word(text: &str, rest: impl Fn(u8) -> bool) -> bool {
    let bytes = text.as_bytes();
    (1..=64).contains(&bytes.len()) && bytes[0] != b'-' && bytes[0].is_ascii_alphanumeric() && bytes.iter().all(|byte| rest(*byte))
}

fn invalid(found: &str, expected: &str) -> Refusal {
    Refusal::new(Code::FieldInvalid, found, expected)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_one_spelling() {
        for good in ["a", "380120000J", "nhs-digital"] {
            assert!(check_agency(good).is_ok(), "{good}");
        }
        for bad in ["", "-a", "a.b", "a b", &"a".repeat(65)] {
            assert!(check_agency(bad).is_err(), "{bad}");
        }
        assert_eq!(split_scoped("a-1:x_y.z").unwrap(), ("a-1", "x_y.z"));
        for bad in ["a", "a:", ":b", "a:b:c", "a:_b"] {
            assert!(split_scoped(bad).is_err(), "{bad}");
        }
        assert!(check_uid("01939d7c-3f0a-7abc-8def-0123456789ab").is_ok());
        assert!(check_uid("01939d7c-3f0a-4abc-8def-0123456789ab").is_err());
        assert!(check_uid("01939D7C-3f0a-7abc-8def-0123456789ab").is_err());
        assert!(check_ledger_name("hangzhou.example/sharelog").is_ok());
        assert!(check_ledger_name("sharelog/x").is_err());
        assert!(check_ledger_name("a//b").is_err());
    }
}
