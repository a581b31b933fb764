//! How a contract stands: what came of the last leads for it, and what stands in its way most.

use std::collections::BTreeMap;

use leadyard_types::{CapPeriod, Check, Status, Timestamp};

/// What became of a lead for a contract whose terms of today want it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The contract bought it.
    Sold,
    /// Others were chosen; by how much a higher bid would have won, minor units, where that was an auction.
    Lost(Option<i64>),
    /// A check refused the contract, with this sentence.
    Refused(Check, String),
    /// The contract was not there yet, or its terms of then did not want the lead.
    OtherTerms,
    /// It cannot be told: other rules decided, or the person was erased.
    Unknown,
}

/// A check that refused, how often, and in which words most often.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The check.
    pub check: Check,
    /// The sentence it said most often.
    pub message: String,
    /// How many leads.
    pub leads: u32,
}

/// What came of the last leads. `leads = matched + missed`, and every matched lead has one outcome.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// Leads looked at.
    pub leads: u32,
    /// Those that the contract's terms of today want.
    pub matched: u32,
    /// Bought.
    pub sold: u32,
    /// Gone to others.
    pub lost: u32,
    /// Looked at under other terms.
    pub other_terms: u32,
    /// Of which it cannot be told.
    pub unknown: u32,
    misses: BTreeMap<String, u32>,
    refused: BTreeMap<Check, BTreeMap<String, u32>>,
    gaps_minor: Vec<i64>,
}

impl Tally {
    /// A lead that the terms of today do not want, and the condition that says so.
    pub fn miss(&mut self, condition: &str) {
        self.leads += 1;
        *self.misses.entry(condition.to_owned()).or_default() += 1;
    }

    /// A lead that the terms of today want.
    pub fn matched(&mut self, outcome: Outcome) {
        self.leads += 1;
        self.matched += 1;
        match outcome {
            Outcome::Sold => self.sold += 1,
            Outcome::Lost(gap) => {
                self.lost += 1;
                self.gaps_minor.extend(gap);
            }
            Outcome::Refused(check, message) => {
                *self.refused.entry(check).or_default().entry(message).or_default() += 1;
            }
            Outcome::OtherTerms => self.other_terms += 1,
            Outcome::Unknown => self.unknown += 1,
        }
    }

    /// The conditions that leads missed, the most frequent first.
    #[must_use]
    pub fn misses(&self) -> Vec<(String, u32)> {
        let mut misses: Vec<_> = self.misses.iter().map(|(condition, leads)| (condition.clone(), *leads)).collect();
        misses.sort_by_key(|(_, leads)| std::cmp::Reverse(*leads));
        misses
    }

    /// The checks that refused, the most frequent first.
    #[must_use]
    pub fn refused(&self) -> Vec<Refused> {
        let one = |(check, messages): (&Check, &BTreeMap<String, u32>)| {
            let (message, _) = messages.iter().max_by_key(|(_, leads)| **leads)?;
            Some(Refused { check: *check, message: message.clone(), leads: messages.values().sum() })
        };
        let mut refused: Vec<Refused> = self.refused.iter().filter_map(one).collect();
        refused.sort_by_key(|found| std::cmp::Reverse(found.leads));
        refused
    }

    /// How many auctions were lost with a price that would have won.
    #[must_use]
    pub fn auctions_lost(&self) -> u32 {
        u32::try_from(self.gaps_minor.len()).unwrap_or(u32::MAX)
    }

    /// By how much auctions were lost, at the median (of two middle ones the lesser), minor units.
    #[must_use]
    pub fn lost_by_minor(&self) -> Option<i64> {
        let mut gaps = self.gaps_minor.clone();
        gaps.sort_unstable();
        gaps.get(gaps.len().checked_sub(1)? / 2).copied()
    }
}

/// How much of a cap is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CapSeen {
    /// Whose: `contract`, `buyer` or `campaign`.
    pub owner: &'static str,
    /// The period.
    pub period: CapPeriod,
    /// When the next period begins; absent for a cap without end.
    pub resets_at: Option<Timestamp>,
    /// What stands in the way, where it is full: `50 of 50`.
    pub full: Option<String>,
}

/// How a contract stands now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Now {
    /// Of campaign, contract and buyer.
    pub campaign: Status,
    /// Of the contract.
    pub contract: Status,
    /// Of the buyer.
    pub buyer: Status,
    /// The stage it names, where the campaign has no such stage.
    pub missing_stage: Option<String>,
    /// When it buys next: now or later; absent = never.
    pub opens_at: Option<Timestamp>,
    /// Its caps.
    pub caps: Vec<CapSeen>,
    /// Its buyer's available money and its price, as shown, where the money does not cover the price.
    pub short: Option<(String, String)>,
    /// Destinations that are set aside: name and notice.
    pub parked: Vec<(String, Option<String>)>,
}

/// What stands in the way most, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Obstacle {
    /// For programs: `CAMPAIGN`, `STAGE`, `NO_LEADS`, `DELIVERY`, `NONE`, or the check that refuses.
    pub code: String,
    /// For people.
    pub message: String,
}

fn obstacle(code: &str, message: String) -> Option<Obstacle> {
    Some(Obstacle { code: code.to_owned(), message })
}

/// What stands in a contract's way most: first what stops every lead now, then what stopped most of the last.
#[must_use]
pub fn verdict(now: &Now, tally: &Tally) -> Obstacle {
    let found = switched_off(now).or_else(|| used_up(now)).or_else(|| from_leads(tally));
    found.unwrap_or_else(|| {
        let message = format!("It gets leads: {} of the last {}.", tally.sold, tally.leads);
        Obstacle { code: "NONE".to_owned(), message }
    })
}

fn switched_off(now: &Now) -> Option<Obstacle> {
    let word = |status: Status| status.as_str().to_lowercase();
    if now.campaign != Status::Active {
        return obstacle("CAMPAIGN", format!("The campaign is {}: it takes no leads. Resume it.", word(now.campaign)));
    }
    if now.contract != Status::Active {
        let message = format!("The contract is {}. Set it active for it to buy.", word(now.contract));
        return obstacle(Check::ContractActive.as_str(), message);
    }
    if now.buyer != Status::Active {
        let message = format!("The buyer is {}. Set it active for its contracts to buy.", word(now.buyer));
        return obstacle(Check::BuyerActive.as_str(), message);
    }
    if let Some(stage) = &now.missing_stage {
        let message = format!("The campaign has no stage `{stage}`. Put the contract into one of its stages.");
        return obstacle("STAGE", message);
    }
    if now.opens_at.is_none() {
        let message = "Its hours never open. Give the schedule a window.".to_owned();
        return obstacle(Check::Hours.as_str(), message);
    }
    None
}

fn used_up(now: &Now) -> Option<Obstacle> {
    if let Some(cap) = now.caps.iter().find(|cap| cap.full.is_some()) {
        let full = cap.full.as_deref().unwrap_or_default();
        let until = cap.resets_at.map_or_else(
            || "It never resets.".to_owned(),
            |at| format!("It resets at {}.", at.format("%Y-%m-%d %H:%M UTC")),
        );
        let message = format!(
            "The {}'s cap per {} is used up ({full}). {until} Raise it to buy before.",
            cap.owner,
            cap.period.as_str().to_lowercase()
        );
        return obstacle(Check::Caps.as_str(), message);
    }
    if let Some((available, price)) = &now.short {
        let message = format!(
            "The buyer's available {available} does not cover the price of {price}. Top the wallet up or raise the credit."
        );
        return obstacle(Check::Balance.as_str(), message);
    }
    let (name, notice) = now.parked.first()?;
    let notice = notice.as_deref().map(|notice| format!(": {notice}")).unwrap_or_default();
    let message =
        format!("What it buys is not delivered: destination `{name}` is set aside{notice}. Mend and resume it.");
    obstacle("DELIVERY", message)
}

fn from_leads(tally: &Tally) -> Option<Obstacle> {
    let Tally { leads, matched, sold, lost, .. } = *tally;
    if leads == 0 {
        return obstacle("NO_LEADS", "The campaign has no leads yet. See that its sources send.".to_owned());
    }
    let refused = tally.refused();
    let told = matched - tally.other_terms - tally.unknown;
    if matched == 0 {
        let (condition, missed) = tally.misses().into_iter().next()?;
        let message = format!(
            "None of the last {leads} leads fits its terms; {missed} fail because {condition}. Widen its filter."
        );
        return obstacle(Check::Filters.as_str(), message);
    }
    if told == 0 {
        let message = format!("{matched} of the last {leads} leads fit its terms of today; none has come since.");
        return obstacle("NO_LEADS", message);
    }
    let most = refused.first().filter(|found| found.leads > sold && found.leads >= lost);
    if let Some(Refused { check, message, leads: count }) = most {
        let next = advice(*check);
        let message =
            format!("Of the last {leads} leads {matched} fit; {count} of these fail because {message}. {next}");
        return obstacle(check.as_str(), message);
    }
    if lost > sold {
        let gap = if tally.auctions_lost() > 0 {
            " A higher bid wins more."
        } else {
            " A higher price, priority or weight wins more."
        };
        let message =
            format!("Of the last {leads} leads {matched} fit; {lost} of these went to others, {sold} to it.{gap}");
        return obstacle(Check::NotChosen.as_str(), message);
    }
    None
}

/// What to do about a check that refuses most.
fn advice(check: Check) -> &'static str {
    match check {
        Check::ContractActive | Check::BuyerActive => "It buys now: wait for the next leads.",
        Check::Hours => "Widen its hours.",
        Check::SourceList => "Allow more sources.",
        Check::AlreadySold => "Its sources send people it has already: add sources.",
        Check::ConsentNamesBuyer => "Have the sources name the buyer in the consent.",
        Check::Caps => "Raise its caps.",
        Check::Balance => "Top the wallet up, or raise the credit.",
        Check::Bid => "See why the buyer makes no bid in time.",
        Check::Floor => "Raise the price to the campaign's floor.",
        Check::Stage => "Change its exclusivity or its stage.",
        Check::BuyerRefused => "See why the buyer refuses what it is posted.",
        _ => "See `leadyard explain` for one of these leads.",
    }
}

#[cfg(test)]
#[path = "standing_tests.rs"]
mod tests;
