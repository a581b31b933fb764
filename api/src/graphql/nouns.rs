//! One file per noun: its type, its list and what can be done with it.

pub(crate) mod api_key;
pub(crate) mod audit;
pub(crate) mod buyer;
pub(crate) mod campaign;
pub(crate) mod campaign_terms;
pub(crate) mod complaint;
pub(crate) mod condition;
pub(crate) mod configuration;
pub(crate) mod consent;
pub(crate) mod contract;
pub(crate) mod contract_bounds;
pub(crate) mod conversion;
pub(crate) mod decision;
pub(crate) mod delivery;
pub(crate) mod destination;
pub(crate) mod destination_settings;
pub(crate) mod destination_test;
pub(crate) mod finance;
pub(crate) mod hold;
pub(crate) mod invitation;
pub(crate) mod lead;
pub(crate) mod lead_lookup;
pub(crate) mod lead_submit;
pub(crate) mod password;
pub(crate) mod payables;
pub(crate) mod profit_and_loss;
pub(crate) mod sale;
pub(crate) mod session;
pub(crate) mod setup;
pub(crate) mod simulation;
pub(crate) mod source;
pub(crate) mod split_report;
pub(crate) mod standing;
pub(crate) mod statement;
pub(crate) mod statistics;
pub(crate) mod supplier;
pub(crate) mod suppression;
pub(crate) mod terms;
pub(crate) mod territory;
pub(crate) mod totp;
pub(crate) mod transfer;
pub(crate) mod user;
pub(crate) mod vertical;
pub(crate) mod viewer;
pub(crate) mod wallet;

use async_graphql::{ID, Result};
use leadyard_types::{Currency, Money as Amount};
use uuid::Uuid;

use super::errors::{fixed, internal};
use super::id::Kind;
use super::scalars::Money;

/// `rows! { Lead of lead }`: a noun's type stands on its row.
macro_rules! of_row {
    ($(#[$meta:meta])* $name:ident of $table:ident) => {
        $(#[$meta])*
        #[derive(Debug, Clone, async_graphql::Description)]
        pub(crate) struct $name(pub(crate) std::sync::Arc<$table::Model>);

        impl From<$table::Model> for $name {
            fn from(row: $table::Model) -> Self {
                Self(std::sync::Arc::new(row))
            }
        }

        impl From<std::sync::Arc<$table::Model>> for $name {
            fn from(row: std::sync::Arc<$table::Model>) -> Self {
                Self(row)
            }
        }
    };
}
use of_row;

/// `one!(ctx, SaleBy(id) => Sale)`: something by its id, through the loader, as the answer to the field that `ctx` is of.
macro_rules! one {
    ($ctx:expr, $key:ident($id:expr) => $name:ident) => {
        $crate::graphql::context::loader($ctx)?
            .load_one(<$crate::graphql::loaders::$key as $crate::graphql::loaders::ById>::of($ctx, $id))
            .await
            .map(|row| row.map($name))
    };
}
pub(crate) use one;

/// `many!(ctx, DecisionsOfLead(id) => Decision)`: the whole short list of something's parts.
macro_rules! many {
    ($ctx:expr, $key:ident($id:expr) => $name:ident) => {
        $crate::graphql::context::loader($ctx)?
            .load_one($crate::graphql::loaders::$key($id))
            .await
            .map(|rows| rows.unwrap_or_default().into_iter().map($name).collect::<Vec<_>>())
    };
}
use many;

/// Something that must be there, because the row that names it is.
fn there<T>(found: Option<T>) -> Result<T> {
    found.ok_or_else(|| internal("a row that another one names is not visible"))
}

/// An amount of a stored currency.
fn money(amount_minor: i64, currency: &str) -> Result<Money> {
    let currency: Currency = currency.parse().map_err(internal)?;
    Ok(Money(Amount::new(amount_minor, currency)))
}

/// The ids of a filter. An id of another kind is a mistake of the caller, not a filter that finds nothing.
fn ids<T: From<Uuid>>(kind: Kind, ids: Option<Vec<ID>>) -> Result<Vec<T>> {
    /// More than anybody picks from a list; each costs the database a little.
    const IDS_MAX: usize = 100;
    let ids = ids.unwrap_or_default();
    if ids.len() > IDS_MAX {
        return Err(fixed("TOO_MANY_IDS", "a filter takes at most 100 ids"));
    }
    let read = |id: &ID| {
        kind.read(id).map(T::from).ok_or_else(|| fixed("ID_INVALID", "an id of this filter's own kind is expected"))
    };
    ids.iter().map(read).collect()
}

/// Words of a filter as the market spells them.
fn words<W, T: From<W>>(words: Option<Vec<W>>) -> Vec<T> {
    words.unwrap_or_default().into_iter().map(T::from).collect()
}

/// The part of a name that a filter looks for.
fn name_part(text: Option<String>) -> Result<Option<String>> {
    /// Longer than any name people look for.
    const PART_CHARS_MAX: usize = 100;
    let text = text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
    if text.as_ref().is_some_and(|text| text.chars().count() > PART_CHARS_MAX) {
        return Err(fixed("TEXT_TOO_LONG", "at most 100 characters of a name are expected"));
    }
    Ok(text)
}

/// A text that a filter compares with what was sent with a lead: no longer than that may be.
fn bounded(text: Option<String>, chars_max: usize) -> Result<Option<String>> {
    if text.as_ref().is_some_and(|text| text.chars().count() > chars_max) {
        return Err(fixed("TEXT_TOO_LONG", "at most 200 characters of a mark, 2048 of a consent's text are expected"));
    }
    Ok(text)
}

/// A small count as GraphQL knows numbers.
fn int<N: TryInto<i32>>(number: N) -> i32 {
    number.try_into().unwrap_or(i32::MAX)
}

/// The root fields of a noun: one by its id, and the list.
macro_rules! queries {
    // A list without a filter has nothing to restrict it by.
    (@filter) => {
        Default::default()
    };
    (@filter $given:ident of $filter:ty) => {
        $given.map(<$filter>::read).transpose()?.unwrap_or_default()
    };
    (
        $queries:ident, $kind:ident, $by:ident => $node:ident,
        $(#[doc = $one_doc:literal])* $one:ident,
        $(#[doc = $many_doc:literal])* $many:ident -> $connection:ident
        by $order:ident of $inner:ty $(, filter $filter:ty)?
    ) => {
        /// Root fields.
        #[derive(Debug, Default)]
        pub(crate) struct $queries;

        #[async_graphql::Object]
        impl $queries {
            $(#[doc = $one_doc])*
            async fn $one(
                &self,
                ctx: &async_graphql::Context<'_>,
                #[graphql(desc = "Its global id.")] id: async_graphql::ID,
            ) -> async_graphql::Result<Option<$node>> {
                match $crate::graphql::id::Kind::$kind.read(&id) {
                    Some(id) => $crate::graphql::nouns::one!(ctx, $by(id) => $node),
                    None => Ok(None),
                }
            }

            $(#[doc = $many_doc])*
            #[allow(clippy::too_many_arguments, reason = "the arguments of every list")]
            async fn $many(
                &self,
                ctx: &async_graphql::Context<'_>,
                #[graphql(desc = "The first so many, 1 to 100.")] first: Option<i32>,
                #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
                #[graphql(desc = "The last so many, 1 to 100.")] last: Option<i32>,
                #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
                $(#[graphql(desc = "Which of them; left out, all.")] filter: Option<$filter>,)?
                #[graphql(desc = "In which order.", default)] order_by: $crate::graphql::order::$order,
            ) -> async_graphql::Result<$connection> {
                let paging = $crate::graphql::connection::Paging { first, after, last, before };
                let wanted = $crate::graphql::nouns::queries!(@filter $(filter of $filter)?);
                $connection::load(ctx, wanted, <$inner>::from(order_by), paging).await
            }
        }
    };
}
use queries;
