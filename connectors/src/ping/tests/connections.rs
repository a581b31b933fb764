//! Whose connections pings take.

use std::net::SocketAddr;

use leadyard_types::DestinationKind;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::*;
use crate::package::sample;
use crate::{Connectors, OutboundPolicy, webhook};

/// Takes requests, and tells of each its path and on which connection, counted from 0, it came.
async fn counting_server() -> (SocketAddr, UnboundedReceiver<(String, usize)>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (told, heard) = unbounded_channel();
    let serve = move |mut stream: TcpStream, number| {
        let told = told.clone();
        async move {
            let (mut seen, mut buffer) = (String::new(), [0; 4096]);
            while let Ok(1..) = stream.read(&mut buffer).await.inspect(|read| {
                seen.push_str(&String::from_utf8_lossy(&buffer[..*read]));
            }) {
                // Its head is told by the first line, its end by the length of its body.
                let Some((head, body)) = seen.split_once("\r\n\r\n") else { continue };
                let length =
                    head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
                if body.len() < length.unwrap_or(0) {
                    continue;
                }
                let path = head.split(' ').nth(1).unwrap().to_owned();
                seen.clear();
                told.send((path, number)).unwrap();
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 13\r\n\r\n{\"bid\":false}").await.unwrap();
            }
        }
    };
    tokio::spawn(async move {
        for number in 0.. {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(serve(stream, number));
        }
    });
    (address, heard)
}

/// Auctions run on threads of their own, and so do their connections: a ping takes none that a post opened, nor the other way
/// round; pings take each other's.
#[tokio::test]
async fn posts_and_pings_share_no_connection() {
    let (address, mut heard) = counting_server().await;
    let connectors = Connectors::new(OutboundPolicy::new(false).allowing(address), None).unwrap();
    let post = json!({ "url": format!("http://{address}/post") }).to_string();
    let ping = json!({ "url": format!("http://{address}/ping"), "preset": "LEADYARD" }).to_string();
    let (endpoint, secrets) = (PingEndpoint::new(&ping, Vec::new()), [webhook::new_secret([1; 32])]);
    let sent_at = chrono::DateTime::from_timestamp(1_795_000_000, 0).unwrap();
    let mut came = Vec::new();
    for is_ping in [false, true, true, false] {
        if is_ping {
            let answered = connectors.ping(&endpoint, &package(), Duration::from_secs(60)).await;
            assert_eq!(answered.verdict, PingVerdict::NoBid, "{answered:?}");
        } else {
            connectors.deliver(DestinationKind::Webhook, &post, &secrets, &sample(), sent_at).await;
        }
        came.push(heard.recv().await.unwrap());
    }
    let came: Vec<(&str, usize)> = came.iter().map(|(path, number)| (path.as_str(), *number)).collect();
    assert_eq!(came, [("/post", 0), ("/ping", 1), ("/ping", 1), ("/post", 0)]);
    let tried = connectors.try_ping(&endpoint, &package(), Duration::from_secs(60)).await;
    assert_eq!((tried.verdict, heard.recv().await.unwrap().1), (PingVerdict::NoBid, 0));
}
