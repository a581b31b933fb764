//! What a buyer sets on its contract, and the bounds that the operator sets for it. Each change is a new revision of the
//! contract's terms with its row in the audit, and acts with the next placement in every process.

use leadyard_entity::Write;
use leadyard_entity::setup::{Current, Revised};
use leadyard_types::bounds::{BuyerBounds, BuyerSettings};
use leadyard_types::{BuyerId, Cap, ContractId, ContractTerms, FieldProblem, Filter, Principal, Schedule, Status};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{CampaignFacts, Setup, SetupError, SetupResult, check, expect_version, from_text, refuse, to_text};
use crate::rules::bounds::{self, effective};

/// Something a buyer sets on its contract.
#[derive(Debug, Clone, PartialEq)]
pub enum OwnChange {
    /// Its price, minor units; `None` = the contract's again.
    Price(Option<i64>),
    /// All its caps; an empty list = none.
    Caps(Vec<Cap>),
    /// Its filter; `None` = none.
    Filter(Option<Filter>),
    /// Its hours; `None` = the contract's alone.
    Schedule(Option<Schedule>),
    /// Whether it pauses.
    Paused(bool),
}

impl OwnChange {
    /// What the audit calls it.
    const fn action(&self) -> &'static str {
        match self {
            Self::Price(_) => "set_bid",
            Self::Caps(_) => "set_caps",
            Self::Filter(_) => "set_filter",
            Self::Schedule(_) => "set_schedule",
            Self::Paused(true) => "pause",
            Self::Paused(false) => "resume",
        }
    }

    /// Everything that stands against it. Taking a setting back is always right.
    fn problems(&self, terms: &ContractTerms, campaign: &CampaignFacts) -> Vec<FieldProblem> {
        let open = terms.buyer_bounds.as_ref();
        match self {
            Self::Price(None) | Self::Filter(None) | Self::Schedule(None) => Vec::new(),
            Self::Price(Some(price)) => {
                bounds::price_problem(open, campaign.terms.floor_minor, *price).into_iter().collect()
            }
            Self::Caps(caps) => bounds::cap_problems(open, &terms.caps, caps),
            Self::Filter(Some(filter)) => {
                let found = bounds::filter_problems(open, filter);
                if found.is_empty() { check::filter_problems("filter", filter, campaign) } else { found }
            }
            Self::Schedule(Some(schedule)) => bounds::schedule_problem(open)
                .map_or_else(|| check::schedule_problems("schedule", schedule), |problem| vec![problem]),
            Self::Paused(_) => bounds::pause_problem(open).into_iter().collect(),
        }
    }

    /// Makes it, and answers what stood there before and what stands there now, for the audit.
    fn make(self, settings: &mut BuyerSettings) -> (Value, Value) {
        fn replaced<T: serde::Serialize>(place: &mut T, new: T) -> (Value, Value) {
            let now = json!(new);
            (json!(std::mem::replace(place, new)), now)
        }
        match self {
            Self::Price(price) => replaced(&mut settings.price_minor, price),
            Self::Caps(caps) => replaced(&mut settings.caps, caps),
            Self::Filter(filter) => replaced(&mut settings.filter, filter),
            Self::Schedule(schedule) => replaced(&mut settings.schedule, schedule),
            Self::Paused(paused) => replaced(&mut settings.paused, paused),
        }
    }
}

impl Setup {
    /// Sets something on a contract, on behalf of its own buyer and within the operator's bounds. `expected` is the version
    /// it was decided by; `None` takes whatever is there. Answers the version it comes to: where nothing changes, nothing
    /// is written.
    ///
    /// Contracts of others and absent ones answer alike.
    pub async fn set_own(&self, id: ContractId, expected: Option<i64>, change: OwnChange) -> SetupResult<i64> {
        let Principal::Buyer { buyer_id, .. } = self.principal else { return Err(SetupError::NotAllowed) };
        let write = self.store.write(self.principal).await?;
        // Before the configuration is touched: whoever asks about others' contracts makes nobody reload anything.
        let mine = |current: &Current| current.owner_id == Some(buyer_id.0);
        if !write.current(Revised::Contract, [id.0]).await?.get(&id.0).is_some_and(mine) {
            return Err(SetupError::NotFound("contract"));
        }
        write.touch_configuration().await?;
        let (current, terms) = self.contract_to_change(&write, id, expected).await?;
        let campaign = CampaignFacts::one(&write, current.parent_id.unwrap_or_default()).await?;
        refuse(change.problems(&terms, &campaign))?;
        let action = change.action();
        let mut next = terms.clone();
        let (before, after) = change.make(&mut next.buyer_settings);
        if next == terms {
            write.rollback().await?;
            return Ok(current.version);
        }
        self.save_own(write, &current, (&terms, &next), action, (before, after)).await
    }

    /// Sets what a contract's buyer may set by itself; `None` = nothing. What the buyer set outside them counts as the
    /// nearest that is allowed, from the next lead on.
    pub async fn set_bounds(
        &self,
        id: ContractId,
        expected: Option<i64>,
        new: Option<BuyerBounds>,
    ) -> SetupResult<i64> {
        let write = self.change().await?;
        let (current, terms) = self.contract_to_change(&write, id, expected).await?;
        let campaign = CampaignFacts::one(&write, current.parent_id.unwrap_or_default()).await?;
        let next = ContractTerms { buyer_bounds: new, ..terms.clone() };
        refuse(check::bounds("bounds", &next, &campaign))?;
        if next == terms {
            write.rollback().await?;
            return Ok(current.version);
        }
        let change = (json!(terms.buyer_bounds), json!(next.buyer_bounds));
        self.save_own(write, &current, (&terms, &next), "set_bounds", change).await
    }

    /// A contract as it stands now, if it has not ended and was not changed since it was read.
    async fn contract_to_change(
        &self,
        write: &Write,
        id: ContractId,
        expected: Option<i64>,
    ) -> SetupResult<(Current, ContractTerms)> {
        let current = self.head(write, Revised::Contract, id.0).await?;
        if let Some(expected) = expected {
            expect_version(current.version, expected)?;
        }
        if current.status == Some(Status::Archived) {
            let message = "the contract has ended; nothing is set on it any more";
            return Err(SetupError::Problems(vec![FieldProblem::new("contract_id", "ENDED", message)]));
        }
        let terms = from_text(&current)?;
        Ok((current, terms))
    }

    async fn save_own(
        &self,
        mut write: Write,
        current: &Current,
        (terms, next): (&ContractTerms, &ContractTerms),
        action: &str,
        (before, after): (Value, Value),
    ) -> SetupResult<i64> {
        forget_counters_if_capped_otherwise(&write, current, terms, next).await?;
        let version = write.revise(current, None, to_text(next)?).await?;
        super::wake_after(&mut write, current).await?;
        let detail = json!({ "version": version, "before": before, "after": after });
        write.audit(action, "contract", Some(current.id), &detail).await?;
        let _ = write.commit().await?;
        Ok(version)
    }
}

/// Counters exist for buckets that are capped: where a contract's caps, or its buyer's on it, change, they are counted anew.
pub(super) async fn forget_counters_if_capped_otherwise(
    write: &Write,
    current: &Current,
    terms: &ContractTerms,
    next: &ContractTerms,
) -> SetupResult<()> {
    let buyer = BuyerId(current.owner_id.unwrap_or_else(Uuid::nil));
    if (&terms.caps, effective(terms).own.caps) != (&next.caps, effective(next).own.caps) {
        // Settlements give capacity back under this lock.
        write.lock_wallets(&[buyer].into()).await?;
        write.forget_counters(&[current.id]).await?;
    }
    Ok(())
}
