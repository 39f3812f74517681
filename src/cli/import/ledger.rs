//! What stands on the ledger already, as far as an import asks.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::cli::client::{Client, escaped};
use crate::cli::failure::Failure;
use crate::core::hash::Hash;
use crate::core::json::Value;

/// An agency of the register.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownAgency {
    /// As spelled on the ledger.
    pub id: String,
    /// By language.
    pub names: BTreeMap<String, String>,
}

/// A dataset of the catalogue at its newest version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownDataset {
    pub id: String,
    pub class: String,
    pub title: String,
    pub version: u64,
}

/// A request that was not refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownRequest {
    pub id: Hash,
    /// The agreeing answer, once there is one.
    pub grant: Option<Hash>,
    /// Id to version.
    pub datasets: BTreeMap<String, u64>,
}

/// A delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownDelivery {
    pub id: Hash,
    pub commitment: String,
    pub rows: Option<u64>,
    pub has_receipt: bool,
}

/// How ids are compared.
pub fn fold(id: &str) -> String {
    id.to_ascii_lowercase()
}

fn text(item: &Value, name: &str) -> Option<String> {
    item.get(name).and_then(Value::as_str).map(str::to_owned)
}

fn hash(item: &Value, name: &str) -> Option<Hash> {
    Hash::parse(item.get(name)?.as_str()?).ok()
}

/// All agencies by folded id.
///
/// # Errors
/// [`Failure::Network`], [`Failure::Refused`].
pub fn agencies(client: &Client) -> Result<HashMap<String, KnownAgency>, Failure> {
    let known = |item: &Value| {
        let names = item.get("names").and_then(Value::as_object).into_iter().flatten();
        let names = names.filter_map(|(language, name)| Some((language.clone(), name.as_str()?.to_owned()))).collect();
        let id = text(item, "id")?;
        Some((fold(&id), KnownAgency { id, names }))
    };
    Ok(client.all("/api/v1/agencies")?.iter().filter_map(known).collect())
}

/// A provider's datasets by folded id.
///
/// # Errors
/// As [`agencies`].
pub fn datasets(client: &Client, provider: &str) -> Result<HashMap<String, KnownDataset>, Failure> {
    let mut datasets: HashMap<String, KnownDataset> = HashMap::new();
    for item in client.all(&format!("/api/v1/datasets?agency={}", escaped(provider)))? {
        let members = (text(&item, "id"), text(&item, "class"), text(&item, "title"), item.get("version").and_then(Value::as_u64));
        let (Some(id), Some(class), Some(title), Some(version)) = members else {
            continue;
        };
        let key = fold(&id);
        if datasets.get(&key).is_none_or(|known| known.version < version) {
            datasets.insert(key, KnownDataset { id, class, title, version });
        }
    }
    Ok(datasets)
}

/// All duty ids, folded.
///
/// # Errors
/// As [`agencies`].
pub fn duties(client: &Client) -> Result<HashSet<String>, Failure> {
    Ok(client.all("/api/v1/duties")?.iter().filter_map(|item| text(item, "id").map(|id| fold(&id))).collect())
}

/// A provider's requests that were not refused, by (folded requester, label); of several the newest.
///
/// # Errors
/// As [`agencies`].
pub fn requests(client: &Client, provider: &str) -> Result<HashMap<(String, String), KnownRequest>, Failure> {
    let known = |item: &Value| {
        let status = text(item, "status")?;
        if status == "refused" || text(item, "provider")? != provider {
            return None;
        }
        let grant = if matches!(status.as_str(), "agreed" | "partly") { Some(hash(item, "answer")?) } else { None };
        let datasets = item.get("datasets").and_then(Value::as_array).into_iter().flatten();
        let datasets = datasets.filter_map(|dataset| Some((text(dataset, "id")?, dataset.get("version")?.as_u64()?))).collect();
        Some(((fold(&text(item, "requester")?), text(item, "label")?), KnownRequest { id: hash(item, "id")?, grant, datasets }))
    };
    let items = client.all(&format!("/api/v1/requests?agency={}", escaped(provider)))?;
    Ok(items.iter().filter_map(known).collect())
}

/// A provider's deliveries, by (grant, batch).
///
/// # Errors
/// As [`agencies`].
pub fn deliveries(client: &Client, provider: &str) -> Result<HashMap<(Hash, String), KnownDelivery>, Failure> {
    let known = |item: &Value| {
        let delivery = KnownDelivery {
            id: hash(item, "id")?,
            commitment: text(item, "commitment")?,
            rows: item.get("rows").and_then(Value::as_u64),
            has_receipt: item.get("receipt").is_some(),
        };
        Some(((hash(item, "grant")?, text(item, "batch")?), delivery))
    };
    let items = client.all(&format!("/api/v1/deliveries?agency={}", escaped(provider)))?;
    Ok(items.iter().filter_map(known).collect())
}
