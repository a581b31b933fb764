//! What a buyer sets on its contract by itself, and the bounds that the operator sets for it.

use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use leadyard_entity::read::Columns;
use leadyard_market::rules::bounds::Effective;
use leadyard_market::setup::{OwnChange, Setup, SetupError};
use leadyard_types::{
    BuyerBounds, BuyerSettings, ContractId, Currency, FieldProblem, Money as Amount, PriceBounds as PriceBoundsTerms,
};

use super::super::context::{Api, loader, principal};
use super::super::errors::{self, UserError};
use super::super::id::Kind;
use super::super::loaders::ContractBy;
use super::super::scalars::{MinorUnits, Money};
use super::condition::{Condition, ConditionInput, path_in};
use super::contract::Contract;
use super::terms::{Cap, CapInput, Schedule, ScheduleInput};

/// Which prices a buyer may set.
#[derive(Debug, SimpleObject)]
pub(crate) struct PriceBounds {
    /// The least.
    min: Money,
    /// The most.
    max: Money,
    /// Counted from the least in steps of so much.
    step: Money,
}

/// What a buyer may set on its contract, and within which limits.
#[derive(Debug, SimpleObject)]
pub(crate) struct ContractBounds {
    /// Its price; absent means that it may not set one.
    price: Option<PriceBounds>,
    /// The periods for which it may set caps, and the most it may set; its caps hold beside the contract's.
    caps: Vec<Cap>,
    /// By which keys its filter may restrict; none means that it may not set a filter.
    filter_keys: Vec<String>,
    /// Whether it may set hours within the contract's.
    schedule: bool,
    /// Whether it may pause the contract, and end its own pause.
    pause: bool,
}

impl ContractBounds {
    pub(super) fn of(bounds: &BuyerBounds, currency: Currency) -> Self {
        let money = |amount_minor| Money(Amount::new(amount_minor, currency));
        Self {
            price: bounds.price.map(|price| PriceBounds {
                min: money(price.min_minor),
                max: money(price.max_minor),
                step: money(price.step_minor),
            }),
            caps: Cap::all(&bounds.caps, currency),
            filter_keys: bounds.filter_keys.clone(),
            schedule: bounds.schedule,
            pause: bounds.pause,
        }
    }
}

/// What a buyer sets on its contract. Except for the price it can only narrow what the contract buys.
#[derive(Debug, SimpleObject)]
pub(crate) struct ContractSettings {
    /// Its price where no price rule matches; absent means the contract's.
    price: Option<Money>,
    /// Its caps, beside the contract's.
    caps: Vec<Cap>,
    /// Which leads of those that the contract's filter lets through; absent means all of them.
    filter: Option<Condition>,
    /// When, within the contract's hours; absent means always then.
    schedule: Option<Schedule>,
    /// Whether it paused the contract. The contract's status is another matter: ACTIVE is said by the operator.
    paused: bool,
}

impl ContractSettings {
    pub(super) fn of(settings: &BuyerSettings, currency: Currency) -> Self {
        Self {
            price: settings.price_minor.map(|price| Money(Amount::new(price, currency))),
            caps: Cap::all(&settings.caps, currency),
            filter: settings.filter.clone().map(Condition),
            schedule: settings.schedule.as_ref().map(Schedule::from),
            paused: settings.paused,
        }
    }

    /// What holds, the price that is paid included.
    pub(super) fn held(held: &Effective, currency: Currency) -> Self {
        let price = Some(Money(Amount::new(held.price_minor, currency)));
        Self { price, ..Self::of(&held.own, currency) }
    }
}

/// A price to be set on a contract by its buyer.
#[derive(Debug, InputObject)]
pub(crate) struct ContractBidSetInput {
    /// The contract.
    contract_id: ID,
    /// The price where no price rule matches, in minor units and within the bounds; left out: the contract's again.
    price_minor: Option<MinorUnits>,
    /// The contract's version that this was decided by; left out: whatever is there.
    version: Option<i32>,
}

/// Caps to be set on a contract by its buyer.
#[derive(Debug, InputObject)]
pub(crate) struct ContractCapsSetInput {
    /// The contract.
    contract_id: ID,
    /// All of the buyer's caps, one per period, within the bounds and the contract's own; none takes them back.
    caps: Vec<CapInput>,
    /// The contract's version that this was decided by; left out: whatever is there.
    version: Option<i32>,
}

/// A filter to be set on a contract by its buyer.
#[derive(Debug, InputObject)]
pub(crate) struct ContractFilterSetInput {
    /// The contract.
    contract_id: ID,
    /// Which leads of those that the contract's filter lets through; left out: all of them again.
    filter: Option<ConditionInput>,
    /// The contract's version that this was decided by; left out: whatever is there.
    version: Option<i32>,
}

/// Hours to be set on a contract by its buyer.
#[derive(Debug, InputObject)]
pub(crate) struct ContractScheduleSetInput {
    /// The contract.
    contract_id: ID,
    /// When, within the contract's hours; left out: always then.
    schedule: Option<ScheduleInput>,
    /// The contract's version that this was decided by; left out: whatever is there.
    version: Option<i32>,
}

/// A contract to be paused by its buyer.
#[derive(Debug, InputObject)]
pub(crate) struct ContractPauseInput {
    /// The contract.
    contract_id: ID,
    /// The contract's version that this was decided by; left out: whatever is there.
    version: Option<i32>,
}

/// A contract whose buyer ends its own pause.
#[derive(Debug, InputObject)]
pub(crate) struct ContractResumeInput {
    /// The contract.
    contract_id: ID,
    /// The contract's version that this was decided by; left out: whatever is there.
    version: Option<i32>,
}

/// Which prices a buyer may set.
#[derive(Debug, InputObject)]
pub(crate) struct PriceBoundsInput {
    /// The least, in minor units; not below the campaign's floor.
    min_minor: MinorUnits,
    /// The most, in minor units.
    max_minor: MinorUnits,
    /// Counted from the least in steps of so many minor units; left out: 1.
    step_minor: Option<MinorUnits>,
}

/// What a buyer may set on its contract. What is left out it may not set.
#[derive(Debug, InputObject)]
pub(crate) struct ContractBoundsInput {
    /// Its price.
    price: Option<PriceBoundsInput>,
    /// Its caps: the periods, and the most it may set for each.
    caps: Option<Vec<CapInput>>,
    /// Its filter: by which keys it may restrict. The vertical's fields that are not personal, and `postal_code`, `state`,
    /// `country`, `consent_age`, `score`, `source`, `time`.
    filter_keys: Option<Vec<String>>,
    /// Its hours within the contract's.
    schedule: Option<bool>,
    /// Its pause.
    pause: Option<bool>,
}

/// Bounds to be set on a contract by the operator.
#[derive(Debug, InputObject)]
pub(crate) struct ContractBoundsSetInput {
    /// The contract.
    contract_id: ID,
    /// What the buyer may set; left out: nothing, and what it set does not count.
    bounds: Option<ContractBoundsInput>,
    /// The contract's version that this was decided by; left out: whatever is there.
    version: Option<i32>,
}

impl ContractBoundsInput {
    fn read(self) -> Result<BuyerBounds, FieldProblem> {
        Ok(BuyerBounds {
            price: self.price.map(|price| PriceBoundsTerms {
                min_minor: price.min_minor.0,
                max_minor: price.max_minor.0,
                step_minor: price.step_minor.map_or(1, |step| step.0),
            }),
            caps: CapInput::all(self.caps.unwrap_or_default(), "bounds.caps")?,
            filter_keys: self.filter_keys.unwrap_or_default(),
            schedule: self.schedule.unwrap_or_default(),
            pause: self.pause.unwrap_or_default(),
        })
    }
}

/// What came of making or changing a contract, or of setting something on it.
#[derive(Debug, SimpleObject)]
pub(crate) struct ContractPayload {
    /// The contract as it stands now; absent if nothing was done.
    contract: Option<Contract>,
    /// What to put right.
    user_errors: Vec<UserError>,
}

impl ContractPayload {
    pub(crate) fn refused(user_errors: Vec<UserError>) -> Self {
        Self { contract: None, user_errors }
    }

    /// The contract as it stands now.
    pub(crate) async fn now(ctx: &Context<'_>, id: ContractId) -> Result<Self> {
        let contract = loader(ctx)?.load_one(ContractBy::with(id.0, Columns::ALL)).await?.map(Contract);
        Ok(Self { contract, user_errors: Vec::new() })
    }

    async fn of(ctx: &Context<'_>, id: ContractId, done: Result<i64, SetupError>) -> Result<Self> {
        match done {
            Ok(_) => Self::now(ctx, id).await,
            Err(error) => Ok(Self::refused(errors::setup(error)?)),
        }
    }
}

fn setup(ctx: &Context<'_>) -> Result<Setup> {
    let api = ctx.data::<Api>()?;
    Ok(Setup::new(api.market.store(), principal(ctx)?, api.policy.clone()))
}

/// Makes a buyer's change, if it could be read at all.
async fn set(
    ctx: &Context<'_>,
    contract_id: &ID,
    version: Option<i32>,
    change: Result<OwnChange, FieldProblem>,
) -> Result<ContractPayload> {
    let Some(id) = Kind::Contract.read(contract_id).map(ContractId) else {
        return Ok(ContractPayload::refused(vec![UserError::not_found("contractId", "contract")]));
    };
    let change = match change {
        Ok(change) => change,
        Err(problem) => return Ok(ContractPayload::refused(vec![problem.into()])),
    };
    let filter = if let OwnChange::Filter(Some(filter)) = &change { Some(filter.clone()) } else { None };
    let done = setup(ctx)?.set_own(id, version.map(i64::from), change).await;
    let done = match (done, filter) {
        (Err(SetupError::Problems(mut problems)), Some(filter)) => {
            for problem in &mut problems {
                problem.field = path_in(&filter, &problem.field);
            }
            Err(SetupError::Problems(problems))
        }
        (done, _) => done,
    };
    ContractPayload::of(ctx, id, done).await
}

/// Mutations of contracts.
#[derive(Debug, Default)]
pub(crate) struct ContractMutations;

#[Object]
impl ContractMutations {
    /// Sets the price of your contract, within its bounds. Acts from the next lead on.
    async fn contract_bid_set(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The contract, and its price.")] input: ContractBidSetInput,
    ) -> Result<ContractPayload> {
        let change = OwnChange::Price(input.price_minor.map(|price| price.0));
        set(ctx, &input.contract_id, input.version, Ok(change)).await
    }

    /// Sets your own caps on your contract, within its bounds. Acts from the next lead on; what was sold before counts.
    async fn contract_caps_set(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The contract, and its caps.")] input: ContractCapsSetInput,
    ) -> Result<ContractPayload> {
        let change = CapInput::all(input.caps, "caps").map(OwnChange::Caps);
        set(ctx, &input.contract_id, input.version, change).await
    }

    /// Sets your own filter on your contract, by the keys that are open to you. Acts from the next lead on.
    async fn contract_filter_set(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The contract, and its filter.")] input: ContractFilterSetInput,
    ) -> Result<ContractPayload> {
        let filter = input.filter.map(|filter| filter.read("filter")).transpose();
        set(ctx, &input.contract_id, input.version, filter.map(OwnChange::Filter)).await
    }

    /// Sets your own hours on your contract. Acts from the next lead on.
    async fn contract_schedule_set(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The contract, and its hours.")] input: ContractScheduleSetInput,
    ) -> Result<ContractPayload> {
        let schedule = input.schedule.map(|schedule| schedule.read("schedule")).transpose();
        set(ctx, &input.contract_id, input.version, schedule.map(OwnChange::Schedule)).await
    }

    /// Pauses your contract: it buys nothing until you resume it.
    async fn contract_pause(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The contract.")] input: ContractPauseInput,
    ) -> Result<ContractPayload> {
        set(ctx, &input.contract_id, input.version, Ok(OwnChange::Paused(true))).await
    }

    /// Ends your own pause of your contract. Where the operator set it aside as well, it stays so.
    async fn contract_resume(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The contract.")] input: ContractResumeInput,
    ) -> Result<ContractPayload> {
        set(ctx, &input.contract_id, input.version, Ok(OwnChange::Paused(false))).await
    }

    /// Sets what a contract's buyer may set by itself. What it set outside these bounds counts as the nearest that is
    /// allowed, from the next lead on.
    async fn contract_bounds_set(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The contract, and its bounds.")] input: ContractBoundsSetInput,
    ) -> Result<ContractPayload> {
        let Some(id) = Kind::Contract.read(&input.contract_id).map(ContractId) else {
            return Ok(ContractPayload::refused(vec![UserError::not_found("contractId", "contract")]));
        };
        let bounds = match input.bounds.map(ContractBoundsInput::read).transpose() {
            Ok(bounds) => bounds,
            Err(problem) => return Ok(ContractPayload::refused(vec![problem.into()])),
        };
        let done = setup(ctx)?.set_bounds(id, input.version.map(i64::from), bounds).await;
        ContractPayload::of(ctx, id, done).await
    }
}
