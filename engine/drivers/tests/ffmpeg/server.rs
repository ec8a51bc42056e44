//! Serves files of a folder, and live streams, by HTTP on loopback. Can be cut and come back at the same port.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::process::Command;
use tokio::task::JoinSet;

/// What every path of a live server gives: a new ffmpeg each, at its own pace.
const LIVE: &str = "-hide_banner -nostdin -loglevel error -re -f lavfi -i testsrc2=size=320x180:rate=25 \
                    -re -f lavfi -i sine=frequency=440:sample_rate=48000 -c:v mpeg2video -g 10 -c:a mp2 -f mpegts pipe:1";

/// What is served.
#[derive(Clone, Debug)]
pub(crate) enum Served {
    /// Files of a folder.
    Folder(PathBuf),
    /// An endless transport stream.
    Live,
}

/// Serves until it is dropped: then every connection is cut, too.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    _tasks: JoinSet<()>,
}

impl Server {
    /// Port 0: any.
    pub(crate) fn start(served: Served, port: u16) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        // The port of a server that was cut a moment ago.
        socket.set_reuseaddr(true).unwrap();
        socket.bind(SocketAddr::from(([127, 0, 0, 1], port))).unwrap();
        let listener = socket.listen(16).unwrap();
        let address = listener.local_addr().unwrap();
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, Arc::new(served)));
        Self { address, _tasks: tasks }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}/{path}", self.address)
    }
}

async fn accept(listener: TcpListener, served: Arc<Served>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let served = Arc::clone(&served);
        connections.spawn(async move {
            // Who goes away in the middle has had enough.
            let _ = answer(stream, &served).await;
        });
    }
}

async fn answer(mut stream: TcpStream, served: &Served) -> std::io::Result<()> {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") && request.len() < 8 << 10 {
        request.push(stream.read_u8().await?);
    }
    let request = String::from_utf8_lossy(&request).into_owned();
    let path = request.split_whitespace().nth(1).unwrap_or("/").trim_start_matches('/').to_owned();
    match served {
        Served::Folder(folder) => file(stream, &folder.join(path)).await,
        Served::Live => live(stream).await,
    }
}

async fn file(mut stream: TcpStream, path: &Path) -> std::io::Result<()> {
    let Ok(bytes) = tokio::fs::read(path).await else {
        return stream.write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").await;
    };
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", bytes.len());
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(&bytes).await
}

async fn live(mut stream: TcpStream) -> std::io::Result<()> {
    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: video/mp2t\r\nconnection: close\r\n\r\n").await?;
    let mut command = Command::new("ffmpeg");
    command.args(LIVE.split_whitespace()).kill_on_drop(true).stdin(Stdio::null()).stdout(Stdio::piped());
    let mut encoder = command.spawn()?;
    if let Some(mut stdout) = encoder.stdout.take() {
        tokio::io::copy(&mut stdout, &mut stream).await?;
    }
    Ok(())
}
