//! Contracts: what buyers want and pay.

use std::collections::{BTreeSet, HashMap, HashSet};

use leadyard_entity::ledger::AccountKey;
use leadyard_entity::model::contract;
use leadyard_entity::setup::{Noun, Revised};
use leadyard_entity::{StoreError, Write};
use leadyard_types::{
    AccountKind, BuyerId, CampaignId, ContractId, ContractTerms, DestinationId, DestinationKind, FieldProblem,
    SourceId, Status, Verdict,
};
use serde_json::json;
use uuid::Uuid;

use crate::waiting::wake;

use super::bounds::forget_counters_if_capped_otherwise;
use super::{
    CampaignFacts, HeadChange, Setup, SetupError, SetupResult, check, expect_version, from_text, refuse, revise,
    to_text,
};

/// A contract to be made.
#[derive(Debug, Clone)]
pub struct NewContract {
    /// Its campaign.
    pub campaign_id: CampaignId,
    /// Its buyer.
    pub buyer_id: BuyerId,
    /// What people call it.
    pub name: String,
    /// Its terms.
    pub terms: ContractTerms,
}

impl Setup {
    /// Makes contracts, all or none, in set-based statements. A buyer gets a wallet in the campaign's currency.
    pub async fn create_contracts(&self, new: Vec<NewContract>) -> SetupResult<Vec<ContractId>> {
        let mut write = self.change().await?;
        let references = References::load(&write, &new, None).await?;
        let mut problems = Vec::new();
        for (position, contract) in new.iter().enumerate() {
            let found = [check::name("name", &contract.name), references.problems(contract)?].concat();
            problems.extend(found.into_iter().map(|problem| FieldProblem {
                field: if new.len() == 1 { problem.field.clone() } else { format!("{position}.{}", problem.field) },
                ..problem
            }));
        }
        refuse(problems)?;
        let wallets = references.wallets(&new);
        let campaigns = new.iter().map(|new| new.campaign_id).collect();
        let ids: Vec<Uuid> = new.iter().map(|_| self.new_id()).collect();
        self.add_contracts(&write, &ids, new, &wallets).await?;
        wake(&mut write, &campaigns).await?;
        let _ = write.commit().await?;
        Ok(ids.into_iter().map(ContractId).collect())
    }

    /// Writes contracts that were checked, with their line in the audit.
    pub(super) async fn add_contracts(
        &self,
        write: &Write,
        ids: &[Uuid],
        new: Vec<NewContract>,
        wallets: &BTreeSet<AccountKey>,
    ) -> SetupResult<()> {
        let terms =
            ids.iter().zip(&new).map(|(id, new)| Ok((*id, to_text(&new.terms)?))).collect::<SetupResult<Vec<_>>>()?;
        write.ensure_accounts(wallets).await?;
        let revisions = write.add_revisions(Revised::Contract, terms).await?;
        let now = self.store.clock().now();
        let rows = new.into_iter().zip(ids).zip(revisions).map(|((new, id), revision)| contract::Model {
            id: *id,
            campaign_id: new.campaign_id.0,
            buyer_id: new.buyer_id.0,
            name: new.name,
            status: new.terms.status.as_str().to_owned(),
            revision_id: revision.0,
            version: 1,
            created_at: now,
        });
        write.add_contracts(rows.collect()).await?;
        write.audit("create", "contract", ids.first().copied(), &json!({ "contracts": ids.len() })).await?;
        Ok(())
    }

    /// Makes one contract.
    pub async fn create_contract(&self, new: NewContract) -> SetupResult<ContractId> {
        let ids = self.create_contracts(vec![new]).await?;
        ids.first().copied().ok_or(SetupError::NotFound("contract"))
    }

    /// Changes a contract's terms; acts with the next placement. Answers the new version.
    pub async fn revise_contract(&self, id: ContractId, expected: i64, terms: ContractTerms) -> SetupResult<i64> {
        self.update_contract(id, expected, HeadChange::default(), terms).await
    }

    /// Changes a contract's name and terms.
    pub async fn update_contract(
        &self,
        id: ContractId,
        expected: i64,
        head: HeadChange,
        terms: ContractTerms,
    ) -> SetupResult<i64> {
        let write = self.change().await?;
        let current = self.head(&write, Revised::Contract, id.0).await?;
        expect_version(current.version, expected)?;
        let new = NewContract {
            campaign_id: CampaignId(current.parent_id.unwrap_or_default()),
            buyer_id: BuyerId(current.owner_id.unwrap_or_default()),
            name: current.name.clone(),
            terms,
        };
        let mut problems = head.problems(&write, Noun::Contract, id.0, None).await?;
        problems.extend(References::load(&write, std::slice::from_ref(&new), Some(id)).await?.problems(&new)?);
        refuse(problems)?;
        write.lock_wallets(&[new.buyer_id].into()).await?;
        head.write(&write, Noun::Contract, id.0).await?;
        forget_counters_if_capped_otherwise(&write, &current, &from_text(&current)?, &new.terms).await?;
        self.save(write, &current, Some(new.terms.status), &new.terms).await
    }

    /// Pauses, resumes or archives a contract: a new revision with another status.
    pub async fn set_contract_status(&self, id: ContractId, expected: i64, status: Status) -> SetupResult<i64> {
        let write = self.change().await?;
        let current = self.head(&write, Revised::Contract, id.0).await?;
        expect_version(current.version, expected)?;
        let terms = ContractTerms { status, ..from_text(&current)? };
        self.save(write, &current, Some(status), &terms).await
    }
}

/// What came of setting the status of many contracts: for each, in order, its new version or why not.
pub type ContractsStatus = Vec<Result<i64, SetupError>>;

impl Setup {
    /// Pauses, resumes or archives many contracts in one transaction, as they are now. What cannot be changed is told, and
    /// keeps none of the others from it; one that has the status already stays at its version.
    pub async fn set_contracts_status(&self, ids: &[ContractId], status: Status) -> SetupResult<ContractsStatus> {
        let mut write = self.change().await?;
        let mut heads = write.current(Revised::Contract, ids.iter().map(|id| id.0)).await?;
        let (mut done, mut campaigns) = (Vec::new(), BTreeSet::new());
        for id in ids {
            // The second of two that are the same finds nothing left to do.
            let Some(current) = heads.get_mut(&id.0) else {
                done.push(Err(SetupError::NotFound("contract")));
                continue;
            };
            if current.status == Some(status) {
                done.push(Ok(current.version));
                continue;
            }
            let terms = ContractTerms { status, ..from_text(current)? };
            match revise(&write, current, Some(status), &terms).await {
                Ok(version) => {
                    (current.status, current.version) = (Some(status), version);
                    campaigns.extend(current.parent_id.map(CampaignId));
                    done.push(Ok(version));
                }
                Err(error @ SetupError::InvalidTransition(_)) => done.push(Err(error)),
                Err(other) => return Err(other),
            }
        }
        if campaigns.is_empty() {
            write.rollback().await?;
            return Ok(done);
        }
        wake(&mut write, &campaigns).await?;
        let _ = write.commit().await?;
        Ok(done)
    }
}

/// What contracts refer to, loaded in a fixed number of statements.
pub(crate) struct References {
    pub(crate) campaigns: HashMap<Uuid, CampaignFacts>,
    pub(crate) buyers: HashSet<Uuid>,
    pub(crate) destinations: HashMap<DestinationId, Place>,
    /// The campaign of each source named.
    pub(crate) sources: HashMap<Uuid, Option<Uuid>>,
    /// What contracts in test mode, and what others, name already.
    pub(crate) named: HashMap<bool, HashSet<DestinationId>>,
}

/// What has to be known of a destination.
pub(crate) struct Place {
    /// Whose it is.
    pub(crate) buyer_id: Uuid,
    /// The word for its kind.
    pub(crate) kind: String,
}

impl References {
    async fn load(write: &Write, new: &[NewContract], revised: Option<ContractId>) -> SetupResult<Self> {
        let sources = new.iter().flat_map(|new| new.terms.sources_allowed.iter().chain(&new.terms.sources_denied));
        let sources: Vec<Uuid> = sources.map(|id| id.0).collect();
        let sources = write.current(Revised::Source, sources).await?;
        let destinations = new.iter().flat_map(|new| new.terms.destinations.iter().chain(&new.terms.ping).copied());
        let destinations: Vec<DestinationId> = destinations.collect();
        let destinations = write.destinations(destinations).await?;
        Ok(Self {
            campaigns: CampaignFacts::load(write, new.iter().map(|new| new.campaign_id.0)).await?,
            buyers: write.existing(Noun::Buyer, new.iter().map(|new| new.buyer_id.0)).await?,
            destinations: destinations
                .into_iter()
                .map(|(id, row)| (id, Place { buyer_id: row.buyer_id, kind: row.kind }))
                .collect(),
            sources: sources.into_iter().map(|(id, head)| (id, head.parent_id)).collect(),
            named: Self::named(write, new, revised).await?,
        })
    }

    /// What is named by contracts of the other mode: a test never goes where leads go, and no lead where tests go.
    async fn named(
        write: &Write,
        new: &[NewContract],
        revised: Option<ContractId>,
    ) -> SetupResult<HashMap<bool, HashSet<DestinationId>>> {
        let mut named: HashMap<bool, HashSet<DestinationId>> = HashMap::new();
        for test in [false, true] {
            let of_mode = new.iter().filter(|new| new.terms.test == test);
            let destinations = of_mode.flat_map(|new| new.terms.destinations.iter().chain(&new.terms.ping).copied());
            let destinations: Vec<DestinationId> = destinations.collect();
            for (id, terms) in write.contracts_beside(destinations, !test).await? {
                let terms: ContractTerms = serde_json::from_str(&terms).map_err(StoreError::corrupt)?;
                if Some(ContractId(id)) != revised {
                    named.entry(terms.test).or_default().extend(terms.destinations.iter().chain(&terms.ping));
                }
            }
        }
        Ok(named)
    }

    fn wallets(&self, new: &[NewContract]) -> BTreeSet<AccountKey> {
        let wallet = |new: &NewContract| {
            let currency = self.campaigns.get(&new.campaign_id.0)?.currency;
            Some((AccountKind::BuyerWallet, new.buyer_id.0, currency))
        };
        new.iter().filter_map(wallet).collect()
    }

    pub(crate) fn problems(&self, new: &NewContract) -> SetupResult<Vec<FieldProblem>> {
        let campaign = self.campaigns.get(&new.campaign_id.0).ok_or(SetupError::NotFound("campaign"))?;
        if !self.buyers.contains(&new.buyer_id.0) {
            return Err(SetupError::NotFound("buyer"));
        }
        let terms = &new.terms;
        let mut problems = check::contract(terms, campaign);
        for (field, sources) in [("sources_allowed", &terms.sources_allowed), ("sources_denied", &terms.sources_denied)]
        {
            problems.extend(self.foreign_sources(field, sources, new.campaign_id));
        }
        problems.extend(self.destination_problems(terms, new.buyer_id));
        Ok(problems)
    }

    fn foreign_sources(
        &self,
        field: &'static str,
        sources: &[SourceId],
        campaign: CampaignId,
    ) -> impl Iterator<Item = FieldProblem> {
        let own = move |source: &SourceId| self.sources.get(&source.0) == Some(&Some(campaign.0));
        sources.iter().enumerate().filter(move |(_, source)| !own(source)).map(move |(position, _)| {
            FieldProblem::new(format!("{field}.{position}"), "NOT_FOUND", "the campaign has no such source")
        })
    }

    /// A contract delivers to its own buyer's destinations only, to each once, and asks only what can answer.
    fn destination_problems(&self, terms: &ContractTerms, buyer: BuyerId) -> Vec<FieldProblem> {
        let mut problems = Vec::new();
        let of_other_mode = |id: &DestinationId| self.named.get(&!terms.test).is_some_and(|named| named.contains(id));
        let other_mode = if terms.test {
            "leads are delivered there: a test goes to an address of its own"
        } else {
            "tests are delivered there: end the test contract, or name another destination"
        };
        for (position, id) in terms.destinations.iter().enumerate() {
            let mut problem = |code: &str, message: &str| {
                problems.push(FieldProblem::new(format!("destinations.{position}"), code, message));
            };
            let known = self.destinations.get(id).filter(|row| row.buyer_id == buyer.0);
            if known.is_none() {
                problem("NOT_FOUND", "the buyer has no such destination");
            }
            if of_other_mode(id) {
                problem("TEST_MODE", other_mode);
            }
            if terms.destinations.iter().take(position).any(|earlier| earlier == id) {
                problem("DUPLICATE", "a lead goes to each destination once");
            }
            if known.is_some_and(|row| row.kind == DestinationKind::Ping.as_str()) {
                problem("NOT_ALLOWED", "a buyer is asked there for bids; leads are delivered elsewhere");
            }
            let can_answer = known.is_none_or(|row| row.kind == DestinationKind::Webhook.as_str());
            if position == 0 && terms.verdict == Verdict::Sync && !can_answer {
                problem("CANNOT_ANSWER", "the first destination is asked for the verdict: only a webhook can answer");
            }
        }
        let asks = |id: &DestinationId| {
            let known = self.destinations.get(id).filter(|row| row.buyer_id == buyer.0);
            known.is_some_and(|row| row.kind == DestinationKind::Ping.as_str())
        };
        if terms.ping.is_some_and(|id| !asks(&id)) {
            problems.push(FieldProblem::new("ping", "NOT_FOUND", "the buyer has no such destination of kind PING"));
        }
        if terms.ping.as_ref().is_some_and(of_other_mode) {
            problems.push(FieldProblem::new("ping", "TEST_MODE", other_mode));
        }
        problems
    }
}
