//! Who covers what: the territories of campaigns' contracts by name, before a buyer goes live.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use leadyard_entity::{Read, StoreError, StoreResult};
use leadyard_types::field::FieldKind;
use leadyard_types::{BuyerId, CampaignId, ContractId, FieldProblem, Filter, Principal, Status, SystemTask};
use serde::Serialize;
use uuid::Uuid;

use crate::market::Market;
use crate::rules::filter::CompiledFilter;
use crate::rules::territory::{self, Ground, Question, Survey, parse_area};
use crate::snapshot::{self, Campaign, Contract, Snapshot};

/// How many codes that postal data does not know are named.
const UNKNOWN_NAMED: usize = 10;

/// What is asked about a campaign's territory.
#[derive(Debug, Clone, Default)]
pub struct TerritoryQuestion {
    /// The part of the country that is looked at, as people write areas; empty = all of it.
    pub region: Vec<String>,
    /// The area of a contract that is not there yet; empty = none.
    pub draft: Vec<String>,
    /// Whether contracts and buyers that are set aside count as if they bought.
    pub include_paused: bool,
    /// The most pairs of buyers that are named.
    pub most: usize,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum TerritoryError {
    /// Something in the question that can be put right.
    #[error("{}", .0.message)]
    Problem(FieldProblem),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A contract and how far it reaches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TerritoryContract {
    /// Which.
    pub contract_id: ContractId,
    /// Its name.
    pub contract: String,
    /// `ACTIVE`, or `PAUSED` if it or its buyer is set aside.
    pub status: Status,
    /// Postal codes on which its filter could match.
    pub codes: u32,
    /// Those of them on which something else of the lead decides.
    pub conditional: u32,
}

/// A buyer and what its contracts cover together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TerritoryBuyer {
    /// Which.
    pub buyer_id: BuyerId,
    /// Its name.
    pub buyer: String,
    /// Postal codes it could buy from.
    pub codes: u32,
    /// Those of them on which something else of the lead decides.
    pub conditional: u32,
    /// Postal codes that no other buyer covers.
    pub alone: u32,
    /// Its contracts.
    pub contracts: Vec<TerritoryContract>,
}

/// One side of an overlap.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OverlapSide {
    /// Who.
    pub buyer_id: BuyerId,
    /// Its name.
    pub buyer: String,
    /// The names of its contracts that meet the other buyer.
    pub contracts: Vec<String>,
}

/// Two buyers that buy from the same postal codes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TerritoryOverlap {
    /// The two.
    pub buyers: [OverlapSide; 2],
    /// From how many.
    pub codes: u32,
    /// The first of them.
    pub examples: Vec<String>,
}

/// Open codes that begin alike.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TerritoryHolePrefix {
    /// How they begin.
    pub prefix: String,
    /// How many are open.
    pub codes: u32,
    /// Of how many.
    pub of: u32,
}

/// Postal codes of a state from which nobody buys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TerritoryHole {
    /// The state's code; absent where postal data names none.
    pub state: Option<String>,
    /// What it is called, where that is known.
    pub name: Option<String>,
    /// How many are open.
    pub codes: u32,
    /// Of how many of the region in that state.
    pub of: u32,
    /// By how they begin.
    pub prefixes: Vec<TerritoryHolePrefix>,
    /// The first of them.
    pub examples: Vec<String>,
}

/// A buyer that a draft would meet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DraftMeets {
    /// Who.
    pub buyer_id: BuyerId,
    /// Its name.
    pub buyer: String,
    /// On how many postal codes.
    pub codes: u32,
    /// The first of them.
    pub examples: Vec<String>,
}

/// What a contract that is not there yet would do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TerritoryDraft {
    /// Its postal codes within the region.
    pub codes: u32,
    /// Those from which nobody buys now.
    pub fills: u32,
    /// The first of those.
    pub fill_examples: Vec<String>,
    /// Whom it would meet, the most codes first.
    pub meets: Vec<DraftMeets>,
    /// How many buyers it would meet.
    pub meets_total: usize,
    /// Codes it names that postal data does not know, the first ten.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unknown_codes: Vec<String>,
    /// How many such codes there are.
    #[serde(skip_serializing_if = "is_zero")]
    pub unknown_total: usize,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "the serialiser asks by reference")]
const fn is_zero(count: &usize) -> bool {
    *count == 0
}

/// A campaign's territory. `covered + open = codes`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Territory {
    /// Which campaign.
    pub campaign_id: CampaignId,
    /// Its name.
    pub campaign: String,
    /// Its country, ISO 3166.
    pub country: String,
    /// Postal codes of the region.
    pub codes: u32,
    /// Those from which somebody could buy.
    pub covered: u32,
    /// Those of them on which something else of the lead decides whether anybody does.
    pub conditional: u32,
    /// Those from which nobody buys.
    pub open: u32,
    /// The buyers, the widest first.
    pub buyers: Vec<TerritoryBuyer>,
    /// The pairs of buyers that meet on the most codes.
    pub overlaps: Vec<TerritoryOverlap>,
    /// How many pairs meet.
    pub overlaps_total: u64,
    /// From where nobody buys, by state, the most codes first.
    pub holes: Vec<TerritoryHole>,
    /// What the draft would do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub draft: Option<TerritoryDraft>,
}

/// One buyer's contracts in the question.
struct Side {
    id: BuyerId,
    name: String,
    contracts: Vec<(Arc<Contract>, Status)>,
}

/// Everything the survey needs, loaded.
struct Laid {
    campaign: Arc<Campaign>,
    ground: Arc<Ground>,
    region: Option<CompiledFilter>,
    draft: Option<CompiledFilter>,
    sides: Vec<Side>,
    most: usize,
}

impl Market {
    /// The territories of campaigns, in their order. `progress` is told, for each, of steps done and how many there are.
    /// The work is done beside everything else the process does.
    ///
    /// # Errors
    /// An area that cannot be read, a centre that postal data does not know, a country without postal data.
    pub async fn territories(
        &self,
        campaigns: &[CampaignId],
        question: &TerritoryQuestion,
        mut progress: impl FnMut(u64, u64) + Send + 'static,
    ) -> Result<Vec<Territory>, TerritoryError> {
        let region = area("region", &question.region)?;
        let draft = area("draft", &question.draft)?;
        let snapshot = self.refresh().await?;
        let read = self.store.read(Principal::System(SystemTask::Place));
        let mut grounds: BTreeMap<(String, Option<String>), Arc<Ground>> = BTreeMap::new();
        let mut found = Vec::with_capacity(campaigns.len());
        for id in campaigns {
            let Some(campaign) = snapshot.campaigns.get(id) else { continue };
            let postal_field = postal_field(&snapshot, campaign);
            let key = (campaign.country.clone(), postal_field.clone());
            let ground = grounds
                .entry(key)
                .or_insert_with(|| Arc::new(Ground::new(&campaign.country, &snapshot.postal, postal_field.as_deref())));
            let laid = Laid {
                campaign: Arc::clone(campaign),
                region: compile("region", region.as_ref(), ground, &snapshot)?,
                draft: compile("draft", draft.as_ref(), ground, &snapshot)?,
                ground: Arc::clone(ground),
                sides: sides(&read, &snapshot, campaign, question.include_paused).await?,
                most: question.most,
            };
            let surveyed = tokio::task::spawn_blocking(move || {
                let territory = laid.survey(&mut progress);
                (territory, progress)
            });
            let (territory, back) =
                surveyed.await.map_err(|_| StoreError::Fault("a survey of a territory died".to_owned()))?;
            progress = back;
            found.push(territory);
        }
        Ok(found)
    }
}

/// The campaigns of a country that have not ended, by name.
#[must_use]
pub fn campaigns_of(snapshot: &Snapshot, country: &str) -> Vec<CampaignId> {
    let is_there = |campaign: &&Arc<Campaign>| {
        campaign.country.eq_ignore_ascii_case(country) && campaign.terms.status != Status::Archived
    };
    let mut found: Vec<&Arc<Campaign>> = snapshot.campaigns.values().filter(is_there).collect();
    found.sort_by(|a, b| (&a.name, a.id).cmp(&(&b.name, b.id)));
    found.into_iter().map(|campaign| campaign.id).collect()
}

fn problem(field: &str, code: &str, message: String) -> TerritoryError {
    TerritoryError::Problem(FieldProblem::new(field, code, message))
}

fn area(field: &str, written: &[String]) -> Result<Option<Filter>, TerritoryError> {
    if written.is_empty() {
        return Ok(None);
    }
    parse_area(written).map(Some).map_err(|message| problem(field, "INVALID_AREA", message))
}

/// The filter of an area on a ground; what it is measured from must be known there.
fn compile(
    field: &str,
    area: Option<&Filter>,
    ground: &Ground,
    snapshot: &Snapshot,
) -> Result<Option<CompiledFilter>, TerritoryError> {
    let country = ground.country();
    if ground.is_empty() {
        let message =
            format!("no postal codes of {country} are known: bring them in with `leadyard import postal-codes`");
        return Err(problem("country", "NO_POSTAL_CODES", message));
    }
    let Some(area) = area else { return Ok(None) };
    let parts = if let Filter::Any { of } = area { of.as_slice() } else { std::slice::from_ref(area) };
    for part in parts {
        if let Filter::Radius { postal_code, .. } = part
            && ground.unknown_codes(&compiled(field, part, country, snapshot)?, 1).1 > 0
        {
            let message = format!("{postal_code} is not in the postal data of {country}: measure from another code");
            return Err(problem(field, "UNKNOWN_CODE", message));
        }
    }
    compiled(field, area, country, snapshot).map(Some)
}

fn compiled(field: &str, area: &Filter, country: &str, snapshot: &Snapshot) -> Result<CompiledFilter, TerritoryError> {
    CompiledFilter::compile(area, country, snapshot.postal.as_ref()).map_err(|problems| {
        let said = problems.first().map(|found| found.message.as_str()).unwrap_or_default();
        problem(field, "INVALID_AREA", format!("the area cannot be taken: {said}"))
    })
}

/// The one field that holds leads' postal codes, if there is one.
fn postal_field(snapshot: &Snapshot, campaign: &Campaign) -> Option<String> {
    let vertical = snapshot.verticals.get(&campaign.vertical_id)?;
    let mut fields = vertical.terms.fields.iter().filter(|field| field.kind == FieldKind::PostalCode);
    let only = fields.next().map(|field| field.key.clone());
    only.filter(|_| fields.next().is_none())
}

/// The contracts of a campaign by buyer, in the order of the buyers' names.
async fn sides(read: &Read, snapshot: &Snapshot, campaign: &Campaign, include_paused: bool) -> StoreResult<Vec<Side>> {
    let running = snapshot.contracts.get(&campaign.id).into_iter().flat_map(|contracts| contracts.iter());
    let mut contracts: Vec<Arc<Contract>> = running.cloned().collect();
    if include_paused {
        // What its buyer paused itself stands as active in the operator's terms.
        let known: BTreeSet<Uuid> = contracts.iter().map(|contract| contract.id.0).collect();
        for status in [Status::Paused, Status::Active] {
            let heads = read.contracts_of_campaign(campaign.id, status).await?;
            for head in heads.iter().filter(|head| !known.contains(&head.id)) {
                let contract = snapshot::contract(head, &campaign.country, &snapshot.postal)?;
                // A contract in test mode buys nothing, set aside or not.
                contracts.extend((!contract.terms.test).then(|| Arc::new(contract)));
            }
        }
    }
    let mut sides: BTreeMap<BuyerId, Side> = BTreeMap::new();
    for contract in contracts {
        let Some(buyer) = snapshot.buyers.get(&contract.buyer_id) else { continue };
        let status = match (contract.terms.status, buyer.terms.status) {
            (Status::Archived, _) | (_, Status::Archived) => continue,
            (Status::Active, Status::Active) if contract.runs() => Status::Active,
            _ if include_paused => Status::Paused,
            _ => continue,
        };
        let side = || Side { id: buyer.id, name: buyer.name.clone(), contracts: Vec::new() };
        sides.entry(buyer.id).or_insert_with(side).contracts.push((contract, status));
    }
    let mut sides: Vec<Side> = sides.into_values().collect();
    sides.sort_by(|a, b| (&a.name, a.id).cmp(&(&b.name, b.id)));
    for side in &mut sides {
        side.contracts.sort_by(|(a, _), (b, _)| (&a.name, a.id).cmp(&(&b.name, b.id)));
    }
    Ok(sides)
}

impl Laid {
    fn survey(&self, progress: &mut dyn FnMut(u64, u64)) -> Territory {
        let filters = |side: &Side| side.contracts.iter().map(|(contract, _)| contract.whole_filter()).collect();
        let buyers: Vec<Vec<Option<Arc<CompiledFilter>>>> = self.sides.iter().map(filters).collect();
        let question = Question {
            ground: &self.ground,
            region: self.region.as_ref(),
            buyers: &buyers,
            draft: self.draft.as_ref(),
            most: self.most,
        };
        self.named(territory::survey(&question, progress))
    }

    fn named(&self, survey: Survey) -> Territory {
        let mut buyers: Vec<TerritoryBuyer> =
            self.sides.iter().zip(&survey.buyers).map(|(side, found)| side.named(found)).collect();
        buyers.sort_by_key(|buyer| std::cmp::Reverse(buyer.codes));
        Territory {
            campaign_id: self.campaign.id,
            campaign: self.campaign.name.clone(),
            country: self.campaign.country.clone(),
            codes: survey.codes,
            covered: survey.covered,
            conditional: survey.conditional,
            open: survey.codes - survey.covered,
            buyers,
            overlaps: survey.overlaps.iter().filter_map(|overlap| self.overlap(overlap)).collect(),
            overlaps_total: survey.overlaps_total,
            holes: survey.holes.into_iter().map(TerritoryHole::from).collect(),
            draft: self.draft.as_ref().zip(survey.draft).map(|(filter, draft)| self.drafted(filter, draft)),
        }
    }

    fn overlap(&self, overlap: &territory::Overlap) -> Option<TerritoryOverlap> {
        let side = |at: usize| {
            let side = self.sides.get(overlap.buyers[at])?;
            let contracts = overlap.contracts[at].iter().filter_map(|place| side.contracts.get(*place));
            let contracts = contracts.map(|(contract, _)| contract.name.clone()).collect();
            Some(OverlapSide { buyer_id: side.id, buyer: side.name.clone(), contracts })
        };
        let examples = overlap.examples.clone();
        Some(TerritoryOverlap { buyers: [side(0)?, side(1)?], codes: overlap.codes, examples })
    }

    fn drafted(&self, filter: &CompiledFilter, draft: territory::DraftExtent) -> TerritoryDraft {
        let (unknown_codes, unknown_total) = self.ground.unknown_codes(filter, UNKNOWN_NAMED);
        let meets = draft.meets.into_iter().filter_map(|(buyer, codes, examples)| {
            let side = self.sides.get(buyer)?;
            Some(DraftMeets { buyer_id: side.id, buyer: side.name.clone(), codes, examples })
        });
        TerritoryDraft {
            codes: draft.codes,
            fills: draft.fills,
            fill_examples: draft.fill_examples,
            meets: meets.collect(),
            meets_total: draft.meets_total,
            unknown_codes,
            unknown_total,
        }
    }
}

impl Side {
    fn named(&self, found: &territory::BuyerExtent) -> TerritoryBuyer {
        let contract = |((contract, status), extent): (&(Arc<Contract>, Status), &territory::Extent)| {
            let territory::Extent { codes, conditional } = *extent;
            let name = contract.name.clone();
            TerritoryContract { contract_id: contract.id, contract: name, status: *status, codes, conditional }
        };
        TerritoryBuyer {
            buyer_id: self.id,
            buyer: self.name.clone(),
            codes: found.extent.codes,
            conditional: found.extent.conditional,
            alone: found.alone,
            contracts: self.contracts.iter().zip(&found.contracts).map(contract).collect(),
        }
    }
}

impl From<territory::Hole> for TerritoryHole {
    fn from(hole: territory::Hole) -> Self {
        let territory::Hole { state, name, codes, of, prefixes, examples } = hole;
        let prefix = |found: territory::HolePrefix| {
            let territory::HolePrefix { prefix, codes, of } = found;
            TerritoryHolePrefix { prefix, codes, of }
        };
        Self { state, name, codes, of, prefixes: prefixes.into_iter().map(prefix).collect(), examples }
    }
}
