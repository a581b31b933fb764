//! Configuration: flags > environment > `leadyard.toml` > defaults.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use ipnet::IpNet;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

use crate::http::rates::RateLimits;
use crate::http::server::ServerLimits;

/// Where everything is unless said otherwise.
const DEFAULT_DATABASE: &str = "sqlite://leadyard.sqlite";

/// Shorter ones are guessed.
const METRICS_TOKEN_BYTES_MIN: usize = 16;

/// Options that every command takes.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct CommonArgs {
    /// The database: `sqlite://FILE` (created if missing) or `postgres://…`.
    #[arg(long, env = "DATABASE_URL", global = true, value_name = "URL", hide_env_values = true)]
    pub database_url: Option<String>,
    /// The file with the master keys; made beside a SQLite database if missing.
    #[arg(long, env = "LEADYARD_MASTER_KEY_FILE", global = true, value_name = "FILE")]
    pub master_key_file: Option<PathBuf>,
    /// The address the world knows this server by; anything but loopback makes it production.
    #[arg(long, env = "LEADYARD_PUBLIC_URL", global = true, value_name = "URL")]
    pub public_url: Option<String>,
    /// The configuration file.
    #[arg(long, env = "LEADYARD_CONFIG", global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// The mail server, as the configuration file names it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SmtpSection {
    /// Its host.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// `starttls`, `tls`, or `plain` (loopback only).
    pub security: String,
    /// The user, if it asks for one.
    pub username: Option<String>,
    /// The password; better in the environment as `LEADYARD_SMTP_PASSWORD`.
    pub password: Option<String>,
    /// The sender's address.
    pub from: String,
}

/// Letters to people who sign in, as the configuration file names them.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MailSection {
    /// The mail server: `smtps://user:password@host`, `smtp://host:587` (STARTTLS) or `smtp+plain://127.0.0.1:25`. Left out,
    /// it is that of `[smtp]`.
    pub url: Option<SecretString>,
    /// The sender's address; left out, that of `[smtp]`.
    pub from: Option<String>,
    /// The public address of the front end, where the links of letters lead.
    pub links_to: String,
    /// The password, from the environment alone: `LEADYARD_MAIL_PASSWORD`.
    #[serde(skip)]
    pub password: Option<SecretString>,
}

/// The limits of the server, as the configuration file names them. What is left out keeps its default; 0 is no limit.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct LimitsSection {
    /// Connections open at once.
    connections: Option<usize>,
    /// Requests a second with one key.
    per_key_per_second: Option<u32>,
    /// Requests a second without a key from one address.
    per_address_per_second: Option<u32>,
    /// Wrong keys a minute from one address.
    failures_per_minute: Option<u32>,
    /// Proxies whose `X-Forwarded-For` is believed, as addresses or networks. This machine's own are believed anyway.
    #[serde(default)]
    trusted_proxies: Vec<String>,
}

impl LimitsSection {
    fn limits(self) -> anyhow::Result<ServerLimits> {
        let usual = RateLimits::default();
        let network = |text: &String| {
            let address = text.parse::<IpAddr>().map(IpNet::from);
            let network = address.or_else(|_| text.parse::<IpNet>());
            network.with_context(|| {
                format!("limits.trusted_proxies: {text} is no address and no network such as 10.0.0.0/8")
            })
        };
        let rates = RateLimits {
            per_key_per_second: self.per_key_per_second.unwrap_or(usual.per_key_per_second),
            per_address_per_second: self.per_address_per_second.unwrap_or(usual.per_address_per_second),
            failures_per_minute: self.failures_per_minute.unwrap_or(usual.failures_per_minute),
            trusted_proxies: self.trusted_proxies.iter().map(network).collect::<anyhow::Result<_>>()?,
        };
        let mut limits = ServerLimits { rates: Some(rates), ..ServerLimits::default() };
        if let Some(connections) = self.connections {
            anyhow::ensure!(connections > 0, "limits.connections is 0: nobody could connect");
            limits.connections_max = connections;
        }
        Ok(limits)
    }
}

/// The GraphQL door, as the configuration file names it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GraphqlSection {
    /// The file of operations that are known beforehand: documents by their SHA-256, as JSON.
    pub operations: Option<PathBuf>,
    /// Whether no other operation runs.
    #[serde(default)]
    pub allow_list_only: bool,
}

/// The configuration file.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    database_url: Option<String>,
    master_key_file: Option<PathBuf>,
    public_url: Option<String>,
    max_connections: Option<u32>,
    smtp: Option<SmtpSection>,
    mail: Option<MailSection>,
    metrics_token: Option<SecretString>,
    #[serde(default)]
    limits: LimitsSection,
    #[serde(default)]
    graphql: GraphqlSection,
}

/// The configuration in force.
#[derive(Debug, Clone)]
pub struct Config {
    /// The database.
    pub database_url: String,
    /// The master key file.
    pub master_key_file: PathBuf,
    /// The public address.
    pub public_url: String,
    /// The most connections to PostgreSQL.
    pub max_connections: u32,
    /// The mail server.
    pub smtp: Option<SmtpSection>,
    /// Letters to people who sign in.
    pub mail: Option<MailSection>,
    /// What opens `/metrics` from elsewhere than this machine.
    pub metrics_token: Option<SecretString>,
    /// How much the server takes.
    pub limits: ServerLimits,
    /// The GraphQL door.
    pub graphql: GraphqlSection,
    /// Whether the world reaches this server: then plain http is refused.
    pub production: bool,
}

impl Config {
    /// Reads the configuration and checks that it fits together.
    pub fn load(args: &CommonArgs) -> anyhow::Result<Self> {
        let file = read_file(args.config.as_deref())?;
        let database_url =
            args.database_url.clone().or(file.database_url).unwrap_or_else(|| DEFAULT_DATABASE.to_owned());
        let master_key_file = args.master_key_file.clone().or(file.master_key_file);
        let master_key_file = master_key_file.map_or_else(|| default_key_file(&database_url), Ok)?;
        let public_url =
            args.public_url.clone().or(file.public_url).unwrap_or_else(|| "http://127.0.0.1:8080".to_owned());
        let production = !is_loopback(&public_url);
        if production && !public_url.starts_with("https://") {
            bail!("the public address {public_url} is not https: put a TLS proxy in front and name its https address");
        }
        let mut smtp = file.smtp;
        if let (Some(smtp), Ok(password)) = (&mut smtp, std::env::var("LEADYARD_SMTP_PASSWORD")) {
            smtp.password = Some(password);
        }
        let mail = file.mail.map(|mail| mail_section(mail, smtp.is_some(), production)).transpose()?;
        let max_connections = file.max_connections.unwrap_or(20);
        let limits = file.limits.limits()?;
        let metrics_token = std::env::var("LEADYARD_METRICS_TOKEN").ok().map(SecretString::from).or(file.metrics_token);
        if metrics_token.as_ref().is_some_and(|token| token.expose_secret().len() < METRICS_TOKEN_BYTES_MIN) {
            bail!("the metrics token is too short to keep anybody out: {METRICS_TOKEN_BYTES_MIN} characters at least");
        }
        let graphql = file.graphql;
        if graphql.allow_list_only && graphql.operations.is_none() {
            bail!("graphql.allow_list_only needs graphql.operations: without that file no operation could run");
        }
        Ok(Self {
            database_url,
            master_key_file,
            public_url,
            max_connections,
            smtp,
            mail,
            metrics_token,
            limits,
            graphql,
            production,
        })
    }
}

/// Letters need a mail server, and links that nobody reads on their way.
fn mail_section(mut mail: MailSection, has_smtp: bool, production: bool) -> anyhow::Result<MailSection> {
    if !has_smtp && (mail.url.is_none() || mail.from.is_none()) {
        bail!(
            "mail.url and mail.from are expected where there is no [smtp]: the mail server, and the sender's address"
        );
    }
    if production && !mail.links_to.starts_with("https://") {
        bail!("mail.links_to is not https: links hold secrets; name the https address of the front end");
    }
    mail.password = std::env::var("LEADYARD_MAIL_PASSWORD").ok().map(SecretString::from);
    Ok(mail)
}

fn read_file(named: Option<&Path>) -> anyhow::Result<File> {
    let path = named.unwrap_or(Path::new("leadyard.toml"));
    match std::fs::read_to_string(path) {
        Ok(text) => toml::from_str(&text).with_context(|| format!("{} is not as expected", path.display())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && named.is_none() => Ok(File::default()),
        Err(error) => Err(error).with_context(|| format!("{} cannot be read", path.display())),
    }
}

/// Beside the SQLite database; with PostgreSQL in the user's configuration folder.
fn default_key_file(database_url: &str) -> anyhow::Result<PathBuf> {
    if let Some(path) = database_url.strip_prefix("sqlite:") {
        let path = path.trim_start_matches("//").split('?').next().unwrap_or_default();
        return Ok(PathBuf::from(format!("{path}.key")));
    }
    let folder = std::env::var_os("XDG_CONFIG_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".config")));
    let folder = folder.context("no home folder: name the master key file with LEADYARD_MASTER_KEY_FILE")?;
    Ok(folder.join("leadyard").join("master.key"))
}

fn is_loopback(url: &str) -> bool {
    let host = url.split("://").nth(1).unwrap_or(url).split('/').next().unwrap_or_default();
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name).trim_matches(['[', ']']);
    name == "localhost" || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Where servers listen unless told otherwise.
#[must_use]
pub fn default_listen() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 8080))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The limits of the file are those of the server; what is left out is as usual, what makes no sense is named.
    #[test]
    fn limits_come_from_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("leadyard.toml");
        let load = |text: &str| {
            std::fs::write(&path, text).unwrap();
            Config::load(&CommonArgs { config: Some(path.clone()), ..CommonArgs::default() })
        };
        let limits = load("").unwrap().limits;
        assert_eq!(limits, ServerLimits { rates: Some(RateLimits::default()), ..ServerLimits::default() });
        let text =
            "[limits]\nconnections = 7\nper_key_per_second = 0\ntrusted_proxies = [\"10.0.0.0/8\", \"192.0.2.1\"]";
        let limits = load(text).unwrap().limits;
        let rates = limits.rates.unwrap();
        assert_eq!((limits.connections_max, rates.per_key_per_second, rates.per_address_per_second), (7, 0, 50));
        assert_eq!(rates.trusted_proxies, ["10.0.0.0/8".parse().unwrap(), "192.0.2.1/32".parse().unwrap()]);
        for (text, named) in [
            ("[limits]\nconnections = 0", "limits.connections"),
            ("[limits]\ntrusted_proxies = [\"proxy\"]", "limits.trusted_proxies"),
            ("[limits]\nper_key = 5", "leadyard.toml"),
            ("[graphql]\nallow_list_only = true", "graphql.operations"),
            ("[mail]\nlinks_to = \"https://a.example\"", "mail.url"),
            (
                "public_url = \"https://a.example\"\n[mail]\nurl = \"smtps://b.example\"\nfrom = \"a@b.example\"\nlinks_to = \"http://a.example\"",
                "mail.links_to",
            ),
        ] {
            let error = format!("{:#}", load(text).unwrap_err());
            assert!(error.contains(named), "{error}");
        }
    }

    /// Production is what the world reaches; there plain http is refused.
    #[test]
    fn plain_http_is_for_loopback_only() {
        for loopback in ["http://127.0.0.1:8080", "http://localhost", "http://[::1]:8080/x"] {
            assert!(is_loopback(loopback), "{loopback}");
        }
        let args = CommonArgs { public_url: Some("http://leads.example".into()), ..CommonArgs::default() };
        assert!(Config::load(&args).is_err());
        let args = CommonArgs { public_url: Some("https://leads.example".into()), ..CommonArgs::default() };
        assert!(Config::load(&args).unwrap().production);
    }
}
