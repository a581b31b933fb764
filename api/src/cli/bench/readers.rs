//! A market that is read: buyers with contracts and sales, and people who ask for them over GraphQL.

use std::sync::Arc;

use anyhow::ensure;
use leadyard_connectors::OutboundPolicy;
use leadyard_entity::Store;
use leadyard_entity::auth::NewUser;
use leadyard_market::setup::{NewContract, Setup};
use leadyard_market::{Market, MarketSettings};
use leadyard_types::{BuyerId, Clock, LeadState, Method, Principal, Role, SourceId, Stage, SystemClock, SystemTask};
use tokio::task::JoinSet;

use crate::app::open_store;
use crate::config::Config;
use crate::demo::people::Dice;

use super::world;

const OPERATE: Principal = Principal::System(SystemTask::Operate);
/// Buyers of the market.
pub(super) const BUYERS: usize = 20;
/// Contracts of each.
pub(super) const CONTRACTS: usize = 10;
/// How many leads are submitted at once while the market is made.
const AT_ONCE: u64 = 64;
const PASSWORD: &str = "of-the-bench-only";

/// What a front end's list of buyers asks for: each with its contracts, its last sales and whom they were about.
pub(super) const QUESTION: &str = "{ buyers(first: 20) { nodes { name contracts(first: 10) { nodes { name status } } \
     sales(first: 5) { nodes { state price { amountMinor } lead { state receivedAt fields { key value } } } } } } }";

/// Who asks, by the tokens of their sessions.
pub(super) struct Readers {
    /// Sees everything but people.
    pub(super) analyst: String,
    /// May do everything.
    pub(super) admin: String,
    /// A user of each of the first buyers.
    pub(super) buyers: Vec<String>,
}

/// Makes the market with so many sold leads and people who ask.
pub(super) async fn make(config: &Config, leads: u64, told: impl Fn(u64)) -> anyhow::Result<Readers> {
    let store = open_store(config).await?;
    let made = Box::pin(fill(&store, leads, told)).await;
    store.close().await;
    made
}

async fn fill(store: &Store, leads: u64, told: impl Fn(u64)) -> anyhow::Result<Readers> {
    let setup = Setup::new(store, OPERATE, OutboundPolicy::new(false));
    let campaign_id = world::campaign(&setup, Stage::new("main", Method::RoundRobin)).await?;
    let (mut dice, mut buyers, mut contracts) = (Dice::new(12), Vec::new(), Vec::new());
    for number in 0..BUYERS {
        let (buyer_id, destination) = world::buyer(&setup, number).await?;
        buyers.push(buyer_id);
        for contract in 0..CONTRACTS {
            let terms = world::terms(&mut dice, None, destination);
            contracts.push(NewContract { campaign_id, buyer_id, name: format!("contract {contract}"), terms });
        }
    }
    setup.create_contracts(contracts).await?;
    let (source_id, _) = world::source(store, &setup, campaign_id).await?;
    sell(store, source_id, leads, told).await?;
    people(store, &buyers).await
}

async fn sell(store: &Store, source_id: SourceId, leads: u64, told: impl Fn(u64)) -> anyhow::Result<()> {
    let market: Arc<Market> = Market::start(store.clone(), MarketSettings::default()).await?;
    let now = SystemClock.now().to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
    for first in (0..leads).step_by(usize::try_from(AT_ONCE)?) {
        let mut selling = JoinSet::new();
        for number in first..leads.min(first + AT_ONCE) {
            let (market, draft) = (Arc::clone(&market), world::draft(source_id, number, &now)?);
            selling.spawn(async move { market.submit(OPERATE, draft).await });
        }
        while let Some(answer) = selling.join_next().await {
            let answer = answer??;
            ensure!(answer.state == LeadState::Sold, "a lead is {}", answer.state);
        }
        told(first);
    }
    Ok(())
}

async fn people(store: &Store, buyers: &[BuyerId]) -> anyhow::Result<Readers> {
    let user = |email: String, role, buyer_id| NewUser {
        name: email.clone(),
        email,
        role,
        buyer_id,
        supplier_id: None,
        password: PASSWORD.to_owned(),
    };
    let mut users = vec![user("analyst@bench.example".into(), Role::Analyst, None)];
    users.push(user("admin@bench.example".into(), Role::Admin, None));
    let outsiders = buyers.iter().take(super::documents::ATTACKERS).enumerate();
    users.extend(outsiders.map(|(n, id)| user(format!("buyer{n}@bench.example"), Role::BuyerUser, Some(*id))));
    let mut tokens = Vec::new();
    for user in users {
        let email = user.email.clone();
        let write = store.write(OPERATE).await?;
        write.create_user(user).await?;
        let _ = write.commit().await?;
        let session = store.sign_in(&email, PASSWORD).await?;
        tokens.extend(session.map(|session| session.token));
    }
    let mut tokens = tokens.into_iter();
    let (analyst, admin) = (tokens.next().unwrap_or_default(), tokens.next().unwrap_or_default());
    Ok(Readers { analyst, admin, buyers: tokens.collect() })
}
