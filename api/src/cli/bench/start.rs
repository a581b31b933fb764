//! P17: from the start of the process to the first lead that is committed.

use anyhow::{Context, ensure};
use indicatif::ProgressBar;
use leadyard_connectors::{LeadSender, install_crypto};
use leadyard_entity::yardstick::{Sample, Yardstick, renew};
use leadyard_types::{Clock, RandomIds, SystemClock};
use serde::Serialize;
use serde_json::Value;
use tokio::time::Instant;

use super::child::{ServingChild, run_script};
use super::figures::{Spread, Target};
use super::machine::memory_kb;
use super::place::{Place, store_options};
use super::world;

/// Numbers of leads that nothing else sends, and that have telephone numbers of their own.
const FIRST_LEAD: u64 = 7_000_000;

/// A start, measured.
#[derive(Debug, Serialize)]
pub(super) struct Start {
    pub(super) id: &'static str,
    /// Until the server says where it serves.
    pub(super) serving_ms: Spread,
    /// Until the first lead is answered, and so durable.
    pub(super) first_lead_ms: Spread,
    /// The same process that does nothing but open the database and commit the same rows by hand.
    pub(super) by_hand_ms: Spread,
    pub(super) target_ms: Target,
    pub(super) verdict: &'static str,
    pub(super) ratio: Spread,
    pub(super) memory_mb: Option<Spread>,
    pub(super) target_mb: Target,
    pub(super) memory_verdict: Option<&'static str>,
    pub(super) held_back_by: String,
}

/// Measures: starts the server and the script in turn, on databases that hold the whole market and nothing to do. Comes
/// first: the server's workers would deliver what intake leaves, and the sample's task with it.
pub(super) async fn measure(place: &Place, rounds: usize, progress: &ProgressBar) -> anyhow::Result<Start> {
    install_crypto();
    let sampled = Yardstick::open(&store_options(&place.ours)?).await?;
    let sample = sampled.sample(1).await?;
    sampled.close().await?;
    let (mut serving, mut first, mut by_hand, mut memory) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    // The first round only warms up.
    for round in 0..=rounds {
        let (to_serving, to_lead, memory_mb) = start_and_send(place, FIRST_LEAD + round as u64).await?;
        let script_ms = start_by_hand(place, &sample, round).await?;
        if round > 0 {
            serving.push(to_serving);
            first.push(to_lead);
            by_hand.push(script_ms);
            memory.extend(memory_mb);
        }
        progress.inc(1);
    }
    let ratio = Spread::of(first.iter().zip(&by_hand).map(|(ours, theirs)| ours / theirs));
    let spread = |values: Vec<f64>| Spread::of(values).context("nothing was measured");
    let (serving_ms, first_lead_ms) = (spread(serving)?, spread(first)?);
    let target_ms = Target { must: 100.0, reach: 50.0, at_most: true };
    let target_mb = Target { must: 60.0, reach: 30.0, at_most: true };
    let memory_mb = Spread::of(memory);
    Ok(Start {
        id: "P17",
        verdict: target_ms.verdict(first_lead_ms.median),
        memory_verdict: memory_mb.map(|memory| target_mb.verdict(memory.median)),
        by_hand_ms: spread(by_hand)?,
        ratio: ratio.context("nothing was measured")?,
        held_back_by: format!(
            "{:.0} of {:.0} ms pass before it serves: opening the database, reading and compiling the contracts",
            serving_ms.median, first_lead_ms.median
        ),
        serving_ms,
        first_lead_ms,
        target_ms,
        memory_mb,
        target_mb,
    })
}

/// Milliseconds to serving and to the first lead, and megabytes held then.
async fn start_and_send(place: &Place, number: u64) -> anyhow::Result<(f64, f64, Option<f64>)> {
    let body = world::lead(number, &SystemClock.now().to_rfc3339_opts(chrono::SecondsFormat::Secs, true));
    let began = Instant::now();
    let server = ServingChild::start(&place.ours, "serve-all")?;
    let serving = millis(began);
    let sender = LeadSender::new(&server.url, Some(place.api_key.clone().into()))?;
    let answer = sender.post("/v1/leads", "application/json", Vec::new(), body).await?;
    let first = millis(began);
    let text: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    ensure!(answer.status == 200 && text["status"] == "sold", "the first lead was answered {}: {text}", answer.status);
    let memory = memory_kb(server.process()).map(|kb| f64::from(u32::try_from(kb).unwrap_or(u32::MAX)) / 1024.0);
    server.stop()?;
    Ok((serving, first, memory))
}

/// Milliseconds of the same by hand. The script is written before the clock starts.
async fn start_by_hand(place: &Place, sample: &Sample, round: usize) -> anyhow::Result<f64> {
    let yardstick = Yardstick::open(&store_options(&place.theirs)?).await?;
    let no = yardstick.last_decision_no().await? + 1;
    let lead = renew(sample, 1, no, &RandomIds)?.pop().context("no lead")?;
    let script = place.folder.path().join(format!("first-lead-{round}.sql"));
    std::fs::write(&script, yardstick.script(&lead))?;
    yardstick.close().await?;
    let began = Instant::now();
    run_script(&place.theirs, &script)?;
    Ok(millis(began))
}

fn millis(began: Instant) -> f64 {
    began.elapsed().as_secs_f64() * 1_000.0
}
