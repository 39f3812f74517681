//! Taking records about members and settings: agencies, their authority keys, territories, policies, calendars.

use crate::core::book::at::At;
use crate::core::book::facts::{AgencyNo, AuthorityKey, Level, Limits, Membership, Status, Territory, TextKey};
use crate::core::book::{Book, Event, text, texts};
use crate::core::calendar::Calendar;
use crate::core::genesis::Genesis;
use crate::core::json::Value;
use crate::core::key::Role;

impl Book {
    pub(super) fn take_genesis(&mut self, genesis: &Genesis) {
        let at = At::genesis(genesis.created);
        self.policies.extend(limits(&genesis.policy.body, at));
        self.calendars.extend(genesis.calendars.iter().filter_map(|calendar| Some((at, Calendar::from_value(calendar).ok()?))));
        for agency in &genesis.agencies {
            let number = self.agency_number(&agency.id);
            self.join(number, &agency.body, at);
            for (role, vkey) in genesis.agency_vkeys(agency) {
                if role == Role::Authority {
                    self.trust(number, &vkey.to_string(), at);
                }
            }
        }
    }

    pub(super) fn take_setting(&mut self, event: &Event<'_>, at: At) -> Option<()> {
        match event.kind {
            "policy.set" => self.policies.push(limits(event.body, at)?),
            "calendar.set" => self.calendars.push((at, Calendar::from_value(event.body).ok()?)),
            _ => {
                for territory in event.body.get("territories")?.as_array()? {
                    let code = self.code_number(text(territory, "code")?);
                    let parent = text(territory, "parent").map(|parent| self.code_number(parent));
                    self.territories.push(Territory { at, code, level: Level::parse(text(territory, "level")?)?, parent });
                }
            }
        }
        Some(())
    }

    pub(super) fn take_membership(&mut self, event: &Event<'_>, at: At) -> Option<()> {
        match event.kind {
            "key.rotate" => {
                let agency = self.agency_number(agency_of_key(text(event.body, "key")?)?);
                self.distrust(agency, text(event.body, "replaces")?, at);
                self.trust(agency, text(event.body, "key")?, at);
            }
            "key.revoke" => {
                let key = text(event.body, "key")?;
                let agency = self.agency_number(agency_of_key(key)?);
                self.distrust(agency, key, at);
            }
            kind => {
                let agency = self.agency_number(text(event.body, "id")?);
                self.take_agency(kind, agency, event.body, at)?;
            }
        }
        Some(())
    }

    fn take_agency(&mut self, kind: &str, agency: AgencyNo, body: &Value, at: At) -> Option<()> {
        match kind {
            "agency.admit" => {
                self.join(agency, body, at);
                for key in texts(body, "keys") {
                    self.trust(agency, key, at);
                }
            }
            "agency.change" => self.join(agency, body, at),
            "agency.suspend" => self.agencies[agency.index()].statuses.push((at, Status::parse(text(body, "status")?)?)),
            _ => {
                let successor = text(body, "successor").map(|id| self.agency_number(id));
                let fact = &mut self.agencies[agency.index()];
                fact.statuses.push((at, Status::Retired));
                fact.retired = Some((at, successor));
            }
        }
        Some(())
    }

    fn join(&mut self, agency: AgencyNo, body: &Value, at: At) {
        let membership = Membership {
            at,
            level: text(body, "level").and_then(Level::parse).unwrap_or(Level::Outside),
            territory: text(body, "territory").map(|code| self.code_number(code)),
            line: text(body, "line").map(|code| self.code_number(code)),
            parent: text(body, "parent").map(|id| self.agency_number(id)),
        };
        self.agencies[agency.index()].memberships.push(membership);
    }

    /// Notes a key that is trusted after `at`, if it is an authority's.
    fn trust(&mut self, agency: AgencyNo, vkey: &str, at: At) {
        if !vkey.split('+').next().is_some_and(|name| name.ends_with("/authority")) {
            return;
        }
        self.agencies[agency.index()].authority_keys.push(AuthorityKey { key: TextKey::of(vkey), from: at, until: At::NEVER });
        if !self.authorities.contains(&agency) {
            self.authorities.push(agency);
        }
    }

    fn distrust(&mut self, agency: AgencyNo, vkey: &str, at: At) {
        let gone = TextKey::of(vkey);
        for key in self.agencies[agency.index()].authority_keys.iter_mut().filter(|key| key.key == gone) {
            key.until = key.until.or_first(at);
        }
    }
}

/// The agency in the name of a vkey: `<origin>/agency/<agency id>/<role>+<key id>+<key>`.
fn agency_of_key(vkey: &str) -> Option<&str> {
    vkey.split('+').next()?.rsplit('/').nth(1)
}

fn limits(body: &Value, at: At) -> Option<Limits> {
    let clocks = body.get("clocks")?;
    let days = |name: &str| clocks.get(name)?.as_u64();
    Some(Limits {
        at,
        utc_offset_minutes: body.get("utc_offset_minutes")?.as_u64()?,
        pause_on_supplement: body.get("pause_on_supplement")?.as_bool()?,
        answer_conditional: days("answer_conditional")?,
        answer_unconditional: days("answer_unconditional")?,
        backflow: days("backflow")?,
        catalogue_review: days("catalogue_review")?,
        catalogue_update: days("catalogue_update")?,
        correction: days("correction")?,
        delivery: days("delivery")?,
        dispute: days("dispute")?,
        mismatch: days("mismatch")?,
        receipt: days("receipt")?,
        rectification: days("rectification")?,
    })
}
