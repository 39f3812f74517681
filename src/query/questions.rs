//! The ten questions of DOMAIN.md as JSON values, lines for tables and CSV, and calendar feeds. (The sixth, the chain of a record,
//! is [`crate::query::chain`].)
//!
//! 1. The book of the node is caught up with its head; the question's moment is laid over it.
//! 2. The pure function of [`crate::core::questions`] answers; its lines are put in order, and those of the page are taken.
//! 3. The book is let go. Ids, titles and other texts are read from the leaves that these lines name.
//!
//! What is proven: nothing by itself. Every text and id comes from a leaf that was checked against this node's tree; which
//! records an answer is made of, and every day, count and state, is computed by this node from its index of them, so each
//! answer says `"source":"index"`. Who doubts a line asks for the evidence of the records that it names, checks that offline,
//! and counts the days; who doubts that lines are missing asks another node at the same `as_of`: at the same position all
//! nodes give the same bytes.

mod asked;
mod basis;
mod burden;
mod feed;
mod health;
mod lines;
mod matrix;
mod promises;
mod public_view;
mod purpose;
mod table;
mod work;

use crate::core::clocks::Moment;
use crate::core::json::{Value, object};
use crate::core::refusal::{Code, Refusal};
use crate::core::rules;
use crate::limits::LIST_MAX;
use crate::query::QueryError;
use crate::query::book::BookKeeper;
use crate::query::questions::asked::Place;
use crate::query::questions::lines::{Leaves, Page};
use crate::store::Reader;

pub use asked::{Asked, Cursor};
pub use feed::feed;
pub use table::{cells, csv};

/// A question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// What an agency owes, and by when.
    Todo,
    /// Who is late.
    Overdue,
    /// Refusals without basis.
    Refusals,
    /// Promises that are not kept.
    Promises,
    /// Purpose and term.
    Terms,
    /// Health of the catalogue.
    Catalogue,
    /// What a territory is asked for again, and what came back.
    Burden,
    /// Who gives what to whom, by what law.
    Public,
    /// Lines and territories.
    Matrix,
    /// What an agency owed and was owed in a period.
    Obligations,
}

impl Question {
    pub const ALL: [Question; 10] = [
        Question::Todo,
        Question::Overdue,
        Question::Refusals,
        Question::Promises,
        Question::Terms,
        Question::Catalogue,
        Question::Burden,
        Question::Public,
        Question::Matrix,
        Question::Obligations,
    ];

    /// Its path below `/api/v1/`, and the name of its list in cursors.
    pub fn path(self) -> &'static str {
        match self {
            Question::Todo => "todo",
            Question::Overdue => "overdue",
            Question::Refusals => "refusals",
            Question::Promises => "promises",
            Question::Terms => "terms",
            Question::Catalogue => "catalogue/check",
            Question::Burden => "burden",
            Question::Public => "public",
            Question::Matrix => "matrix",
            Question::Obligations => "obligations",
        }
    }

    /// The parameters that it takes.
    pub fn parameters(self) -> &'static [&'static str] {
        match self {
            Question::Todo => &["agency", "as_of", "after", "limit"],
            Question::Overdue => &["agency", "clock", "line", "territory", "as_of", "after", "limit"],
            Question::Refusals | Question::Promises | Question::Terms | Question::Catalogue => &["as_of", "after", "limit"],
            Question::Burden => &["territory", "as_of", "after", "limit"],
            Question::Public => &["agency", "dataset", "as_of", "after", "limit"],
            Question::Matrix => &["from", "to", "territory", "digits", "as_of"],
            Question::Obligations => &["agency", "from", "to", "state", "as_of", "after", "limit"],
        }
    }

    /// The members of its lines, as tables and CSV show them.
    pub fn columns(self) -> &'static [&'static str] {
        match self {
            Question::Todo | Question::Overdue | Question::Obligations => work::COLUMNS,
            Question::Refusals => basis::COLUMNS,
            Question::Promises => promises::COLUMNS,
            Question::Terms => purpose::COLUMNS,
            Question::Catalogue => health::COLUMNS,
            Question::Burden => burden::COLUMNS,
            Question::Public => public_view::COLUMNS,
            Question::Matrix => matrix::COLUMNS,
        }
    }
}

/// A question at its moment.
struct View<'a> {
    moment: Moment<'a>,
    asked: &'a Asked,
    /// The agency that is asked about, as spelled on the ledger.
    agency: Option<String>,
    after: Option<lines::Key>,
    origin: &'a str,
    question: Question,
}

/// The answer to a question. Blocks on the store and on whoever is catching the book up.
///
/// # Errors
/// `query-invalid`, `cursor-invalid`, `not-found` for an agency that is not on the ledger, `syncing` for the cursor of a node that
/// is ahead, and those of the store.
pub fn answer(question: Question, keeper: &BookKeeper, reader: &Reader, asked: &Asked) -> Result<Value, QueryError> {
    let agency = asked.agency.as_deref().map(|id| spelled(reader, id)).transpose()?;
    let (place, page) = {
        let book = keeper.caught_up()?;
        let place = Place::of(question, reader, asked, &book)?;
        let moment = Moment::new(&book, place.as_of);
        let genesis = reader.genesis();
        let view = View { moment, asked, agency, after: place.after, origin: &genesis.origin, question };
        let page = match question {
            Question::Todo => work::todo(&view)?,
            Question::Overdue => work::overdue(&view)?,
            Question::Refusals => basis::page(&view),
            Question::Promises => promises::page(&view),
            Question::Terms => purpose::page(&view),
            Question::Catalogue => health::page(&view),
            Question::Burden => burden::page(&view)?,
            Question::Public => public_view::page(&view),
            Question::Obligations => work::obligations(&view, place.offset_minutes)?,
            Question::Matrix => return Ok(with_head(matrix::answer(&view, place.offset_minutes)?, place.head(reader, &view.moment)?)),
        };
        let head = place.head(reader, &view.moment)?;
        (head, page)
    };
    let Page { lines, next } = page;
    let mut leaves = Leaves::new(reader);
    let items = lines.into_iter().map(|line| leaves.fill(line)).collect::<Result<Vec<_>, _>>()?;
    let next = next.map(|next| ("next".to_owned(), Value::from(next)));
    Ok(with_head(object([("items", Value::Array(items))]), place.into_iter().chain(next)))
}

/// The open obligations of one agency with their due days, for a calendar: at most as many as the longest page has.
///
/// # Errors
/// As [`answer`].
pub fn dated(question: Question, keeper: &BookKeeper, reader: &Reader, mut asked: Asked) -> Result<Value, QueryError> {
    if asked.agency.is_none() {
        return Err(missing("agency"));
    }
    asked.limit = Some(LIST_MAX);
    answer(question, keeper, reader, &asked)
}

fn with_head(mut answer: Value, head: impl IntoIterator<Item = (String, Value)>) -> Value {
    if let Value::Object(members) = &mut answer {
        members.extend(head);
    }
    answer
}

/// An agency's id as the ledger spells it.
fn spelled(reader: &Reader, id: &str) -> Result<String, QueryError> {
    let state = rules::agency(reader, id).ok_or_else(|| QueryError::not_found(id, "the id of an agency on the ledger"))?;
    Ok(state.id)
}

fn missing(name: &str) -> QueryError {
    Refusal::new(Code::QueryInvalid, format!("no {name}"), format!("{name}=<value>")).into()
}
