//! Suppression lists: keyed hashes of people who must not be taken in, everywhere or in one campaign.

use leadyard_types::{CampaignId, FieldKind};
use sea_orm::sea_query::OnConflict;
use sea_orm::{EntityTrait, Set};
use uuid::Uuid;

use crate::error::StoreResult;
use crate::keyring::IndexHash;
use crate::model::suppression_entry::{ActiveModel, Column, Entity};
use crate::store::Write;

/// The most entries written by one statement: five values each, below what both databases bind.
const ENTRIES_PER_STATEMENT: usize = 5_000;

/// Somebody who must not be taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Suppressed {
    /// The keyed hash of the way to reach them.
    pub hash: IndexHash,
    /// What was hashed: an e-mail address or a phone number.
    pub kind: FieldKind,
}

impl Write {
    /// Adds entries, everywhere or for one campaign; answers how many were not on the list before.
    pub async fn suppress(
        &self,
        entries: &[Suppressed],
        campaign: Option<CampaignId>,
        reason: &str,
    ) -> StoreResult<u64> {
        let created_at = self.store.clock().now();
        let mut added = 0;
        for chunk in entries.chunks(ENTRIES_PER_STATEMENT) {
            let rows = chunk.iter().map(|entry| ActiveModel {
                hash: Set(entry.hash.to_vec()),
                campaign_id: Set(campaign.map_or(Uuid::nil(), Uuid::from)),
                field: Set(entry.kind.as_str().to_owned()),
                reason: Set(reason.to_owned()),
                created_at: Set(created_at),
            });
            let keep = OnConflict::columns([Column::Hash, Column::CampaignId]).do_nothing().to_owned();
            added += Entity::insert_many(rows).on_conflict(keep).exec_without_returning(&self.transaction).await?;
        }
        Ok(added)
    }
}
