//! Hostile bidders, each sort beside five good ones: what they cost the auction, and whether every good bid counts.

use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::ensure;
use indicatif::ProgressBar;
use leadyard_connectors::OutboundPolicy;
use leadyard_connectors::fake::{Bidding, FakeBidder, Offer};
use serde::Serialize;
use tokio::sync::oneshot;

use crate::config::Config;

use super::bidders::Bidders;
use super::hall::Hall;
use super::judge::Judged;
use super::{AuctionSize, WARM_UP};
use crate::cli::bench::figures::Three;

/// Who bids beside the hostile one.
const GOOD: u64 = 5;
/// Where the hostile one is asked.
const PATH: &str = "/hostile";

/// So many sorts there are.
pub(in super::super) const SORTS: u64 = 10;

/// Hostile bidders, measured.
#[derive(Debug, Serialize)]
pub(in super::super) struct Hostile {
    good: u64,
    /// `auctions` of each sort, in one round.
    size: AuctionSize,
    pub(in super::super) sorts: Vec<Sort>,
}

/// One sort of hostile bidder.
#[derive(Debug, Serialize)]
pub(in super::super) struct Sort {
    pub(in super::super) name: &'static str,
    /// From the question to the winner.
    pub(in super::super) took_ms: Three,
    /// Beyond the deadline, of the auctions that waited for it; absent where none did.
    pub(in super::super) overshoot_ms: Option<Three>,
    pub(in super::super) bids: Judged,
}

/// What hostile bidders do.
fn sorts(deadline_ms: u32, elsewhere: String) -> [(&'static str, Bidding); 10] {
    let late = Duration::from_millis(u64::from(deadline_ms) + 10);
    [
        ("never answers", Bidding::Silent),
        ("one byte a second", Bidding::Drip),
        ("bids after the deadline", Bidding::Slow { after: late, then: Box::new(Bidding::Bid(Offer::of("900"))) }),
        ("endless body", Bidding::Endless),
        ("gzip bomb", Bidding::GzipBomb),
        ("redirects", Bidding::Redirect { to: elsewhere }),
        ("JSON 10,000 deep", Bidding::Deep),
        ("names its price twice", Bidding::TwoPrices),
        ("bids NaN", Bidding::NotANumber),
        ("hangs up", Bidding::Close),
    ]
}

/// A hostile bidder with a runtime and a thread of its own. It leaves when this is dropped.
struct Stranger {
    fake: FakeBidder,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Stranger {
    fn start() -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (stop, stopped) = oneshot::channel::<()>();
        let (tell, told) = std::sync::mpsc::channel();
        let thread = std::thread::Builder::new().name("stranger".to_owned()).spawn(move || {
            runtime.block_on(async {
                let _ = tell.send(FakeBidder::start().await);
                // Ends when it is told to, or when nobody can tell it any more.
                let _ = stopped.await;
            });
        })?;
        Ok(Self { fake: told.recv()??, stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        drop(self.stop.take());
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// Measures, one sort after the other.
pub(in super::super) async fn measure(
    config: &Config,
    size: AuctionSize,
    progress: &ProgressBar,
) -> anyhow::Result<Hostile> {
    let (good, stranger) = (Bidders::start(GOOD, 0)?, Stranger::start()?);
    let allowed = good.addresses.iter().copied().chain([stranger.fake.address()]);
    let policy = allowed.fold(OutboundPolicy::new(false), OutboundPolicy::allowing);
    let mut urls: Vec<String> = good.addresses.iter().map(|address| format!("http://{address}/")).collect();
    urls.push(stranger.fake.url(PATH));
    let mut hall = Hall::open(config, &urls, policy, size.deadline_ms).await?;
    let sorts = beside(&mut hall, &good, &stranger.fake, size, progress).await;
    hall.close().await;
    Ok(Hostile { good: GOOD, size, sorts: sorts? })
}

async fn beside(
    hall: &mut Hall,
    good: &Bidders,
    stranger: &FakeBidder,
    size: AuctionSize,
    progress: &ProgressBar,
) -> anyhow::Result<Vec<Sort>> {
    // Warms up.
    let (_, seen) = hall.run(size.auctions.min(WARM_UP), size.every()).await?;
    Judged::of(&seen, good);
    let mut measured = Vec::new();
    for (name, bidding) in sorts(size.deadline_ms, stranger.url("/elsewhere")) {
        stranger.program(PATH, bidding);
        let before = stranger.count();
        let (_, seen) = hall.run(size.auctions, size.every()).await?;
        let bids = Judged::of(&seen, good);
        bids.prove()?;
        ensure!(stranger.count() - before <= size.auctions, "{name}: it was asked twice, or a redirect was followed");
        let took_ms = Three::of(&bids.took_us).unwrap_or(Three { p50: 0.0, p99: 0.0, max: 0.0 });
        measured.push(Sort { name, took_ms, overshoot_ms: Three::of(&bids.overshoot_us), bids });
        progress.inc(1);
    }
    Ok(measured)
}

impl Hostile {
    pub(in super::super) fn print(&self) {
        println!(
            "\n{} good bidders and a hostile one, deadline {} ms, {} auctions of each sort, {} a second:",
            self.good, self.size.deadline_ms, self.size.auctions, self.size.per_second
        );
        println!("{:<26}{:>26}{:>26}{:>20}", "", "took ms p50/p99/max", "beyond the deadline", "good bids counted");
        for sort in &self.sorts {
            let over = sort.overshoot_ms.map_or_else(|| "–".to_owned(), |over| over.to_string());
            let counted = format!("{} of {}", sort.bids.counted, sort.bids.sent_in_time);
            println!("{:<26}{:>26}{over:>26}{counted:>20}", sort.name, sort.took_ms.to_string());
        }
    }
}
