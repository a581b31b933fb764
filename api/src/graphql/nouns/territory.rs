//! Who covers what.

use async_graphql::{Context, ID, OneofObject, Result, SimpleObject};
use leadyard_market::territory as found;
use leadyard_market::territory::{TerritoryError, TerritoryQuestion};
use leadyard_types::CampaignId;

use super::super::context::market;
use super::super::errors::{fixed, internal, store};
use super::super::id::Kind;
use super::super::scalars::PostalCode;
use super::super::words::Status;
use super::buyer::Buyer;
use super::campaign::Campaign;
use super::condition::{ConditionPostalRangeInput, ConditionRadiusInput};
use super::contract::Contract;
use super::{int, one, there};

/// The most items of one list of a territory.
const MOST_MAX: usize = 100;
/// As many where it is not said.
const MOST_GIVEN: i32 = 20;

/// A contract and how far it reaches.
#[derive(Debug, SimpleObject)]
#[graphql(complex)]
pub(crate) struct TerritoryContract {
    #[graphql(skip)]
    contract: leadyard_types::ContractId,
    /// `PAUSED` if it or its buyer is set aside.
    status: Status,
    /// Postal codes on which its filter could match.
    codes: i32,
    /// Those of them on which something else of the lead decides.
    conditional: i32,
}

/// A buyer and what its contracts cover together.
#[derive(Debug, SimpleObject)]
#[graphql(complex)]
pub(crate) struct TerritoryBuyer {
    #[graphql(skip)]
    buyer: leadyard_types::BuyerId,
    /// Postal codes it could buy from.
    codes: i32,
    /// Those of them on which something else of the lead decides.
    conditional: i32,
    /// Postal codes that no other buyer covers.
    alone: i32,
    /// Its contracts.
    contracts: Vec<TerritoryContract>,
}

/// One side of an overlap.
#[derive(Debug, SimpleObject)]
#[graphql(complex)]
pub(crate) struct TerritoryOverlapSide {
    #[graphql(skip)]
    buyer: leadyard_types::BuyerId,
    /// The names of its contracts that meet the other buyer.
    contract_names: Vec<String>,
}

/// Two buyers that buy from the same postal codes.
#[derive(Debug, SimpleObject)]
pub(crate) struct TerritoryOverlap {
    /// The two.
    buyers: Vec<TerritoryOverlapSide>,
    /// From how many postal codes both buy.
    codes: i32,
    /// The first of them.
    examples: Vec<PostalCode>,
}

/// Open codes that begin alike.
#[derive(Debug, SimpleObject)]
pub(crate) struct TerritoryHolePrefix {
    /// How they begin.
    prefix: String,
    /// How many are open.
    codes: i32,
    /// Of how many of the region that begin so.
    of: i32,
}

/// Postal codes of a state from which nobody buys.
#[derive(Debug, SimpleObject)]
pub(crate) struct TerritoryHole {
    /// The state's code; absent where postal data names none.
    state: Option<String>,
    /// What the state is called, where that is known.
    name: Option<String>,
    /// How many are open.
    codes: i32,
    /// Of how many of the region in that state.
    of: i32,
    /// By how they begin.
    prefixes: Vec<TerritoryHolePrefix>,
    /// The first of them.
    examples: Vec<PostalCode>,
}

/// A buyer that a draft would meet.
#[derive(Debug, SimpleObject)]
#[graphql(complex)]
pub(crate) struct TerritoryMeeting {
    #[graphql(skip)]
    buyer: leadyard_types::BuyerId,
    /// On how many postal codes.
    codes: i32,
    /// The first of them.
    examples: Vec<PostalCode>,
}

/// What a contract that is not there yet would do.
#[derive(Debug, SimpleObject)]
pub(crate) struct TerritoryDraft {
    /// Its postal codes within the region.
    codes: i32,
    /// Those from which nobody buys now.
    fills: i32,
    /// The first of those.
    fill_examples: Vec<PostalCode>,
    /// Whom it would meet, the most codes first.
    meets: Vec<TerritoryMeeting>,
    /// How many buyers it would meet.
    meets_total: i32,
    /// Codes it names that postal data does not know, the first ten.
    unknown_codes: Vec<PostalCode>,
}

/// Which postal codes of a campaign's country are bought from by whom: covered and open ones are all there are.
#[derive(Debug, SimpleObject)]
#[graphql(complex)]
pub(crate) struct Territory {
    #[graphql(skip)]
    campaign: CampaignId,
    /// Postal codes of the region.
    codes: i32,
    /// Those from which somebody could buy.
    covered: i32,
    /// Those of them on which something beside the place decides whether anybody does.
    conditional: i32,
    /// Those from which nobody buys.
    open: i32,
    /// The buyers that cover the most.
    buyers: Vec<TerritoryBuyer>,
    /// How many buyers there are.
    buyers_total: i32,
    /// The pairs of buyers that meet on the most codes.
    overlaps: Vec<TerritoryOverlap>,
    /// How many pairs meet, a whole number.
    overlaps_total: String,
    /// From where nobody buys, by state, the most codes first.
    holes: Vec<TerritoryHole>,
    /// What the draft would do, where one was given.
    draft: Option<TerritoryDraft>,
}

#[async_graphql::ComplexObject]
impl TerritoryContract {
    /// Which contract.
    async fn contract(&self, ctx: &Context<'_>) -> Result<Contract> {
        there(one!(ctx, ContractBy(self.contract.0) => Contract)?)
    }
}

#[async_graphql::ComplexObject]
impl TerritoryBuyer {
    /// Who buys there.
    async fn buyer(&self, ctx: &Context<'_>) -> Result<Buyer> {
        there(one!(ctx, BuyerBy(self.buyer.0) => Buyer)?)
    }
}

#[async_graphql::ComplexObject]
impl TerritoryOverlapSide {
    /// Who buys there.
    async fn buyer(&self, ctx: &Context<'_>) -> Result<Buyer> {
        there(one!(ctx, BuyerBy(self.buyer.0) => Buyer)?)
    }
}

#[async_graphql::ComplexObject]
impl TerritoryMeeting {
    /// Who buys there.
    async fn buyer(&self, ctx: &Context<'_>) -> Result<Buyer> {
        there(one!(ctx, BuyerBy(self.buyer.0) => Buyer)?)
    }
}

#[async_graphql::ComplexObject]
impl Territory {
    /// Whose territory it is.
    async fn campaign(&self, ctx: &Context<'_>) -> Result<Campaign> {
        there(one!(ctx, CampaignBy(self.campaign.0) => Campaign)?)
    }
}

fn codes(found: Vec<String>) -> Vec<PostalCode> {
    found.into_iter().map(PostalCode).collect()
}

/// A part of a country: exactly one of these.
#[derive(Debug, OneofObject)]
pub(crate) enum AreaInput {
    /// These postal codes.
    Codes(Vec<PostalCode>),
    /// Postal codes that begin with one of these.
    Prefixes(Vec<String>),
    /// Postal codes between two.
    Range(ConditionPostalRangeInput),
    /// A circle around a postal code.
    Radius(ConditionRadiusInput),
    /// These states, by their codes: `BE`.
    States(Vec<String>),
}

impl AreaInput {
    /// As people write it.
    fn written(self) -> String {
        match self {
            Self::Codes(codes) => {
                format!("codes:{}", codes.into_iter().map(String::from).collect::<Vec<_>>().join(","))
            }
            Self::Prefixes(prefixes) => format!("prefix:{}", prefixes.join(",")),
            // A code's own hyphen says nothing, and would part the two.
            Self::Range(range) => {
                format!("range:{}-{}", range.from.0.replace('-', ""), range.to.0.replace('-', ""))
            }
            Self::Radius(circle) => format!("radius:{}:{}", circle.postal_code.0, circle.km),
            Self::States(states) => format!("state:{}", states.join(",")),
        }
    }

    fn all(areas: Option<Vec<Self>>) -> Vec<String> {
        areas.unwrap_or_default().into_iter().map(Self::written).collect()
    }
}

impl From<found::TerritoryBuyer> for TerritoryBuyer {
    fn from(found: found::TerritoryBuyer) -> Self {
        let contract = |found: found::TerritoryContract| TerritoryContract {
            contract: found.contract_id,
            status: found.status.into(),
            codes: int(found.codes),
            conditional: int(found.conditional),
        };
        Self {
            buyer: found.buyer_id,
            codes: int(found.codes),
            conditional: int(found.conditional),
            alone: int(found.alone),
            contracts: found.contracts.into_iter().map(contract).collect(),
        }
    }
}

impl From<found::TerritoryOverlap> for TerritoryOverlap {
    fn from(found: found::TerritoryOverlap) -> Self {
        let side =
            |side: found::OverlapSide| TerritoryOverlapSide { buyer: side.buyer_id, contract_names: side.contracts };
        let buyers = found.buyers.into_iter().map(side).collect();
        Self { buyers, codes: int(found.codes), examples: codes(found.examples) }
    }
}

impl From<found::TerritoryHole> for TerritoryHole {
    fn from(found: found::TerritoryHole) -> Self {
        let prefix = |found: found::TerritoryHolePrefix| TerritoryHolePrefix {
            prefix: found.prefix,
            codes: int(found.codes),
            of: int(found.of),
        };
        Self {
            state: found.state,
            name: found.name,
            codes: int(found.codes),
            of: int(found.of),
            prefixes: found.prefixes.into_iter().map(prefix).collect(),
            examples: codes(found.examples),
        }
    }
}

impl From<found::TerritoryDraft> for TerritoryDraft {
    fn from(found: found::TerritoryDraft) -> Self {
        let meeting = |meets: found::DraftMeets| TerritoryMeeting {
            buyer: meets.buyer_id,
            codes: int(meets.codes),
            examples: codes(meets.examples),
        };
        Self {
            codes: int(found.codes),
            fills: int(found.fills),
            fill_examples: codes(found.fill_examples),
            meets: found.meets.into_iter().map(meeting).collect(),
            meets_total: int(found.meets_total),
            unknown_codes: codes(found.unknown_codes),
        }
    }
}

impl Territory {
    fn of(found: found::Territory, most: usize) -> Self {
        Self {
            campaign: found.campaign_id,
            codes: int(found.codes),
            covered: int(found.covered),
            conditional: int(found.conditional),
            open: int(found.open),
            buyers_total: int(found.buyers.len()),
            buyers: found.buyers.into_iter().take(most).map(TerritoryBuyer::from).collect(),
            overlaps: found.overlaps.into_iter().map(TerritoryOverlap::from).collect(),
            overlaps_total: found.overlaps_total.to_string(),
            holes: found.holes.into_iter().map(TerritoryHole::from).collect(),
            draft: found.draft.map(TerritoryDraft::from),
        }
    }
}

/// What is wrong with the question, without what was sent.
fn refused(error: TerritoryError) -> async_graphql::Error {
    match error {
        TerritoryError::Problem(problem) => match problem.code.as_str() {
            "INVALID_AREA" => fixed(
                "AREA_INVALID",
                "postal codes of the country, beginnings of such, two of the same length, a radius of 0 km or more, or states are expected",
            ),
            "UNKNOWN_CODE" => fixed("CODE_UNKNOWN", "a radius is measured from a code that is in the postal data"),
            "NO_POSTAL_CODES" => fixed(
                "NO_POSTAL_CODES",
                "no postal codes of the country are known: bring them in with `leadyard import postal-codes`",
            ),
            _ => internal(problem.message),
        },
        TerritoryError::Store(error) => store(error),
    }
}

/// Territories.
#[derive(Debug, Default)]
pub(crate) struct TerritoryQueries;

#[async_graphql::Object]
impl TerritoryQueries {
    /// Which postal codes are bought from by whom in a campaign, or in every campaign of a country; where buyers meet
    /// and where nobody buys. Several areas are taken together.
    #[allow(clippy::too_many_arguments, reason = "all of them belong to one question")]
    async fn territories(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Of this campaign.")] campaign_id: Option<ID>,
        #[graphql(desc = "Of every campaign of this country, ISO 3166; instead of a campaign.")] country: Option<
            String,
        >,
        #[graphql(desc = "Only this part of the country; left out, all of it.")] region: Option<Vec<AreaInput>>,
        #[graphql(desc = "The area of a contract that is not there yet.")] draft: Option<Vec<AreaInput>>,
        #[graphql(desc = "Count what is set aside as if it bought.")] include_paused: Option<bool>,
        #[graphql(desc = "The most buyers and pairs that are named, 1 to 100; 20 where left out.")] most: Option<i32>,
    ) -> Result<Vec<Territory>> {
        let market = market(ctx)?;
        let snapshot = market.refresh().await.map_err(store)?;
        let campaigns: Vec<CampaignId> = match (campaign_id, country) {
            (Some(id), None) => {
                let id = Kind::Campaign.read(&id).map(CampaignId::from);
                let known = id.filter(|id| snapshot.campaigns.contains_key(id));
                vec![known.ok_or_else(|| fixed("NOT_FOUND", "there is no such campaign"))?]
            }
            (None, Some(country)) => found::campaigns_of(&snapshot, &country),
            _ => return Err(fixed("ARGUMENT_INVALID", "give campaignId or country, one of them")),
        };
        let most = usize::try_from(most.unwrap_or(MOST_GIVEN)).ok().filter(|most| (1..=MOST_MAX).contains(most));
        let most = most.ok_or_else(|| fixed("ARGUMENT_INVALID", "most is 1 to 100"))?;
        let question = TerritoryQuestion {
            region: AreaInput::all(region),
            draft: AreaInput::all(draft),
            include_paused: include_paused.unwrap_or_default(),
            most,
        };
        match market.territories(&campaigns, &question, |_, _| {}).await {
            Ok(found) => Ok(found.into_iter().map(|found| Territory::of(found, most)).collect()),
            Err(error) => Err(refused(error)),
        }
    }
}
