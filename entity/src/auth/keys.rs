//! API keys of sources and of users: `ly_live_<public id>_<secret><checksum>`, stored as keyed hashes. What was mistyped or
//! made up is told by its checksum, before anybody asks the database.

use chrono::Duration;
use leadyard_types::{ApiKeyId, KeyScopes, Principal, SourceId, Timestamp, UserId};
use sea_orm::{EntityTrait, FromQueryResult};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::{LAST_USE_SECONDS, hash_token, hex, principal_of};
use crate::error::{StoreError, StoreResult};
use crate::keyring::{Keyring, random_bytes};
use crate::model::{api_key, user_account};
use crate::store::{Read, Write};

/// What every key begins with.
const PREFIX: &str = "ly_live_";
/// The letters of a secret.
const SECRET_LETTERS: usize = 48;
/// The letters of a checksum.
const CHECKSUM_LETTERS: usize = 8;

/// Who calls, and what of their role they may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Access {
    /// Who.
    pub principal: Principal,
    /// The scopes of a user's key; `None`: whatever the role may do.
    pub scopes: Option<KeyScopes>,
}

impl Access {
    /// Access with all that the role may do.
    #[must_use]
    pub const fn whole(principal: Principal) -> Self {
        Self { principal, scopes: None }
    }
}

/// A key of a user to be made.
#[derive(Debug, Clone)]
pub struct NewUserKey {
    /// Whose.
    pub user: UserId,
    /// What people call it.
    pub label: String,
    /// What of the user's role it may do.
    pub scopes: KeyScopes,
    /// When it ends by itself.
    pub expires_at: Option<Timestamp>,
}

/// How a key was replaced.
#[derive(Debug, Clone, Copy)]
pub struct Rotated {
    /// Its successor.
    pub successor: ApiKeyId,
    /// When it would have ended by itself, if ever: what a successor's life is counted by.
    pub made_until: Option<Timestamp>,
    /// Until when it goes on beside its successor.
    pub until: Timestamp,
}

fn checksum(public: &str, secret: &str) -> String {
    let sum = Sha256::digest(format!("{PREFIX}{public}_{secret}").as_bytes());
    hex(sum.as_slice().get(..CHECKSUM_LETTERS / 2).unwrap_or_default())
}

/// A key as it was shown, taken apart. What cannot be one is `None`.
struct Shown<'a> {
    public: &'a str,
    secret: &'a str,
    /// Keys that were made before there were checksums have none, and a plain hash.
    is_old: bool,
}

impl<'a> Shown<'a> {
    fn read(token: &'a str) -> Option<Self> {
        let (public, rest) = token.strip_prefix(PREFIX)?.split_once('_')?;
        let (secret, sum) = rest.split_at_checked(SECRET_LETTERS)?;
        let is_old = sum.is_empty();
        (is_old || sum == checksum(public, secret)).then_some(Self { public, secret, is_old })
    }

    fn hash(&self, keyring: &Keyring) -> Vec<u8> {
        if self.is_old {
            return hash_token(self.secret);
        }
        keyring.keyed_hash(&[b"api_key", self.public.as_bytes(), self.secret.as_bytes()]).to_vec()
    }
}

/// Whether a key opens something at a moment.
#[must_use]
pub fn is_active(key: &api_key::Model, now: Timestamp) -> bool {
    key.revoked_at.is_none() && key.expires_at.is_none_or(|end| end > now)
}

/// When a key was made to end by itself: not when its time beside a successor ends.
#[must_use]
pub fn made_until(key: &api_key::Model) -> Option<Timestamp> {
    if key.successor_id.is_some() { key.made_until } else { key.expires_at }
}

/// How a key begins, by which people recognise it.
#[must_use]
pub fn begins_with(key: &api_key::Model) -> String {
    format!("{PREFIX}{}", key.public_id)
}

/// The scopes of a user's key as they are stored.
pub fn scopes_of(key: &api_key::Model) -> StoreResult<KeyScopes> {
    key.scopes.as_deref().unwrap_or_default().parse().map_err(StoreError::corrupt)
}

impl Write {
    /// Makes a source's API key; it is shown this once.
    pub async fn add_source_key(&self, source: SourceId, label: &str) -> StoreResult<(ApiKeyId, SecretString)> {
        self.add_key(label, |row| row.source_id = Some(source.0)).await
    }

    /// Makes a user's API key; it is shown this once.
    pub async fn add_user_key(&self, new: &NewUserKey) -> StoreResult<(ApiKeyId, SecretString)> {
        let of_user = |row: &mut api_key::Model| {
            row.user_id = Some(new.user.0);
            row.scopes = Some(new.scopes.to_string());
            row.expires_at = new.expires_at;
        };
        self.add_key(&new.label, of_user).await
    }

    async fn add_key(
        &self,
        label: &str,
        fill: impl FnOnce(&mut api_key::Model),
    ) -> StoreResult<(ApiKeyId, SecretString)> {
        let random = random_bytes()?;
        let (public, secret) = (hex(&random[..6]), hex(&random[6..30]));
        let shown = Shown { public: &public, secret: &secret, is_old: false };
        let mut row = api_key::Model {
            id: self.store.ids().uuid(),
            public_id: public.clone(),
            secret_hash: shown.hash(self.store.keyring()),
            label: label.to_owned(),
            source_id: None,
            user_id: None,
            created_at: self.store.clock().now(),
            expires_at: None,
            revoked_at: None,
            last_used_at: None,
            scopes: None,
            successor_id: None,
            made_until: None,
        };
        fill(&mut row);
        let id = ApiKeyId(row.id);
        self.insert_all::<api_key::Entity>(vec![row]).await?;
        Ok((id, SecretString::from(format!("{PREFIX}{public}_{secret}{}", checksum(&public, &secret)))))
    }

    /// A source's key as [`Write::add_source_key`] makes it, only the key.
    pub async fn create_key(&self, source: SourceId, label: &str) -> StoreResult<String> {
        let (_, key) = self.add_source_key(source, label).await?;
        Ok(key.expose_secret().to_owned())
    }

    /// The keys of a source that still open something, the oldest first.
    pub async fn active_source_keys(&self, source: SourceId) -> StoreResult<Vec<api_key::Model>> {
        self.active_keys("source_id", source.0).await
    }

    /// The keys of a user that still open something, the oldest first.
    pub async fn active_user_keys(&self, user: UserId) -> StoreResult<Vec<api_key::Model>> {
        self.active_keys("user_id", user.0).await
    }

    async fn active_keys(&self, owner: &str, id: uuid::Uuid) -> StoreResult<Vec<api_key::Model>> {
        let sql = format!(
            "SELECT * FROM api_key WHERE {owner} = ? AND revoked_at IS NULL
             AND (expires_at IS NULL OR expires_at > ?) ORDER BY created_at, id"
        );
        self.all(&sql, vec![id.into(), self.store.clock().now().into()]).await
    }

    /// A key of a user, whichever.
    pub async fn user_key(&self, key: ApiKeyId) -> StoreResult<Option<api_key::Model>> {
        let sql = "SELECT * FROM api_key WHERE id = ? AND user_id IS NOT NULL";
        Ok(self.all(sql, vec![key.0.into()]).await?.into_iter().next())
    }

    /// Writes that a key was replaced.
    pub async fn rotate_key(&self, key: ApiKeyId, rotated: Rotated) -> StoreResult<()> {
        let sql = "UPDATE api_key SET successor_id = ?, made_until = ?, expires_at = ? WHERE id = ?";
        let Rotated { successor, made_until, until } = rotated;
        self.run(sql, vec![successor.0.into(), made_until.into(), until.into(), key.0.into()]).await.map(|_| ())
    }

    /// Ends the keys of a user that still open something, at once. Answers which they were.
    pub async fn revoke_user_keys(&self, user: UserId) -> StoreResult<Vec<ApiKeyId>> {
        #[derive(FromQueryResult)]
        struct Ended {
            id: uuid::Uuid,
        }
        let now = self.store.clock().now();
        let sql = "UPDATE api_key SET revoked_at = ? WHERE user_id = ? AND revoked_at IS NULL
                   AND (expires_at IS NULL OR expires_at > ?) RETURNING id";
        let ended: Vec<Ended> = self.all(sql, vec![now.into(), user.0.into(), now.into()]).await?;
        let mut ids: Vec<ApiKeyId> = ended.into_iter().map(|row| ApiKeyId(row.id)).collect();
        ids.sort_unstable();
        Ok(ids)
    }

    /// Ends a key at once. Answers whether it was active.
    pub async fn revoke_key(&self, key: ApiKeyId) -> StoreResult<bool> {
        let sql = "UPDATE api_key SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL";
        Ok(self.run(sql, vec![self.store.clock().now().into(), key.0.into()]).await? == 1)
    }
}

impl Read {
    /// Whose key it is, and what it may do. Anything that opens nothing is `None`.
    pub(super) async fn access_of_key(&self, token: &str) -> StoreResult<Option<Access>> {
        let Some(shown) = Shown::read(token) else { return Ok(None) };
        let now = self.store.clock().now();
        let row = self.store.key_lookups().find(self.connection(), shown.public).await?;
        let hash = shown.hash(self.store.keyring());
        let fits = |row: &api_key::Model| bool::from(row.secret_hash.as_slice().ct_eq(&hash));
        let Some(row) = row.filter(fits).filter(|row| is_active(row, now)) else { return Ok(None) };
        if let Some(source) = row.source_id {
            return Ok(Some(Access::whole(Principal::Source { source_id: SourceId(source) })));
        }
        let Some(user) = row.user_id else { return Ok(None) };
        let user = user_account::Entity::find_by_id(user).one(self.connection()).await?;
        let Some(user) = user.filter(|user| user.disabled_at.is_none()) else { return Ok(None) };
        let principal = principal_of(&user)?.by_key(ApiKeyId(row.id));
        if row.last_used_at.is_none_or(|last| now - last >= Duration::seconds(LAST_USE_SECONDS)) {
            self.store.note_key_use(ApiKeyId(row.id), now);
        }
        Ok(Some(Access { principal, scopes: Some(scopes_of(&row)?) }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A key is its own checksum's; one letter more, less or another is none, and an old key has none.
    #[test]
    fn a_checksum_tells_what_is_no_key() {
        let (public, secret) = ("0a1b2c3d4e5f", "0123456789abcdef".repeat(3));
        let key = format!("{PREFIX}{public}_{secret}{}", checksum(public, &secret));
        assert!(Shown::read(&key).is_some_and(|shown| !shown.is_old && shown.secret == secret));
        for at in PREFIX.len()..key.len() {
            let mut other = key.clone();
            let letter = if other.get(at..=at) == Some("0") { "1" } else { "0" };
            other.replace_range(at..=at, letter);
            assert!(Shown::read(&other).is_none(), "{other}");
        }
        assert!(Shown::read(&format!("{PREFIX}{public}_{secret}")).is_some_and(|shown| shown.is_old));
        for none in ["", "ly_live_", "ly_live__", "ly_live_1_2", "ly_live_' OR 1=1 --_x", &key[..key.len() - 1]] {
            assert!(Shown::read(none).is_none(), "{none}");
        }
        assert!(Shown::read(&format!("{key}0")).is_none());
        assert!(Shown::read(&format!("ly_live_1_{}ä", "0".repeat(47))).is_none(), "in the middle of a letter");
    }
}
