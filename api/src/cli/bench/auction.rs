//! P8: live auctions as the market runs them, from the question to the winner, against the bidders' own stamps. And what
//! hostile bidders cost beside good ones.

mod bidders;
mod hall;
pub(super) mod hostile;
mod judge;

use std::process::id;
use std::time::Duration;

use anyhow::Context;
use indicatif::ProgressBar;
use leadyard_connectors::OutboundPolicy;
use leadyard_market::auctions::AuctionSeen;
use serde::Serialize;

use crate::config::Config;

use super::figures::{Spread, Target, float, percentile, rounded, thousandths};
use super::machine::cpu_time;
use bidders::Bidders;
use hall::Hall;
use judge::Judged;

/// Who bids in every auction.
const BIDDERS: u64 = 10;
/// Of a hundred asks so many are never answered.
const SILENT_PERCENT: u64 = 6;
/// Auctions that only warm up: connections, plans, the telephone library.
const WARM_UP: u64 = 200;

/// How much is measured.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct AuctionSize {
    pub(super) rounds: u64,
    /// Auctions a round.
    pub(super) auctions: u64,
    /// Auctions that begin in a second, whatever became of those before.
    pub(super) per_second: u64,
    /// How long bidders have, milliseconds.
    pub(super) deadline_ms: u32,
}

impl AuctionSize {
    fn every(&self) -> Duration {
        Duration::from_secs(1) / u32::try_from(self.per_second).unwrap_or(u32::MAX)
    }
}

/// Auctions, measured. Times are of each round, in milliseconds.
#[derive(Debug, Serialize)]
pub(super) struct Auctions {
    pub(super) id: &'static str,
    size: AuctionSize,
    bidders: u64,
    silent_percent: u64,
    /// From the last bidder's stamp to the winner, where everybody answered.
    pub(super) after_last_bid_ms: Percentiles,
    pub(super) after_last_bid_target: Target,
    pub(super) after_last_bid_verdict: &'static str,
    /// From the deadline to the winner, where somebody was silent.
    pub(super) overshoot_ms: Percentiles,
    pub(super) overshoot_target: Target,
    pub(super) overshoot_verdict: &'static str,
    /// Auctions that truly began in a second: less than wanted, and leads had to wait for their turn.
    pub(super) began_per_second: Spread,
    /// From the moment a lead was due to its answer: intake, auction, placement, commit.
    pub(super) whole_lead_ms: Percentiles,
    /// Processor time of an auction, microseconds: the market, the client and the bidders together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cpu_us: Option<Spread>,
    /// What the bids came to, over all rounds.
    pub(super) bids: Judged,
}

/// Of each round the middle, the value below which 99 of 100 lie, and the greatest.
#[derive(Debug, Serialize)]
pub(super) struct Percentiles {
    pub(super) p50: Spread,
    pub(super) p99: Spread,
    pub(super) max: Spread,
}

impl Percentiles {
    /// Of microseconds, a list a round.
    fn of(rounds: &[Vec<u64>]) -> anyhow::Result<Self> {
        let sorted: Vec<Vec<u64>> = rounds
            .iter()
            .map(|round| {
                let mut round = round.clone();
                round.sort_unstable();
                round
            })
            .filter(|round| !round.is_empty())
            .collect();
        let at = |percent| {
            let values = sorted.iter().map(|round| rounded(thousandths(percentile(round, percent))));
            Spread::of(values).context("too few auctions to measure")
        };
        Ok(Self { p50: at(50)?, p99: at(99)?, max: at(100)? })
    }
}

impl std::fmt::Display for Percentiles {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "p50 {}, p99 {}, max {} ms", self.p50, self.p99, self.max)
    }
}

/// Measures.
pub(super) async fn measure(config: &Config, size: AuctionSize, progress: &ProgressBar) -> anyhow::Result<Auctions> {
    let bidders = Bidders::start(BIDDERS, SILENT_PERCENT)?;
    let policy = bidders.addresses.iter().fold(OutboundPolicy::new(false), |policy, at| policy.allowing(*at));
    let urls: Vec<String> = bidders.addresses.iter().map(|address| format!("http://{address}/")).collect();
    let mut hall = Hall::open(config, &urls, policy, size.deadline_ms).await?;
    let measured = rounds(&mut hall, &bidders, size, progress).await;
    hall.close().await;
    measured
}

async fn rounds(
    hall: &mut Hall,
    bidders: &Bidders,
    size: AuctionSize,
    progress: &ProgressBar,
) -> anyhow::Result<Auctions> {
    let (_, seen) = hall.run(WARM_UP.min(size.auctions), size.every()).await?;
    Judged::of(&seen, bidders);
    let (mut after_last, mut overshoot, mut whole, mut cpu, mut rate) = (vec![], vec![], vec![], vec![], vec![]);
    let mut bids = Judged::default();
    for _ in 0..size.rounds {
        let before = cpu_time(id().into());
        let (took, seen) = hall.run(size.auctions, size.every()).await?;
        let used = cpu_time(id().into()).zip(before).map(|(after, before)| after.saturating_sub(before));
        cpu.extend(used.map(|used| rounded(used.as_secs_f64() * 1e6 / float(size.auctions))));
        rate.extend(began_per_second(&seen));
        let judged = Judged::of(&seen, bidders);
        judged.prove()?;
        after_last.push(judged.after_last_us.clone());
        overshoot.push(judged.overshoot_us.clone());
        whole.push(took.into_iter().map(micros).collect());
        bids.add(judged);
        progress.inc(1);
    }
    let after_last_bid_ms = Percentiles::of(&after_last)?;
    let overshoot_ms = Percentiles::of(&overshoot)?;
    let after_last_bid_target = Target { must: 1.0, reach: 0.5, at_most: true };
    let overshoot_target = Target { must: 2.5, reach: 0.5, at_most: true };
    Ok(Auctions {
        id: "P8",
        size,
        bidders: BIDDERS,
        silent_percent: SILENT_PERCENT,
        after_last_bid_verdict: after_last_bid_target.verdict(after_last_bid_ms.p99.median),
        overshoot_verdict: overshoot_target.verdict(overshoot_ms.p99.median),
        after_last_bid_ms,
        after_last_bid_target,
        overshoot_ms,
        overshoot_target,
        began_per_second: Spread::of(rate).context("too few auctions to measure")?,
        whole_lead_ms: Percentiles::of(&whole)?,
        cpu_us: Spread::of(cpu),
        bids,
    })
}

impl Auctions {
    /// What was measured.
    pub(super) fn describe(&self) -> String {
        format!(
            "auctions of {} bidders that take 5 to 50 ms, deadline {} ms, {} % of asks never answered: {} a second, {} rounds of {}",
            self.bidders,
            self.size.deadline_ms,
            self.silent_percent,
            self.size.per_second,
            self.size.rounds,
            self.size.auctions
        )
    }
}

/// At which rate auctions began; `None` of fewer than two moments.
fn began_per_second(seen: &[AuctionSeen]) -> Option<f64> {
    let first = seen.iter().map(|auction| auction.began).min()?;
    let last = seen.iter().map(|auction| auction.began).max()?;
    let took = (last - first).as_secs_f64();
    (took > 0.0).then(|| rounded(float(seen.len() as u64 - 1) / took))
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
