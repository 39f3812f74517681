//! The line x territory matrix of a period, for providers and for requesters, and the flow between them.
//!
//! An event counts where its agency belonged when the event was committed, a dataset where its provider belonged when it
//! published the newest version. Both tables count the same events, by provider and
//! by requester; adding them would count each twice.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::core::book::at::{AsOf, At};
use crate::core::book::facts::{AgencyNo, CodeNo, DatasetNo, Matched, Outcome, Pause, Request, Sort};
use crate::core::clocks::{Clock, Moment, Only, State, Wanted};
use crate::core::time::{Time, day_number_of};

/// Which matrix is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Included.
    pub from: Time,
    /// Not included.
    pub to: Time,
    /// Digits that a territory code is cut to: 12, 9, 6 or 4.
    pub digits: usize,
}

/// A cell's place. An agency without line or territory stands under the empty text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    pub line: String,
    pub territory: String,
}

/// The columns. Requests and what became of them are those filed in the period, promises those of answers in the period,
/// deliveries those committed in the period; what became of them is seen from the moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Datasets in the catalogue at the end of the period; the requester's side has none.
    pub catalogued: u64,
    pub requests: u64,
    pub answered: u64,
    pub on_time: u64,
    pub refused: u64,
    /// Working days from request to answer; of an even number the lower of the middle two. No sum.
    pub median_days: Option<u64>,
    /// Granted datasets.
    pub promised: u64,
    pub delivered: u64,
    pub matched: u64,
    pub corrections: u64,
    /// Requests of sort backflow.
    pub backflow: u64,
    /// Requests without an answer, and granted datasets without a delivery that nothing stopped.
    pub open: u64,
}

/// Deliveries between two lines, by how provider and requester stand to each other: the first that holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flow {
    pub same_territory: u64,
    /// To a territory that holds the provider's.
    pub up: u64,
    /// To a part of the provider's territory.
    pub down: u64,
    /// Between territories of which neither holds the other, along one line.
    pub same_line: u64,
    /// Likewise, across lines.
    pub diagonal: u64,
    /// One of both has no territory.
    pub outside: u64,
}

/// The answer to the question.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Matrix {
    pub providers: BTreeMap<Place, Counts>,
    pub requesters: BTreeMap<Place, Counts>,
    /// By provider's and requester's line.
    pub flows: BTreeMap<(String, String), Flow>,
}

pub fn matrix(moment: &Moment<'_>, frame: &Frame) -> Matrix {
    let mut tally = Tally {
        moment,
        frame,
        homes: Vec::new(),
        numbers: HashMap::new(),
        known: vec![None; moment.book.agencies.len()],
        tables: [Vec::new(), Vec::new()],
        flows: HashMap::new(),
    };
    tally.count_catalogue();
    tally.count_requests();
    tally.count_grants();
    tally.count_deliveries();
    let corrections = moment.book.corrections.iter().filter(|correction| tally.in_frame(correction.at));
    let corrections: Vec<_> = corrections.map(|correction| (correction.grant, correction.at)).collect();
    for (grant, at) in corrections {
        tally.both(moment.book.request_of(grant), at, |counts| counts.corrections += 1);
    }
    tally.into_matrix()
}

/// The two sides.
const PROVIDER: usize = 0;
const REQUESTER: usize = 1;

/// A line and a territory, as they stand in the book.
type Home<'a> = (&'a str, &'a str);

/// What belongs to one home on one side, in the making.
#[derive(Default)]
struct Row {
    counts: Counts,
    /// Of each answer, in working days.
    days: Vec<u64>,
}

struct Tally<'m, 'a> {
    moment: &'m Moment<'a>,
    frame: &'m Frame,
    homes: Vec<Home<'m>>,
    numbers: HashMap<Home<'m>, usize>,
    /// By agency: the membership that was asked for last, and the number of its home.
    known: Vec<Option<(At, usize)>>,
    /// By side, then number of the home.
    tables: [Vec<Row>; 2],
    /// Deliveries by the homes of provider and requester.
    flows: HashMap<(usize, usize), u64>,
}

impl<'m> Tally<'m, '_> {
    /// Whether something was committed in the period and is seen.
    fn in_frame(&self, at: At) -> bool {
        let ms = at.unix_ms();
        at.seen(self.moment.as_of) && self.frame.from.unix_ms() <= ms && ms < self.frame.to.unix_ms()
    }

    /// The number of the home of an agency just before a record.
    fn home(&mut self, agency: AgencyNo, at: At) -> usize {
        let book = self.moment.book;
        let membership = book.membership_at(agency, at);
        let since = membership.map_or(At::NEVER, |membership| membership.at);
        if let Some((_, home)) = self.known[agency.index()].filter(|(known, _)| *known == since) {
            return home;
        }
        let text = |code: Option<CodeNo>| code.map_or("", |code| book.code(code));
        let place = membership.map_or(("", ""), |membership| (text(membership.line), text(membership.territory)));
        let home = *self.numbers.entry(place).or_insert_with(|| {
            self.homes.push(place);
            self.tables.iter_mut().for_each(|table| table.push(Row::default()));
            self.homes.len() - 1
        });
        self.known[agency.index()] = Some((since, home));
        home
    }

    fn row(&mut self, side: usize, agency: AgencyNo, at: At) -> &mut Row {
        let home = self.home(agency, at);
        &mut self.tables[side][home]
    }

    /// Counts an event on both sides.
    fn both(&mut self, request: &Request, at: At, count: impl Fn(&mut Counts)) {
        count(&mut self.row(PROVIDER, request.provider, at).counts);
        count(&mut self.row(REQUESTER, request.requester, at).counts);
    }

    fn count_catalogue(&mut self) {
        let book = self.moment.book;
        let last = self.frame.to.unix_ms().saturating_sub(1).min(self.moment.as_of.time.unix_ms());
        let time = Time::from_unix_ms(last).unwrap_or(self.moment.as_of.time);
        let end = AsOf { time, ..self.moment.as_of };
        for (_, number) in book.datasets.iter().zip(0..).filter(|(dataset, _)| !dataset.retired.seen(end)) {
            if let Some(version) = book.version(DatasetNo(number), end) {
                self.row(PROVIDER, version.provider, version.at).counts.catalogued += 1;
            }
        }
    }

    fn count_requests(&mut self) {
        let moment = self.moment;
        let mut on_time = HashSet::new();
        let wanted = Wanted { debtor: None, clock: Some(Clock::Answer), only: Only::All };
        moment.obligations(&wanted, &mut |obligation| {
            if obligation.state == State::Met {
                on_time.insert(obligation.started.position());
            }
        });
        for request in &moment.book.requests {
            if !self.in_frame(request.at) {
                continue;
            }
            let answered = request.answer.seen(moment.as_of);
            let offset = moment.book.limits_at(request.at).utc_offset_minutes;
            let day = |at: At| day_number_of(at.unix_ms(), offset);
            let took = answered.then(|| moment.calendars.between_numbers(day(request.at), day(request.answer)));
            let met = answered && on_time.contains(&request.at.position());
            for (side, agency) in [(PROVIDER, request.provider), (REQUESTER, request.requester)] {
                let row = self.row(side, agency, request.at);
                row.days.extend(took);
                row.counts.requests += 1;
                row.counts.answered += u64::from(answered);
                row.counts.on_time += u64::from(met);
                row.counts.refused += u64::from(answered && request.outcome == Some(Outcome::Refuse));
                row.counts.backflow += u64::from(request.sort == Sort::Backflow);
                row.counts.open += u64::from(!answered && !request.withdrawn.seen(moment.as_of));
            }
        }
    }

    fn count_grants(&mut self) {
        let moment = self.moment;
        for grant in &moment.book.grants {
            if !self.in_frame(grant.at) {
                continue;
            }
            let cut = |pause: &Pause| pause.suspended.seen(moment.as_of) && !pause.resumed.seen(moment.as_of);
            let stopped = grant.ended.seen(moment.as_of) || grant.pauses.iter().any(cut);
            let items = moment.book.items_of(grant);
            let promised = u64::from(grant.count);
            let open = items.iter().filter(|item| !stopped && !item.delivered.seen(moment.as_of)).count();
            let open = u64::try_from(open).unwrap_or(promised);
            self.both(moment.book.request(grant.request), grant.at, |counts| {
                counts.promised += promised;
                counts.open += open;
            });
        }
    }

    fn count_deliveries(&mut self) {
        let moment = self.moment;
        for delivery in &moment.book.deliveries {
            if !self.in_frame(delivery.at) {
                continue;
            }
            let request = moment.book.request_of(moment.book.item(delivery.item).grant);
            let matched = u64::from(delivery.matched == Matched::Match && delivery.receipt.seen(moment.as_of));
            self.both(request, delivery.at, |counts| {
                counts.delivered += 1;
                counts.matched += matched;
            });
            let way = (self.home(request.provider, delivery.at), self.home(request.requester, delivery.at));
            *self.flows.entry(way).or_default() += 1;
        }
    }

    fn into_matrix(self) -> Matrix {
        let (homes, digits) = (self.homes, self.frame.digits);
        let cut = |territory: &str| territory.get(..digits).unwrap_or(territory).to_owned();
        let place = |(line, territory): Home<'_>| Place { line: line.to_owned(), territory: cut(territory) };
        let [providers, requesters] = self.tables.map(|table| {
            let mut cells: BTreeMap<Place, Row> = BTreeMap::new();
            for (home, row) in homes.iter().zip(table).filter(|(_, row)| row.counts != Counts::default()) {
                cells.entry(place(*home)).or_default().add(row);
            }
            cells.into_iter().map(|(place, row)| (place, row.into_counts())).collect()
        });
        let mut flows: BTreeMap<(String, String), Flow> = BTreeMap::new();
        for ((from, to), count) in self.flows {
            let (from, to) = (homes[from], homes[to]);
            flows.entry((from.0.to_owned(), to.0.to_owned())).or_default().add(from, to, count);
        }
        Matrix { providers, requesters, flows }
    }
}

impl Row {
    fn add(&mut self, other: Row) {
        let (sum, more) = (&mut self.counts, other.counts);
        sum.catalogued += more.catalogued;
        sum.requests += more.requests;
        sum.answered += more.answered;
        sum.on_time += more.on_time;
        sum.refused += more.refused;
        sum.promised += more.promised;
        sum.delivered += more.delivered;
        sum.matched += more.matched;
        sum.corrections += more.corrections;
        sum.backflow += more.backflow;
        sum.open += more.open;
        self.days.extend(other.days);
    }

    fn into_counts(mut self) -> Counts {
        let middle = self.days.len().saturating_sub(1) / 2;
        if !self.days.is_empty() {
            self.counts.median_days = Some(*self.days.select_nth_unstable(middle).1);
        }
        self.counts
    }
}

impl Flow {
    fn add(&mut self, from: Home<'_>, to: Home<'_>, count: u64) {
        let place = match (from.1, to.1) {
            ("", _) | (_, "") => &mut self.outside,
            (own, other) if own == other => &mut self.same_territory,
            (own, other) if own.starts_with(other) => &mut self.up,
            (own, other) if other.starts_with(own) => &mut self.down,
            _ if from.0 == to.0 => &mut self.same_line,
            _ => &mut self.diagonal,
        };
        *place += count;
    }
}
