//! What the supplier of a shared lead earns. A fixed amount per sold lead is paid once (`decisions` 16): with the first of
//! the lead's sales that stands, whichever the placement reckoned with. Everything else is as the placement wrote it.

use super::DecisionData;
use crate::rules::promise::SupplierShare;
use leadyard_entity::model::sale;
use leadyard_entity::{StoreError, StoreResult, Write};
use leadyard_types::{CostModel, LeadId, SaleId, SaleState, SourceTerms};

/// What a sale that is just accepted earns, minor units.
pub(super) async fn by(write: &Write, sale: &sale::Model) -> StoreResult<i64> {
    let Some(legs) = paid_once(write, sale).await? else { return Ok(sale.payout_minor) };
    let others = || legs.iter().filter(|leg| leg.id != sale.id);
    let earned = others().any(|leg| stands(leg) && leg.payout_minor > 0);
    let payout_minor = if earned { 0 } else { amount(&legs) };
    write.set_payout(SaleId(sale.id), payout_minor).await?;
    Ok(payout_minor)
}

/// The sale that earns the amount in place of one that was let go, and the amount: where another one stands already and
/// none has earned it.
pub(super) async fn instead_of(write: &Write, sale: &sale::Model) -> StoreResult<Option<(sale::Model, i64)>> {
    let Some(legs) = paid_once(write, sale).await? else { return Ok(None) };
    let payout_minor = amount(&legs);
    let mut standing = legs.into_iter().filter(stands).peekable();
    let Some(first) = standing.peek().cloned() else { return Ok(None) };
    if payout_minor == 0 || standing.any(|leg| leg.payout_minor > 0) {
        return Ok(None);
    }
    write.set_payout(SaleId(first.id), payout_minor).await?;
    Ok(Some((first, payout_minor)))
}

/// All sales of a shared lead whose source is paid a fixed amount per sold lead; `None` where each sale earns its own.
async fn paid_once(write: &Write, sale: &sale::Model) -> StoreResult<Option<Vec<sale::Model>>> {
    if sale.exclusive || sale.test {
        return Ok(None);
    }
    let terms = write.source_terms_of(sale.decision_id).await?;
    let terms: SourceTerms = serde_json::from_str(&terms).map_err(StoreError::corrupt)?;
    if !matches!(terms.cost, CostModel::PerSoldLead { .. }) || earns_its_own(write, sale).await? {
        return Ok(None);
    }
    let mut legs = Vec::new();
    for leg in write.legs(LeadId(sale.lead_id)).await? {
        if !earns_its_own(write, &leg).await? {
            legs.push(leg);
        }
    }
    Ok(Some(legs))
}

/// Whether what a sale earns was quoted: its price less the operator's margin, whatever the cost model says.
async fn earns_its_own(write: &Write, sale: &sale::Model) -> StoreResult<bool> {
    let data: DecisionData =
        serde_json::from_str(&write.decision_data(sale.decision_id).await?).map_err(StoreError::corrupt)?;
    let candidate = data.input.candidates.iter().find(|candidate| candidate.contract_id.0 == sale.contract_id);
    let share = candidate.and_then(|candidate| candidate.share);
    Ok(matches!(share, Some(SupplierShare::LessMargin { .. })))
}

fn stands(leg: &sale::Model) -> bool {
    leg.state == SaleState::Sold.as_str()
}

/// The placement gave the amount to one leg, the first.
fn amount(legs: &[sale::Model]) -> i64 {
    legs.iter().map(|leg| leg.payout_minor).max().unwrap_or_default()
}
