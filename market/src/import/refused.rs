//! The file of refused rows: which line, which check, what would be right. It never repeats what a row said beyond the
//! supplier's own id.

use std::io::{self, Write};

use leadyard_types::FieldProblem;

use super::rows::BrokenRow;

/// A row that was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedRow {
    /// The line it begins on.
    pub line: u64,
    /// The check that refused it, or `FORMAT` for a row that could not be read.
    pub check: String,
    /// What was wrong.
    pub problems: Vec<FieldProblem>,
    /// The supplier's own id, where the row has one.
    pub external_id: Option<String>,
    /// The stored lead, where there is one.
    pub lead_id: Option<String>,
}

impl RefusedRow {
    /// A row that is wrong in itself.
    #[must_use]
    pub fn format(line: u64, problems: Vec<FieldProblem>) -> Self {
        Self { line, check: "FORMAT".to_owned(), problems, external_id: None, lead_id: None }
    }
}

impl std::convert::From<BrokenRow> for RefusedRow {
    fn from(broken: BrokenRow) -> Self {
        Self::format(broken.line, vec![FieldProblem::new("", broken.code, broken.message)])
    }
}

/// Where refused rows go.
pub trait Refused {
    /// Takes one.
    ///
    /// # Errors
    /// What the file system says.
    fn refuse(&mut self, row: &RefusedRow) -> io::Result<()>;

    /// Sees to it that what was taken is where it belongs. An import ends with it.
    ///
    /// # Errors
    /// What the file system says: a full disk is noticed here at the latest.
    fn finish(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Refused rows that nobody asked for.
impl Refused for () {
    fn refuse(&mut self, _: &RefusedRow) -> io::Result<()> {
        Ok(())
    }
}

impl Refused for Vec<RefusedRow> {
    fn refuse(&mut self, row: &RefusedRow) -> io::Result<()> {
        self.push(row.clone());
        Ok(())
    }
}

/// Refused rows as a CSV file.
pub struct RefusedFile<W: Write>(csv::Writer<W>);

impl<W: Write> RefusedFile<W> {
    /// Begins the file with its headings.
    ///
    /// # Errors
    /// What the file system says.
    pub fn begin(file: W) -> io::Result<Self> {
        let mut writer = csv::Writer::from_writer(file);
        writer.write_record(["line", "check", "codes", "reasons", "external_id", "lead_id"]).map_err(io_error)?;
        Ok(Self(writer))
    }
}

impl<W: Write> Refused for RefusedFile<W> {
    fn refuse(&mut self, row: &RefusedRow) -> io::Result<()> {
        let joined = |parts: Vec<String>| parts.join("; ");
        let record = [
            row.line.to_string(),
            row.check.clone(),
            joined(row.problems.iter().map(FieldProblem::named).collect()),
            joined(row.problems.iter().map(|problem| problem.message.clone()).collect()),
            row.external_id.clone().unwrap_or_default(),
            row.lead_id.clone().unwrap_or_default(),
        ];
        self.0.write_record(record.iter().map(|cell| harmless(cell))).map_err(io_error)
    }

    fn finish(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

fn io_error(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        other => io::Error::other(format!("{other:?}")),
    }
}

/// A cell that no spreadsheet takes for a formula.
#[must_use]
pub fn harmless(cell: &str) -> String {
    if cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']) {
        format!("'{cell}")
    } else {
        cell.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What suppliers put into their ids is never a formula in a spreadsheet.
    #[test]
    fn cells_are_no_formulas() {
        let mut bytes = Vec::new();
        let mut file = RefusedFile::begin(&mut bytes).unwrap();
        let problems =
            vec![FieldProblem::new("email", "REQUIRED", "send email"), FieldProblem::new("", "X", "a \"b\"")];
        let row = RefusedRow { external_id: Some("=HYPERLINK(\"x\",1)".into()), ..RefusedRow::format(7, problems) };
        file.refuse(&row).unwrap();
        file.finish().unwrap();
        drop(file);
        assert_eq!(
            String::from_utf8(bytes).unwrap(),
            "line,check,codes,reasons,external_id,lead_id\n\
             7,FORMAT,email: REQUIRED; X,\"send email; a \"\"b\"\"\",\"'=HYPERLINK(\"\"x\"\",1)\",\n"
        );
        for cell in ["=1", "+1", "-1", "@a", "\t=1", "\r=1"] {
            assert!(harmless(cell).starts_with('\''), "{cell:?}");
        }
        assert_eq!(harmless("a=1"), "a=1");
    }
}
