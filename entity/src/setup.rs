//! Writes of the market's set-up: heads, their revisions, and the version that tells every process.

mod current;
mod keys;

use leadyard_types::{DestinationId, RevisionId, Status};
use sea_orm::Value;
use secrecy::SecretString;
use uuid::Uuid;

use crate::error::{StoreError, StoreResult};
use crate::keyring::Place;
use crate::model::{buyer, buyer_group, campaign, contract, destination, revision, source, supplier, vertical};
use crate::sql::marks;
use crate::store::{Store, Write};

pub use current::{Current, Noun};

/// The nouns whose terms are revisions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
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

    /// Writes a new revision of terms and points the head at it. The head's version was compared by the caller, who holds
    /// the configuration: see [`Write::touch_configuration`].
    pub async fn revise(&self, current: &Current, status: Option<Status>, terms: String) -> StoreResult<i64> {
        let no = self.next_decision_nos(1).await?;
        let version = current.version + 1;
        let row = self.revision_row(current.noun, current.id, version, no, terms);
        let revision_id = row.id;
        self.insert_all::<revision::Entity>(vec![row]).await?;
        let set_status = if status.is_some() { ", status = ?" } else { "" };
        let mut values: Vec<Value> = vec![revision_id.into(), version.into()];
        values.extend(status.map(|status| Value::from(status.as_str())));
        values.push(current.id.into());
        let table = current.noun.as_str();
        let sql = format!("UPDATE {table} SET revision_id = ?, version = ?{set_status} WHERE id = ?");
        self.run(&sql, values).await?;
        Ok(version)
    }

    /// Forgets the counters of owners whose caps or time zone change; they are counted anew from the sales log.
    pub async fn forget_counters(&self, owners: &[Uuid]) -> StoreResult<()> {
        let sql = format!("DELETE FROM cap_counter WHERE owner_id IN ({})", marks(owners.len()));
        self.run(&sql, owners.iter().map(|owner| Value::from(*owner)).collect()).await.map(|_| ())
    }

    /// Seals a destination's secrets for its row, the newest first.
    pub fn seal_destination_secrets(&self, destination: DestinationId, secrets: &[&str]) -> StoreResult<Vec<u8>> {
        self.store.keyring().seal_secret(destination_secret(destination), secrets.join("\n").as_bytes())
    }

    /// Gives things of a noun other names (a vertical: another key), all at once: two may change theirs with each other.
    pub async fn rename(&self, noun: Noun, names: &[(Uuid, String)]) -> StoreResult<()> {
        let column = if noun == Noun::Vertical { "key" } else { "name" };
        let sql = format!("UPDATE {} SET {column} = ? WHERE id = ?", noun.as_str());
        // Nothing is called by its id, so none of the names in between is taken.
        let apart = names.iter().map(|(id, _)| (id, id.to_string()));
        for (id, name) in apart.chain(names.iter().map(|(id, name)| (id, name.clone()))) {
            self.run(&sql, vec![name.into(), (*id).into()]).await?;
        }
        Ok(())
    }

    /// What people call a vertical, beside its key.
    pub async fn set_vertical_name(&self, id: Uuid, name: &str) -> StoreResult<()> {
        self.run("UPDATE vertical SET name = ? WHERE id = ?", vec![name.into(), id.into()]).await.map(|_| ())
    }

    /// Where a buyer or a supplier is told things.
    pub async fn set_email(&self, noun: Noun, id: Uuid, email: Option<&str>) -> StoreResult<()> {
        let sql = format!("UPDATE {} SET email = ? WHERE id = ?", noun.as_str());
        self.run(&sql, vec![email.map(str::to_owned).into(), id.into()]).await.map(|_| ())
    }

    /// Whether a supplier takes part.
    pub async fn set_supplier_status(&self, id: Uuid, status: Status) -> StoreResult<()> {
        let sql = "UPDATE supplier SET status = ? WHERE id = ?";
        self.run(sql, vec![status.as_str().into(), id.into()]).await.map(|_| ())
    }

    /// A supplier.
    pub async fn supplier(&self, id: Uuid) -> StoreResult<Option<supplier::Model>> {
        Ok(self.all("SELECT * FROM supplier WHERE id = ?", vec![id.into()]).await?.into_iter().next())
    }

    /// A buyer group.
    pub async fn buyer_group(&self, id: Uuid) -> StoreResult<Option<buyer_group::Model>> {
        Ok(self.all("SELECT * FROM buyer_group WHERE id = ?", vec![id.into()]).await?.into_iter().next())
    }

    /// Counts a change of a supplier or a buyer group, which have no revisions.
    pub async fn raise_version(&self, noun: Noun, id: Uuid) -> StoreResult<()> {
        let sql = format!("UPDATE {} SET version = version + 1 WHERE id = ?", noun.as_str());
        self.run(&sql, vec![id.into()]).await.map(|_| ())
    }

    /// Saves a changed destination.
    pub async fn save_destination(&self, row: &destination::Model) -> StoreResult<()> {
        let sql = "UPDATE destination SET name = ?, status = ?, config = ?, sealed_secret = ?, failing_since = ?,
                   notice = ?, version = ? WHERE id = ?";
        let values = vec![
            row.name.as_str().into(),
            row.status.as_str().into(),
            row.config.as_str().into(),
            row.sealed_secret.clone().into(),
            row.failing_since.into(),
            row.notice.clone().into(),
            row.version.into(),
            row.id.into(),
        ];
        self.run(sql, values).await.map(|_| ())
    }
}

impl Store {
    /// The signing secrets of a destination, the newest first: two while one is being replaced.
    pub fn destination_secrets(&self, row: &destination::Model) -> StoreResult<Vec<SecretString>> {
        let Some(sealed) = &row.sealed_secret else { return Ok(Vec::new()) };
        let plain = self.keyring().open_secret(destination_secret(DestinationId(row.id)), sealed)?;
        let text = String::from_utf8(plain).map_err(|_| StoreError::corrupt("a destination's secret is no text"))?;
        Ok(text.lines().map(SecretString::from).collect())
    }
}

/// Where a destination's secret is sealed.
fn destination_secret(destination: DestinationId) -> Place {
    Place::new("destination", "sealed_secret", destination.0)
}
