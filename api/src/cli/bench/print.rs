//! What was seen, for people.

use super::auction::Auctions;
use super::intake::Intake;
use super::start::Start;
use super::{Beside, Seen};

impl Seen {
    pub(super) fn print(&self) {
        println!("leadyard {} on {}", self.version, self.machine.line());
        if let Some(beside) = &self.beside {
            beside.print();
        }
        if let Some(auction) = &self.auction {
            auction.print();
        }
        if let Some(hostile) = &self.hostile {
            hostile.print();
        }
        if let Some(documents) = &self.documents {
            documents.print();
        }
        if let Some(nested) = &self.nested {
            nested.print();
        }
        let books = if self.books_ok { "every proof holds" } else { "A PROOF FAILED" };
        println!("\nThe books: sum of all balances {}, {books}.", self.ledger_sum);
    }
}

impl Beside {
    fn print(&self) {
        println!(
            "{} contracts · {} leads a side and round · {} rounds · {} clients\n",
            self.contracts, self.size.leads, self.size.rounds, self.size.clients
        );
        if let Some(intake) = &self.intake {
            intake.print();
        }
        if let Some(start) = &self.start {
            start.print();
        }
    }
}

impl Intake {
    fn print(&self) {
        let settings = self.database.iter().map(|(name, value)| format!("{name} {value}"));
        println!("{}", settings.collect::<Vec<_>>().join(" · "));
        let ours = &self.ours;
        println!("{:<44}{:>30} leads/s", ours.side.name, ours.side.per_second.to_string());
        for goal in &self.goals {
            println!("{:<44}{:>30} leads/s", goal.against.name, goal.against.per_second.to_string());
        }
        println!(
            "\nanswered in {} ms (p50), {} ms (p99); {} leads a transaction, {} statements a lead, decisions of {} bytes",
            ours.p50_ms, ours.p99_ms, ours.leads_per_transaction, ours.statements_per_lead, self.decision_bytes
        );
        for goal in &self.goals {
            let (must, reach) = (goal.target.must, goal.target.reach);
            println!("{:<12}{}: ratio {}; must {must}, wanted {reach}", goal.id, goal.verdict, goal.ratio);
        }
        println!("Held back by {}.", self.held_back_by);
    }
}

impl Start {
    fn print(&self) {
        println!(
            "\n{:<12}{}: first lead after {} ms; must {}, wanted {} (by hand {} ms, ratio {})",
            self.id,
            self.verdict,
            self.first_lead_ms,
            self.target_ms.must,
            self.target_ms.reach,
            self.by_hand_ms,
            self.ratio
        );
        if let (Some(memory), Some(verdict)) = (self.memory_mb, self.memory_verdict) {
            let (must, reach) = (self.target_mb.must, self.target_mb.reach);
            println!("{:<12}{verdict}: {memory} MB then; must {must}, wanted {reach}", "");
        }
        println!("Held back by: {}.", self.held_back_by);
    }
}

impl Auctions {
    fn print(&self) {
        let rates = [
            ("after the last bid", &self.after_last_bid_ms, self.after_last_bid_target, self.after_last_bid_verdict),
            ("beyond the deadline", &self.overshoot_ms, self.overshoot_target, self.overshoot_verdict),
        ];
        println!("\n{}", self.describe());
        for (what, times, target, verdict) in rates {
            println!("{:<12}{verdict}: {what} {times}; must {}, wanted {} (p99)", self.id, target.must, target.reach);
        }
        println!("{:<12}{} auctions a second began", "", self.began_per_second);
        println!("{:<12}from a lead's due time to its answer: {}", "", self.whole_lead_ms);
        let bids = &self.bids;
        println!(
            "{:<12}{} of {} bids in time counted, {} at the deadline's edge apart; the highest won all of {} auctions",
            "", bids.counted, bids.sent_in_time, bids.at_the_edge, bids.auctions
        );
        if let Some(cpu) = &self.cpu_us {
            println!("{:<12}{cpu} µs of processor an auction, the bidders' part included", "");
        }
    }
}
