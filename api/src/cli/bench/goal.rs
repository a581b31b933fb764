//! What can be measured, and on which database.

use anyhow::ensure;

use crate::config::Config;

use super::place::is_postgres;

/// Something to measure, by its name in the goals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Goal {
    /// Leads a second on PostgreSQL, beside hand-written SQL.
    P1,
    /// Leads a second on SQLite, beside hand-written SQL.
    P3,
    /// Auctions, by the bidders' own stamps.
    P8,
    /// A nested GraphQL read, beside PostGraphile and GraphQL Yoga, on PostgreSQL.
    P12,
    /// From the start of the process to the first lead, on SQLite.
    P17,
    /// What hostile bidders cost an auction.
    Hostile,
    /// What hostile GraphQL documents cost, and whoever asks beside them.
    Documents,
}

impl Goal {
    const ALL: [Self; 7] = [Self::P1, Self::P3, Self::P8, Self::P12, Self::P17, Self::Hostile, Self::Documents];

    /// Whether it is measured on PostgreSQL alone, on SQLite alone (`false`), or on either.
    const fn only_on_postgres(self) -> Option<bool> {
        match self {
            Self::P1 | Self::P12 => Some(true),
            Self::P3 | Self::P17 => Some(false),
            Self::P8 | Self::Hostile | Self::Documents => None,
        }
    }
}

/// What is measured: what was asked for, or everything that the configured database allows.
pub(super) fn goals(asked: &[Goal], config: &Config) -> anyhow::Result<Vec<Goal>> {
    let postgres = is_postgres(config);
    let fits = |goal: &Goal| goal.only_on_postgres().is_none_or(|only| only == postgres);
    if asked.is_empty() {
        return Ok(Goal::ALL.into_iter().filter(fits).collect());
    }
    for goal in asked {
        let where_to =
            if postgres { "SQLite: leave DATABASE_URL out" } else { "PostgreSQL: name a server with DATABASE_URL" };
        ensure!(fits(goal), "{goal:?} is measured on {where_to}");
    }
    Ok(asked.to_vec())
}
