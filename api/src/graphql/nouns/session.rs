//! Sessions: signing in and out.

use async_graphql::{Context, InputObject, Object, Result, SimpleObject};
use leadyard_types::Timestamp;

use super::super::context::{self, market};
use super::super::errors::{UserError, store};

/// What signing in needs.
#[derive(InputObject)]
pub(crate) struct SessionCreateInput {
    /// The address of the user.
    email: String,
    /// The user's password.
    password: String,
}

/// A session just made.
#[derive(SimpleObject)]
pub(crate) struct Session {
    /// Send it as `Authorization: Bearer …`. It is shown this once.
    token: String,
    /// Until when it holds.
    expires_at: Timestamp,
}

/// What came of signing in.
#[derive(SimpleObject)]
pub(crate) struct SessionCreatePayload {
    /// The session; absent if signing in failed.
    session: Option<Session>,
    /// What to put right.
    user_errors: Vec<UserError>,
}

/// What came of signing out.
#[derive(SimpleObject)]
pub(crate) struct SessionEndPayload {
    /// Whether a session ended; false if it had ended before, or if a key was used instead of a session.
    ended: bool,
    /// What to put right.
    user_errors: Vec<UserError>,
}

/// Mutations of sessions.
#[derive(Debug, Default)]
pub(crate) struct SessionMutations;

#[Object]
impl SessionMutations {
    /// Signs a user in. A wrong password, an unknown address and a user who may not sign in get the same answer.
    async fn session_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Who signs in.")] input: SessionCreateInput,
    ) -> Result<SessionCreatePayload> {
        /// Longer than any real one; hashing takes time in proportion.
        const PASSWORD_BYTES_MAX: usize = 1_024;
        let fits = input.email.len() <= PASSWORD_BYTES_MAX && input.password.len() <= PASSWORD_BYTES_MAX;
        let made =
            if fits { market(ctx)?.store().sign_in(&input.email, &input.password).await.map_err(store)? } else { None };
        let Some(made) = made else {
            let wrong = UserError::general(
                "SIGN_IN_FAILED",
                "the address or the password is wrong, or signing in is paused for a minute",
            );
            return Ok(SessionCreatePayload { session: None, user_errors: vec![wrong] });
        };
        let session = Session { token: made.token, expires_at: made.expires_at };
        Ok(SessionCreatePayload { session: Some(session), user_errors: Vec::new() })
    }

    /// Ends the session whose token is sent with this request, at once.
    async fn session_end(&self, ctx: &Context<'_>) -> Result<SessionEndPayload> {
        let principal = context::principal(ctx)?;
        let ended = match context::session_token(ctx) {
            Some(token) => market(ctx)?.store().sign_out(principal, token).await.map_err(store)?,
            None => false,
        };
        Ok(SessionEndPayload { ended, user_errors: Vec::new() })
    }
}
