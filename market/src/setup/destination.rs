//! Destinations: where sold leads are delivered.

use leadyard_connectors::webhook;
use leadyard_entity::keyring::random_bytes;
use leadyard_entity::model::destination;
use leadyard_entity::setup::Noun;
use leadyard_entity::{StoreError, Write};
use leadyard_types::{BuyerId, DestinationId, DestinationKind, FieldProblem, Status};
use secrecy::{ExposeSecret, SecretString};

use super::{Setup, SetupError, SetupResult, check, expect_version, must_exist, refuse, to_text};
use crate::delivery::requeue_waiting;

/// A destination to be made.
#[derive(Debug, Clone)]
pub struct NewDestination {
    /// Its buyer.
    pub buyer_id: BuyerId,
    /// What people call it.
    pub name: String,
    /// What kind of place it is.
    pub kind: DestinationKind,
    /// Its settings as JSON, as the connector of that kind reads them.
    pub config: serde_json::Value,
}

/// A new destination and, for webhooks, its signing secret, which is shown this once.
#[derive(Debug, Clone)]
pub struct CreatedDestination {
    /// The destination.
    pub id: DestinationId,
    /// The secret.
    pub secret: Option<String>,
}

/// What is changed of a destination; what is absent stays.
#[derive(Debug, Clone, Default)]
pub struct DestinationChange {
    /// What people call it.
    pub name: Option<String>,
    /// Whether it is sent to. Resuming one that was parked clears its notice.
    pub status: Option<Status>,
    /// Its settings.
    pub config: Option<serde_json::Value>,
}

impl Setup {
    /// Makes a destination; a webhook gets a signing secret.
    pub async fn create_destination(&self, new: NewDestination) -> SetupResult<CreatedDestination> {
        let write = self.change().await?;
        must_exist(&write, Noun::Buyer, new.buyer_id.0).await?;
        let config = to_text(&new.config)?;
        refuse([check::name("name", &new.name), self.config_problems(new.kind, &config)].concat())?;
        let id = DestinationId(self.new_id());
        let secret = new_secret(new.kind)?;
        self.add_destination(&write, id, new, Status::Active, secret.as_ref()).await?;
        self.finish(write, "create", "destination", id.0).await?;
        Ok(CreatedDestination { id, secret: secret.map(|secret| secret.expose_secret().to_owned()) })
    }

    /// Writes a destination that was checked.
    pub(super) async fn add_destination(
        &self,
        write: &Write,
        id: DestinationId,
        new: NewDestination,
        status: Status,
        secret: Option<&SecretString>,
    ) -> SetupResult<()> {
        let sealed = |secret: &SecretString| write.seal_destination_secrets(id, &[secret.expose_secret()]);
        let row = destination::Model {
            id: id.0,
            buyer_id: new.buyer_id.0,
            name: new.name,
            kind: new.kind.as_str().to_owned(),
            status: status.as_str().to_owned(),
            config: to_text(&new.config)?,
            sealed_secret: secret.map(sealed).transpose()?,
            failing_since: None,
            notice: None,
            version: 1,
            created_at: self.store.clock().now(),
            tested_at: None,
        };
        Ok(write.add_destinations(vec![row]).await?)
    }

    /// Changes a destination; acts with the next attempt. Answers the new version.
    pub async fn revise_destination(
        &self,
        id: DestinationId,
        expected: i64,
        change: DestinationChange,
    ) -> SetupResult<i64> {
        let mut write = self.change().await?;
        let mut row = self.destination(&write, id, expected).await?;
        let mut problems = Vec::new();
        if let Some(name) = change.name {
            problems.extend(check::name("name", &name));
            row.name = name;
        }
        if let Some(config) = change.config {
            row.config = to_text(&config)?;
            let kind = row.kind.parse().map_err(StoreError::corrupt)?;
            problems.extend(self.config_problems(kind, &row.config));
        }
        refuse(problems)?;
        if let Some(status) = change.status {
            let from: Status = row.status.parse().map_err(StoreError::corrupt)?;
            row.status = from.change("destination", status)?.as_str().to_owned();
            if status == Status::Active {
                (row.notice, row.failing_since) = (None, None);
            }
        }
        let version = save_destination(&write, row).await?;
        if matches!(change.status, Some(Status::Active | Status::Archived)) {
            // What waited for it is due now, or is given up.
            requeue_waiting(&mut write, id).await?;
        }
        self.finish(write, "revise", "destination", id.0).await?;
        Ok(version)
    }

    /// Gives a webhook a new signing secret, shown this once. The old one signs beside it until the next rotation, so
    /// that the receiver can change over in its own time; rotating twice ends it.
    pub async fn rotate_destination_secret(&self, id: DestinationId, expected: i64) -> SetupResult<SecretString> {
        let write = self.change().await?;
        let mut row = self.destination(&write, id, expected).await?;
        if row.kind != DestinationKind::Webhook.as_str() {
            refuse(vec![FieldProblem::new("kind", "NO_SECRET", "only webhooks are signed")])?;
        }
        let secret = webhook::new_secret(random_bytes()?);
        let old = self.store.destination_secrets(&row)?;
        let both: Vec<&str> = [&secret].into_iter().chain(old.first()).map(ExposeSecret::expose_secret).collect();
        row.sealed_secret = Some(write.seal_destination_secrets(id, &both)?);
        save_destination(&write, row).await?;
        self.finish(write, "rotate_secret", "destination", id.0).await?;
        Ok(secret)
    }

    /// The destination as it is now. Workers park destinations meanwhile: nobody's word is written over.
    async fn destination(&self, write: &Write, id: DestinationId, expected: i64) -> SetupResult<destination::Model> {
        let row = write.lock_destination(id).await?.ok_or(SetupError::NotFound("destination"))?;
        expect_version(row.version, expected)?;
        Ok(row)
    }

    fn config_problems(&self, kind: DestinationKind, config: &str) -> Vec<FieldProblem> {
        leadyard_connectors::check_destination(kind, config, &self.policy).err().unwrap_or_default()
    }
}

/// A signing secret for what is signed.
pub(super) fn new_secret(kind: DestinationKind) -> SetupResult<Option<SecretString>> {
    Ok(match kind {
        DestinationKind::Webhook | DestinationKind::Ping => Some(webhook::new_secret(random_bytes()?)),
        DestinationKind::Email | DestinationKind::Portal => None,
    })
}

/// Saves a destination under its next version, and answers that.
pub(super) async fn save_destination(write: &Write, row: destination::Model) -> SetupResult<i64> {
    let row = destination::Model { version: row.version + 1, ..row };
    write.save_destination(&row).await?;
    Ok(row.version)
}
