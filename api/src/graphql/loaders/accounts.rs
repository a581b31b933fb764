//! Loaders of statements and costs: those of many accounts and sources are read together.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use async_graphql::dataloader::Loader;
use leadyard_entity::model::ad_spend;
use leadyard_entity::read::{Page, PageArgs};
use leadyard_entity::statements::{EntryFilter, StatementEntry};
use leadyard_market::statement::{PERIODS_TOGETHER_MAX, Payables, Period, Statement, payables, statements};
use leadyard_market::statistics::Pieces;
use uuid::Uuid;

use super::super::errors::{fixed, statistics, store};
use super::{Error, HashMap, Loaded, Loaders, grouped};

/// Of which days a request asked for statements: each is a sum over histories of its own, so they are few.
#[derive(Debug, Default)]
pub(crate) struct Periods(Mutex<HashSet<Period>>);

impl Periods {
    /// Takes those of some statements in, as long as they are not too many.
    fn admit(&self, periods: impl Iterator<Item = Period>) -> Result<(), Error> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.extend(periods);
        if known.len() <= PERIODS_TOGETHER_MAX {
            return Ok(());
        }
        Err(fixed(
            "TOO_MANY_PERIODS",
            "statements of at most 12 periods together: fewer ranges are expected, or one timeZone for all",
        ))
    }
}

/// The statement of an account over some days, without its lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct StatementOf {
    pub(crate) account: Uuid,
    pub(crate) period: Period,
}

impl Loader<StatementOf> for Loaders {
    type Value = Arc<Statement>;
    type Error = Error;
    async fn load(&self, keys: &[StatementOf]) -> Loaded<StatementOf, Self::Value> {
        self.periods.admit(keys.iter().map(|key| key.period))?;
        let mut loaded = HashMap::new();
        for group in grouped(keys, |key| key.period) {
            let Some(StatementOf { period, .. }) = group.first().copied() else { continue };
            let accounts: Vec<Uuid> = group.iter().map(|key| key.account).collect();
            let mut found = statements(&self.read, &accounts, period).await.map_err(store)?;
            loaded.extend(group.into_iter().filter_map(|key| Some((key, Arc::new(found.remove(&key.account)?)))));
        }
        Ok(loaded)
    }
}

/// A page of the lines of a statement.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct EntriesOf {
    pub(crate) account: Uuid,
    pub(crate) period: Period,
    pub(crate) filter: EntryFilter,
    pub(crate) newest_first: bool,
    pub(crate) args: PageArgs,
}

impl Loader<EntriesOf> for Loaders {
    type Value = Arc<Page<StatementEntry>>;
    type Error = Error;
    async fn load(&self, keys: &[EntriesOf]) -> Loaded<EntriesOf, Self::Value> {
        let mut loaded = HashMap::new();
        let alike = |key: &EntriesOf| (key.period, key.filter.clone(), key.newest_first, key.args.clone());
        for group in grouped(keys, alike) {
            let Some(EntriesOf { period, filter, newest_first, args, .. }) = group.first().cloned() else { continue };
            let accounts: Vec<Uuid> = group.iter().map(|key| key.account).collect();
            let pages = self.read.statement_entries(&accounts, period.span(), &filter, newest_first, &args).await;
            let mut pages = pages.map_err(store)?;
            loaded.extend(group.into_iter().filter_map(|key| {
                let page = Arc::new(pages.remove(&key.account)?);
                Some((key, page))
            }));
        }
        Ok(loaded)
    }
}

/// What a supplier is owed, piece of time by piece of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct PayablesOf {
    pub(crate) account: Uuid,
    pub(crate) pieces: Pieces,
}

impl Loader<PayablesOf> for Loaders {
    type Value = Arc<Payables>;
    type Error = Error;
    async fn load(&self, keys: &[PayablesOf]) -> Loaded<PayablesOf, Self::Value> {
        let mut loaded = HashMap::new();
        for group in grouped(keys, |key| key.pieces) {
            let Some(PayablesOf { pieces, .. }) = group.first().copied() else { continue };
            let accounts: Vec<Uuid> = group.iter().map(|key| key.account).collect();
            let mut found = payables(&self.read, &accounts, pieces).await.map_err(statistics)?;
            loaded.extend(group.into_iter().filter_map(|key| Some((key, Arc::new(found.remove(&key.account)?)))));
        }
        Ok(loaded)
    }
}

/// What ads cost for a source, from a day to a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct AdSpendOf {
    pub(crate) source: Uuid,
    pub(crate) since: chrono::NaiveDate,
    pub(crate) until: chrono::NaiveDate,
}

impl Loader<AdSpendOf> for Loaders {
    type Value = Arc<Vec<ad_spend::Model>>;
    type Error = Error;
    async fn load(&self, keys: &[AdSpendOf]) -> Loaded<AdSpendOf, Self::Value> {
        let mut loaded = HashMap::new();
        for group in grouped(keys, |key| (key.since, key.until)) {
            let Some(AdSpendOf { since, until, .. }) = group.first().copied() else { continue };
            let sources: Vec<Uuid> = group.iter().map(|key| key.source).collect();
            let mut found = self.read.ad_spend_of(&sources, since, until).await.map_err(store)?;
            loaded.extend(group.into_iter().filter_map(|key| Some((key, Arc::new(found.remove(&key.source)?)))));
        }
        Ok(loaded)
    }
}
