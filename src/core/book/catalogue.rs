//! Taking records about duties, datasets and collection.

use crate::core::book::at::At;
use crate::core::book::facts::{AgencyNo, Class, Dataset, DatasetNo, Duty, DutyNo, Frequency, Level, Notice, Orphaned, TextKey, Version};
use crate::core::book::names::Link;
use crate::core::book::{Book, Event, text, texts};
use crate::core::json::Value;

impl Book {
    pub(super) fn take_catalogue(&mut self, event: &Event<'_>, at: At) -> Option<()> {
        match event.kind {
            "duty.declare" => self.declare(event, at),
            "duty.retire" => self.retire_duty(event, at),
            "dataset.publish" => self.publish(event, at),
            "dataset.retire" => {
                let dataset = self.dataset(text(event.body, "id")?)?;
                let retired = &mut self.datasets[dataset.index()].retired;
                *retired = retired.or_first(at);
                self.settle_orphaned(dataset, at);
                Some(())
            }
            "dataset.review" => {
                let dataset = self.dataset(text(event.body, "id")?)?;
                let number = event.body.get("version")?.as_u64()?;
                let version = self.datasets[dataset.index()].versions.iter_mut().find(|version| version.number == number)?;
                version.reviewed = version.reviewed.or_first(at);
                version.returned = text(event.body, "outcome")? == "return";
                Some(())
            }
            _ => self.take_notice(event, at),
        }
    }

    fn declare(&mut self, event: &Event<'_>, at: At) -> Option<()> {
        let id = text(event.body, "id")?;
        if self.duty(id).is_some() {
            return None;
        }
        let duty = Duty {
            at,
            agency: self.agency_number(event.by),
            territory: text(event.body, "territory").map(|code| self.code_number(code)),
            line: text(event.body, "line").map(|code| self.code_number(code)),
            delegated_from: text(event.body, "delegated_from").and_then(|id| self.duty(id)),
            title: TextKey::folded(text(event.body, "title")?),
            retired: At::NEVER,
        };
        self.duty_names.number(id);
        self.duties.push(duty);
        Some(())
    }

    fn retire_duty(&mut self, event: &Event<'_>, at: At) -> Option<()> {
        let duty = self.duty(text(event.body, "id")?)?;
        let retired = &mut self.duties[duty.index()].retired;
        *retired = retired.or_first(at);
        self.links.put(&event.id, Link::DutyRetired(duty));
        let names_it =
            |dataset: &Dataset| dataset.retired.is_never() && dataset.versions.last().is_some_and(|last| last.duty == Some(duty));
        let left: Vec<_> = self.datasets.iter().enumerate().filter(|(_, dataset)| names_it(dataset)).map(|(index, _)| index).collect();
        for index in left {
            let dataset = DatasetNo::of(index);
            self.open_orphaned.entry(dataset).or_default().push(self.orphaned.len());
            self.orphaned.push(Orphaned { at, duty, dataset, stop: At::NEVER });
        }
        Some(())
    }

    fn settle_orphaned(&mut self, dataset: DatasetNo, at: At) {
        for index in self.open_orphaned.remove(&dataset).unwrap_or_default() {
            self.orphaned[index].stop = at;
        }
    }

    fn publish(&mut self, event: &Event<'_>, at: At) -> Option<()> {
        let body = event.body;
        let id = text(body, "id")?;
        let provider = self.agency_number(event.by);
        let version = version(body, at, provider, text(body, "duty").and_then(|id| self.duty(id)))?;
        let number = self.dataset_names.number(id);
        if number == self.datasets.len() {
            self.datasets.push(Dataset { versions: Vec::new(), retired: At::NEVER });
        }
        self.datasets[number].versions.push(version);
        self.settle_orphaned(DatasetNo::of(number), at);
        Some(())
    }

    fn take_notice(&mut self, event: &Event<'_>, at: At) -> Option<()> {
        let notice = Notice {
            at,
            by: self.agency_number(event.by),
            duty: self.duty(text(event.body, "duty")?)?,
            level: Level::parse(text(event.body, "level")?)?,
            territory: self.code_number(text(event.body, "territory")?),
            items: texts(event.body, "items").map(TextKey::folded).collect(),
        };
        self.notices.push(notice);
        Some(())
    }
}

fn version(body: &Value, at: At, provider: AgencyNo, duty: Option<DutyNo>) -> Option<Version> {
    let class = Class::parse(text(body, "class")?)?;
    let names = body.get("items").and_then(Value::as_array).into_iter().flatten().filter_map(|item| text(item, "name"));
    let mut items: Vec<TextKey> = names.map(TextKey::folded).collect();
    items.sort_unstable();
    Some(Version {
        at,
        provider,
        number: body.get("version")?.as_u64()?,
        class,
        frequency: Frequency::parse(text(body, "frequency")?)?,
        duty,
        reasoned: match class {
            Class::Unconditional => true,
            Class::Conditional => text(body, "conditions").is_some() && body.get("purposes").is_some(),
            Class::Withheld => text(body, "bar").is_some(),
        },
        purposes: texts(body, "purposes").map(TextKey::folded).collect(),
        items: items.into(),
        reviewed: At::NEVER,
        returned: false,
    })
}
