//! The second factor.

use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use leadyard_types::UserId;
use secrecy::ExposeSecret as _;

use super::super::errors::{self, UserError};
use super::super::id::Kind;
use super::user::people;

/// A second factor to be confirmed.
#[derive(Debug, SimpleObject)]
pub(crate) struct Totp {
    /// The secret in base 32, for typing into an authenticator. It is shown this once.
    secret: String,
    /// The same as an `otpauth://` link, for a QR code.
    url: String,
}

/// What came of beginning.
#[derive(Debug, SimpleObject)]
pub(crate) struct TotpBeginPayload {
    /// What to put into the authenticator; absent if nothing was done.
    totp: Option<Totp>,
    /// What to put right.
    user_errors: Vec<UserError>,
}

/// A code of the authenticator.
#[derive(InputObject)]
pub(crate) struct TotpConfirmInput {
    /// Six digits.
    code: String,
}

/// What came of confirming.
#[derive(Debug, SimpleObject)]
pub(crate) struct TotpConfirmPayload {
    /// Each lets you in once without the authenticator. They are shown this once; absent if nothing was done.
    recovery_codes: Option<Vec<String>>,
    /// What to put right.
    user_errors: Vec<UserError>,
}

/// Whose second factor goes: your own by a code, or that of somebody you administer.
#[derive(InputObject)]
pub(crate) struct TotpDisableInput {
    /// Six digits, or a recovery code: for your own.
    code: Option<String>,
    /// The user who lost theirs, for administrators.
    user_id: Option<ID>,
}

/// What came of taking a second factor away.
#[derive(Debug, SimpleObject)]
pub(crate) struct TotpDisablePayload {
    /// Whether one was taken away.
    disabled: bool,
    /// What to put right.
    user_errors: Vec<UserError>,
}

/// Mutations of the second factor.
#[derive(Debug, Default)]
pub(crate) struct TotpMutations;

#[Object]
impl TotpMutations {
    /// Gives you a secret for an authenticator. It counts once `totpConfirm` has seen a code of it.
    async fn totp_begin(&self, ctx: &Context<'_>) -> Result<TotpBeginPayload> {
        Ok(match people(ctx)?.begin_totp().await {
            Ok(made) => {
                let (secret, url) = (made.secret.expose_secret().to_owned(), made.url.expose_secret().to_owned());
                TotpBeginPayload { totp: Some(Totp { secret, url }), user_errors: Vec::new() }
            }
            Err(error) => TotpBeginPayload { totp: None, user_errors: errors::people(error)? },
        })
    }

    /// From now on `sessionCreate` asks you for a code.
    async fn totp_confirm(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "A code of the authenticator.")] input: TotpConfirmInput,
    ) -> Result<TotpConfirmPayload> {
        Ok(match people(ctx)?.confirm_totp(&input.code).await {
            Ok(codes) => {
                let codes = codes.iter().map(|code| code.expose_secret().to_owned()).collect();
                TotpConfirmPayload { recovery_codes: Some(codes), user_errors: Vec::new() }
            }
            Err(error) => TotpConfirmPayload { recovery_codes: None, user_errors: errors::people(error)? },
        })
    }

    /// Takes a second factor away: your own by a code, or that of a user you administer.
    async fn totp_disable(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "A code, or a user.")] input: TotpDisableInput,
    ) -> Result<TotpDisablePayload> {
        let people = people(ctx)?;
        let done = match (input.code, input.user_id) {
            (Some(code), None) => people.disable_own_totp(&code).await,
            (None, Some(user)) => people.disable_totp(UserId(Kind::User.read(&user).unwrap_or_default())).await,
            _ => {
                let error = UserError::of("code", "REQUIRED", "either a code or a user is expected");
                return Ok(TotpDisablePayload { disabled: false, user_errors: vec![error] });
            }
        };
        Ok(match done {
            Ok(_) => TotpDisablePayload { disabled: true, user_errors: Vec::new() },
            Err(error) => TotpDisablePayload { disabled: false, user_errors: errors::people(error)? },
        })
    }
}
