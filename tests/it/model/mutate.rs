//! Breaches: a random change of a record, without a thought of which rule it breaks, if any.

use serde_json::json;
use sharelog::core::hash::Hash;
use sharelog::core::key::Role;

use super::generate::Generator;
use super::shape::{self, PERSONAL};
use super::world::{Rec, World, line_of};

impl Generator {
    pub fn mutate(&mut self, world: &World, rec: &mut Rec) {
        match self.random.below(15) {
            0..=3 => self.swap_member(world, rec),
            4 => self.break_member(rec),
            5 => {
                let name = self.member(rec);
                rec.body.as_object_mut().unwrap().remove(name);
            }
            6 => rec.body["surplus"] = json!(1),
            7..=8 => self.break_refs(world, rec),
            9..=12 => self.break_lines(world, rec),
            13 => {
                let other = self.agency(world, false);
                rec.by = other;
            }
            _ => {
                let week = 604_800_000;
                rec.at = if self.random.percent(50) { self.time + 3_600_001 } else { self.time.saturating_sub(week + 1) };
            }
        }
    }

    /// A member of the body; not the bound of claimed times, for a small one would refuse all that follows.
    fn member(&mut self, rec: &Rec) -> &'static str {
        let all = shape::members(rec.kind).into_iter().map(|one| one.0);
        let all: Vec<&'static str> = all.filter(|name| rec.body.get(name).is_some() && *name != "record_age_ms_max").collect();
        self.random.pick(&all).unwrap()
    }

    /// The member of another record, of the same name.
    fn swap_member(&mut self, world: &World, rec: &mut Rec) {
        let name = self.member(rec);
        if ["key", "replaces", "keys", "peer", "publication", "consensus", "cosigner", "addresses", "records"].contains(&name) {
            return;
        }
        if ["agency", "to", "parent", "successor"].contains(&name) && self.random.percent(40) {
            rec.body[name] = json!("dept-nobody");
            return;
        }
        let others: Vec<&Rec> = world.list.iter().filter(|other| other.body.get(name).is_some()).collect();
        if let Some(other) = self.random.pick(&others) {
            rec.body[name] = other.body[name].clone();
        }
        if self.random.percent(10) && rec.body[name].is_u64() {
            rec.body[name] = json!(self.random.between(0, 5_000));
        }
    }

    fn break_member(&mut self, rec: &mut Rec) {
        let name = self.member(rec);
        rec.body[name] = match self.random.below(8) {
            0 => json!(7),
            1 => json!(true),
            2 => json!(""),
            3 => json!("x".repeat(3_000)),
            4 => json!([]),
            5 => json!({}),
            6 => json!(format!("of {PERSONAL}")),
            _ => json!(" x"),
        };
    }

    fn break_refs(&mut self, world: &World, rec: &mut Rec) {
        let any = self.random.pick(&world.list).map(|other| other.id).unwrap_or_default();
        match self.random.below(4) {
            0 => rec.refs = vec![Hash::of(&self.fresh().to_le_bytes())],
            1 => rec.refs.push(any),
            2 => rec.refs.clear(),
            _ => rec.refs = vec![any],
        }
    }

    fn break_lines(&mut self, world: &World, rec: &mut Rec) {
        let first = rec.lines[0].clone();
        let other = self.agency(world, false);
        match self.random.below(6) {
            // Somebody else writes and signs it.
            0 => {
                rec.by.clone_from(&other);
                rec.lines[0] = self.line(world, &other, first.role);
            }
            1 => {
                let role = Role::ALL[self.random.below(5)];
                rec.lines[0] = self.line(world, &first.agency, role);
            }
            2 => rec.lines.push(self.line(world, &other, first.role)),
            3 => rec.lines[0] = self.line(world, &other, first.role),
            4 => rec.lines[0] = line_of(&first.agency, &format!("{}/{}/{}", first.agency, first.role, self.fresh())),
            _ => {
                let keys = world.keys(world.list.len());
                let old: Vec<&super::world::Key> = keys.iter().filter(|key| key.until.is_some()).collect();
                if let Some(old) = self.random.pick(&old) {
                    rec.by.clone_from(&old.agency);
                    rec.lines = vec![line_of(&old.agency, &old.label)];
                }
            }
        }
        rec.lines.sort_by_key(|line| (line.agency.clone(), line.label.clone()));
        rec.lines.dedup();
    }
}
