//! `leadyard user` and `leadyard key`.

use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Subcommand;
use leadyard_entity::auth::NewUser;
use leadyard_market::{Market, MarketSettings};
use leadyard_types::{BuyerId, Principal, Role, SupplierId, SystemTask};

use crate::app::open_store;
use crate::config::Config;

use super::names::source_named;

/// Arguments of `user`.
#[derive(Debug, clap::Args)]
pub(super) struct UserArgs {
    #[command(subcommand)]
    action: UserAction,
}

#[derive(Debug, Subcommand)]
enum UserAction {
    /// Make a user; the password is read from LEADYARD_PASSWORD.
    Create {
        /// The address that signs in.
        email: String,
        /// What people call them.
        #[arg(long)]
        name: String,
        /// ADMIN, MANAGER, FINANCE, ANALYST, BUYER_ADMIN, BUYER_USER or SUPPLIER.
        #[arg(long)]
        role: Role,
        /// The buyer, for a buyer's roles.
        #[arg(long)]
        buyer: Option<BuyerId>,
        /// The supplier, for a supplier's role.
        #[arg(long)]
        supplier: Option<SupplierId>,
    },
}

/// Runs `user`.
pub(super) async fn user(config: &Config, args: &UserArgs) -> anyhow::Result<ExitCode> {
    let UserAction::Create { email, name, role, buyer, supplier } = &args.action;
    let password = std::env::var("LEADYARD_PASSWORD").context("put the new user's password into LEADYARD_PASSWORD")?;
    if password.chars().count() < 12 {
        bail!("a password of at least 12 characters is expected");
    }
    let store = open_store(config).await?;
    let write = store.write(Principal::System(SystemTask::Operate)).await?;
    let new = NewUser {
        email: email.clone(),
        name: name.clone(),
        role: *role,
        buyer_id: *buyer,
        supplier_id: *supplier,
        password,
    };
    let id = write.create_user(new).await?;
    write.audit("create", "user", Some(id.0), &serde_json::json!({ "role": role })).await?;
    let _ = write.commit().await?;
    println!("{id}");
    Ok(ExitCode::SUCCESS)
}

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
}

/// Runs `key`.
pub(super) async fn key(config: &Config, args: &KeyArgs) -> anyhow::Result<ExitCode> {
    let KeyAction::Create { source, label } = &args.action;
    let market = Market::start(open_store(config).await?, MarketSettings::default()).await?;
    let source = source_named(&market, source)?;
    let write = market.store().write(Principal::System(SystemTask::Operate)).await?;
    let key = write.create_key(source, label).await?;
    write.audit("create", "api_key", Some(source.0), &serde_json::json!({ "label": label })).await?;
    let _ = write.commit().await?;
    market.store().close().await;
    println!("{key}");
    Ok(ExitCode::SUCCESS)
}
