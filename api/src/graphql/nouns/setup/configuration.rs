//! Applying a configuration that was planned.

use async_graphql::{Context, InputObject, Object, Result, SimpleObject};
use leadyard_market::configuration::{Problems, Secrets};
use leadyard_market::setup::{Applied, ApplyError, SetupError};
use secrecy::ExposeSecret as _;

use super::super::super::errors::{UserError, internal};
use super::super::configuration::{ConfigurationProblem, refused};
use super::super::int;
use super::{Spelling, setup};
use crate::market_file;

/// A configuration to be applied.
#[derive(Debug, InputObject)]
pub(crate) struct ConfigurationApplyInput {
    /// The text, TOML, as `configurationPlan` took it. It may name only what it changes.
    text: String,
    /// The version of the configuration that was planned for; left out: whatever is there.
    version: Option<i32>,
}

/// A signing secret that was made for a new destination.
#[derive(Debug, SimpleObject)]
pub(crate) struct ConfigurationSecret {
    /// The destination and its buyer: `CRM of Sunny`.
    destination: String,
    /// The secret. It is shown this once and never again.
    secret: String,
}

/// What came of applying a configuration: all of it, or nothing.
#[derive(Debug, Default, SimpleObject)]
pub(crate) struct ConfigurationApplyPayload {
    /// The version of the configuration that stands now; absent if nothing was done.
    version: Option<i32>,
    /// How many things were made.
    created: i32,
    /// How many things were changed.
    changed: i32,
    /// The secrets that were made.
    secrets: Vec<ConfigurationSecret>,
    /// Everything that is wrong with the text, by line.
    problems: Vec<ConfigurationProblem>,
    /// What to put right.
    user_errors: Vec<UserError>,
}

impl From<Applied> for ConfigurationApplyPayload {
    fn from(applied: Applied) -> Self {
        let secret = |(destination, secret): (String, secrecy::SecretString)| ConfigurationSecret {
            destination,
            secret: secret.expose_secret().to_owned(),
        };
        Self {
            version: Some(int(applied.version)),
            created: int(applied.new),
            changed: int(applied.changed),
            secrets: applied.secrets.into_iter().map(secret).collect(),
            ..Self::default()
        }
    }
}

impl ConfigurationApplyPayload {
    fn told(code: &str, field: &str, message: String) -> Self {
        Self { user_errors: vec![UserError::of(field, code, message)], ..Self::default() }
    }

    fn wrong(Problems(problems): Problems) -> Self {
        let message = "something is wrong with the text: see problems".to_owned();
        let problems = problems.into_iter().map(ConfigurationProblem::from).collect();
        Self { problems, ..Self::told("INVALID", "text", message) }
    }

    fn refused(error: ApplyError) -> Result<Self> {
        Ok(match error {
            ApplyError::Problems(problems) => Self::wrong(problems),
            ApplyError::Changed { planned, current } => {
                let message = format!(
                    "it was changed meanwhile: version {current} stands, {planned} was planned for; plan again"
                );
                Self::told("STALE_VERSION", "version", message)
            }
            ApplyError::Setup(error @ (SetupError::Store(_) | SetupError::NotAllowed)) => return Err(refused(error)),
            ApplyError::Setup(error @ (SetupError::Problems(_) | SetupError::InvalidTransition(_))) => {
                Self { user_errors: Spelling::default().errors(error)?, ..Self::default() }
            }
            ApplyError::Setup(other) => return Err(internal(other)),
        })
    }
}

/// Mutations of the configuration as a whole.
#[derive(Debug, Default)]
pub(crate) struct ConfigurationMutations;

#[Object]
impl ConfigurationMutations {
    /// Makes the market as a text says: everything in one transaction, or nothing. Secrets are not looked for: a text that
    /// takes some from elsewhere is applied on the command line.
    async fn configuration_apply(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The text, and what it was planned for.")] input: ConfigurationApplyInput,
    ) -> Result<ConfigurationApplyPayload> {
        let (setup, none) = (setup(ctx)?, Secrets::new());
        let document = match market_file::parse(&input.text) {
            Ok(document) => document,
            Err(problems) => return Ok(ConfigurationApplyPayload::wrong(problems)),
        };
        let plan = match setup.plan(&document, &none).await {
            Ok(plan) => plan,
            Err(error) => return ConfigurationApplyPayload::refused(error),
        };
        if let Some(planned) = input.version.map(i64::from).filter(|planned| *planned != plan.version) {
            return ConfigurationApplyPayload::refused(ApplyError::Changed { planned, current: plan.version });
        }
        match setup.apply(&document, &none, &plan).await {
            Ok(applied) => Ok(applied.into()),
            Err(error) => ConfigurationApplyPayload::refused(error),
        }
    }
}
