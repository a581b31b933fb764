//! P1 and P3: leads per second through the door, beside hand-written SQL that writes the same rows.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context, ensure};
use indicatif::ProgressBar;
use leadyard_connectors::{LeadSender, install_crypto};
use leadyard_entity::Engine;
use leadyard_entity::yardstick::{LeadRows, Sample, Yardstick, renew};
use leadyard_market::placement::PlacementTimes;
use leadyard_types::{Clock, RandomIds, SystemClock};
use serde::Serialize;
use serde_json::Value;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::child::{Counts, ServingChild};
use super::figures::{Spread, Target, float, percentile, rounded, thousandths};
use super::machine::cpu_time;
use super::place::{Place, store_options};
use super::world;

/// Leads of a hand-written batch: the design's yardstick.
const BATCH: usize = 100;
/// Clients of hand-written single transactions: more gain nothing, as was seen with 8 to 64.
const SINGLE_CLIENTS: usize = 16;
/// How many sold leads are read back for the yardstick to write others like.
const SAMPLE: u64 = 300;

/// How much is measured.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Size {
    pub(super) leads: usize,
    pub(super) rounds: usize,
    pub(super) clients: usize,
}

/// One side in one round.
#[derive(Debug, Clone, Copy, Default, Serialize)]
struct Run {
    per_second: f64,
    /// Processor time a lead takes, of the database's own processes (PostgreSQL) apart.
    #[serde(skip_serializing_if = "Option::is_none")]
    service_cpu_us: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    database_cpu_us: Option<f64>,
}

/// A side over all rounds.
#[derive(Debug, Serialize)]
pub(super) struct Side {
    pub(super) name: &'static str,
    pub(super) per_second: Spread,
    service_cpu_us: Option<Spread>,
    database_cpu_us: Option<Spread>,
}

/// leadyard's own side.
#[derive(Debug, Serialize)]
pub(super) struct Ours {
    #[serde(flatten)]
    pub(super) side: Side,
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
    pub(super) statements_per_lead: f64,
    pub(super) leads_per_transaction: f64,
    /// Of the measured time, what the one writer spent on what, in percent; the rest it waited for leads.
    pub(super) writer: Writer,
}

/// What the one writer did.
#[derive(Debug, Serialize)]
pub(super) struct Writer {
    pub(super) load_percent: f64,
    pub(super) decide_percent: f64,
    pub(super) write_percent: f64,
    pub(super) commit_percent: f64,
    pub(super) idle_percent: f64,
}

/// leadyard against one way to write SQL by hand.
#[derive(Debug, Serialize)]
pub(super) struct Against {
    pub(super) id: &'static str,
    pub(super) against: Side,
    pub(super) target: Target,
    /// Ours over theirs, round by round.
    pub(super) ratio: Spread,
    pub(super) verdict: &'static str,
}

/// Intake, measured.
#[derive(Debug, Serialize)]
pub(super) struct Intake {
    pub(super) ours: Ours,
    pub(super) goals: Vec<Against>,
    /// Bytes of a decision: what was seen of the contracts that fit.
    pub(super) decision_bytes: usize,
    pub(super) held_back_by: String,
    /// Rows of one lead in every table, on both sides.
    pub(super) rows_per_lead: BTreeMap<&'static str, f64>,
    pub(super) database: BTreeMap<String, String>,
}

/// A way to write the same rows by hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ByHand {
    Single,
    Batches,
}

impl ByHand {
    const fn name(self) -> &'static str {
        match self {
            Self::Single => "one statement per lead, 16 clients",
            Self::Batches => "batches of 100, one writer",
        }
    }
}

/// What is compared: on PostgreSQL P1 and its wish, on SQLite P3.
fn comparisons(engine: Engine) -> Vec<(&'static str, ByHand, Target)> {
    let target = |must, reach| Target { must, reach, at_most: false };
    match engine {
        Engine::Postgres => {
            vec![("P1", ByHand::Single, target(1.0, 1.5)), ("P1 batches", ByHand::Batches, target(0.0, 0.5))]
        }
        Engine::Sqlite => vec![("P3", ByHand::Batches, target(0.6, 0.8))],
    }
}

/// Everything that a measurement holds.
struct Bench<'a> {
    place: &'a Place,
    size: Size,
    server: ServingChild,
    sender: LeadSender,
    yardstick: Yardstick,
    /// Watches the server's database, whose processes are counted.
    watcher: Yardstick,
    next_lead: u64,
    next_no: i64,
    latencies_us: Vec<u64>,
}

/// Measures.
pub(super) async fn measure(place: &Place, size: Size, progress: &ProgressBar) -> anyhow::Result<Intake> {
    install_crypto();
    let server = ServingChild::start(&place.ours, "serve")?;
    let sender = LeadSender::new(&server.url, Some(place.api_key.clone().into()))?;
    let yardstick = Yardstick::open(&store_options(&place.theirs)?).await?;
    let watcher = Yardstick::open(&store_options(&place.ours)?).await?;
    let next_no = yardstick.last_decision_no().await? + 1_000_000;
    let mut bench =
        Bench { place, size, server, sender, yardstick, watcher, next_lead: 0, next_no, latencies_us: Vec::new() };
    let intake = bench.rounds(progress).await?;
    let Bench { server, yardstick, watcher, .. } = bench;
    watcher.close().await?;
    yardstick.close().await?;
    server.stop()?;
    Ok(intake)
}

impl Bench<'_> {
    async fn rounds(&mut self, progress: &ProgressBar) -> anyhow::Result<Intake> {
        let before = (self.watcher.counts().await?, self.yardstick.counts().await?);
        let ways = comparisons(self.place.engine);
        let warm_up = (self.size.leads / 5).clamp(20, 2_000);
        self.ours(warm_up).await?;
        let sample = self.watcher.sample(SAMPLE).await?;
        for (_, way, _) in &ways {
            self.by_hand(*way, warm_up, &sample).await?;
        }
        self.latencies_us.clear();
        let began = self.server.counts()?;
        let (mut ours, mut theirs, mut took) = (Vec::new(), vec![Vec::new(); ways.len()], Duration::ZERO);
        for round in 0..self.size.rounds {
            // In turn first and last, so that what drifts meets both.
            for turn in 0..=ways.len() {
                let side = if round % 2 == 0 { turn } else { ways.len() - turn };
                match side.checked_sub(1) {
                    None => {
                        let (run, lasted) = self.ours(self.size.leads).await?;
                        took += lasted;
                        ours.push(run);
                    }
                    Some(way) => theirs[way].push(self.by_hand(ways[way].1, self.size.leads, &sample).await?),
                }
                progress.inc(1);
            }
        }
        let counted = self.server.counts()?;
        let ours = self.describe(ours, began, counted, took);
        let goals = ways.iter().zip(theirs).map(|((id, way, target), runs)| against(id, *way, *target, &ours.1, &runs));
        let goals = goals.collect::<anyhow::Result<Vec<_>>>()?;
        let rows_per_lead = self.same_rows(&before.0, &before.1).await?;
        let ours = ours.0?;
        Ok(Intake {
            held_back_by: held_back_by(&ours),
            ours,
            goals,
            decision_bytes: sample.decision_bytes(),
            rows_per_lead,
            database: self.yardstick.settings().await?.into_iter().collect(),
        })
    }

    /// Sends so many leads with all clients; every one must be sold.
    async fn ours(&mut self, leads: usize) -> anyhow::Result<(Run, Duration)> {
        let now = SystemClock.now().to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
        let first = self.next_lead;
        self.next_lead += leads as u64;
        let bodies: Arc<Vec<Vec<u8>>> =
            Arc::new((first..self.next_lead).map(|number| world::lead(number, &now)).collect());
        let next = Arc::new(AtomicUsize::new(0));
        let cpu = self.cpu(Some(self.server.process())).await?;
        let began = Instant::now();
        let mut clients = JoinSet::new();
        for _ in 0..self.size.clients.min(leads) {
            clients.spawn(client(self.sender.clone(), Arc::clone(&bodies), Arc::clone(&next), first));
        }
        while let Some(ended) = clients.join_next().await {
            self.latencies_us.extend(ended??);
        }
        let took = began.elapsed();
        Ok((run(leads, took, cpu, self.cpu(Some(self.server.process())).await?), took))
    }

    /// Writes so many leads by hand. Their rows are made before the clock starts.
    async fn by_hand(&mut self, way: ByHand, leads: usize, sample: &Sample) -> anyhow::Result<Run> {
        let rows = renew(sample, leads, self.next_no, &RandomIds)?;
        self.next_no += i64::try_from(leads)?;
        let cpu = self.cpu(None).await?;
        let began = Instant::now();
        match way {
            ByHand::Batches => {
                for batch in rows.chunks(BATCH) {
                    self.yardstick.place_batch(batch).await?;
                }
            }
            ByHand::Single => singles(&self.yardstick, rows).await?,
        }
        let took = began.elapsed();
        Ok(run(leads, took, cpu, self.cpu(None).await?))
    }

    /// The processor time used so far by a process (this one, where none is named) and by the database's.
    async fn cpu(&self, process: Option<u64>) -> anyhow::Result<(Option<Duration>, Option<Duration>)> {
        let database = if process.is_some() { &self.watcher } else { &self.yardstick };
        let servers = database.server_processes().await?;
        let total = servers.iter().filter_map(|id| cpu_time(u64::try_from(*id).ok()?)).sum();
        Ok((cpu_time(process.unwrap_or_else(|| std::process::id().into())), (!servers.is_empty()).then_some(total)))
    }

    fn describe(
        &self,
        runs: Vec<Run>,
        began: Counts,
        counted: Counts,
        took: Duration,
    ) -> (anyhow::Result<Ours>, Vec<Run>) {
        let mut latencies = self.latencies_us.clone();
        latencies.sort_unstable();
        let millis = |percent| rounded(thousandths(percentile(&latencies, percent)));
        let times = counted.placement.since(&began.placement);
        let per = |count: u64, of: u64| rounded(float(count) / float(of.max(1)));
        let ours = side("leadyard over HTTP", &runs).map(|side| Ours {
            side,
            p50_ms: millis(50),
            p99_ms: millis(99),
            statements_per_lead: per(counted.statements - began.statements, times.leads),
            leads_per_transaction: per(times.leads, times.batches),
            writer: writer(&times, took),
        });
        (ours, runs)
    }

    /// Both sides must have written the same rows, or no figure counts.
    async fn same_rows(
        &self,
        ours_before: &[(&'static str, i64)],
        theirs_before: &[(&'static str, i64)],
    ) -> anyhow::Result<BTreeMap<&'static str, f64>> {
        let grown = |now: Vec<(&'static str, i64)>, before: &[(&'static str, i64)]| {
            let grown: Vec<_> =
                now.iter().zip(before).map(|((table, now), (_, before))| (*table, now - before)).collect();
            let leads = grown.iter().find(|(table, _)| *table == "lead").map_or(1, |(_, leads)| *leads);
            grown.into_iter().map(|(table, rows)| (table, ratio(rows, leads))).collect::<BTreeMap<_, _>>()
        };
        let ours = grown(self.watcher.counts().await?, ours_before);
        let theirs = grown(self.yardstick.counts().await?, theirs_before);
        ensure!(ours == theirs, "the sides did not write the same rows: {ours:?} and {theirs:?}");
        Ok(ours)
    }
}

/// A client: sends the next lead when the last is answered. Answers how long each took, in microseconds.
async fn client(
    sender: LeadSender,
    bodies: Arc<Vec<Vec<u8>>>,
    next: Arc<AtomicUsize>,
    first: u64,
) -> anyhow::Result<Vec<u64>> {
    let mut took = Vec::new();
    loop {
        let at = next.fetch_add(1, Ordering::Relaxed);
        let Some(body) = bodies.get(at) else { return Ok(took) };
        let key = ("idempotency-key".to_owned(), format!("bench-{}", first + at as u64));
        let began = Instant::now();
        let answer = sender.post("/v1/leads", "application/json", vec![key], body.clone()).await?;
        took.push(u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX));
        let text: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        ensure!(answer.status == 200 && text["status"] == "sold", "a lead was answered {}: {text}", answer.status);
    }
}

/// Leads one by one, each in a transaction of its own, by many clients.
async fn singles(yardstick: &Yardstick, rows: Vec<LeadRows>) -> anyhow::Result<()> {
    let (rows, next) = (Arc::new(rows), Arc::new(AtomicUsize::new(0)));
    let mut clients = JoinSet::new();
    for _ in 0..SINGLE_CLIENTS {
        let (yardstick, rows, next) = (yardstick.clone(), Arc::clone(&rows), Arc::clone(&next));
        clients.spawn(async move {
            while let Some(lead) = rows.get(next.fetch_add(1, Ordering::Relaxed)) {
                yardstick.place_one(lead).await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(ended) = clients.join_next().await {
        ended??;
    }
    Ok(())
}

type Cpu = (Option<Duration>, Option<Duration>);

fn run(leads: usize, took: Duration, before: Cpu, after: Cpu) -> Run {
    let leads = float(leads as u64);
    let each = |before: Option<Duration>, after: Option<Duration>| {
        Some(rounded(after?.saturating_sub(before?).as_secs_f64() * 1e6 / leads))
    };
    Run {
        per_second: rounded(leads / took.as_secs_f64()),
        service_cpu_us: each(before.0, after.0),
        database_cpu_us: each(before.1, after.1),
    }
}

fn side(name: &'static str, runs: &[Run]) -> anyhow::Result<Side> {
    Ok(Side {
        name,
        per_second: Spread::of(runs.iter().map(|run| run.per_second)).context("nothing was measured")?,
        service_cpu_us: Spread::of(runs.iter().filter_map(|run| run.service_cpu_us)),
        database_cpu_us: Spread::of(runs.iter().filter_map(|run| run.database_cpu_us)),
    })
}

fn against(id: &'static str, way: ByHand, target: Target, ours: &[Run], theirs: &[Run]) -> anyhow::Result<Against> {
    let ratios = ours.iter().zip(theirs).map(|(ours, theirs)| ours.per_second / theirs.per_second);
    let ratio = Spread::of(ratios).context("nothing was measured")?;
    Ok(Against { id, against: side(way.name(), theirs)?, target, verdict: target.verdict(ratio.median), ratio })
}

fn writer(times: &PlacementTimes, took: Duration) -> Writer {
    let percent = |micros: u64| (float(micros) / 1e4 / took.as_secs_f64() * 10.0).round() / 10.0;
    let busy = percent(times.busy_us());
    Writer {
        load_percent: percent(times.load_us),
        decide_percent: percent(times.decide_us),
        write_percent: percent(times.write_us),
        commit_percent: percent(times.commit_us),
        idle_percent: ((100.0 - busy) * 10.0).round() / 10.0,
    }
}

/// What to look at first.
fn held_back_by(ours: &Ours) -> String {
    let writer = &ours.writer;
    if writer.idle_percent > 25.0 {
        let cpu = ours.side.service_cpu_us.map_or(0.0, |spread| spread.median);
        return format!(
            "the writer waits {} % of the time: the door, preparing leads and sharing this machine with the clients ({cpu} µs of processor a lead)",
            writer.idle_percent
        );
    }
    let steps = [
        (writer.load_percent, "loading what decisions depend on"),
        (writer.decide_percent, "deciding"),
        (writer.write_percent, "writing rows"),
        (writer.commit_percent, "making them durable"),
    ];
    let (percent, step) = steps.into_iter().max_by(|a, b| a.0.total_cmp(&b.0)).unwrap_or_default();
    format!(
        "the one writer, which is busy {} % of the time, most of it ({percent} %) with {step}",
        100.0 - writer.idle_percent
    )
}

fn ratio(rows: i64, leads: i64) -> f64 {
    rounded(float(rows.unsigned_abs()) / float(leads.unsigned_abs().max(1)))
}
