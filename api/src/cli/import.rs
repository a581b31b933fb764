//! `leadyard import`.

use std::fs::File;
use std::io::{self, IsTerminal as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, bail};
use clap::Subcommand;
use indicatif::{ProgressBar, ProgressStyle};
use leadyard_market::import::{
    LeadImport, Mapping, Progress, Refused, RefusedFile, import_conversions, import_leads, import_postal_codes,
};
use leadyard_market::{Market, MarketSettings};
use leadyard_types::{Principal, SourceId, SystemTask};

use crate::app::open_store;
use crate::config::Config;

const OPERATE: Principal = Principal::System(SystemTask::Operate);

/// Arguments of `import`.
#[derive(Debug, clap::Args)]
pub(super) struct ImportArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Leads from a CSV file; running it again is safe.
    Leads {
        /// The file: comma, semicolon, tab or pipe; UTF-8, UTF-16 or Windows-1252.
        file: PathBuf,
        /// The source they count as: its id or its name.
        #[arg(long)]
        source: String,
        /// Which column is which field (TOML).
        #[arg(long)]
        mapping: PathBuf,
        /// Write refused rows with line numbers and reasons to this CSV file.
        #[arg(long)]
        refused: Option<PathBuf>,
        /// Check as far as possible and store nothing.
        #[arg(long)]
        dry_run: bool,
        /// Answer as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Postal codes with their places: GeoNames' own format, or its seven columns with headings.
    PostalCodes {
        /// The file.
        file: PathBuf,
    },
    /// What buyers report about leads they bought.
    Conversions {
        /// The file.
        file: PathBuf,
        /// The source whose external ids the file names.
        #[arg(long)]
        source: Option<String>,
        /// Where kind, value and date stand (TOML, `[conversion]`).
        #[arg(long)]
        mapping: Option<PathBuf>,
        /// Answer as JSON.
        #[arg(long)]
        json: bool,
    },
}

/// Runs `import`.
pub(super) async fn run(config: &Config, args: &ImportArgs) -> anyhow::Result<ExitCode> {
    let market = Market::start(open_store(config).await?, MarketSettings::default()).await?;
    match &args.what {
        What::Leads { file, source, mapping, refused, dry_run, json } => {
            let mapping = read_mapping(mapping)?;
            let plan = LeadImport {
                market: &market,
                principal: OPERATE,
                source_id: source_named(&market, source)?,
                mapping: &mapping,
                dry_run: *dry_run,
            };
            let mut sink = refused_file(refused.as_deref())?;
            let mut bar = Bar::new();
            let summary = import_leads(&plan, open(file)?, sink.as_mut(), &mut bar).await?;
            bar.finish();
            print(*json, &summary)?;
        }
        What::PostalCodes { file } => {
            let mut bar = Bar::new();
            let summary = import_postal_codes(
                market.store(),
                OPERATE,
                open(file)?,
                &mut RefusedFile::begin(io::sink())?,
                &mut bar,
            )
            .await?;
            bar.finish();
            print(false, &summary)?;
        }
        What::Conversions { file, source, mapping, json } => {
            let mapping = mapping.as_deref().map(read_mapping).transpose()?;
            let source = source.as_deref().map(|named| source_named(&market, named)).transpose()?;
            let mut bar = Bar::new();
            let mut sink = RefusedFile::begin(io::sink())?;
            let summary =
                import_conversions(&market, OPERATE, source, mapping.as_ref(), open(file)?, &mut sink, &mut bar)
                    .await?;
            bar.finish();
            print(*json, &summary)?;
        }
    }
    market.store().close().await;
    Ok(ExitCode::SUCCESS)
}

fn open(path: &Path) -> anyhow::Result<File> {
    File::open(path).with_context(|| format!("{} cannot be read", path.display()))
}

fn read_mapping(path: &Path) -> anyhow::Result<Mapping> {
    let text = std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
    toml::from_str(&text).with_context(|| format!("{} is not as expected", path.display()))
}

fn source_named(market: &Arc<Market>, named: &str) -> anyhow::Result<SourceId> {
    let snapshot = market.snapshot();
    if let Ok(id) = named.parse::<SourceId>()
        && snapshot.sources.contains_key(&id)
    {
        return Ok(id);
    }
    let found: Vec<SourceId> =
        snapshot.sources.values().filter(|source| source.name == named).map(|source| source.id).collect();
    match found.as_slice() {
        [id] => Ok(*id),
        [] => bail!("there is no source `{named}`"),
        _ => bail!("several sources are called `{named}`: name one by its id"),
    }
}

fn refused_file(path: Option<&Path>) -> anyhow::Result<Box<dyn Refused>> {
    Ok(match path {
        Some(path) => {
            let file = File::create(path).with_context(|| format!("{} cannot be written", path.display()))?;
            Box::new(RefusedFile::begin(file)?)
        }
        None => Box::new(RefusedFile::begin(io::sink())?),
    })
}

/// JSON on one line for machines, spread out for people.
fn print<T: serde::Serialize>(json: bool, summary: &T) -> anyhow::Result<()> {
    let text = if json { serde_json::to_string(summary)? } else { serde_json::to_string_pretty(summary)? };
    println!("{text}");
    Ok(())
}

/// A progress bar on a terminal, nothing elsewhere.
struct Bar(Option<ProgressBar>);

impl Bar {
    fn new() -> Self {
        let style =
            ProgressStyle::with_template("{bar:40} {percent}%  {msg}").unwrap_or_else(|_| ProgressStyle::default_bar());
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
