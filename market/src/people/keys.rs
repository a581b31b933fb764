//! API keys of users: what programs act with on a person's behalf, with a part of what the person may do. Only the person
//! makes them, in a session; a key makes no keys.

use chrono::Duration;
use leadyard_entity::auth::{NewUserKey, Rotated, begins_with, is_active, made_until, scopes_of};
use leadyard_entity::model::{api_key, user_account};
use leadyard_entity::{StoreError, Write};
use leadyard_types::{ApiKeyId, FieldProblem, KeyScopes, Timestamp, UserId};
use secrecy::SecretString;
use serde_json::json;

use super::{People, PeopleError, PeopleResult, refuse};
use crate::rules::people::{
    KEYS_MAX, KeyEnds, check_key_end, check_old_key_end, check_rotation, check_scopes, old_key_end, rotated_end,
};
use crate::setup::check;

/// How long an old key goes on beside its successor where nothing else is said: a day to bring the new one everywhere.
const OVERLAP: Duration = Duration::hours(24);

/// A key to be made.
#[derive(Debug, Clone)]
pub struct NewKey {
    /// What people call it.
    pub name: String,
    /// What of the user's role it may do.
    pub scopes: KeyScopes,
    /// When it ends by itself.
    pub expires_at: Option<Timestamp>,
}

/// How a key is replaced.
#[derive(Debug, Clone, Copy, Default)]
pub struct KeyRotation {
    /// Until when the old key goes on, never longer than it was made for; left out, for a day.
    pub old_until: Option<Timestamp>,
    /// When the new key ends by itself; left out, it lives as long as the old one was made for.
    pub expires_at: Option<Timestamp>,
}

/// A key just made.
#[derive(Debug)]
pub struct MadeKey {
    /// Its row.
    pub id: ApiKeyId,
    /// The whole key, shown this once.
    pub key: SecretString,
}

impl People {
    /// Makes a key of the caller's own.
    pub async fn create_key(&self, new: NewKey) -> PeopleResult<MadeKey> {
        let (write, user) = self.own().await?;
        self.add_key(write, &user, new).await
    }

    /// Makes a key of a user whom the caller administers. At the machine itself only: over the network nobody makes keys
    /// that act as somebody else.
    pub async fn create_key_of(&self, user: UserId, new: NewKey) -> PeopleResult<MadeKey> {
        if self.principal.user_id().is_some() {
            return Err(PeopleError::NotAllowed);
        }
        let write = self.store.write(self.principal).await?;
        let user = self.lock(&write, user).await?.user;
        self.add_key(write, &user, new).await
    }

    async fn add_key(&self, write: Write, user: &user_account::Model, new: NewKey) -> PeopleResult<MadeKey> {
        let now = self.store.clock().now();
        let name = new.name.trim().to_owned();
        let mut problems = [check::name("name", &name), check_scopes(new.scopes)].concat();
        problems.extend(new.expires_at.and_then(|end| check_key_end(end, now)));
        let id = UserId(user.id);
        if write.active_user_keys(id).await?.len() >= KEYS_MAX {
            let message = format!("{KEYS_MAX} keys are active: revoke one first");
            problems.push(FieldProblem::new("name", "TOO_MANY_KEYS", message));
        }
        refuse(problems)?;
        let NewKey { scopes, expires_at, .. } = new;
        let made = write.add_user_key(&NewUserKey { user: id, label: name, scopes, expires_at }).await?;
        let detail = json!({ "user": id, "scopes": scopes.to_string(), "expires_at": expires_at });
        self.finish_key(write, "create", made.0, &detail).await?;
        Ok(MadeKey { id: made.0, key: made.1 })
    }

    /// Replaces a key of the caller's own by one of the same name and scopes. The old one goes on until a stated moment. It
    /// has one successor: another only when that one opens nothing any more.
    pub async fn rotate_key(&self, key: ApiKeyId, rotation: KeyRotation) -> PeopleResult<MadeKey> {
        let (write, user) = self.own().await?;
        let now = self.store.clock().now();
        let old = write.user_key(key).await?.filter(|row| row.user_id == Some(user.id) && is_active(row, now));
        let old = old.ok_or(PeopleError::NotFound("apiKey"))?;
        let old_until = rotation.old_until.unwrap_or(now + OVERLAP);
        let successor = match old.successor_id {
            Some(id) => write.user_key(ApiKeyId(id)).await?.filter(|row| is_active(row, now)),
            None => None,
        };
        let active = write.active_user_keys(UserId(user.id)).await?.len();
        let ends = KeyEnds { made_at: old.created_at, ends_at: made_until(&old) };
        let expires_at = rotation.expires_at.or_else(|| rotated_end(ends, now));
        let problems = check_rotation(successor.as_ref().map(begins_with).as_deref(), active).into_iter();
        let problems = problems.chain(check_old_key_end(old_until, now));
        refuse(problems.chain(rotation.expires_at.and_then(|end| check_key_end(end, now))).collect())?;
        let new = NewUserKey { user: UserId(user.id), label: old.label.clone(), scopes: scopes_of(&old)?, expires_at };
        let (id, shown) = write.add_user_key(&new).await?;
        let until = old_key_end(ends, old_until);
        write.rotate_key(key, Rotated { successor: id, made_until: ends.ends_at, until }).await?;
        let detail = json!({ "user": user.id, "successor": id, "old_until": until });
        write.audit("rotate", "api_key", Some(key.0), &detail).await?;
        let detail = json!({ "user": user.id, "scopes": new.scopes.to_string(), "expires_at": expires_at });
        self.finish_key(write, "create", id, &detail).await?;
        Ok(MadeKey { id, key: shown })
    }

    /// Ends a key at once: one of the caller's own, or of somebody whom the caller administers.
    pub async fn revoke_key(&self, key: ApiKeyId) -> PeopleResult<()> {
        self.is_a_person()?;
        // What the caller does not see is not there.
        let seen = self.store.read(self.principal).by_id::<api_key::Entity>(key.0).await?;
        let Some(row) = seen else { return Err(PeopleError::NotFound("apiKey")) };
        let write = self.store.write(self.principal).await?;
        if !write.revoke_key(key).await? {
            return Err(PeopleError::NotFound("apiKey"));
        }
        self.finish_key(write, "revoke", key, &json!({ "user": row.user_id })).await
    }

    async fn finish_key(
        &self,
        write: Write,
        action: &str,
        key: ApiKeyId,
        detail: &serde_json::Value,
    ) -> PeopleResult<()> {
        write.audit(action, "api_key", Some(key.0), detail).await?;
        let _ = write.commit().await?;
        Ok(())
    }
}

/// Ends every key of a user who was shut out.
pub(super) async fn revoke_keys_of(write: &Write, user: UserId) -> Result<(), StoreError> {
    for key in write.revoke_user_keys(user).await? {
        write.audit("revoke", "api_key", Some(key.0), &json!({ "user": user, "why": "USER_DISABLED" })).await?;
    }
    Ok(())
}
