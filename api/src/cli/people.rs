//! `leadyard user`.

use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Subcommand;
use leadyard_entity::auth::{Belonging, NewUser};
use leadyard_market::people::People;
use leadyard_market::rules::people::check_password;
use leadyard_market::rules::value::mailbox;
use leadyard_types::{BuyerId, Principal, Role, SupplierId, SystemTask, UserId};
use secrecy::ExposeSecret as _;

use crate::app::open_store;
use crate::config::Config;

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
    /// Issue a link by which a user who forgot the password chooses a new one; its token is shown this once.
    Reset {
        /// The address that signs in.
        email: String,
    },
    /// Shut a user out: sessions, keys and invitations end. The last administrator stays.
    Disable {
        /// The address that signs in.
        email: String,
    },
    /// Forget a user's failures to sign in, so that trying is not paused any more.
    Forgive {
        /// The address that signs in.
        email: String,
    },
    /// Let a user in again.
    Enable {
        /// The address that signs in.
        email: String,
    },
}

/// Runs `user`.
pub(super) async fn user(config: &Config, args: &UserArgs) -> anyhow::Result<ExitCode> {
    match &args.action {
        UserAction::Create { email, name, role, buyer, supplier } => {
            let belonging = Belonging { role: *role, buyer_id: *buyer, supplier_id: *supplier };
            create(config, email, name, belonging).await?;
        }
        UserAction::Reset { email } => {
            let (people, user) = found(config, email).await?;
            println!("{}", people.issue_reset(user).await?.token.expose_secret());
        }
        UserAction::Disable { email } => {
            let (people, user) = found(config, email).await?;
            people.disable(user).await?;
        }
        UserAction::Forgive { email } => {
            let (people, user) = found(config, email).await?;
            people.forgive(user).await?;
        }
        UserAction::Enable { email } => {
            let (people, user) = found(config, email).await?;
            people.enable(user).await?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// A user by the address that signs in, and the use cases on behalf of the machine's administrator.
pub(super) async fn found(config: &Config, email: &str) -> anyhow::Result<(People, UserId)> {
    let store = open_store(config).await?;
    let operate = Principal::System(SystemTask::Operate);
    let write = store.write(operate).await?;
    let user = write.user_of_address(email).await?.with_context(|| format!("nobody signs in with {email}"))?;
    write.rollback().await?;
    Ok((People::new(&store, operate), UserId(user.id)))
}

async fn create(config: &Config, email: &str, name: &str, belonging: Belonging) -> anyhow::Result<()> {
    let password = std::env::var("LEADYARD_PASSWORD").context("put the new user's password into LEADYARD_PASSWORD")?;
    if let Some(problem) = check_password("LEADYARD_PASSWORD", &password).first() {
        bail!("{}", problem.message);
    }
    if let Err(fault) = mailbox(email.trim()) {
        bail!("`{email}` cannot sign in: {}", fault.message);
    }
    let Belonging { role, buyer_id, supplier_id } = belonging;
    let store = open_store(config).await?;
    let write = store.write(Principal::System(SystemTask::Operate)).await?;
    let new = NewUser { email: email.to_owned(), name: name.to_owned(), role, buyer_id, supplier_id, password };
    let id = write.create_user(new).await?;
    write.audit("create", "user", Some(id.0), &serde_json::json!({ "role": role })).await?;
    let _ = write.commit().await?;
    println!("{id}");
    Ok(())
}
