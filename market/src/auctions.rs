//! Auctions seen from inside, for whoever measures them: when buyers were asked, what came of each, when the winner was
//! known. Nothing is kept unless somebody watches.

use std::sync::OnceLock;
use std::time::Duration;

use leadyard_entity::model::ping;
use leadyard_types::{ContractId, PingId};
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::market::Market;

/// One stage's buyers were asked about a lead, and it was routed by what they answered.
#[derive(Debug, Clone)]
pub struct AuctionSeen {
    /// When they were asked.
    pub began: Instant,
    /// How long they had.
    pub deadline: Duration,
    /// When the winner was known.
    pub ended: Instant,
    /// What came of each.
    pub answers: Vec<AnswerSeen>,
    /// Who buys, the first of them where several do.
    pub winner: Option<ContractId>,
}

/// What came of one buyer.
#[derive(Debug, Clone)]
pub struct AnswerSeen {
    /// The ping.
    pub ping_id: PingId,
    /// The contract.
    pub contract_id: ContractId,
    /// In the published word ([`leadyard_types::PingVerdict`]).
    pub verdict: String,
    /// The bid, minor units.
    pub price_minor: Option<i64>,
}

/// Who is told of auctions.
#[derive(Debug, Default)]
pub(crate) struct AuctionWatch(OnceLock<mpsc::UnboundedSender<AuctionSeen>>);

impl Market {
    /// Tells of every auction from now on. The first who asks is told; nobody else is.
    pub fn watch_auctions(&self) -> mpsc::UnboundedReceiver<AuctionSeen> {
        let (told, seen) = mpsc::unbounded_channel();
        let _ = self.auctions.0.set(told);
        seen
    }
}

impl AuctionWatch {
    /// An auction ended just now.
    pub(crate) fn ended(
        &self,
        began: Instant,
        deadline: Duration,
        pings: &[ping::Model],
        winner: impl FnOnce() -> Option<ContractId>,
    ) {
        let Some(told) = self.0.get() else { return };
        let ended = Instant::now();
        let answers = pings.iter().map(|row| AnswerSeen {
            ping_id: PingId(row.id),
            contract_id: ContractId(row.contract_id),
            verdict: row.verdict.clone(),
            price_minor: row.price_minor,
        });
        // Whoever watched may have left.
        let _ = told.send(AuctionSeen { began, deadline, ended, answers: answers.collect(), winner: winner() });
    }
}
