//! `leadyard serve`.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::ValueEnum;
use leadyard_connectors::OutboundPolicy;
use leadyard_entity::Engine;
use leadyard_jobs::JobsOptions;
use leadyard_types::{Principal, SystemTask};

use crate::app::{App, connectors, open_store};
use crate::config::{Config, default_listen};
use crate::graphql::Operations;
use crate::http::server::Server;

/// What a process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Role {
    /// Serve and work.
    All,
    /// Serve only; other processes work.
    Api,
    /// Work only.
    Worker,
}

/// Arguments of `serve`.
#[derive(Debug, clap::Args)]
pub(super) struct ServeArgs {
    /// Where to listen.
    #[arg(long, env = "LEADYARD_LISTEN", default_value_t = default_listen())]
    listen: SocketAddr,
    /// What this process does. Splitting needs PostgreSQL.
    #[arg(long, value_enum, default_value_t = Role::All)]
    role: Role,
    /// Let deliveries go to this exact loopback address and port, for tests and trials; may be repeated.
    #[arg(long, value_name = "IP:PORT", hide = true)]
    allow_destination: Vec<SocketAddr>,
    /// How long a task belongs to a worker without a sign of life, for trials with workers that are killed.
    #[arg(long, value_name = "SECONDS", hide = true, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    lease_seconds: Option<u64>,
}

/// Serves until it is told to stop.
pub(super) async fn run(config: &Config, args: &ServeArgs) -> anyhow::Result<ExitCode> {
    let store = open_store(config).await?;
    if store.engine() == Engine::Sqlite {
        if args.role != Role::All {
            bail!("--role needs PostgreSQL: SQLite has one writer, so one process serves and works");
        }
        // One process has this file: leases of an earlier one are nobody's.
        let write = store.write(Principal::System(SystemTask::Operate)).await?;
        write.free_all_leases().await?;
        let _ = write.commit().await?;
    }
    if config.production && !args.allow_destination.is_empty() {
        bail!("--allow-destination is for trials on loopback, not for production");
    }
    let policy = args
        .allow_destination
        .iter()
        .fold(OutboundPolicy::new(config.production), |policy, address| policy.allowing(*address));
    let lease = args.lease_seconds.map_or(JobsOptions::default().lease, Duration::from_secs);
    let jobs = (args.role != Role::Api).then(|| JobsOptions { lease, ..JobsOptions::default() });
    let mut app = App::start(store, connectors(config, policy.clone())?, jobs).await?;
    app.metrics_token.clone_from(&config.metrics_token);
    if let Some(path) = &config.graphql.operations {
        app.operations = Arc::new(Operations::read(path, config.graphql.allow_list_only).await?);
    }
    app.market.known_as(&config.public_url);
    let server = if args.role == Role::Worker {
        None
    } else {
        let server =
            Server::start_with(args.listen, app.router(policy, !config.production)?, config.limits.clone()).await;
        Some(server.with_context(|| format!("{} cannot be listened on; choose another with --listen", args.listen))?)
    };
    if let Some(server) = &server {
        println!("leadyard serves on http://{}", server.address);
    }
    wait_for_stop().await;
    eprintln!("Stopping: what is under way is finished first.");
    if let Some(server) = server {
        server.shutdown().await;
    }
    app.stop().await;
    Ok(ExitCode::SUCCESS)
}

/// Waits for Ctrl-C or the service manager.
pub(super) async fn wait_for_stop() {
    let interrupt = tokio::signal::ctrl_c();
    #[cfg(unix)]
    {
        let terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate());
        if let Ok(mut terminate) = terminate {
            tokio::select! {
                _ = interrupt => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    let _ = interrupt.await;
}
