//! The wire: HTTP/1.1 by hand, so that anything can be sent and nothing is done to it on the way.

use std::net::SocketAddr;

use anyhow::{Context, bail, ensure};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// A connection that is opened again when the server closed it.
pub(super) struct Wire {
    address: SocketAddr,
    /// What every request brings: a token, the address it is forwarded for.
    heads: String,
    stream: Option<TcpStream>,
}

/// An answer.
pub(super) struct Answered {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
}

impl Wire {
    pub(super) fn to(address: SocketAddr, token: Option<&str>, forwarded_for: Option<&str>) -> Self {
        let mut heads = String::new();
        if let Some(token) = token {
            heads.push_str(&format!("authorization: Bearer {token}\r\n"));
        }
        if let Some(address) = forwarded_for {
            heads.push_str(&format!("x-forwarded-for: {address}\r\n"));
        }
        Self { address, heads, stream: None }
    }

    /// Posts a body to `/graphql`. A connection that the server closed meanwhile is opened again, once.
    pub(super) async fn post(&mut self, body: &[u8]) -> anyhow::Result<Answered> {
        let had_one = self.stream.is_some();
        match self.exchange(body).await {
            Err(_) if had_one => {
                self.stream = None;
                self.exchange(body).await
            }
            answered => answered,
        }
    }

    async fn exchange(&mut self, body: &[u8]) -> anyhow::Result<Answered> {
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => self.open().await?,
        };
        let mut sent = self.head(&format!("content-length: {}", body.len())).into_bytes();
        sent.extend_from_slice(body);
        stream.write_all(&sent).await?;
        let (answered, stays_open) = answer(&mut stream).await?;
        if stays_open {
            self.stream = Some(stream);
        }
        Ok(answered)
    }

    async fn open(&self) -> anyhow::Result<TcpStream> {
        let stream = TcpStream::connect(self.address).await.context("the server takes no connections")?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    fn head(&self, length: &str) -> String {
        let heads = &self.heads;
        format!(
            "POST /graphql HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\naccept: application/graphql-response+json\r\n{heads}{length}\r\n\r\n"
        )
    }

    /// Sends a body that never ends, as fast as it is taken, until it is answered.
    pub(super) async fn endless(&self) -> anyhow::Result<Answered> {
        let mut stream = self.open().await?;
        stream.write_all(self.head("transfer-encoding: chunked").as_bytes()).await?;
        let (mut read, mut write) = stream.split();
        let chunk = format!("4000\r\n{}\r\n", "x".repeat(0x4000));
        let sending = async {
            while write.write_all(chunk.as_bytes()).await.is_ok() {}
            std::future::pending::<()>().await;
        };
        tokio::select! {
            answered = answer(&mut read) => Ok(answered?.0),
            () = sending => bail!("the server took an endless body"),
        }
    }

    /// Announces a body, sends half of it, and waits.
    pub(super) async fn half(&self) -> anyhow::Result<Answered> {
        let mut stream = self.open().await?;
        stream.write_all(format!("{}{{\"query\":", self.head("content-length: 1000")).as_bytes()).await?;
        Ok(answer(&mut stream).await?.0)
    }
}

/// Reads an answer of an announced length, and whether the connection stays open.
async fn answer(stream: &mut (impl tokio::io::AsyncRead + Unpin)) -> anyhow::Result<(Answered, bool)> {
    let mut read = Vec::with_capacity(4_096);
    let head_ends = loop {
        ensure!(stream.read_buf(&mut read).await? > 0, "the server hung up");
        if let Some(at) = read.windows(4).position(|four| four == b"\r\n\r\n") {
            break at;
        }
        ensure!(read.len() < 64 * 1024, "the answer has no end of its head");
    };
    let head = std::str::from_utf8(&read[..head_ends])?.to_ascii_lowercase();
    let named = |name: &str| head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).context("the answer has no status")?;
    let stays_open = named("connection") != Some("close");
    let length: Option<usize> = named("content-length").and_then(|length| length.parse().ok());
    let mut body = read.split_off(head_ends + 4);
    let ends = |body: &[u8]| match length {
        Some(length) => body.len() >= length,
        None => body.ends_with(b"0\r\n\r\n"),
    };
    while !ends(&body) {
        ensure!(stream.read_buf(&mut body).await? > 0, "the server hung up in its answer");
    }
    let body = if length.is_some() { body } else { whole(&body).context("the answer's chunks do not fit")? };
    Ok((Answered { status, body }, stays_open))
}

/// What stands in chunks.
fn whole(mut chunks: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::with_capacity(chunks.len());
    loop {
        let line = chunks.windows(2).position(|two| two == b"\r\n")?;
        let length = usize::from_str_radix(std::str::from_utf8(chunks.get(..line)?).ok()?, 16).ok()?;
        if length == 0 {
            return Some(body);
        }
        let begin = line + 2;
        body.extend_from_slice(chunks.get(begin..begin + length)?);
        chunks = chunks.get(begin + length + 2..)?;
    }
}
