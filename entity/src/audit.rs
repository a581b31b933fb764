//! The audit: who did what, as an append-only hash chain. Changing, removing or swapping a row breaks the chain.

use leadyard_types::Timestamp;
use sea_orm::FromQueryResult;
use sea_orm::{EntityTrait, QueryOrder};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::error::StoreResult;
use crate::model::audit;
use crate::store::{Read, Write};

/// The hash before the first row.
const BEGINNING: [u8; 32] = [0; 32];

#[derive(FromQueryResult)]
struct LastHash {
    hash: Vec<u8>,
}

impl Write {
    /// Records an action. The detail holds ids and figures, never personal values.
    pub async fn audit(
        &self,
        action: &str,
        noun: &str,
        id: Option<Uuid>,
        detail: &serde_json::Value,
    ) -> StoreResult<()> {
        // Taking the number locks the chain's end until the transaction ends.
        let no = self.take_numbers("audit_no", 1).await?;
        let last: Vec<LastHash> = self.all("SELECT hash FROM audit WHERE no = ?", vec![(no - 1).into()]).await?;
        let previous = last.into_iter().next().map_or_else(|| BEGINNING.to_vec(), |row| row.hash);
        let mut row = audit::Model {
            no,
            at: self.store.clock().now(),
            actor: self.principal.audit_name(),
            action: action.to_owned(),
            noun: noun.to_owned(),
            noun_id: id,
            detail: detail.to_string(),
            previous,
            hash: Vec::new(),
        };
        row.hash = chain_hash(&row);
        self.insert_all::<audit::Entity>(vec![row]).await
    }
}

impl Read {
    /// The first row whose place in the chain is wrong, if any.
    pub async fn audit_break(&self) -> StoreResult<Option<i64>> {
        let mut previous = BEGINNING.to_vec();
        let mut expected = 1;
        for row in audit::Entity::find().order_by_asc(audit::Column::No).all(self.connection()).await? {
            if row.no != expected || row.previous != previous || row.hash != chain_hash(&row) {
                return Ok(Some(row.no));
            }
            previous = row.hash;
            expected += 1;
        }
        let taken: Option<Counter> = Counter::find_by_statement(crate::sql::statement(
            self.connection().get_database_backend(),
            "SELECT value FROM market_state WHERE name = 'audit_no'",
            vec![],
        ))
        .one(self.connection())
        .await?;
        Ok(taken.filter(|counter| counter.value + 1 != expected).map(|counter| counter.value))
    }
}

#[derive(FromQueryResult)]
struct Counter {
    value: i64,
}

fn chain_hash(row: &audit::Model) -> Vec<u8> {
    let mut digest = Sha256::new();
    let at: Timestamp = row.at;
    let id = row.noun_id.map(|id| id.to_string()).unwrap_or_default();
    for part in [
        row.previous.as_slice(),
        row.no.to_string().as_bytes(),
        at.timestamp_micros().to_string().as_bytes(),
        row.actor.as_bytes(),
        row.action.as_bytes(),
        row.noun.as_bytes(),
        id.as_bytes(),
        row.detail.as_bytes(),
    ] {
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part);
    }
    digest.finalize().to_vec()
}
