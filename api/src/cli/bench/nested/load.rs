//! Who asks: a process of its own, so that no server pays for it.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, ensure};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::time::{Instant, timeout};

use crate::cli::bench::child;
use crate::cli::bench::figures::{float, percentile, rounded, thousandths};
use crate::cli::bench::wire::Wire;
use crate::config::Config;

/// A server that does not answer by then is taken for dead.
const PATIENCE: Duration = Duration::from_secs(30);

/// What is asked, of whom, and for how long.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Load {
    pub(super) address: String,
    pub(super) token: String,
    pub(super) question: String,
    pub(super) clients: u64,
    pub(super) seconds: f64,
}

/// How that went.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct Run {
    pub(super) per_second: f64,
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
}

impl Load {
    fn body(&self) -> Vec<u8> {
        json!({ "query": self.question }).to_string().into_bytes()
    }

    /// Asks once; answers what came.
    pub(super) async fn once(&self) -> anyhow::Result<Value> {
        let answered = Wire::to(self.address.parse()?, Some(&self.token), None).post(&self.body()).await?;
        let text = String::from_utf8_lossy(&answered.body);
        ensure!(answered.status == 200, "it answers {}: {text}", answered.status);
        serde_json::from_slice(&answered.body).with_context(|| text.into_owned())
    }

    /// Asks from a process of its own.
    pub(super) async fn run(&self, config: &Config) -> anyhow::Result<Run> {
        let file = tempfile::NamedTempFile::new()?;
        std::fs::write(file.path(), serde_json::to_vec(self)?)?;
        let mut command = child::command(config, "load")?;
        command.arg("--script").arg(file.path());
        let output = tokio::task::spawn_blocking(move || command.output()).await??;
        ensure!(
            output.status.success(),
            "the load ended with {}: {}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(serde_json::from_slice(&output.stdout)?)
    }
}

/// What that process does.
pub(in super::super) async fn child(script: &Path) -> anyhow::Result<String> {
    let load: Load = serde_json::from_slice(&std::fs::read(script)?)?;
    let length = load.once().await?.to_string().len();
    let began = Instant::now();
    let until = began + Duration::from_secs_f64(load.seconds);
    let clients = futures_util::future::join_all((0..load.clients).map(|_| client(&load, length, until))).await;
    let lasted = began.elapsed().as_secs_f64();
    let mut took: Vec<u64> = clients.into_iter().collect::<anyhow::Result<Vec<_>>>()?.concat();
    took.sort_unstable();
    let millis = |percent| rounded(thousandths(percentile(&took, percent)));
    let run = Run { per_second: rounded(float(took.len() as u64) / lasted), p50_ms: millis(50), p99_ms: millis(99) };
    Ok(serde_json::to_string(&run)?)
}

/// Asks the next question when the last is answered. An answer that is much shorter than the first is none.
async fn client(load: &Load, length: usize, until: Instant) -> anyhow::Result<Vec<u64>> {
    let mut wire = Wire::to(load.address.parse()?, Some(&load.token), None);
    let (body, mut took) = (load.body(), Vec::new());
    while Instant::now() < until {
        let began = Instant::now();
        let answered = timeout(PATIENCE, wire.post(&body)).await.context("it was never answered")??;
        ensure!(
            answered.status == 200 && answered.body.len() + 64 > length,
            "an answer of {} bytes: {}",
            answered.body.len(),
            String::from_utf8_lossy(&answered.body)
        );
        took.push(u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX));
    }
    Ok(took)
}
