//! Verticals: the field sets of industries.

use leadyard_entity::Write;
use leadyard_entity::model::vertical;
use leadyard_entity::setup::{Noun, Revised};
use leadyard_types::terms::VerticalTerms;
use leadyard_types::{CampaignTerms, FieldProblem, VerticalId};
use uuid::Uuid;

use super::{HeadChange, Setup, SetupResult, check, expect_version, first_revision, from_text, refuse, unused};
use crate::rules::vertical::check_vertical;

/// A vertical to be made.
#[derive(Debug, Clone)]
pub struct NewVertical {
    /// A short key, lower-case letters, digits and hyphens.
    pub key: String,
    /// What people call it.
    pub name: String,
    /// Its fields.
    pub terms: VerticalTerms,
}

impl Setup {
    /// Makes a vertical.
    pub async fn create_vertical(&self, new: NewVertical) -> SetupResult<VerticalId> {
        let write = self.change().await?;
        let mut problems = [check::key(&new.key), check::name("name", &new.name), check_vertical(&new.terms)].concat();
        problems.extend(unused(&write, Noun::Vertical, &new.key, None, None).await?);
        refuse(problems)?;
        let id = self.new_id();
        self.add_vertical(&write, id, new).await?;
        self.finish(write, "create", "vertical", id).await?;
        Ok(VerticalId(id))
    }

    /// Writes a vertical that was checked.
    pub(super) async fn add_vertical(&self, write: &Write, id: Uuid, new: NewVertical) -> SetupResult<()> {
        let revision = first_revision(write, Revised::Vertical, id, &new.terms).await?;
        let row = vertical::Model {
            id,
            key: new.key,
            name: new.name,
            revision_id: revision.0,
            version: 1,
            created_at: self.store.clock().now(),
        };
        Ok(write.add_verticals(vec![row]).await?)
    }

    /// Changes a vertical's fields. Fields by which a campaign recognises duplicates cannot go.
    pub async fn revise_vertical(&self, id: VerticalId, expected: i64, terms: VerticalTerms) -> SetupResult<i64> {
        self.update_vertical(id, expected, HeadChange::default(), terms).await
    }

    /// Changes a vertical's key, name and fields.
    pub async fn update_vertical(
        &self,
        id: VerticalId,
        expected: i64,
        head: HeadChange,
        terms: VerticalTerms,
    ) -> SetupResult<i64> {
        let write = self.change().await?;
        let current = self.head(&write, Revised::Vertical, id.0).await?;
        expect_version(current.version, expected)?;
        let mut problems = head.problems(&write, Noun::Vertical, id.0, None).await?;
        problems.extend(check_vertical(&terms));
        for campaign in write.current_below(Revised::Campaign, id.0).await? {
            let known: CampaignTerms = from_text(&campaign)?;
            problems.extend(check::undefined(&known.duplicates.fields, &terms).map(|key| {
                let message = format!("the campaign `{}` recognises duplicates by the field `{key}`", campaign.name);
                FieldProblem::new("fields", "IN_USE", message)
            }));
        }
        refuse(problems)?;
        head.write(&write, Noun::Vertical, id.0).await?;
        self.save(write, &current, None, &terms).await
    }
}
