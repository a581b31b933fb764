//! A history in which much happens, from a seed.

use std::time::Duration as Wait;

use chrono::Duration;
use futures_util::future::join_all;
use leadyard_connectors::fake::{Behaviour, Bidding, Offer};
use leadyard_entity::model::sale;
use leadyard_market::complaints::{ComplaintDecision, NewComplaint};
use leadyard_market::finance;
use leadyard_tests::market::{Selling, TestMarket, daily, lead, terms};
use leadyard_tests::{OPERATE, TestApp};
use leadyard_types::{
    AuctionTerms, BuyerId, Cap, CapPeriod, ComplaintReason, ContractId, ContractTerms, CostModel, Currency, Filter,
    Method, Money, Percent, PriceRule, SaleId, SaleMode, SaleState, Status, Timestamp, Verdict,
};

use crate::send;

/// Numbers from a seed.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % most as u64).unwrap()
    }
}

/// A market of four campaigns whose buyers buy in several of them.
pub(crate) struct Turbulence<'a> {
    app: &'a TestApp,
    markets: Vec<TestMarket>,
    buyers: Vec<BuyerId>,
    contracts: Vec<(ContractId, i64, ContractTerms)>,
    next_person: usize,
    payments: usize,
}

impl<'a> Turbulence<'a> {
    pub(crate) async fn prepare(app: &'a TestApp) -> Self {
        let share = CostModel::RevenueShare { percent: Percent(30.into()) };
        let weighted =
            Selling { sale_mode: SaleMode::Shared { max: 2 }, method: Method::Weighted, ..Selling::default() };
        let queued = Selling { retry_minutes: 60, cost: share, ..Selling::default() };
        let turns = Selling {
            method: Method::RoundRobin,
            cost: CostModel::PerLead { amount_minor: 150 },
            ..Selling::default()
        };
        let auction = Selling {
            sale_mode: SaleMode::Best { max: 2 },
            method: Method::Auction,
            auction: Some(AuctionTerms { deadline_ms: 2_000, ..AuctionTerms::default() }),
            ..Selling::default()
        };
        let first = app.market(weighted).await;
        let mut markets = vec![first.clone()];
        for (name, selling) in [("Queued", queued), ("Turns", turns), ("Auction", auction)] {
            markets.push(app.campaign_beside(&first, name, selling).await);
        }
        let mut buyers = Vec::new();
        for (number, money) in [12_000, 9_000, 40_000, 25_000, 300_000].into_iter().enumerate() {
            let caps = if number == 2 { vec![daily(9)] } else { Vec::new() };
            buyers.push(app.buyer(&format!("buyer{number}"), money, caps).await);
        }
        let mut made = Self { app, markets, buyers, contracts: Vec::new(), next_person: 0, payments: 0 };
        made.contracts().await;
        made
    }

    async fn contracts(&mut self) {
        for (number, buyer) in self.buyers.clone().into_iter().enumerate() {
            let app = self.app;
            let path = format!("/post{number}");
            let destination = app.webhook(buyer, &path).await;
            app.receiver.program(
                &path,
                match number {
                    1 => Behaviour::Reject { reason: "no".into() },
                    2 => Behaviour::CloseAfterReading { times: 2 },
                    _ => Behaviour::Accept,
                },
            );
            for place in 0..self.markets.len() {
                let money = Cap { period: CapPeriod::Day, count: None, amount_minor: Some(6_000) };
                let number_minor = i64::try_from(number).unwrap();
                let mut agreed = ContractTerms {
                    priority: u32::try_from(5 - number).unwrap(),
                    weight: u32::try_from(number % 3 + 1).unwrap(),
                    caps: if number % 2 == 0 { vec![daily(4)] } else { vec![money] },
                    verdict: if (number + place) % 3 == 1 { Verdict::Sync } else { Verdict::None },
                    destinations: vec![destination],
                    credit_frees_cap: true,
                    ..terms(900 + 100 * number_minor)
                };
                if place == 3 {
                    // In the auction two bid live, the others stand by their prices.
                    if number < 2 {
                        let bid = Bidding::Bid(Offer::of(["14.00", "12.50"][number]));
                        agreed.ping = Some(app.asked_at(buyer, &format!("/ask{number}"), bid).await);
                    }
                    agreed.shared_percents = vec![Percent(60.into())];
                }
                let name = format!("c{number} in {place}");
                let id = app.contract(self.markets[place].campaign_id, buyer, &name, agreed.clone()).await;
                self.contracts.push((id, 1, agreed));
            }
        }
    }

    /// Lives through so many steps; answers the moment of the middle one.
    pub(crate) async fn live(mut self, mut dice: Dice, steps: usize) -> Timestamp {
        let mut middle = self.app.clock_now();
        for step in 0..steps {
            match dice.below(20) {
                0..=8 => {
                    let number = self.person(&mut dice);
                    let market = &self.markets[dice.below(4)];
                    send(self.app, market, number).await;
                }
                9..=11 => self.crowd(&mut dice).await,
                12 => self.top_up(&mut dice).await,
                13 => self.credit_line(&mut dice).await,
                14 | 15 => self.edit(&mut dice).await,
                16 => self.complain(&mut dice).await,
                17 => self.resolve().await,
                18 => self.app.clock.advance(Duration::hours(5)),
                _ => self.app.clock.advance(Duration::minutes(11)),
            }
            if dice.below(3) > 0 {
                self.app.idle().await;
            }
            self.app.clock.advance(Duration::seconds(7));
            if step == steps / 2 {
                self.app.idle().await;
                self.app.clock.advance(Duration::seconds(1));
                middle = self.app.clock_now();
            }
        }
        self.app.idle().await;
        self.complain(&mut dice).await;
        middle
    }

    /// Somebody new, or somebody who has been here.
    fn person(&mut self, dice: &mut Dice) -> usize {
        if self.next_person > 0 && dice.below(3) == 0 {
            return dice.below(self.next_person);
        }
        self.next_person += 1;
        self.next_person - 1
    }

    /// Several leads at once: they share transactions.
    async fn crowd(&mut self, dice: &mut Dice) {
        let people: Vec<(usize, usize)> = (0..6).map(|_| (self.person(dice), dice.below(4))).collect();
        join_all(people.into_iter().map(|(number, place)| {
            let client = self.app.client(&self.markets[place].key);
            async move { client.send_json("/v1/leads", &lead(number), None).await.unwrap() }
        }))
        .await;
    }

    async fn top_up(&mut self, dice: &mut Dice) {
        self.payments += 1;
        let (buyer, key) = (self.buyers[dice.below(5)], format!("later{}", self.payments));
        let money = Money::new(2_500, Currency::EUR);
        if self.payments.is_multiple_of(3) {
            finance::credit(self.app.store(), OPERATE, buyer, money, &key, "").await.unwrap();
        } else {
            finance::top_up(self.app.store(), OPERATE, buyer, money, &key, "").await.unwrap();
        }
    }

    async fn credit_line(&mut self, dice: &mut Dice) {
        let limit = Money::new(500 * i64::try_from(dice.below(8)).unwrap(), Currency::EUR);
        // Below what is used it is refused.
        let _ = finance::set_credit_limit(self.app.store(), OPERATE, self.buyers[dice.below(2)], limit).await;
    }

    async fn edit(&mut self, dice: &mut Dice) {
        let at = dice.below(self.contracts.len());
        let (id, version, agreed) = &mut self.contracts[at];
        match dice.below(5) {
            0 => agreed.price_minor += 70,
            1 => agreed.caps = vec![Cap { period: CapPeriod::Week, count: Some(9), amount_minor: None }],
            2 => agreed.status = if agreed.status == Status::Active { Status::Paused } else { Status::Active },
            3 => {
                let when = Filter::Exists { field: "phone".into() };
                agreed.price_rules = vec![PriceRule { name: "phone".into(), when, price_minor: 1_330 }];
            }
            _ => agreed.weight += 2,
        }
        *version = self.app.setup().revise_contract(*id, *version, agreed.clone()).await.unwrap();
    }

    /// A buyer complains about one of its latest sales, and gets all or a part.
    async fn complain(&mut self, dice: &mut Dice) {
        let sold: Vec<sale::Model> = self.sales(SaleState::Sold).await;
        let Some(about) = sold.iter().rev().nth(dice.below(4)) else { return };
        let new = NewComplaint { sale_id: SaleId(about.id), reason: ComplaintReason::WrongContact, evidence: None };
        let Ok(complaint_id) = self.app.app.market.open_complaint(OPERATE, new).await else { return };
        let credit_minor = (dice.below(3) == 0).then_some(200);
        let decision = ComplaintDecision { complaint_id, upheld: true, credit_minor, note: None };
        self.app.app.market.decide_complaint(OPERATE, decision).await.unwrap();
    }

    /// Staff find out about lost answers: one was an acceptance after its window, another a refusal.
    async fn resolve(&mut self) {
        let lost = self.sales(SaleState::Unknown).await;
        for (number, sale) in lost.into_iter().enumerate() {
            let accepted = number % 2 == 0;
            let _ = self.app.app.market.resolve_unknown(OPERATE, SaleId(sale.id), accepted).await;
        }
        let expired = self.sales(SaleState::UnknownExpired).await;
        if let Some(sale) = expired.first() {
            // The wallet may not cover it any more.
            let _ = self.app.app.market.resolve_unknown(OPERATE, SaleId(sale.id), true).await;
        }
        let _ = tokio::time::timeout(Wait::from_secs(60), self.app.idle()).await;
    }

    async fn sales(&self, state: SaleState) -> Vec<sale::Model> {
        let read = self.app.store().read(OPERATE);
        let sql = format!("SELECT id FROM sale WHERE state = '{}' ORDER BY sold_at, id", state.as_str());
        let ids = read.ids(&sql).await.unwrap();
        let mut found = read.by_ids::<sale::Entity>(&ids).await.unwrap();
        ids.iter().filter_map(|id| found.remove(id)).collect()
    }
}
