//! Passwords: changed, or chosen anew by a link.

use std::time::Duration;

use async_graphql::{Context, InputObject, Object, Result, SimpleObject};
use leadyard_market::people::{self, PasswordChange, ResetAsked};
use tokio::time::Instant;

use super::super::context::{self, edge, market};
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

/// Somebody who forgot the password.
#[derive(InputObject)]
pub(crate) struct PasswordResetRequestInput {
    /// The address that signs in.
    email: String,
}

/// What came of asking for a link.
#[derive(Debug, SimpleObject)]
pub(crate) struct PasswordResetRequestPayload {
    /// Whether the request was taken: a link is sent if somebody signs in with the address. The answer is the same if
    /// nobody does.
    accepted: bool,
    /// What to put right.
    user_errors: Vec<UserError>,
}

/// How long asking for a link takes at least, whether the address is known or not: longer than looking it up and storing
/// the link take.
const REQUEST_TAKES: Duration = Duration::from_millis(300);

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

    /// Sends a link by which a new password is chosen (`passwordReset`) to an address, if somebody signs in with it. It
    /// holds for an hour; an address is sent three in an hour at most.
    async fn password_reset_request(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "For which address.")] input: PasswordResetRequestInput,
    ) -> Result<PasswordResetRequestPayload> {
        let answer_at = Instant::now() + REQUEST_TAKES;
        let asked = ResetAsked { email: &input.email, place: edge(ctx)?.device.network.as_deref() };
        let done = people::request_reset(market(ctx)?, asked).await;
        tokio::time::sleep_until(answer_at).await;
        Ok(match done {
            Ok(()) => PasswordResetRequestPayload { accepted: true, user_errors: Vec::new() },
            Err(error) => PasswordResetRequestPayload { accepted: false, user_errors: errors::people(error)? },
        })
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
