//! A warm interpreter that forks a process per run: orders in, news out (`headend_wire::zygote`).

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsString;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::StreamExt;
use headend_wire::zygote::{News, Order};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdin, ChildStdout};
use tokio::sync::{mpsc, oneshot};
use tokio_util::codec::{FramedRead, LinesCodec};

use super::interpreters::Interpreter;
use crate::process::cgroup::Cgroup;
use crate::process::isolation::{Isolation, PidNamespaces};
use crate::process::leftovers::PidFile;
use crate::process::{Nursery, Spec, Stdio3};

/// How long an interpreter may take to warm up.
const WARM_UP: Duration = Duration::from_secs(30);
/// How long it may take to end when its orders do.
const END: Duration = Duration::from_secs(8);
/// Longest line of news.
const LONGEST: usize = 64 << 10;
/// Orders that wait.
const QUEUE: usize = 256;

/// What a run hears of its process.
pub(super) type NewsOfRun = mpsc::UnboundedReceiver<News>;

enum Command {
    /// An order, and for a fork who hears of the run. Bounded: two or three lines of news per run.
    Order(Order, Option<mpsc::UnboundedSender<News>>),
    Close(oneshot::Sender<()>),
}

/// A handle to the warm process. When the process dies every run of it hears so: its news end.
#[derive(Clone, Debug)]
pub(super) struct Zygote {
    commands: mpsc::Sender<Command>,
    alive: Arc<AtomicBool>,
    /// What it can do to keep runs apart; cgroups are not its business.
    pub(super) isolation: Isolation,
    /// It is in the rack's cgroup, so that its runs may enter theirs.
    pub(super) in_cgroup: bool,
}

/// What is started, and where.
#[derive(Clone, Copy, Debug)]
pub(super) struct Start<'a> {
    pub(super) python: &'a Interpreter,
    /// Our program for it.
    pub(super) program: &'a Path,
    /// A folder that no run may look into.
    pub(super) hidden: &'a Path,
    /// Folder of notes on processes.
    pub(super) pids: &'a Path,
    pub(super) cgroup: Option<&'a Cgroup>,
}

impl std::fmt::Debug for Command {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Command")
    }
}

impl Zygote {
    /// Starts the interpreter and waits until it is warm.
    pub(super) async fn start(nursery: &Nursery, start: Start<'_>) -> Result<Self, String> {
        let Start { python, program, hidden, pids, cgroup } = start;
        let failed = |error: std::io::Error| format!("cannot start {}: {error}", python.path.display());
        let mut env: BTreeMap<OsString, OsString> = BTreeMap::new();
        env.extend(std::env::var_os("LD_LIBRARY_PATH").map(|libraries| ("LD_LIBRARY_PATH".into(), libraries)));
        let args = vec![program.as_os_str().to_owned(), "--hide".into(), hidden.as_os_str().to_owned()];
        let spec = Spec { program: python.path.clone(), args, env, stdio: Stdio3::Pipes };
        let mut child = nursery.spawn(spec).await.map_err(failed)?;
        let pid = child.id().unwrap_or_default();
        let note = PidFile::write(pids, pid);
        let in_cgroup = adopted(cgroup, pid);
        let (Some(orders), Some(news)) = (child.stdin.take(), child.stdout.take()) else {
            return Err("Python came without its pipes".to_owned());
        };
        let mut news = FramedRead::new(news, LinesCodec::new_with_max_length(LONGEST));
        let isolation = match greet(&mut news).await {
            Ok(isolation) => isolation,
            Err(problem) => {
                return Err(format!("{} {problem}{}", python.path.display(), last_words(&mut child).await));
            }
        };
        let (commands, inbox) = mpsc::channel(QUEUE);
        let alive = Arc::new(AtomicBool::new(true));
        let keeper = Keeper { child, orders, news, inbox, runs: HashMap::new(), alive: alive.clone(), _note: note };
        // Ends with the process, which ends when the last handle is dropped.
        tokio::spawn(keeper.serve());
        Ok(Self { commands, alive, isolation, in_cgroup })
    }

    pub(super) fn is_alive(&self) -> bool {
        self.alive.load(Ordering::Acquire)
    }

    /// Orders a fork; its news, and the end of news when the zygote has died.
    pub(super) async fn fork(&self, fork: headend_wire::zygote::Fork) -> NewsOfRun {
        let (sender, news) = mpsc::unbounded_channel();
        let _ = self.commands.send(Command::Order(Order::Fork(Box::new(fork)), Some(sender))).await;
        news
    }

    /// Orders the end of a run.
    pub(super) async fn kill(&self, run: u64, grace: Duration) {
        let order = Order::Kill { run, grace_ms: grace.as_millis() as u64 };
        let _ = self.commands.send(Command::Order(order, None)).await;
    }

    /// Ends the process; what it still runs is killed.
    pub(super) async fn close(&self) {
        let (done, closed) = oneshot::channel();
        if self.commands.send(Command::Close(done)).await.is_ok() {
            let _ = closed.await;
        }
    }
}

type Lines = FramedRead<ChildStdout, LinesCodec>;

/// From there its runs enter their own folders, which takes rights over both.
fn adopted(cgroup: Option<&Cgroup>, pid: u32) -> bool {
    match cgroup.map(|cgroup| cgroup.adopt(pid)) {
        None => false,
        Some(Ok(())) => true,
        Some(Err(error)) => {
            tracing::warn!(%error, "cannot put Python into the rack's cgroup; its runs do without");
            false
        }
    }
}

async fn greet(news: &mut Lines) -> Result<Isolation, String> {
    match tokio::time::timeout(WARM_UP, news.next()).await {
        Ok(Some(Ok(line))) => match serde_json::from_str(&line) {
            Ok(News::Ready { version, namespaces, users, mounts, landlock }) => {
                tracing::info!(version, "Python is warm");
                let pids = match (namespaces, users) {
                    (true, true) => PidNamespaces::User,
                    (true, false) => PidNamespaces::Root,
                    (false, _) => PidNamespaces::None,
                };
                let root = rustix::process::geteuid().is_root();
                let (cgroup, memory, processes, open) = (false, false, false, false);
                Ok(Isolation { pids, mounts, cgroup, memory, processes, landlock, root, open })
            }
            _ => Err(format!("said {line:?} before it was ready")),
        },
        Ok(Some(Err(error))) => Err(format!("cannot be understood: {error}")),
        Ok(None) => Err("ended before it was ready".to_owned()),
        Err(_) => Err(format!("was not ready within {} s", WARM_UP.as_secs())),
    }
}

async fn last_words(child: &mut Child) -> String {
    let Some(stderr) = child.stderr.take() else { return String::new() };
    let mut text = String::new();
    let read = stderr.take(4 << 10);
    tokio::pin!(read);
    let _ = tokio::time::timeout(Duration::from_secs(1), read.read_to_string(&mut text)).await;
    let text = text.trim();
    if text.is_empty() { String::new() } else { format!("; its last words: {text}") }
}

/// Owns the process.
struct Keeper {
    child: Child,
    orders: ChildStdin,
    news: Lines,
    inbox: mpsc::Receiver<Command>,
    runs: HashMap<u64, mpsc::UnboundedSender<News>>,
    alive: Arc<AtomicBool>,
    _note: PidFile,
}

impl Keeper {
    async fn serve(mut self) {
        drain_stderr(&mut self.child);
        let closed = loop {
            tokio::select! {
                line = self.news.next() => match line {
                    Some(Ok(line)) => self.hear(&line),
                    Some(Err(_)) | None => break None,
                },
                command = self.inbox.recv() => match command {
                    Some(Command::Order(order, listener)) => {
                        if self.send(&order, listener).await.is_err() {
                            break None;
                        }
                    }
                    Some(Command::Close(done)) => break Some(done),
                    None => break None,
                },
            }
        };
        self.alive.store(false, Ordering::Release);
        self.inbox.close();
        self.end().await;
        if let Some(done) = closed {
            let _ = done.send(());
        }
    }

    /// Its orders end: it kills what it runs and goes. The runs hear the last of it.
    async fn end(mut self) {
        drop(self.orders);
        let rest = async {
            while let Some(Ok(line)) = self.news.next().await {
                tell(&mut self.runs, &line);
            }
            let _ = self.child.wait().await;
        };
        if tokio::time::timeout(END, rest).await.is_err() {
            let _ = self.child.kill().await;
        }
    }

    async fn send(&mut self, order: &Order, listener: Option<mpsc::UnboundedSender<News>>) -> std::io::Result<()> {
        if let (Order::Fork(fork), Some(listener)) = (order, listener) {
            self.runs.insert(fork.run, listener);
        }
        let mut line = serde_json::to_vec(order).map_err(std::io::Error::other)?;
        line.push(b'\n');
        self.orders.write_all(&line).await
    }

    fn hear(&mut self, line: &str) {
        tell(&mut self.runs, line);
    }
}

fn tell(runs: &mut HashMap<u64, mpsc::UnboundedSender<News>>, line: &str) {
    let news: News = match serde_json::from_str(line) {
        Ok(news) => news,
        Err(error) => return tracing::error!(%error, line, "Python's news cannot be read"),
    };
    let (run, last) = match &news {
        News::Ready { .. } => return,
        News::Forked { run, .. } => (*run, false),
        News::Exited { run, .. } | News::Failed { run, .. } => (*run, true),
    };
    if let Some(listener) = runs.get(&run) {
        let _ = listener.send(news);
    }
    if last {
        runs.remove(&run);
    }
}

/// What an interpreter complains about goes into our log; an unread pipe would block it.
fn drain_stderr(child: &mut Child) {
    let Some(stderr) = child.stderr.take() else { return };
    // Ends with the process: the pipe closes.
    tokio::spawn(async move {
        let mut lines = FramedRead::new(stderr, LinesCodec::new_with_max_length(LONGEST));
        while let Some(Ok(line)) = lines.next().await {
            tracing::warn!(line, "Python says");
        }
    });
}
