//! Reading and writing the files that people exchange before a network runs.

use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::Path;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use crate::cli::failure::Failure;
use crate::core::genesis::Genesis;
use crate::core::json::Value;

/// Part, policy and calendar files are far smaller; a bound keeps a wrong file name harmless.
const FILE_BYTES_MAX: u64 = 4 << 20;

/// The bytes of a file.
///
/// # Errors
/// [`Failure::Unreadable`].
pub fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let unreadable = |found: String| Failure::Unreadable(format!("{}: {found}", path.display()));
    let length = fs::metadata(path).map_err(|error| unreadable(error.to_string()))?.len();
    if length > FILE_BYTES_MAX {
        return Err(unreadable(format!("{length} bytes; expected at most {FILE_BYTES_MAX}")));
    }
    fs::read(path).map_err(|error| unreadable(error.to_string()))
}

/// A JSON file that people may have written: any layout and order of members; no null, no float, no member twice.
///
/// # Errors
/// [`Failure::Unreadable`], with line and column.
pub fn read_json(path: &Path) -> Result<Value, Failure> {
    let bytes = read(path)?;
    serde_json::from_slice::<Loose>(&bytes)
        .map(|loose| loose.0)
        .map_err(|error| Failure::Unreadable(format!("{}: {error}", path.display())))
}

/// A genesis file, checked.
///
/// # Errors
/// [`Failure::Unreadable`] for no file, [`Failure::Configuration`] for one that is no genesis.
pub fn read_genesis(path: &Path) -> Result<Genesis, Failure> {
    let bytes = read(path)?;
    Genesis::parse(&bytes).map_err(|refusal| Failure::Configuration(format!("{}: {refusal}", path.display())))
}

/// Writes a new file, synced; refuses to replace one.
///
/// # Errors
/// [`Failure::Usage`] when it is there, [`Failure::Unreadable`] when it cannot be written.
pub fn write_new(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let failed = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => Failure::Usage(format!("{} exists already; name another file or remove it", path.display())),
        _ => Failure::Unreadable(format!("write {}: {error}", path.display())),
    };
    let mut file = OpenOptions::new().write(true).create_new(true).open(path).map_err(failed)?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(failed)
}

/// Makes a folder for new files; one that is there must be empty.
///
/// # Errors
/// [`Failure::Usage`] for one that is not, [`Failure::Unreadable`] when it cannot be made.
pub fn make_empty_dir(dir: &Path) -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure::Unreadable(format!("make {}: {error}", dir.display()));
    fs::create_dir_all(dir).map_err(failed)?;
    if fs::read_dir(dir).map_err(failed)?.next().is_some() {
        return Err(Failure::Usage(format!("{} is not empty; name a new folder, so that no key is ever replaced", dir.display())));
    }
    Ok(())
}

/// A value of the restricted JSON in any layout.
struct Loose(Value);

impl<'de> Deserialize<'de> for Loose {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(LooseVisitor).map(Loose)
    }
}

struct LooseVisitor;

impl<'de> Visitor<'de> for LooseVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text, an integer from 0, true, false, a list or an object")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Int(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Loose(item)) = items.next_element()? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut map = std::collections::BTreeMap::new();
        while let Some((name, Loose(value))) = members.next_entry::<String, Loose>()? {
            if map.contains_key(&name) {
                return Err(de::Error::custom(format!("member {name} twice")));
            }
            map.insert(name, value);
        }
        Ok(Value::Object(map))
    }
}
