//! P12: a nested read with authorisation on, beside PostGraphile and GraphQL Yoga over the very same rows. Every caller
//! shows a session's token, which is looked up for every request; every side holds its callers back to their own rows:
//! leadyard by its table of roles and the store's scope, PostGraphile by PostgreSQL's row security, Yoga by the scope in
//! each of its statements. Nothing of a person is asked for: that is sealed, and no peer could read it.

pub(super) mod load;
mod peers;

use std::path::Path;

use anyhow::{Context, ensure};
use indicatif::ProgressBar;
use serde::Serialize;

use crate::config::Config;

use super::child::ServingChild;
use super::figures::{Spread, Target};
use super::readers;
use load::{Load, Run};
use peers::{PEERS, Peer, Peers};

/// How many sides take turns.
pub(super) const SIDES: u64 = 1 + PEERS.len() as u64;

const QUESTION: &str = "{ buyers(first: 20) { nodes { name status contracts(first: 10) { nodes { name status } } \
     sales(first: 5) { nodes { state price { amountMinor } soldAt lead { state receivedAt } } } } } }";

/// How much is measured.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct NestedSize {
    /// Sold leads of the market.
    pub(super) leads: u64,
    pub(super) rounds: u64,
    /// How many ask at once.
    pub(super) clients: u64,
    /// How long a turn takes.
    pub(super) seconds: f64,
}

/// A nested read, measured.
#[derive(Debug, Serialize)]
pub(super) struct Nested {
    id: &'static str,
    size: NestedSize,
    ours: Side,
    peers: Vec<Against>,
}

/// One side's rounds.
#[derive(Debug, Serialize)]
struct Side {
    name: &'static str,
    per_second: Spread,
    p50_ms: Spread,
    p99_ms: Spread,
}

/// A peer: measured, or why not.
#[derive(Debug, Serialize)]
struct Against {
    name: &'static str,
    target: Target,
    #[serde(skip_serializing_if = "Option::is_none")]
    skipped: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seen: Option<Side>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ratio: Option<Spread>,
    #[serde(skip_serializing_if = "Option::is_none")]
    verdict: Option<&'static str>,
}

/// Measures.
pub(super) async fn measure(
    config: &Config,
    folder: &Path,
    size: NestedSize,
    progress: &ProgressBar,
) -> anyhow::Result<Nested> {
    let readers = readers::make(config, size.leads, |_| ()).await?;
    let peers = Peers::start(config, folder);
    let measured = Box::pin(beside(config, &peers, &readers.analyst, size, progress)).await;
    peers.stop();
    measured
}

async fn beside(
    config: &Config,
    peers: &Peers,
    token: &str,
    size: NestedSize,
    progress: &ProgressBar,
) -> anyhow::Result<Nested> {
    let server = ServingChild::start(config, "serve-limited")?;
    let load = |url: &str, question: &str| Load {
        address: url.trim_start_matches("http://").to_owned(),
        token: token.to_owned(),
        question: question.to_owned(),
        clients: size.clients,
        seconds: size.seconds,
    };
    let ours = load(&server.url, QUESTION);
    let expected = peers::plain(&ours.once().await?).context("leadyard's answer has another shape")?;
    ensure!(expected.len() == readers::BUYERS, "leadyard answers {} buyers", expected.len());
    let mut theirs = Vec::new();
    for peer in &peers.all {
        let Ok(url) = &peer.url else {
            theirs.push(None);
            continue;
        };
        let load = load(url, peer.of.question);
        let answer = load.once().await.with_context(|| peer.of.name.to_owned())?;
        let plain = peers::plain(&answer).with_context(|| format!("{} answers {answer}", peer.of.name))?;
        ensure!(plain == expected, "{} does not answer the same: {plain:?}\nand\n{expected:?}", peer.of.name);
        theirs.push(Some(load));
    }
    let (mut our_runs, mut their_runs) = (Vec::new(), vec![Vec::new(); theirs.len()]);
    // The first round only warms up.
    for round in 0..=size.rounds {
        let run = ours.run(config).await?;
        if round > 0 {
            our_runs.push(run);
            progress.inc(1);
        }
        for (load, runs) in theirs.iter().zip(&mut their_runs) {
            let Some(load) = load else { continue };
            let run = load.run(config).await?;
            if round > 0 {
                runs.push(run);
                progress.inc(1);
            }
        }
    }
    server.stop()?;
    let peers = peers.all.iter().zip(&their_runs).map(|(peer, runs)| against(peer, &our_runs, runs));
    Ok(Nested { id: "P12", size, peers: peers.collect::<anyhow::Result<_>>()?, ours: side("leadyard", &our_runs)? })
}

fn side(name: &'static str, runs: &[Run]) -> anyhow::Result<Side> {
    let spread = |of: fn(&Run) -> f64| Spread::of(runs.iter().map(of)).context("nothing was measured");
    Ok(Side {
        name,
        per_second: spread(|run| run.per_second)?,
        p50_ms: spread(|run| run.p50_ms)?,
        p99_ms: spread(|run| run.p99_ms)?,
    })
}

fn against(peer: &Peer, ours: &[Run], theirs: &[Run]) -> anyhow::Result<Against> {
    let (name, target) = (peer.of.name, peer.of.target);
    let absent = Against { name, target, skipped: None, seen: None, ratio: None, verdict: None };
    if let Err(why) = &peer.url {
        return Ok(Against { skipped: Some(why.clone()), ..absent });
    }
    let ratio = Spread::of(ours.iter().zip(theirs).map(|(ours, theirs)| ours.per_second / theirs.per_second));
    let verdict = ratio.map(|ratio| target.verdict(ratio.median));
    Ok(Against { seen: Some(side(name, theirs)?), ratio, verdict, ..absent })
}

impl Nested {
    pub(super) fn print(&self) {
        println!(
            "\n20 buyers, 10 contracts and 5 sales each, each sale's lead; {} clients, {} rounds of {} s:",
            self.size.clients, self.size.rounds, self.size.seconds
        );
        self.ours.print();
        for peer in &self.peers {
            if let Some(seen) = &peer.seen {
                seen.print();
            }
        }
        for peer in &self.peers {
            let (must, reach) = (peer.target.must, peer.target.reach);
            match (&peer.skipped, peer.ratio, peer.verdict) {
                (_, Some(ratio), Some(verdict)) => {
                    println!("{:<12}{verdict}: {ratio} times {}; must {must}, wanted {reach}", self.id, peer.name);
                }
                (why, ..) => {
                    println!("{:<12}skipped: {}: {}", self.id, peer.name, why.as_deref().unwrap_or("not measured"))
                }
            }
        }
    }
}

impl Side {
    fn print(&self) {
        println!("{:<28}{:>30}/s, p50 {}, p99 {} ms", self.name, self.per_second.to_string(), self.p50_ms, self.p99_ms);
    }
}
