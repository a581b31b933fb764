//! Who is calling: users with passwords and sessions, sources with API keys. Secrets are stored hashed.

mod hashing;
mod keys;
mod letters;
mod patience;
mod people;
mod sign_in;
mod together;
mod totp;
mod uses;

use chrono::Duration;
use leadyard_types::{BuyerId, Principal, Role, SessionId, SupplierId, Timestamp, UserId};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::error::{StoreError, StoreResult};
use crate::model::{session, user_account};
use crate::store::{Read, Write};

pub use hashing::HashedFor;
pub(crate) use hashing::Hashing;
pub use keys::{Access, NewUserKey, Rotated, begins_with, is_active, made_until, scopes_of};
pub use letters::{AskedBy, InvitationLetter, ResetLetter};
pub use patience::Tried;
pub(crate) use people::address;
pub use people::{Belonging, NewInvitation, NewLink, principal};
pub use sign_in::Credentials;
pub(crate) use together::KeyLookups;
pub use totp::NewTotp;
#[cfg(feature = "testing")]
pub use totp::code_at;
pub(crate) use uses::KeyUses;

/// How long a session lives, however busy: a day's work.
const SESSION_HOURS: i64 = 12;
/// How long a session may rest before it ends: longer than a lunch or a meeting.
const SESSION_IDLE_HOURS: i64 = 3;
/// How exactly the last use of a session is known: a write for each request would be too dear.
const LAST_USE_SECONDS: i64 = 60;
/// A user to be made.
#[derive(Debug, Clone)]
pub struct NewUser {
    /// The address that signs in.
    pub email: String,
    /// What people call them.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// The buyer a buyer's role belongs to.
    pub buyer_id: Option<BuyerId>,
    /// The supplier a supplier's role belongs to.
    pub supplier_id: Option<SupplierId>,
    /// The password, in the clear; only its hash is kept.
    pub password: String,
}

/// A session just made; the token is shown this once.
#[derive(Debug, Clone)]
pub struct NewSession {
    /// The session.
    pub row: session::Model,
    /// The bearer token.
    pub token: String,
    /// As whom it acts.
    pub principal: Principal,
}

/// From where and with what somebody signs in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Device {
    /// The address, shortened to its network; `None` is this machine itself.
    pub address: Option<String>,
    /// What failures count for: the address, of IPv6 its network; `None` is this machine itself.
    pub network: Option<String>,
    /// The program, in a few words.
    pub agent: Option<String>,
}

fn hash_token(token: &str) -> Vec<u8> {
    Sha256::digest(token.as_bytes()).to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn principal_of(user: &user_account::Model) -> StoreResult<Principal> {
    let role: Role = user.role.parse().map_err(StoreError::corrupt)?;
    let user_id = UserId(user.id);
    match (user.buyer_id, user.supplier_id) {
        (Some(buyer), None) if role.is_buyer() => {
            Ok(Principal::Buyer { user_id, role, buyer_id: BuyerId(buyer), key: None })
        }
        (None, Some(supplier)) if role == Role::Supplier => {
            Ok(Principal::Supplier { user_id, supplier_id: SupplierId(supplier), key: None })
        }
        (None, None) if role.is_staff() => Ok(Principal::Staff { user_id, role, key: None }),
        _ => Err(StoreError::corrupt("a user's role does not fit whom they belong to")),
    }
}

impl Write {
    /// Makes a user, at this machine.
    pub async fn create_user(&self, new: NewUser) -> StoreResult<UserId> {
        let hash = self.store.hash_password(HashedFor::Network(None), new.password.clone()).await?;
        self.add_user(new, hash).await
    }

    /// Makes a user whose password was hashed before.
    pub async fn add_user(&self, new: NewUser, password_hash: String) -> StoreResult<UserId> {
        let row = user_account::Model {
            id: self.store.ids().uuid(),
            email: people::address(&new.email),
            name: new.name,
            role: new.role.as_str().to_owned(),
            buyer_id: new.buyer_id.map(uuid::Uuid::from),
            supplier_id: new.supplier_id.map(uuid::Uuid::from),
            password_hash,
            disabled_at: None,
            failed_sign_ins: 0,
            locked_until: None,
            created_at: self.store.clock().now(),
            totp_secret: None,
            totp_since: None,
            totp_step: None,
        };
        principal_of(&row)?;
        let id = UserId(row.id);
        self.insert_all::<user_account::Entity>(vec![row]).await?;
        Ok(id)
    }

    /// Ends a session at once. Answers whether it was active.
    pub async fn revoke_session(&self, session: SessionId) -> StoreResult<bool> {
        let sql = "UPDATE session SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL";
        Ok(self.run(sql, vec![self.store.clock().now().into(), session.0.into()]).await? == 1)
    }
}

impl crate::Store {
    /// Ends the session of a token at once. Answers whether it was the caller's own and had not ended before.
    pub async fn sign_out(&self, principal: Principal, token: &str) -> StoreResult<bool> {
        let Some(user) = principal.user_id() else { return Ok(false) };
        let write = self.write(principal).await?;
        let sql = "UPDATE session SET revoked_at = ? WHERE token_hash = ? AND user_id = ? AND revoked_at IS NULL";
        let ended = write.run(sql, vec![self.clock().now().into(), hash_token(token).into(), user.0.into()]).await?;
        let _ = write.commit().await?;
        Ok(ended == 1)
    }

    /// Ends one of the caller's own sessions at once. Answers whether it was active.
    pub async fn end_own_session(&self, principal: Principal, session: SessionId) -> StoreResult<bool> {
        let Some(user) = principal.user_id() else { return Ok(false) };
        let write = self.write(principal).await?;
        let ended = write.end_session(user, session).await?;
        if ended {
            write.audit("revoke", "session", Some(session.0), &serde_json::json!({})).await?;
        }
        let _ = write.commit().await?;
        Ok(ended)
    }

    /// Ends all of the caller's own sessions at once, but for one where it is named. Answers how many were active.
    pub async fn end_own_sessions(&self, principal: Principal, except: Option<SessionId>) -> StoreResult<u64> {
        let Some(user) = principal.user_id() else { return Ok(0) };
        let write = self.write(principal).await?;
        let ended = write.end_sessions(user, except).await?;
        write.audit("revoke_others", "session", None, &serde_json::json!({ "ended": ended })).await?;
        let _ = write.commit().await?;
        Ok(ended)
    }

    /// Who a bearer token speaks for, and what of their role it may do: a session's user, a user's key, or a source's.
    pub async fn access(&self, token: &str) -> StoreResult<Option<Access>> {
        let read = self.read(Principal::System(leadyard_types::SystemTask::Authenticate));
        if token.starts_with("ly_live_") {
            return read.access_of_key(token).await;
        }
        if token.starts_with("ly_session_") {
            return Ok(read.user_of_session(token).await?.map(Access::whole));
        }
        Ok(None)
    }

    /// Who a bearer token speaks for, for those who ask for no scopes: a user's key is nobody's there.
    pub async fn authenticate(&self, token: &str) -> StoreResult<Option<Principal>> {
        Ok(self.access(token).await?.filter(|access| access.scopes.is_none()).map(|access| access.principal))
    }
}

/// Whether a session has rested for too long.
fn is_idle(row: &session::Model, now: Timestamp) -> bool {
    now - row.last_used_at.unwrap_or(row.created_at) >= Duration::hours(SESSION_IDLE_HOURS)
}

/// Whether a session is the one of a token.
#[must_use]
pub fn is_session_of(row: &session::Model, token: &str) -> bool {
    bool::from(row.token_hash.as_slice().ct_eq(&hash_token(token)))
}

impl Read {
    async fn user_of_session(&self, token: &str) -> StoreResult<Option<Principal>> {
        let db = self.connection();
        let row = session::Entity::find().filter(session::Column::TokenHash.eq(hash_token(token))).one(db).await?;
        let now = self.store.clock().now();
        let holds = |row: &session::Model| row.revoked_at.is_none() && row.expires_at > now && !is_idle(row, now);
        let Some(row) = row.filter(holds) else { return Ok(None) };
        let user = user_account::Entity::find_by_id(row.user_id).one(db).await?;
        let principal = user.filter(|user| user.disabled_at.is_none()).as_ref().map(principal_of).transpose()?;
        if principal.is_some()
            && now - row.last_used_at.unwrap_or(row.created_at) >= Duration::seconds(LAST_USE_SECONDS)
        {
            self.note_use(&row, now).await;
        }
        Ok(principal)
    }

    /// Notes that a session is in use. Whoever asks does not suffer where the database is too busy for it.
    async fn note_use(&self, row: &session::Model, now: Timestamp) {
        let noted = async {
            let write = self.store.write(self.principal).await?;
            let sql = "UPDATE session SET last_used_at = ? WHERE id = ? AND revoked_at IS NULL";
            write.run(sql, vec![now.into(), row.id.into()]).await?;
            write.commit().await
        };
        if let Err(error) = noted.await {
            tracing::warn!(%error, "the use of a session was not noted");
        }
    }

    /// The caller's session whose token this is.
    pub async fn session_of_token(&self, token: &str) -> StoreResult<Option<SessionId>> {
        let by_hash = self.select::<session::Entity>().filter(session::Column::TokenHash.eq(hash_token(token)));
        Ok(by_hash.one(self.connection()).await?.map(|row| SessionId(row.id)))
    }
}
