//! A file as a table: columns by name, rows that fit them, everything else reported by line.

use std::io::{Read, Seek, SeekFrom};

use encoding_rs::Encoding;
use leadyard_types::FieldProblem;

use super::ImportError;
use super::rows::{BrokenRow, Row, Rows};
use super::text::{CHUNK_BYTES, FileFacts, Utf8Reader, scan};

/// What is known of a file beforehand; the rest is found out.
#[derive(Debug, Clone, Default)]
pub struct TableOptions {
    /// What separates columns.
    pub delimiter: Option<char>,
    /// How the text is written.
    pub encoding: Option<String>,
    /// The columns' names, for files without a line of headings.
    pub columns: Option<Vec<String>>,
}

/// An opened table.
pub struct Table<R> {
    /// What the file is.
    pub facts: FileFacts,
    /// The columns' names, trimmed.
    pub columns: Vec<String>,
    /// Whether the columns' names are names. In a file without headings they are somebody's data, which no message says.
    named: bool,
    rows: Rows<Utf8Reader<R>>,
}

impl<R: Read + Seek> Table<R> {
    /// Opens a file: one pass to find out what it is, then the headings.
    ///
    /// # Errors
    /// An unreadable or empty file, an unknown encoding.
    pub fn open(mut file: R, options: &TableOptions) -> Result<Self, ImportError> {
        let facts = scan(&mut file)?;
        file.seek(SeekFrom::Start(0))?;
        let encoding = match &options.encoding {
            Some(name) => Encoding::for_label(name.as_bytes()).ok_or_else(|| {
                let message = "an encoding such as utf-8, utf-16le or windows-1252 is expected";
                ImportError::misfit(vec![FieldProblem::new("encoding", "UNKNOWN_ENCODING", message)], &[])
            })?,
            None => facts.encoding,
        };
        let text = Utf8Reader::new(file, encoding);
        let mut rows = match options.delimiter {
            Some(delimiter) => Rows::new(text, one_byte(delimiter)?),
            None => Rows::sniffed(text)?,
        };
        let columns = match &options.columns {
            Some(columns) => columns.clone(),
            None => match rows.next_row()? {
                Some(Ok(row)) => row.values,
                Some(Err(broken)) => return Err(ImportError::Headings(broken)),
                None => return Err(ImportError::Empty),
            },
        };
        let columns = columns.iter().map(|name| name.trim().trim_start_matches('\u{feff}').to_owned()).collect();
        Ok(Self { facts: FileFacts { encoding, ..facts }, columns, named: true, rows })
    }

    /// The next row with as many values as there are columns, or what is wrong with the line; `None` at the end.
    ///
    /// # Errors
    /// What the file system says.
    pub fn next_row(&mut self) -> Result<Option<Result<Row, BrokenRow>>, ImportError> {
        let Some(row) = self.rows.next_row()? else { return Ok(None) };
        Ok(Some(row.and_then(|row| self.fitted(row))))
    }

    /// Says that the first line was a row: its values are never repeated in a message.
    pub(super) fn without_headings(&mut self) {
        self.named = false;
    }

    /// A row with exactly one value per column. Empty values too many at the end are a spreadsheet's habit and harmless.
    fn fitted(&self, mut row: Row) -> Result<Row, BrokenRow> {
        let columns = self.columns.len();
        while row.values.len() > columns && row.values.last().is_some_and(|value| value.trim().is_empty()) {
            row.values.pop();
        }
        let broken = |code, message| Err(BrokenRow { line: row.line, code, message });
        if row.values.len() != columns {
            return broken("WRONG_COLUMN_COUNT", self.wrong_count(row.values.len()));
        }
        if let Some(at) = row.values.iter().position(|value| value.contains('\u{fffd}')) {
            let message = format!("{} has characters that cannot be read; save the file as UTF-8", self.column(at));
            return broken("INVALID_ENCODING", message);
        }
        // PostgreSQL keeps no text with a zero byte; both databases take the same rows.
        if let Some(at) = row.values.iter().position(|value| value.contains('\0')) {
            let message =
                format!("{} has a zero byte in it; text without control characters is expected", self.column(at));
            return broken("CONTROL_CHARACTER", message);
        }
        Ok(row)
    }

    fn wrong_count(&self, values: usize) -> String {
        let columns = self.columns.len();
        let advice = match values < columns {
            true => format!("{} has no value", self.column(values)),
            false => format!("quote values that contain `{}`", self.delimiter().escape_default()),
        };
        let first = if self.named { "headings" } else { "values in the first line" };
        format!("as many values as there are {first} are expected, {columns}, not {values}: {advice}")
    }

    /// A column as a person finds it.
    fn column(&self, at: usize) -> String {
        match self.columns.get(at).filter(|name| self.named && !name.is_empty()) {
            Some(name) => format!("column {} (`{name}`)", at + 1),
            None => format!("column {}", at + 1),
        }
    }

    /// Where a column stands, by its name; upper and lower case are the same.
    #[must_use]
    pub fn position(&self, name: &str) -> Option<usize> {
        position(&self.columns, name)
    }

    /// How much of the file was read.
    pub fn read_bytes(&self) -> u64 {
        self.rows.text().read_bytes()
    }

    /// How many bytes are kept in memory at most, whatever the file's size.
    pub fn buffered_bytes(&self) -> usize {
        self.rows.buffered_bytes() + CHUNK_BYTES
    }

    /// What separates the columns.
    pub fn delimiter(&self) -> char {
        char::from(self.rows.delimiter())
    }
}

/// How many columns have a name: more than one, and nobody can say which is meant.
pub(super) fn namesakes(columns: &[String], name: &str) -> usize {
    let exact = columns.iter().filter(|column| *column == name).count();
    let folded = || columns.iter().filter(|column| column.to_lowercase() == name.trim().to_lowercase()).count();
    if exact > 0 { exact } else { folded() }
}

/// Where a column stands, by its name; upper and lower case are the same.
pub(super) fn position(columns: &[String], name: &str) -> Option<usize> {
    let exact = columns.iter().position(|column| column == name);
    exact.or_else(|| columns.iter().position(|column| column.to_lowercase() == name.trim().to_lowercase()))
}

fn one_byte(delimiter: char) -> Result<u8, ImportError> {
    let fit = u8::try_from(delimiter).ok().filter(|byte| byte.is_ascii() && !matches!(byte, b'"' | b'\n' | b'\r'));
    fit.ok_or_else(|| {
        let message = "one character such as , ; | or a tab is expected";
        ImportError::misfit(vec![FieldProblem::new("delimiter", "INVALID_DELIMITER", message)], &[])
    })
}
