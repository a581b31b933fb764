//! Suppression lists: keyed hashes of people who must not be taken in, everywhere or in one campaign.

use leadyard_types::{CampaignId, FieldKind};
use sea_orm::sea_query::OnConflict;
use sea_orm::{EntityTrait, Set, Value};
use uuid::Uuid;

use crate::error::StoreResult;
use crate::keyring::IndexHash;
use crate::model::suppression_entry::{ActiveModel, Column, Entity, Model};
use crate::store::Write;

/// The most entries written by one statement: seven values each, below what both databases bind.
const ENTRIES_PER_STATEMENT: usize = 4_000;

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
        let (created_at, created_by) = (self.store.clock().now(), self.principal.audit_name());
        let mut added = 0;
        for chunk in entries.chunks(ENTRIES_PER_STATEMENT) {
            let rows = chunk.iter().map(|entry| ActiveModel {
                id: Set(self.store.ids().uuid()),
                hash: Set(entry.hash.to_vec()),
                campaign_id: Set(campaign.map_or(Uuid::nil(), Uuid::from)),
                field: Set(entry.kind.as_str().to_owned()),
                reason: Set(reason.to_owned()),
                created_by: Set(Some(created_by.clone())),
                created_at: Set(created_at),
            });
            let keep = OnConflict::columns([Column::Hash, Column::CampaignId]).do_nothing().to_owned();
            added += Entity::insert_many(rows).on_conflict(keep).exec_without_returning(&self.transaction).await?;
        }
        Ok(added)
    }

    /// The entries of these hashes that hold everywhere, or for one campaign.
    pub async fn suppression_entries(
        &self,
        hashes: &[IndexHash],
        campaign: Option<CampaignId>,
    ) -> StoreResult<Vec<Model>> {
        let sql = "SELECT * FROM suppression_entry WHERE campaign_id = ? AND hash IN ({}) ORDER BY created_at, id";
        let campaign = campaign.map_or(Uuid::nil(), Uuid::from);
        let hashes = hashes.iter().map(|hash| Value::from(hash.to_vec())).collect();
        self.all_in_with(sql, &[campaign.into()], hashes).await
    }

    /// Takes entries off the list; answers those that were on it.
    pub async fn unsuppress(&self, entries: &[Uuid]) -> StoreResult<Vec<Model>> {
        let keys = entries.iter().map(|id| Value::from(*id)).collect();
        self.all_in("DELETE FROM suppression_entry WHERE id IN ({}) RETURNING *", keys).await
    }
}
