//! Changing terms: a new revision, if nobody was faster.

use leadyard_entity::setup::{Revised, RevisionResult};
use leadyard_entity::{StoreError, Write};
use leadyard_types::{
    BuyerId, BuyerTerms, CampaignId, CampaignTerms, ContractId, ContractTerms, FieldProblem, SourceId, SourceTerms,
    Status,
};
use serde::Serialize;
use serde_json::json;
use uuid::Uuid;

use super::{NewContract, Setup, SetupError, SetupResult, check};
use crate::snapshot::Snapshot;

impl Setup {
    /// Changes a contract's terms; acts with the next placement. Answers the new version.
    pub async fn revise_contract(&self, id: ContractId, expected: i64, terms: ContractTerms) -> SetupResult<i64> {
        let snapshot = Snapshot::load(&self.store).await?;
        let known = snapshot.contracts.values().find_map(|contracts| contracts.get(&id));
        let known = known.ok_or(SetupError::NotFound("contract"))?;
        let campaign = snapshot.campaigns.get(&known.campaign_id).ok_or(SetupError::NotFound("campaign"))?;
        refuse(check::contract(&terms, campaign))?;
        let write = self.change().await?;
        let new = NewContract {
            campaign_id: known.campaign_id,
            buyer_id: known.buyer_id,
            name: known.name.clone(),
            terms: terms.clone(),
        };
        self.destinations_belong(&write, &[new]).await?;
        write.lock_wallets(&[known.buyer_id].into()).await?;
        write.forget_counters(&[id.0]).await?;
        self.save(write, Revised::Contract, id.0, expected, Some(terms.status), &terms).await
    }

    /// Changes a buyer's terms.
    pub async fn revise_buyer(&self, id: BuyerId, expected: i64, terms: BuyerTerms) -> SetupResult<i64> {
        refuse(check::buyer(&terms))?;
        let write = self.change().await?;
        write.lock_wallets(&[id].into()).await?;
        // Its contracts' caps are read in its time zone, so their buckets may move too.
        let mut owners = write.contracts_of_buyer(id.0).await?;
        owners.push(id.0);
        write.forget_counters(&owners).await?;
        self.save(write, Revised::Buyer, id.0, expected, Some(terms.status), &terms).await
    }

    /// Changes a campaign's terms.
    pub async fn revise_campaign(&self, id: CampaignId, expected: i64, terms: CampaignTerms) -> SetupResult<i64> {
        let snapshot = Snapshot::load(&self.store).await?;
        let known = snapshot.campaigns.get(&id).ok_or(SetupError::NotFound("campaign"))?;
        refuse(check::campaign(&terms, &snapshot, known.vertical_id))?;
        let write = self.change().await?;
        write.lock_campaigns(&[id].into()).await?;
        // Its sources' caps are read in its time zone.
        let sources = snapshot.sources.values().filter(|source| source.campaign_id == id).map(|source| source.id.0);
        let owners: Vec<Uuid> = sources.chain([id.0]).collect();
        write.forget_counters(&owners).await?;
        self.save(write, Revised::Campaign, id.0, expected, Some(terms.status), &terms).await
    }

    /// Changes a source's terms.
    pub async fn revise_source(&self, id: SourceId, expected: i64, terms: SourceTerms) -> SetupResult<i64> {
        let snapshot = Snapshot::load(&self.store).await?;
        let known = snapshot.sources.get(&id).ok_or(SetupError::NotFound("source"))?;
        let campaign = snapshot.campaigns.get(&known.campaign_id).ok_or(SetupError::NotFound("campaign"))?;
        refuse(check::source(&terms, campaign))?;
        let write = self.change().await?;
        write.lock_campaigns(&[known.campaign_id].into()).await?;
        write.forget_counters(&[id.0]).await?;
        self.save(write, Revised::Source, id.0, expected, Some(terms.status), &terms).await
    }

    async fn save<T: Serialize>(
        &self,
        write: Write,
        noun: Revised,
        id: Uuid,
        expected: i64,
        status: Option<Status>,
        terms: &T,
    ) -> SetupResult<i64> {
        let terms = serde_json::to_string(terms).map_err(StoreError::corrupt)?;
        match write.revise(noun, id, expected, status, terms).await? {
            RevisionResult::Made(version) => {
                write.audit("revise", noun.as_str(), Some(id), &json!({ "version": version })).await?;
                let _ = write.commit().await?;
                Ok(version)
            }
            RevisionResult::Stale(current) => {
                write.rollback().await?;
                Err(SetupError::StaleVersion { current })
            }
            RevisionResult::Missing => {
                write.rollback().await?;
                Err(SetupError::NotFound(noun.as_str()))
            }
        }
    }
}

fn refuse(problems: Vec<FieldProblem>) -> SetupResult<()> {
    if problems.is_empty() { Ok(()) } else { Err(SetupError::Problems(problems)) }
}
