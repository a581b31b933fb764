//! `leadyard import`.

mod report;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use leadyard_connectors::OutboundPolicy;
use leadyard_market::import::{
    LeadImport, Mapping, Refused, RefusedFile, SuppressionImport, import_ad_spend, import_conversions, import_leads,
    import_postal_codes, import_suppression,
};
use leadyard_market::{Market, MarketSettings};
use leadyard_types::{Principal, SystemTask};

use crate::app::{connectors, open_store};
use crate::config::Config;

use super::names::{campaign_named, source_named};
use report::{Bar, Figures};

const OPERATE: Principal = Principal::System(SystemTask::Operate);

/// Arguments of `import`.
#[derive(Debug, Args)]
pub(super) struct ImportArgs {
    #[command(subcommand)]
    what: What,
}

/// What every import takes.
#[derive(Debug, Args)]
struct FileArgs {
    /// The file: comma, semicolon, tab or pipe; UTF-8, UTF-16 or Windows-1252.
    file: PathBuf,
    /// Write refused rows with line number, check, codes and reasons to this CSV file.
    #[arg(long, value_name = "FILE")]
    refused: Option<PathBuf>,
    /// Answer as JSON on one line.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Leads from a CSV file; running it again is safe.
    Leads(LeadArgs),
    /// Postal codes with their places: GeoNames' own format, or its seven columns with headings.
    #[command(visible_alias = "postal")]
    PostalCodes(FileArgs),
    /// People who must not be taken in: columns headed `email` or `phone`, or one column without a heading.
    Suppression(SuppressionArgs),
    /// What ads cost: headings `day`, `amount` and `source`; a corrected figure books the difference.
    AdSpend(AdSpendArgs),
    /// What buyers report about leads they bought.
    Conversions(ConversionArgs),
}

#[derive(Debug, Args)]
struct LeadArgs {
    #[command(flatten)]
    file: FileArgs,
    /// The source they count as: its id or its name.
    #[arg(long)]
    source: String,
    /// Which column is which field (TOML).
    #[arg(long, value_name = "FILE")]
    mapping: PathBuf,
    /// Check as far as possible and store nothing.
    #[arg(long)]
    dry_run: bool,
}

#[derive(Debug, Args)]
struct SuppressionArgs {
    #[command(flatten)]
    file: FileArgs,
    /// Only for this campaign, by its id or its name; everywhere where not given.
    #[arg(long)]
    campaign: Option<String>,
    /// The country of phone numbers without a country code, such as DE; the campaign's where not given.
    #[arg(long)]
    country: Option<String>,
    /// Why they are on the list, for the record.
    #[arg(long, default_value = "imported")]
    reason: String,
}

#[derive(Debug, Args)]
struct AdSpendArgs {
    #[command(flatten)]
    file: FileArgs,
    /// The source that all figures are of, by its id or its name; without it the file has a column `source`.
    #[arg(long)]
    source: Option<String>,
}

#[derive(Debug, Args)]
struct ConversionArgs {
    #[command(flatten)]
    file: FileArgs,
    /// The source whose external ids the file names.
    #[arg(long)]
    source: Option<String>,
    /// Where kind, value and date stand (TOML, `[conversion]`).
    #[arg(long, value_name = "FILE")]
    mapping: Option<PathBuf>,
}

/// Runs `import`.
pub(super) async fn run(config: &Config, args: &ImportArgs) -> anyhow::Result<ExitCode> {
    // What can be wrong with the command itself is said before the database is touched.
    let (file, mapping) = match &args.what {
        What::Leads(args) => (&args.file, Some(args.mapping.as_path())),
        What::PostalCodes(file) => (file, None),
        What::Suppression(args) => (&args.file, None),
        What::AdSpend(args) => (&args.file, None),
        What::Conversions(args) => (&args.file, args.mapping.as_deref()),
    };
    let mapping = mapping.map(read_mapping).transpose()?;
    let opened = open(&file.file)?;
    let market = Market::start(open_store(config).await?, MarketSettings::default()).await?;
    // Imported leads may be auctioned too.
    market.connect(connectors(config, OutboundPolicy::new(config.production))?);
    let done = import(&market, &args.what, file, opened, mapping.as_ref()).await;
    market.store().close().await;
    done?;
    Ok(ExitCode::SUCCESS)
}

async fn import(
    market: &Arc<Market>,
    what: &What,
    file: &FileArgs,
    opened: File,
    mapping: Option<&Mapping>,
) -> anyhow::Result<()> {
    let plain = Mapping::default();
    let mut bar = Bar::new();
    let named = |source: &Option<String>| source.as_deref().map(|named| source_named(market, named)).transpose();
    match what {
        What::Leads(args) => {
            let source_id = source_named(market, &args.source)?;
            let mapping = mapping.unwrap_or(&plain);
            let plan = LeadImport { market, principal: OPERATE, source_id, mapping, dry_run: args.dry_run };
            let mut refused = refused_file(file)?;
            let figures = Figures::begin();
            let summary = import_leads(&plan, opened, refused.as_mut(), &mut bar).await?;
            report::leads(file, &summary, &figures.end(), &bar)
        }
        What::PostalCodes(_) => {
            let mut refused = refused_file(file)?;
            let figures = Figures::begin();
            let summary = import_postal_codes(market.store(), OPERATE, opened, refused.as_mut(), &mut bar).await?;
            report::others(file, &summary, &figures.end(), &bar)
        }
        What::Suppression(args) => {
            let campaign_id = args.campaign.as_deref().map(|named| campaign_named(market, named)).transpose()?;
            let (country, reason) = (args.country.as_ref().map(|it| it.to_uppercase()), args.reason.clone());
            let plan = SuppressionImport { market, principal: OPERATE, campaign_id, country, reason };
            let mut refused = refused_file(file)?;
            let figures = Figures::begin();
            let summary = import_suppression(&plan, opened, refused.as_mut(), &mut bar).await?;
            report::others(file, &summary, &figures.end(), &bar)
        }
        What::AdSpend(args) => {
            let source_id = named(&args.source)?;
            let mut refused = refused_file(file)?;
            let figures = Figures::begin();
            let summary = import_ad_spend(market, OPERATE, source_id, opened, refused.as_mut(), &mut bar).await?;
            report::others(file, &summary, &figures.end(), &bar)
        }
        What::Conversions(args) => {
            let source_id = named(&args.source)?;
            let mut refused = refused_file(file)?;
            let figures = Figures::begin();
            let summary =
                import_conversions(market, OPERATE, source_id, mapping, opened, refused.as_mut(), &mut bar).await?;
            report::others(file, &summary, &figures.end(), &bar)
        }
    }
}

fn open(path: &Path) -> anyhow::Result<File> {
    let file = File::open(path).with_context(|| format!("{} cannot be read", path.display()))?;
    if file.metadata().is_ok_and(|facts| facts.is_dir()) {
        bail!("{} is a folder; a file is expected", path.display());
    }
    Ok(file)
}

fn read_mapping(path: &Path) -> anyhow::Result<Mapping> {
    let text = std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
    toml::from_str(&text).with_context(|| format!("{} is not as expected", path.display()))
}

fn refused_file(args: &FileArgs) -> anyhow::Result<Box<dyn Refused>> {
    let Some(path) = &args.refused else { return Ok(Box::new(())) };
    let begin = || RefusedFile::begin(File::create(path)?);
    Ok(Box::new(begin().with_context(|| format!("{} cannot be written", path.display()))?))
}
