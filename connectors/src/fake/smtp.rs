//! A mail server that takes mails and keeps them.

use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Mails kept for looking at; the oldest goes first.
const MAILS_KEPT: usize = 256;

/// Message-IDs remembered.
const IDS_KEPT: usize = 1_000_000;

/// The longest mail taken.
const MAIL_BYTES_MAX: usize = 1024 * 1024;

/// The longest command or line of a mail.
const LINE_BYTES_MAX: u64 = 8 * 1024;

/// What a [`FakeSmtp`] does with a mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SmtpBehaviour {
    /// 250.
    Accept,
    /// Answers `RCPT TO` with this code, for example 451 or 550.
    RefuseRecipient(u16),
    /// Reads the mail and answers it with this code.
    RefuseMail(u16),
    /// Reads the mail, *keeps it*, and closes the connection without an answer.
    DropAfterData,
    /// Answers nothing more.
    Hang,
}

/// A mail that was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// The envelope's sender.
    pub from: String,
    /// The envelope's recipients.
    pub to: Vec<String>,
    /// Headers and body as they were sent, dots unstuffed.
    pub data: String,
}

impl Mail {
    /// A header's value, unfolded, by its name in any case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<String> {
        let head = self.data.split("\r\n\r\n").next()?.replace("\r\n ", " ").replace("\r\n\t", " ");
        head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
        })
    }
}

#[derive(Default)]
struct State {
    next: VecDeque<SmtpBehaviour>,
    always: Option<SmtpBehaviour>,
    login: Option<(String, String)>,
    mails: VecDeque<Mail>,
    ids: BTreeSet<String>,
    received: u64,
}

/// A real SMTP server on loopback, without TLS. It stops when it is dropped.
pub struct FakeSmtp {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    stop: watch::Sender<bool>,
}

impl std::fmt::Debug for FakeSmtp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FakeSmtp").field("address", &self.address).finish_non_exhaustive()
    }
}

impl FakeSmtp {
    /// Starts on a free port of 127.0.0.1.
    pub async fn start() -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let state = Arc::new(Mutex::new(State::default()));
        let (stop, mut stopped) = watch::channel(false);
        let shared = Arc::clone(&state);
        tokio::spawn(async move {
            loop {
                let accepted = tokio::select! {
                    _ = stopped.changed() => return,
                    accepted = listener.accept() => accepted,
                };
                let Ok((stream, _)) = accepted else { continue };
                let (state, mut stopped) = (Arc::clone(&shared), stopped.clone());
                tokio::spawn(async move {
                    tokio::select! {
                        _ = stopped.changed() => {}
                        _ = Session::over(stream, state).run() => {}
                    }
                });
            }
        });
        Ok(Self { address, state, stop })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Programs the next mail; several calls queue up.
    pub fn next(&self, behaviour: SmtpBehaviour) {
        locked(&self.state).next.push_back(behaviour);
    }

    /// Programs every mail that has no program of its own.
    pub fn always(&self, behaviour: SmtpBehaviour) {
        locked(&self.state).always = Some(behaviour);
    }

    /// Takes mails from this login only.
    pub fn require_login(&self, username: &str, password: &str) {
        locked(&self.state).login = Some((username.to_owned(), password.to_owned()));
    }

    /// How many mails were taken, repetitions included.
    #[must_use]
    pub fn received(&self) -> u64 {
        locked(&self.state).received
    }

    /// How many different mails were taken, by Message-ID.
    #[must_use]
    pub fn unique(&self) -> usize {
        locked(&self.state).ids.len()
    }

    /// The last mails, at most 256, oldest first.
    #[must_use]
    pub fn mails(&self) -> Vec<Mail> {
        locked(&self.state).mails.iter().cloned().collect()
    }
}

impl Drop for FakeSmtp {
    fn drop(&mut self) {
        self.stop.send_replace(true);
    }
}

fn locked(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Session {
    reader: BufReader<OwnedReadHalf>,
    writer: OwnedWriteHalf,
    state: Arc<Mutex<State>>,
    signed_in: bool,
    behaviour: SmtpBehaviour,
    from: String,
    to: Vec<String>,
}

impl Session {
    fn over(stream: TcpStream, state: Arc<Mutex<State>>) -> Self {
        let (reader, writer) = stream.into_split();
        let signed_in = locked(&state).login.is_none();
        Self {
            reader: BufReader::new(reader),
            writer,
            state,
            signed_in,
            behaviour: SmtpBehaviour::Accept,
            from: String::new(),
            to: Vec::new(),
        }
    }

    async fn run(mut self) -> io::Result<()> {
        self.say("220 fake ESMTP").await?;
        loop {
            let line = self.line().await?;
            let command = line.trim_end().to_owned();
            let verb: String = command.chars().take(4).collect::<String>().to_ascii_uppercase();
            match verb.as_str() {
                "EHLO" => self.say("250-fake\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 AUTH PLAIN").await?,
                "HELO" | "NOOP" => self.say("250 ok").await?,
                "RSET" => {
                    self.to.clear();
                    self.say("250 ok").await?;
                }
                "AUTH" => self.auth(&command).await?,
                "MAIL" if !self.signed_in => self.say("530 sign in first").await?,
                "MAIL" => self.mail(&command).await?,
                "RCPT" => self.recipient(&command).await?,
                "DATA" => self.data().await?,
                "QUIT" => {
                    self.say("221 bye").await?;
                    return Ok(());
                }
                _ => self.say("502 not known").await?,
            }
        }
    }

    async fn auth(&mut self, command: &str) -> io::Result<()> {
        let expected = locked(&self.state).login.clone().unwrap_or_default();
        let given = command.split_whitespace().nth(2).and_then(|text| STANDARD.decode(text).ok()).unwrap_or_default();
        self.signed_in = given == format!("\0{}\0{}", expected.0, expected.1).into_bytes();
        self.say(if self.signed_in { "235 welcome" } else { "535 no" }).await
    }

    async fn mail(&mut self, command: &str) -> io::Result<()> {
        self.behaviour = {
            let mut state = locked(&self.state);
            let otherwise = state.always.unwrap_or(SmtpBehaviour::Accept);
            state.next.pop_front().unwrap_or(otherwise)
        };
        self.from = address(command);
        self.to.clear();
        if self.behaviour == SmtpBehaviour::Hang {
            return std::future::pending().await;
        }
        self.say("250 ok").await
    }

    async fn recipient(&mut self, command: &str) -> io::Result<()> {
        if let SmtpBehaviour::RefuseRecipient(code) = self.behaviour {
            return self.say(&format!("{code} no such luck for {}", address(command))).await;
        }
        self.to.push(address(command));
        self.say("250 ok").await
    }

    async fn data(&mut self) -> io::Result<()> {
        if self.to.is_empty() {
            return self.say("503 to whom?").await;
        }
        self.say("354 go on").await?;
        let mut data = String::new();
        loop {
            let line = self.line().await?;
            if line == ".\r\n" {
                break;
            }
            data.push_str(line.strip_prefix('.').unwrap_or(&line));
            if data.len() > MAIL_BYTES_MAX {
                return Err(io::ErrorKind::FileTooLarge.into());
            }
        }
        match self.behaviour {
            SmtpBehaviour::RefuseMail(code) => self.say(&format!("{code} not this one")).await,
            SmtpBehaviour::DropAfterData => {
                self.keep(data);
                Err(io::ErrorKind::ConnectionAborted.into())
            }
            _ => {
                self.keep(data);
                self.say("250 taken").await
            }
        }
    }

    fn keep(&mut self, data: String) {
        let mail = Mail { from: self.from.clone(), to: std::mem::take(&mut self.to), data };
        let mut state = locked(&self.state);
        state.received += 1;
        if let Some(id) = mail.header("message-id").filter(|_| state.ids.len() < IDS_KEPT) {
            state.ids.insert(id);
        }
        if state.mails.len() >= MAILS_KEPT {
            state.mails.pop_front();
        }
        state.mails.push_back(mail);
    }

    /// One line with its end; an overlong or unfinished one ends the session.
    async fn line(&mut self) -> io::Result<String> {
        let mut bytes = Vec::new();
        (&mut self.reader).take(LINE_BYTES_MAX).read_until(b'\n', &mut bytes).await?;
        if bytes.last() != Some(&b'\n') {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    async fn say(&mut self, text: &str) -> io::Result<()> {
        self.writer.write_all(format!("{text}\r\n").as_bytes()).await
    }
}

/// What stands between angle brackets.
fn address(command: &str) -> String {
    let inner = command.split_once('<').and_then(|(_, rest)| rest.split_once('>'));
    inner.map(|(address, _)| address.to_owned()).unwrap_or_default()
}
