//! The HTTP server under the fakes.

use std::io;

use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::behaviour::FakeBody;

/// Answers every request with what `handle` makes of it, until `stopped` changes. An error closes the connection.
pub(super) async fn run<Handle, Answering>(listener: TcpListener, mut stopped: watch::Receiver<bool>, handle: Handle)
where
    Handle: Fn(Request<Incoming>) -> Answering + Clone + Send + 'static,
    Answering: Future<Output = io::Result<Response<FakeBody>>> + Send + 'static,
{
    loop {
        let accepted = tokio::select! {
            _ = stopped.changed() => return,
            accepted = listener.accept() => accepted,
        };
        if let Ok((stream, _)) = accepted {
            tokio::spawn(serve(stream, stopped.clone(), handle.clone()));
        }
    }
}

async fn serve<Handle, Answering>(stream: TcpStream, mut stopped: watch::Receiver<bool>, handle: Handle)
where
    Handle: Fn(Request<Incoming>) -> Answering,
    Answering: Future<Output = io::Result<Response<FakeBody>>>,
{
    let _ = stream.set_nodelay(true);
    let connection =
        hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(handle));
    tokio::select! {
        _ = stopped.changed() => {}
        // A client that hangs up, or a behaviour that closes the connection: neither is the fake's trouble.
        _ = connection => {}
    }
}
