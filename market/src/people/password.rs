//! Passwords: changed by whoever knows the old one, replaced by whoever holds a reset.

use chrono::Duration;
use leadyard_entity::auth::{AskedBy, HashedFor, NewLink, Tried};
use leadyard_entity::model::user_account;
use leadyard_entity::{Store, StoreError};
use leadyard_types::{FieldProblem, Principal, SessionId, SystemTask, TaskPayload, UserId};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use uuid::Uuid;

use super::invitation::letter_task;
use super::{People, PeopleError, PeopleResult, refuse};
use crate::market::Market;
use crate::rules::people::{PASSWORD_BYTES_MAX, check_known_address, check_password};

/// Whoever asked for it is waiting for it.
const RESET_HOLDS: Duration = Duration::hours(1);
/// Over which time requests for a link are counted.
const RESETS_WINDOW: Duration = Duration::hours(1);
/// How many letters one address gets in that time: some get lost in spam.
const RESETS_PER_ADDRESS: i64 = 3;
/// How many requests one place has in that time: an office forgets some passwords, whoever tries addresses needs thousands.
const RESETS_PER_PLACE: i64 = 10;

/// A password to be changed by its user.
#[derive(Debug)]
pub struct PasswordChange {
    /// The one in force.
    pub current: SecretString,
    /// The new one.
    pub new: SecretString,
    /// The session that asks: it goes on, all others end.
    pub session: Option<SessionId>,
}

impl People {
    /// Gives a user the right to choose a new password, once; the token is shown this once. For those who administer the
    /// user: they hand it on.
    pub async fn issue_reset(&self, user: UserId) -> PeopleResult<NewLink<Uuid>> {
        let write = self.store.write(self.principal).await?;
        if self.lock(&write, user).await?.user.disabled_at.is_some() {
            return Err(PeopleError::NotFound("user"));
        }
        let link = write.add_password_reset(user, RESET_HOLDS).await?;
        self.finish(write, "issue_reset", user, &json!({})).await?;
        Ok(link)
    }

    /// Changes the caller's own password. All their other sessions end.
    pub async fn change_password(&self, change: PasswordChange) -> PeopleResult<()> {
        let Some(user) = self.principal.user_id() else { return Err(PeopleError::NotAllowed) };
        let new = change.new.expose_secret();
        refuse(check_password("new_password", new))?;
        let found = self.store.read(self.principal).by_id::<user_account::Entity>(user.0).await?;
        let row = found.ok_or(PeopleError::NotFound("user"))?;
        let (current, own) = (change.current.expose_secret(), HashedFor::User(user));
        let fits = current.len() <= PASSWORD_BYTES_MAX;
        let is_right = fits && self.store.verify_password(own, current.to_owned(), row.password_hash.clone()).await?;
        let hash = self.store.hash_password(own, new.to_owned()).await?;
        let (write, locked) = self.own().await?;
        let paused = write.is_paused(user, Tried::Again).await?;
        // It may have been changed since it was compared.
        let is_right = is_right && !paused && locked.password_hash == row.password_hash;
        if !paused {
            write.note_try(&locked, Tried::Again, is_right).await?;
        }
        if !is_right {
            self.finish(write, "change_password_refused", user, &json!({})).await?;
            let message = "this is not the password in force, or trying is paused";
            return Err(PeopleError::Problems(vec![FieldProblem::new("current_password", "WRONG", message)]));
        }
        write.set_password_hash(user, hash).await?;
        write.end_sessions(user, change.session).await?;
        write.end_resets(user).await?;
        self.finish(write, "change_password", user, &json!({})).await
    }
}

/// Who asks for a new password, without being signed in.
#[derive(Debug, Clone, Copy)]
pub struct ResetAsked<'a> {
    /// For which address.
    pub email: &'a str,
    /// From which network; `None` is this machine itself.
    pub place: Option<&'a str>,
}

/// Sends the user of an address a link to choose a new password, if there is one. The answer is the same whether anybody
/// signs in with the address; the audit alone says so.
pub async fn request_reset(market: &Market, asked: ResetAsked<'_>) -> PeopleResult<()> {
    if !market.mails() {
        return Err(PeopleError::NoMail);
    }
    let (store, email) = (market.store(), asked.email.trim());
    refuse(check_known_address(email).into_iter().collect())?;
    let mut write = store.write(Principal::System(SystemTask::Authenticate)).await?;
    // Counted before anything is looked up, for addresses of nobody too.
    let from_place = write.count_request(AskedBy::Place(asked.place), RESETS_WINDOW).await?;
    if from_place > RESETS_PER_PLACE {
        let _ = write.commit().await?;
        return Err(PeopleError::TooOften);
    }
    let for_address = write.count_request(AskedBy::Address(email), RESETS_WINDOW).await?;
    let user = write.user_of_address(email).await?;
    let refused = match &user {
        None => Some("UNKNOWN"),
        Some(user) if user.disabled_at.is_some() => Some("DISABLED"),
        // Whoever asks in somebody else's name cannot fill their mailbox; the links that were sent go on.
        Some(_) if for_address > RESETS_PER_ADDRESS => Some("TOO_OFTEN"),
        Some(_) => None,
    };
    let id = user.map(|user| user.id);
    match (id, refused) {
        (Some(id), None) => {
            let reset_id = write.add_mailed_reset(UserId(id), RESET_HOLDS).await?;
            let payload = TaskPayload::MailReset { reset_id };
            write.add_tasks(&[letter_task(payload, reset_id.0, store.clock().now())]).await?;
            write.audit("request_reset", "user", Some(id), &json!({})).await?;
        }
        (id, why) => write.audit("request_reset_refused", "user", id, &json!({ "why": why })).await?,
    }
    let _ = write.commit().await?;
    Ok(())
}

/// Gives whoever holds a reset the password they choose. All their sessions end.
pub async fn reset_password(store: &Store, token: &SecretString, password: &SecretString) -> PeopleResult<()> {
    let authenticate = Principal::System(SystemTask::Authenticate);
    let password = password.expose_secret();
    refuse(check_password("password", password))?;
    let found = store.read(authenticate).open_reset(token.expose_secret()).await?;
    let reset = found.ok_or(PeopleError::LinkInvalid)?;
    let hash = store.hash_password(HashedFor::Link(reset.id), password.to_owned()).await?;
    let write = store.write(authenticate).await?;
    let user = UserId(reset.user_id);
    let rows = write.lock_users(&[user]).await?;
    let row = rows.iter().find(|row| row.id == user.0).ok_or_else(|| StoreError::corrupt("user_account"))?;
    if row.disabled_at.is_some() || !write.use_reset(reset.id).await? {
        return Err(PeopleError::LinkInvalid);
    }
    write.set_password_hash(user, hash).await?;
    write.end_sessions(user, None).await?;
    // Other links of theirs, which letters left open.
    write.end_resets(user).await?;
    write.audit("reset_password", "user", Some(user.0), &json!({})).await?;
    let _ = write.commit().await?;
    Ok(())
}
