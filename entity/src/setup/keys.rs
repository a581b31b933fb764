//! The keys of sources as staff see them, without their secrets.

use std::collections::HashMap;

use leadyard_types::{ApiKeyId, Principal};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder};
use uuid::Uuid;

use crate::error::StoreResult;
use crate::model::api_key::{Column, Entity, Model};
use crate::read::ByParent;
use crate::store::{Read, Write};

impl Read {
    /// The keys of sources, the newest first, those that were revoked among them. Only staff see any.
    pub async fn keys_of_sources(&self, sources: &[Uuid]) -> StoreResult<ByParent<Model>> {
        let mut lists: ByParent<Model> = HashMap::new();
        if self.sees_keys() {
            let of_sources = Entity::find().filter(Column::SourceId.is_in(sources.iter().copied()));
            let newest_first = of_sources.order_by_desc(Column::CreatedAt).order_by_desc(Column::Id);
            for row in newest_first.all(self.connection()).await? {
                lists.entry(row.source_id.unwrap_or_default()).or_default().push(row);
            }
        }
        Ok(lists)
    }

    /// Keys of sources by their ids. Only staff see any, and a user's keys are none of them.
    pub async fn source_keys(&self, ids: &[Uuid]) -> StoreResult<HashMap<Uuid, Model>> {
        if !self.sees_keys() {
            return Ok(HashMap::new());
        }
        let found = Entity::find().filter(Column::Id.is_in(ids.iter().copied())).filter(Column::SourceId.is_not_null());
        Ok(found.all(self.connection()).await?.into_iter().map(|row| (row.id, row)).collect())
    }

    fn sees_keys(&self) -> bool {
        matches!(self.principal, Principal::Staff { .. } | Principal::System(_))
    }
}

impl Write {
    /// Whether a key is a source's.
    pub async fn is_source_key(&self, key: ApiKeyId) -> StoreResult<bool> {
        let sql = "SELECT * FROM api_key WHERE id = ? AND source_id IS NOT NULL";
        Ok(!self.all::<Model>(sql, vec![key.0.into()]).await?.is_empty())
    }
}
