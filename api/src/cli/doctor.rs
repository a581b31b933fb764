//! `leadyard doctor`.

use std::process::ExitCode;

use leadyard_market::doctor::examine;

use crate::app::open_store;
use crate::config::Config;

/// Arguments of `doctor`.
#[derive(Debug, clap::Args)]
pub(super) struct DoctorArgs {
    /// Answer as JSON.
    #[arg(long)]
    json: bool,
}

/// Examines the database; fails if a proof does.
pub(super) async fn run(config: &Config, args: &DoctorArgs) -> anyhow::Result<ExitCode> {
    let store = open_store(config).await?;
    let report = examine(&store).await?;
    store.close().await;
    if args.json {
        println!("{}", serde_json::to_string(&report)?);
    } else {
        for proof in &report.proofs {
            println!("{} {}", if proof.ok { "ok   " } else { "WRONG" }, proof.name);
            if let Some(advice) = &proof.advice {
                println!("      {} found; {advice}", proof.faults);
                for row in &proof.rows {
                    println!("      {row}");
                }
            }
        }
        println!("audit: {} rows", report.audit_rows);
        for books in &report.books {
            println!("books {}: {} transfers, sum of balances {}", books.currency, books.transfers, books.sum_minor);
        }
    }
    Ok(if report.ok { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
