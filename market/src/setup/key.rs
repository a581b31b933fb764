//! API keys of sources. A key is shown once; two may be active, so that one can be replaced without a gap.

use leadyard_entity::setup::Noun;
use leadyard_types::{ApiKeyId, FieldProblem, SourceId};
use secrecy::SecretString;

use super::{Setup, SetupError, SetupResult, check, must_exist, refuse};

/// How many keys of a source may be active: the old one and its successor.
const ACTIVE_KEYS_MAX: usize = 2;

/// A new key.
#[derive(Debug, Clone)]
pub struct CreatedKey {
    /// Its row.
    pub id: ApiKeyId,
    /// The whole key, shown this once.
    pub key: SecretString,
}

impl Setup {
    /// Makes an API key for a source.
    pub async fn create_source_key(&self, source: SourceId, label: &str) -> SetupResult<CreatedKey> {
        let write = self.change().await?;
        must_exist(&write, Noun::Source, source.0).await?;
        let mut problems = check::name("label", label);
        if write.active_source_keys(source).await?.len() >= ACTIVE_KEYS_MAX {
            let message = "two keys are active: revoke one first";
            problems.push(FieldProblem::new("source_id", "TOO_MANY_KEYS", message));
        }
        refuse(problems)?;
        let (id, key) = write.add_source_key(source, label).await?;
        self.finish(write, "create", "api_key", id.0).await?;
        Ok(CreatedKey { id, key })
    }

    /// Makes a new key for a source and revokes all but the newest of the old ones: that one still works, until it is
    /// revoked or the next rotation.
    pub async fn rotate_source_key(&self, source: SourceId, label: &str) -> SetupResult<CreatedKey> {
        let write = self.change().await?;
        must_exist(&write, Noun::Source, source.0).await?;
        refuse(check::name("label", label))?;
        let active = write.active_source_keys(source).await?;
        let kept = ACTIVE_KEYS_MAX - 1;
        for old in active.iter().take(active.len().saturating_sub(kept)) {
            write.revoke_key(ApiKeyId(old.id)).await?;
        }
        let (id, key) = write.add_source_key(source, label).await?;
        self.finish(write, "rotate", "api_key", id.0).await?;
        Ok(CreatedKey { id, key })
    }

    /// Ends a source's key at once.
    pub async fn revoke_source_key(&self, key: ApiKeyId) -> SetupResult<()> {
        let write = self.change().await?;
        if !write.is_source_key(key).await? || !write.revoke_key(key).await? {
            return Err(SetupError::NotFound("source_key"));
        }
        self.finish(write, "revoke", "api_key", key.0).await
    }

    /// Ends a key at once.
    pub async fn revoke_key(&self, key: ApiKeyId) -> SetupResult<()> {
        let write = self.change().await?;
        if !write.revoke_key(key).await? {
            return Err(SetupError::NotFound("api_key"));
        }
        self.finish(write, "revoke", "api_key", key.0).await
    }
}
