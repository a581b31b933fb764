//! An honest client beside eight attackers: how much longer its slowest questions take.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Context;
use indicatif::ProgressBar;
use serde::Serialize;
use tokio::time::{Instant, sleep};

use crate::config::Config;

use super::super::child::ServingChild;
use super::super::figures::{Spread, Target, float, percentile, rounded, thousandths};
use super::super::readers::Readers;
use super::super::wire::Wire;
use super::samples::sorts;
use super::{ATTACKERS, DocumentSize, WARM_UP, address, ask, micros};

/// How long the honest client reads an answer before it asks the next.
const READS: Duration = Duration::from_millis(5);
/// How long attackers are at it before the honest client comes.
const BEFORE: Duration = Duration::from_millis(500);

/// Who attacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Attackers {
    /// Nobody we know, each from an address of its own.
    Strangers,
    /// Users of eight buyers.
    Members,
}

impl Attackers {
    const ALL: [Self; 2] = [Self::Strangers, Self::Members];

    const fn name(self) -> &'static str {
        match self {
            Self::Strangers => "strangers, each from an address of its own",
            Self::Members => "signed-in buyers",
        }
    }
}

pub(super) fn steps(size: DocumentSize) -> u64 {
    Attackers::ALL.len() as u64 * size.rounds
}

/// What an honest client met beside attackers.
#[derive(Debug, Serialize)]
pub(super) struct Beside {
    attackers: &'static str,
    /// Times of each round, milliseconds.
    idle_p50_ms: Spread,
    idle_p99_ms: Spread,
    attacked_p50_ms: Spread,
    attacked_p99_ms: Spread,
    /// Of each round p99 beside attackers to p99 alone.
    ratio: Spread,
    target: Target,
    verdict: &'static str,
    /// Documents the attackers had answered in a second.
    attacks_per_second: Spread,
}

/// Attackers at work on a thread of their own, until dropped.
struct Attack {
    stop: Arc<AtomicBool>,
    answered: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
}

impl Attack {
    fn start(address: SocketAddr, who: Attackers, readers: &Readers) -> anyhow::Result<Self> {
        let (stop, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let bodies: Arc<Vec<Vec<u8>>> = Arc::new(sorts().into_iter().flat_map(|sort| sort.bodies).collect());
        let wires = (0..ATTACKERS).map(|number| match who {
            Attackers::Strangers => Wire::to(address, None, Some(&format!("203.0.113.{number}"))),
            Attackers::Members => Wire::to(address, readers.buyers.get(number).map(String::as_str), None),
        });
        let attackers: Vec<_> = wires
            .enumerate()
            .map(|(number, wire)| {
                let first = number * bodies.len() / ATTACKERS;
                attacker(wire, Arc::clone(&bodies), first, Arc::clone(&stop), Arc::clone(&answered))
            })
            .collect();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let thread = std::thread::Builder::new().name("attackers".to_owned()).spawn(move || {
            runtime.block_on(futures_util::future::join_all(attackers));
        })?;
        Ok(Self { stop, answered, thread: Some(thread) })
    }
}

impl Drop for Attack {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// Sends one after the other, whatever comes back.
async fn attacker(
    mut wire: Wire,
    bodies: Arc<Vec<Vec<u8>>>,
    first: usize,
    stop: Arc<AtomicBool>,
    answered: Arc<AtomicU64>,
) {
    for body in bodies.iter().cycle().skip(first) {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        match wire.post(body).await {
            Ok(_) => answered.fetch_add(1, Ordering::Relaxed),
            Err(_) => {
                sleep(READS).await;
                continue;
            }
        };
        tokio::task::yield_now().await;
    }
}

/// Measures alone and beside attackers in turn.
pub(super) async fn measure(
    config: &Config,
    readers: &Readers,
    size: DocumentSize,
    progress: &ProgressBar,
) -> anyhow::Result<Vec<Beside>> {
    let mut seen = Vec::new();
    for who in Attackers::ALL {
        let (mut idle, mut attacked, mut rates) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..size.rounds {
            // Buckets are full in a new process.
            let server = ServingChild::start(config, "serve-limited")?;
            let address = address(&server.url)?;
            honest(address, readers, WARM_UP).await?;
            idle.push(honest(address, readers, size.asked).await?);
            let (attack, began) = (Attack::start(address, who, readers)?, Instant::now());
            sleep(BEFORE).await;
            attacked.push(honest(address, readers, size.asked).await?);
            rates.push(rounded(float(attack.answered.load(Ordering::Relaxed)) / began.elapsed().as_secs_f64()));
            drop(attack);
            server.stop()?;
            progress.inc(1);
        }
        seen.push(beside(who, &idle, &attacked, rates)?);
    }
    Ok(seen)
}

/// How long questions took, one after the other; microseconds, sorted.
async fn honest(address: SocketAddr, readers: &Readers, count: u64) -> anyhow::Result<Vec<u64>> {
    let mut wire = Wire::to(address, Some(&readers.analyst), None);
    let mut took = Vec::new();
    for _ in 0..count {
        let began = Instant::now();
        ask(&mut wire).await?;
        took.push(micros(began.elapsed()));
        sleep(READS).await;
    }
    took.sort_unstable();
    Ok(took)
}

fn beside(who: Attackers, idle: &[Vec<u64>], attacked: &[Vec<u64>], rates: Vec<f64>) -> anyhow::Result<Beside> {
    let spread = |values: Vec<f64>| Spread::of(values).context("nothing was measured");
    let at = |rounds: &[Vec<u64>], percent| -> Vec<f64> {
        rounds.iter().map(|round| thousandths(percentile(round, percent))).collect()
    };
    let (alone, beside) = (at(idle, 99), at(attacked, 99));
    let ratio = spread(beside.iter().zip(&alone).map(|(beside, alone)| beside / alone).collect())?;
    let target = Target { must: 2.0, reach: 2.0, at_most: true };
    Ok(Beside {
        attackers: who.name(),
        idle_p50_ms: spread(at(idle, 50))?,
        idle_p99_ms: spread(alone)?,
        attacked_p50_ms: spread(at(attacked, 50))?,
        attacked_p99_ms: spread(beside)?,
        ratio,
        target,
        verdict: target.verdict(ratio.median),
        attacks_per_second: spread(rates)?,
    })
}

impl Beside {
    pub(super) fn print(&self) {
        println!(
            "\nAn honest client beside {ATTACKERS} {} ({} documents a second):",
            self.attackers, self.attacks_per_second
        );
        println!("{:<12}alone p50 {}, p99 {} ms", "", self.idle_p50_ms, self.idle_p99_ms);
        println!("{:<12}attacked p50 {}, p99 {} ms", "", self.attacked_p50_ms, self.attacked_p99_ms);
        println!("{:<12}{}: p99 ratio {}; must {}", "", self.verdict, self.ratio, self.target.must);
    }
}
