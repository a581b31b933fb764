//! Invitations: how somebody becomes a user.

use async_graphql::{Context, Enum, ID, InputObject, Object, Result, SimpleObject};
use leadyard_entity::auth::Belonging;
use leadyard_entity::model::invitation;
use leadyard_entity::read::{self, InvitationFilter as Filter};
use leadyard_market::people::{self, Invited};
use leadyard_types::{InvitationId, Timestamp};
use secrecy::ExposeSecret as _;

use super::super::connection::connection;
use super::super::context::{loader, market};
use super::super::errors::{self, UserError};
use super::super::id::Kind;
use super::super::loaders::InvitationBy;
use super::super::scalars::EmailAddress;
use super::super::words::{MailState, Role};
use super::buyer::Buyer;
use super::supplier::Supplier;
use super::user::{User, people};
use super::{ids, of_row, one, queries};

of_row! {
    /// An invitation to become a user.
    Invitation of invitation
}

/// Where an invitation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub(crate) enum InvitationState {
    /// It can be accepted.
    Open,
    /// Somebody became a user by it.
    Accepted,
    /// It was ended, or replaced by a newer one.
    Revoked,
    /// Nobody accepted it in time.
    Expired,
}

#[Object(use_type_description)]
impl Invitation {
    /// The global id.
    pub(crate) async fn id(&self) -> ID {
        Kind::Invitation.id(self.0.id)
    }

    /// The address that will sign in.
    async fn email(&self) -> EmailAddress {
        EmailAddress(self.0.email.clone())
    }

    /// What they will be allowed to do.
    async fn role(&self) -> Result<Role> {
        Role::read(&self.0.role)
    }

    /// The buyer whose user they will be.
    async fn buyer(&self, ctx: &Context<'_>) -> Result<Option<Buyer>> {
        match self.0.buyer_id {
            Some(buyer) => one!(ctx, BuyerBy(buyer) => Buyer),
            None => Ok(None),
        }
    }

    /// The supplier whose user they will be.
    async fn supplier(&self, ctx: &Context<'_>) -> Result<Option<Supplier>> {
        match self.0.supplier_id {
            Some(supplier) => one!(ctx, SupplierBy(supplier) => Supplier),
            None => Ok(None),
        }
    }

    /// Who invited them, where you may see that user; absent for the administrator of the machine.
    async fn invited_by(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        match self.0.invited_by {
            Some(user) => one!(ctx, UserBy(user) => User),
            None => Ok(None),
        }
    }

    /// Where it stands.
    async fn state(&self, ctx: &Context<'_>) -> Result<InvitationState> {
        let now = market(ctx)?.clock().now();
        Ok(match &self.0 {
            row if row.accepted_at.is_some() => InvitationState::Accepted,
            row if row.revoked_at.is_some() => InvitationState::Revoked,
            row if row.expires_at <= now => InvitationState::Expired,
            _ => InvitationState::Open,
        })
    }

    /// How its mail stands; absent where whoever invited hands the link on.
    async fn mail(&self) -> Result<Option<MailState>> {
        self.0.mail.as_deref().map(MailState::read).transpose()
    }

    /// When the mail server took it; absent before.
    async fn mailed_at(&self) -> Option<Timestamp> {
        self.0.mailed_at
    }

    /// When it was made.
    async fn created_at(&self) -> Timestamp {
        self.0.created_at
    }

    /// Until when it can be accepted.
    async fn expires_at(&self) -> Timestamp {
        self.0.expires_at
    }
}

/// Which invitations. What is left out does not restrict.
#[derive(Debug, Default, InputObject)]
pub(crate) struct InvitationFilter {
    /// Into one of these buyers.
    buyer_ids: Option<Vec<ID>>,
    /// To this address.
    email: Option<EmailAddress>,
}

impl InvitationFilter {
    fn read(self) -> Result<Filter> {
        Ok(Filter { buyers: ids(Kind::Buyer, self.buyer_ids)?, email: self.email.map(String::from) })
    }
}

connection!(InvitationConnection, InvitationEdge, Invitation of invitation, "A page of invitations.", "An invitation in a list.");

queries! {
    InvitationQueries, Invitation, InvitationBy => Invitation,
    /// An invitation by its id.
    invitation,
    /// The invitations you administer: everybody's, or those into your buyer.
    invitations -> InvitationConnection by TimeOrder of read::TimeOrder, filter InvitationFilter
}

/// Somebody to be invited.
#[derive(Debug, InputObject)]
pub(crate) struct UserInviteInput {
    /// The address that will sign in.
    email: EmailAddress,
    /// What they will be allowed to do.
    role: Role,
    /// The buyer, for a buyer's roles; a buyer's administrator may leave it out.
    buyer_id: Option<ID>,
    /// The supplier, for a supplier's role.
    supplier_id: Option<ID>,
    /// Whether you hand the link on yourself, where this server would send it by mail: for the operator's administrators only.
    #[graphql(default)]
    by_hand: bool,
}

/// What came of inviting somebody.
#[derive(Debug, SimpleObject)]
pub(crate) struct UserInvitePayload {
    /// The invitation; absent if none was made.
    invitation: Option<Invitation>,
    /// Hand it on to whom you invite: `invitationAccept` takes it, once. It is shown this once; absent where it is sent
    /// by mail.
    token: Option<String>,
    /// Whether it is sent by mail; `Invitation.mail` tells how that stands.
    mailed: bool,
    /// What to put right.
    user_errors: Vec<UserError>,
}

/// An invitation to be ended.
#[derive(Debug, InputObject)]
pub(crate) struct InvitationRevokeInput {
    /// The invitation.
    invitation_id: ID,
}

/// What came of ending an invitation.
#[derive(Debug, SimpleObject)]
pub(crate) struct InvitationPayload {
    /// The invitation as it stands now; absent if nothing was done.
    invitation: Option<Invitation>,
    /// What to put right.
    user_errors: Vec<UserError>,
}

/// Who accepts an invitation.
#[derive(InputObject)]
pub(crate) struct InvitationAcceptInput {
    /// The token of the invitation.
    token: String,
    /// What people call you.
    name: String,
    /// The password you choose, at least 12 characters.
    password: String,
}

/// What came of accepting an invitation.
#[derive(Debug, SimpleObject)]
pub(crate) struct InvitationAcceptPayload {
    /// The address to sign in with; absent if nothing was done.
    email: Option<EmailAddress>,
    /// What to put right.
    user_errors: Vec<UserError>,
}

/// Mutations of invitations.
#[derive(Debug, Default)]
pub(crate) struct InvitationMutations;

#[Object]
impl InvitationMutations {
    /// Invites somebody to become a user, by mail where this server sends mail. An older invitation of the same address into
    /// the same place ends. An address is sent three in an hour at most, and a buyer's administrators send 30 in a day
    /// together.
    async fn user_invite(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Who, and as what.")] input: UserInviteInput,
    ) -> Result<UserInvitePayload> {
        let refused = |user_errors| Ok(UserInvitePayload { invitation: None, token: None, mailed: false, user_errors });
        // An id that names nothing is one nobody has.
        let id = |kind: Kind, id: Option<ID>| id.map(|id| kind.read(&id).unwrap_or_default());
        let belonging = Belonging {
            role: input.role.into(),
            buyer_id: id(Kind::Buyer, input.buyer_id).map(Into::into),
            supplier_id: id(Kind::Supplier, input.supplier_id).map(Into::into),
        };
        let new = people::Invitation { email: input.email.into(), belonging, by_hand: input.by_hand };
        match people(ctx)?.invite(new).await {
            Ok(made) => {
                let invitation = loader(ctx)?.load_one(InvitationBy(made.id.0)).await?.map(Invitation);
                let token = made.token.map(|token| token.expose_secret().to_owned());
                Ok(UserInvitePayload { invitation, mailed: token.is_none(), token, user_errors: Vec::new() })
            }
            Err(error) => refused(errors::people(error)?),
        }
    }

    /// Ends an invitation that nobody has accepted yet.
    async fn invitation_revoke(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The invitation.")] input: InvitationRevokeInput,
    ) -> Result<InvitationPayload> {
        let id = InvitationId(Kind::Invitation.read(&input.invitation_id).unwrap_or_default());
        match people(ctx)?.revoke_invitation(id).await {
            Ok(()) => {
                let invitation = loader(ctx)?.load_one(InvitationBy(id.0)).await?.map(Invitation);
                Ok(InvitationPayload { invitation, user_errors: Vec::new() })
            }
            Err(error) => Ok(InvitationPayload { invitation: None, user_errors: errors::people(error)? }),
        }
    }

    /// Makes you a user by an invitation, once. Sign in with `sessionCreate` afterwards.
    async fn invitation_accept(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The invitation, and who accepts it.")] input: InvitationAcceptInput,
    ) -> Result<InvitationAcceptPayload> {
        let who = Invited { token: input.token.into(), name: input.name, password: input.password.into() };
        match people::accept_invitation(market(ctx)?.store(), who).await {
            Ok((_, email)) => Ok(InvitationAcceptPayload { email: Some(EmailAddress(email)), user_errors: Vec::new() }),
            Err(error) => Ok(InvitationAcceptPayload { email: None, user_errors: errors::people(error)? }),
        }
    }
}
