//! Sessions: signing in and out, and where one is signed in.

use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use leadyard_entity::StoreError;
use leadyard_entity::auth::{Credentials, is_session_of};
use leadyard_entity::model::session;
use leadyard_types::{SessionId, Timestamp};

use super::super::context::{self, edge, market};
use super::super::errors::{UserError, crowded, store};
use super::super::http::{signed_in, signed_out};
use super::super::id::Kind;

/// What signing in needs.
#[derive(InputObject)]
pub(crate) struct SessionCreateInput {
    /// The address of the user, in whatever case. It is looked up as it is: what addresses look like is asked of new ones.
    email: String,
    /// The user's password.
    password: String,
    /// A code of the authenticator, or a recovery code, for users who have one. Each counts once.
    code: Option<String>,
    /// For pages of this server's own host: the session is kept by the browser as a cookie that no script reads, and
    /// the token is not answered.
    #[graphql(default)]
    cookie: bool,
}

/// A session: somebody signed in somewhere.
#[derive(Debug, Clone, async_graphql::Description)]
pub(crate) struct Session {
    row: session::Model,
    token: Option<String>,
}

impl From<session::Model> for Session {
    fn from(row: session::Model) -> Self {
        Self { row, token: None }
    }
}

#[Object(use_type_description)]
impl Session {
    /// The global id.
    pub(crate) async fn id(&self) -> ID {
        Kind::Session.id(self.row.id)
    }

    /// Send it as `Authorization: Bearer …`. It is shown once, by `sessionCreate`, and not where a cookie was asked for.
    async fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// Until when it holds at most. It ends earlier where it is not used for three hours.
    async fn expires_at(&self) -> Timestamp {
        self.row.expires_at
    }

    /// When it began.
    async fn created_at(&self) -> Timestamp {
        self.row.created_at
    }

    /// When it was used last, to the minute.
    async fn last_used_at(&self) -> Timestamp {
        self.row.last_used_at.unwrap_or(self.row.created_at)
    }

    /// The network from which it was begun; absent for this server's own machine.
    async fn address(&self) -> Option<&str> {
        self.row.address.as_deref()
    }

    /// The program with which it was begun, in a few words: `Firefox on Linux`.
    async fn agent(&self) -> Option<&str> {
        self.row.agent.as_deref()
    }

    /// Whether it is the one that asks.
    async fn current(&self, ctx: &Context<'_>) -> bool {
        context::session_token(ctx).is_some_and(|token| is_session_of(&self.row, token))
    }
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

/// A session to be ended.
#[derive(Debug, InputObject)]
pub(crate) struct SessionRevokeInput {
    /// The session, one of your own.
    session_id: ID,
}

/// What came of ending a session.
#[derive(Debug, SimpleObject)]
pub(crate) struct SessionRevokePayload {
    /// The session that ended; absent if none did.
    session: Option<Session>,
    /// What to put right.
    user_errors: Vec<UserError>,
}

/// What came of ending all other sessions.
#[derive(Debug, SimpleObject)]
pub(crate) struct SessionsRevokeOthersPayload {
    /// How many ended.
    ended: i32,
    /// What to put right.
    user_errors: Vec<UserError>,
}

/// Mutations of sessions.
#[derive(Debug, Default)]
pub(crate) struct SessionMutations;

#[Object]
impl SessionMutations {
    /// Signs a user in. A wrong password, a wrong or missing code, an unknown address and a user who
    /// may not sign in get the same answer. Where many sign in at once the next are told to come again: `TOO_BUSY`.
    async fn session_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Who signs in.")] input: SessionCreateInput,
    ) -> Result<SessionCreatePayload> {
        /// Longer than any real one; hashing takes time in proportion.
        const PASSWORD_BYTES_MAX: usize = 1_024;
        let refused = |error| Ok(SessionCreatePayload { session: None, user_errors: vec![error] });
        let edge = edge(ctx)?;
        if input.cookie && !edge.is_own_page {
            let message = "a cookie is for pages of this server's own host: take the token instead";
            return refused(UserError::of("cookie", "NOT_OWN_PAGE", message));
        }
        let lengths = [input.email.len(), input.password.len(), input.code.as_ref().map_or(0, String::len)];
        let fits = lengths.into_iter().all(|length| length <= PASSWORD_BYTES_MAX);
        let made = if fits {
            let store_of = market(ctx)?.store();
            let shown = Credentials { email: &input.email, password: &input.password, code: input.code.as_deref() };
            match store_of.sign_in_from(shown, &edge.device).await {
                Err(StoreError::Crowded) => return refused(crowded()),
                made => made.map_err(store)?,
            }
        } else {
            None
        };
        let Some(made) = made else {
            return refused(UserError::general(
                "SIGN_IN_FAILED",
                "the address, the password or the code is wrong, or signing in is paused for a while",
            ));
        };
        let token = if input.cookie {
            let now = market(ctx)?.clock().now();
            ctx.append_http_header("set-cookie", signed_in(&made.token, now, made.row.expires_at));
            None
        } else {
            Some(made.token)
        };
        Ok(SessionCreatePayload { session: Some(Session { row: made.row, token }), user_errors: Vec::new() })
    }

    /// Ends the session whose token or cookie is sent with this request, at once.
    async fn session_end(&self, ctx: &Context<'_>) -> Result<SessionEndPayload> {
        let principal = context::principal(ctx)?;
        let ended = match context::session_token(ctx) {
            Some(token) => market(ctx)?.store().sign_out(principal, token).await.map_err(store)?,
            None => false,
        };
        if edge(ctx)?.cookie.is_some() {
            ctx.append_http_header("set-cookie", signed_out());
        }
        Ok(SessionEndPayload { ended, user_errors: Vec::new() })
    }

    /// Ends one of your own sessions, at once.
    async fn session_revoke(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The session.")] input: SessionRevokeInput,
    ) -> Result<SessionRevokePayload> {
        let id = SessionId(Kind::Session.read(&input.session_id).unwrap_or_default());
        let row = context::read(ctx)?.by_id::<session::Entity>(id.0).await.map_err(store)?;
        let ended = market(ctx)?.store().end_own_session(context::principal(ctx)?, id).await.map_err(store)?;
        Ok(match row.filter(|_| ended) {
            Some(row) => SessionRevokePayload { session: Some(row.into()), user_errors: Vec::new() },
            None => {
                SessionRevokePayload { session: None, user_errors: vec![UserError::not_found("sessionId", "session")] }
            }
        })
    }

    /// Ends all your sessions but the one that asks, at once.
    async fn sessions_revoke_others(&self, ctx: &Context<'_>) -> Result<SessionsRevokeOthersPayload> {
        let current = match context::session_token(ctx) {
            Some(token) => context::read(ctx)?.session_of_token(token).await.map_err(store)?,
            None => None,
        };
        let store_of = market(ctx)?.store();
        let ended = store_of.end_own_sessions(context::principal(ctx)?, current).await.map_err(store)?;
        Ok(SessionsRevokeOthersPayload { ended: super::int(ended), user_errors: Vec::new() })
    }
}
