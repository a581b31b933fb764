//! Signing in. Whatever is wrong, the answer is the same after about the same work: one hash, one transaction, one line
//! in the audit, which alone says why.

use chrono::Duration;
use leadyard_types::{Principal, SystemTask, UserId};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use serde_json::json;

use super::patience::Tried;
use super::{Device, HashedFor, NewSession, SESSION_HOURS, hash_token, hex, people, principal_of};
use crate::error::StoreResult;
use crate::keyring::random_bytes;
use crate::model::{session, user_account};
use crate::store::Write;

/// A hash nobody knows the password of, so that an unknown address takes as long as a known one.
const NOBODY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$Tb1oW0y0vNp2ZMVaA8UUbwpXUnJxFXKLQyJ5mYkKf2E";

/// What somebody shows who signs in.
#[derive(Debug, Clone, Copy)]
pub struct Credentials<'a> {
    /// The address.
    pub email: &'a str,
    /// The password.
    pub password: &'a str,
    /// A code of the second factor, where they have one.
    pub code: Option<&'a str>,
}

/// What came of it, as the audit calls it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Right,
    WrongPassword,
    CodeMissing,
    WrongCode,
    Paused,
    Disabled,
}

impl Verdict {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Right => "RIGHT",
            Self::WrongPassword => "WRONG_PASSWORD",
            Self::CodeMissing => "CODE_MISSING",
            Self::WrongCode => "WRONG_CODE",
            Self::Paused => "PAUSED",
            Self::Disabled => "DISABLED",
        }
    }
}

impl crate::Store {
    /// Signs a user in from this machine.
    pub async fn sign_in(&self, email: &str, password: &str) -> StoreResult<Option<NewSession>> {
        self.sign_in_from(Credentials { email, password, code: None }, &Device::default()).await
    }

    /// Signs a user in. Unknown address, wrong password, wrong code, disabled and paused users get the same answer,
    /// `None`; where too many wait, so do all of them: [`crate::StoreError::Crowded`].
    pub async fn sign_in_from(&self, shown: Credentials<'_>, from: &Device) -> StoreResult<Option<NewSession>> {
        let authenticate = Principal::System(SystemTask::Authenticate);
        let by_address = user_account::Column::Email.eq(people::address(shown.email));
        let found = user_account::Entity::find().filter(by_address).one(self.read(authenticate).connection()).await?;
        let hash = found.as_ref().map_or(NOBODY, |user| user.password_hash.as_str()).to_owned();
        let whose = HashedFor::Network(from.network.as_deref());
        let is_right = self.verify_password(whose, shown.password.to_owned(), hash.clone()).await?;
        let write = self.write(authenticate).await?;
        let id = UserId(found.map(|user| user.id).unwrap_or_default());
        let Some(user) = write.lock_users(&[id]).await?.into_iter().find(|user| user.id == id.0) else {
            write.audit("sign_in_refused", "user", None, &json!({ "why": "UNKNOWN" })).await?;
            let _ = write.commit().await?;
            return Ok(None);
        };
        // The password may have been changed since it was compared.
        let is_right = is_right && user.password_hash == hash;
        let verdict = write.judge(&user, is_right, shown.code, from).await?;
        let made = if verdict == Verdict::Right { Some(write.begin_session(&user, from).await?) } else { None };
        let action = if made.is_some() { "sign_in" } else { "sign_in_refused" };
        write.audit(action, "user", Some(user.id), &json!({ "why": verdict.as_str() })).await?;
        let _ = write.commit().await?;
        Ok(made)
    }
}

impl Write {
    /// What is to be said of somebody who shows this as a user, who is locked.
    async fn judge(
        &self,
        user: &user_account::Model,
        is_right: bool,
        code: Option<&str>,
        from: &Device,
    ) -> StoreResult<Verdict> {
        let tried = Tried::SignIn(from.network.as_deref());
        if user.disabled_at.is_some() {
            return Ok(Verdict::Disabled);
        }
        if self.is_paused(UserId(user.id), tried).await? {
            return Ok(Verdict::Paused);
        }
        let verdict = match (is_right, user.totp_since.is_some(), code) {
            (false, ..) => Verdict::WrongPassword,
            (true, true, None) => Verdict::CodeMissing,
            (true, true, Some(code)) if !self.use_second_factor(user, code).await? => Verdict::WrongCode,
            _ => Verdict::Right,
        };
        self.note_try(user, tried, verdict == Verdict::Right).await?;
        Ok(verdict)
    }

    async fn begin_session(&self, user: &user_account::Model, from: &Device) -> StoreResult<NewSession> {
        let (token, now) = (format!("ly_session_{}", hex(&random_bytes()?)), self.store.clock().now());
        let row = session::Model {
            id: self.store.ids().uuid(),
            user_id: user.id,
            token_hash: hash_token(&token),
            created_at: now,
            expires_at: now + Duration::hours(SESSION_HOURS),
            revoked_at: None,
            last_used_at: Some(now),
            address: from.address.clone(),
            agent: from.agent.clone(),
        };
        self.insert_all::<session::Entity>(vec![row.clone()]).await?;
        Ok(NewSession { row, token, principal: principal_of(user)? })
    }
}
