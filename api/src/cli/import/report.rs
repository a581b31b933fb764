//! What an import says: a bar while it runs, then figures, for people or for machines.

use std::io::{self, IsTerminal as _};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use leadyard_market::import::{LeadSummary, Progress};
use serde::Serialize;
use serde_json::Value;
use tokio::time::Instant;

use super::FileArgs;

/// A progress bar on a terminal, nothing elsewhere.
pub(super) struct Bar(Option<ProgressBar>);

impl Bar {
    pub(super) fn new() -> Self {
        let style = ProgressStyle::with_template("{bar:40} {percent}%  {msg}  {eta} left")
            .unwrap_or_else(|_| ProgressStyle::default_bar());
        Self(io::stderr().is_terminal().then(|| ProgressBar::new(100).with_style(style)))
    }

    fn finish(&self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}

impl Progress for Bar {
    fn at(&mut self, read_bytes: u64, all_bytes: u64, rows: u64) {
        if let Some(bar) = &self.0 {
            bar.set_length(all_bytes.max(1));
            bar.set_position(read_bytes);
            bar.set_message(format!("{rows} rows"));
        }
    }
}

/// Measures an import.
pub(super) struct Figures(Instant);

/// What was measured.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Measured {
    /// How long it took.
    duration_ms: u64,
    /// The most memory this process has had, in MiB; unknown where the system does not say.
    peak_memory_mb: Option<u64>,
}

impl Figures {
    pub(super) fn begin() -> Self {
        Self(Instant::now())
    }

    pub(super) fn end(&self) -> Measured {
        Measured { duration_ms: millis(self.0.elapsed()), peak_memory_mb: peak_memory_mb() }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// The high water mark of this process's memory, as Linux keeps it.
fn peak_memory_mb() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes.div_ceil(1024))
}

fn per_second(count: u64, measured: &Measured) -> u64 {
    count.saturating_mul(1_000) / measured.duration_ms.max(1)
}

#[derive(Serialize)]
struct LeadReport<'a> {
    #[serde(flatten)]
    summary: &'a LeadSummary,
    leads_per_second: u64,
    #[serde(flatten)]
    measured: Measured,
}

/// Says what came of an import of leads.
pub(super) fn leads(file: &FileArgs, summary: &LeadSummary, measured: &Measured, bar: &Bar) -> anyhow::Result<()> {
    bar.finish();
    let leads_per_second = per_second(summary.received, measured);
    if file.json {
        println!("{}", serde_json::to_string(&LeadReport { summary, leads_per_second, measured: *measured })?);
        return Ok(());
    }
    let LeadSummary { rows, broken, repeated, changed, received, rejected, quarantined, .. } = *summary;
    let LeadSummary { sold, unsold, queued, pending, .. } = *summary;
    if summary.dry_run {
        println!("A trial: nothing was stored.");
    }
    println!("{rows} rows: {received} leads taken in, {repeated} taken in before, {broken} that could not be read.");
    println!(
        "Of the leads {sold} sold, {unsold} unsold, {queued} queued, {quarantined} quarantined, {rejected} rejected."
    );
    for (reason, count) in &summary.reasons {
        println!("  {reason}: {count}");
    }
    if pending > 0 {
        println!("{pending} are offered to buyers who answer: `leadyard serve` brings them to an end.");
    }
    if changed > 0 {
        println!("{changed} rows were taken in before with another mapping; nothing about them was changed.");
    }
    point_to_refused(file, broken + rejected + changed);
    println!("{leads_per_second} leads a second{}.", memory(measured));
    Ok(())
}

/// Says what came of another import: its counts, one a line.
pub(super) fn others<T: Serialize>(file: &FileArgs, summary: &T, measured: &Measured, bar: &Bar) -> anyhow::Result<()> {
    bar.finish();
    let mut report = serde_json::to_value(summary)?;
    let broken = report["broken"].as_u64().unwrap_or_default();
    if file.json {
        if let (Value::Object(all), Value::Object(more)) = (&mut report, serde_json::to_value(measured)?) {
            all.extend(more);
        }
        println!("{report}");
        return Ok(());
    }
    println!("{}", serde_json::to_string_pretty(summary)?);
    point_to_refused(file, broken);
    println!("{} ms{}.", measured.duration_ms, memory(measured));
    Ok(())
}

fn memory(measured: &Measured) -> String {
    measured.peak_memory_mb.map(|mb| format!(", at most {mb} MB of memory")).unwrap_or_default()
}

fn point_to_refused(file: &FileArgs, refused: u64) {
    match &file.refused {
        _ if refused == 0 => {}
        Some(path) => println!("Which rows were refused, and why, is in {}.", path.display()),
        None => println!("Which rows were refused, and why, says --refused FILE; running it again is safe."),
    }
}
