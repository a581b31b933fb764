//! Passwords: changed, or chosen anew by a link.

use async_graphql::{Context, InputObject, Object, Result, SimpleObject};
use leadyard_market::people::{self, PasswordChange};

use super::super::context::{self, market};
use super::super::errors::{self, UserError, store};
use super::user::people;

/// A password to be changed.
#[derive(InputObject)]
pub(crate) struct PasswordChangeInput {
    /// The password in force.
    current_password: String,
    /// The new one, at least 12 characters.
    new_password: String,
}

/// A new password by a link.
#[derive(InputObject)]
pub(crate) struct PasswordResetInput {
    /// The token of the link.
    token: String,
    /// The new password, at least 12 characters.
    password: String,
}

/// What came of a new password.
#[derive(Debug, SimpleObject)]
pub(crate) struct PasswordPayload {
    /// Whether the new password is in force.
    changed: bool,
    /// What to put right.
    user_errors: Vec<UserError>,
}

impl PasswordPayload {
    fn of(done: people::PeopleResult<()>) -> Result<Self> {
        Ok(match done {
            Ok(()) => Self { changed: true, user_errors: Vec::new() },
            Err(error) => Self { changed: false, user_errors: errors::people(error)? },
        })
    }
}

/// Mutations of passwords.
#[derive(Debug, Default)]
pub(crate) struct PasswordMutations;

#[Object]
impl PasswordMutations {
    /// Changes your own password. Your other sessions end.
    async fn password_change(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The old password and the new one.")] input: PasswordChangeInput,
    ) -> Result<PasswordPayload> {
        let session = match context::session_token(ctx) {
            Some(token) => context::read(ctx)?.session_of_token(token).await.map_err(store)?,
            None => None,
        };
        let (current, new) = (input.current_password.into(), input.new_password.into());
        PasswordPayload::of(people(ctx)?.change_password(PasswordChange { current, new, session }).await)
    }

    /// Chooses a new password by a link, once. All sessions of the user end.
    async fn password_reset(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The link's token and the new password.")] input: PasswordResetInput,
    ) -> Result<PasswordPayload> {
        let (token, password) = (input.token.into(), input.password.into());
        PasswordPayload::of(people::reset_password(market(ctx)?.store(), &token, &password).await)
    }
}
