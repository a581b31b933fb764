//! Postal codes: written in large pieces by the importer, read whole into every process's memory.

use sea_orm::EntityTrait;
use sea_orm::sea_query::OnConflict;

use crate::error::StoreResult;
use crate::model::postal_code::{self, ActiveModel, Column, Entity};
use crate::store::Write;

/// The most codes written by one statement: seven values each, below what both databases bind.
const CODES_PER_STATEMENT: usize = 4_000;

impl Write {
    /// Adds postal codes, or replaces what was known of them. No code may come twice in one call.
    pub async fn upsert_postal_codes(&self, codes: Vec<postal_code::Model>) -> StoreResult<()> {
        let mut codes = codes.into_iter().peekable();
        while codes.peek().is_some() {
            let rows = codes.by_ref().take(CODES_PER_STATEMENT).map(ActiveModel::from);
            let replace = OnConflict::columns([Column::Country, Column::Code])
                .update_columns([Column::Place, Column::State, Column::StateCode, Column::Latitude, Column::Longitude])
                .to_owned();
            Entity::insert_many(rows).on_conflict(replace).exec_without_returning(&self.transaction).await?;
        }
        Ok(())
    }

    /// Tells every process to load the postal codes anew before its next placement.
    pub async fn touch_postal_codes(&self) -> StoreResult<()> {
        self.touch_configuration().await?;
        self.take_numbers("postal_version", 1).await.map(|_| ())
    }
}
