//! Sources: the channels of suppliers into campaigns.

use leadyard_entity::Write;
use leadyard_entity::model::source;
use leadyard_entity::setup::{Noun, Revised};
use leadyard_types::{CampaignId, SourceId, SourceTerms, Status, SupplierId};
use uuid::Uuid;

use super::{
    CampaignFacts, HeadChange, Setup, SetupResult, check, expect_version, first_revision, from_text, must_exist,
    refuse, unused,
};

/// A source to be made.
#[derive(Debug, Clone)]
pub struct NewSource {
    /// Its supplier.
    pub supplier_id: SupplierId,
    /// Its campaign.
    pub campaign_id: CampaignId,
    /// What people call it.
    pub name: String,
    /// Its terms.
    pub terms: SourceTerms,
}

/// A new source and the path of its web form.
#[derive(Debug, Clone)]
pub struct CreatedSource {
    /// The source.
    pub id: SourceId,
    /// Its form lives at `/f/{form_key}`.
    pub form_key: String,
}

impl Setup {
    /// Makes a source. Its web form gets a path nobody can guess.
    pub async fn create_source(&self, new: NewSource) -> SetupResult<CreatedSource> {
        let write = self.change().await?;
        must_exist(&write, Noun::Supplier, new.supplier_id.0).await?;
        let campaign = CampaignFacts::one(&write, new.campaign_id.0).await?;
        let mut problems = [check::name("name", &new.name), check::source(&new.terms, &campaign)].concat();
        problems.extend(unused(&write, Noun::Source, &new.name, Some(new.campaign_id.0), None).await?);
        refuse(problems)?;
        let id = self.new_id();
        let form_key = self.add_source(&write, id, new).await?;
        self.finish(write, "create", "source", id).await?;
        Ok(CreatedSource { id: SourceId(id), form_key })
    }

    /// Writes a source that was checked; answers the path of its form.
    pub(super) async fn add_source(&self, write: &Write, id: Uuid, new: NewSource) -> SetupResult<String> {
        let revision = first_revision(write, Revised::Source, id, &new.terms).await?;
        let random = leadyard_entity::keyring::random_bytes()?;
        let form_key: String = random.iter().take(12).map(|byte| format!("{byte:02x}")).collect();
        let row = source::Model {
            id,
            supplier_id: new.supplier_id.0,
            campaign_id: new.campaign_id.0,
            name: new.name,
            form_key: form_key.clone(),
            status: new.terms.status.as_str().to_owned(),
            revision_id: revision.0,
            version: 1,
            created_at: self.store.clock().now(),
        };
        write.add_sources(vec![row]).await?;
        Ok(form_key)
    }

    /// Changes a source's terms; acts with the next lead. Answers the new version.
    pub async fn revise_source(&self, id: SourceId, expected: i64, terms: SourceTerms) -> SetupResult<i64> {
        self.update_source(id, expected, HeadChange::default(), terms).await
    }

    /// Changes a source's name and terms.
    pub async fn update_source(
        &self,
        id: SourceId,
        expected: i64,
        head: HeadChange,
        terms: SourceTerms,
    ) -> SetupResult<i64> {
        let write = self.change().await?;
        let current = self.head(&write, Revised::Source, id.0).await?;
        expect_version(current.version, expected)?;
        let campaign_id = current.parent_id.unwrap_or_default();
        let mut problems = head.problems(&write, Noun::Source, id.0, Some(campaign_id)).await?;
        problems.extend(check::source(&terms, &CampaignFacts::one(&write, campaign_id).await?));
        refuse(problems)?;
        write.lock_campaigns(&[CampaignId(campaign_id)].into()).await?;
        head.write(&write, Noun::Source, id.0).await?;
        recount(&write, id, &from_text(&current)?, &terms).await?;
        self.save(write, &current, Some(terms.status), &terms).await
    }

    /// Pauses, resumes or archives a source: a new revision with another status.
    pub async fn set_source_status(&self, id: SourceId, expected: i64, status: Status) -> SetupResult<i64> {
        let write = self.change().await?;
        let current = self.head(&write, Revised::Source, id.0).await?;
        expect_version(current.version, expected)?;
        let terms = SourceTerms { status, ..from_text(&current)? };
        self.save(write, &current, Some(status), &terms).await
    }
}

/// Counters that a change makes wrong are counted anew.
pub(super) async fn recount(write: &Write, id: SourceId, before: &SourceTerms, after: &SourceTerms) -> SetupResult<()> {
    if after.caps != before.caps {
        write.forget_counters(&[id.0]).await?;
    }
    Ok(())
}
