//! Users as they are changed, and the links that let somebody in once: invitations and password resets.

use chrono::Duration;
use leadyard_types::{BuyerId, InvitationId, MailState, Principal, Role, SessionId, SupplierId, Timestamp, UserId};
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter};
use secrecy::SecretString;
use uuid::Uuid;

use super::letters::mailed_token;
use super::{hash_token, hex, principal_of};
use crate::error::StoreResult;
use crate::keyring::random_bytes;
use crate::model::{buyer, invitation, password_reset, session, supplier, user_account};
use crate::sql::marks;
use crate::store::{Read, Write};

/// What the token of an invitation begins with.
pub(super) const INVITATION: &str = "ly_invite_";
/// What the token of a password reset begins with.
pub(super) const RESET: &str = "ly_reset_";

/// Whom somebody belongs to, and what they may do there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Belonging {
    /// What they may do.
    pub role: Role,
    /// The buyer, for a buyer's roles.
    pub buyer_id: Option<BuyerId>,
    /// The supplier, for a supplier's role.
    pub supplier_id: Option<SupplierId>,
}

/// An invitation to be made.
#[derive(Debug, Clone)]
pub struct NewInvitation {
    /// The address that will sign in.
    pub email: String,
    /// As whose user, and as what.
    pub belonging: Belonging,
    /// For how long it holds.
    pub holds: Duration,
    /// Whether it is sent by mail.
    pub mailed: bool,
}

/// A link just made; its token is shown this once.
#[derive(Debug)]
pub struct NewLink<Id> {
    /// Its row.
    pub id: Id,
    /// The secret.
    pub token: SecretString,
    /// Until when it holds.
    pub expires_at: Timestamp,
}

fn new_token(prefix: &str) -> StoreResult<String> {
    Ok(format!("{prefix}{}", hex(&random_bytes()?)))
}

/// An address as it is stored and compared.
pub(crate) fn address(email: &str) -> String {
    email.trim().to_lowercase()
}

/// As whom a user acts.
pub fn principal(user: &user_account::Model) -> StoreResult<Principal> {
    principal_of(user)
}

impl Read {
    /// An invitation that still holds, by its token.
    pub async fn open_invitation(&self, token: &str) -> StoreResult<Option<invitation::Model>> {
        let now = self.store.clock().now();
        let open = Condition::all()
            .add(invitation::Column::TokenHash.eq(hash_token(token)))
            .add(invitation::Column::AcceptedAt.is_null())
            .add(invitation::Column::RevokedAt.is_null())
            .add(invitation::Column::ExpiresAt.gt(now));
        Ok(invitation::Entity::find().filter(open).one(self.connection()).await?)
    }

    /// A password reset that still holds, by its token.
    pub async fn open_reset(&self, token: &str) -> StoreResult<Option<password_reset::Model>> {
        let now = self.store.clock().now();
        let open = Condition::all()
            .add(password_reset::Column::TokenHash.eq(hash_token(token)))
            .add(password_reset::Column::UsedAt.is_null())
            .add(password_reset::Column::ExpiresAt.gt(now));
        Ok(password_reset::Entity::find().filter(open).one(self.connection()).await?)
    }
}

impl Write {
    /// Users as they are now, locked in the order of their ids: those asked for, and every administrator who may sign in.
    /// Who decides about the last administrator sees all of them, and nobody changes them meanwhile.
    pub async fn lock_users(&self, ids: &[UserId]) -> StoreResult<Vec<user_account::Model>> {
        let lock = if self.is_postgres() { " FOR NO KEY UPDATE" } else { "" };
        let sql = format!(
            "SELECT * FROM user_account WHERE (role = ? AND disabled_at IS NULL) OR id IN ({}) ORDER BY id{lock}",
            marks(ids.len())
        );
        let values = std::iter::once(Role::Admin.as_str().into()).chain(ids.iter().map(|id| id.0.into()));
        self.all(&sql, values.collect()).await
    }

    /// The user who signs in with an address.
    pub async fn user_of_address(&self, email: &str) -> StoreResult<Option<user_account::Model>> {
        let sql = "SELECT * FROM user_account WHERE email = ?";
        Ok(self.all(sql, vec![address(email).into()]).await?.into_iter().next())
    }

    /// Changes what a user is called and may do.
    pub async fn set_user(&self, user: UserId, name: &str, role: Role) -> StoreResult<()> {
        let sql = "UPDATE user_account SET name = ?, role = ? WHERE id = ?";
        self.run(sql, vec![name.into(), role.as_str().into(), user.0.into()]).await.map(|_| ())
    }

    /// Says since when a user may not sign in; `None`: they may.
    pub async fn set_user_disabled(&self, user: UserId, since: Option<Timestamp>) -> StoreResult<()> {
        let sql = "UPDATE user_account SET disabled_at = ? WHERE id = ?";
        self.run(sql, vec![since.into(), user.0.into()]).await.map(|_| ())
    }

    /// Gives a user a new password, and forgets failures with the old one.
    pub async fn set_password_hash(&self, user: UserId, hash: String) -> StoreResult<()> {
        let sql = "UPDATE user_account SET password_hash = ? WHERE id = ?";
        self.run(sql, vec![hash.into(), user.0.into()]).await?;
        self.forgive(user).await
    }

    /// Ends a user's sessions at once, but for one where it is named. Answers how many ended.
    pub async fn end_sessions(&self, user: UserId, except: Option<SessionId>) -> StoreResult<u64> {
        let sql = "UPDATE session SET revoked_at = ? WHERE user_id = ? AND id <> ? AND revoked_at IS NULL";
        let except = except.map_or(Uuid::nil(), |id| id.0);
        self.run(sql, vec![self.store.clock().now().into(), user.0.into(), except.into()]).await
    }

    /// Ends one of a user's own sessions at once. Answers whether it was active.
    pub async fn end_session(&self, user: UserId, session: SessionId) -> StoreResult<bool> {
        let sql = "UPDATE session SET revoked_at = ? WHERE user_id = ? AND id = ? AND revoked_at IS NULL";
        Ok(self.run(sql, vec![self.store.clock().now().into(), user.0.into(), session.0.into()]).await? == 1)
    }

    /// Whether there is such a buyer, and such a supplier; what is not named is there.
    pub async fn belongs_somewhere(&self, to: Belonging) -> StoreResult<(bool, bool)> {
        let db = &self.transaction;
        let buyer = match to.buyer_id {
            Some(id) => buyer::Entity::find_by_id(id.0).one(db).await?.is_some(),
            None => true,
        };
        let supplier = match to.supplier_id {
            Some(id) => supplier::Entity::find_by_id(id.0).one(db).await?.is_some(),
            None => true,
        };
        Ok((buyer, supplier))
    }

    /// Writes an invitation. Open ones of the same address into the same place end: the newest counts.
    pub async fn add_invitation(&self, new: NewInvitation) -> StoreResult<NewLink<InvitationId>> {
        let (id, now, email) = (self.store.ids().uuid(), self.store.clock().now(), address(&new.email));
        let token = if new.mailed { mailed_token(&self.store, INVITATION, id) } else { new_token(INVITATION)? };
        let Belonging { role, buyer_id, supplier_id } = new.belonging;
        for older in self.open_invitations("email = ?", email.clone().into()).await? {
            if older.buyer_id == buyer_id.map(Uuid::from) && older.supplier_id == supplier_id.map(Uuid::from) {
                self.revoke_invitation(InvitationId(older.id)).await?;
            }
        }
        let row = invitation::Model {
            id,
            token_hash: hash_token(&token),
            email,
            role: role.as_str().to_owned(),
            buyer_id: buyer_id.map(Uuid::from),
            supplier_id: supplier_id.map(Uuid::from),
            invited_by: self.principal.user_id().map(Uuid::from),
            created_at: now,
            expires_at: now + new.holds,
            accepted_at: None,
            revoked_at: None,
            mail: new.mailed.then(|| MailState::Waiting.as_str().to_owned()),
            mailed_at: None,
        };
        let link = NewLink { id: InvitationId(row.id), token: token.into(), expires_at: row.expires_at };
        self.insert_all::<invitation::Entity>(vec![row]).await?;
        Ok(link)
    }

    async fn open_invitations(&self, which: &str, value: sea_orm::Value) -> StoreResult<Vec<invitation::Model>> {
        let sql = format!("SELECT * FROM invitation WHERE {which} AND accepted_at IS NULL AND revoked_at IS NULL");
        self.all(&sql, vec![value]).await
    }

    /// Ends an invitation. Answers whether it was open.
    pub async fn revoke_invitation(&self, id: InvitationId) -> StoreResult<bool> {
        let sql = "UPDATE invitation SET revoked_at = ? WHERE id = ? AND accepted_at IS NULL AND revoked_at IS NULL";
        Ok(self.run(sql, vec![self.store.clock().now().into(), id.0.into()]).await? == 1)
    }

    /// Ends every open invitation that a user made.
    pub async fn revoke_invitations_of(&self, inviter: UserId) -> StoreResult<()> {
        for open in self.open_invitations("invited_by = ?", inviter.0.into()).await? {
            self.revoke_invitation(InvitationId(open.id)).await?;
        }
        Ok(())
    }

    /// Uses an invitation up. Of several who try at once one gets `true`.
    pub async fn use_invitation(&self, id: InvitationId) -> StoreResult<bool> {
        let now = self.store.clock().now();
        let sql = "UPDATE invitation SET accepted_at = ? WHERE id = ? AND accepted_at IS NULL AND revoked_at IS NULL
                   AND expires_at > ?";
        Ok(self.run(sql, vec![now.into(), id.0.into(), now.into()]).await? == 1)
    }

    /// Writes the right to choose a new password once. Older ones of the user end.
    pub async fn add_password_reset(&self, user: UserId, holds: Duration) -> StoreResult<NewLink<Uuid>> {
        let (token, now) = (new_token(RESET)?, self.store.clock().now());
        self.end_resets(user).await?;
        let row = password_reset::Model {
            id: self.store.ids().uuid(),
            token_hash: hash_token(&token),
            user_id: user.0,
            created_at: now,
            expires_at: now + holds,
            used_at: None,
        };
        let link = NewLink { id: row.id, token: token.into(), expires_at: row.expires_at };
        self.insert_all::<password_reset::Entity>(vec![row]).await?;
        Ok(link)
    }

    /// Ends the open resets of a user.
    pub async fn end_resets(&self, user: UserId) -> StoreResult<()> {
        let sql = "UPDATE password_reset SET used_at = ? WHERE user_id = ? AND used_at IS NULL";
        self.run(sql, vec![self.store.clock().now().into(), user.0.into()]).await.map(|_| ())
    }

    /// Uses a password reset up. Of several who try at once one gets `true`.
    pub async fn use_reset(&self, id: Uuid) -> StoreResult<bool> {
        let now = self.store.clock().now();
        let sql = "UPDATE password_reset SET used_at = ? WHERE id = ? AND used_at IS NULL AND expires_at > ?";
        Ok(self.run(sql, vec![now.into(), id.into(), now.into()]).await? == 1)
    }
}

/// The most sessions that are listed: nobody has more that are of interest.
const SESSIONS_LISTED: u64 = 100;

impl Read {
    /// The caller's own sessions that still hold, the newest first.
    pub async fn own_sessions(&self) -> StoreResult<Vec<session::Model>> {
        use sea_orm::{QueryOrder as _, QuerySelect as _};
        let now = self.store.clock().now();
        let rows = self
            .select::<session::Entity>()
            .filter(session::Column::RevokedAt.is_null())
            .filter(session::Column::ExpiresAt.gt(now))
            .order_by_desc(session::Column::CreatedAt)
            .order_by_desc(session::Column::Id)
            .limit(SESSIONS_LISTED)
            .all(self.connection())
            .await?;
        Ok(rows.into_iter().filter(|row| !super::is_idle(row, now)).collect())
    }
}
