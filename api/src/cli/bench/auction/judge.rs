//! Whether auctions came out right, by the bidders' own stamps, and how long they took. A figure whose answers are wrong
//! does not count.

use std::time::Duration;

use anyhow::ensure;
use leadyard_market::auctions::{AnswerSeen, AuctionSeen};
use leadyard_types::PingVerdict;
use serde::Serialize;

use super::bidders::{Bidders, Sent};
use super::micros;

/// A bid that was sent so shortly before or after the deadline may count or not: the runtime's clock ticks in milliseconds.
const EDGE: Duration = Duration::from_millis(2);

/// What auctions came to.
#[derive(Debug, Clone, Default, Serialize)]
pub(in super::super) struct Judged {
    pub(in super::super) auctions: u64,
    /// Bids that were sent before the deadline, those at its edge left out.
    pub(in super::super) sent_in_time: u64,
    /// Of these, the bids that counted, at the price that was sent.
    pub(in super::super) counted: u64,
    /// Bids that were sent within two milliseconds around the deadline.
    pub(in super::super) at_the_edge: u64,
    /// Bids that were sent after it and counted all the same.
    pub(in super::super) late_but_counted: u64,
    /// Auctions that the highest bid did not win.
    pub(in super::super) wrong_winners: u64,
    /// Asks that no bid came of.
    pub(in super::super) without_bid: u64,
    #[serde(skip)]
    pub(super) after_last_us: Vec<u64>,
    #[serde(skip)]
    pub(super) overshoot_us: Vec<u64>,
    /// From the question to the winner.
    #[serde(skip)]
    pub(super) took_us: Vec<u64>,
}

/// What became of one ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ask {
    Counted,
    Lost,
    AtTheEdge,
    LateButCounted,
    WithoutBid,
}

impl Judged {
    /// Judges auctions.
    pub(super) fn of(seen: &[AuctionSeen], bidders: &Bidders) -> Self {
        let mut judged = Self::default();
        for auction in seen {
            let sent: Vec<Option<Sent>> = auction.answers.iter().map(|answer| bidders.take(answer.ping_id)).collect();
            judged.judge(auction, &sent);
        }
        judged
    }

    /// `sent` is what each bidder sent, in the order of the auction's answers.
    fn judge(&mut self, auction: &AuctionSeen, sent: &[Option<Sent>]) {
        let deadline = auction.began + auction.deadline;
        self.auctions += 1;
        for (answer, sent) in auction.answers.iter().zip(sent) {
            let (in_time, counted, edge, late, without) = match ask(answer, *sent, deadline) {
                Ask::Counted => (1, 1, 0, 0, 0),
                Ask::Lost => (1, 0, 0, 0, 0),
                Ask::AtTheEdge => (0, 0, 1, 0, 0),
                Ask::LateButCounted => (0, 0, 0, 1, 0),
                Ask::WithoutBid => (0, 0, 0, 0, 1),
            };
            self.sent_in_time += in_time;
            self.counted += counted;
            self.at_the_edge += edge;
            self.late_but_counted += late;
            self.without_bid += without;
        }
        // All that was sent in time counts, so the highest that counts is the highest that was sent in time.
        let best = auction.answers.iter().filter(|answer| answer.price_minor.is_some());
        let best = best.max_by_key(|answer| answer.price_minor).map(|answer| answer.contract_id);
        self.wrong_winners += u64::from(best != auction.winner);
        self.took_us.push(micros(auction.ended - auction.began));
        let last = sent.iter().flatten().map(|sent| sent.at).max();
        match last.filter(|_| auction.answers.iter().all(|answer| answer.price_minor.is_some())) {
            Some(last) => self.after_last_us.push(micros(auction.ended.saturating_duration_since(last))),
            None if auction.answers.iter().any(|answer| answer.verdict == PingVerdict::Late.as_str()) => {
                self.overshoot_us.push(micros(auction.ended.saturating_duration_since(deadline)));
            }
            None => {}
        }
    }

    /// Every bid that was sent in time counts, no other does, and the highest wins.
    pub(super) fn prove(&self) -> anyhow::Result<()> {
        let (sent, counted) = (self.sent_in_time, self.counted);
        ensure!(
            sent == counted,
            "of {sent} bids that were sent in time {counted} counted: no figure counts (is the machine busy with other things?)"
        );
        ensure!(self.late_but_counted == 0, "{} late bids counted: no figure counts", self.late_but_counted);
        ensure!(self.wrong_winners == 0, "{} auctions were not won by the highest bid", self.wrong_winners);
        Ok(())
    }

    /// Takes in others.
    pub(super) fn add(&mut self, other: Self) {
        self.auctions += other.auctions;
        self.sent_in_time += other.sent_in_time;
        self.counted += other.counted;
        self.at_the_edge += other.at_the_edge;
        self.late_but_counted += other.late_but_counted;
        self.wrong_winners += other.wrong_winners;
        self.without_bid += other.without_bid;
        self.after_last_us.extend(other.after_last_us);
        self.overshoot_us.extend(other.overshoot_us);
        self.took_us.extend(other.took_us);
    }
}

fn ask(answer: &AnswerSeen, sent: Option<Sent>, deadline: tokio::time::Instant) -> Ask {
    let Some(sent) = sent else {
        return if answer.price_minor.is_some() { Ask::LateButCounted } else { Ask::WithoutBid };
    };
    let counted = answer.price_minor == Some(sent.price_minor);
    let distance = sent.at.saturating_duration_since(deadline).max(deadline.saturating_duration_since(sent.at));
    match (sent.at <= deadline, counted) {
        _ if distance <= EDGE => Ask::AtTheEdge,
        (true, true) => Ask::Counted,
        (true, false) => Ask::Lost,
        (false, true) => Ask::LateButCounted,
        (false, false) => Ask::WithoutBid,
    }
}

#[cfg(test)]
mod tests {
    use leadyard_types::{ContractId, PingId};
    use tokio::time::Instant;
    use uuid::Uuid;

    use super::*;

    const DEADLINE: Duration = Duration::from_millis(100);

    /// An auction of bids: when each was sent, at which price, and whether it counted.
    fn auction(bids: &[Option<(u64, i64, bool)>], winner: usize, took_ms: u64) -> Judged {
        let began = Instant::now();
        let ms = Duration::from_millis;
        let answers = bids.iter().zip(1..).map(|(bid, number)| {
            let counted = bid.filter(|(_, _, counted)| *counted);
            AnswerSeen {
                ping_id: PingId(Uuid::from_u128(number)),
                contract_id: ContractId(Uuid::from_u128(number)),
                verdict: if counted.is_some() { "BID" } else { "LATE" }.to_owned(),
                price_minor: counted.map(|(_, price, _)| price),
            }
        });
        let answers: Vec<_> = answers.collect();
        let winner = answers.get(winner).map(|answer| answer.contract_id);
        let sent: Vec<_> =
            bids.iter().map(|bid| bid.map(|(at, price_minor, _)| Sent { at: began + ms(at), price_minor })).collect();
        let mut judged = Judged::default();
        judged.judge(&AuctionSeen { began, deadline: DEADLINE, ended: began + ms(took_ms), answers, winner }, &sent);
        judged
    }

    /// Where everybody answered, what counts is the time after the last bid; else the time after the deadline.
    #[test]
    fn times_are_told_from_the_right_moment() {
        let all = auction(&[Some((10, 100, true)), Some((30, 200, true))], 1, 31);
        assert_eq!((all.after_last_us.as_slice(), all.overshoot_us.as_slice()), ([1_000].as_slice(), [].as_slice()));
        let some = auction(&[Some((10, 100, true)), None], 0, 102);
        assert_eq!((some.after_last_us.as_slice(), some.overshoot_us.as_slice()), ([].as_slice(), [2_000].as_slice()));
        assert!(all.prove().is_ok() && some.prove().is_ok());
    }

    /// A bid in time that does not count, a late one that does, and a winner that is not the highest: each is found. Only at
    /// the deadline's edge either is right.
    #[test]
    fn wrong_answers_are_found() {
        assert!(auction(&[Some((10, 100, true)), Some((90, 200, false))], 0, 102).prove().is_err());
        assert!(auction(&[Some((10, 100, true)), Some((110, 200, true))], 1, 112).prove().is_err());
        assert!(auction(&[Some((10, 100, true)), Some((30, 200, true))], 0, 31).prove().is_err());
        for counted in [true, false] {
            let edge = auction(&[Some((10, 100, true)), Some((99, 200, counted))], usize::from(counted), 101);
            assert!(edge.prove().is_ok());
            assert_eq!((edge.at_the_edge, edge.sent_in_time), (1, 1));
        }
    }
}
