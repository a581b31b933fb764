//! The peers: servers of Node.js, pinned by a lock file. Whatever is missing of them is said.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use chrono::DateTime;
use serde_json::{Value, json};

use crate::cli::bench::child::ServingChild;
use crate::cli::bench::figures::Target;
use crate::config::Config;

/// One sort of peer.
pub(super) struct Kind {
    pub(super) name: &'static str,
    script: &'static str,
    workers: u32,
    pub(super) question: &'static str,
    pub(super) target: Target,
}

const POSTGRAPHILE: &str = "{ allBuyers(first: 20, orderBy: [NAME_ASC]) { nodes { name status \
     contractsByBuyerId(first: 10, orderBy: [NAME_ASC]) { nodes { name status } } \
     salesByBuyerId(first: 5, orderBy: [SOLD_AT_DESC, ROW_ID_DESC]) { nodes { state priceMinor soldAt \
     leadByLeadId { state receivedAt } } } } } }";
const YOGA: &str = "{ buyers(first: 20) { name status contracts(first: 10) { name status } \
     sales(first: 5) { state priceMinor soldAt lead { state receivedAt } } } }";
/// Connections to the database that a peer has, its processes together: as many as leadyard. All sides' together stay below
/// what PostgreSQL allows unless told otherwise (100).
const CONNECTIONS: u32 = 20;

/// Who is measured.
pub(super) const PEERS: [Kind; 3] = [
    Kind {
        name: "PostGraphile, one process",
        script: "postgraphile.mjs",
        workers: 1,
        question: POSTGRAPHILE,
        target: Target { must: 4.0, reach: 8.0, at_most: false },
    },
    Kind {
        name: "PostGraphile, four processes",
        script: "postgraphile.mjs",
        workers: 4,
        question: POSTGRAPHILE,
        target: Target { must: 2.0, reach: 3.5, at_most: false },
    },
    Kind {
        name: "GraphQL Yoga, four processes",
        script: "yoga.mjs",
        workers: 4,
        question: YOGA,
        target: Target { must: 3.0, reach: 3.0, at_most: false },
    },
];

/// A peer and where it serves, or why it does not.
pub(super) struct Peer {
    pub(super) of: &'static Kind,
    pub(super) url: Result<String, String>,
    /// Gone with this.
    _server: Option<ServingChild>,
}

/// The peers, as far as they are there.
pub(super) struct Peers {
    pub(super) all: Vec<Peer>,
    folder: PathBuf,
    database_url: String,
    is_set_up: bool,
}

impl Peers {
    pub(super) fn start(config: &Config, folder: &Path) -> Self {
        let mut peers = Self {
            all: Vec::new(),
            folder: folder.to_owned(),
            database_url: config.database_url.clone(),
            is_set_up: false,
        };
        let ready = peers.set_up();
        for of in &PEERS {
            let server = ready.clone().and_then(|()| peers.serve(of));
            let url = server.as_ref().map(|server| server.url.clone()).map_err(Clone::clone);
            peers.all.push(Peer { of, url, _server: server.ok() });
        }
        peers
    }

    fn set_up(&mut self) -> Result<(), String> {
        let folder = self.folder.display();
        if !self.folder.join("package-lock.json").is_file() {
            return Err(format!("{folder} is not there: name it with --peers"));
        }
        if Command::new("node").arg("--version").output().is_err() {
            return Err("Node.js is not installed".to_owned());
        }
        if !self.folder.join("node_modules/postgraphile").is_dir()
            || !self.folder.join("node_modules/graphql-yoga").is_dir()
        {
            return Err(format!("its packages are not installed: npm ci in {folder}"));
        }
        let output = self.node("setup.mjs").arg("up").output().map_err(|error| error.to_string())?;
        self.is_set_up = output.status.success();
        let said = || format!("row security could not be set up: {}", String::from_utf8_lossy(&output.stderr).trim());
        if self.is_set_up { Ok(()) } else { Err(said()) }
    }

    fn serve(&self, of: &Kind) -> Result<ServingChild, String> {
        let mut command = self.node(of.script);
        let connections = (CONNECTIONS / of.workers).to_string();
        command.env("WORKERS", of.workers.to_string()).env("CONNECTIONS", connections);
        ServingChild::of(&mut command).map_err(|error| format!("it does not start: {error:#}"))
    }

    fn node(&self, script: &str) -> Command {
        let mut command = Command::new("node");
        command.arg(script).current_dir(&self.folder);
        command.env("DATABASE_URL", &self.database_url).env("NODE_ENV", "production");
        command.stdin(Stdio::null());
        command
    }

    /// Ends them, and takes away what was set up.
    pub(super) fn stop(mut self) {
        self.all.clear();
        if self.is_set_up {
            let _ = self.node("setup.mjs").arg("down").output();
        }
    }
}

/// What every side must answer, as plain values: names and lists differ from server to server. Lists that are whole are
/// sorted, because databases and servers sort names differently.
pub(super) fn plain(answer: &Value) -> Option<Vec<Value>> {
    let data = answer.get("data")?;
    let list = |of: &Value| of.get("nodes").unwrap_or(of).as_array().cloned();
    let any = |of: &Value, names: &[&str]| names.iter().find_map(|name| of.get(name)).cloned();
    let mut buyers = Vec::new();
    for buyer in list(&any(data, &["buyers", "allBuyers"])?)? {
        let mut contracts: Vec<Value> = list(&any(&buyer, &["contracts", "contractsByBuyerId"])?)?
            .iter()
            .map(|contract| json!([contract["name"], contract["status"]]))
            .collect();
        contracts.sort_by_key(ToString::to_string);
        let mut sales = Vec::new();
        for sale in list(&any(&buyer, &["sales", "salesByBuyerId"])?)? {
            let price = sale.get("priceMinor").or_else(|| sale.get("price")?.get("amountMinor"))?;
            let lead = any(&sale, &["lead", "leadByLeadId"])?;
            let (sold, received) = (millis(&sale["soldAt"])?, millis(&lead["receivedAt"])?);
            sales.push(json!([sale["state"], price, sold, lead["state"], received]));
        }
        buyers.push(json!([buyer["name"], buyer["status"], contracts, sales]));
    }
    buyers.sort_by_key(ToString::to_string);
    Some(buyers)
}

fn millis(moment: &Value) -> Option<i64> {
    Some(DateTime::parse_from_rfc3339(moment.as_str()?).ok()?.timestamp_millis())
}
