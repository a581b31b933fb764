//! Importing postal codes: GeoNames' own format (twelve columns, no headings) and the table with seven headed columns.

use std::collections::BTreeMap;
use std::io::{Read, Seek};

use leadyard_entity::Store;
use leadyard_entity::model::postal_code;
use leadyard_types::{FieldProblem, Principal, Role};
use serde::Serialize;

use super::refused::{Refused, RefusedRow};
use super::table::{Table, TableOptions};
use super::{ImportError, Progress, finish, refuse};
use crate::rules::facts::{Centre, PostalPlace};
use crate::rules::postal::PostalTable;

/// Codes written by one transaction: few enough that leads never wait long for it.
const CODES_PER_TRANSACTION: usize = 4_000;
/// The headings of the seven-column table.
const HEADINGS: [&str; 7] = ["country", "postal_code", "place", "state", "state_code", "latitude", "longitude"];
/// Which columns of GeoNames' twelve these are.
const GEONAMES: [usize; 7] = [0, 1, 2, 3, 4, 9, 10];
/// How many columns GeoNames writes.
const GEONAMES_COLUMNS: usize = 12;

/// What came of an import.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct PostalSummary {
    /// Rows that are not blank.
    pub rows: u64,
    /// Rows that could not be used.
    pub broken: u64,
    /// Different codes written.
    pub codes: u64,
    /// Codes per country.
    pub countries: BTreeMap<String, u64>,
}

/// Rows of one code, being averaged.
struct Gathered {
    place: String,
    state: String,
    state_code: String,
    latitude: f64,
    longitude: f64,
    rows: u32,
}

/// Imports postal codes. Several rows of a code become its middle; what was known of a code is replaced.
///
/// # Errors
/// A file that cannot be used, a store that fails, a caller who may not.
pub async fn import_postal_codes<R: Read + Seek>(
    store: &Store,
    principal: Principal,
    file: R,
    refused: &mut dyn Refused,
    progress: &mut dyn Progress,
) -> Result<PostalSummary, ImportError> {
    if !may_set_up(principal) {
        return Err(ImportError::Unknown("import for your role"));
    }
    let mut summary = PostalSummary::default();
    let codes = gather(file, &mut summary, refused, progress)?;
    for (country, _) in codes.keys() {
        *summary.countries.entry(country.clone()).or_insert(0) += 1;
    }
    summary.codes = codes.len() as u64;
    let mut rows = codes.into_iter().map(|((country, code), gathered)| row(country, code, gathered)).peekable();
    while rows.peek().is_some() {
        let write = store.write(principal).await?;
        write.upsert_postal_codes(rows.by_ref().take(CODES_PER_TRANSACTION).collect()).await?;
        let _ = write.commit().await?;
    }
    let write = store.write(principal).await?;
    write.touch_postal_codes().await?;
    let detail = serde_json::json!({ "codes": summary.codes, "countries": summary.countries });
    write.audit("import", "postal_code", None, &detail).await?;
    let _ = write.commit().await?;
    Ok(summary)
}

/// Staff who run the market, and the administrator of the machine.
pub(super) fn may_set_up(principal: Principal) -> bool {
    matches!(principal, Principal::System(_) | Principal::Staff { role: Role::Admin | Role::Manager, .. })
}

type Codes = BTreeMap<(String, String), Gathered>;

fn gather<R: Read + Seek>(
    file: R,
    summary: &mut PostalSummary,
    refused: &mut dyn Refused,
    progress: &mut dyn Progress,
) -> Result<Codes, ImportError> {
    let mut table = Table::open(file, &TableOptions { delimiter: Some('\t'), ..TableOptions::default() })?;
    let mut codes = Codes::new();
    let columns = columns(&table)?;
    if table.columns.len() == GEONAMES_COLUMNS {
        // No headings: the first line is a row already.
        table.without_headings();
        let first = table.columns.clone();
        take(1, &first, &columns, &mut codes, summary, refused)?;
    }
    while let Some(row) = table.next_row()? {
        match row {
            Ok(row) => take(row.line, &row.values, &columns, &mut codes, summary, refused)?,
            Err(broken) => {
                summary.rows += 1;
                summary.broken += 1;
                refuse(refused, &broken.into())?;
            }
        }
        if summary.rows.is_multiple_of(1_024) {
            progress.at(table.read_bytes(), table.facts.bytes, summary.rows);
        }
    }
    finish(refused, progress, table.facts.bytes, summary.rows)?;
    Ok(codes)
}

/// Where the seven values stand.
fn columns<R: Read + Seek>(table: &Table<R>) -> Result<[usize; 7], ImportError> {
    if table.columns.len() == GEONAMES_COLUMNS && table.position("postal_code").is_none() {
        return Ok(GEONAMES);
    }
    let mut found = [0; 7];
    for (place, heading) in found.iter_mut().zip(HEADINGS) {
        *place = table.position(heading).ok_or_else(|| {
            let message = format!(
                "GeoNames' twelve columns, or headings {} separated by tabs, are expected",
                HEADINGS.join(", ")
            );
            ImportError::misfit(vec![FieldProblem::new(heading, "UNKNOWN_COLUMN", message)], &[])
        })?;
    }
    Ok(found)
}

fn take(
    line: u64,
    values: &[String],
    columns: &[usize; 7],
    codes: &mut Codes,
    summary: &mut PostalSummary,
    refused: &mut dyn Refused,
) -> Result<(), ImportError> {
    summary.rows += 1;
    let get = |at: usize| values.get(at).map_or("", |value| value.trim());
    let [country, code, place, state, state_code, latitude, longitude] = columns.map(get);
    let degrees = |text: &str| text.parse::<f64>().unwrap_or(f64::NAN);
    let centre = Centre { latitude: degrees(latitude), longitude: degrees(longitude) };
    let known = PostalPlace { centre, state_code: String::new(), state: String::new() };
    // The table that routes by these codes says which it can keep.
    if !PostalTable::default().insert(country, code, &known) {
        summary.broken += 1;
        let message = "a country of two letters, a code, and a latitude and longitude in degrees are expected";
        let problem = FieldProblem::new("", "INVALID_POSTAL_CODE", message);
        return refuse(refused, &RefusedRow::format(line, vec![problem]));
    }
    let gathered = codes.entry((country.to_uppercase(), code.to_uppercase())).or_insert_with(|| Gathered {
        place: place.to_owned(),
        state: state.to_owned(),
        state_code: state_code.to_owned(),
        latitude: 0.0,
        longitude: 0.0,
        rows: 0,
    });
    gathered.add(centre);
    Ok(())
}

impl Gathered {
    fn add(&mut self, centre: Centre) {
        // A code on both sides of the date line: the same turn around the globe as its first row.
        let first = if self.rows == 0 { centre.longitude } else { self.longitude / f64::from(self.rows) };
        let turn = 360.0 * ((first - centre.longitude) / 360.0).round();
        self.latitude += centre.latitude;
        self.longitude += centre.longitude + turn;
        self.rows += 1;
    }
}

fn row(country: String, code: String, gathered: Gathered) -> postal_code::Model {
    let rows = f64::from(gathered.rows.max(1));
    let longitude = gathered.longitude / rows;
    postal_code::Model {
        country,
        code,
        place: gathered.place,
        state: gathered.state,
        state_code: gathered.state_code,
        latitude: gathered.latitude / rows,
        longitude: longitude - 360.0 * (longitude / 360.0).round(),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn gathered(text: &str) -> (Vec<postal_code::Model>, PostalSummary, Vec<RefusedRow>) {
        let (mut summary, mut refused) = (PostalSummary::default(), Vec::new());
        let codes = gather(Cursor::new(text.as_bytes()), &mut summary, &mut refused, &mut ()).unwrap();
        (codes.into_iter().map(|((country, code), it)| row(country, code, it)).collect(), summary, refused)
    }

    /// Both formats give the same codes; several rows of a code become its middle.
    #[test]
    fn both_formats_are_read() {
        let headed = "country\tpostal_code\tplace\tstate\tstate_code\tlatitude\tlongitude\nDE\t01067\tDresden\tSachsen\tSN\t51.0\t13.7\nDE\t01067\tAltstadt\tSachsen\tSN\t51.2\t13.9\n";
        let geonames = "DE\t01067\tDresden\tSachsen\tSN\t\t\t\t\t51.0\t13.7\t4\nDE\t01067\tAltstadt\tSachsen\tSN\t\t\t\t\t51.2\t13.9\t4\n";
        let (codes, summary, refused) = gathered(headed);
        assert_eq!((codes.len(), summary.rows, refused.len()), (1, 2, 0));
        assert!((codes[0].latitude - 51.1).abs() < 1e-9 && (codes[0].longitude - 13.8).abs() < 1e-9);
        assert_eq!((codes[0].place.as_str(), codes[0].state_code.as_str()), ("Dresden", "SN"));
        assert_eq!(gathered(geonames).0, codes);
    }

    /// Rows that cannot be right are named; the rest is taken.
    #[test]
    fn wrong_rows_are_named() {
        let text = "DE\t01067\tA\t\t\t\t\t\t\t51.0\t13.7\t4\nDE\t\tA\t\t\t\t\t\t\t51.0\t13.7\t4\nDE\t1\tA\t\t\t\t\t\t\tx\t13.7\t4\nDE\t1\n";
        let (codes, summary, refused) = gathered(text);
        assert_eq!((codes.len(), summary.rows, summary.broken), (1, 4, 3));
        assert_eq!(refused.iter().map(|row| row.line).collect::<Vec<_>>(), [2, 3, 4]);
    }

    /// The middle of a code across the date line lies there, not in Africa.
    #[test]
    fn the_date_line_is_no_border() {
        let text = "FJ\t1\tA\t\t\t\t\t\t\t-17\t179.5\t4\nFJ\t1\tB\t\t\t\t\t\t\t-17\t-179.9\t4\n";
        let (codes, ..) = gathered(text);
        assert!((codes[0].longitude - 179.8).abs() < 1e-9, "{}", codes[0].longitude);
    }
}
