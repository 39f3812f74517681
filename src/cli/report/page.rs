//! The page of a report: what it speaks of, its figures, and the tables behind them.

use crate::cli::output::cell;
use crate::cli::report::facts::{Facts, is_owed_by};
use crate::cli::report::html::{Html, document};
use crate::cli::report::proof::Proof;
use crate::cli::report::tables::{Tables, number};
use crate::core::genesis::Genesis;
use crate::core::json::Value;
use crate::locale::{Language, word};

/// The whole document.
pub fn page(genesis: &Genesis, facts: &Facts, proofs: &[Proof], language: Language) -> String {
    let tables = Tables { facts, proofs, language };
    let say = |name| word(language, "page", name);
    let mut body = Html::default();
    body.push(&subject(genesis, &tables));
    let legend = [("proven", "proven.means"), ("indexed", "indexed.means")];
    for (name, means) in legend {
        body.push(&Html::paragraph(tables.badge(name).beside(Html::text(say(means)))));
    }
    let sections = [
        ("figures", figures(&tables)),
        ("owed", tables.obligations(|owed| is_owed_by(owed, &facts.id), "creditor")),
        ("due", tables.obligations(|owed| !is_owed_by(owed, &facts.id), "debtor")),
        ("requests.made", tables.requests(|requester, _| requester)),
        ("requests.received", tables.requests(|_, provider| provider)),
        ("refusals", tables.refusals()),
        ("deliveries", tables.deliveries()),
        ("findings", tables.findings()),
        ("records", tables.records()),
    ];
    for (name, content) in sections {
        body.push(&Html::heading(say(name)));
        body.push(&content);
    }
    let name = cell(&facts.agency, &format!("names.{}", language.tag()));
    let name = if name.is_empty() { facts.id.clone() } else { name };
    let title =
        say("title").replace("{agency}", &name).replace("{from}", &facts.from.to_string()).replace("{last}", &facts.last.to_string());
    document(language.tag(), &title, &body)
}

/// Agency, period, moment, ledger and coverage.
fn subject(genesis: &Genesis, tables: &Tables<'_>) -> Html {
    let Tables { facts, language, .. } = tables;
    let names = ["names.zh", "names.en"].map(|path| cell(&facts.agency, path)).into_iter().filter(|name| !name.is_empty());
    let names = names.collect::<Vec<_>>().join(" / ");
    let coverage = word(*language, "page", "coverage.text");
    let coverage = [("{agencies}", "agencies"), ("{records}", "records"), ("{from}", "from"), ("{to}", "to")]
        .into_iter()
        .fold(coverage.to_owned(), |text, (place, name)| text.replace(place, &cell(&facts.coverage, name)));
    let place = ["level", "line", "territory"].map(|name| {
        let text = cell(&facts.agency, name);
        if name == "level" { word(*language, "value", &text).to_owned() } else { text }
    });
    let place = place.into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join(" / ");
    let rows = [
        ("agency", Html::lines([Html::text(&names), Html::code(&facts.id), Html::text(&place)]), "indexed"),
        (
            "period",
            Html::text(
                &word(*language, "page", "period.text")
                    .replace("{from}", &facts.from.to_string())
                    .replace("{last}", &facts.last.to_string()),
            ),
            "",
        ),
        ("as_of", Html::lines([Html::text(&tables.moment(facts.as_of)), Html::code(&facts.as_of.to_string())]), ""),
        ("position", Html::text(&facts.position.to_string()), "indexed"),
        ("ledger", Html::code(&genesis.origin), "proven"),
        ("genesis", Html::code(&genesis.hash.to_hex()), "proven"),
        ("coverage", Html::text(&coverage), "indexed"),
    ];
    let row = |(name, value, source): (&str, Html, &'static str)| {
        let source = if source.is_empty() { Html::default() } else { tables.badge(source) };
        vec![Html::text(word(*language, "page", name)), value, source]
    };
    let headings = ["subject", "value", "source"].map(|name| Html::text(word(*language, "page", name)));
    Html::table(&headings, &rows.map(row))
}

/// Counts: each counted record is proven, that none is missing is not.
fn figures(tables: &Tables<'_>) -> Html {
    let Tables { facts, language, .. } = tables;
    let say = |name| word(*language, "page", name).to_owned();
    let own = |owed: &&Value| is_owed_by(owed, &facts.id);
    let (owed, due): (Vec<&Value>, Vec<&Value>) = facts.obligations.iter().partition(own);
    let state = |of: &[&Value], wanted: &str| of.iter().filter(|owed| cell(owed, "state") == wanted).count();
    let overdue = |of: &[&Value]| of.iter().filter(|owed| cell(owed, "state") == "open" && owed.get("late_days").is_some()).count();
    let mut rows = Vec::new();
    let mut figure = |label: String, count: usize, source: &'static str| {
        rows.push(vec![Html::text(&label), Html::text(&number(count)), tables.badge(source)]);
    };
    for (name, of) in [("owed", &owed), ("due", &due)] {
        figure(say(name), of.len(), "indexed");
        for (part, count) in [
            ("figure.met", state(of, "met")),
            ("figure.late", state(of, "late")),
            ("figure.stopped", state(of, "stopped")),
            ("figure.open", state(of, "open")),
            ("figure.overdue", overdue(of)),
        ] {
            figure(format!("{} {}", say("of_which"), say(part)), count, "indexed");
        }
    }
    for (name, count) in tables.counts() {
        figure(say(name), count, "indexed");
    }
    figure(say("figure.records"), facts.records.len(), "proven");
    Html::table(&["figure", "value", "source"].map(|name| Html::text(&say(name))), &rows)
}
