//! `leadyard key`.

use std::process::ExitCode;

use anyhow::{Context, bail};
use chrono::Duration;
use clap::Subcommand;
use leadyard_entity::auth::is_active;
use leadyard_entity::model::{api_key, user_account};
use leadyard_entity::read::{ApiKeyFilter, PageArgs, TimeOrder};
use leadyard_market::people::{NewKey, People};
use leadyard_market::{Market, MarketSettings};
use leadyard_types::{ApiKeyId, KeyScope, Principal, SystemTask, Timestamp, time};
use secrecy::ExposeSecret as _;

use super::names::source_named;
use super::people::found;
use crate::app::open_store;
use crate::config::Config;

const OPERATE: Principal = Principal::System(SystemTask::Operate);

/// Arguments of `key`.
#[derive(Debug, clap::Args)]
pub(super) struct KeyArgs {
    #[command(subcommand)]
    action: KeyAction,
}

#[derive(Debug, Subcommand)]
enum KeyAction {
    /// Make an API key for a source; it is shown this once.
    Create {
        /// The source: its id or its name.
        source: String,
        /// What it is for.
        #[arg(long, default_value = "command line")]
        label: String,
    },
    /// Make an API key for a user; it is shown this once.
    User {
        /// The address that signs in.
        email: String,
        /// What it is for.
        #[arg(long, default_value = "command line")]
        name: String,
        /// What of the user's role it may do: MARKET, SETUP, LEADS, PERSONS, SUBMIT, DELIVERY, BOOKS, MONEY or PEOPLE; may
        /// be repeated.
        #[arg(long = "scope", required = true)]
        scopes: Vec<KeyScope>,
        /// After how many days it ends by itself.
        #[arg(long)]
        days: Option<u32>,
    },
    /// List the API keys of users, the newest first.
    List,
    /// End an API key of a user at once.
    Revoke {
        /// How it begins (`ly_live_0a1b2c3d4e5f`), or its id.
        key: String,
    },
}

/// Runs `key`.
pub(super) async fn key(config: &Config, args: &KeyArgs) -> anyhow::Result<ExitCode> {
    match &args.action {
        KeyAction::Create { source, label } => of_source(config, source, label).await?,
        KeyAction::User { email, name, scopes, days } => {
            let (people, user) = found(config, email).await?;
            let expires_at = days.map(|days| time::after(people.now(), Duration::days(i64::from(days))));
            let new = NewKey { name: name.clone(), scopes: scopes.iter().copied().collect(), expires_at };
            println!("{}", people.create_key_of(user, new).await?.key.expose_secret());
        }
        KeyAction::List => list(config).await?,
        KeyAction::Revoke { key } => revoke(config, key).await?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn of_source(config: &Config, source: &str, label: &str) -> anyhow::Result<()> {
    let market = Market::start(open_store(config).await?, MarketSettings::default()).await?;
    let source = source_named(&market, source)?;
    let write = market.store().write(OPERATE).await?;
    let key = write.create_key(source, label).await?;
    write.audit("create", "api_key", Some(source.0), &serde_json::json!({ "label": label })).await?;
    let _ = write.commit().await?;
    market.store().close().await;
    println!("{key}");
    Ok(())
}

/// Every key of a user, the newest first.
async fn all(store: &leadyard_entity::Store) -> anyhow::Result<Vec<api_key::Model>> {
    let read = store.read(OPERATE);
    let (mut keys, mut after) = (Vec::new(), None);
    loop {
        let args = PageArgs { limit: 100, backward: false, after, before: None };
        let page = read.page::<api_key::Entity>(&ApiKeyFilter::default(), TimeOrder::Newest, &args).await?;
        after = page
            .rows
            .last()
            .map(|row| <api_key::Entity as leadyard_entity::read::Listed>::cursor(row, TimeOrder::Newest));
        keys.extend(page.rows);
        if !page.has_next {
            return Ok(keys);
        }
    }
}

async fn list(config: &Config) -> anyhow::Result<()> {
    let store = open_store(config).await?;
    let (keys, now) = (all(&store).await?, store.clock().now());
    let users: Vec<uuid::Uuid> = keys.iter().filter_map(|key| key.user_id).collect();
    let users = store.read(OPERATE).by_ids::<user_account::Entity>(&users).await?;
    let day = |at: Option<Timestamp>| at.map_or_else(|| "never".to_owned(), |at| at.format("%Y-%m-%d").to_string());
    for key in &keys {
        let email = key.user_id.and_then(|id| users.get(&id)).map_or("", |user| user.email.as_str());
        let state = if is_active(key, now) { "active" } else { "ended" };
        println!(
            "ly_live_{}  {state}  {email}  {}  [{}]  used {}  ends {}",
            key.public_id,
            key.label,
            key.scopes.as_deref().unwrap_or_default(),
            day(key.last_used_at),
            day(key.revoked_at.or(key.expires_at)),
        );
    }
    Ok(())
}

async fn revoke(config: &Config, named: &str) -> anyhow::Result<()> {
    let store = open_store(config).await?;
    let public = named.strip_prefix("ly_live_").map(|rest| rest.split('_').next().unwrap_or_default());
    let is_named =
        |key: &api_key::Model| public.map_or_else(|| named.parse() == Ok(key.id), |public| key.public_id == public);
    let keys = all(&store).await?;
    let key = keys.iter().find(|key| is_named(key)).with_context(|| format!("no user has a key {named}"))?;
    if !is_active(key, store.clock().now()) {
        bail!("the key {named} has ended already");
    }
    People::new(&store, OPERATE).revoke_key(ApiKeyId(key.id)).await?;
    Ok(())
}
