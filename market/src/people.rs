//! People who sign in: invited, changed, shut out, let in again (security page, section 2).
//!
//! Administrators administer everybody, a buyer's administrator the users of the buyer. Whoever is somebody else's does
//! not exist. What is decided about administrators is decided with all of them locked, so that one always remains.

mod invitation;
mod keys;
mod password;
mod totp;

use leadyard_entity::model::user_account;
use leadyard_entity::{Store, StoreError, Write};
use leadyard_types::{FieldProblem, Principal, Role, UserId};
use serde_json::json;

use crate::rules::people::{Domain, check_new_role, domain, leaves_an_administrator};
use crate::setup::check;

pub use invitation::{Invitation, Invited, MadeInvitation, accept_invitation};
pub use keys::{KeyRotation, MadeKey, NewKey};
pub use password::{PasswordChange, ResetAsked, request_reset, reset_password};

/// Why nothing was done.
#[derive(Debug, thiserror::Error)]
pub enum PeopleError {
    /// The input is wrong; every problem is named.
    #[error("{}", .0.iter().map(|problem| problem.message.as_str()).collect::<Vec<_>>().join("; "))]
    Problems(Vec<FieldProblem>),
    /// There is none, or none that the caller may see: the two are never told apart.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// The caller's role may not do this.
    #[error("this is not allowed for your role")]
    NotAllowed,
    /// It would leave nobody who administers.
    #[error("this is the last administrator: make another one first")]
    LastAdmin,
    /// A link that was used, ended, or never was one: the three are never told apart.
    #[error("the link does not hold (any more): ask for a new one")]
    LinkInvalid,
    /// No letters are sent here.
    #[error("no mail is sent here: ask an administrator for a link")]
    NoMail,
    /// Asked too often from one place.
    #[error("too many requests from here: come back in an hour")]
    TooOften,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The result of a use case of people.
pub type PeopleResult<T> = Result<T, PeopleError>;

/// What is to be changed of a user; what is left out stays.
#[derive(Debug, Clone, Default)]
pub struct UserChange {
    /// What people call them.
    pub name: Option<String>,
    /// What they may do.
    pub role: Option<Role>,
}

/// The use cases of people, on behalf of somebody.
#[derive(Debug, Clone)]
pub struct People {
    store: Store,
    principal: Principal,
    /// Whether letters are sent.
    mails: bool,
}

/// A user who is to be changed, and everybody who was locked with them.
struct Locked {
    user: user_account::Model,
    admins: Vec<UserId>,
}

impl People {
    /// The people of this store.
    #[must_use]
    pub fn new(store: &Store, principal: Principal) -> Self {
        Self { store: store.clone(), principal, mails: false }
    }

    /// The same, where letters are sent.
    #[must_use]
    pub fn mailing(self, mails: bool) -> Self {
        Self { mails, ..self }
    }

    /// The moment it is.
    #[must_use]
    pub fn now(&self) -> leadyard_types::Timestamp {
        self.store.clock().now()
    }

    /// Changes what a user is called or may do. The last administrator stays one.
    pub async fn update(&self, user: UserId, change: UserChange) -> PeopleResult<()> {
        let write = self.store.write(self.principal).await?;
        let locked = self.lock(&write, user).await?;
        let from = role_of(&locked.user)?;
        let (name, role) = (change.name.unwrap_or_else(|| locked.user.name.clone()), change.role.unwrap_or(from));
        refuse([check::name("name", &name), check_new_role(from, role)].concat())?;
        if role != from {
            locked.keeps_an_administrator()?;
            // What a demoted user invited others to is no longer theirs to give.
            write.revoke_invitations_of(user).await?;
        }
        write.set_user(user, name.trim(), role).await?;
        self.finish(write, "update", user, &json!({ "from": from, "role": role })).await
    }

    /// Shuts a user out, at once: sessions, keys and invitations end. The last administrator stays.
    pub async fn disable(&self, user: UserId) -> PeopleResult<()> {
        let write = self.store.write(self.principal).await?;
        let locked = self.lock(&write, user).await?;
        if locked.user.disabled_at.is_some() {
            return Ok(());
        }
        locked.keeps_an_administrator()?;
        write.set_user_disabled(user, Some(self.store.clock().now())).await?;
        write.end_sessions(user, None).await?;
        keys::revoke_keys_of(&write, user).await?;
        write.end_resets(user).await?;
        write.revoke_invitations_of(user).await?;
        self.finish(write, "disable", user, &json!({})).await
    }

    /// Lets a user in again.
    pub async fn enable(&self, user: UserId) -> PeopleResult<()> {
        let write = self.store.write(self.principal).await?;
        if self.lock(&write, user).await?.user.disabled_at.is_none() {
            return Ok(());
        }
        write.set_user_disabled(user, None).await?;
        self.finish(write, "enable", user, &json!({})).await
    }

    /// Locks a user whom the caller administers, and the caller, who must still be who they were: two administrators
    /// who shut each other out at once are served one after the other, and the second is one no longer.
    async fn lock(&self, write: &Write, user: UserId) -> PeopleResult<Locked> {
        self.is_a_person()?;
        let caller = self.principal.user_id();
        let ids: Vec<UserId> = std::iter::once(user).chain(caller).collect();
        let rows = write.lock_users(&ids).await?;
        let find = |id: UserId| rows.iter().find(|row| row.id == id.0);
        let mut now = self.principal;
        if let Some(caller) = caller {
            let row = find(caller).filter(|row| row.disabled_at.is_none()).ok_or(PeopleError::NotAllowed)?;
            now = leadyard_entity::auth::principal(row)?;
        }
        let is_admin = |row: &&user_account::Model| row.role == Role::Admin.as_str() && row.disabled_at.is_none();
        let admins = rows.iter().filter(is_admin).map(|row| UserId(row.id)).collect();
        let found = find(user).filter(|row| match domain(now) {
            Domain::All => true,
            Domain::Buyer(buyer) => row.buyer_id == Some(buyer.0),
            Domain::None => false,
        });
        if domain(now) == Domain::None {
            return Err(PeopleError::NotAllowed);
        }
        let user = found.cloned().ok_or(PeopleError::NotFound("user"))?;
        Ok(Locked { user, admins })
    }

    /// The caller as they are now, locked until the end: whoever was shut out meanwhile does nothing more. The machine's
    /// administrator is nobody's user.
    async fn still(&self, write: &Write) -> PeopleResult<Principal> {
        let Some(caller) = self.principal.user_id() else { return Ok(self.principal) };
        let rows = write.lock_users(&[caller]).await?;
        let row = rows.iter().find(|row| row.id == caller.0 && row.disabled_at.is_none());
        Ok(leadyard_entity::auth::principal(row.ok_or(PeopleError::NotAllowed)?)?)
    }

    /// People are administered by people: the table at the edge keeps keys from all of it, and so does this.
    fn is_a_person(&self) -> PeopleResult<()> {
        if self.principal.key().is_some() { Err(PeopleError::NotAllowed) } else { Ok(()) }
    }

    async fn finish(&self, write: Write, action: &str, user: UserId, detail: &serde_json::Value) -> PeopleResult<()> {
        write.audit(action, "user", Some(user.0), detail).await?;
        let _ = write.commit().await?;
        Ok(())
    }
}

impl Locked {
    /// Whether an administrator remains where this user no longer is one.
    fn keeps_an_administrator(&self) -> PeopleResult<()> {
        let user = UserId(self.user.id);
        if self.admins.contains(&user) && !leaves_an_administrator(&self.admins, user) {
            return Err(PeopleError::LastAdmin);
        }
        Ok(())
    }
}

fn role_of(user: &user_account::Model) -> PeopleResult<Role> {
    Ok(user.role.parse().map_err(StoreError::corrupt)?)
}

fn refuse(problems: Vec<FieldProblem>) -> PeopleResult<()> {
    if problems.is_empty() { Ok(()) } else { Err(PeopleError::Problems(problems)) }
}
