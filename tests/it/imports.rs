//! Imports without a network: cells to texts, rows to bodies, the journal; the real files whole.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use sharelog::cli::failure::Failure;
use sharelog::cli::import::agencies::{self, Admission};
use sharelog::cli::import::datasets;
use sharelog::cli::import::deliveries::rows::{Log, Register, has_receipt};
use sharelog::cli::import::fields::{Field, Mapping, needed, optional};
use sharelog::cli::import::journal::{Entry, Journal};
use sharelog::cli::import::ledger::{KnownAgency, KnownDataset, fold};
use sharelog::cli::import::table::{Row, Table, row_jcs};
use sharelog::cli::import::text::{clean, cut, frequency, identifier, slug, split};
use sharelog::core::commitment::Opening;
use sharelog::core::hash::Hash;
use sharelog::core::ids::check_agency;
use sharelog::core::json::Value;
use sharelog::core::key::{Algorithm, Role, SecretKey, VerifierKey, agency_key_name};
use sharelog::core::kinds::Kind;
use sharelog::core::record::{Draft, Record};
use sharelog::core::refusal::Code;

use super::network::{now, uid};

const ORIGIN: &str = "test.example/sharelog/0123456789abcdef";

fn table(name: &str) -> Table {
    Table::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)).unwrap()
}

fn parse(text: &str) -> Table {
    Table::parse(Path::new("t.csv"), text.as_bytes()).unwrap()
}

fn mapping(fields: &[Field], maps: &[(&str, &str)], sets: &[(&str, &str)], table: &Table) -> Mapping {
    let pairs = |pairs: &[(&str, &str)]| pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect::<Vec<_>>();
    Mapping::new(fields, &pairs(maps), &pairs(sets), table).unwrap()
}

/// Signs a body and reads it again under the rules of form.
fn admissible(kind: Kind, agency: &str, role: Role, body: Value) -> Record {
    let secret = SecretKey::from_seed(&[5; 32]);
    let vkey = VerifierKey::new(agency_key_name(ORIGIN, agency, role), Algorithm::Ed25519, secret.public()).unwrap();
    let draft = Draft { at: now(), by: agency.to_owned(), kind, refs: Vec::new(), uid: uid(), body };
    let note = draft.sign(ORIGIN, &[(&vkey, &secret)]);
    Record::parse(note.as_bytes(), ORIGIN).unwrap_or_else(|refusal| panic!("{refusal}: {note}"))
}

#[test]
fn cells_become_texts() {
    assert_eq!(clean("  a\r\n\tb \n"), "a b");
    assert_eq!(cut("ab\u{6bcf}c", 4), "ab");
    assert_eq!(cut("ab cd", 3), "ab");
    assert_eq!(split("a\u{3001}b\u{ff0c} a ;c\u{ff1b}\t\n,d\r\n"), ["a", "b", "c", "d"]);
    assert_eq!(frequency(" Monthly"), Some("monthly"));
    assert_eq!(frequency("\u{4e0d}\u{5b9a}\u{671f}"), Some("irregular"));
    assert_eq!(frequency("Ongoing"), None);
}

#[test]
fn ids_are_slugged_by_the_rule() {
    assert_eq!(slug("NHS England (Quarry House)"), "nhs-england-quarry-house");
    assert_eq!(slug("  --A & B--  "), "a-b");
    assert_eq!(slug("\u{793e}\u{6703}\u{5c40}"), "");
    let long = "The Nuffield Trust for Research and Policy Studies in Health Services";
    let digits = &Hash::of(long.to_lowercase().as_bytes()).to_hex()[..8];
    assert_eq!(slug(long), format!("the-nuffield-trust-for-research-and-policy-studies-in-h-{digits}"));
    assert_eq!(identifier("380120000J", |id| check_agency(id).is_ok()), "380120000J");
    assert_eq!(identifier("MONITOR", |id| check_agency(id).is_ok()), "MONITOR");
    assert_eq!(identifier("a b", |id| check_agency(id).is_ok()), "a-b");
}

#[test]
fn broken_files_name_line_and_column() {
    let broken = Table::parse(Path::new("t.csv"), b"id,name\n1,a\n2\n3,\xff\n4,d\n5,e,f\n").unwrap();
    assert_eq!(broken.rows.iter().map(|row| row.line).collect::<Vec<_>>(), [2, 5]);
    let lines: Vec<_> = broken.faults.iter().map(|fault| fault.line).collect();
    assert_eq!(lines, [3, 4, 6]);
    assert!(broken.faults[0].found.contains("name"), "{:?}", broken.faults[0]);
    assert!(broken.faults[1].found.contains("name") && broken.faults[1].found.contains("0xff"), "{:?}", broken.faults[1]);
    let table = parse("id,name\n\"1\n2\",a\n3,b\n");
    assert_eq!(table.rows.iter().map(|row| row.line).collect::<Vec<_>>(), [2, 4]);
    let missing = table.column("colour").unwrap_err();
    assert!(matches!(&missing, Failure::Unreadable(text) if text.contains("colour") && text.contains("name")), "{missing}");
    assert!(Table::parse(Path::new("t.csv"), b"").is_err());
    assert!(Table::parse(Path::new("t.csv"), b"a,a\n1,2\n").is_err());
}

#[test]
fn fields_are_filled_once_and_needed_ones_always() {
    let table = parse("a,b\n1,\n");
    let fields = [needed("x"), optional("y")];
    let new = |maps: &[(&str, &str)], sets: &[(&str, &str)]| {
        let pairs = |pairs: &[(&str, &str)]| pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect::<Vec<_>>();
        Mapping::new(&fields, &pairs(maps), &pairs(sets), &table)
    };
    assert!(matches!(new(&[], &[]), Err(Failure::Usage(_))));
    assert!(matches!(new(&[("x", "a"), ("x", "b")], &[]), Err(Failure::Usage(_))));
    assert!(matches!(new(&[("x", "a")], &[("x", "1")]), Err(Failure::Usage(_))));
    assert!(matches!(new(&[("x", "c")], &[]), Err(Failure::Unreadable(_))));
    let mapping = new(&[("x", "a"), ("y", "b")], &[]).unwrap();
    assert_eq!(mapping.text(&table.rows[0], "x").as_deref(), Some("1"));
    assert_eq!(mapping.text(&table.rows[0], "y"), None);
}

#[test]
fn a_row_without_file_commits_to_its_rfc_8785_form() {
    let columns: Vec<_> = ["b", "\u{ff01}", "\u{10400}", "a"].map(str::to_owned).to_vec();
    let row = Row { line: 2, cells: ["x\"\n", "", "\u{7f}", " 1 "].map(str::to_owned).to_vec() };
    // U+10400 begins with the surrogate D801 in UTF-16, hence before U+FF01.
    let expected = "{\"a\":\" 1 \",\"b\":\"x\\\"\\n\",\"\u{10400}\":\"\u{7f}\",\"\u{ff01}\":\"\"}";
    assert_eq!(row_jcs(&columns, &row), expected);
}

#[test]
fn receipts_follow_the_hash_of_the_batch() {
    // The big-endian integer modulo 100, computed another way: hex digits by Horner's rule.
    let by_hex = |batch: &str| {
        Hash::of(batch.as_bytes()).to_hex().chars().fold(0, |rest, digit| (rest * 16 + u64::from(digit.to_digit(16).unwrap())) % 100)
    };
    let table = table("nhsd_releases_2021-02.csv");
    let column = table.column("row_id").unwrap();
    let batches: Vec<_> = table.rows.iter().map(|row| row.cells[column].as_str()).collect();
    for batch in &batches {
        assert_eq!(has_receipt(batch, 20), by_hex(batch) < 20, "{batch}");
    }
    assert_eq!(batches.iter().filter(|batch| has_receipt(batch, 20)).count(), 1_001);
    assert!(batches.iter().all(|batch| has_receipt(batch, 100) && !has_receipt(batch, 0)));
}

#[test]
fn a_journal_keeps_what_was_written_and_cuts_a_torn_line() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("j");
    let opening = Opening { bytes: 3, record: Hash::of(b"r"), salt: [7; 32], sha256: Hash::of(b"abc") };
    let plain = Entry { note: "text\n\nsignature\n".into(), opening: None };
    let delivery = Entry { note: "other\n".into(), opening: Some(opening) };
    let mut journal = Journal::open(&path).unwrap();
    journal.append(vec![("a".into(), plain.clone()), ("b".into(), plain.clone())]).unwrap();
    journal.append(vec![("b".into(), delivery.clone())]).unwrap();
    drop(journal);
    let whole = std::fs::read(&path).unwrap();
    let mut torn = whole.clone();
    torn.extend_from_slice(b"{\"key\":\"c\",\"no");
    std::fs::write(&path, torn).unwrap();
    let journal = Journal::open(&path).unwrap();
    assert_eq!((journal.get("a"), journal.get("b"), journal.get("c")), (Some(&plain), Some(&delivery), None));
    assert_eq!(std::fs::read(&path).unwrap(), whole);
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&path).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    std::fs::write(&path, b"broken\n").unwrap();
    assert!(matches!(Journal::open(&path), Err(Failure::Unreadable(text)) if text.contains("line 1")));
}

fn agency_fields() -> Vec<Field> {
    let mut fields = vec![needed("id")];
    fields.extend(["name_zh", "name_en", "scheme", "level", "line", "territory", "parent"].map(optional));
    fields
}

/// Reads all rows as `import agencies` does; gives what is made, how many are repeated, and what is refused.
fn admissions(table: &Table, mapping: &Mapping) -> (HashMap<String, Admission>, usize, Vec<Code>) {
    let (mut made, mut repeated, mut refused) = (HashMap::new(), 0, Vec::new());
    for row in &table.rows {
        match agencies::admission(mapping, row).and_then(|admission| agencies::place(&HashMap::new(), &made, admission)) {
            Ok(agencies::Placed::New(admission)) => drop(made.insert(fold(&admission.id), admission)),
            Ok(_) => repeated += 1,
            Err(refusal) => refused.push(refusal.code),
        }
    }
    (made, repeated, refused)
}

#[test]
fn a_repeated_id_is_the_same_agency_only_under_the_same_name() {
    let table = parse("id,name\nMonitor,Monitor\nMONITOR,MONITOR\nmonitor,Another\n!!,x\n");
    let mapping = mapping(&agency_fields(), &[("id", "id"), ("name_en", "name")], &[("level", "outside")], &table);
    let (made, repeated, refused) = admissions(&table, &mapping);
    assert_eq!((made["monitor"].id.as_str(), repeated), ("Monitor", 1));
    assert_eq!(refused, [Code::Duplicate, Code::FieldInvalid]);
    let known = HashMap::from([(
        "monitor".to_owned(),
        KnownAgency { id: "MONITOR".into(), names: BTreeMap::from([("en".into(), "monitor".into())]) },
    )]);
    assert!(matches!(agencies::place(&known, &HashMap::new(), made["monitor"].clone()), Ok(agencies::Placed::Kept(_))));
}

/// The registers that the two real agency files make.
fn real_agencies() -> (HashMap<String, Admission>, HashMap<String, Admission>) {
    let city = table("tyc_agencies.csv");
    let maps =
        mapping(&agency_fields(), &[("id", "agency_code"), ("name_zh", "agency_name")], &[("level", "city"), ("territory", "3301")], &city);
    let (city, repeated, refused) = admissions(&city, &maps);
    assert_eq!((city.len(), repeated, refused.len()), (34, 0, 0));
    let outside = table("nhsd_agreements_2021-02.csv");
    let maps = mapping(
        &agency_fields(),
        &[("id", "organisation"), ("name_en", "organisation"), ("line", "org_type")],
        &[("level", "outside")],
        &outside,
    );
    let (outside, repeated, refused) = admissions(&outside, &maps);
    assert_eq!((outside.len(), repeated, refused.len()), (337, 248, 0));
    (city, outside)
}

fn known(made: &HashMap<String, Admission>) -> HashMap<String, KnownAgency> {
    made.iter().map(|(key, admission)| (key.clone(), KnownAgency { id: admission.id.clone(), names: admission.names.clone() })).collect()
}

#[test]
fn the_real_catalogues_are_admissible_whole() {
    let (city, outside) = real_agencies();
    let fields: Vec<_> = [
        "provider",
        "id",
        "title",
        "class",
        "items",
        "format",
        "frequency",
        "duty",
        "conditions",
        "purposes",
        "bar",
        "summary",
        "system",
        "topic",
        "grade",
    ]
    .map(optional)
    .to_vec();
    let table = self::table("tyc_datasets.csv");
    let columns = [
        ("provider", "agency_code"),
        ("id", "no"),
        ("title", "title"),
        ("summary", "description"),
        ("topic", "category"),
        ("items", "main_fields"),
        ("format", "format"),
        ("frequency", "update_freq"),
    ];
    let maps = mapping(&fields, &columns, &[("class", "unconditional")], &table);
    for row in &table.rows {
        let publication = datasets::publication(&maps, row, &known(&city)).unwrap_or_else(|refusal| panic!("line {}: {refusal}", row.line));
        admissible(Kind::DatasetPublish, &publication.provider, Role::Head, publication.body);
    }
    let mut agencies = known(&outside);
    agencies.insert("nhs-digital".into(), KnownAgency { id: "nhs-digital".into(), names: BTreeMap::new() });
    let (datasets, log) = sharing_log(agencies);
    assert_eq!((datasets, log.repeated, log.refused.len()), (79, 0, 0));
    assert_eq!(log.agreements.len(), 585);
    assert_eq!(log.agreements.iter().map(|agreement| agreement.rows.len()).sum::<usize>(), 5_079);
    let requesters: std::collections::BTreeSet<_> = log.agreements.iter().map(|agreement| &agreement.requester).collect();
    assert_eq!(requesters.len(), 337);
}

/// The real sharing log, read against a catalogue made from it; gives how many datasets that has.
fn sharing_log(agencies: HashMap<String, KnownAgency>) -> (usize, Log) {
    let table = table("nhsd_releases_2021-02.csv");
    let fields: Vec<_> = ["provider", "id", "title", "class", "conditions", "purposes", "frequency"].map(optional).to_vec();
    let sets = [
        ("provider", "nhs-digital"),
        ("class", "conditional"),
        ("conditions", "data sharing agreement"),
        ("purposes", "health and care"),
        ("frequency", "irregular"),
    ];
    let maps = mapping(&fields, &[("id", "dataset"), ("title", "dataset")], &sets, &table);
    let mut made = HashMap::new();
    let mut datasets = HashMap::new();
    for row in &table.rows {
        let publication = datasets::publication(&maps, row, &agencies).unwrap();
        if let Ok(datasets::Placed::New) = datasets::place(&HashMap::new(), &made, &publication) {
            made.insert(fold(&publication.id), publication.title.clone());
            let (id, title) = (publication.id.clone(), publication.title);
            datasets.insert(fold(&id), KnownDataset { id, class: "conditional".into(), title, version: 1 });
            admissible(Kind::DatasetPublish, "nhs-digital", Role::Head, publication.body);
        }
    }
    let agreements = self::table("nhsd_agreements_2021-02.csv");
    let (reference, purpose) = (agreements.column("agreement_ref").unwrap(), agreements.column("objective_excerpt").unwrap());
    let purposes = agreements.rows.iter().map(|row| (clean(&row.cells[reference]), clean(&row.cells[purpose]))).collect();
    let count = datasets.len();
    let register = Register { agencies, datasets: HashMap::from([("nhs-digital".to_owned(), datasets)]), purposes };
    let fields: Vec<_> =
        ["provider", "requester", "dataset", "agreement", "batch", "basis", "frequency", "file", "rows", "period"].map(optional).to_vec();
    let columns =
        [("requester", "recipient"), ("dataset", "dataset"), ("agreement", "agreement_ref"), ("batch", "row_id"), ("basis", "legal_basis")];
    let maps = mapping(&fields, &columns, &[("provider", "nhs-digital")], &table);
    (count, Log::read(&table, &maps, &register).unwrap())
}
