//! Setting the market up and changing it, one file per noun.
//!
//! Of an update, what is left out stays, and what is null is cleared. Objects are laid over what stands, field by field;
//! lists replace what stands. Everything that cannot be read is told at once, under the names of the input; the rest is
//! for the use cases of the market to check.

pub(crate) mod buyer;
pub(crate) mod campaign;
pub(crate) mod campaign_input;
pub(crate) mod configuration;
pub(crate) mod contract;
pub(crate) mod destination;
pub(crate) mod ping_input;
pub(crate) mod reading;
pub(crate) mod source;
pub(crate) mod source_key;
pub(crate) mod supplier;
pub(crate) mod vertical;
pub(crate) mod webhook_input;

use async_graphql::{Context, Result};
use leadyard_market::setup::{Setup, SetupError};
use leadyard_types::{FieldProblem, Filter};

use super::super::context::{Api, principal};
use super::super::errors::{self, UserError};
use super::condition::path_in;

/// The use cases, on behalf of the caller.
pub(crate) fn setup(ctx: &Context<'_>) -> Result<Setup> {
    let api = ctx.data::<Api>()?;
    Ok(Setup::new(api.market.store(), principal(ctx)?, api.policy.clone()))
}

/// How paths of terms are spelt in an input: names that differ, and where conditions stand.
#[derive(Debug, Default)]
pub(crate) struct Spelling {
    /// The path of the terms, and that of the input; the first that fits holds.
    pub(crate) renamed: &'static [(&'static str, &'static str)],
    /// The paths of conditions, with the conditions.
    pub(crate) conditions: Vec<(String, Filter)>,
}

impl Spelling {
    pub(crate) const fn renaming(renamed: &'static [(&'static str, &'static str)]) -> Self {
        Self { renamed, conditions: Vec::new() }
    }

    fn of(&self, path: &str) -> String {
        let path = self.in_condition(path).unwrap_or_else(|| path.to_owned());
        let renamed = self.renamed.iter().find_map(|(terms, input)| Some(format!("{input}{}", below(&path, terms)?)));
        renamed.unwrap_or(path)
    }

    fn in_condition(&self, path: &str) -> Option<String> {
        let (prefix, filter, rest) =
            self.conditions.iter().find_map(|(prefix, filter)| Some((prefix, filter, below(path, prefix)?)))?;
        let spelt = path_in(filter, &format!("when{rest}"));
        Some(format!("{prefix}{}", spelt.strip_prefix("when").unwrap_or_default()))
    }

    /// What a use case says, under the names of the input.
    pub(crate) fn errors(&self, error: SetupError) -> Result<Vec<UserError>> {
        let spelt = |problem: FieldProblem| FieldProblem { field: self.of(&problem.field), ..problem };
        match error {
            SetupError::Problems(problems) => {
                errors::setup(SetupError::Problems(problems.into_iter().map(spelt).collect()))
            }
            SetupError::InvalidTransition(error) => {
                Ok(vec![UserError::of("status", "INVALID_TRANSITION", error.to_string())])
            }
            other => errors::setup(other),
        }
    }
}

/// What follows a prefix of whole steps in a path.
fn below<'a>(path: &'a str, prefix: &str) -> Option<&'a str> {
    path.strip_prefix(prefix).filter(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// `payload!(CampaignPayload, campaign: Campaign by CampaignBy, "what came of it", "what it is now")`: the result of a
/// change, or what to put right.
macro_rules! payload {
    ($payload:ident, $field:ident: $node:ident by $by:ident, $about:literal, $now:literal) => {
        #[doc = $about]
        #[derive(Debug, async_graphql::SimpleObject)]
        pub(crate) struct $payload {
            #[doc = $now]
            $field: Option<$node>,
            /// What to put right.
            user_errors: Vec<$crate::graphql::errors::UserError>,
        }

        impl $payload {
            fn refused(user_errors: Vec<$crate::graphql::errors::UserError>) -> Self {
                Self { $field: None, user_errors }
            }

            async fn of(
                ctx: &async_graphql::Context<'_>,
                done: Result<uuid::Uuid, leadyard_market::setup::SetupError>,
                spelling: &$crate::graphql::nouns::setup::Spelling,
            ) -> async_graphql::Result<Self> {
                match done {
                    Ok(id) => {
                        let row =
                            $crate::graphql::context::loader(ctx)?.load_one($crate::graphql::loaders::$by(id)).await?;
                        Ok(Self { $field: row.map($node), user_errors: Vec::new() })
                    }
                    Err(error) => Ok(Self::refused(spelling.errors(error)?)),
                }
            }
        }
    };
}
pub(crate) use payload;

/// `standing!(ctx, input.campaign_id, Campaign by CampaignBy, "campaignId", "campaign", input.version, CampaignPayload)`:
/// what an update is laid over, if it is there and was not changed since it was read; else the refusal is returned.
macro_rules! standing {
    ($ctx:expr, $id:expr, $kind:ident by $by:ident, $field:literal, $noun:literal, $version:expr, $payload:ident) => {{
        let found = match $crate::graphql::id::Kind::$kind.read(&$id) {
            Some(id) => $crate::graphql::context::loader($ctx)?.load_one($crate::graphql::loaders::$by(id)).await?,
            None => None,
        };
        let Some(row) = found else {
            return Ok($payload::refused(vec![$crate::graphql::errors::UserError::not_found($field, $noun)]));
        };
        if row.version != i64::from($version) {
            let stale = leadyard_market::setup::SetupError::StaleVersion { current: row.version };
            return Ok($payload::refused($crate::graphql::errors::setup(stale)?));
        }
        row
    }};
}
pub(crate) use standing;

/// `agreed!(ctx, row, CampaignTermsOf)`: the terms that stand.
macro_rules! agreed {
    ($ctx:expr, $row:expr, $terms:ident) => {{
        let key = $crate::graphql::loaders::$terms($row.revision_id.into());
        let terms = $crate::graphql::context::loader($ctx)?.load_one(key).await?;
        (*$crate::graphql::nouns::there(terms)?).clone()
    }};
}
pub(crate) use agreed;

#[cfg(test)]
mod tests {
    use super::*;

    /// Paths of terms are spelt as the input is: names that differ, and conditions wherever they stand.
    #[test]
    fn paths_of_terms_are_spelt_as_the_input_is() {
        let leaf = serde_json::json!({ "op": "exists", "field": "x" });
        let filter: Filter =
            serde_json::from_value(serde_json::json!({ "op": "any", "of": [leaf, { "op": "not", "of": leaf }] }))
                .unwrap();
        let spelling = Spelling {
            renamed: &[("sale_mode.max", "saleMode.maxSales"), ("ping", "pingDestinationId")],
            conditions: vec![("price_rules.1.when".to_owned(), filter)],
        };
        for (terms, input) in [
            ("sale_mode.max", "saleMode.maxSales"),
            ("ping", "pingDestinationId"),
            ("ping_limits.per_day", "ping_limits.per_day"),
            ("price_rules.1.when.of.1.of", "price_rules.1.when.any.1.not"),
            ("price_rules.0.when.of.1", "price_rules.0.when.of.1"),
        ] {
            assert_eq!(spelling.of(terms), input);
        }
    }
}
