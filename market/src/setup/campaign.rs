//! Campaigns: the distribution pipelines.

use std::collections::BTreeSet;

use leadyard_entity::Write;
use leadyard_entity::model::campaign;
use leadyard_entity::setup::{Noun, Revised};
use leadyard_types::{CampaignId, CampaignTerms, ContractTerms, Currency, FieldProblem, Status, VerticalId};
use uuid::Uuid;

use super::{
    CampaignFacts, HeadChange, Setup, SetupResult, check, expect_version, first_revision, from_text, refuse, unused,
};

/// A campaign to be made.
#[derive(Debug, Clone)]
pub struct NewCampaign {
    /// Its vertical.
    pub vertical_id: VerticalId,
    /// What people call it.
    pub name: String,
    /// ISO 3166, two letters.
    pub country: String,
    /// Its one currency.
    pub currency: Currency,
    /// Its terms.
    pub terms: CampaignTerms,
}

impl Setup {
    /// Makes a campaign.
    pub async fn create_campaign(&self, new: NewCampaign) -> SetupResult<CampaignId> {
        let write = self.change().await?;
        let vertical = from_text(&self.head(&write, Revised::Vertical, new.vertical_id.0).await?)?;
        let terms = check::campaign(&new.terms, &vertical, &self.policy);
        let mut problems = [check::name("name", &new.name), check::country(&new.country), terms].concat();
        problems.extend(unused(&write, Noun::Campaign, &new.name, None, None).await?);
        refuse(problems)?;
        let id = self.new_id();
        self.add_campaign(&write, id, new).await?;
        self.finish(write, "create", "campaign", id).await?;
        Ok(CampaignId(id))
    }

    /// Writes a campaign that was checked.
    pub(super) async fn add_campaign(&self, write: &Write, id: Uuid, new: NewCampaign) -> SetupResult<()> {
        let revision = first_revision(write, Revised::Campaign, id, &new.terms).await?;
        let row = campaign::Model {
            id,
            vertical_id: new.vertical_id.0,
            name: new.name,
            country: new.country,
            currency: new.currency.as_str().to_owned(),
            status: new.terms.status.as_str().to_owned(),
            revision_id: revision.0,
            version: 1,
            created_at: self.store.clock().now(),
        };
        Ok(write.add_campaigns(vec![row]).await?)
    }

    /// Changes a campaign's terms; acts with the next placement. Answers the new version.
    pub async fn revise_campaign(&self, id: CampaignId, expected: i64, terms: CampaignTerms) -> SetupResult<i64> {
        self.update_campaign(id, expected, HeadChange::default(), terms).await
    }

    /// Changes a campaign's name and terms.
    pub async fn update_campaign(
        &self,
        id: CampaignId,
        expected: i64,
        head: HeadChange,
        terms: CampaignTerms,
    ) -> SetupResult<i64> {
        let write = self.change().await?;
        let current = self.head(&write, Revised::Campaign, id.0).await?;
        expect_version(current.version, expected)?;
        let known = CampaignFacts::one(&write, id.0).await?;
        let mut problems = head.problems(&write, Noun::Campaign, id.0, None).await?;
        problems.extend(check::campaign(&terms, &known.vertical, &self.policy));
        problems.extend(stages_in_use(&write, id, &known.terms, &terms).await?);
        refuse(problems)?;
        write.lock_campaigns(&[id].into()).await?;
        head.write(&write, Noun::Campaign, id.0).await?;
        recount(&write, id, &known.terms, &terms).await?;
        self.save(write, &current, Some(terms.status), &terms).await
    }

    /// Pauses, resumes or archives a campaign: a new revision with another status.
    pub async fn set_campaign_status(&self, id: CampaignId, expected: i64, status: Status) -> SetupResult<i64> {
        let write = self.change().await?;
        let current = self.head(&write, Revised::Campaign, id.0).await?;
        expect_version(current.version, expected)?;
        let terms = CampaignTerms { status, ..from_text(&current)? };
        write.lock_campaigns(&[id].into()).await?;
        self.save(write, &current, Some(status), &terms).await
    }
}

/// Counters that a change makes wrong are counted anew.
pub(super) async fn recount(
    write: &Write,
    id: CampaignId,
    before: &CampaignTerms,
    after: &CampaignTerms,
) -> SetupResult<()> {
    if after.caps == before.caps && after.time_zone == before.time_zone {
        return Ok(());
    }
    let mut owners = vec![id.0];
    if after.time_zone != before.time_zone {
        // Its sources' caps are read in its time zone.
        let sources = write.current_below(Revised::Source, id.0).await?;
        owners.extend(sources.iter().map(|source| source.id));
    }
    Ok(write.forget_counters(&owners).await?)
}

/// A stage that contracts take part in cannot go, or they would silently buy no more.
async fn stages_in_use(
    write: &Write,
    id: CampaignId,
    before: &CampaignTerms,
    after: &CampaignTerms,
) -> SetupResult<Vec<FieldProblem>> {
    let keys = |terms: &CampaignTerms| terms.all_stages().map(|stage| stage.key.clone()).collect::<BTreeSet<_>>();
    let gone = &keys(before) - &keys(after);
    if gone.is_empty() {
        return Ok(Vec::new());
    }
    let mut used: BTreeSet<String> = BTreeSet::new();
    for contract in write.current_below(Revised::Contract, Uuid::from(id)).await? {
        let terms: ContractTerms = from_text(&contract)?;
        if terms.status != Status::Archived && gone.contains(&terms.stage) {
            used.insert(terms.stage);
        }
    }
    let problem = |key: String| {
        FieldProblem::new("stages", "IN_USE", format!("contracts take part in the stage `{key}`: move them first"))
    };
    Ok(used.into_iter().map(problem).collect())
}
