//! Requests, grants, datasets and what became of them.

use serde_json::Value as Json;

use super::days::Day;
use super::world::{Rec, World, strings, text};

impl World {
    /// The request that a share, correction or dispute record belongs to.
    pub fn request_of<'a>(&'a self, rec: &'a Rec, n: usize) -> Option<&'a Rec> {
        let mut rec = rec;
        while rec.kind != "share.request" {
            rec = self.get(rec.refs.first()?, n)?;
        }
        Some(rec)
    }

    pub fn provider(request: &Rec) -> &str {
        let first = request.body["datasets"][0]["id"].as_str().unwrap();
        first.split_once(':').unwrap().0
    }

    /// Provider and requester of what a record belongs to.
    pub fn parties<'a>(&'a self, rec: &'a Rec, n: usize) -> Option<(&'a str, &'a str)> {
        self.request_of(rec, n).map(|request| (Self::provider(request), request.by.as_str()))
    }

    pub fn class(&self, request: &Rec) -> &str {
        let id = request.body["datasets"][0]["id"].as_str().unwrap();
        text(&self.newest(id, request.index).unwrap().body, "class")
    }

    pub fn answer(&self, request: &Rec, n: usize) -> Option<&Rec> {
        self.about(&request.id, "share.answer", n).next()
    }

    pub fn is_withdrawn(&self, request: &Rec, n: usize) -> bool {
        self.about(&request.id, "share.withdraw", n).next().is_some()
    }

    pub fn is_open_request(&self, request: &Rec, n: usize) -> bool {
        self.answer(request, n).is_none() && !self.is_withdrawn(request, n)
    }

    pub fn supplement(&self, request: &Rec, step: &str, n: usize) -> Option<&Rec> {
        self.about(&request.id, "share.supplement", n).find(|rec| text(&rec.body, "step") == step)
    }

    /// The newest version of a dataset.
    pub fn newest(&self, id: &str, n: usize) -> Option<&Rec> {
        self.of("dataset.publish", n).rev().find(|rec| text(&rec.body, "id") == id)
    }

    pub fn dataset_retired(&self, id: &str, n: usize) -> bool {
        self.of("dataset.retire", n).any(|rec| text(&rec.body, "id") == id)
    }

    pub fn review(&self, id: &str, version: &Json, n: usize) -> Option<&Rec> {
        self.of("dataset.review", n).find(|rec| text(&rec.body, "id") == id && rec.body["version"] == *version)
    }

    pub fn duty(&self, id: &str, n: usize) -> Option<&Rec> {
        self.of("duty.declare", n).find(|rec| text(&rec.body, "id") == id)
    }

    pub fn duty_retired(&self, id: &str, n: usize) -> bool {
        self.of("duty.retire", n).any(|rec| text(&rec.body, "id") == id)
    }

    /// The datasets that a record grants; none when it is no grant.
    pub fn granted(&self, rec: &Rec, n: usize) -> Option<Vec<String>> {
        match rec.kind {
            "share.answer" if text(&rec.body, "outcome") != "refuse" => Some(strings(&rec.body, "datasets")),
            "dispute.decide" if text(&rec.body, "outcome") == "share" => {
                let request = self.request_of(rec, n)?;
                let answer = self.answer(request, rec.index)?;
                (text(&answer.body, "outcome") == "refuse").then(|| {
                    let datasets = request.body["datasets"].as_array().unwrap();
                    datasets.iter().map(|dataset| text(dataset, "id").to_owned()).collect()
                })
            }
            _ => None,
        }
    }

    /// All grants, in their order.
    pub fn grants(&self, n: usize) -> Vec<&Rec> {
        let mut all: Vec<&Rec> = self.of("share.answer", n).chain(self.of("dispute.decide", n)).collect();
        all.retain(|rec| self.granted(rec, n).is_some());
        all.sort_by_key(|rec| rec.index);
        all
    }

    pub fn ended(&self, grant: &Rec, n: usize) -> Option<&Rec> {
        self.about(&grant.id, "share.end", n).next()
    }

    pub fn is_suspended(&self, grant: &Rec, n: usize) -> bool {
        self.about(&grant.id, "share.suspend", n).count() > self.about(&grant.id, "share.resume", n).count()
    }

    pub fn is_over(&self, grant: &Rec, day: Day, n: usize) -> bool {
        let term = grant.body["term"]["to"].as_str();
        self.ended(grant, n).is_some() || term.is_some_and(|to| day > self.days.day(to))
    }

    /// Whether a correction, dispute or finding is closed.
    pub fn is_closed(&self, rec: &Rec, n: usize) -> bool {
        let by = match rec.kind {
            "correction.file" => "correction.close",
            "dispute.file" => "dispute.decide",
            _ => "finding.close",
        };
        self.about(&rec.id, by, n).next().is_some()
    }
}
