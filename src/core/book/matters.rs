//! Taking records about extensions, corrections, disputes and findings.

use crate::core::book::at::At;
use crate::core::book::facts::{Clock, Correction, Dispute, Finding, Outcome, RequestNo};
use crate::core::book::names::Link;
use crate::core::book::{Book, Event, day, number_of, text};

impl Book {
    pub(super) fn take_matter(&mut self, event: &Event<'_>, at: At) -> Option<()> {
        match event.kind {
            "share.extend" => self.extend(event, at),
            "correction.file" => self.file_correction(event, at),
            "correction.close" => {
                let Some(Link::Correction(number)) = self.link(event) else {
                    return None;
                };
                let correction = self.corrections.get_mut(usize::try_from(number).ok()?)?;
                correction.closed = correction.closed.or_first(at);
                correction.repaired = text(event.body, "result")? == "repaired";
                let (delivery, grant) = (correction.delivery, correction.grant);
                if let Some(delivery) = delivery {
                    self.settle_mismatch(delivery, at);
                }
                self.links.put(&event.id, Link::About(self.grant(grant).request));
                Some(())
            }
            "dispute.file" => {
                let request = self.request_behind(self.link(event)?)?;
                let by = self.agency_number(event.by);
                self.links.put(&event.id, Link::Dispute(number_of(self.disputes.len())));
                self.disputes.push(Dispute { at, by, request, referrals: Vec::new(), decided: At::NEVER });
                Some(())
            }
            "dispute.refer" | "dispute.decide" => self.take_dispute(event, at),
            "finding.file" => self.file_finding(event, at),
            "finding.rectify" | "finding.close" => {
                let Some(Link::Finding(number)) = self.link(event) else {
                    return None;
                };
                let finding = self.findings.get_mut(usize::try_from(number).ok()?)?;
                let place = if event.kind == "finding.close" { &mut finding.closed } else { &mut finding.rectified };
                *place = place.or_first(at);
                Some(())
            }
            _ => None,
        }
    }

    /// The request that a share or correction record is about.
    fn request_behind(&self, link: Link) -> Option<RequestNo> {
        let of_delivery = |delivery| self.grant(self.item(self.delivery(delivery).item).grant).request;
        Some(match link {
            Link::Request(request) | Link::About(request) => request,
            Link::Grant(grant) => self.grant(grant).request,
            Link::Delivery(delivery) | Link::Receipt(delivery) => of_delivery(delivery),
            Link::Correction(number) => self.grant(self.corrections.get(usize::try_from(number).ok()?)?.grant).request,
            Link::Dispute(_) | Link::Finding(_) | Link::DutyRetired(_) => return None,
        })
    }

    fn extend(&mut self, event: &Event<'_>, at: At) -> Option<()> {
        let clock = Clock::parse(text(event.body, "clock")?)?;
        let fact = |number: u32| usize::try_from(number).ok();
        let link = self.link(event)?;
        let started = match link {
            Link::Request(request) => self.request(request).at,
            Link::Receipt(delivery) => self.delivery(delivery).receipt,
            Link::Dispute(number) => self.disputes.get(fact(number)?)?.at,
            Link::Finding(number) => self.findings.get(fact(number)?)?.at,
            Link::DutyRetired(duty) => self.duties[duty.index()].retired,
            Link::Correction(number) => self.corrections.get(fact(number)?)?.at,
            Link::About(_) | Link::Grant(_) | Link::Delivery(_) => return None,
        };
        self.extensions.entry((started.position(), clock)).or_default().push((at, event.body.get("days")?.as_u64()?));
        let request = match link {
            Link::Dispute(number) => Some(self.disputes.get(fact(number)?)?.request),
            link => self.request_behind(link),
        };
        if let Some(request) = request {
            self.links.put(&event.id, Link::About(request));
        }
        Some(())
    }

    fn file_correction(&mut self, event: &Event<'_>, at: At) -> Option<()> {
        let (grant, delivery) = match self.link(event)? {
            Link::Grant(grant) => (grant, None),
            Link::Delivery(delivery) => (self.item(self.delivery(delivery).item).grant, Some(delivery)),
            _ => return None,
        };
        let dataset = self.dataset(text(event.body, "dataset")?)?;
        self.links.put(&event.id, Link::Correction(number_of(self.corrections.len())));
        self.corrections.push(Correction { at, grant, dataset, delivery, closed: At::NEVER, repaired: false });
        Some(())
    }

    fn take_dispute(&mut self, event: &Event<'_>, at: At) -> Option<()> {
        let Some(Link::Dispute(number)) = self.link(event) else {
            return None;
        };
        let number = usize::try_from(number).ok()?;
        if event.kind == "dispute.refer" {
            let to = self.agency_number(text(event.body, "to")?);
            self.disputes.get_mut(number)?.referrals.push((at, to));
            return Some(());
        }
        let dispute = self.disputes.get_mut(number)?;
        if !dispute.decided.is_never() {
            return None;
        }
        dispute.decided = at;
        let number = dispute.request;
        let request = self.request(number);
        if text(event.body, "outcome")? == "share" && request.outcome == Some(Outcome::Refuse) {
            let datasets: Vec<_> = self.requested_of(request).iter().map(|requested| requested.dataset).collect();
            let grant = self.open_grant(number, at, &datasets);
            self.links.put(&event.id, Link::Grant(grant));
        }
        Some(())
    }

    fn file_finding(&mut self, event: &Event<'_>, at: At) -> Option<()> {
        let finding = Finding {
            at,
            by: self.agency_number(event.by),
            agency: self.agency_number(text(event.body, "agency")?),
            offence: text(event.body, "offence")?.into(),
            due: day(event.body, "due"),
            rectified: At::NEVER,
            closed: At::NEVER,
        };
        self.links.put(&event.id, Link::Finding(number_of(self.findings.len())));
        self.findings.push(finding);
        Some(())
    }
}
