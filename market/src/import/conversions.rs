//! Importing conversions: what became of leads that were sold, as buyers report it in a file.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::{Read, Seek};

use leadyard_entity::conversions::{NewConversion, SoldSale};
use leadyard_types::{ConversionKind, Currency, FieldProblem, LeadId, Principal, SourceId, Timestamp};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use serde::Serialize;

use super::mapping::{ConversionMapping, Mapping, Part};
use super::postal::may_set_up;
use super::refused::{Refused, RefusedRow};
use super::rows::{BrokenRow, Row};
use super::shape::{ConversionRow, ConversionShape, Reader};
use super::table::Table;
use super::{ImportError, Progress, finish, refuse};
use crate::market::Market;
use crate::snapshot::Snapshot;

/// Rows looked up and written together.
const ROWS_PER_TRANSACTION: usize = 512;

/// What came of an import. `rows` = `broken` + `not_sold` + `nothing` + `recorded` + `repeated`, but that a lead sold
/// to several buyers records several conversions.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ConversionSummary {
    /// Rows that are not blank.
    pub rows: u64,
    /// Rows that could not be used.
    pub broken: u64,
    /// Rows whose lead was not sold, or is not known.
    pub not_sold: u64,
    /// Rows that say nothing happened.
    pub nothing: u64,
    /// Conversions kept now.
    pub recorded: u64,
    /// By kind, known ones included.
    pub kinds: BTreeMap<String, u64>,
    /// Conversions known before.
    pub repeated: u64,
}

/// How a row names its lead.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum LeadKey {
    Lead(LeadId),
    External(String),
}

struct Import<'a> {
    market: &'a Market,
    principal: Principal,
    source_id: Option<SourceId>,
    lead_id: Option<Reader>,
    external_id: Option<Reader>,
    shape: ConversionShape,
    now: Timestamp,
    summary: ConversionSummary,
}

/// Imports conversions. With a mapping its `[conversion]` says where they stand; without one the headings are
/// `lead_id` or `external_id`, `kind`, and perhaps `value`, `date` and `buyer`. External ids are a source's own.
///
/// # Errors
/// A file or mapping that cannot be used, a store that fails, a caller who may not.
pub async fn import_conversions<R: Read + Seek>(
    market: &Market,
    principal: Principal,
    source_id: Option<SourceId>,
    mapping: Option<&Mapping>,
    file: R,
    refused: &mut dyn Refused,
    progress: &mut dyn Progress,
) -> Result<ConversionSummary, ImportError> {
    if !may_set_up(principal) {
        return Err(ImportError::Unknown("import for your role"));
    }
    let snapshot = market.refresh().await?;
    let plain = Mapping::default();
    let mapping = mapping.unwrap_or(&plain);
    let mut table = Table::open(file, &mapping.table_options())?;
    let mut import = compile(market, principal, source_id, mapping, &table.columns)?;
    let mut rows = Vec::with_capacity(ROWS_PER_TRANSACTION);
    while let Some(row) = table.next_row()? {
        import.summary.rows += 1;
        rows.push(row);
        if rows.len() == ROWS_PER_TRANSACTION {
            import.take(&snapshot, std::mem::take(&mut rows), refused).await?;
            progress.at(table.read_bytes(), table.facts.bytes, import.summary.rows);
        }
    }
    import.take(&snapshot, rows, refused).await?;
    finish(refused, progress, table.facts.bytes, import.summary.rows)?;
    Ok(import.summary)
}

fn compile<'a>(
    market: &'a Market,
    principal: Principal,
    source_id: Option<SourceId>,
    mapping: &Mapping,
    columns: &[String],
) -> Result<Import<'a>, ImportError> {
    let has = |name: &str| super::table::position(columns, name).is_some();
    let optional = |name: &str| has(name).then(|| Part::column(name));
    let plain = ConversionMapping {
        kind: Part::column("kind"),
        value: optional("value"),
        happened_at: optional("date"),
        buyer: optional("buyer"),
    };
    let shape = ConversionShape::compile(mapping, mapping.conversion.as_ref().unwrap_or(&plain), columns);
    let external = mapping.external_id.clone().or_else(|| optional("external_id"));
    let reader = |key: &str, part: Option<Part>| {
        let compiled = part.map(|part| Reader::compile(key, &part, columns)).transpose();
        compiled.map_err(|problem| ImportError::misfit(vec![problem], columns))
    };
    let import = Import {
        market,
        principal,
        source_id,
        lead_id: reader("lead_id", optional("lead_id"))?,
        external_id: reader("external_id", external)?,
        shape: shape.map_err(|problems| ImportError::misfit(problems, columns))?,
        now: market.clock().now(),
        summary: ConversionSummary::default(),
    };
    if import.lead_id.is_none() && import.external_id.is_none() {
        let message = "a column `lead_id` or `external_id`, or a mapping with `external_id`, is expected";
        return Err(ImportError::misfit(vec![FieldProblem::new("external_id", "REQUIRED", message)], columns));
    }
    if import.lead_id.is_none() && source_id.is_none() {
        let message = "external ids are a source's own: name the source with --source";
        return Err(ImportError::misfit(vec![FieldProblem::new("source", "REQUIRED", message)], &[]));
    }
    Ok(import)
}

/// A row that says something.
struct Reported {
    line: u64,
    key: LeadKey,
    kind: ConversionKind,
    said: ConversionRow,
}

impl Import<'_> {
    /// Looks the leads of some rows up and keeps what the rows say, in one transaction.
    async fn take(
        &mut self,
        snapshot: &Snapshot,
        rows: Vec<Result<Row, BrokenRow>>,
        refused: &mut dyn Refused,
    ) -> Result<(), ImportError> {
        let (mut reported, mut wrong) = (Vec::with_capacity(rows.len()), Vec::new());
        for row in rows {
            match row.map(|row| (row.line, self.reported(&row))) {
                Ok((_, Ok(Some(row)))) => reported.push(row),
                Ok((_, Ok(None))) => self.summary.nothing += 1,
                Ok((line, Err(problem))) => wrong.push(RefusedRow::format(line, vec![problem])),
                Err(broken) => wrong.push(broken.into()),
            }
        }
        let sales = self.sales(&reported).await?;
        let mut conversions = Vec::with_capacity(reported.len());
        for row in reported {
            let Some(sold) = sales.get(&row.key) else {
                self.summary.not_sold += 1;
                continue;
            };
            match self.conversions(snapshot, &row, sold) {
                Ok(found) => conversions.extend(found),
                Err(problem) => wrong.push(RefusedRow::format(row.line, vec![problem])),
            }
        }
        wrong.sort_by_key(|row| row.line);
        for row in &wrong {
            self.summary.broken += 1;
            refuse(refused, row)?;
        }
        for conversion in &conversions {
            *self.summary.kinds.entry(conversion.kind.as_str().to_owned()).or_insert(0) += 1;
        }
        if conversions.is_empty() {
            return Ok(());
        }
        let write = self.market.store.write(self.principal).await?;
        let recorded = write.add_conversions(&conversions).await?;
        let _ = write.commit().await?;
        self.summary.recorded += recorded;
        self.summary.repeated += conversions.len() as u64 - recorded;
        Ok(())
    }

    fn reported(&self, row: &Row) -> Result<Option<Reported>, FieldProblem> {
        let said = self.shape.read(&row.values)?;
        let Some(kind) = &said.kind else { return Ok(None) };
        let kind = kind.trim().to_uppercase().parse().map_err(|_| {
            let message = "CONTACTED, QUOTED, WON or LOST is expected";
            FieldProblem::new("conversion.kind", "NOT_ALLOWED", message)
        })?;
        let read = |reader: &Option<Reader>| match reader {
            Some(reader) => reader.read(&row.values, self.shape.common()),
            None => Ok(None),
        };
        let key = match (read(&self.lead_id)?, read(&self.external_id)?) {
            (Some(id), _) => LeadKey::Lead(id.parse().map_err(|_| {
                FieldProblem::new("lead_id", "INVALID_ID", "the lead's id as its sender was told is expected")
            })?),
            (None, Some(id)) => LeadKey::External(id),
            (None, None) => {
                return Err(FieldProblem::new(
                    "external_id",
                    "REQUIRED",
                    "the row does not say which lead it is about",
                ));
            }
        };
        Ok(Some(Reported { line: row.line, key, kind, said }))
    }

    async fn sales(&self, reported: &[Reported]) -> Result<HashMap<LeadKey, Vec<SoldSale>>, ImportError> {
        let (mut leads, mut externals) = (BTreeSet::new(), BTreeSet::new());
        for row in reported {
            match &row.key {
                LeadKey::Lead(id) => drop(leads.insert(*id)),
                LeadKey::External(id) => drop(externals.insert(id.clone())),
            }
        }
        let read = self.market.store.read(self.principal);
        let mut sales: HashMap<LeadKey, Vec<SoldSale>> = HashMap::new();
        for sale in read.sold_sales(&leads).await? {
            sales.entry(LeadKey::Lead(sale.lead_id)).or_default().push(sale);
        }
        let Some(source) = self.source_id else { return Ok(sales) };
        for sale in read.sold_sales_by_external_id(source, &externals).await? {
            let Some(id) = sale.external_id.clone() else { continue };
            sales.entry(LeadKey::External(id)).or_default().push(sale);
        }
        Ok(sales)
    }

    /// One conversion for each sale the row is about: the named buyer's, or every buyer's.
    fn conversions(
        &self,
        snapshot: &Snapshot,
        row: &Reported,
        sold: &[SoldSale],
    ) -> Result<Vec<NewConversion>, FieldProblem> {
        let said = &row.said;
        if said.happened_at.is_some_and(|moment| moment > self.now) {
            let message = "a moment in the past is expected";
            return Err(FieldProblem::new("conversion.happened_at", "IN_FUTURE", message));
        }
        let is_named = |sale: &&SoldSale| match &said.buyer {
            None => true,
            Some(buyer) => {
                let name = snapshot.buyers.get(&sale.buyer_id).map(|buyer| buyer.name.as_str());
                name.is_some_and(|name| name.eq_ignore_ascii_case(buyer)) || sale.buyer_id.to_string() == *buyer
            }
        };
        let sales: Vec<&SoldSale> = sold.iter().filter(is_named).collect();
        if sales.is_empty() {
            return Err(FieldProblem::new("conversion.buyer", "UNKNOWN_BUYER", "this buyer did not buy the lead"));
        }
        sales
            .into_iter()
            .map(|sale| {
                let currency =
                    snapshot.campaigns.get(&sale.campaign_id).map_or(Currency::EUR, |campaign| campaign.currency);
                Ok(NewConversion {
                    sale_id: sale.sale_id,
                    lead_id: sale.lead_id,
                    buyer_id: sale.buyer_id,
                    kind: row.kind,
                    value_minor: said.value.as_deref().map(|text| minor(text, currency)).transpose()?,
                    happened_at: said.happened_at.unwrap_or(self.now),
                })
            })
            .collect()
    }
}

/// An amount as people write it, in minor units.
pub(super) fn minor(text: &str, currency: Currency) -> Result<i64, FieldProblem> {
    let digits = currency.minor_digits();
    let plain = match (text.rfind(','), text.rfind('.')) {
        (Some(comma), Some(point)) if comma > point => text.replace('.', "").replace(',', "."),
        (Some(_), Some(_)) => text.replace(',', ""),
        (Some(_), None) => text.replace(',', "."),
        _ => text.to_owned(),
    };
    let amount = Decimal::from_str_exact(plain.trim()).ok().filter(|amount| amount.normalize().scale() <= digits);
    let minor = amount.and_then(|amount| amount.checked_mul(Decimal::from(10_i64.pow(digits)))?.to_i64());
    minor.filter(|minor| *minor >= 0).ok_or_else(|| {
        let message = format!("an amount of {currency} with at most {digits} decimals is expected");
        FieldProblem::new("amount", "INVALID_AMOUNT", message)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Amounts in both habits; nothing is rounded away.
    #[test]
    fn amounts_are_exact() {
        for (text, wanted) in [
            ("12.50", Some(1250)),
            ("12,5", Some(1250)),
            ("1.234,56", Some(123_456)),
            ("1,234.56", Some(123_456)),
            ("7", Some(700)),
            ("0", Some(0)),
            ("1.005", None),
            ("-1", None),
            ("x", None),
            ("", None),
            ("99999999999999999999", None),
        ] {
            assert_eq!(minor(text, Currency::EUR).ok(), wanted, "{text}");
        }
    }
}
