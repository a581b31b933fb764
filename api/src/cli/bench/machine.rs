//! The machine a figure was seen on, and what a process uses of it. What this system does not tell is left out.

use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use serde::Serialize;
use tokio::time::Instant;

/// Clock ticks of `/proc`: 100 a second on every Linux that people run.
const TICK: Duration = Duration::from_millis(10);
/// So many times a page is made durable, to see what that costs here.
const SYNCS: usize = 50;

/// What a reader of figures should know of the machine.
#[derive(Debug, Serialize)]
pub(super) struct Machine {
    os: String,
    cpu: Option<String>,
    cores: usize,
    memory_mb: Option<u64>,
    /// How many processes wanted to run in the last minute: much more than none, and somebody else was busy too.
    load_1m: Option<f64>,
    /// The median of making 4 KiB durable where the database lies.
    fsync_us: Option<u64>,
    build: &'static str,
}

impl Machine {
    pub(super) fn look(folder: &Path) -> Self {
        let read = |path: &str| std::fs::read_to_string(path).ok();
        let line = |text: &str, key: &str| {
            let line = text.lines().find(|line| line.starts_with(key))?;
            Some(line.split_once(':')?.1.trim().to_owned())
        };
        let release = read("/proc/sys/kernel/osrelease").unwrap_or_default();
        Self {
            os: format!("{} {}", std::env::consts::OS, release.trim()).trim().to_owned(),
            cpu: read("/proc/cpuinfo").and_then(|text| line(&text, "model name")),
            cores: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            memory_mb: read("/proc/meminfo").and_then(|text| kilobytes(&text, "MemTotal")).map(|kb| kb / 1024),
            load_1m: read("/proc/loadavg").and_then(|text| text.split(' ').next()?.parse().ok()),
            fsync_us: fsync_us(folder).ok(),
            build: if cfg!(debug_assertions) { "debug: its figures mean nothing" } else { "release" },
        }
    }

    /// In one line, for people.
    pub(super) fn line(&self) -> String {
        let or = |value: Option<String>| value.unwrap_or_else(|| "?".to_owned());
        format!(
            "{} · {} × {} · {} MB · load {} · fsync {} µs · {}",
            self.os,
            self.cores,
            or(self.cpu.clone()),
            or(self.memory_mb.map(|value| value.to_string())),
            or(self.load_1m.map(|value| value.to_string())),
            or(self.fsync_us.map(|value| value.to_string())),
            self.build
        )
    }
}

fn kilobytes(text: &str, key: &str) -> Option<u64> {
    let line = text.lines().find(|line| line.starts_with(key))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

fn fsync_us(folder: &Path) -> std::io::Result<u64> {
    let mut file = tempfile::tempfile_in(folder)?;
    let mut took = Vec::with_capacity(SYNCS);
    for _ in 0..SYNCS {
        let began = Instant::now();
        file.write_all(&[0; 4096])?;
        file.sync_data()?;
        took.push(began.elapsed());
    }
    took.sort_unstable();
    Ok(u64::try_from(took[SYNCS / 2].as_micros()).unwrap_or(u64::MAX))
}

/// The processor time a process has used so far, its threads together.
pub(super) fn cpu_time(process: u64) -> Option<Duration> {
    let text = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name may hold anything but ends with the last bracket; user and system time are the 14th and 15th field.
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks: u32 = fields.get(11)?.parse::<u32>().ok()? + fields.get(12)?.parse::<u32>().ok()?;
    Some(TICK * ticks)
}

/// The memory a process holds, in kilobytes.
pub(super) fn memory_kb(process: u64) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    kilobytes(&text, "VmRSS")
}

/// Forgets the most memory a process held so far, where this system can.
pub(super) fn forget_peak(process: u64) {
    let _ = std::fs::write(format!("/proc/{process}/clear_refs"), "5");
}

/// The most memory a process held since then, in kilobytes.
pub(super) fn peak_kb(process: u64) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    kilobytes(&text, "VmHWM")
}
