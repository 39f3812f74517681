//! Lines of what goes beyond purpose and term.

use crate::core::questions::purpose::{Granted, purpose_and_term};
use crate::query::questions::View;
use crate::query::questions::lines::{Key, Line, Page};

pub const COLUMNS: &[&str] =
    &["breach", "time", "provider", "requester", "dataset", "batch", "purpose", "count", "until", "record", "grant"];

enum Beyond {
    Undisposed(Granted),
    /// Position of the delivery.
    OutsideTerm(u64, Granted),
    /// Position of the report of use, and the place in its counts.
    OffPurpose(u64, usize, Granted),
}

/// Grants without disposal, then deliveries outside the term, then uses beyond the purpose; each by position.
pub fn page(view: &View<'_>) -> Page {
    let answer = purpose_and_term(&view.moment);
    let undisposed = answer.undisposed.into_iter().map(Beyond::Undisposed);
    let outside = answer.outside_term.into_iter().map(|(delivery, granted)| Beyond::OutsideTerm(delivery, granted));
    let off = answer.off_purpose.into_iter().map(|(report, place, granted)| Beyond::OffPurpose(report, place, granted));
    let found = undisposed.chain(outside).chain(off).collect();
    view.page(found, key, |beyond| line(view, beyond))
}

fn key(beyond: &Beyond) -> Key {
    match beyond {
        Beyond::Undisposed(granted) => [0, granted.grant, 0, 0, 0],
        Beyond::OutsideTerm(delivery, _) => [1, *delivery, 0, 0, 0],
        Beyond::OffPurpose(report, place, _) => [2, *report, u64::try_from(*place).unwrap_or(u64::MAX), 0, 0],
    }
}

fn line(view: &View<'_>, beyond: &Beyond) -> Line {
    match beyond {
        Beyond::Undisposed(granted) => parties(view, "undisposed", granted).id("record", granted.grant).time("time", granted.grant),
        Beyond::OutsideTerm(delivery, granted) => parties(view, "outside-term", granted)
            .id("record", *delivery)
            .time("time", *delivery)
            .member("dataset", *delivery)
            .member("batch", *delivery),
        Beyond::OffPurpose(report, place, granted) => {
            let place = *place;
            parties(view, "off-purpose", granted)
                .id("record", *report)
                .time("time", *report)
                .read("purpose", *report, move |leaf| leaf.nth("counts", place, "purpose"))
                .read("count", *report, move |leaf| leaf.nth("counts", place, "count"))
        }
    }
}

fn parties(view: &View<'_>, breach: &'static str, granted: &Granted) -> Line {
    Line::default()
        .put("breach", breach)
        .put("provider", view.agency_id(granted.provider))
        .put("requester", view.agency_id(granted.requester))
        .id("grant", granted.grant)
        .read("until", granted.grant, |leaf| leaf.body.get("term")?.get("to").cloned())
}
