//! The application: store, market, connectors and workers, opened together and closed in order.

use std::sync::Arc;

use anyhow::Context;
use leadyard_connectors::{Connectors, OutboundPolicy, PostOffice, SmtpSecurity, SmtpSettings, install_crypto};
use leadyard_entity::{MasterKeys, Store, StoreOptions};
use leadyard_jobs::{Jobs, JobsOptions};
use leadyard_market::{Market, MarketSettings};
use leadyard_types::{Clock, Ids, RandomIds, SystemClock};
use secrecy::{ExposeSecret as _, SecretString};

use crate::config::{Config, MailSection, SmtpSection};
use crate::graphql::{self, GraphqlState, Operations};
use crate::http::{self, HttpState};

/// Opens the store of a configuration with the machine's clock and random ids.
pub async fn open_store(config: &Config) -> anyhow::Result<Store> {
    open_store_with(config, Arc::new(SystemClock), Arc::new(RandomIds)).await
}

/// Opens the store with a given clock and ids.
pub async fn open_store_with(config: &Config, clock: Arc<dyn Clock>, ids: Arc<dyn Ids>) -> anyhow::Result<Store> {
    let master_keys = MasterKeys::load_or_create(&config.master_key_file)?;
    let options =
        StoreOptions { url: config.database_url.clone(), max_connections: config.max_connections, master_keys };
    Store::open(options, clock, ids).await.with_context(|| {
        format!("the database {} could not be opened; is the address right?", without_password(&config.database_url))
    })
}

/// A database address that can be shown.
#[must_use]
pub fn without_password(url: &str) -> String {
    match url.split_once("://").and_then(|(scheme, rest)| Some((scheme, rest.rsplit_once('@')?.1))) {
        Some((scheme, rest)) => format!("{scheme}://…@{rest}"),
        None => url.to_owned(),
    }
}

/// Sets up the way out.
pub fn connectors(config: &Config, policy: OutboundPolicy) -> anyhow::Result<Arc<Connectors>> {
    install_crypto();
    let smtp = config.smtp.as_ref().map(smtp_settings).transpose()?;
    let connectors = Connectors::new(policy, smtp.as_ref())?;
    let Some(mail) = &config.mail else { return Ok(Arc::new(connectors)) };
    let office = PostOffice::new(&mail_settings(mail, smtp)?, &mail.links_to)?;
    Ok(Arc::new(connectors.with_post(office)))
}

/// The mail server of letters: its own, or that of leads.
fn mail_settings(mail: &MailSection, smtp: Option<SmtpSettings>) -> anyhow::Result<SmtpSettings> {
    let from = mail.from.clone().or_else(|| smtp.as_ref().map(|smtp| smtp.from.clone())).unwrap_or_default();
    let Some(url) = &mail.url else {
        let smtp = smtp.context("mail.url is expected where there is no [smtp]")?;
        return Ok(SmtpSettings { from, ..smtp });
    };
    let read = SmtpSettings::from_url(url.expose_secret(), &from);
    let mut settings = read.map_err(|problem| anyhow::anyhow!("mail.{}: {}", problem.field, problem.message))?;
    settings.password = mail.password.clone().or(settings.password);
    Ok(settings)
}

fn smtp_settings(section: &SmtpSection) -> anyhow::Result<SmtpSettings> {
    let security = match section.security.as_str() {
        "starttls" => SmtpSecurity::Starttls,
        "tls" => SmtpSecurity::Tls,
        "plain" => SmtpSecurity::Plain,
        other => anyhow::bail!("smtp.security is `{other}`: starttls, tls or plain is expected"),
    };
    Ok(SmtpSettings {
        host: section.host.clone(),
        port: section.port,
        security,
        username: section.username.clone(),
        password: section.password.clone().map(Into::into),
        from: section.from.clone(),
    })
}

/// A running application.
#[derive(Debug)]
pub struct App {
    /// The market.
    pub market: Arc<Market>,
    /// The way out.
    pub connectors: Arc<Connectors>,
    /// The workers, where this process runs them.
    pub jobs: Option<Jobs>,
    /// What opens `/metrics` from elsewhere; without one only this machine reads it.
    pub metrics_token: Option<SecretString>,
    /// The GraphQL operations that are known beforehand.
    pub operations: Arc<Operations>,
}

impl App {
    /// Starts market and workers over an opened store.
    pub async fn start(store: Store, connectors: Arc<Connectors>, jobs: Option<JobsOptions>) -> anyhow::Result<Self> {
        let market = Market::start(store, MarketSettings::default()).await?;
        market.connect(Arc::clone(&connectors));
        let jobs = jobs.map(|options| Jobs::start(Arc::clone(&market), Arc::clone(&connectors), options));
        Ok(Self { market, connectors, jobs, metrics_token: None, operations: Arc::default() })
    }

    /// Everything that is served: the suppliers' doors, health, and GraphQL. `development` opens GraphiQL and lets
    /// anybody ask the schema about itself.
    pub fn router(&self, policy: OutboundPolicy, development: bool) -> anyhow::Result<axum::Router> {
        let graphql = GraphqlState::new(Arc::clone(&self.market), policy, development, Arc::clone(&self.operations))?;
        let state = HttpState {
            market: Arc::clone(&self.market),
            works: self.jobs.is_some(),
            metrics_token: self.metrics_token.clone(),
        };
        Ok(http::router(state).merge(graphql::router(graphql)))
    }

    /// Lets the workers finish, then closes the store.
    pub async fn stop(self) {
        if let Some(jobs) = self.jobs {
            jobs.shutdown().await;
        }
        self.market.store().close().await;
    }
}
