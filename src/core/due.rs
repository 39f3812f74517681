//! The due day of one clock, from plain values: the arithmetic that admission rests on.
//!
//! The rule is DOMAIN's: a limit counts working days after the start day; an extension adds to it; a supplement that is
//! asked for on the due day or before stops the count until it is given.

use crate::core::time::Day;
use crate::core::working_days::{Due, WorkingDays};

/// A running clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    pub start: Day,
    /// Working days.
    pub days: u64,
    /// Working days of extension.
    pub extended: u64,
    /// The day that an order names, in place of `days`.
    pub named: Option<Day>,
    pub pause: Option<Pause>,
}

/// A supplement: the day it was asked for, and the day it was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pause {
    pub asked: Day,
    pub given: Option<Day>,
}

impl Limit {
    /// None while the clock stands still.
    pub fn due(&self, calendars: &WorkingDays) -> Option<Due> {
        let (from, days) = match self.named {
            Some(day) => (day, self.extended),
            None => (self.start, self.days.saturating_add(self.extended)),
        };
        let counted = calendars.named(self.start, calendars.due(from, days).day);
        match self.pause {
            Some(Pause { asked, given }) if asked <= counted.day => {
                let left = days.saturating_sub(calendars.between(self.start, asked));
                Some(calendars.named(self.start, calendars.due(given?, left).day))
            }
            _ => Some(counted),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_keeps_the_days_that_were_left() {
        let day = |text| Day::parse(text).unwrap();
        // Monday 2025-09-01; weekends alone are off.
        let calendars = WorkingDays::default();
        let limit = Limit { start: day("2025-09-01"), days: 10, extended: 0, named: None, pause: None };
        let due = |limit: Limit| limit.due(&calendars).map(|due| due.day);
        assert_eq!(due(limit), Some(day("2025-09-15")));
        let asked = day("2025-09-04");
        assert_eq!(due(Limit { pause: Some(Pause { asked, given: None }), ..limit }), None);
        let given = Some(day("2025-09-08"));
        assert_eq!(due(Limit { pause: Some(Pause { asked, given }), ..limit }), Some(day("2025-09-17")));
        assert_eq!(due(Limit { pause: Some(Pause { asked, given }), extended: 5, ..limit }), Some(day("2025-09-24")));
        let late = Some(Pause { asked: day("2025-09-16"), given: None });
        assert_eq!(due(Limit { pause: late, ..limit }), Some(day("2025-09-15")));
        assert_eq!(due(Limit { named: Some(day("2025-09-05")), extended: 1, ..limit }), Some(day("2025-09-08")));
    }
}
