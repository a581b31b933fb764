//! R9: hostile GraphQL documents over HTTP. Each sort is sent to a server of its own process, so that its memory can be
//! seen; then eight attackers send them all as fast as they are answered, and an honest client asks beside them.

mod beside;
mod samples;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, ensure};
use indicatif::ProgressBar;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::time::{Instant, timeout};

use crate::config::Config;

use super::child::ServingChild;
use super::figures::{Target, Three, float, rounded};
use super::machine::{forget_peak, memory_kb, peak_kb};
use super::readers::{self, Readers};
use super::wire::{Answered, Wire};
use beside::Beside;
use samples::{Sort, sorts};

/// How many attack at once.
pub(super) const ATTACKERS: usize = 8;
/// A server that does not answer by then is taken for dead.
const PATIENCE: Duration = Duration::from_secs(60);
/// Questions that only warm a server up.
const WARM_UP: u64 = 10;
/// What is wanted of every answer's time and of the memory it takes.
const ANSWERED_MS: Target = Target { must: 50.0, reach: 50.0, at_most: true };
const GROWTH_MB: Target = Target { must: 32.0, reach: 32.0, at_most: true };
/// How long a body may take: the server's limit, which a slow one meets.
const BODY_TIMEOUT: Duration = Duration::from_secs(5);

/// How much is measured.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct DocumentSize {
    /// Sold leads of the market.
    pub(super) leads: u64,
    /// How often each sort is sent.
    pub(super) each: u64,
    /// How often the honest client asks alone and beside attackers, in turn.
    pub(super) rounds: u64,
    /// Questions of the honest client in a turn.
    pub(super) asked: u64,
}

/// How many steps a measurement has.
pub(super) fn steps(size: DocumentSize) -> u64 {
    sorts().len() as u64 + 2 + beside::steps(size)
}

/// Hostile documents, measured.
#[derive(Debug, Serialize)]
pub(super) struct Documents {
    pub(super) size: DocumentSize,
    answered_ms: Target,
    growth_mb: Target,
    sorts: Vec<Seen>,
    beside: Vec<Beside>,
}

/// What was seen of a sort.
#[derive(Debug, Serialize)]
struct Seen {
    name: &'static str,
    /// Whether the target of time holds for it: not for what is allowed and runs, and not for a body that never ends, which
    /// is read for a while so that its sender hears why it is refused.
    timed: bool,
    /// The statuses and codes it was answered with.
    answers: BTreeSet<String>,
    took_ms: Three,
    /// How much more memory than before the process held at most, megabytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    growth_mb: Option<f64>,
    verdict: &'static str,
}

/// Measures.
pub(super) async fn measure(config: &Config, size: DocumentSize, progress: &ProgressBar) -> anyhow::Result<Documents> {
    let readers = readers::make(config, size.leads, |_| ()).await?;
    let mut seen = Vec::new();
    for sort in sorts() {
        seen.push(one_sort(config, &readers, &sort, size.each).await.with_context(|| sort.name.to_owned())?);
        progress.inc(1);
    }
    let few = size.each.min(20);
    seen.push(streams(config, &readers, "a body that never ends", few, Duration::ZERO, Wire::endless).await?);
    progress.inc(1);
    seen.push(streams(config, &readers, "half a body (beyond 5 s)", 8, BODY_TIMEOUT, Wire::half).await?);
    progress.inc(1);
    let beside = beside::measure(config, &readers, size, progress).await?;
    Ok(Documents { size, answered_ms: ANSWERED_MS, growth_mb: GROWTH_MB, sorts: seen, beside })
}

/// A server that was asked before, and what it held then.
struct Warm {
    server: ServingChild,
    address: SocketAddr,
    held_kb: Option<u64>,
}

async fn warm(config: &Config, readers: &Readers) -> anyhow::Result<Warm> {
    let server = ServingChild::start(config, "serve-limited")?;
    let address = address(&server.url)?;
    let mut wire = Wire::to(address, Some(&readers.analyst), None);
    for _ in 0..WARM_UP {
        ask(&mut wire).await?;
    }
    forget_peak(server.process());
    let held_kb = memory_kb(server.process());
    Ok(Warm { server, address, held_kb })
}

impl Warm {
    /// How much it grew at most. It must still answer.
    async fn end(self, readers: &Readers) -> anyhow::Result<Option<f64>> {
        let peak = peak_kb(self.server.process());
        ask(&mut Wire::to(self.address, Some(&readers.analyst), None)).await.context("the server died of it")?;
        self.server.stop()?;
        Ok(peak.zip(self.held_kb).map(|(peak, held)| rounded(float(peak.saturating_sub(held)) / 1_024.0)))
    }
}

fn address(url: &str) -> anyhow::Result<SocketAddr> {
    Ok(url.strip_prefix("http://").unwrap_or(url).parse()?)
}

/// The honest question; it must be answered.
async fn ask(wire: &mut Wire) -> anyhow::Result<()> {
    let body = json!({ "query": readers::QUESTION }).to_string();
    let answered = timeout(PATIENCE, wire.post(body.as_bytes())).await.context("the server does not answer")??;
    let text = String::from_utf8_lossy(&answered.body);
    ensure!(
        answered.status == 200 && !text.contains("\"errors\""),
        "an honest question was answered {}: {text}",
        answered.status
    );
    Ok(())
}

/// Sends a sort, by somebody who may ask for everything and by nobody in turn.
async fn one_sort(config: &Config, readers: &Readers, sort: &Sort, each: u64) -> anyhow::Result<Seen> {
    let warm = warm(config, readers).await?;
    let mut wires = [Wire::to(warm.address, Some(&readers.admin), None), Wire::to(warm.address, None, None)];
    let (mut answers, mut took) = (BTreeSet::new(), Vec::new());
    let whole_turns = each.div_ceil(sort.bodies.len() as u64 * 2).max(1);
    for _ in 0..whole_turns {
        for body in &sort.bodies {
            for wire in &mut wires {
                let began = Instant::now();
                let answered = timeout(PATIENCE, wire.post(body)).await.context("it was never answered")??;
                took.push(micros(began.elapsed()));
                answers.insert(told(&answered));
            }
        }
    }
    seen(sort.name, !sort.runs, answers, &took, warm.end(readers).await?)
}

/// Streams bodies, all at once; what counts is the time beyond what the server waits for.
async fn streams(
    config: &Config,
    readers: &Readers,
    name: &'static str,
    count: u64,
    waits: Duration,
    send: impl AsyncFn(&Wire) -> anyhow::Result<Answered>,
) -> anyhow::Result<Seen> {
    let warm = warm(config, readers).await?;
    let wire = Wire::to(warm.address, Some(&readers.admin), None);
    let all = futures_util::future::join_all((0..count).map(async |_| {
        let began = Instant::now();
        let answered = timeout(PATIENCE, send(&wire)).await.context("it was never answered")??;
        anyhow::Ok((micros(began.elapsed().saturating_sub(waits)), told(&answered)))
    }));
    let all: Vec<(u64, String)> = all.await.into_iter().collect::<anyhow::Result<_>>().context(name)?;
    let took: Vec<u64> = all.iter().map(|(took, _)| *took).collect();
    let answers = all.into_iter().map(|(_, told)| told).collect();
    seen(name, !waits.is_zero(), answers, &took, warm.end(readers).await?)
}

fn seen(
    name: &'static str,
    timed: bool,
    answers: BTreeSet<String>,
    took: &[u64],
    growth_mb: Option<f64>,
) -> anyhow::Result<Seen> {
    let took_ms = Three::of(took).context("nothing was sent")?;
    let in_time = !timed || ANSWERED_MS.verdict(took_ms.max) == "reached";
    let small = growth_mb.is_none_or(|growth| GROWTH_MB.verdict(growth) == "reached");
    let verdict = if in_time && small { "reached" } else { "missed" };
    Ok(Seen { name, timed, answers, took_ms, growth_mb, verdict })
}

/// An answer's status and code.
fn told(answered: &Answered) -> String {
    let body: Value = serde_json::from_slice(&answered.body).unwrap_or_default();
    let code = body["errors"][0]["extensions"]["code"].as_str().or(body["code"].as_str());
    format!("{} {}", answered.status, code.unwrap_or("data"))
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

impl Documents {
    pub(super) fn print(&self) {
        println!(
            "\nHostile documents, {} of each sort, each answered within {} ms and {} MB:",
            self.size.each, self.answered_ms.must, self.growth_mb.must
        );
        println!("{:<42}{:>24}{:>10}  {:<8} answered", "", "ms p50/p99/max", "MB more", "");
        for sort in &self.sorts {
            let growth = sort.growth_mb.map_or_else(|| "?".to_owned(), |growth| format!("{growth:.1}"));
            let answers: Vec<&str> = sort.answers.iter().map(String::as_str).collect();
            println!(
                "{:<42}{:>24}{growth:>10}  {:<8} {}",
                sort.name,
                sort.took_ms.to_string(),
                sort.verdict,
                answers.join(", ")
            );
        }
        self.beside.iter().for_each(Beside::print);
    }
}
