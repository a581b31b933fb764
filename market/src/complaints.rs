//! Complaints: a buyer disputes a sale; staff uphold it with a credit, or refuse it (domain page, section 4).
//!
//! What may be complained about, and until when, is what the campaign said when the sale was decided. Opening and
//! deciding are one transaction each, under the locks of a settlement: campaign, the buyer's wallets, the lead. Several
//! credits of one sale never exceed its price, whoever decides at the same time.

use leadyard_entity::complaints::{DecidedComplaint, LeadMoney};
use leadyard_entity::ledger::{NewTransfer, OPERATOR, TransferRefs};
use leadyard_entity::model::{complaint, sale};
use leadyard_entity::placement::{CounterUse, NewEvent};
use leadyard_entity::{StoreError, Write};
use leadyard_types::lead::LeadEventKind;
use leadyard_types::{
    AccountId, AccountKind, BuyerId, CampaignId, CampaignTerms, ComplaintId, ComplaintReason, ComplaintState,
    ContractId, Currency, FieldProblem, LeadId, Money, Principal, Role, SaleId, SaleState, SourceId, SupplierId,
    SystemTask, TransferKind,
};
use serde_json::json;

use crate::market::Market;
use crate::rules::complaint::{CreditFigures, check_complaint, clawback_is_open, credit_and_clawback};
use crate::settlement::{agreed, owners};
use crate::waiting::wake_soon_for;

/// The longest evidence and note taken, in characters.
const TEXT_CHARS_MAX: usize = 2_000;

/// Why nothing was done.
#[derive(Debug, thiserror::Error)]
pub enum ComplaintError {
    /// Not by this caller.
    #[error("{0}")]
    NotAllowed(&'static str),
    /// There is none, or none that the caller may see: the two are never told apart.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// The input is wrong; every problem is named.
    #[error("{}", .0.iter().map(|problem| problem.message.as_str()).collect::<Vec<_>>().join("; "))]
    Problems(Vec<FieldProblem>),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<FieldProblem> for ComplaintError {
    fn from(problem: FieldProblem) -> Self {
        Self::Problems(vec![problem])
    }
}

/// A complaint to be opened.
#[derive(Debug, Clone)]
pub struct NewComplaint {
    /// The sale it is about.
    pub sale_id: SaleId,
    /// Why.
    pub reason: ComplaintReason,
    /// What the buyer has to say about it; may name the person, and is sealed.
    pub evidence: Option<String>,
}

/// What becomes of a complaint.
#[derive(Debug, Clone)]
pub struct ComplaintDecision {
    /// The complaint.
    pub complaint_id: ComplaintId,
    /// Upheld (with a credit) or refused.
    pub upheld: bool,
    /// How much is credited, minor units; `None` is all that is left of the price. Only for an upheld one.
    pub credit_minor: Option<i64>,
    /// What the buyer is told.
    pub note: Option<String>,
}

impl Market {
    /// Opens a complaint, for the buyer itself or by staff on its behalf. One at a time is open about a sale.
    pub async fn open_complaint(&self, principal: Principal, new: NewComplaint) -> Result<ComplaintId, ComplaintError> {
        let evidence = text("evidence", new.evidence)?;
        if new.reason == ComplaintReason::Other && evidence.is_none() {
            let message = "say what is wrong with the lead, where no other reason fits";
            return Err(FieldProblem::new("evidence", "REQUIRED", message).into());
        }
        let write = self.store.write(principal).await?;
        let sale = self.lock_sale(&write, new.sale_id).await?;
        let sale = sale.filter(|sale| complains_about(principal, sale)).ok_or(ComplaintError::NotFound("sale"))?;
        let mut problems = Vec::new();
        if sale.test {
            let message = "this is a test: it was not charged, so there is nothing to complain about";
            problems.push(FieldProblem::new("sale_id", "TEST_MODE", message));
        } else if sale.state != SaleState::Sold.as_str() {
            problems.push(FieldProblem::new(
                "sale_id",
                "NOT_SOLD",
                "only what was sold and charged is complained about",
            ));
        } else if write.complaint_is_open(new.sale_id).await? {
            problems.push(FieldProblem::new("sale_id", "ALREADY_OPEN", "a complaint about it awaits its decision"));
        } else if money(&write, &sale).await?.credited_for_sale_minor >= sale.price_minor {
            problems.push(FieldProblem::new(
                "sale_id",
                "NOTHING_LEFT",
                "there is no price left that could be credited",
            ));
        }
        let policy = campaign_terms(&write, &sale).await?.complaints;
        if let Err(found) = check_complaint(&policy, new.reason, sale.sold_at, self.clock().now()) {
            problems.extend(found);
        }
        if !problems.is_empty() {
            return Err(ComplaintError::Problems(problems));
        }
        let id = ComplaintId(self.ids().uuid());
        let row = row(id, &sale, new.reason, evidence, principal, self.clock().now());
        if !write.add_complaint(row).await? {
            let message = "the person was erased: nothing about them is kept any more; complain without evidence";
            return Err(FieldProblem::new("evidence", "PERSON_ERASED", message).into());
        }
        let detail = json!({ "complaint_id": id, "sale_id": sale.id, "buyer_id": sale.buyer_id, "reason": new.reason });
        let (lead_id, kind) = (LeadId(sale.lead_id), LeadEventKind::ComplaintOpened);
        write.add_events(&[NewEvent { lead_id, kind, detail }]).await?;
        let detail = json!({ "sale_id": sale.id, "reason": new.reason });
        write.audit("open", "complaint", Some(id.0), &detail).await?;
        let _ = write.commit().await?;
        Ok(id)
    }

    /// Upholds or refuses an open complaint. An upheld one credits the buyer's wallet, takes back the supplier's share
    /// where the campaign says so, and gives the cap's count back where the contract says so and all was credited.
    pub async fn decide_complaint(
        &self,
        principal: Principal,
        decision: ComplaintDecision,
    ) -> Result<(), ComplaintError> {
        if !decides(principal) {
            return Err(ComplaintError::NotAllowed("only administrators, managers and finance decide complaints"));
        }
        let note = text("note", decision.note)?;
        if !decision.upheld && decision.credit_minor.is_some() {
            let message = "a refused complaint credits nothing: leave the amount out, or uphold it";
            return Err(FieldProblem::new("credit_minor", "NOT_ALLOWED", message).into());
        }
        let mut write = self.store.write(principal).await?;
        let none = || ComplaintError::NotFound("complaint");
        // Which sale it is about never changes, so it may be read before anything is locked.
        let found = write.complaint(decision.complaint_id).await?.ok_or_else(none)?;
        let sale = self.lock_sale(&write, SaleId(found.sale_id)).await?.ok_or_else(none)?;
        let found = write.complaint(decision.complaint_id).await?.ok_or_else(none)?;
        let state: ComplaintState = found.state.parse().map_err(StoreError::corrupt)?;
        let Ok(state) = (if decision.upheld { state.uphold() } else { state.refuse() }) else {
            let message = "it was decided already, and stays so; the buyer may open another one";
            return Err(FieldProblem::new("complaint_id", "ALREADY_DECIDED", message).into());
        };
        let (credit_minor, clawback_minor) = if decision.upheld {
            self.give_credit(&write, &sale, &found, decision.credit_minor).await?
        } else {
            (0, 0)
        };
        if credit_minor > 0 {
            wake_soon_for(&mut write, BuyerId(sale.buyer_id)).await?;
        }
        let (id, lead_id) = (decision.complaint_id, LeadId(sale.lead_id));
        write.decide_complaint(&DecidedComplaint { id, lead_id, state, credit_minor, clawback_minor, note }).await?;
        // Money and caps move: the decision takes its place in the order of decisions, so that history replays exactly.
        let no = write.next_decision_nos(1).await?;
        let figures = json!({ "complaint_id": id, "sale_id": sale.id, "buyer_id": sale.buyer_id, "state": state,
            "credit_minor": credit_minor, "clawback_minor": clawback_minor, "currency": sale.currency, "no": no });
        write.audit("decide", "complaint", Some(id.0), &figures).await?;
        write.add_events(&[NewEvent { lead_id, kind: LeadEventKind::ComplaintDecided, detail: figures }]).await?;
        let _ = write.commit().await?;
        Ok(())
    }

    /// Posts an upheld complaint's money and answers (credit, clawback), minor units.
    async fn give_credit(
        &self,
        write: &Write,
        sale: &sale::Model,
        complaint: &complaint::Model,
        asked_minor: Option<i64>,
    ) -> Result<(i64, i64), ComplaintError> {
        let terms = campaign_terms(write, sale).await?;
        let so_far = money(write, sale).await?;
        let figures = CreditFigures {
            price_minor: sale.price_minor,
            credited_for_sale_minor: so_far.credited_for_sale_minor,
            credited_for_lead_minor: so_far.credited_minor,
            legs_price_sum_minor: so_far.prices_minor,
            payout_minor: so_far.payout_minor,
            clawed_back_minor: so_far.clawed_back_minor,
        };
        let now = self.clock().now();
        let open = clawback_is_open(&terms.complaints, sale.sold_at, now);
        let (credit_minor, clawback_minor) = credit_and_clawback(&figures, asked_minor, open)?;
        let all = so_far.credited_for_sale_minor + credit_minor == sale.price_minor;
        if all && sale.counted && agreed(write, sale).await?.credit_frees_cap {
            let used = CounterUse { count: 1, amount_minor: sale.price_minor };
            write.give_back(&owners(sale), sale.sold_at, used).await?;
            write.move_sale(SaleId(sale.id), SaleState::Sold, false, None, None).await?;
        }
        let day = now.with_timezone(&terms.time_zone).date_naive();
        post(write, sale, complaint, day, (credit_minor, clawback_minor)).await?;
        Ok((credit_minor, clawback_minor))
    }
}

/// Credits → wallet, and payable → payout cost. They belong to the day of the decision: closed days stay as they are.
async fn post(
    write: &Write,
    sale: &sale::Model,
    complaint: &complaint::Model,
    day: chrono::NaiveDate,
    (credit_minor, clawback_minor): (i64, i64),
) -> Result<(), StoreError> {
    let currency: Currency = sale.currency.parse().map_err(StoreError::corrupt)?;
    let keys = [
        (AccountKind::Credits, OPERATOR, currency),
        (AccountKind::BuyerWallet, sale.buyer_id, currency),
        (AccountKind::SupplierPayable, sale.supplier_id, currency),
        (AccountKind::PayoutCost, OPERATOR, currency),
    ];
    let accounts = write.ensure_accounts(&keys.into_iter().collect()).await?;
    let account =
        |key| accounts.get(key).map(|row| AccountId(row.id)).ok_or_else(|| StoreError::corrupt("ledger_account"));
    let refs = TransferRefs {
        sale: Some(SaleId(sale.id)),
        lead: Some(LeadId(sale.lead_id)),
        complaint: Some(ComplaintId(complaint.id)),
        campaign: Some(CampaignId(sale.campaign_id)),
        source: Some(SourceId(sale.source_id)),
        supplier: Some(SupplierId(sale.supplier_id)),
        buyer: Some(BuyerId(sale.buyer_id)),
        contract: Some(ContractId(sale.contract_id)),
    };
    let [credits, wallet, payable, cost] = &keys;
    let mut transfers = Vec::with_capacity(2);
    for (kind, name, from, to, amount_minor) in [
        (TransferKind::ComplaintCredit, "credit", credits, wallet, credit_minor),
        (TransferKind::Clawback, "clawback", payable, cost, clawback_minor),
    ] {
        if amount_minor > 0 {
            transfers.push(NewTransfer {
                kind,
                debit: account(from)?,
                credit: account(to)?,
                money: Money::new(amount_minor, currency),
                refs,
                day,
                memo: None,
                idempotency_key: format!("{name}:complaint:{}", complaint.id),
            });
        }
    }
    write.post(&transfers).await.map(|_| ())
}

/// Whose sales a principal may complain about. A sale of somebody else is one that does not exist.
fn complains_about(principal: Principal, sale: &sale::Model) -> bool {
    match principal {
        Principal::Buyer { buyer_id, .. } => sale.buyer_id == buyer_id.0,
        Principal::Staff { role: Role::Admin | Role::Manager | Role::Finance, .. }
        | Principal::System(SystemTask::Operate) => true,
        _ => false,
    }
}

/// Deciding gives money away: administrators, managers and finance.
fn decides(principal: Principal) -> bool {
    matches!(
        principal,
        Principal::Staff { role: Role::Admin | Role::Manager | Role::Finance, .. }
            | Principal::System(SystemTask::Operate)
    )
}

/// What the campaign said when the sale was decided.
async fn campaign_terms(write: &Write, sale: &sale::Model) -> Result<CampaignTerms, StoreError> {
    serde_json::from_str(&write.campaign_terms_of_decision(sale.decision_id).await?).map_err(StoreError::corrupt)
}

async fn money(write: &Write, sale: &sale::Model) -> Result<LeadMoney, StoreError> {
    write.money_of_lead(LeadId(sale.lead_id), SaleId(sale.id)).await
}

/// A text that people wrote: without blanks around it, and `None` where nothing is left.
fn text(field: &str, text: Option<String>) -> Result<Option<String>, ComplaintError> {
    let text = text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
    if text.as_ref().is_some_and(|text| text.chars().count() > TEXT_CHARS_MAX) {
        return Err(FieldProblem::new(field, "TOO_LONG", "at most 2000 characters are expected").into());
    }
    Ok(text)
}

fn row(
    id: ComplaintId,
    sale: &sale::Model,
    reason: ComplaintReason,
    evidence: Option<String>,
    principal: Principal,
    now: leadyard_types::Timestamp,
) -> complaint::Model {
    complaint::Model {
        id: id.0,
        sale_id: sale.id,
        lead_id: sale.lead_id,
        campaign_id: sale.campaign_id,
        buyer_id: sale.buyer_id,
        contract_id: sale.contract_id,
        reason: reason.as_str().to_owned(),
        evidence,
        state: ComplaintState::Open.as_str().to_owned(),
        credit_minor: 0,
        clawback_minor: 0,
        currency: sale.currency.clone(),
        note: None,
        opened_by: principal.audit_name(),
        opened_at: now,
        decided_by: None,
        decided_at: None,
    }
}
