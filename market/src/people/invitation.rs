//! Invitations: a link that makes somebody a user, once.

use chrono::Duration;
use leadyard_entity::auth::{Belonging, NewInvitation, NewUser, hash_password};
use leadyard_entity::model::invitation;
use leadyard_entity::tasks::NewTask;
use leadyard_entity::{Store, StoreError};
use leadyard_types::{FieldProblem, InvitationId, Principal, SystemTask, TaskPayload, Timestamp, UserId};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use uuid::Uuid;

use super::{People, PeopleError, PeopleResult, refuse};
use crate::delivery::MAIL_LANE;
use crate::rules::people::{Domain, check_belonging, check_password, domain};
use crate::setup::check;

/// Long enough for a weekend and a holiday, too short to lie in a mailbox for ever.
const INVITATION_HOLDS: Duration = Duration::days(7);

/// Somebody to be invited.
#[derive(Debug, Clone)]
pub struct Invitation {
    /// The address that will sign in.
    pub email: String,
    /// As whose user, and as what. A buyer's administrator may leave the buyer out.
    pub belonging: Belonging,
    /// Whether whoever invites hands the link on, though letters are sent.
    pub by_hand: bool,
}

/// An invitation just made.
#[derive(Debug)]
pub struct MadeInvitation {
    /// Its row.
    pub id: InvitationId,
    /// What opens it, shown this once; absent where it is sent by mail.
    pub token: Option<SecretString>,
}

/// Who accepts an invitation.
#[derive(Debug)]
pub struct Invited {
    /// The token of the invitation.
    pub token: SecretString,
    /// What people call them.
    pub name: String,
    /// The password they choose.
    pub password: SecretString,
}

/// The task that sends a letter.
pub(super) fn letter_task(payload: TaskPayload, id: Uuid, now: Timestamp) -> NewTask {
    NewTask { payload, lane: MAIL_LANE.to_owned(), run_at: now, dedupe_key: Some(format!("mail:{id}")) }
}

impl People {
    /// Invites somebody: by a letter, or, where none are sent or it is asked for, by a token shown this once. An address that has a user already is told to those who see that
    /// user, and to nobody else.
    pub async fn invite(&self, mut new: Invitation) -> PeopleResult<MadeInvitation> {
        self.is_a_person()?;
        let own = match domain(self.principal) {
            Domain::All => None,
            Domain::Buyer(buyer) => Some(buyer),
            Domain::None => return Err(PeopleError::NotAllowed),
        };
        if let Some(own) = own {
            let asked = *new.belonging.buyer_id.get_or_insert(own);
            // Somebody else's buyer does not exist.
            if asked != own {
                return Err(PeopleError::NotFound("buyer"));
            }
        }
        let Belonging { role, buyer_id, supplier_id } = new.belonging;
        let email = new.email.trim().to_owned();
        refuse([check::email(Some(&email)), check_belonging(role, buyer_id, supplier_id)].concat())?;
        let mailed = self.mails && !new.by_hand;
        let mut write = self.store.write(self.principal).await?;
        match write.belongs_somewhere(new.belonging).await? {
            (false, _) => return Err(PeopleError::NotFound("buyer")),
            (_, false) => return Err(PeopleError::NotFound("supplier")),
            _ => {}
        }
        let taken = write.user_of_address(&email).await?;
        if taken.is_some_and(|user| own.is_none_or(|own| user.buyer_id == Some(own.0))) {
            let message = "somebody signs in with this address already";
            return Err(PeopleError::Problems(vec![FieldProblem::new("email", "TAKEN", message)]));
        }
        let new = NewInvitation { email, belonging: new.belonging, holds: INVITATION_HOLDS, mailed };
        let link = write.add_invitation(new).await?;
        if mailed {
            let payload = TaskPayload::MailInvitation { invitation_id: link.id };
            write.add_tasks(&[letter_task(payload, link.id.0, self.store.clock().now())]).await?;
        }
        let detail = json!({ "role": role, "mailed": mailed });
        write.audit("invite", "invitation", Some(link.id.0), &detail).await?;
        let _ = write.commit().await?;
        Ok(MadeInvitation { id: link.id, token: (!mailed).then_some(link.token) })
    }

    /// Ends an invitation that nobody has accepted yet.
    pub async fn revoke_invitation(&self, id: InvitationId) -> PeopleResult<()> {
        self.is_a_person()?;
        if domain(self.principal) == Domain::None {
            return Err(PeopleError::NotAllowed);
        }
        // What the caller does not see is not there.
        let seen = self.store.read(self.principal).by_id::<invitation::Entity>(id.0).await?;
        let write = self.store.write(self.principal).await?;
        if seen.is_none() || !write.revoke_invitation(id).await? {
            return Err(PeopleError::NotFound("invitation"));
        }
        write.audit("revoke", "invitation", Some(id.0), &json!({})).await?;
        let _ = write.commit().await?;
        Ok(())
    }
}

/// Makes a user of whoever was invited; answers the user and the address that signs in. Of several who accept at once,
/// one becomes a user.
pub async fn accept_invitation(store: &Store, who: Invited) -> PeopleResult<(UserId, String)> {
    let authenticate = Principal::System(SystemTask::Authenticate);
    let name = who.name.trim().to_owned();
    let password = who.password.expose_secret();
    refuse([check::name("name", &name), check_password("password", password)].concat())?;
    let found = store.read(authenticate).open_invitation(who.token.expose_secret()).await?;
    let invitation = found.ok_or(PeopleError::LinkInvalid)?;
    let hash = hash_password(password.to_owned()).await?;
    let write = store.write(authenticate).await?;
    let is_taken = write.user_of_address(&invitation.email).await?.is_some();
    if is_taken || !write.use_invitation(InvitationId(invitation.id)).await? {
        return Err(PeopleError::LinkInvalid);
    }
    let new = NewUser {
        email: invitation.email.clone(),
        name,
        role: invitation.role.parse().map_err(StoreError::corrupt)?,
        buyer_id: invitation.buyer_id.map(Into::into),
        supplier_id: invitation.supplier_id.map(Into::into),
        password: String::new(),
    };
    let made = write.add_user(new, hash).await;
    let user = match made {
        // Somebody else with another invitation to the same address was first.
        Err(StoreError::Conflict(_)) => return Err(PeopleError::LinkInvalid),
        made => made?,
    };
    write.audit("accept", "invitation", Some(invitation.id), &json!({ "user": user })).await?;
    let _ = write.commit().await?;
    Ok((user, invitation.email))
}
