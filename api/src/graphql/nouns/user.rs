//! Users: the people who sign in.

use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use leadyard_entity::model::user_account;
use leadyard_entity::read::{self, UserFilter as Filter};
use leadyard_market::people::{People, PeopleResult, UserChange};
use leadyard_types::{Timestamp, UserId};

use super::super::connection::connection;
use super::super::context::{loader, market, principal};
use super::super::errors::{self, UserError};
use super::super::id::Kind;
use super::super::loaders::UserBy;
use super::super::scalars::EmailAddress;
use super::super::words::Role;
use super::buyer::Buyer;
use super::supplier::Supplier;
use super::{ids, of_row, one, queries, words};

of_row! {
    /// A person who signs in.
    User of user_account
}

#[Object(use_type_description)]
impl User {
    /// The global id.
    pub(crate) async fn id(&self) -> ID {
        Kind::User.id(self.0.id)
    }

    /// What people call them.
    fn name(&self) -> &str {
        &self.0.name
    }

    /// The address they sign in with.
    fn email(&self) -> EmailAddress {
        EmailAddress(self.0.email.clone())
    }

    /// What they may do.
    fn role(&self) -> Result<Role> {
        Role::read(&self.0.role)
    }

    /// Since when they may not sign in any more.
    fn disabled_at(&self) -> Option<Timestamp> {
        self.0.disabled_at
    }

    /// The buyer whose user it is.
    async fn buyer(&self, ctx: &Context<'_>) -> Result<Option<Buyer>> {
        match self.0.buyer_id {
            Some(buyer) => one!(ctx, BuyerBy(buyer) => Buyer),
            None => Ok(None),
        }
    }

    /// The supplier whose user it is.
    async fn supplier(&self, ctx: &Context<'_>) -> Result<Option<Supplier>> {
        match self.0.supplier_id {
            Some(supplier) => one!(ctx, SupplierBy(supplier) => Supplier),
            None => Ok(None),
        }
    }

    /// Since when signing in asks them for a code of an authenticator; absent where it does not.
    fn totp_since(&self) -> Option<Timestamp> {
        self.0.totp_since
    }

    /// When they became a user.
    fn created_at(&self) -> Timestamp {
        self.0.created_at
    }
}

/// Which users. What is left out does not restrict.
#[derive(Debug, Default, InputObject)]
pub(crate) struct UserFilter {
    /// With one of these roles.
    role: Option<Vec<Role>>,
    /// Of one of these buyers.
    buyer_ids: Option<Vec<ID>>,
    /// Of one of these suppliers.
    supplier_ids: Option<Vec<ID>>,
    /// Signing in with this address.
    email: Option<EmailAddress>,
}

impl UserFilter {
    fn read(self) -> Result<Filter> {
        Ok(Filter {
            roles: words(self.role),
            buyers: ids(Kind::Buyer, self.buyer_ids)?,
            suppliers: ids(Kind::Supplier, self.supplier_ids)?,
            email: self.email.map(String::from),
        })
    }
}

connection!(UserConnection, UserEdge, User of user_account, "A page of users.", "A user in a list.");

queries! {
    UserQueries, User, UserBy => User,
    /// A user by its id.
    user,
    /// The users you administer: everybody's, or those of your buyer.
    users -> UserConnection by NameOrder of read::NameOrder, filter UserFilter
}

/// What is to be changed of a user; what is left out stays.
#[derive(Debug, InputObject)]
pub(crate) struct UserUpdateInput {
    /// The user.
    user_id: ID,
    /// What people call them.
    name: Option<String>,
    /// What they may do: a role of the same side, because whom they belong to stays.
    role: Option<Role>,
}

/// A user to be shut out or let in again.
#[derive(Debug, InputObject)]
pub(crate) struct UserInput {
    /// The user.
    user_id: ID,
}

/// What came of changing a user.
#[derive(Debug, SimpleObject)]
pub(crate) struct UserPayload {
    /// The user as they are now; absent if nothing was done.
    user: Option<User>,
    /// What to put right.
    user_errors: Vec<UserError>,
}

impl UserPayload {
    async fn of(ctx: &Context<'_>, id: UserId, done: PeopleResult<()>) -> Result<Self> {
        match done {
            Ok(()) => {
                let user = loader(ctx)?.load_one(UserBy(id.0)).await?.map(User);
                Ok(Self { user, user_errors: Vec::new() })
            }
            Err(error) => Ok(Self { user: None, user_errors: errors::people(error)? }),
        }
    }
}

/// The use cases on behalf of the caller.
pub(super) fn people(ctx: &Context<'_>) -> Result<People> {
    let market = market(ctx)?;
    Ok(People::new(market.store(), principal(ctx)?).mailing(market.mails()))
}

/// An id that names no user is one nobody has.
fn user_id(id: &ID) -> UserId {
    UserId(Kind::User.read(id).unwrap_or_default())
}

/// A password reset just issued.
#[derive(Debug, SimpleObject)]
pub(crate) struct PasswordResetIssued {
    /// Hand it on to the user: `passwordReset` takes it, once. It is shown this once.
    token: String,
    /// Until when it holds.
    expires_at: Timestamp,
}

/// What came of issuing a password reset.
#[derive(Debug, SimpleObject)]
pub(crate) struct PasswordResetIssuePayload {
    /// The reset; absent if none was issued.
    reset: Option<PasswordResetIssued>,
    /// What to put right.
    user_errors: Vec<UserError>,
}

/// Mutations of users.
#[derive(Debug, Default)]
pub(crate) struct UserMutations;

#[Object]
impl UserMutations {
    /// Changes what a user is called or may do. The last administrator stays one.
    async fn user_update(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The user, and what is new.")] input: UserUpdateInput,
    ) -> Result<UserPayload> {
        let id = user_id(&input.user_id);
        let change = UserChange { name: input.name, role: input.role.map(Into::into) };
        UserPayload::of(ctx, id, people(ctx)?.update(id, change).await).await
    }

    /// Shuts a user out, at once: their sessions and open invitations end. The last administrator stays.
    async fn user_disable(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The user.")] input: UserInput,
    ) -> Result<UserPayload> {
        let id = user_id(&input.user_id);
        UserPayload::of(ctx, id, people(ctx)?.disable(id).await).await
    }

    /// Lets a user in again who was shut out.
    async fn user_enable(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The user.")] input: UserInput,
    ) -> Result<UserPayload> {
        let id = user_id(&input.user_id);
        UserPayload::of(ctx, id, people(ctx)?.enable(id).await).await
    }

    /// Forgets a user's failures to sign in, so that trying is not paused any more.
    async fn user_forgive(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The user.")] input: UserInput,
    ) -> Result<UserPayload> {
        let id = user_id(&input.user_id);
        UserPayload::of(ctx, id, people(ctx)?.forgive(id).await).await
    }

    /// Issues a link by which a user who forgot the password chooses a new one; older links of theirs end.
    async fn password_reset_issue(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The user.")] input: UserInput,
    ) -> Result<PasswordResetIssuePayload> {
        use secrecy::ExposeSecret as _;
        match people(ctx)?.issue_reset(user_id(&input.user_id)).await {
            Ok(link) => {
                let token = link.token.expose_secret().to_owned();
                let reset = Some(PasswordResetIssued { token, expires_at: link.expires_at });
                Ok(PasswordResetIssuePayload { reset, user_errors: Vec::new() })
            }
            Err(error) => Ok(PasswordResetIssuePayload { reset: None, user_errors: errors::people(error)? }),
        }
    }
}
