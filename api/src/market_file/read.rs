//! Text to document. Whatever cannot be read is named with its line, all at once.

use std::collections::BTreeMap;

use leadyard_market::configuration::{Document, Entry, Fields, Noun, Problem, Problems};
use serde_json::{Number, Value};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Reads a document.
pub fn parse(text: &str) -> Result<Document, Problems> {
    let lines = Lines::of(text);
    let (root, errors) = DeTable::parse_recoverable(text);
    let syntax = errors.iter().map(|error| {
        let line = error.span().map(|span| lines.at(span.start));
        problem(line, "", "SYNTAX", format!("this is not TOML: {}", error.message()))
    });
    let problems = syntax.collect();
    let mut reader = Reader { lines, problems, document: Document::default() };
    if reader.problems.is_empty() {
        reader.root(root.get_ref());
    }
    if reader.problems.is_empty() {
        reader.document.entries.sort_by_key(|entry| entry.line);
        return Ok(reader.document);
    }
    reader.problems.sort_by_key(|problem| problem.line);
    Err(Problems(reader.problems))
}

fn problem(line: Option<usize>, field: &str, code: &str, message: String) -> Problem {
    Problem { line, at: String::new(), field: field.to_owned(), code: code.to_owned(), message }
}

/// Where the lines of a text begin.
struct Lines(Vec<usize>);

impl Lines {
    fn of(text: &str) -> Self {
        let ends = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
        Self(std::iter::once(0).chain(ends).collect())
    }

    /// The line of a byte, from 1.
    fn at(&self, byte: usize) -> usize {
        self.0.partition_point(|begin| *begin <= byte)
    }
}

struct Reader {
    lines: Lines,
    problems: Vec<Problem>,
    document: Document,
}

impl Reader {
    fn root(&mut self, root: &DeTable<'_>) {
        for (key, value) in root.iter() {
            let (name, line) = (key.get_ref().as_ref(), self.lines.at(key.span().start));
            let Ok(noun) = name.parse::<Noun>() else {
                let nouns: Vec<String> = Noun::ALL.iter().map(|noun| format!("[[{noun}]]")).collect();
                let message = format!("there is no table `{name}`; there is: {}", nouns.join(", "));
                self.problems.push(problem(Some(line), name, "UNKNOWN_TABLE", message));
                continue;
            };
            let items = match value.get_ref() {
                DeValue::Array(items) => items.iter().collect(),
                _ => Vec::new(),
            };
            let tables: Vec<_> =
                items.iter().filter_map(|item| Some((item.span(), item.get_ref().as_table()?))).collect();
            if tables.is_empty() || tables.len() != items.len() {
                let message = format!("each {noun} is a table of its own: write [[{noun}]]");
                self.problems.push(problem(Some(line), name, "WRONG_TYPE", message));
                continue;
            }
            for (span, table) in tables {
                let line = self.lines.at(span.start);
                self.entry(noun, line, table);
            }
        }
    }

    fn entry(&mut self, noun: Noun, line: usize, table: &DeTable<'_>) {
        let mut entry = Entry { noun, line, fields: Fields::new(), lines: BTreeMap::new() };
        for (key, value) in table.iter() {
            let name = key.get_ref().as_ref();
            entry.lines.insert(name.to_owned(), self.lines.at(key.span().start));
            let value = self.value(name, value, &mut entry.lines);
            entry.fields.insert(name.to_owned(), value);
        }
        self.document.entries.push(entry);
    }

    fn value(&mut self, path: &str, value: &Spanned<DeValue<'_>>, lines: &mut BTreeMap<String, usize>) -> Value {
        let line = self.lines.at(value.span().start);
        let mut refused = |code: &str, message: &str| {
            self.problems.push(problem(Some(line), path, code, message.to_owned()));
            Value::Null
        };
        match value.get_ref() {
            DeValue::String(text) => Value::String(text.to_string()),
            DeValue::Boolean(truth) => Value::Bool(*truth),
            DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
                Ok(number) => Value::from(number),
                Err(_) => refused("OUT_OF_RANGE", "a whole number of at most 63 bits is expected"),
            },
            DeValue::Float(number) => match number.as_str().parse().ok().and_then(Number::from_f64) {
                Some(number) => Value::Number(number),
                None => refused("OUT_OF_RANGE", "a finite number is expected"),
            },
            DeValue::Datetime(_) => refused("WRONG_TYPE", "a date is written as text, for example \"2026-11-21\""),
            DeValue::Array(items) => {
                let mut read = Vec::with_capacity(items.len());
                for (at, item) in items.iter().enumerate() {
                    let path = format!("{path}.{at}");
                    lines.insert(path.clone(), self.lines.at(item.span().start));
                    read.push(self.value(&path, item, lines));
                }
                Value::Array(read)
            }
            DeValue::Table(items) => {
                let mut read = Fields::new();
                for (key, item) in items.iter() {
                    let path = format!("{path}.{}", key.get_ref());
                    lines.insert(path.clone(), self.lines.at(key.span().start));
                    let item = self.value(&path, item, lines);
                    read.insert(key.get_ref().to_string(), item);
                }
                Value::Object(read)
            }
        }
    }
}
