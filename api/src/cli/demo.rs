//! `leadyard demo`: a believable market in one command, with nothing else installed.

mod remote;

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, bail};
use chrono::{Duration, TimeZone, Utc};
use indicatif::{ProgressBar, ProgressStyle};
use leadyard_connectors::fake::FakeReceiver;
use leadyard_connectors::{LeadSender, OutboundPolicy};
use leadyard_entity::Store;
use leadyard_entity::auth::NewUser;
use leadyard_entity::reports::{ProfitBy, Totals};
use leadyard_jobs::JobsOptions;
use leadyard_market::doctor::{Report, examine};
use leadyard_types::{Clock, Currency, ManualClock, Money, Principal, Role, SeededIds, SystemTask, Timestamp};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::app::{App, connectors, open_store_with};
use crate::config::{Config, default_listen};
use crate::demo::market::{DemoMarket, DemoSource, make};
use crate::demo::people::{Dice, enquiry};
use crate::demo::tour;
use crate::http::server::Server;

use super::serve::wait_for_stop;

const OPERATE: Principal = Principal::System(SystemTask::Operate);
/// The login of the demo's administrator.
const ADMIN: &str = "admin@demo.example";
/// The password of the demo's printed logins; the demo refuses databases that are not its own.
const DEMO_PASSWORD: &str = "leadyard-demo";

/// Arguments of `demo`.
#[derive(Debug, clap::Args)]
pub(super) struct DemoArgs {
    /// Where to listen.
    #[arg(long, env = "LEADYARD_LISTEN", default_value_t = default_listen())]
    listen: SocketAddr,
    /// How many leads to send.
    #[arg(long, default_value_t = 300)]
    leads: u64,
    /// The same seed gives the same market and the same outcome.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// End when everything is delivered, instead of staying up.
    #[arg(long)]
    exit: bool,
    /// Print one JSON line at the end and nothing else.
    #[arg(long)]
    json: bool,
    /// Only send leads of the demo's solar source to a server that runs elsewhere, with a source's key in
    /// LEADYARD_API_KEY; each is sent until it is answered.
    #[arg(long, value_name = "URL")]
    server: Option<String>,
}

/// Runs the demo.
pub(super) async fn run(config: &Config, args: &DemoArgs) -> anyhow::Result<ExitCode> {
    if let Some(server) = &args.server {
        return remote::send(server, args).await;
    }
    // Said before anything is made in a database.
    drop(TcpListener::bind(args.listen).await.with_context(|| cannot_listen(args.listen))?);
    // A Monday morning in Berlin; from here on the demo's clock moves only with its leads.
    let start = Utc.with_ymd_and_hms(2026, 3, 2, 6, 0, 0).single().context("the demo's start")?;
    let clock = Arc::new(ManualClock::starting_at(start));
    let store = open_empty(config, &clock, args).await?;
    let receiver = FakeReceiver::start().await?;
    let policy = OutboundPolicy::new(false).allowing(receiver.address());
    let market = make(&store, policy.clone(), &receiver).await?;
    // One task at a time: what happens follows from the seed alone.
    let jobs = JobsOptions { concurrency: 1, poll: std::time::Duration::from_millis(20), ..JobsOptions::default() };
    let app = App::start(store.clone(), connectors(config, policy.clone())?, Some(jobs)).await?;
    let server =
        Server::start(args.listen, app.router(policy, true)?).await.with_context(|| cannot_listen(args.listen))?;
    app.market.known_as(&format!("http://{}", server.address));
    let began = tokio::time::Instant::now();
    send_all(&app, &clock, &market, server.address, args).await?;
    drain(&app, &store, &clock).await?;
    create_logins(&store, &market).await?;
    complaints(&clock, server.address, args).await?;
    drain(&app, &store, &clock).await?;
    let summary = Summary::of(&store, began.elapsed()).await?;
    summary.print(args.json)?;
    if !args.exit {
        leave_up(&store, &market, server.address, &clock).await?;
        wait_for_stop().await;
    }
    server.shutdown().await;
    app.stop().await;
    Ok(if summary.report.ok { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn cannot_listen(address: SocketAddr) -> String {
    format!("{address} cannot be listened on; choose another with --listen, or port 0 for any")
}

/// The demo prints its logins, so it never touches a database with anything in it. That of an earlier demo begins anew:
/// the same seed gives the same outcome.
async fn open_empty(config: &Config, clock: &Arc<ManualClock>, args: &DemoArgs) -> anyhow::Result<Store> {
    let open = || open_store_with(config, clock.clone(), Arc::new(SeededIds::new(args.seed)));
    let shown = crate::app::without_password(&config.database_url);
    let mut store = open().await?;
    let read = store.read(OPERATE);
    if read.config_version().await?.config > 0 || read.is_demo().await? {
        if !read.is_demo().await? {
            bail!(
                "{shown} is not empty and not a demo's; the demo wants a database of its own, for example \
                 DATABASE_URL=sqlite://demo.sqlite"
            );
        }
        if !args.json {
            println!("{shown} is an earlier demo's: it begins anew.");
        }
        store.erase_demo(&read).await?;
        store = open().await?;
    }
    let write = store.write(OPERATE).await?;
    write.mark_demo(args.seed).await?;
    let _ = write.commit().await?;
    Ok(store)
}

/// Sends the leads strictly one after the other, each when everything before it is settled.
async fn send_all(
    app: &App,
    clock: &ManualClock,
    market: &DemoMarket,
    address: SocketAddr,
    args: &DemoArgs,
) -> anyhow::Result<()> {
    let mut dice = Dice::new(args.seed);
    let base = LeadSender::new(&format!("http://{address}"), None)?;
    let senders: Vec<(LeadSender, &DemoSource)> =
        market.sources.iter().map(|source| (base.with_api_key(source.key.clone().into()), source)).collect();
    let progress = progress(args);
    for number in 0..args.leads {
        clock.advance(Duration::seconds(i64::try_from(20 + dice.below(100)).unwrap_or(60)));
        let (sender, source) = dice.pick(&senders).clone();
        let body = enquiry(&mut dice, source.topic, source.quality, number, &rfc3339(clock.now()));
        let key = format!("demo-{number}");
        let (status, answer) = sender.send_json("/v1/leads", &body, Some(&key)).await?;
        if status != 200 {
            bail!("lead {number} was answered {status}: {answer}");
        }
        settle(app).await?;
        if let Some(progress) = &progress {
            progress.set_message(answer["status"].as_str().unwrap_or_default().to_owned());
            progress.inc(1);
        }
    }
    if let Some(progress) = progress {
        progress.finish_and_clear();
    }
    Ok(())
}

async fn settle(app: &App) -> anyhow::Result<()> {
    if let Some(jobs) = &app.jobs {
        jobs.idle().await?;
    }
    Ok(())
}

fn rfc3339(moment: Timestamp) -> String {
    moment.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}

fn progress(args: &DemoArgs) -> Option<ProgressBar> {
    if args.json {
        return None;
    }
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} leads  {msg}")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    Some(ProgressBar::new(args.leads).with_style(style))
}

/// Moves the clock to whatever is due next until every delivery and every queued lead has come to an end.
async fn drain(app: &App, store: &Store, clock: &ManualClock) -> anyhow::Result<()> {
    /// More steps than retries could ever take.
    const STEPS: usize = 1_000_000;
    for _ in 0..STEPS {
        settle(app).await?;
        match store.read(OPERATE).next_task_at().await? {
            Some(due) => clock.advance_to(due),
            None => return Ok(()),
        }
    }
    bail!("the demo did not come to an end")
}

struct Summary {
    totals: Totals,
    report: Report,
    profit: Vec<leadyard_entity::reports::ProfitLine>,
    duration: std::time::Duration,
}

impl Summary {
    async fn of(store: &Store, duration: std::time::Duration) -> anyhow::Result<Self> {
        let read = store.read(OPERATE);
        Ok(Self {
            totals: read.totals().await?,
            report: examine(store).await?,
            profit: read.profit_and_loss("0000-00-00", "9999-99-99", ProfitBy::Campaign).await?,
            duration,
        })
    }

    fn print(&self, as_json: bool) -> anyhow::Result<()> {
        if as_json {
            println!("{}", self.json());
            return Ok(());
        }
        let totals = &self.totals;
        println!("{:<28}{:>14}{:>14}{:>14}{:>14}", "campaign", "revenue", "credits", "payout", "profit");
        for line in &self.profit {
            let currency: Currency = line.currency.parse()?;
            let money = |amount| Money::new(amount, currency).to_string();
            let name = line.name.as_deref().unwrap_or("(none)");
            println!(
                "{name:<28}{:>14}{:>14}{:>14}{:>14}",
                money(line.revenue_minor),
                money(line.credits_minor),
                money(line.payout_minor),
                money(line.profit_minor())
            );
        }
        let rate = |part: i64, whole: i64| format!("{:.1} %", 100.0 * as_float(part) / as_float(whole.max(1)));
        println!(
            "\n{} leads: {} sold, {} unsold, {} rejected, {} queued. {} sales. Sales rate {}, complaint rate {}.",
            totals.received,
            totals.sold,
            totals.unsold,
            totals.rejected,
            totals.queued,
            totals.sales,
            rate(totals.sold, totals.received),
            rate(totals.complaints, totals.sales)
        );
        println!("Deliveries: {} accepted, {} failed, {} pending.", totals.accepted, totals.failed, totals.pending);
        let proven = if self.report.ok { "every proof holds" } else { "A PROOF FAILED: run leadyard doctor" };
        println!("The books: sum of all balances {}, {proven}.", self.report.ledger_sum);
        Ok(())
    }

    /// The sums of each currency; those of the whole count minor units of every currency alike, and serve to compare
    /// runs only.
    fn by_currency(&self) -> Value {
        let mut sums: std::collections::BTreeMap<&str, [i64; 4]> = std::collections::BTreeMap::new();
        for line in &self.profit {
            let sum = sums.entry(line.currency.as_str()).or_default();
            let figures = [line.revenue_minor, line.credits_minor, line.payout_minor, line.profit_minor()];
            sum.iter_mut().zip(figures).for_each(|(sum, figure)| *sum += figure);
        }
        let named = sums.into_iter().map(|(currency, [revenue, credits, payout, profit])| {
            let figures = json!({ "revenue_minor": revenue, "credits_minor": credits, "payout_minor": payout,
                "profit_minor": profit });
            (currency.to_owned(), figures)
        });
        Value::Object(named.collect())
    }

    fn json(&self) -> Value {
        let totals = &self.totals;
        let sum = |of: fn(&leadyard_entity::reports::ProfitLine) -> i64| self.profit.iter().map(of).sum::<i64>();
        json!({
            "received": totals.received, "rejected": totals.rejected, "quarantined": totals.quarantined,
            "sold": totals.sold, "unsold": totals.unsold, "queued": totals.queued, "sales": totals.sales,
            "complaints": { "opened": totals.complaints, "upheld": totals.upheld, "refused": totals.refused,
                "open": totals.complaints - totals.upheld - totals.refused },
            "credits_minor": sum(|line| line.credits_minor),
            "revenue_minor": sum(|line| line.revenue_minor), "payout_minor": sum(|line| line.payout_minor),
            "profit_minor": sum(leadyard_entity::reports::ProfitLine::profit_minor),
            "by_currency": self.by_currency(),
            "deliveries": { "accepted": totals.accepted, "failed": totals.failed, "pending": totals.pending },
            "ledger_sum": self.report.ledger_sum, "books_ok": self.report.ok,
            "duration_ms": u64::try_from(self.duration.as_millis()).unwrap_or(u64::MAX),
        })
    }
}

#[allow(clippy::cast_precision_loss, reason = "a rate for people to read")]
fn as_float(number: i64) -> f64 {
    number as f64
}

/// The printed logins.
async fn create_logins(store: &Store, market: &DemoMarket) -> anyhow::Result<()> {
    let write = store.write(OPERATE).await?;
    for (email, role, buyer_id) in [
        (ADMIN, Role::Admin, None),
        ("analyst@demo.example", Role::Analyst, None),
        ("buyer@demo.example", Role::BuyerAdmin, Some(market.buyer)),
    ] {
        let new = NewUser {
            email: email.to_owned(),
            name: email.split('@').next().unwrap_or_default().to_owned(),
            role,
            buyer_id,
            supplier_id: None,
            password: DEMO_PASSWORD.to_owned(),
        };
        write.create_user(new).await?;
    }
    let _ = write.commit().await?;
    Ok(())
}

/// A day later the buyers have called their leads, and some complain.
async fn complaints(clock: &ManualClock, address: SocketAddr, args: &DemoArgs) -> anyhow::Result<()> {
    clock.advance(Duration::days(1));
    let sender = LeadSender::new(&format!("http://{address}"), None)?;
    let question = "mutation($input: SessionCreateInput!) { sessionCreate(input: $input) { session { token } } }";
    let input = json!({ "input": { "email": ADMIN, "password": DEMO_PASSWORD } });
    let (status, answer) = sender.graphql(question, input, None).await?;
    let Some(token) = answer["data"]["sessionCreate"]["session"]["token"].as_str() else {
        bail!("the demo's administrator could not sign in: {status}");
    };
    crate::demo::complaints::complain(&sender, token, clock, args.seed).await
}

/// Prints what to try, and lets the demo's clock go on from now.
async fn leave_up(
    store: &Store,
    market: &DemoMarket,
    address: SocketAddr,
    clock: &Arc<ManualClock>,
) -> anyhow::Result<()> {
    /// Nothing that is waited for needs to be met more exactly.
    const STEP: std::time::Duration = std::time::Duration::from_millis(100);
    clock.advance_to(leadyard_types::SystemClock.now());
    let running = Arc::clone(clock);
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(STEP).await;
            running.advance_to(leadyard_types::SystemClock.now());
        }
    });
    let session = store.sign_in(ADMIN, DEMO_PASSWORD).await?.context("the demo's administrator cannot sign in")?;
    if let Some(source) = market.sources.first() {
        println!("{}", tour::text(address, source, &session.token, DEMO_PASSWORD));
    }
    Ok(())
}
