//! The second factor: begun, confirmed, taken away.

use leadyard_entity::auth::{NewTotp, Tried};
use leadyard_types::{FieldProblem, UserId};
use secrecy::SecretString;
use serde_json::json;

use super::{Locked, People, PeopleError, PeopleResult};
use leadyard_entity::Write;

fn problem(field: &str, code: &str, message: &str) -> PeopleError {
    PeopleError::Problems(vec![FieldProblem::new(field, code, message)])
}

fn wrong_code() -> PeopleError {
    problem("code", "WRONG_CODE", "the code is wrong or was used before, or trying is paused")
}

impl People {
    /// Gives the caller a secret for an authenticator, shown this once. It counts once a code of it was shown.
    pub async fn begin_totp(&self) -> PeopleResult<NewTotp> {
        let (write, user) = self.own().await?;
        if user.totp_since.is_some() {
            return Err(problem("code", "ALREADY_ON", "there is a second factor: take it away first"));
        }
        let made = write.begin_totp(&user).await?;
        self.finish(write, "begin_totp", UserId(user.id), &json!({})).await?;
        Ok(made)
    }

    /// Lets the caller's second factor count from now on. Answers the recovery codes, shown this once.
    pub async fn confirm_totp(&self, code: &str) -> PeopleResult<Vec<SecretString>> {
        let (write, user) = self.own().await?;
        if user.totp_since.is_some() {
            return Err(problem("code", "ALREADY_ON", "there is a second factor: take it away first"));
        }
        let id = UserId(user.id);
        let paused = write.is_paused(id, Tried::Again).await?;
        let codes = if paused { None } else { write.confirm_totp(&user, code).await? };
        if !paused {
            write.note_try(&user, Tried::Again, codes.is_some()).await?;
        }
        let action = if codes.is_some() { "confirm_totp" } else { "confirm_totp_refused" };
        self.finish(write, action, id, &json!({})).await?;
        codes.ok_or_else(wrong_code)
    }

    /// Takes the caller's own second factor away: by a code of it, or a recovery code.
    pub async fn disable_own_totp(&self, code: &str) -> PeopleResult<UserId> {
        let (write, user) = self.own().await?;
        let id = UserId(user.id);
        if user.totp_since.is_none() {
            return Err(problem("code", "NOT_ON", "there is no second factor"));
        }
        let paused = write.is_paused(id, Tried::Again).await?;
        let is_right = !paused && write.use_second_factor(&user, code).await?;
        if !paused {
            write.note_try(&user, Tried::Again, is_right).await?;
        }
        if is_right {
            write.disable_totp(id).await?;
        }
        let action = if is_right { "disable_totp" } else { "disable_totp_refused" };
        self.finish(write, action, id, &json!({})).await?;
        if is_right { Ok(id) } else { Err(wrong_code()) }
    }

    /// Takes away the second factor of a user who lost it: by those who administer the user.
    pub async fn disable_totp(&self, user: UserId) -> PeopleResult<UserId> {
        let write = self.store.write(self.principal).await?;
        let Locked { user: row, .. } = self.lock(&write, user).await?;
        if row.totp_since.is_none() {
            return Err(problem("user_id", "NOT_ON", "there is no second factor"));
        }
        write.disable_totp(user).await?;
        self.finish(write, "disable_totp", user, &json!({})).await?;
        Ok(user)
    }

    /// Forgets the failures of a user, so that signing in is not paused any more: by those who administer the user.
    pub async fn forgive(&self, user: UserId) -> PeopleResult<()> {
        let write = self.store.write(self.principal).await?;
        self.lock(&write, user).await?;
        write.forgive(user).await?;
        self.finish(write, "forgive", user, &json!({})).await
    }

    /// The caller, locked.
    pub(super) async fn own(&self) -> PeopleResult<(Write, leadyard_entity::model::user_account::Model)> {
        self.is_a_person()?;
        let user = self.principal.user_id().ok_or(PeopleError::NotAllowed)?;
        let write = self.store.write(self.principal).await?;
        let rows = write.lock_users(&[user]).await?;
        let row = rows.into_iter().find(|row| row.id == user.0 && row.disabled_at.is_none());
        Ok((write, row.ok_or(PeopleError::NotAllowed)?))
    }
}
