//! Rows of a delimited text file, one at a time, in bounded memory. A broken row is named by its number and costs only
//! its own line: an open quote does not swallow the rest of the file.

use std::io::{self, Read};

/// The longest row taken: as much as the lead door takes.
pub const ROW_BYTES_MAX: usize = 64 * 1024;
/// The most columns taken.
pub const COLUMNS_MAX: usize = 1_000;
/// What separates columns, in the order of preference.
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];
/// How many rows decide about the delimiter.
const SNIFFED_ROWS: usize = 20;

/// A row and the number of the line it begins on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// 1 = the first line of the file.
    pub line: u64,
    /// The values, unquoted, otherwise as written.
    pub values: Vec<String>,
}

/// A line that is no row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokenRow {
    /// Its number.
    pub line: u64,
    /// A stable code.
    pub code: &'static str,
    /// What would be right.
    pub message: String,
}

const TOO_LONG: (&str, &str) =
    ("ROW_TOO_LONG", "a row of at most 64 KiB is expected; perhaps a quotation mark is not closed");
const OPEN_QUOTE: (&str, &str) = ("OPEN_QUOTE", "the quotation mark that begins a value must be closed");
const TEXT_AFTER_QUOTE: (&str, &str) =
    ("TEXT_AFTER_QUOTE", "after a quoted value the delimiter is expected; write quotation marks in it twice");
const TOO_MANY_COLUMNS: (&str, &str) = ("TOO_MANY_COLUMNS", "at most 1000 columns are expected");

/// The rows of a text in UTF-8.
pub struct Rows<R> {
    text: R,
    delimiter: u8,
    buffer: Vec<u8>,
    /// Where the next row begins in the buffer.
    start: usize,
    ended: bool,
    line: u64,
}

impl<R: Read> Rows<R> {
    /// Reads rows whose delimiter is known.
    pub fn new(text: R, delimiter: u8) -> Self {
        Self { text, delimiter, buffer: Vec::new(), start: 0, ended: false, line: 1 }
    }

    /// Reads rows, finding the delimiter out by the first of them (or by a line `sep=;`, as spreadsheets write it).
    ///
    /// # Errors
    /// What the file system says.
    pub fn sniffed(text: R) -> io::Result<Self> {
        let mut rows = Self::new(text, b',');
        while rows.buffer.len() < ROW_BYTES_MAX && !rows.ended {
            rows.fill()?;
        }
        if let [b's' | b'S', b'e' | b'E', b'p' | b'P', b'=', delimiter, b'\r' | b'\n', ..] = rows.buffer.as_slice()
            && DELIMITERS.contains(delimiter)
        {
            rows.delimiter = *delimiter;
            rows.skip_line()?;
        } else {
            rows.delimiter = sniff(&rows.buffer, rows.ended);
        }
        Ok(rows)
    }

    /// What separates the columns.
    pub fn delimiter(&self) -> u8 {
        self.delimiter
    }

    /// The text that is read.
    pub fn text(&self) -> &R {
        &self.text
    }

    /// How many bytes are kept in memory.
    pub fn buffered_bytes(&self) -> usize {
        self.buffer.len()
    }

    /// The next row that is not blank, or what is wrong with the line; `None` at the end.
    ///
    /// # Errors
    /// What the file system says.
    pub fn next_row(&mut self) -> io::Result<Option<Result<Row, BrokenRow>>> {
        loop {
            if self.peek(0)?.is_none() {
                return Ok(None);
            }
            match self.scan()? {
                Ok(row) if row.values.iter().all(|value| value.trim().is_empty()) => {}
                Ok(row) => return Ok(Some(Ok(row))),
                Err((code, message)) => {
                    let broken = BrokenRow { line: self.line, code, message: message.to_owned() };
                    self.skip_line()?;
                    return Ok(Some(Err(broken)));
                }
            }
        }
    }

    /// Takes one row off the buffer; where it is broken, nothing is taken.
    fn scan(&mut self) -> io::Result<Result<Row, (&'static str, &'static str)>> {
        let (mut values, mut value) = (Vec::new(), Vec::new());
        let (mut at, mut lines) = (0, 0);
        let mut state = State::Begin;
        loop {
            if at > ROW_BYTES_MAX {
                return Ok(Err(TOO_LONG));
            }
            let byte = self.peek(at)?;
            at += 1;
            let ends_line = matches!(byte, None | Some(b'\n' | b'\r'));
            match (state, byte) {
                (State::Quoted, None) => return Ok(Err(OPEN_QUOTE)),
                (State::Quoted, Some(b'"')) => state = State::Closed,
                (State::Quoted, Some(byte)) => {
                    lines += u64::from(byte == b'\n' || (byte == b'\r' && self.peek(at)? != Some(b'\n')));
                    value.push(byte);
                }
                (State::Closed, Some(b'"')) => {
                    value.push(b'"');
                    state = State::Quoted;
                }
                (State::Begin, Some(b'"')) => state = State::Quoted,
                _ if ends_line || byte == Some(self.delimiter) => {
                    values.push(text(std::mem::take(&mut value)));
                    if values.len() > COLUMNS_MAX {
                        return Ok(Err(TOO_MANY_COLUMNS));
                    }
                    state = State::Begin;
                    if ends_line {
                        break;
                    }
                }
                (State::Closed, Some(b' ' | b'\t')) => {}
                (State::Closed, _) => return Ok(Err(TEXT_AFTER_QUOTE)),
                (State::Begin | State::Plain, Some(byte)) => {
                    value.push(byte);
                    state = State::Plain;
                }
                (State::Begin | State::Plain, None) => break,
            }
        }
        let row = Row { line: self.line, values };
        self.line += lines;
        self.take_line(at - 1)?;
        Ok(Ok(row))
    }

    /// The byte at a distance from the row's beginning.
    fn peek(&mut self, distance: usize) -> io::Result<Option<u8>> {
        loop {
            if let Some(byte) = self.buffer.get(self.start + distance) {
                return Ok(Some(*byte));
            }
            if self.ended {
                return Ok(None);
            }
            self.fill()?;
        }
    }

    /// Reads more, dropping what was taken.
    fn fill(&mut self) -> io::Result<()> {
        self.buffer.drain(..self.start);
        self.start = 0;
        let filled = self.buffer.len();
        self.buffer.resize(filled + super::text::CHUNK_BYTES, 0);
        let read = loop {
            match self.text.read(self.buffer.get_mut(filled..).unwrap_or_default()) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => break other?,
            }
        };
        self.buffer.truncate(filled + read);
        self.ended = read == 0;
        Ok(())
    }

    /// Takes everything up to the line end at a distance, and the line end itself.
    fn take_line(&mut self, end: usize) -> io::Result<()> {
        let pair = self.peek(end)? == Some(b'\r') && self.peek(end + 1)? == Some(b'\n');
        self.start = (self.start + end + if pair { 2 } else { 1 }).min(self.buffer.len());
        self.line += 1;
        Ok(())
    }

    /// Skips one line of the file, however long it is.
    fn skip_line(&mut self) -> io::Result<()> {
        let mut at = 0;
        loop {
            match self.peek(at)? {
                None | Some(b'\n' | b'\r') => return self.take_line(at),
                Some(_) => at += 1,
            }
            if at > ROW_BYTES_MAX {
                self.start += at;
                at = 0;
            }
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum State {
    /// At the beginning of a value.
    Begin,
    /// In a value without quotation marks; one within it is an ordinary character (`5" pipe`).
    Plain,
    /// Between quotation marks.
    Quoted,
    /// After a quotation mark in a quoted value: its end, or the first of two.
    Closed,
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

/// The delimiter under which most rows have as many columns as the first; of equals, the one with more columns.
fn sniff(sample: &[u8], whole: bool) -> u8 {
    let mut best = (0, 1, b',');
    for delimiter in DELIMITERS {
        let mut rows = Rows::new(sample, delimiter);
        let (mut columns, mut alike) = (0, 0);
        for _ in 0..SNIFFED_ROWS {
            let Ok(Some(row)) = rows.next_row() else { break };
            // The sample's last row may be cut off.
            if !whole && rows.start >= rows.buffer.len() {
                break;
            }
            let Ok(row) = row else { continue };
            if columns == 0 {
                columns = row.values.len();
            }
            alike += usize::from(row.values.len() == columns);
        }
        if columns > 1 && (alike, columns) > (best.0, best.1) {
            best = (alike, columns, delimiter);
        }
    }
    best.2
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[allow(clippy::type_complexity, reason = "spelt out, a row or what broke it")]
    fn all<R: Read>(mut rows: Rows<R>) -> Vec<Result<(u64, Vec<String>), (u64, &'static str)>> {
        let mut found = Vec::new();
        while let Some(row) = rows.next_row().unwrap() {
            found.push(row.map(|row| (row.line, row.values)).map_err(|broken| (broken.line, broken.code)));
        }
        found
    }

    #[allow(clippy::type_complexity, reason = "spelt out, a row or what broke it")]
    fn of(text: &str) -> Vec<Result<(u64, Vec<String>), (u64, &'static str)>> {
        all(Rows::sniffed(text.as_bytes()).unwrap())
    }

    fn row(line: u64, values: &[&str]) -> Result<(u64, Vec<String>), (u64, &'static str)> {
        Ok((line, values.iter().map(|value| (*value).to_owned()).collect()))
    }

    /// Quotes, doubled quotes, line breaks in values, every line end, blank lines, a last line without an end.
    #[test]
    fn rows_are_read_as_they_are_written() {
        assert_eq!(of("a,b\n1,2"), [row(1, &["a", "b"]), row(2, &["1", "2"])]);
        assert_eq!(of("a;b\r\n\"x;\"\"y\"\"\"; z\r\n"), [row(1, &["a", "b"]), row(2, &["x;\"y\"", " z"])]);
        assert_eq!(of("a\tb\r\"1\n2\"\t\r3\t4"), [row(1, &["a", "b"]), row(2, &["1\n2", ""]), row(4, &["3", "4"])]);
        assert_eq!(of("a|b\n\n  \n1|5\" pipe\n"), [row(1, &["a", "b"]), row(4, &["1", "5\" pipe"])]);
        assert_eq!(of("\"a\" ,b\n1,2,3\n4\n"), [row(1, &["a", "b"]), row(2, &["1", "2", "3"]), row(3, &["4"])]);
        assert_eq!(of("sep=;\r\na,x;b\r\n"), [row(2, &["a,x", "b"])]);
        assert_eq!(of("alone\nx\n"), [row(1, &["alone"]), row(2, &["x"])]);
        assert_eq!(of(""), []);
        assert_eq!(of("\n\n"), []);
    }

    /// The delimiter is the one that fits the rows, not the commonest character.
    #[test]
    fn the_delimiter_is_found_out() {
        assert_eq!(Rows::sniffed("name;text\na;x, y, z\nb;1,5\n".as_bytes()).unwrap().delimiter(), b';');
        assert_eq!(Rows::sniffed("name,price\na,\"1;2\"\nb,3\n".as_bytes()).unwrap().delimiter(), b',');
        assert_eq!(Rows::sniffed("a\tb,c\td\n1\t2\t3\n".as_bytes()).unwrap().delimiter(), b'\t');
        let long = format!("a;b\n{}", "1,2;3\n".repeat(50_000));
        assert_eq!(Rows::sniffed(long.as_bytes()).unwrap().delimiter(), b';');
    }

    /// A broken row costs its own line, never the file, and is named by its number.
    #[test]
    fn a_broken_row_costs_one_line() {
        assert_eq!(
            of("a,b\n1,\"open\n2,x\n3,y\n"),
            [row(1, &["a", "b"]), Err((2, "OPEN_QUOTE")), row(3, &["2", "x"]), row(4, &["3", "y"])]
        );
        assert_eq!(
            of("a,b\n1,\"x\"y\n2,z\n"),
            [row(1, &["a", "b"]), Err((2, "TEXT_AFTER_QUOTE")), row(3, &["2", "z"])]
        );
        let text = format!("a,b\n1,\"{}\n2,x\n", "y\n".repeat(60_000));
        let found = of(&text);
        assert_eq!(
            (found.len(), &found[1], found.last()),
            (60_002, &Err((2, "ROW_TOO_LONG")), Some(&row(60_003, &["2", "x"])))
        );
        let text = format!("a,b\n{}\n2,x\n", "z".repeat(300_000));
        assert_eq!(of(&text), [row(1, &["a", "b"]), Err((2, "ROW_TOO_LONG")), row(3, &["2", "x"])]);
        let text = format!("a,b\n{}\n2,x\n", ",".repeat(2_000));
        assert_eq!(of(&text)[1], Err((2, "TOO_MANY_COLUMNS")));
    }

    /// A hundred thousand rows never take more memory than a few pieces.
    #[test]
    fn memory_stays_constant() {
        struct Endless(u64);
        impl Read for Endless {
            fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
                let mut written = 0;
                let line = b"0123456789,\"quoted, value\",x\n";
                while self.0 > 0 && out.len() - written >= line.len() {
                    out[written..written + line.len()].copy_from_slice(line);
                    written += line.len();
                    self.0 -= 1;
                }
                Ok(written)
            }
        }
        let mut rows = Rows::sniffed(Endless(100_000)).unwrap();
        let (mut count, mut most) = (0, 0);
        while let Some(row) = rows.next_row().unwrap() {
            assert_eq!(row.unwrap().values.len(), 3);
            count += 1;
            most = most.max(rows.buffered_bytes());
        }
        assert_eq!(count, 100_000);
        assert!(most <= 4 * super::super::text::CHUNK_BYTES, "{most}");
    }

    proptest! {
        /// Whatever the bytes, every line is accounted for once and nothing panics.
        #[test]
        fn any_bytes_end(bytes in proptest::collection::vec(prop_oneof![Just(b'"'), Just(b','), Just(b'\n'), Just(b'\r'), any::<u8>()], 0..400)) {
            let text = String::from_utf8_lossy(&bytes).into_owned();
            let mut last = 0;
            for row in of(&text) {
                let line = row.map_or_else(|(line, _)| line, |(line, _)| line);
                prop_assert!(line > last);
                last = line;
            }
        }

        /// What is quoted by the rules comes back as it was.
        #[test]
        fn quoted_values_come_back(values in proptest::collection::vec("[a-z,;\"\n\r ]{0,12}", 2..6)) {
            prop_assume!(values.iter().any(|value| !value.trim().is_empty()));
            let line = values.iter().map(|value| format!("\"{}\"", value.replace('"', "\"\""))).collect::<Vec<_>>().join(",");
            let found = all(Rows::new(line.as_bytes(), b','));
            prop_assert_eq!(found, vec![Ok((1, values))]);
        }
    }
}
