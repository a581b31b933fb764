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
                ImportError::Mapping(vec![FieldProblem::new("encoding", "UNKNOWN_ENCODING", message)])
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
        Ok(Self { facts: FileFacts { encoding, ..facts }, columns, rows })
    }

    /// The next row with as many values as there are columns, or what is wrong with the line; `None` at the end.
    ///
    /// # Errors
    /// What the file system says.
    pub fn next_row(&mut self) -> Result<Option<Result<Row, BrokenRow>>, ImportError> {
        let Some(row) = self.rows.next_row()? else { return Ok(None) };
        Ok(Some(row.and_then(|row| fitted(row, self.columns.len()))))
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

/// Where a column stands, by its name; upper and lower case are the same.
pub(super) fn position(columns: &[String], name: &str) -> Option<usize> {
    let exact = columns.iter().position(|column| column == name);
    exact.or_else(|| columns.iter().position(|column| column.to_lowercase() == name.trim().to_lowercase()))
}

fn one_byte(delimiter: char) -> Result<u8, ImportError> {
    let fit = u8::try_from(delimiter).ok().filter(|byte| byte.is_ascii() && !matches!(byte, b'"' | b'\n' | b'\r'));
    fit.ok_or_else(|| {
        let message = "one character such as , ; | or a tab is expected";
        ImportError::Mapping(vec![FieldProblem::new("delimiter", "INVALID_DELIMITER", message)])
    })
}

/// A row with exactly one value per column. Empty values too many at the end are a spreadsheet's habit and harmless.
fn fitted(mut row: Row, columns: usize) -> Result<Row, BrokenRow> {
    while row.values.len() > columns && row.values.last().is_some_and(|value| value.trim().is_empty()) {
        row.values.pop();
    }
    if row.values.len() != columns {
        let message = "as many values as there are headings are expected";
        return Err(BrokenRow { line: row.line, code: "WRONG_COLUMN_COUNT", message });
    }
    if row.values.iter().any(|value| value.contains('\u{fffd}')) {
        let message = "some characters cannot be read; save the file as UTF-8";
        return Err(BrokenRow { line: row.line, code: "INVALID_ENCODING", message });
    }
    Ok(row)
}
