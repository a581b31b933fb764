//! Buyers who bid: servers on loopback with a runtime and a thread of their own. Each notes when it begins to send its
//! answer's one write, on the same monotonic clock that the auction is measured by.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Context;
use leadyard_types::PingId;
use serde::Deserialize;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::demo::people::Dice;

/// The longest ping read.
const PING_BYTES_MAX: usize = 64 * 1024;
/// How long a bidder thinks, in microseconds: at least, and less than so much more.
const THINKS_US: (u64, u64) = (5_000, 45_001);
/// Neighbouring bids differ by so many percent, which is more than complaint rates can make of it without a complaint.
const STEP_PERCENT: i64 = 106;

/// A bid that went out.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sent {
    /// Just before its one write.
    pub(super) at: Instant,
    pub(super) price_minor: i64,
}

type Stamps = Arc<Mutex<HashMap<PingId, Sent>>>;

/// All bidders, each with an address of its own, as in life. They leave when this is dropped.
pub(super) struct Bidders {
    pub(super) addresses: Vec<SocketAddr>,
    sent: Stamps,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Bidders {
    /// Starts so many, of whose asks so many percent are never answered.
    pub(super) fn start(count: u64, silent_percent: u64) -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let sent = Stamps::default();
        let mut addresses = Vec::new();
        for bidder in 0..count {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").context("a bidder cannot listen")?;
            listener.set_nonblocking(true)?;
            addresses.push(listener.local_addr()?);
            runtime.spawn(listen(listener, Habits { bidder, silent_percent }, Arc::clone(&sent)));
        }
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = std::thread::Builder::new().name("bidders".to_owned()).spawn(move || {
            // Ends when it is told to, or when nobody can tell it any more.
            let _ = runtime.block_on(stopped);
        })?;
        Ok(Self { addresses, sent, stop: Some(stop), thread: Some(thread) })
    }

    /// What was sent in answer to a ping. Forgotten afterwards.
    pub(super) fn take(&self, ping: PingId) -> Option<Sent> {
        self.sent.lock().unwrap_or_else(PoisonError::into_inner).remove(&ping)
    }
}

impl Drop for Bidders {
    fn drop(&mut self) {
        drop(self.stop.take());
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// How a bidder is.
#[derive(Debug, Clone, Copy)]
struct Habits {
    bidder: u64,
    silent_percent: u64,
}

impl Habits {
    /// What it does about a lot: the same whenever it is asked. `None`: it never answers.
    fn answer(self, lot: u64) -> Option<(Duration, i64)> {
        let mut dice = Dice::new(lot.wrapping_mul(1_000).wrapping_add(self.bidder));
        let silent = dice.percent(self.silent_percent);
        let wait = Duration::from_micros(THINKS_US.0 + dice.below(THINKS_US.1));
        (!silent).then(|| (wait, price_minor(lot, self.bidder)))
    }
}

/// What a bidder gives for a lot. No two of ten give the same.
fn price_minor(lot: u64, bidder: u64) -> i64 {
    let base = 1_000 + i64::try_from(Dice::new(lot).below(1_000)).unwrap_or_default();
    (0..(bidder * 7 + lot) % 10).fold(base, |price, _| price * STEP_PERCENT / 100)
}

/// What is read of a ping.
#[derive(Deserialize)]
struct Ping {
    ping_id: PingId,
    fields: Fields,
}

#[derive(Deserialize)]
struct Fields {
    lot: u64,
}

async fn listen(listener: std::net::TcpListener, habits: Habits, sent: Stamps) {
    let Ok(listener) = TcpListener::from_std(listener) else { return };
    while let Ok((stream, _)) = listener.accept().await {
        let sent = Arc::clone(&sent);
        tokio::spawn(async move {
            // An auction that ended hangs up on whoever is still thinking.
            let _ = serve(stream, habits, &sent).await;
        });
    }
}

/// Answers one ping after the other until the other side hangs up.
async fn serve(mut stream: TcpStream, habits: Habits, sent: &Stamps) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = Vec::new();
    while let Some(body) = read_request(&mut stream, &mut buffer).await? {
        let ping: Ping = serde_json::from_slice(&body)?;
        let Some((wait, price_minor)) = habits.answer(ping.fields.lot) else {
            while stream.read(&mut [0; 64]).await? > 0 {}
            return Ok(());
        };
        tokio::time::sleep(wait).await;
        let answer = answer(price_minor);
        let stamp = Sent { at: Instant::now(), price_minor };
        sent.lock().unwrap_or_else(PoisonError::into_inner).insert(ping.ping_id, stamp);
        stream.write_all(answer.as_bytes()).await?;
    }
    Ok(())
}

fn answer(price_minor: i64) -> String {
    let body = format!("{{\"bid\":true,\"price\":\"{}.{:02}\"}}", price_minor / 100, price_minor % 100);
    let length = body.len();
    format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}")
}

/// The next request's body; `None` at the end of the connection.
async fn read_request(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> io::Result<Option<Vec<u8>>> {
    loop {
        if let Some((start, length)) = head(buffer)?
            && buffer.len() >= start + length
        {
            let rest = buffer.split_off(start + length);
            let body = buffer.split_off(start);
            *buffer = rest;
            return Ok(Some(body));
        }
        if buffer.len() > PING_BYTES_MAX {
            return Err(io::ErrorKind::InvalidData.into());
        }
        if stream.read_buf(buffer).await? == 0 {
            return Ok(None);
        }
    }
}

/// Where a request's body begins, and how long it is, once its head is there.
fn head(buffer: &[u8]) -> io::Result<Option<(usize, usize)>> {
    let Some(end) = buffer.windows(4).position(|window| window == b"\r\n\r\n") else { return Ok(None) };
    let text = String::from_utf8_lossy(&buffer[..end]).to_ascii_lowercase();
    let length = text.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
    Ok(Some((end + 4, length.ok_or(io::ErrorKind::InvalidData)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of ten bidders none gives what another gives, and every step is more than a complaint rate of one in twenty.
    #[test]
    fn bids_are_told_apart() {
        for lot in 0..200 {
            let mut prices: Vec<i64> = (0..10).map(|bidder| price_minor(lot, bidder)).collect();
            prices.sort_unstable();
            assert!(prices.windows(2).all(|pair| pair[0] * 100 < pair[1] * 95), "{prices:?}");
        }
    }

    /// A bidder is silent as often as it was told, and otherwise thinks between 5 and 50 ms.
    #[test]
    fn bidders_keep_their_habits() {
        let habits = Habits { bidder: 3, silent_percent: 6 };
        let answers: Vec<_> = (0..10_000).filter_map(|lot| habits.answer(lot)).collect();
        assert!((9_300..9_500).contains(&answers.len()), "{}", answers.len());
        let waits: Vec<Duration> = answers.iter().map(|(wait, _)| *wait).collect();
        let (least, most) = (waits.iter().min().unwrap(), waits.iter().max().unwrap());
        assert!(Duration::from_millis(5) <= *least && *most <= Duration::from_millis(50), "{least:?} {most:?}");
        assert_eq!(habits.answer(7), habits.answer(7));
    }

    /// A request is read whole, however it is cut, and the next one after it.
    #[test]
    fn requests_are_told_apart() {
        assert_eq!(head(b"POST / HTTP/1.1\r\ncontent-len").unwrap(), None);
        assert_eq!(head(b"POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}POST").unwrap(), Some((38, 2)));
        assert!(head(b"POST / HTTP/1.1\r\n\r\n").is_err());
    }
}
