//! Records: signed notes that agencies append.
//!
//! ```text
//! sharelog/record/v1
//! {"at":...,"body":{...},"by":...,"kind":...,"ledger":...,"refs":[...],"uid":...}
//!
//! - <origin>/agency/<agency id>/<role> <base64(key id || signature)>
//! ```
//! Only [`Record::parse`] makes a [`Record`]; one in hand is well-formed, within limits, and carries the signature lines
//! that its kind wants. Whether the keys are trusted and the content admissible is for [`crate::core::rules::apply`].

use std::sync::{Arc, OnceLock};

use crate::core::fields::Fields;
use crate::core::hash::Hash;
use crate::core::ids;
use crate::core::json::{self, Strings, Value, object, strings};
use crate::core::key::{KeyId, PublicKey, Role, SecretKey, VerifierKey, split_agency_key_name};
use crate::core::kinds::{self, Body, Kind};
use crate::core::limits::{RECORD_BYTES_MAX, REFS_MAX};
use crate::core::note::{Note, SignatureLine};
use crate::core::refusal::{Code, Refusal};
use crate::core::time::Time;

/// First line of the signed text.
pub const HEADER: &str = "sharelog/record/v1\n";

/// One signature line of a record, its name taken apart.
#[derive(Debug)]
pub struct RecordSignature {
    pub agency: String,
    pub role: Role,
    pub id: KeyId,
    pub signature: [u8; 64],
    /// The one key under which this line was checked, and the outcome: a signature is verified once.
    checked: OnceLock<(PublicKey, bool)>,
}

/// A well-formed record. Cheap to share; never changes.
#[derive(Debug)]
pub struct Record {
    leaf: Arc<[u8]>,
    text_bytes: usize,
    id: Hash,
    leaf_hash: Hash,
    pub at: Time,
    pub by: String,
    pub kind: Kind,
    pub refs: Vec<Hash>,
    pub uid: String,
    pub body: Body,
    pub signatures: Vec<RecordSignature>,
}

impl Record {
    /// Parses and checks everything that needs no state.
    ///
    /// # Errors
    /// Every code of status 400 in INTERFACES.md, `too-large`, and by the kind's table of signers `role-wrong` and
    /// `signature-missing`.
    pub fn parse(leaf: &[u8], origin: &str) -> Result<Self, Refusal> {
        if leaf.len() > RECORD_BYTES_MAX {
            return Err(Refusal::new(Code::TooLarge, format!("{} bytes", leaf.len()), format!("at most {RECORD_BYTES_MAX} bytes")));
        }
        let note = Note::parse(leaf)?;
        let line = note
            .text
            .strip_prefix(HEADER)
            .and_then(|rest| rest.strip_suffix('\n'))
            .filter(|line| !line.contains('\n'))
            .ok_or_else(|| Refusal::new(Code::NoteMalformed, "another text", "two lines: sharelog/record/v1 and a JSON object"))?;
        let value = json::parse(line.as_bytes(), Strings::Strict)?;
        let mut fields = Fields::of(&value, "record")?;
        let ledger = fields.string("ledger")?;
        if ledger != origin {
            return Err(Refusal::new(Code::LedgerWrong, ledger, origin));
        }
        let kind = Kind::parse(fields.string("kind")?)?;
        let at = fields.time("at")?;
        let by = fields.string("by")?.to_owned();
        ids::check_agency(&by)?;
        let refs = fields.strings("refs", 0, REFS_MAX)?.into_iter().map(Hash::parse).collect::<Result<Vec<_>, _>>()?;
        let uid = fields.string("uid")?.to_owned();
        ids::check_uid(&uid)?;
        let body = fields.value("body")?;
        fields.end()?;
        let signatures = parse_signatures(&note.lines, origin)?;
        let body = kinds::parse_body(kind, body, origin)?;
        let text_bytes = note.text.len();
        let record = Record {
            leaf: leaf.into(),
            text_bytes,
            id: Hash::of(&leaf[..text_bytes]),
            leaf_hash: Hash::of_parts(&[&[0], leaf]),
            at,
            by,
            kind,
            refs,
            uid,
            body,
            signatures,
        };
        kinds::check_form(&record)?;
        Ok(record)
    }

    /// The whole note: the leaf of the tree.
    pub fn leaf(&self) -> &Arc<[u8]> {
        &self.leaf
    }

    /// The signed part of the note.
    pub fn text(&self) -> &[u8] {
        &self.leaf[..self.text_bytes]
    }

    /// The body as JSON, read again from the signed text.
    pub fn body_value(&self) -> Value {
        let line = &self.text()[HEADER.len()..self.text_bytes - 1];
        let head = json::parse(line, Strings::Strict).expect("a record's text was parsed before");
        head.get("body").cloned().expect("a record has a body")
    }

    /// SHA-256 of the signed text.
    pub fn id(&self) -> Hash {
        self.id
    }

    /// SHA-256(0x00 || leaf).
    pub fn leaf_hash(&self) -> Hash {
        self.leaf_hash
    }

    /// Signature lines that were checked so far.
    pub fn signatures_verified(&self) -> usize {
        self.signatures.iter().filter(|line| line.checked.get().is_some()).count()
    }

    /// Whether signature line `index` verifies under `key`; the outcome is kept, so a second call costs nothing.
    pub fn verifies(&self, index: usize, key: &PublicKey) -> bool {
        let Some(line) = self.signatures.get(index) else {
            return false;
        };
        let (checked, outcome) = line.checked.get_or_init(|| (*key, key.verifies(self.text(), &line.signature)));
        if checked == key { *outcome } else { key.verifies(self.text(), &line.signature) }
    }
}

fn parse_signatures(lines: &[SignatureLine], origin: &str) -> Result<Vec<RecordSignature>, Refusal> {
    if let Some(pair) = lines.windows(2).find(|pair| (&pair[0].name, pair[0].id) >= (&pair[1].name, pair[1].id)) {
        return Err(Refusal::new(
            Code::NoteMalformed,
            format!("signature line {} out of order or repeated", pair[1].name),
            "lines ascending by (key name, key id)",
        ));
    }
    lines
        .iter()
        .map(|line| {
            let (agency, role) = split_agency_key_name(origin, &line.name).ok_or_else(|| {
                Refusal::new(Code::KeyUnknown, line.name.clone(), format!("a key named {origin}/agency/<agency id>/<role>"))
            })?;
            let signature = <[u8; 64]>::try_from(line.signature.as_slice())
                .map_err(|_| Refusal::new(Code::NoteMalformed, format!("a signature of {} bytes", line.signature.len()), "64 bytes"))?;
            Ok(RecordSignature { agency: agency.to_owned(), role, id: line.id, signature, checked: OnceLock::new() })
        })
        .collect()
}

/// What a writer fills in before signing.
#[derive(Clone, Debug)]
pub struct Draft {
    pub at: Time,
    pub by: String,
    pub kind: Kind,
    pub refs: Vec<Hash>,
    pub uid: String,
    pub body: Value,
}

impl Draft {
    /// The text that is signed; its SHA-256 is the record id.
    pub fn text(&self, origin: &str) -> String {
        let head = object([
            ("at", self.at.to_string().into()),
            ("body", self.body.clone()),
            ("by", self.by.as_str().into()),
            ("kind", self.kind.as_str().into()),
            ("ledger", origin.into()),
            ("refs", strings(self.refs.iter().map(|id| id.to_hex()))),
            ("uid", self.uid.as_str().into()),
        ]);
        format!("{HEADER}{}\n", head.to_jcs())
    }

    /// The signed note, its lines in their order.
    pub fn sign(&self, origin: &str, keys: &[(&VerifierKey, &SecretKey)]) -> String {
        let text = self.text(origin);
        let mut lines: Vec<_> = keys
            .iter()
            .map(|(vkey, secret)| SignatureLine {
                name: vkey.name().to_owned(),
                id: vkey.id(),
                signature: secret.sign(text.as_bytes()).to_vec(),
            })
            .collect();
        lines.sort_by(|a, b| (&a.name, a.id).cmp(&(&b.name, b.id)));
        Note { text, lines }.to_text()
    }
}
