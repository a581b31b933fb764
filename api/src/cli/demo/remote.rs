//! `leadyard demo --server URL`: only sends leads, to a server that runs elsewhere and may go away in between.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use leadyard_connectors::LeadSender;
use leadyard_types::{Clock, SystemClock};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{DemoArgs, progress, rfc3339};
use crate::demo::people::{Dice, Quality, Topic, enquiry};

/// How long a server may be away: longer than a restart takes.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long to wait before a lead is sent again.
const PAUSE: Duration = Duration::from_millis(50);
/// Room for so many leads of one seed: another seed sends other people.
const LEADS_PER_SEED: u64 = 1_000_000;

/// Sends leads one after the other, each until it is answered: the same idempotency key makes that safe.
pub(super) async fn send(server: &str, args: &DemoArgs) -> anyhow::Result<ExitCode> {
    let key = std::env::var("LEADYARD_API_KEY")
        .context("put the key of one of the server's sources into LEADYARD_API_KEY (leadyard key create SOURCE)")?;
    let sender = LeadSender::new(server, Some(key.into()))?;
    let mut dice = Dice::new(args.seed);
    let quality = Quality { broken: 2, no_consent: 1, repeated: 0 };
    let now = rfc3339(SystemClock.now());
    let (mut repeated, mut tries, mut ids) = (0_u64, 0_u64, Vec::new());
    let progress = progress(args);
    for number in 0..args.leads {
        let person = args.seed.wrapping_mul(LEADS_PER_SEED).wrapping_add(number);
        let body = enquiry(&mut dice, Topic::Solar, quality, person, &now);
        let answer = acknowledged(&sender, &body, &format!("demo-{person}"), &mut tries).await?;
        repeated += u64::from(answer["repeated"] == true);
        ids.push(answer["lead_id"].clone());
        if let Some(progress) = &progress {
            progress.inc(1);
        }
    }
    if let Some(progress) = progress {
        progress.finish_and_clear();
    }
    let acknowledged = ids.len() as u64;
    if args.json {
        println!("{}", json!({ "acknowledged": acknowledged, "repeated": repeated, "tries": tries, "lead_ids": ids }));
    } else {
        println!(
            "{acknowledged} leads acknowledged by {server}, in {tries} tries; {repeated} were known there already."
        );
    }
    Ok(ExitCode::SUCCESS)
}

/// Sends a lead until it is answered. What another try would not change is an error.
async fn acknowledged(sender: &LeadSender, body: &Value, key: &str, tries: &mut u64) -> anyhow::Result<Value> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        *tries += 1;
        let failure = match sender.send_json("/v1/leads", body, Some(key)).await {
            Ok((200, answer)) => return Ok(answer),
            Ok((status @ (408 | 429 | 500..=599), answer)) => format!("it answered {status}: {answer}"),
            Ok((status, answer)) => bail!("the server answered {status}: {answer}"),
            Err(failure) => failure.to_string(),
        };
        if Instant::now() >= deadline {
            bail!("the server at {} did not take a lead for a minute: {failure}", sender.address());
        }
        tokio::time::sleep(PAUSE).await;
    }
}
