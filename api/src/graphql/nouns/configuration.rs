//! The configuration as text, and what a text would change.

use async_graphql::{Context, Enum, ID, Result, SimpleObject};
use leadyard_market::configuration::{Change, Difference, Problem, Problems, Secrets, export};
use leadyard_market::setup::{ApplyError, SetupError};
use leadyard_types::CampaignId;

use super::super::errors::{fixed, internal, store};
use super::super::id::Kind;
use super::int;
use super::setup::setup;
use crate::market_file;

/// What happens to a thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub(crate) enum ConfigurationAction {
    /// It does not exist yet.
    Create,
    /// It exists, and would be another.
    Change,
}

/// One field that would change.
#[derive(Debug, SimpleObject)]
pub(crate) struct ConfigurationDifference {
    /// Which, as a path: `price_minor`, `consent.max_age_hours`.
    path: String,
    /// What stands, as JSON; absent where nothing does.
    before: Option<String>,
    /// What would stand, as JSON; absent where nothing would.
    after: Option<String>,
}

/// A thing that would change.
#[derive(Debug, SimpleObject)]
pub(crate) struct ConfigurationChange {
    /// Whether it is new.
    action: ConfigurationAction,
    /// The table it stands in: `contract`, `campaign` …
    noun: String,
    /// What it is called, before a change of its name.
    name: String,
    /// What differs.
    fields: Vec<ConfigurationDifference>,
}

/// Something that is wrong with a text.
#[derive(Debug, SimpleObject)]
pub(crate) struct ConfigurationProblem {
    /// The line, from 1, where there is one.
    line: Option<i32>,
    /// Of which thing: `contract "A"`; empty for the text itself.
    at: String,
    /// Its field, as a path; empty where none is meant.
    field: String,
    /// What is wrong, stable, for programs.
    code: String,
    /// What would be right, for people.
    message: String,
}

/// What a text would change, or everything that is wrong with it.
#[derive(Debug, SimpleObject)]
pub(crate) struct ConfigurationPlan {
    /// The version of the configuration it was compared with.
    version: i32,
    /// The changes; none where something is wrong.
    changes: Vec<ConfigurationChange>,
    /// The changes in words, as the command line prints them.
    words: String,
    /// Everything that is wrong, by line.
    problems: Vec<ConfigurationProblem>,
}

impl From<&Difference> for ConfigurationDifference {
    fn from(found: &Difference) -> Self {
        let text = |value: &Option<serde_json::Value>| value.as_ref().map(ToString::to_string);
        Self { path: found.path.clone(), before: text(&found.before), after: text(&found.after) }
    }
}

impl From<&Change> for ConfigurationChange {
    fn from(found: &Change) -> Self {
        Self {
            action: if found.new { ConfigurationAction::Create } else { ConfigurationAction::Change },
            noun: found.noun.to_string(),
            name: found.name.clone(),
            fields: found.fields.iter().map(ConfigurationDifference::from).collect(),
        }
    }
}

impl From<Problem> for ConfigurationProblem {
    fn from(found: Problem) -> Self {
        Self { line: found.line.map(int), at: found.at, field: found.field, code: found.code, message: found.message }
    }
}

pub(super) fn refused(error: SetupError) -> async_graphql::Error {
    match error {
        SetupError::NotAllowed => fixed("NOT_ALLOWED", "this is not for your role"),
        SetupError::Store(error) => store(error),
        other => internal(other),
    }
}

/// Configuration.
#[derive(Debug, Default)]
pub(crate) struct ConfigurationQueries;

#[async_graphql::Object]
impl ConfigurationQueries {
    /// The configuration of the market as TOML, without secrets: `leadyard config plan` and `apply` take it.
    async fn configuration(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only this campaign, with whatever takes part in it.")] campaign_id: Option<ID>,
    ) -> Result<String> {
        let standing = setup(ctx)?.standing().await.map_err(refused)?;
        let only = match campaign_id {
            None => None,
            Some(id) => {
                let id = Kind::Campaign.read(&id).filter(|id| standing.campaign(&id.to_string()).is_ok());
                Some(CampaignId(id.ok_or_else(|| fixed("NOT_FOUND", "there is no such campaign"))?))
            }
        };
        Ok(market_file::write(&export(&standing, only)))
    }

    /// What a text in that form would change; nothing is changed. It may name only what it changes. Secrets are not looked
    /// for: a text that takes some from elsewhere is planned on the command line.
    async fn configuration_plan(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The text, TOML.")] text: String,
    ) -> Result<ConfigurationPlan> {
        let setup = setup(ctx)?;
        let planned = match market_file::parse(&text) {
            Ok(document) => setup.plan(&document, &Secrets::new()).await,
            Err(problems) => Err(problems.into()),
        };
        let none = |version: i64, Problems(problems): Problems| ConfigurationPlan {
            version: int(version),
            changes: Vec::new(),
            words: String::new(),
            problems: problems.into_iter().map(ConfigurationProblem::from).collect(),
        };
        match planned {
            Ok(plan) => Ok(ConfigurationPlan {
                version: int(plan.version),
                words: plan.changes.iter().map(|change| format!("{change}\n")).collect(),
                changes: plan.changes.iter().map(ConfigurationChange::from).collect(),
                problems: Vec::new(),
            }),
            Err(ApplyError::Problems(problems)) => Ok(none(setup.standing().await.map_err(refused)?.version, problems)),
            Err(ApplyError::Setup(error)) => Err(refused(error)),
            Err(other @ ApplyError::Changed { .. }) => Err(internal(other)),
        }
    }
}
