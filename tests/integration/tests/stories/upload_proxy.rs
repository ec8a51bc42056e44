//! A connection that breaks: all that goes to and fro passes until so many bytes have; then everything is cut.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Passes bytes on between clients and a server on loopback. Ends with the test's runtime.
pub(super) struct Proxy {
    port: u16,
    budget: Arc<Budget>,
}

/// How much may pass, and how much has. A cut raises the round: connections of an earlier one are dead.
struct Budget {
    left: std::sync::Mutex<(u64, u64, bool)>,
    round: watch::Sender<u64>,
    cuts: AtomicU64,
}

impl Budget {
    /// How many of these bytes may pass.
    fn take(&self, wanted: u64) -> u64 {
        let mut state = self.left.lock().unwrap();
        let given = wanted.min(state.0);
        state.0 -= given;
        state.1 += given;
        if given < wanted && !state.2 {
            state.2 = true;
            self.cuts.fetch_add(1, Ordering::Relaxed);
            self.round.send_modify(|round| *round += 1);
        }
        given
    }
}

impl Proxy {
    /// In front of this port.
    pub(super) async fn start(server: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let budget = Arc::new(Budget {
            left: std::sync::Mutex::new((u64::MAX, 0, false)),
            round: watch::Sender::new(0),
            cuts: AtomicU64::new(0),
        });
        tokio::spawn(serve(listener, server, budget.clone()));
        Self { port, budget }
    }

    pub(super) fn base(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// From now on so many bytes pass, both ways together; then everything is cut until this is called again.
    pub(super) fn arm(&self, bytes: u64) {
        *self.budget.left.lock().unwrap() = (bytes, 0, false);
    }

    /// Bytes that have passed since then.
    pub(super) fn passed(&self) -> u64 {
        self.budget.left.lock().unwrap().1
    }

    /// Whether there was a cut since then.
    pub(super) fn has_cut(&self) -> bool {
        self.budget.left.lock().unwrap().2
    }
}

async fn serve(listener: TcpListener, server: u16, budget: Arc<Budget>) {
    while let Ok((client, _)) = listener.accept().await {
        let budget = budget.clone();
        tokio::spawn(async move {
            let mut round = budget.round.subscribe();
            round.mark_unchanged();
            let Ok(server) = TcpStream::connect(("127.0.0.1", server)).await else { return };
            // Half of the cuts come as an orderly end, half as a reset.
            if budget.cuts.load(Ordering::Relaxed).is_multiple_of(2) {
                let _ = (client.set_zero_linger(), server.set_zero_linger());
            }
            let (from_client, to_client) = client.into_split();
            let (from_server, to_server) = server.into_split();
            tokio::select! {
                () = pass(from_client, to_server, &budget) => {}
                () = pass(from_server, to_client, &budget) => {}
                _ = round.changed() => {}
            }
        });
    }
}

async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, budget: &Budget) {
    let mut bytes = vec![0; 16 << 10];
    while let Ok(count @ 1..) = from.read(&mut bytes).await {
        let given = usize::try_from(budget.take(count as u64)).unwrap();
        if to.write_all(&bytes[..given]).await.is_err() || given < count {
            return;
        }
    }
}
