//! The arithmetic of due days, from plain values: admission and the clocks count by the same function. Days are day numbers
//! ([`Day::number`](crate::core::time::Day::number)).

use crate::core::working_days::WorkingDays;

/// The end of an obligation's time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// So many working days after the start.
    Days(u64),
    /// Likewise, or the promised day if that is earlier.
    Promised { days: u64, promised: i32 },
    /// So many working days after another day than the start, such as a named one.
    After { day: i32, days: u64 },
    /// None as long as a supplement is asked for and not given.
    Paused,
}

/// A due day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DueDay {
    pub day: i32,
    /// A day after the start and up to it lies in a year without a calendar.
    pub provisional: bool,
}

/// The days on which a supplement was asked for and given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Supplement {
    pub asked: i32,
    pub given: Option<i32>,
}

/// The due day of a limit; none while paused.
pub fn due(calendars: &WorkingDays, start: i32, limit: Limit) -> Option<DueDay> {
    let day = match limit {
        Limit::Paused => return None,
        Limit::Days(days) => calendars.due_number(start, days),
        Limit::Promised { days, promised } => calendars.due_number(start, days).min(promised),
        Limit::After { day, days } => calendars.due_number(day, days),
    };
    Some(DueDay { day, provisional: calendars.is_provisional(start, day) })
}

/// The limit of an answer of `days`, extensions included. Where the policy in force at the request pauses on a supplement: one
/// asked for up to the due day stops the count until it is given, after which the working days that were left begin; one asked
/// for later pauses nothing.
pub fn answer_limit(calendars: &WorkingDays, start: i32, days: u64, supplement: Option<Supplement>) -> Limit {
    match supplement.filter(|supplement| supplement.asked <= calendars.due_number(start, days)) {
        None => Limit::Days(days),
        Some(Supplement { given: None, .. }) => Limit::Paused,
        Some(Supplement { asked, given: Some(day) }) => {
            Limit::After { day, days: days.saturating_sub(calendars.between_numbers(start, asked)) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::time::Day;

    fn number(text: &str) -> i32 {
        Day::parse(text).unwrap().number()
    }

    #[test]
    fn the_days_left_at_the_asking_begin_after_the_giving() {
        let calendars = WorkingDays::default();
        // A Monday; no day is off.
        let start = number("2026-03-02");
        let limit = |asked: &str, given: Option<&str>| {
            answer_limit(&calendars, start, 5, Some(Supplement { asked: number(asked), given: given.map(number) }))
        };
        assert_eq!(answer_limit(&calendars, start, 5, None), Limit::Days(5));
        assert_eq!(limit("2026-03-09", None), Limit::Paused);
        assert_eq!(limit("2026-03-10", None), Limit::Days(5), "after the due day");
        let left = limit("2026-03-04", Some("2026-03-20"));
        assert_eq!(left, Limit::After { day: number("2026-03-20"), days: 3 });
        assert_eq!(due(&calendars, start, left), Some(DueDay { day: number("2026-03-25"), provisional: true }));
        assert_eq!(due(&calendars, start, limit("2026-03-09", Some("2026-03-14"))).unwrap().day, number("2026-03-14"));
        assert_eq!(due(&calendars, start, Limit::Paused), None);
        let promised = Limit::Promised { days: 5, promised: number("2026-03-05") };
        assert_eq!(due(&calendars, start, promised).unwrap().day, number("2026-03-05"));
    }
}
