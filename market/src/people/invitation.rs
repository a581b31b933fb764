//! Invitations: a link that makes somebody a user, once.

use chrono::Duration;
use leadyard_entity::auth::{AskedBy, Belonging, HashedFor, NewInvitation, NewUser};
use leadyard_entity::model::invitation;
use leadyard_entity::tasks::NewTask;
use leadyard_entity::{Store, StoreError, Write};
use leadyard_types::{BuyerId, FieldProblem, InvitationId, Principal, SystemTask, TaskPayload, Timestamp, UserId};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use uuid::Uuid;

use super::{People, PeopleError, PeopleResult, refuse};
use crate::delivery::MAIL_LANE;
use crate::rules::people::{Domain, check_belonging, check_by_hand, check_letters, check_password, domain};
use crate::setup::check;

/// Long enough for a weekend and a holiday, too short to lie in a mailbox for ever.
const INVITATION_HOLDS: Duration = Duration::days(7);
/// Over which time letters to an address are counted.
const ADDRESS_WINDOW: Duration = Duration::hours(1);
/// Over which time letters on behalf of a buyer are counted.
const BUYER_WINDOW: Duration = Duration::days(1);

/// Somebody to be invited.
#[derive(Debug, Clone)]
pub struct Invitation {
    /// The address that will sign in.
    pub email: String,
    /// As whose user, and as what. A buyer's administrator may leave the buyer out.
    pub belonging: Belonging,
    /// Whether whoever invites hands the link on, though letters are sent: for the operator's administrators only.
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

/// The buyer into which somebody invites who does not administer everybody.
fn own_buyer(inviter: Domain) -> PeopleResult<Option<BuyerId>> {
    match inviter {
        Domain::All => Ok(None),
        Domain::Buyer(buyer) => Ok(Some(buyer)),
        Domain::None => Err(PeopleError::NotAllowed),
    }
}

/// Where somebody is invited to, by whoever invites into their own buyer only.
fn within(own: Option<BuyerId>, asked: Belonging) -> PeopleResult<Belonging> {
    let Some(own) = own else { return Ok(asked) };
    // Somebody else's buyer does not exist.
    if asked.buyer_id.is_some_and(|buyer| buyer != own) {
        return Err(PeopleError::NotFound("buyer"));
    }
    Ok(Belonging { buyer_id: Some(own), ..asked })
}

/// Counts an invitation that is to be sent: by its address, and by the buyer on whose behalf it is.
async fn count_letter(write: &Write, email: &str, own: Option<BuyerId>) -> PeopleResult<Vec<FieldProblem>> {
    let to_address = write.count_request(AskedBy::Invited(email), ADDRESS_WINDOW).await?;
    let of_buyer = match own {
        Some(buyer) => Some(write.count_request(AskedBy::Inviting(buyer), BUYER_WINDOW).await?),
        None => None,
    };
    Ok(check_letters(to_address, of_buyer))
}

impl People {
    /// Invites somebody: by a letter, or, where none are sent or it is asked for, by a token shown this once. An address
    /// that has a user already is told to those who see that user, and to nobody else.
    pub async fn invite(&self, new: Invitation) -> PeopleResult<MadeInvitation> {
        self.is_a_person()?;
        let inviter = domain(self.principal);
        let own = own_buyer(inviter)?;
        let belonging = within(own, new.belonging)?;
        let Belonging { role, buyer_id, supplier_id } = belonging;
        let email = new.email.trim().to_owned();
        let problems = [check::email(Some(&email)), check_belonging(role, buyer_id, supplier_id)].concat();
        refuse(problems.into_iter().chain(check_by_hand(new.by_hand, self.mails, inviter)).collect())?;
        let mailed = self.mails && !new.by_hand;
        let mut write = self.store.write(self.principal).await?;
        // Counted before users are locked: that is the order of locks. What is refused takes its count back.
        let too_many = if mailed { count_letter(&write, &email, own).await? } else { Vec::new() };
        if domain(self.still(&write).await?) != inviter {
            return Err(PeopleError::NotAllowed);
        }
        refuse(too_many)?;
        self.may_belong(&write, &email, belonging, own).await?;
        let link = write.add_invitation(NewInvitation { email, belonging, holds: INVITATION_HOLDS, mailed }).await?;
        if mailed {
            let payload = TaskPayload::MailInvitation { invitation_id: link.id };
            write.add_tasks(&[letter_task(payload, link.id.0, self.store.clock().now())]).await?;
        }
        let detail = json!({ "role": role, "mailed": mailed });
        write.audit("invite", "invitation", Some(link.id.0), &detail).await?;
        let _ = write.commit().await?;
        Ok(MadeInvitation { id: link.id, token: (!mailed).then_some(link.token) })
    }

    /// Whether there is a place for whoever is invited, and nobody with the address whom the inviter sees.
    async fn may_belong(
        &self,
        write: &Write,
        email: &str,
        belonging: Belonging,
        own: Option<BuyerId>,
    ) -> PeopleResult<()> {
        match write.belongs_somewhere(belonging).await? {
            (false, _) => return Err(PeopleError::NotFound("buyer")),
            (_, false) => return Err(PeopleError::NotFound("supplier")),
            _ => {}
        }
        let taken = write.user_of_address(email).await?;
        if taken.is_some_and(|user| own.is_none_or(|own| user.buyer_id == Some(own.0))) {
            let message = "somebody signs in with this address already";
            return Err(PeopleError::Problems(vec![FieldProblem::new("email", "TAKEN", message)]));
        }
        Ok(())
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
    let hash = store.hash_password(HashedFor::Link(invitation.id), password.to_owned()).await?;
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
