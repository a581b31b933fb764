//! Schema changes of leadyard, frozen once landed: a change is a new migration, never an edit of an old one.
//!
//! Migrations are SQL files with a handful of type words (`:id`, `:time`, `:int` …) that the module `dialect` spells for
//! each database, so that both schemas are read in one place.

mod dialect;
mod m20261121_000001_first;
mod m20261121_000002_lists;
mod m20261121_000003_waiting;
mod m20261121_000004_workers;
mod m20261121_000005_pings;
mod m20261121_000006_quotes;
mod m20261121_000007_stages;
mod m20261121_000012_tests;
mod m20261121_000013_status;
mod m20261121_000014_unused_quotes;
mod m20261121_000015_versions;
mod m20261121_000016_people;
mod m20261121_000017_sign_in;
mod m20261121_000018_readings;
mod m20261121_000019_keys;
mod m20261121_000020_nouns;
mod m20261121_000021_inside;
mod m20261121_000022_successors;
mod m20261122_000023_views;

pub use sea_orm_migration::MigratorTrait;
use sea_orm_migration::prelude::*;

/// All migrations in order.
#[derive(Debug, Clone, Copy)]
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20261121_000001_first::Migration),
            Box::new(m20261121_000002_lists::Migration),
            Box::new(m20261121_000003_waiting::Migration),
            Box::new(m20261121_000004_workers::Migration),
            Box::new(m20261121_000005_pings::Migration),
            Box::new(m20261121_000006_quotes::Migration),
            Box::new(m20261121_000007_stages::Migration),
            Box::new(m20261121_000012_tests::Migration),
            Box::new(m20261121_000013_status::Migration),
            Box::new(m20261121_000014_unused_quotes::Migration),
            Box::new(m20261121_000015_versions::Migration),
            Box::new(m20261121_000016_people::Migration),
            Box::new(m20261121_000017_sign_in::Migration),
            Box::new(m20261121_000018_readings::Migration),
            Box::new(m20261121_000019_keys::Migration),
            Box::new(m20261121_000020_nouns::Migration),
            Box::new(m20261121_000021_inside::Migration),
            Box::new(m20261121_000022_successors::Migration),
            Box::new(m20261122_000023_views::Migration),
        ]
    }
}
