//! Links that are sent by mail. Their tokens are keyed hashes of what they are for: none lies in the database, and a letter
//! that is sent again, because its answer was lost, is the same letter with the same link.

use chrono::Duration;
use leadyard_types::{BuyerId, InvitationId, MailState, PasswordResetId, Role, Timestamp, UserId};
use sea_orm::{EntityTrait, FromQueryResult};
use secrecy::SecretString;
use uuid::Uuid;

use super::{hash_token, hex, people};
use crate::error::{StoreError, StoreResult};
use crate::model::{invitation, password_reset, user_account};
use crate::store::{Read, Store, Write};

/// An invitation that is still open, to be sent.
#[derive(Debug)]
pub struct InvitationLetter {
    /// To whom.
    pub to: String,
    /// What they will be allowed to do.
    pub role: Role,
    /// What opens it.
    pub token: SecretString,
    /// Until when it holds.
    pub expires_at: Timestamp,
}

/// The right to choose a new password that is still open, to be sent.
#[derive(Debug)]
pub struct ResetLetter {
    /// To whom.
    pub to: String,
    /// What opens it.
    pub token: SecretString,
    /// Until when it holds.
    pub expires_at: Timestamp,
}

/// What requests for letters are counted by.
#[derive(Debug, Clone, Copy)]
pub enum AskedBy<'a> {
    /// A new password for an address, whether somebody signs in with it or not.
    Address(&'a str),
    /// A new password from a place; `None` is this machine itself.
    Place(Option<&'a str>),
    /// An invitation of an address.
    Invited(&'a str),
    /// An invitation by a buyer's people.
    Inviting(BuyerId),
}

/// The token of a link that is sent by mail.
pub(super) fn mailed_token(store: &Store, prefix: &str, id: Uuid) -> String {
    format!("{prefix}{}", hex(&store.keyring().keyed_hash(&[b"mailed_link", prefix.as_bytes(), id.as_bytes()])))
}

impl Read {
    /// An invitation that is sent by mail, if it is still open.
    pub async fn invitation_letter(&self, id: InvitationId) -> StoreResult<Option<InvitationLetter>> {
        let now = self.store.clock().now();
        let row = invitation::Entity::find_by_id(id.0).one(self.connection()).await?;
        let is_open = |row: &invitation::Model| {
            row.accepted_at.is_none() && row.revoked_at.is_none() && row.expires_at > now && row.mail.is_some()
        };
        row.filter(is_open)
            .map(|row| {
                Ok(InvitationLetter {
                    role: row.role.parse().map_err(StoreError::corrupt)?,
                    token: mailed_token(&self.store, people::INVITATION, row.id).into(),
                    expires_at: row.expires_at,
                    to: row.email,
                })
            })
            .transpose()
    }

    /// The right to choose a new password, if it is still open and its user may sign in.
    pub async fn reset_letter(&self, id: PasswordResetId) -> StoreResult<Option<ResetLetter>> {
        let now = self.store.clock().now();
        let row = password_reset::Entity::find_by_id(id.0).one(self.connection()).await?;
        let Some(row) = row.filter(|row| row.used_at.is_none() && row.expires_at > now) else { return Ok(None) };
        let user = user_account::Entity::find_by_id(row.user_id).one(self.connection()).await?;
        Ok(user.filter(|user| user.disabled_at.is_none()).map(|user| ResetLetter {
            to: user.email,
            token: mailed_token(&self.store, people::RESET, row.id).into(),
            expires_at: row.expires_at,
        }))
    }
}

impl Write {
    /// Writes the right to choose a new password, which its user is sent by mail. Older ones go on: whoever asks in
    /// somebody else's name must not end the link that the right person is just opening.
    pub async fn add_mailed_reset(&self, user: UserId, holds: Duration) -> StoreResult<PasswordResetId> {
        let (id, now) = (self.store.ids().uuid(), self.store.clock().now());
        let row = password_reset::Model {
            id,
            token_hash: hash_token(&mailed_token(&self.store, people::RESET, id)),
            user_id: user.0,
            created_at: now,
            expires_at: now + holds,
            used_at: None,
        };
        self.insert_all::<password_reset::Entity>(vec![row]).await?;
        Ok(PasswordResetId(id))
    }

    /// Says how the letter of an invitation stands.
    pub async fn note_mail(&self, id: InvitationId, state: MailState) -> StoreResult<()> {
        let sent = (state == MailState::Sent).then(|| self.store.clock().now());
        // Whoever accepted it has got it.
        let sql = "UPDATE invitation SET mail = ?, mailed_at = ? WHERE id = ? AND mail IS NOT NULL
                   AND (accepted_at IS NULL OR ? = 'SENT')";
        let state = state.as_str();
        self.run(sql, vec![state.into(), sent.into(), id.0.into(), state.into()]).await.map(|_| ())
    }

    /// Counts a request for a letter; answers how many there were within the window, this one included.
    pub async fn count_request(&self, by: AskedBy<'_>, window: Duration) -> StoreResult<i64> {
        #[derive(FromQueryResult)]
        struct Counted {
            asked_count: i64,
        }
        let email;
        let parts: [&[u8]; 3] = match by {
            AskedBy::Address(text) => {
                email = people::address(text);
                [b"reset_request", b"address", email.as_bytes()]
            }
            AskedBy::Invited(text) => {
                email = people::address(text);
                [b"invitation", b"address", email.as_bytes()]
            }
            AskedBy::Inviting(ref buyer) => [b"invitation", b"buyer", buyer.0.as_bytes()],
            AskedBy::Place(place) => [b"reset_request", b"place", place.unwrap_or_default().as_bytes()],
        };
        let (about, now) = (self.store.keyring().keyed_hash(&parts).to_vec(), self.store.clock().now());
        let sql = "INSERT INTO reset_request (about, asked_count, since) VALUES (?, 1, ?)
             ON CONFLICT (about) DO UPDATE SET
               asked_count = CASE WHEN reset_request.since <= ? THEN 1 ELSE reset_request.asked_count + 1 END,
               since = CASE WHEN reset_request.since <= ? THEN excluded.since ELSE reset_request.since END
             RETURNING asked_count";
        let before = now - window;
        let counted: Vec<Counted> = self.all(sql, vec![about.into(), now.into(), before.into(), before.into()]).await?;
        Ok(counted.first().map_or(0, |row| row.asked_count))
    }

    /// Forgets requests that count no more.
    pub async fn prune_reset_requests(&self, before: Timestamp) -> StoreResult<u64> {
        self.run("DELETE FROM reset_request WHERE since <= ?", vec![before.into()]).await
    }
}
