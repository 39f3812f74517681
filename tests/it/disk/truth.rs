//! What an undamaged node answers, and whether another node's answers are the same, or say that something is missing.

use std::collections::BTreeSet;

use sharelog::core::json::{self, Strings, Value};
use sharelog::log::tile::{entries_path, tile_path};
use sharelog::node::local::LocalNetwork;

use super::Seeded;

/// Answers by path, of a ledger that stands still.
pub struct Truth {
    pub height: u64,
    pub size: u64,
    pub answers: Vec<(String, Vec<u8>)>,
}

/// What another node answered.
#[derive(Debug, Default)]
pub struct Compared {
    pub equal: usize,
    /// Of a node that says that it is behind: lists that end earlier, records that it does not have yet.
    pub behind: usize,
    /// 5xx.
    pub refused: usize,
    /// No answer: the node is ending.
    pub silent: usize,
    /// Paths with other answers.
    pub wrong: Vec<String>,
}

fn member(value: &Value, name: &str) -> Option<u64> {
    value.get(name).and_then(Value::as_u64)
}

fn items(value: &Value) -> Vec<&Value> {
    value.get("items").and_then(Value::as_array).map(|items| items.iter().collect()).unwrap_or_default()
}

impl Truth {
    /// Asks node `index`, which serves everything, for all blocks, records, tiles, bundles, some single items and proofs.
    pub fn of(net: &LocalNetwork, index: usize, random: &mut Seeded) -> Self {
        let (height, size) = net.head(index).unwrap();
        let mut paths: Vec<String> =
            ["/genesis", "/policy", "/api/v1/agencies", "/api/v1/duties?limit=1000", "/api/v1/misbehaviour"].map(str::to_owned).into();
        paths.push(format!("/api/v1/records?limit=1000&agency=agency-{}", random.below(4)));
        let mut ids = Vec::new();
        for list in ["blocks", "records"] {
            let mut path = format!("/api/v1/{list}?limit=1000");
            loop {
                let page = net.ask(index, &path).unwrap();
                ids.extend(items(&page).iter().filter_map(|item| item.get("id")?.as_str().map(str::to_owned)));
                paths.push(path);
                match page.get("next").and_then(Value::as_str) {
                    Some(next) => path = format!("/api/v1/{list}?limit=1000&after={next}"),
                    None => break,
                }
            }
        }
        for _ in 0..20 {
            paths.push(format!("/api/v1/records/{}", random.pick(&ids)));
            paths.push(format!("/api/v1/blocks/{}", 1 + random.below(height)));
            paths.push(format!("/api/v1/proofs/inclusion?position={}&size={size}", random.below(size)));
            let from = 1 + random.below(size - 1);
            paths.push(format!("/api/v1/proofs/consistency?from={from}&to={size}"));
        }
        paths.push(format!("/api/v1/blocks/{height}"));
        paths.push(format!("/api/v1/validators?height={height}"));
        let bundles = size / 256;
        paths.extend((0..bundles).flat_map(|number| [tile_path(0, number, 256), entries_path(number, 256)]));
        let unique: BTreeSet<String> = paths.into_iter().collect();
        let answers = unique.into_iter().map(|path| {
            let (status, body) = net.get(index, &path).unwrap();
            assert_eq!(status, 200, "{path}: {}", String::from_utf8_lossy(&body));
            (path, body)
        });
        Truth { height, size, answers: answers.collect() }
    }

    /// Asks node `index` the same.
    pub fn compare(&self, net: &LocalNetwork, index: usize) -> Compared {
        let mut compared = Compared::default();
        for (path, truth) in &self.answers {
            let Ok((status, body)) = net.get(index, path) else {
                compared.silent += 1;
                continue;
            };
            match status {
                200 if body == *truth => compared.equal += 1,
                500.. => compared.refused += 1,
                _ if self.is_behind(net, index) && is_part(status, &body, truth) => compared.behind += 1,
                404 if path.starts_with("/tile/") && has_no_checkpoint(net, index) => compared.behind += 1,
                _ => compared.wrong.push(format!("{path}: {status} {}", String::from_utf8_lossy(&body[..body.len().min(600)]))),
            }
        }
        compared
    }

    fn is_behind(&self, net: &LocalNetwork, index: usize) -> bool {
        net.head(index).is_ok_and(|(height, _)| height < self.height)
    }

    /// The items that node `index` serves begin with those of the truth: a ledger that went on, or the same one.
    pub fn check_goes_on(&self, net: &LocalNetwork, index: usize) {
        for (path, truth) in &self.answers {
            let (status, body) = net.get(index, path).unwrap();
            assert_eq!(status, 200, "{path}: {}", String::from_utf8_lossy(&body));
            assert!(
                same_but_certificates(&body, truth) || begins_with(&body, truth),
                "{path}: {}",
                String::from_utf8_lossy(&body[..body.len().min(600)])
            );
        }
    }
}

/// A node without a public checkpoint, and so without public tiles, says so.
fn has_no_checkpoint(net: &LocalNetwork, index: usize) -> bool {
    net.get(index, "/checkpoint").is_ok_and(|(status, _)| status == 503)
}

/// Which signers a certificate has is each node's own: a block that was fetched again may have others.
fn without_certificates(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let kept = members.iter().filter(|(name, _)| *name != "certificate");
            Value::Object(kept.map(|(name, member)| (name.clone(), without_certificates(member))).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(without_certificates).collect()),
        other => other.clone(),
    }
}

fn same_but_certificates(a: &[u8], b: &[u8]) -> bool {
    let parse = |bytes: &[u8]| json::parse(bytes, Strings::WithNotes).ok().map(|value| without_certificates(&value));
    a == b || parse(a).is_some_and(|a| parse(b) == Some(a))
}

/// Not there yet, or a list that ends earlier.
fn is_part(status: u16, body: &[u8], truth: &[u8]) -> bool {
    // A proof to a size, or a tile, beyond the own tree is not there either.
    status == 404 || (status == 200 && begins_with(truth, body))
}

/// Whether the list `longer` begins with the list `shorter`; of a page that was cut at 1,000 items the first ones.
fn begins_with(longer: &[u8], shorter: &[u8]) -> bool {
    let parse = |bytes: &[u8]| json::parse(bytes, Strings::WithNotes).ok();
    let (Some(longer), Some(shorter)) = (parse(longer), parse(shorter)) else {
        return false;
    };
    let (long, short) = (items(&longer), items(&shorter));
    let positions = member(&longer, "position").zip(member(&shorter, "position"));
    positions.is_none_or(|(long, short)| long >= short)
        && long.len() >= short.len()
        && long.iter().zip(&short).all(|(a, b)| without_certificates(a) == without_certificates(b))
}
