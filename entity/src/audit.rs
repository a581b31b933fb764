//! The audit: who did what, as an append-only hash chain. Changing, removing or swapping a row breaks the chain.
//!
//! The chain's end is one row that every audited transaction waits for, so rows are written at the very end of their
//! transaction, after everything else is locked: nobody holds the end of the chain while waiting for something.

mod entries;

use std::collections::BTreeSet;

use leadyard_types::Timestamp;
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, FromQueryResult, QueryFilter, QueryOrder, QuerySelect};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::error::StoreResult;
use crate::model::audit;
use crate::store::{Read, Write};

pub use entries::AuditFilter;
use entries::VIEW;

/// The hash before the first row.
const BEGINNING: [u8; 32] = [0; 32];

/// How many rows the verifier holds at once.
const VERIFIED_AT_ONCE: u64 = 5_000;

/// An action that is recorded when its transaction commits.
#[derive(Debug)]
pub(crate) struct NewAudit {
    at: Timestamp,
    action: String,
    noun: String,
    noun_id: Option<Uuid>,
    detail: String,
}

#[derive(FromQueryResult)]
struct LastHash {
    hash: Vec<u8>,
}

#[derive(FromQueryResult)]
struct Counter {
    value: i64,
}

impl Write {
    /// Records an action with the commit. The detail holds ids and figures, never personal values.
    #[allow(clippy::unused_async, reason = "whoever records waits for nothing, and need not know that")]
    pub async fn audit(
        &self,
        action: &str,
        noun: &str,
        id: Option<Uuid>,
        detail: &serde_json::Value,
    ) -> StoreResult<()> {
        let mut detail = detail.clone();
        // What a key did is the user's doing, and told apart from what the person did.
        if let (Some(key), Some(told)) = (self.principal.key(), detail.as_object_mut()) {
            told.insert("by_key".to_owned(), key.to_string().into());
        }
        let entry = NewAudit {
            at: self.store.clock().now(),
            action: action.to_owned(),
            noun: noun.to_owned(),
            noun_id: id,
            detail: detail.to_string(),
        };
        self.audits.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(entry);
        Ok(())
    }

    /// Records with the commit that personal values of leads and texts of complaints were shown: one line, which the database
    /// finds by each of them (`audit_seen`).
    pub async fn audit_view(&self, leads: &BTreeSet<Uuid>, complaints: &BTreeSet<Uuid>) -> StoreResult<()> {
        let one = leads.first().copied().filter(|_| leads.len() == 1 && complaints.is_empty());
        let detail = serde_json::json!({ "leads": leads, "complaints": complaints });
        self.audit(VIEW, "lead", one, &detail).await
    }

    /// Puts what was recorded at the end of the chain. The last thing a transaction does.
    pub(crate) async fn write_audits(&self) -> StoreResult<()> {
        let entries = std::mem::take(&mut *self.audits.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
        if entries.is_empty() {
            return Ok(());
        }
        // Taking the numbers locks the chain's end until the transaction ends.
        let first = self.take_numbers("audit_no", i64::try_from(entries.len()).unwrap_or(i64::MAX)).await?;
        let last: Vec<LastHash> = self.all("SELECT hash FROM audit WHERE no = ?", vec![(first - 1).into()]).await?;
        let mut previous = last.into_iter().next().map_or_else(|| BEGINNING.to_vec(), |row| row.hash);
        let actor = self.principal.audit_name();
        let mut rows = Vec::with_capacity(entries.len());
        for (no, entry) in (first..).zip(entries) {
            let mut row = audit::Model {
                no,
                at: entry.at,
                actor: actor.clone(),
                action: entry.action,
                noun: entry.noun,
                noun_id: entry.noun_id,
                detail: entry.detail,
                previous,
                hash: Vec::new(),
            };
            row.hash = chain_hash(&row);
            previous = row.hash.clone();
            rows.push(row);
        }
        self.insert_all::<audit::Entity>(rows).await
    }
}

impl Read {
    /// Walks the chain from its beginning to its end.
    pub async fn audit_chain(&self) -> StoreResult<AuditChain> {
        verify_chain(self.connection()).await
    }
}

/// What walking the chain came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuditChain {
    /// How many rows it has.
    pub rows: i64,
    /// The first number whose row is changed, missing or out of place.
    pub first_broken: Option<i64>,
}

/// Walks the chain from its beginning to the number taken last. Others may write meanwhile.
pub(crate) async fn verify_chain<C: ConnectionTrait>(connection: &C) -> StoreResult<AuditChain> {
    let taken_before = last_number(connection).await?;
    let (mut previous, mut rows) = (BEGINNING.to_vec(), 0);
    loop {
        let page = audit::Entity::find()
            .filter(audit::Column::No.gt(rows))
            .order_by_asc(audit::Column::No)
            .limit(VERIFIED_AT_ONCE)
            .all(connection)
            .await?;
        if page.is_empty() {
            break;
        }
        for row in page {
            if row.no != rows + 1 || row.previous != previous || row.hash != chain_hash(&row) {
                return Ok(AuditChain { rows, first_broken: Some(rows + 1) });
            }
            previous = row.hash;
            rows += 1;
        }
    }
    // Rows cut off at the end leave the number behind; a number set back would let the next row take a place twice.
    let cut_off = (rows < taken_before).then_some(rows + 1);
    let taken_after = last_number(connection).await?;
    let set_back = (taken_after < rows).then_some(taken_after + 1);
    Ok(AuditChain { rows, first_broken: cut_off.or(set_back) })
}

/// The number taken last.
async fn last_number<C: ConnectionTrait>(connection: &C) -> StoreResult<i64> {
    let sql = "SELECT value FROM market_state WHERE name = 'audit_no'";
    let statement = crate::sql::statement(connection.get_database_backend(), sql, vec![]);
    Ok(Counter::find_by_statement(statement).one(connection).await?.map_or(0, |counter| counter.value))
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
