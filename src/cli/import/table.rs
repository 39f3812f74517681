//! Reading CSV files: every fault has its line and column.

use std::path::{Path, PathBuf};

use crate::cli::failure::Failure;
use crate::core::json::Value;

/// A whole file is read at once; beyond this it is split by its owner.
const FILE_BYTES_MAX: u64 = 1 << 30;

/// A CSV file with its header.
#[derive(Debug)]
pub struct Table {
    pub path: PathBuf,
    pub columns: Vec<String>,
    pub rows: Vec<Row>,
    /// The line at which reading had to end or a row had to be left out, with its reason.
    pub faults: Vec<Fault>,
}

/// One row, as read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Line of the file at which it begins, from 1.
    pub line: u64,
    /// One for each column.
    pub cells: Vec<String>,
}

/// A row that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    pub line: u64,
    pub found: String,
    pub expected: String,
}

impl Table {
    /// Reads a file; broken rows become [`Table::faults`].
    ///
    /// # Errors
    /// [`Failure::Unreadable`] when the file or its header cannot be read.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let unreadable = |what: &dyn std::fmt::Display| Failure::Unreadable(format!("{}: {what}", path.display()));
        let size = std::fs::metadata(path).map_err(|error| unreadable(&error))?.len();
        if size > FILE_BYTES_MAX {
            return Err(unreadable(&format!("{size} bytes; expected at most {FILE_BYTES_MAX}")));
        }
        let bytes = std::fs::read(path).map_err(|error| unreadable(&error))?;
        Table::parse(path, &bytes)
    }

    /// # Errors
    /// As [`Table::read`].
    pub fn parse(path: &Path, bytes: &[u8]) -> Result<Self, Failure> {
        let unreadable = |what: String| Failure::Unreadable(format!("{}: {what}", path.display()));
        let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(bytes);
        let header = reader.byte_headers().map_err(|error| unreadable(error.to_string()))?.clone();
        let columns = decode(&header, |index| format!("column {}", index + 1))
            .map_err(|(_, found)| unreadable(format!("line 1: {found}; expected a header in UTF-8")))?;
        if columns.iter().all(String::is_empty) {
            return Err(unreadable("no header line".to_owned()));
        }
        if let Some(twice) = columns.iter().enumerate().find_map(|(index, name)| columns[..index].contains(name).then_some(name)) {
            return Err(unreadable(format!("line 1: column {twice} stands twice")));
        }
        let mut table = Table { path: path.to_owned(), columns, rows: Vec::new(), faults: Vec::new() };
        for record in reader.byte_records() {
            match record {
                Ok(record) => table.take(&record),
                Err(error) => {
                    let line = error.position().map_or(0, csv::Position::line);
                    table.faults.push(Fault { line, found: error.to_string(), expected: "a row of CSV".to_owned() });
                    break;
                }
            }
        }
        Ok(table)
    }

    /// Stands for a file that is no table: its entries are counted, and no row is read.
    pub fn of_entries(path: &Path) -> Self {
        Table { path: path.to_owned(), columns: Vec::new(), rows: Vec::new(), faults: Vec::new() }
    }

    /// What the numbers of this file count.
    pub fn unit(&self) -> &'static str {
        if self.columns.is_empty() { "entry" } else { "line" }
    }

    fn take(&mut self, record: &csv::ByteRecord) {
        let line = record.position().map_or(0, csv::Position::line);
        let cells = decode(record, |index| self.columns.get(index).cloned().unwrap_or_else(|| format!("number {}", index + 1)));
        let cells = match cells {
            Ok(cells) => cells,
            Err((column, found)) => {
                let expected = format!("UTF-8 in column {column}");
                self.faults.push(Fault { line, found, expected });
                return;
            }
        };
        if cells.len() != self.columns.len() {
            let edge = self.columns.get(cells.len()).map_or_else(
                || format!("more after column {}", self.columns.last().map_or("", String::as_str)),
                |missing| format!("none for column {missing}"),
            );
            let found = format!("{} cells, {edge}", cells.len());
            self.faults.push(Fault { line, found, expected: format!("{} cells", self.columns.len()) });
            return;
        }
        self.rows.push(Row { line, cells });
    }

    /// Where a column stands.
    ///
    /// # Errors
    /// [`Failure::Unreadable`], naming the column and those that there are.
    pub fn column(&self, name: &str) -> Result<usize, Failure> {
        self.columns.iter().position(|column| column == name).ok_or_else(|| {
            let there = self.columns.join(", ");
            Failure::Unreadable(format!("{}: line 1: no column {name}; there are {there}", self.path.display()))
        })
    }
}

/// The cells as text, or the name of the first column that is not UTF-8 and what was found.
fn decode(record: &csv::ByteRecord, name: impl Fn(usize) -> String) -> Result<Vec<String>, (String, String)> {
    let cell = |(index, bytes): (usize, &[u8])| match std::str::from_utf8(bytes) {
        Ok(text) => Ok(text.to_owned()),
        Err(error) => {
            let at = error.valid_up_to();
            let byte = bytes.get(at).copied().unwrap_or(0);
            Err((name(index), format!("byte {byte:#04x} that is not UTF-8 in {}, after {at} bytes of the cell", name(index))))
        }
    };
    record.iter().enumerate().map(cell).collect()
}

/// RFC 8785 text of a row: its columns to its cells as read, in UTF-16 order of the names.
pub fn row_jcs(columns: &[String], row: &Row) -> String {
    let mut members: Vec<_> = columns.iter().zip(&row.cells).collect();
    members.sort_by(|(a, _), (b, _)| a.encode_utf16().cmp(b.encode_utf16()));
    let quoted = |text: &String| Value::from(text.as_str()).to_jcs();
    let members: Vec<_> = members.iter().map(|(name, cell)| format!("{}:{}", quoted(name), quoted(cell))).collect();
    format!("{{{}}}", members.join(","))
}
