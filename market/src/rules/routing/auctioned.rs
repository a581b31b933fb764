//! A stage that auctions: fixed prices and bids together.

use leadyard_types::terms::{Exclusivity, Stage};
use leadyard_types::{Check, Pricing, Refusal, SaleMode};

use super::{Candidate, Run, RunnerUp, Winner};
use crate::rules::auction::{Bid, WHOLE_PPM, decided_by, rank, second_price, winning_price};
use crate::rules::best::{Best, Sale, best_sale};
use crate::rules::method::StageState;

impl Run<'_> {
    /// Auctions the lead among a stage's eligible candidates, for so many places.
    pub(super) fn auction(&mut self, stage: &Stage, eligible: &[usize], rotation: &StageState, places: u8) {
        match self.input.sale_mode {
            SaleMode::Best { .. } => self.auction_best(eligible, rotation, places),
            SaleMode::Exclusive | SaleMode::Shared { .. } => self.auction_places(stage, eligible, rotation, places),
        }
    }

    /// The places go to the best bids, one after the other.
    fn auction_places(&mut self, stage: &Stage, eligible: &[usize], rotation: &StageState, mut places: u8) {
        let bids: Vec<Bid> = eligible.iter().map(|position| self.fixed_bid(*position, rotation)).collect();
        let ranking = rank(&bids);
        let first = self.winners.len();
        for (place, index) in ranking.iter().enumerate() {
            let position = eligible[*index];
            self.verdicts[position].rank = Some(u32::try_from(place + 1).unwrap_or(u32::MAX));
            self.verdicts[position].refusal = self.choose(position, &mut places);
        }
        let won: Vec<bool> = eligible
            .iter()
            .map(|position| self.winners[first..].iter().any(|winner| winner.position == *position))
            .collect();
        let last = ranking.iter().rev().find(|index| won[**index]).copied();
        for (place, index) in ranking.iter().enumerate() {
            let verdict = &mut self.verdicts[eligible[*index]];
            if won[*index] {
                let next = ranking.get(place + 1);
                verdict.decided_by = next.and_then(|next| decided_by(&bids, *index, *next));
            } else if let Some(last) = last {
                let price = bids[last].price(1).unwrap_or(0);
                verdict.would_win_at_minor = Some(winning_price(&bids[*index], &bids[last], price));
            }
        }
        self.charge(stage, eligible, &bids, &ranking, first);
    }

    /// Second price: each winner pays the least with which it would still rank before the best bid that got no place,
    /// from another group than the winners'.
    fn charge(&mut self, stage: &Stage, eligible: &[usize], bids: &[Bid], ranking: &[usize], first: usize) {
        let terms = stage.auction.unwrap_or_default();
        if terms.pricing == Pricing::First {
            return;
        }
        let rival = ranking.iter().find(|index| !self.groups.contains(&bids[**index].group_id));
        let rival = rival.map(|index| (&bids[*index], bids[*index].price(1).unwrap_or(0)));
        for place in first..self.winners.len() {
            let Winner { position, price_minor, .. } = self.winners[place];
            let least = self.input.least_minor(&self.input.candidates[position]).max(terms.reserve_minor);
            if let Some(index) = eligible.iter().position(|at| *at == position) {
                self.winners[place].price_minor =
                    second_price(&bids[index], rival, price_minor, terms.increment_minor, least);
            }
        }
    }

    /// Exclusive against shared: whichever brings more.
    fn auction_best(&mut self, eligible: &[usize], rotation: &StageState, places: u8) {
        let taken = usize::from(self.input.legs_taken);
        let bids: Vec<Bid> = eligible.iter().map(|position| self.shared_bid(*position, rotation, taken)).collect();
        let mut most = usize::from(places);
        // A campaign's cap may leave less room than the best sale takes.
        let best = loop {
            match best_sale(&bids, most) {
                Some(best) if self.campaign_takes(&bids, &best.sale) => break Some(best),
                Some(best) => most = best.sale.legs.len() - 1,
                None => break None,
            }
        };
        let Some(Best { sale, runner_up }) = best else {
            self.refuse_all(eligible, &bids);
            return;
        };
        let legs = sale.legs.len();
        for (place, index) in sale.legs.iter().enumerate() {
            let position = eligible[*index];
            self.verdicts[position].rank = Some(u32::try_from(place + 1).unwrap_or(u32::MAX));
            let price_minor = bids[*index].price(legs).unwrap_or_default();
            self.winners.push(Winner { position, price_minor, exclusive: legs + taken == 1 });
            self.groups.insert(bids[*index].group_id);
        }
        self.slots =
            if legs + taken == 1 { 0 } else { self.slots.saturating_sub(u8::try_from(legs).unwrap_or(u8::MAX)) };
        for (index, position) in eligible.iter().enumerate().filter(|(index, _)| !sale.legs.contains(index)) {
            self.verdicts[*position].refusal =
                Some(Refusal::new(Check::NotChosen, "eligible, but another sale brings more"));
            self.verdicts[*position].would_win_at_minor = exclusive_price_to_win(&bids, index, &sale, taken);
        }
        self.runner_up = runner_up.map(|next| RunnerUp {
            contracts: next.legs.iter().map(|leg| bids[*leg].contract_id).collect(),
            net_minor: minor(next.net),
            best_net_minor: minor(sale.net),
        });
    }

    /// Nobody makes an offer that can be taken alone or with others.
    fn refuse_all(&mut self, eligible: &[usize], bids: &[Bid]) {
        for (position, bid) in eligible.iter().zip(bids) {
            let message = if bid.price_minor.is_none() && bid.shared_minor.iter().any(Option::is_some) {
                "it buys with at least one other, and there is none"
            } else {
                "there is no room for it in the campaign's caps"
            };
            self.verdicts[*position].refusal = Some(Refusal::new(Check::NotChosen, message));
        }
    }

    /// Whether the campaign's caps take all the sales of a set.
    fn campaign_takes(&self, bids: &[Bid], sale: &Sale) -> bool {
        let prices = sale.legs.iter().map(|leg| bids[*leg].price(sale.legs.len()).unwrap_or_default());
        let mut run = Run { winners: self.winners.clone(), verdicts: Vec::new(), ..Run::new(self.input) };
        for price_minor in prices {
            if run.campaign_cap_refusal(price_minor).is_some() {
                return false;
            }
            run.winners.push(Winner { position: usize::MAX, price_minor, exclusive: false });
        }
        true
    }

    /// A candidate's bid where the number of buyers makes no difference.
    fn fixed_bid(&self, position: usize, rotation: &StageState) -> Bid {
        let candidate = &self.input.candidates[position];
        Bid {
            contract_id: candidate.contract_id,
            group_id: candidate.group_id,
            price_minor: Some(candidate.price.amount_minor),
            shared_minor: Vec::new(),
            complaint_ppm: candidate.complaint_ppm,
            last_sale_no: candidate.member(rotation).last_sale_no,
        }
    }

    /// A candidate's prices by the number of buyers, where `taken` have the lead already.
    fn shared_bid(&self, position: usize, rotation: &StageState, taken: usize) -> Bid {
        let candidate = &self.input.candidates[position];
        let whole = candidate.price.amount_minor;
        let alone = (candidate.exclusivity != Exclusivity::AtLeastTwo).then_some(whole);
        let shared = match candidate.exclusivity {
            Exclusivity::ExclusiveOnly => Vec::new(),
            _ if candidate.shared_minor.is_empty() => vec![Some(whole)],
            _ => candidate.shared_minor.iter().map(|price| self.affordable(candidate, *price)).collect(),
        };
        let bid = Bid { price_minor: alone, shared_minor: shared, ..self.fixed_bid(position, rotation) };
        if taken == 0 {
            return bid;
        }
        // Whoever joins now is one of so many more.
        let most = bid.shared_minor.len().max(1);
        let further = (taken + 2..=taken + 1 + most).map(|legs| bid.price(legs)).collect();
        Bid { price_minor: bid.price(taken + 1), shared_minor: further, ..bid }
    }

    /// A price other than the candidate's own is checked like it: floor, promise, caps by money and balance.
    fn affordable(&self, candidate: &Candidate, price_minor: i64) -> Option<i64> {
        let least = self.input.least_minor(candidate);
        let fits = price_minor >= least
            && price_minor <= candidate.available_minor
            && candidate.cap_refusal(price_minor).is_none();
        fits.then_some(price_minor)
    }
}

/// The least price at which a bid, alone, would have brought more than the sale that was made.
fn exclusive_price_to_win(bids: &[Bid], index: usize, sale: &Sale, taken: usize) -> Option<i64> {
    let bid = &bids[index];
    bid.price_minor.filter(|_| taken == 0)?;
    if let [winner] = sale.legs[..] {
        return Some(winning_price(bid, &bids[winner], bids[winner].price(1)?));
    }
    let share = i128::from(WHOLE_PPM.saturating_sub(bid.complaint_ppm)).max(1);
    // At exactly as much the exclusive sale comes first.
    i64::try_from((sale.net + share - 1) / share).ok()
}

/// Millionths of a minor unit as minor units, rounded down.
fn minor(net: i128) -> i64 {
    i64::try_from(net.div_euclid(i128::from(WHOLE_PPM))).unwrap_or(i64::MAX)
}
