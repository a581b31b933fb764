//! Where a measurement happens: two databases of its own with the same market, one for each side. They go with it.

use std::path::Path;

use anyhow::Context;
use leadyard_entity::yardstick::Scratch;
use leadyard_entity::{Engine, MasterKeys, Store, StoreOptions};
use leadyard_market::{Market, MarketSettings};
use leadyard_types::{LeadState, Principal, SystemTask};
use tempfile::TempDir;

use crate::app::open_store;
use crate::config::Config;

use super::world;

/// Connections that the yardstick may hold.
const CONNECTIONS: u32 = 64;

/// Both databases.
pub(super) struct Place {
    pub(super) engine: Engine,
    /// The one that leadyard fills.
    pub(super) ours: Config,
    /// The one that hand-written SQL fills.
    pub(super) theirs: Config,
    /// The key that leads are sent with.
    pub(super) api_key: String,
    pub(super) folder: TempDir,
    scratch: Vec<Scratch>,
}

impl Place {
    /// Makes both, with a market of so many contracts. PostgreSQL where the configuration names it, else SQLite files in
    /// `folder`; what the configuration names is never written to.
    pub(super) async fn make(
        config: &Config,
        folder: Option<&Path>,
        contracts: usize,
        made: impl Fn(usize),
    ) -> anyhow::Result<Self> {
        let folder = folder_of_its_own(folder)?;
        let postgres = is_postgres(config);
        let named = |url: String| within(config, &folder, url);
        let file = |name: &str| file(&folder, name);
        let mut scratch = Vec::new();
        if postgres {
            scratch.push(scratch_on(config).await?);
        }
        let ours = named(scratch.first().map_or_else(|| Ok(file("ours.sqlite")), Scratch::url)?);
        let made = fill(&ours, contracts, made).await;
        let theirs = match (&made, scratch.first()) {
            (Ok(_), Some(first)) => first.copy().await.map(Some),
            _ => Ok(None),
        };
        let mut place = Self {
            engine: if postgres { Engine::Postgres } else { Engine::Sqlite },
            theirs: named(file("theirs.sqlite")),
            api_key: String::new(),
            ours,
            scratch,
            folder,
        };
        // Whatever went wrong, no database is left behind.
        match place.copy(made, theirs) {
            Ok(()) => Ok(place),
            Err(error) => {
                place.remove().await?;
                Err(error)
            }
        }
    }

    fn copy(
        &mut self,
        made: anyhow::Result<String>,
        theirs: leadyard_entity::StoreResult<Option<Scratch>>,
    ) -> anyhow::Result<()> {
        self.api_key = made?;
        match theirs? {
            Some(theirs) => {
                self.theirs.database_url = theirs.url()?;
                self.scratch.push(theirs);
            }
            // Closed and checkpointed, a database is one file.
            None => {
                std::fs::copy(self.folder.path().join("ours.sqlite"), self.folder.path().join("theirs.sqlite"))?;
            }
        }
        Ok(())
    }

    /// Removes the databases. (The folder goes by itself.)
    pub(super) async fn remove(self) -> anyhow::Result<()> {
        for scratch in self.scratch {
            scratch.remove().await?;
        }
        Ok(())
    }
}

/// One empty database of its own, for what has nothing to be compared with.
pub(super) struct Ground {
    pub(super) config: Config,
    /// Gone with this.
    _folder: TempDir,
    scratch: Option<Scratch>,
}

impl Ground {
    /// Makes it where the configuration says, as [`Place::make`] does.
    pub(super) async fn make(config: &Config, folder: Option<&Path>) -> anyhow::Result<Self> {
        let folder = folder_of_its_own(folder)?;
        let scratch = if is_postgres(config) { Some(scratch_on(config).await?) } else { None };
        let url = scratch.as_ref().map_or_else(|| Ok(file(&folder, "ground.sqlite")), Scratch::url)?;
        Ok(Self { config: within(config, &folder, url), _folder: folder, scratch })
    }

    /// Removes the database. (The folder goes by itself.)
    pub(super) async fn remove(self) -> anyhow::Result<()> {
        if let Some(scratch) = self.scratch {
            scratch.remove().await?;
        }
        Ok(())
    }
}

/// Whether measurements run on PostgreSQL.
pub(super) fn is_postgres(config: &Config) -> bool {
    config.database_url.starts_with("postgres")
}

fn folder_of_its_own(folder: Option<&Path>) -> anyhow::Result<TempDir> {
    let mut builder = tempfile::Builder::new();
    let builder = builder.prefix("leadyard-bench-");
    let folder = folder.map_or_else(|| builder.tempdir(), |folder| builder.tempdir_in(folder));
    folder.context("no folder for the measurement's files; name another with --dir")
}

/// The configuration, at another database and with a key of its own.
fn within(config: &Config, folder: &TempDir, database_url: String) -> Config {
    let master_key_file = folder.path().join("master.key");
    Config { database_url, master_key_file, production: false, ..config.clone() }
}

fn file(folder: &TempDir, name: &str) -> String {
    format!("sqlite://{}", folder.path().join(name).display())
}

async fn scratch_on(config: &Config) -> anyhow::Result<Scratch> {
    Scratch::create(&config.database_url).await.context("no database could be made on the server")
}

async fn fill(config: &Config, contracts: usize, made: impl Fn(usize)) -> anyhow::Result<String> {
    let store = open_store(config).await?;
    let filled = market_with_a_lead(&store, contracts, made).await;
    store.close().await;
    filled
}

/// The first lead opens the operator's and the supplier's accounts, which both sides then post to.
async fn market_with_a_lead(store: &Store, contracts: usize, made: impl Fn(usize)) -> anyhow::Result<String> {
    let (source_id, api_key) = world::make(store, contracts, made).await?;
    let market = Market::start(store.clone(), MarketSettings::default()).await?;
    let answer = market.submit(Principal::System(SystemTask::Operate), world::first_lead(source_id)?).await?;
    anyhow::ensure!(answer.state == LeadState::Sold, "the first lead is {}", answer.state);
    Ok(api_key)
}

/// How the yardstick opens a database.
pub(super) fn store_options(config: &Config) -> anyhow::Result<StoreOptions> {
    let master_keys = MasterKeys::load_or_create(&config.master_key_file)?;
    Ok(StoreOptions { url: config.database_url.clone(), max_connections: CONNECTIONS, master_keys })
}
