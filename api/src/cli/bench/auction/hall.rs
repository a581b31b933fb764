//! The market in which auctions are measured: one campaign, one stage, one contract a bidder; the real client asks them.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use leadyard_connectors::OutboundPolicy;
use leadyard_entity::Store;
use leadyard_market::auctions::AuctionSeen;
use leadyard_market::setup::{NewCampaign, NewContract, NewDestination, NewVertical, Setup};
use leadyard_types::field::UnknownFields;
use leadyard_types::terms::VerticalTerms;
use leadyard_types::{
    AuctionTerms, CampaignId, Clock, ContractTerms, Currency, DestinationKind, Door, FieldDefinition, FieldKind,
    LeadAnswer, LeadDraft, LeadState, Method, Principal, Required, SourceId, Stage, SystemClock, SystemTask,
};
use serde_json::json;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use crate::app::{App, connectors, open_store};
use crate::config::Config;
use crate::demo::people::Dice;

use super::super::world;

const OPERATE: Principal = Principal::System(SystemTask::Operate);

/// The market, open.
pub(super) struct Hall {
    app: App,
    source_id: SourceId,
    seen: mpsc::UnboundedReceiver<AuctionSeen>,
    next_lot: u64,
}

impl Hall {
    /// Opens with these bidders: where each is asked, and how long it has.
    pub(super) async fn open(
        config: &Config,
        bidders: &[String],
        policy: OutboundPolicy,
        deadline_ms: u32,
    ) -> anyhow::Result<Self> {
        let store = open_store(config).await?;
        let source_id = make(&store, bidders, &policy, deadline_ms).await?;
        let app = App::start(store, connectors(config, policy)?, None).await?;
        let seen = app.market.watch_auctions();
        Ok(Self { app, source_id, seen, next_lot: 0 })
    }

    /// Sends so many leads, one each `every`, whatever became of those before; each must be sold to whoever won it. Answers how
    /// long each took, from the moment it was due, and every auction.
    pub(super) async fn run(
        &mut self,
        count: u64,
        every: Duration,
    ) -> anyhow::Result<(Vec<Duration>, Vec<AuctionSeen>)> {
        let now = SystemClock.now().to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
        let began = Instant::now();
        let mut sending = JoinSet::new();
        for at in 0..u32::try_from(count)? {
            let draft = draft(self.source_id, self.next_lot, &now)?;
            self.next_lot += 1;
            let (market, due) = (Arc::clone(&self.app.market), began + every * at);
            sleep_until(due).await;
            sending.spawn(async move {
                let answer: LeadAnswer = market.submit(OPERATE, draft).await?;
                anyhow::Ok((due.elapsed(), answer.state == LeadState::Sold))
            });
        }
        let (mut took, mut sold) = (Vec::new(), 0);
        while let Some(ended) = sending.join_next().await {
            let (lasted, is_sold) = ended??;
            took.push(lasted);
            sold += usize::from(is_sold);
        }
        let seen: Vec<AuctionSeen> = std::iter::from_fn(|| self.seen.try_recv().ok()).collect();
        ensure!(seen.len() == took.len(), "{} leads were offered in {} auctions", took.len(), seen.len());
        let won = seen.iter().filter(|auction| auction.winner.is_some()).count();
        ensure!(won == sold, "{won} auctions were won, and {sold} leads sold: no figure counts");
        Ok((took, seen))
    }

    pub(super) async fn close(self) {
        self.app.stop().await;
    }
}

async fn make(
    store: &Store,
    bidders: &[String],
    policy: &OutboundPolicy,
    deadline_ms: u32,
) -> anyhow::Result<SourceId> {
    let setup = Setup::new(store, OPERATE, policy.clone());
    let campaign_id = campaign(&setup, deadline_ms).await?;
    for (number, url) in bidders.iter().enumerate() {
        let (buyer_id, destination) = world::buyer(&setup, number).await?;
        let config = json!({ "url": url, "preset": "LEADYARD", "timeout_ms": 10_000 });
        let new = NewDestination { buyer_id, name: "Bids".into(), kind: DestinationKind::Ping, config };
        let ping = Some(setup.create_destination(new).await?.id);
        let like = world::terms(&mut Dice::new(0), None, destination);
        let terms = ContractTerms { ping, price_minor: 1, price_rules: Vec::new(), ..like };
        setup.create_contract(NewContract { campaign_id, buyer_id, name: format!("bidder {number}"), terms }).await?;
    }
    Ok(world::source(store, &setup, campaign_id).await?.0)
}

async fn campaign(setup: &Setup, deadline_ms: u32) -> anyhow::Result<CampaignId> {
    let field = |key, kind, personal| FieldDefinition::new(key, kind, Required::Post, personal);
    let fields = vec![
        field("email", FieldKind::Email, true),
        field("phone", FieldKind::Phone, true),
        field("postal_code", FieldKind::PostalCode, false),
        field("lot", FieldKind::Integer, false),
    ];
    let terms = VerticalTerms { fields, unknown_fields: UnknownFields::Refuse };
    let new = NewVertical { key: "auction".into(), name: "Auction".into(), terms };
    let vertical_id = setup.create_vertical(new).await?;
    let auction = Some(AuctionTerms { deadline_ms, ..AuctionTerms::default() });
    let terms = world::campaign_terms(Stage { auction, ..Stage::new("main", Method::Auction) });
    let new = NewCampaign { vertical_id, name: "Auction".into(), country: "DE".into(), currency: Currency::EUR, terms };
    Ok(setup.create_campaign(new).await?)
}

/// A lead that no other has the number of.
fn draft(source_id: SourceId, lot: u64, now: &str) -> anyhow::Result<LeadDraft> {
    let fields = json!({
        "email": format!("person.{lot}@mail.example.com"),
        "phone": format!("030 {:07}", 2_000_000 + lot % world::PHONES),
        "postal_code": "10115",
        "lot": i64::try_from(lot)?,
    });
    let consent = json!({
        "text": "I agree to be contacted by telephone about my enquiry.",
        "text_version": "2026-01",
        "given_at": now,
        "purposes": ["contact_by_phone"],
    });
    Ok(LeadDraft {
        source_id,
        door: Door::Rest,
        fields: serde_json::from_value(fields).context("the fields of a lead")?,
        consent: serde_json::from_value(consent).context("the consent of a lead")?,
        problems: Vec::new(),
        subid: None,
        external_id: None,
        idempotency_key: None,
        enquired_at: None,
    })
}
