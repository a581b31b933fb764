//! Writes of the market's set-up: heads, their revisions, and the version that tells every process.

use std::collections::HashMap;

use leadyard_types::{DestinationId, RevisionId, Status};
use sea_orm::{FromQueryResult, Value};
use uuid::Uuid;

use crate::error::{StoreError, StoreResult};
use crate::keyring::Place;
use crate::model::{buyer, buyer_group, campaign, contract, destination, revision, source, supplier, vertical};
use crate::sql::marks;
use crate::store::Write;

/// The nouns whose terms are revisions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Revised {
    /// Verticals.
    Vertical,
    /// Campaigns.
    Campaign,
    /// Sources.
    Source,
    /// Buyers.
    Buyer,
    /// Contracts.
    Contract,
}

impl Revised {
    /// The noun, as the table and the revision call it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Vertical => "vertical",
            Self::Campaign => "campaign",
            Self::Source => "source",
            Self::Buyer => "buyer",
            Self::Contract => "contract",
        }
    }
}

/// What a revision replaces: whether it could be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RevisionResult {
    /// Made; this is the new version.
    Made(i64),
    /// Somebody else made one since; this is the current version.
    Stale(i64),
    /// There is no such thing.
    Missing,
}

#[derive(FromQueryResult)]
struct VersionRow {
    version: i64,
}

macro_rules! adders {
    ($($(#[$meta:meta])* $name:ident: $table:ident),+ $(,)?) => {
        impl Write {$(
            $(#[$meta])*
            pub async fn $name(&self, rows: Vec<$table::Model>) -> StoreResult<()> {
                self.insert_all::<$table::Entity>(rows).await
            }
        )+}
    };
}

adders! {
    /// Adds verticals.
    add_verticals: vertical,
    /// Adds campaigns.
    add_campaigns: campaign,
    /// Adds suppliers.
    add_suppliers: supplier,
    /// Adds sources.
    add_sources: source,
    /// Adds buyer groups.
    add_buyer_groups: buyer_group,
    /// Adds buyers.
    add_buyers: buyer,
    /// Adds contracts.
    add_contracts: contract,
    /// Adds destinations.
    add_destinations: destination,
}

impl Write {
    /// Raises the version of the configuration: every process reloads before its next placement. Call it first; it
    /// waits for placements under way and keeps new ones waiting until this transaction ends.
    pub async fn touch_configuration(&self) -> StoreResult<()> {
        self.take_numbers("config_version", 1).await.map(|_| ())
    }

    /// Writes first revisions of several things, in order; answers their ids.
    pub async fn add_revisions(&self, noun: Revised, terms: Vec<(Uuid, String)>) -> StoreResult<Vec<RevisionId>> {
        let first = self.next_decision_nos(terms.len()).await?;
        let rows: Vec<revision::Model> =
            (first..).zip(terms).map(|(no, (noun_id, terms))| self.revision_row(noun, noun_id, 1, no, terms)).collect();
        let ids = rows.iter().map(|row| RevisionId(row.id)).collect();
        self.insert_all::<revision::Entity>(rows).await?;
        Ok(ids)
    }

    fn revision_row(&self, noun: Revised, noun_id: Uuid, version: i64, no: i64, terms: String) -> revision::Model {
        revision::Model {
            id: self.store.ids().uuid(),
            noun: noun.as_str().to_owned(),
            noun_id,
            version,
            no,
            terms,
            created_at: self.store.clock().now(),
            created_by: self.principal.audit_name(),
        }
    }

    /// Writes a new revision of terms and points the head at it, if nobody was faster.
    pub async fn revise(
        &self,
        noun: Revised,
        id: Uuid,
        expected_version: i64,
        status: Option<Status>,
        terms: String,
    ) -> StoreResult<RevisionResult> {
        let table = noun.as_str();
        let lock = if self.is_postgres() { " FOR NO KEY UPDATE" } else { "" };
        let found: Vec<VersionRow> =
            self.all(&format!("SELECT version FROM {table} WHERE id = ?{lock}"), vec![id.into()]).await?;
        let Some(current) = found.first().map(|row| row.version) else { return Ok(RevisionResult::Missing) };
        if current != expected_version {
            return Ok(RevisionResult::Stale(current));
        }
        let no = self.next_decision_nos(1).await?;
        let row = self.revision_row(noun, id, current + 1, no, terms);
        let revision_id = row.id;
        self.insert_all::<revision::Entity>(vec![row]).await?;
        let set_status = if status.is_some() { ", status = ?" } else { "" };
        let mut values: Vec<Value> = vec![revision_id.into(), (current + 1).into()];
        values.extend(status.map(|status| Value::from(status.as_str())));
        values.push(id.into());
        self.run(&format!("UPDATE {table} SET revision_id = ?, version = ?{set_status} WHERE id = ?"), values).await?;
        Ok(RevisionResult::Made(current + 1))
    }

    /// Forgets the counters of owners whose caps or time zone change; they are counted anew from the sales log.
    pub async fn forget_counters(&self, owners: &[Uuid]) -> StoreResult<()> {
        let sql = format!("DELETE FROM cap_counter WHERE owner_id IN ({})", marks(owners.len()));
        self.run(&sql, owners.iter().map(|owner| Value::from(*owner)).collect()).await.map(|_| ())
    }

    /// The contracts of a buyer: their counters follow the buyer's time zone.
    pub async fn contracts_of_buyer(&self, buyer: Uuid) -> StoreResult<Vec<Uuid>> {
        let rows: Vec<contract::Model> =
            self.all("SELECT * FROM contract WHERE buyer_id = ? ORDER BY id", vec![buyer.into()]).await?;
        Ok(rows.into_iter().map(|row| row.id).collect())
    }

    /// Which of these destinations belong to which buyer.
    pub async fn destination_buyers(&self, destinations: &[DestinationId]) -> StoreResult<HashMap<Uuid, Uuid>> {
        let keys = destinations.iter().map(|id| Value::from(id.0)).collect();
        let rows: Vec<destination::Model> = self.all_in("SELECT * FROM destination WHERE id IN ({})", keys).await?;
        Ok(rows.into_iter().map(|row| (row.id, row.buyer_id)).collect())
    }

    /// Seals a destination's secret for its row.
    pub fn seal_destination_secret(&self, destination: DestinationId, secret: &str) -> StoreResult<Vec<u8>> {
        self.store.keyring().seal_secret(destination_secret(destination), secret.as_bytes())
    }

    /// Changes a wallet's credit limit.
    pub async fn set_credit_limit(&self, account: Uuid, limit_minor: i64) -> StoreResult<()> {
        if limit_minor < 0 {
            return Err(StoreError::Conflict("a credit limit is not negative".to_owned()));
        }
        let sql = "UPDATE ledger_account SET credit_limit_minor = ? WHERE id = ?";
        self.run(sql, vec![limit_minor.into(), account.into()]).await.map(|_| ())
    }
}

/// Where a destination's secret is sealed.
pub(crate) fn destination_secret(destination: DestinationId) -> Place {
    Place::new("destination", "sealed_secret", destination.0)
}
