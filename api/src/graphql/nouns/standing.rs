//! How a buyer stands: why it gets no leads.

use async_graphql::{Context, ID, Result, SimpleObject};
use leadyard_entity::model::buyer;
use leadyard_market::standing as found;
use leadyard_types::{BuyerId, Money as Amount, Timestamp};

use super::super::context::{market, read};
use super::super::errors::{fixed, store};
use super::super::id::Kind;
use super::super::scalars::Money;
use super::super::words::{CapPeriod, Check, Status};
use super::buyer::Buyer;
use super::campaign::Campaign;
use super::contract::Contract;
use super::{int, one, there};

/// How many of each campaign's last leads are looked at where it is not said.
const LEADS_GIVEN: i32 = 500;

/// A limit and what is used of it.
#[derive(Debug, SimpleObject)]
pub(crate) struct CapStanding {
    /// `contract`, `own` (set by the buyer on the contract), `buyer` or `campaign`.
    owner: String,
    /// Over which time it counts, in its owner's time zone.
    period: CapPeriod,
    /// Sales in this period.
    count: i32,
    /// The most there may be.
    count_max: Option<i32>,
    /// Money in this period.
    amount: Money,
    /// The most there may be.
    amount_max: Option<Money>,
    /// When the next period begins; absent for a limit without end.
    resets_at: Option<Timestamp>,
    /// Whether one more sale does not fit.
    full: bool,
}

/// A destination and how it stands.
#[derive(Debug, SimpleObject)]
pub(crate) struct DestinationStanding {
    /// What people call it.
    name: String,
    /// Where it leads: WEBHOOK, EMAIL, PORTAL …
    kind: String,
    /// Whether it is delivered to.
    status: Status,
    /// Since when it fails.
    failing_since: Option<Timestamp>,
    /// What its owner was told.
    notice: Option<String>,
}

/// A condition of a contract's filter that leads missed.
#[derive(Debug, SimpleObject)]
pub(crate) struct MissedCondition {
    /// In words.
    condition: String,
    /// How many leads.
    leads: i32,
}

/// A check that refused a contract.
#[derive(Debug, SimpleObject)]
pub(crate) struct RefusedBy {
    /// Which check said no.
    check: Check,
    /// In words.
    message: String,
    /// How many leads.
    leads: i32,
}

/// What came of a campaign's last leads for a contract.
#[derive(Debug, SimpleObject)]
pub(crate) struct LastLeads {
    /// How many were looked at.
    leads: i32,
    /// How many fit the contract's terms of today.
    matched: i32,
    /// The conditions that the others missed, the most frequent first, five at most.
    missed: Vec<MissedCondition>,
    /// Bought by the contract.
    sold: i32,
    /// Gone to others.
    lost: i32,
    /// Auctions lost with a price that would have won.
    auctions_lost: i32,
    /// By how much those were lost, at the median.
    lost_by: Option<Money>,
    /// The checks that refused, the most frequent first.
    refused: Vec<RefusedBy>,
    /// Decided before the contract had its terms of today.
    other_terms: i32,
    /// Of which it cannot be told: the person was erased, or other rules decided.
    unknown: i32,
}

/// How one contract stands.
#[derive(Debug, SimpleObject)]
#[graphql(complex)]
pub(crate) struct ContractStanding {
    #[graphql(skip)]
    found: found::ContractStanding,
    /// Whether the campaign has the stage that the contract names.
    stage_exists: bool,
    /// Whether its hours are open now.
    open_now: bool,
    /// When they open next; absent means never.
    opens_at: Option<Timestamp>,
    /// Its own limits and its buyer's.
    caps: Vec<CapStanding>,
    /// The campaign's limits.
    campaign_caps: Vec<CapStanding>,
    /// What its buyer may still spend in the campaign's currency.
    available: Money,
    /// Where its leads go.
    destinations: Vec<DestinationStanding>,
    /// What came of the last leads.
    last: LastLeads,
    /// What stands in its way most, for programs: a check, or CAMPAIGN, STAGE, DELIVERY, NO_LEADS, NONE.
    obstacle: String,
    /// What stands in its way most and what to do, for people.
    verdict: String,
}

/// How a buyer stands.
#[derive(Debug, SimpleObject)]
#[graphql(complex)]
pub(crate) struct Standing {
    #[graphql(skip)]
    buyer: BuyerId,
    /// Its contracts that have not ended, by name.
    contracts: Vec<ContractStanding>,
    /// What stands in its way most and what to do.
    verdict: String,
}

#[async_graphql::ComplexObject]
impl ContractStanding {
    /// Which contract.
    async fn contract(&self, ctx: &Context<'_>) -> Result<Contract> {
        there(one!(ctx, ContractBy(self.found.contract_id.0) => Contract)?)
    }

    /// Its campaign.
    async fn campaign(&self, ctx: &Context<'_>) -> Result<Campaign> {
        there(one!(ctx, CampaignBy(self.found.campaign_id.0) => Campaign)?)
    }
}

#[async_graphql::ComplexObject]
impl Standing {
    /// Whose standing it is.
    async fn buyer(&self, ctx: &Context<'_>) -> Result<Buyer> {
        there(one!(ctx, BuyerBy(self.buyer.0) => Buyer)?)
    }
}

impl CapStanding {
    fn of(cap: &found::CapStanding, currency: leadyard_types::Currency) -> Self {
        let money = |minor| Money(Amount::new(minor, currency));
        Self {
            owner: cap.owner.clone(),
            period: cap.period.into(),
            count: int(cap.count),
            count_max: cap.count_max.map(int),
            amount: money(cap.amount_minor),
            amount_max: cap.amount_max_minor.map(money),
            resets_at: cap.resets_at,
            full: cap.full,
        }
    }
}

impl DestinationStanding {
    fn of(found: &found::DestinationStanding) -> Result<Self> {
        Ok(Self {
            name: found.name.clone(),
            kind: found.kind.clone(),
            status: Status::read(&found.status)?,
            failing_since: found.failing_since,
            notice: found.notice.clone(),
        })
    }
}

impl LastLeads {
    fn of(last: &found::LastLeads, currency: leadyard_types::Currency) -> Self {
        let missed = |missed: &found::MissedCondition| MissedCondition {
            condition: missed.condition.clone(),
            leads: int(missed.leads),
        };
        let refused = |refused: &found::RefusedBy| RefusedBy {
            check: refused.check.into(),
            message: refused.message.clone(),
            leads: int(refused.leads),
        };
        Self {
            leads: int(last.leads),
            matched: int(last.matched),
            missed: last.missed.iter().map(missed).collect(),
            sold: int(last.sold),
            lost: int(last.lost),
            auctions_lost: int(last.auctions_lost),
            lost_by: last.lost_by_minor.map(|minor| Money(Amount::new(minor, currency))),
            refused: last.refused.iter().map(refused).collect(),
            other_terms: int(last.other_terms),
            unknown: int(last.unknown),
        }
    }
}

impl ContractStanding {
    fn of(contract: found::ContractStanding) -> Result<Self> {
        let currency = contract.available.currency;
        let caps = |of_campaign: bool| {
            let caps = contract.caps.iter().filter(|cap| (cap.owner == "campaign") == of_campaign);
            caps.map(|cap| CapStanding::of(cap, currency)).collect()
        };
        Ok(Self {
            stage_exists: contract.stage_exists,
            open_now: contract.open_now,
            opens_at: contract.opens_at,
            caps: caps(false),
            campaign_caps: caps(true),
            available: Money(contract.available),
            destinations: contract.destinations.iter().map(DestinationStanding::of).collect::<Result<_>>()?,
            last: LastLeads::of(&contract.last, currency),
            obstacle: contract.obstacle.clone(),
            verdict: contract.verdict.clone(),
            found: contract,
        })
    }
}

/// How buyers stand.
#[derive(Debug, Default)]
pub(crate) struct StandingQueries;

#[async_graphql::Object]
impl StandingQueries {
    /// Why a buyer gets no leads, or how many: status, hours, limits, balance, destinations, and what came of the last
    /// leads for each of its contracts, with what stands in the way most and what to do.
    async fn standing(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The buyer whose standing is asked for.")] buyer_id: ID,
        #[graphql(desc = "How many of each campaign's last leads are looked at, 1 to 5000; 500 where left out.")]
        leads: Option<i32>,
    ) -> Result<Option<Standing>> {
        let leads =
            u32::try_from(leads.unwrap_or(LEADS_GIVEN)).ok().filter(|leads| (1..=found::LEADS_MAX).contains(leads));
        let leads = leads.ok_or_else(|| fixed("ARGUMENT_INVALID", "leads is 1 to 5000"))?;
        let Some(id) = Kind::Buyer.read(&buyer_id) else { return Ok(None) };
        let read = read(ctx)?;
        // What the caller does not see is not there.
        if read.by_id::<buyer::Entity>(id).await.map_err(store)?.is_none() {
            return Ok(None);
        }
        let Some(standing) = market(ctx)?.standing(BuyerId(id), leads).await.map_err(store)? else { return Ok(None) };
        let is_staff = matches!(read.principal(), leadyard_types::Principal::Staff { .. });
        let standing = if is_staff { standing } else { standing.for_buyer() };
        let contracts = standing.contracts.into_iter().map(ContractStanding::of).collect::<Result<_>>()?;
        Ok(Some(Standing { buyer: standing.buyer_id, contracts, verdict: standing.verdict }))
    }
}
