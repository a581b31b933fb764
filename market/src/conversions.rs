//! Conversions as buyers report them: what became of the leads they bought. Staff reports on a buyer's behalf. Files of
//! them are imported by `import`; the store keeps each kind once per sale for both.

use std::collections::HashMap;

use leadyard_entity::StoreError;
use leadyard_entity::conversions::NewConversion;
use leadyard_entity::model::{conversion, sale};
use leadyard_types::{
    BuyerId, ConversionKind, FieldProblem, LeadId, Principal, Role, SaleId, SaleState, SystemTask, Timestamp,
};
use serde_json::json;
use uuid::Uuid;

use crate::market::Market;

/// The most that are reported at once: what fits a request, and one short transaction.
pub const REPORTED_MAX: usize = 100;
/// More than a lead is worth to anybody, in minor units.
const VALUE_MINOR_MAX: i64 = 1_000_000_000_000;

/// Why nothing was kept.
#[derive(Debug, thiserror::Error)]
pub enum ConversionError {
    /// Buyers report, and administrators and managers on their behalf.
    #[error("only buyers, administrators and managers report conversions")]
    NotAllowed,
    /// The input is wrong; every problem is named with its place. A sale that the caller may not see is told like one that
    /// does not exist.
    #[error("{}", .0.iter().map(|problem| problem.message.as_str()).collect::<Vec<_>>().join("; "))]
    Problems(Vec<FieldProblem>),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What became of a lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReportedConversion {
    /// The sale it is about.
    pub sale_id: SaleId,
    /// What happened.
    pub kind: ConversionKind,
    /// What it was worth to the buyer, minor units of the sale's currency.
    pub value_minor: Option<i64>,
    /// When; `None` is now.
    pub happened_at: Option<Timestamp>,
}

/// What came of a report.
#[derive(Debug, Clone, Default)]
pub struct Reported {
    /// The conversions as they are kept, each once, in the order of the report. One known before is as it was told first.
    pub conversions: Vec<conversion::Model>,
    /// How many were not known before.
    pub new: u64,
}

impl Market {
    /// Keeps what a buyer reports: all of it, or nothing if one cannot be kept. What was told before changes nothing.
    ///
    /// # Errors
    /// A caller who may not, conversions that cannot be kept (each is named by its place), a store that fails.
    pub async fn report_conversions(
        &self,
        principal: Principal,
        reported: &[ReportedConversion],
    ) -> Result<Reported, ConversionError> {
        if !reports(principal) {
            return Err(ConversionError::NotAllowed);
        }
        if !(1..=REPORTED_MAX).contains(&reported.len()) {
            let message = format!("1 to {REPORTED_MAX} conversions are expected");
            return Err(ConversionError::Problems(vec![FieldProblem::new("conversions", "OUT_OF_RANGE", message)]));
        }
        let ids: Vec<Uuid> = reported.iter().map(|conversion| conversion.sale_id.0).collect();
        // What is sold stays sold: nothing needs to be locked for it.
        let sales = self.store().read(principal).by_ids::<sale::Entity>(&ids).await?;
        let now = self.clock().now();
        let new = checked(reported, &sales, now).map_err(ConversionError::Problems)?;
        let write = self.store().write(principal).await?;
        let added = write.add_conversions(&new).await?;
        if added > 0 {
            let sales: Vec<SaleId> = new.iter().map(|conversion| conversion.sale_id).collect();
            write.audit("report", "conversion", None, &json!({ "new": added, "sales": sales })).await?;
        }
        let _ = write.commit().await?;
        Ok(Reported { conversions: self.kept(principal, &new).await?, new: added })
    }

    /// The conversions as they are kept.
    async fn kept(
        &self,
        principal: Principal,
        reported: &[NewConversion],
    ) -> Result<Vec<conversion::Model>, ConversionError> {
        let sales: Vec<Uuid> = reported.iter().map(|conversion| conversion.sale_id.0).collect();
        let kept = self.store().read(principal).conversions_of_sales(&sales).await?;
        let mut kept: HashMap<(Uuid, String), conversion::Model> =
            kept.into_values().flatten().map(|row| ((row.sale_id, row.kind.clone()), row)).collect();
        let told = |conversion: &NewConversion| (conversion.sale_id.0, conversion.kind.as_str().to_owned());
        Ok(reported.iter().filter_map(|conversion| kept.remove(&told(conversion))).collect())
    }
}

/// Who reports: a buyer what it bought, staff who run the market anything.
const fn reports(principal: Principal) -> bool {
    matches!(
        principal,
        Principal::Buyer { .. }
            | Principal::Staff { role: Role::Admin | Role::Manager, .. }
            | Principal::System(SystemTask::Operate)
    )
}

/// What is kept of a report, or every problem it has. `sales` are those the caller sees.
fn checked(
    reported: &[ReportedConversion],
    sales: &HashMap<Uuid, sale::Model>,
    now: Timestamp,
) -> Result<Vec<NewConversion>, Vec<FieldProblem>> {
    let (mut new, mut problems) = (Vec::with_capacity(reported.len()), Vec::new());
    for (place, conversion) in reported.iter().enumerate() {
        let mut problem = |field: &str, code: &'static str, message: &str| {
            problems.push(FieldProblem::new(format!("conversions.{place}.{field}"), code, message));
        };
        if conversion.value_minor.is_some_and(|value| !(0..VALUE_MINOR_MAX).contains(&value)) {
            problem("value_minor", "OUT_OF_RANGE", "zero to less than a trillion minor units are expected");
        }
        if conversion.happened_at.is_some_and(|moment| moment > now) {
            problem("happened_at", "IN_FUTURE", "a moment in the past is expected");
        }
        match sales.get(&conversion.sale_id.0) {
            None => problem("sale_id", "NOT_FOUND", "there is no such sale"),
            Some(sale) if sale.state != SaleState::Sold.as_str() => {
                problem("sale_id", "NOT_SOLD", "only what was sold and charged is reported about");
            }
            Some(sale) => new.push(NewConversion {
                sale_id: conversion.sale_id,
                lead_id: LeadId(sale.lead_id),
                buyer_id: BuyerId(sale.buyer_id),
                kind: conversion.kind,
                value_minor: conversion.value_minor,
                happened_at: conversion.happened_at.unwrap_or(now),
            }),
        }
    }
    if problems.is_empty() { Ok(new) } else { Err(problems) }
}
