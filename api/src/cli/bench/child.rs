//! What the bench runs in processes of their own, so that what they use can be counted apart.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitCode, Stdio};

use anyhow::Context;
use leadyard_connectors::OutboundPolicy;
use leadyard_entity::yardstick::Yardstick;
use leadyard_jobs::JobsOptions;
use leadyard_market::placement::PlacementTimes;
use serde::{Deserialize, Serialize};

use crate::app::{App, connectors, open_store};
use crate::config::Config;
use crate::http::server::{Server, ServerLimits};

use super::nested::load;
use super::place::store_options;

/// What a child process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum ChildRole {
    /// Serve, without workers, until standard input ends; a line of input is answered with [`Counts`].
    Serve,
    /// The same, with workers: what `leadyard serve` starts.
    ServeAll,
    /// Serve without workers, within the limits that `leadyard serve` has.
    ServeLimited,
    /// Run a script by hand-written SQL, and end.
    Script,
    /// Ask a server as fast as it answers, say how that went, and end.
    Load,
}

/// What a serving child has counted.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(super) struct Counts {
    pub(super) placement: PlacementTimes,
    pub(super) statements: u64,
}

/// Runs as a child.
pub(super) async fn run(config: &Config, role: ChildRole, script: Option<&Path>) -> anyhow::Result<ExitCode> {
    if role == ChildRole::Script {
        let script = std::fs::read_to_string(script.context("--script names the script")?)?;
        let yardstick = Yardstick::open(&store_options(config)?).await?;
        yardstick.run_script(&script).await?;
        return Ok(ExitCode::SUCCESS);
    }
    if role == ChildRole::Load {
        println!("{}", load::child(script.context("--script names what is asked")?).await?);
        return Ok(ExitCode::SUCCESS);
    }
    let policy = OutboundPolicy::new(false);
    let jobs = (role == ChildRole::ServeAll).then(JobsOptions::default);
    let app = App::start(open_store(config).await?, connectors(config, policy.clone())?, jobs).await?;
    let limits = if role == ChildRole::ServeLimited { config.limits.clone() } else { ServerLimits::default() };
    let server = Server::start_with(([127, 0, 0, 1], 0).into(), app.router(policy, false)?, limits).await?;
    println!("http://{}", server.address);
    let (asked, mut questions) = tokio::sync::mpsc::channel(1);
    std::thread::spawn(move || {
        // Ends with the input, and so does the server.
        std::io::stdin().lines().map_while(Result::ok).try_for_each(|_| asked.blocking_send(())).ok();
    });
    while questions.recv().await.is_some() {
        let counts = Counts { placement: app.market.placement_times(), statements: app.market.store().statements() };
        println!("{}", serde_json::to_string(&counts)?);
    }
    server.shutdown().await;
    app.stop().await;
    Ok(ExitCode::SUCCESS)
}

pub(super) fn command(config: &Config, role: &str) -> anyhow::Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command
        .args(["bench", "--child", role])
        .env("DATABASE_URL", &config.database_url)
        .env("LEADYARD_MASTER_KEY_FILE", &config.master_key_file);
    Ok(command)
}

/// A server in a process of its own. Dropped, it is gone.
pub(super) struct ServingChild {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    pub(super) url: String,
}

impl ServingChild {
    /// Starts it and waits until it serves.
    pub(super) fn start(config: &Config, role: &str) -> anyhow::Result<Self> {
        Self::of(&mut command(config, role)?)
    }

    /// Starts any server that prints its address first and ends with its input.
    pub(super) fn of(command: &mut Command) -> anyhow::Result<Self> {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().context("the server's output")?);
        let mut serving = Self { child, input, output, url: String::new() };
        serving.url = serving.line()?;
        Ok(serving)
    }

    fn line(&mut self) -> anyhow::Result<String> {
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        anyhow::ensure!(line.ends_with('\n'), "the server ended early");
        Ok(line.trim().to_owned())
    }

    /// Its process.
    pub(super) fn process(&self) -> u64 {
        self.child.id().into()
    }

    /// What it has counted so far.
    pub(super) fn counts(&mut self) -> anyhow::Result<Counts> {
        self.input.as_mut().context("the server's input")?.write_all(b"\n")?;
        Ok(serde_json::from_str(&self.line()?)?)
    }

    /// Ends it in order.
    pub(super) fn stop(mut self) -> anyhow::Result<()> {
        drop(self.input.take());
        let ended = self.child.wait()?;
        anyhow::ensure!(ended.success(), "the server ended with {ended}");
        Ok(())
    }
}

impl Drop for ServingChild {
    fn drop(&mut self) {
        drop(self.input.take());
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a script in a process of its own and waits for its end.
pub(super) fn run_script(config: &Config, script: &Path) -> anyhow::Result<()> {
    let ended = command(config, "script")?.arg("--script").arg(script).status()?;
    anyhow::ensure!(ended.success(), "the script ended with {ended}");
    Ok(())
}
