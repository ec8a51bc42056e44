//! Keys by infrared: a client of `lircd`.
//!
//! Every key is a connection of its own. So there is nothing to fall out of step when lircd starts anew, and no pile of received keys
//! that lircd tells to all who stay connected.

pub(crate) mod keys;
mod reply;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;

use self::reply::{Reader, Reply};
use crate::{DriverError, Place, Tool};

/// Time limit of a command, beside what its repeats take.
const LIMIT: Duration = Duration::from_secs(4);
/// Time limit of one repeat: the slowest protocols send some ten codes a second.
const REPEAT: Duration = Duration::from_millis(300);
/// Most repeats: lircd refuses more than 600.
const MOST_REPEATS: u16 = 600;
/// Most bytes of a line.
const WIDTH: u64 = 4 << 10;
/// Most bytes that are read for one answer.
const SAID: u64 = 1 << 20;

/// A remote control that lircd knows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Options {
    /// Socket of lircd. Default: `/run/lirc/lircd`.
    #[serde(default = "socket")]
    pub socket: PathBuf,
    /// Name of the remote control in lircd's configuration.
    pub remote: String,
    /// Keys of this model that go by other names: from the Client API's name, in either spelling, to lircd's. What is not here is sent as
    /// it is if the remote has it, else by its usual `KEY_…` name. Default: none.
    #[serde(default)]
    pub keys: BTreeMap<String, String>,
    /// How often the code is sent again after the first time, for boxes that miss one; 0 to 600. Default: 0.
    #[serde(default)]
    pub repeats: u16,
}

fn socket() -> PathBuf {
    "/run/lirc/lircd".into()
}

impl Options {
    /// A remote control with all else as it is by default.
    pub fn of_remote(socket: impl Into<PathBuf>, remote: &str) -> Self {
        Self { socket: socket.into(), remote: remote.to_owned(), keys: BTreeMap::new(), repeats: 0 }
    }

    /// What can be said without asking lircd.
    ///
    /// # Errors
    /// The first key that is wrong, its value, and what to do.
    pub fn check(&self) -> Result<(), DriverError> {
        word("remote", &self.remote)?;
        self.keys.values().try_for_each(|to| word("keys", to))?;
        if self.repeats > MOST_REPEATS {
            return Err(DriverError(format!("`repeats` is {}; it is 0 to {MOST_REPEATS}", self.repeats)));
        }
        if !self.socket.exists() {
            return Err(DriverError(format!(
                "`socket` {} is not there; start lircd, or name the socket that it was started with (`--output`)",
                self.socket.display()
            )));
        }
        Ok(())
    }
}

/// A name that lircd can have: it parts its commands by white space.
fn word(what: &str, name: &str) -> Result<(), DriverError> {
    let bad = |letter: char| letter.is_whitespace() || letter.is_control();
    if name.is_empty() || name.len() > keys::LONGEST || name.contains(bad) {
        return Err(DriverError(format!(
            "`{what}` {name:?} cannot be a name of lircd; it has 1 to {} letters and no white space",
            keys::LONGEST
        )));
    }
    Ok(())
}

/// A remote control.
#[derive(Debug)]
pub struct Lirc {
    options: Options,
    /// The remote's keys by lircd's names, as it last listed them.
    known: Mutex<Vec<String>>,
    /// One key at a time, in the order in which they were asked for.
    turn: tokio::sync::Mutex<()>,
}

/// Asks lircd for the remote's keys. Sends none.
///
/// # Errors
/// lircd does not answer, or does not know the remote.
pub async fn start(options: &Options, place: &Place) -> Result<Lirc, DriverError> {
    options.check()?;
    let tool = Lirc { options: options.clone(), known: Mutex::default(), turn: tokio::sync::Mutex::new(()) };
    let known = tool.list().await?;
    tracing::debug!(slot = place.slot, remote = options.remote, keys = known.len(), "lircd knows the remote");
    Ok(tool)
}

impl Lirc {
    /// Sends a command and waits for the answer.
    async fn ask(&self, command: &str, within: Duration) -> Result<Reply, DriverError> {
        let socket = self.options.socket.display();
        let said = match tokio::time::timeout(within, ask(&self.options.socket, command)).await {
            Ok(Ok(reply)) => return Ok(reply),
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("no answer within {} ms", within.as_millis()),
        };
        Err(DriverError(format!(
            "lircd at {socket} did not answer {command:?}: {said}; check that it runs, and `socket`"
        )))
    }

    /// The remote's keys.
    async fn list(&self) -> Result<Vec<String>, DriverError> {
        let reply = self.ask(&format!("LIST {}", self.options.remote), LIMIT).await?;
        if !reply.success {
            return Err(self.no_remote(&reply).await);
        }
        // A code and its key.
        let keys: Vec<String> =
            reply.data.iter().filter_map(|line| line.split_whitespace().nth(1)).map(String::from).collect();
        self.known.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&keys);
        Ok(keys)
    }

    async fn no_remote(&self, reply: &Reply) -> DriverError {
        let remotes = self.ask("LIST", LIMIT).await.map(|reply| reply.data.join(", ")).unwrap_or_default();
        DriverError(format!(
            "lircd at {} does not know `remote` {:?} ({}); it knows: {}",
            self.options.socket.display(),
            self.options.remote,
            reply.data.join(" "),
            if remotes.is_empty() { "none" } else { &remotes }
        ))
    }

    /// lircd's name of a key. The list is asked for anew before a key is refused: lircd may have read its files again.
    async fn name_of(&self, key: &str) -> Result<String, DriverError> {
        let candidates = candidates(&self.options.keys, key);
        let found = |known: &[String]| {
            let is = |name: &&String| known.iter().any(|known| known.eq_ignore_ascii_case(name));
            candidates.iter().find(is).cloned()
        };
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(name) = found(&known) {
            return Ok(name);
        }
        let known = self.list().await?;
        found(&known).ok_or_else(|| {
            DriverError(format!(
                "key {key:?}: remote {:?} of lircd has none of {}; it has {}; name one under `keys`",
                self.options.remote,
                candidates.join(", "),
                known.join(", ")
            ))
        })
    }

    async fn send(&self, key: &str) -> Result<bool, DriverError> {
        word("key", key)?;
        let _turn = self.turn.lock().await;
        let (name, remote, repeats) = (self.name_of(key).await?, &self.options.remote, self.options.repeats);
        let command = match repeats {
            0 => format!("SEND_ONCE {remote} {name}"),
            repeats => format!("SEND_ONCE {remote} {name} {repeats}"),
        };
        let reply = self.ask(&command, LIMIT + REPEAT * repeats.into()).await?;
        if reply.success {
            return Ok(true);
        }
        Err(DriverError(format!("lircd did not send key {key:?} as {name}: {}; see its log", reply.data.join(" "))))
    }
}

/// What a key may be called, the likeliest first. A name of the map is the only one: it was meant.
fn candidates(map: &BTreeMap<String, String>, key: &str) -> Vec<String> {
    if let Some(name) = keys::looked_up(map, key) {
        return vec![name.to_owned()];
    }
    let mut names = vec![key.to_owned()];
    names.extend(keys::standard(key).iter().map(|name| (*name).to_owned()));
    names.push(format!("KEY_{}", key.to_uppercase()));
    names.dedup();
    names
}

async fn ask(socket: &Path, command: &str) -> io::Result<Reply> {
    let mut stream = UnixStream::connect(socket).await?;
    stream.write_all(format!("{command}\n").as_bytes()).await?;
    let mut lines = BufReader::new(stream.take(SAID));
    let mut reader = Reader::of(command);
    let mut line = Vec::new();
    loop {
        line.clear();
        (&mut lines).take(WIDTH).read_until(b'\n', &mut line).await?;
        if line.pop() != Some(b'\n') {
            return Err(io::Error::other("it hung up, or its lines are too long"));
        }
        let reply =
            reader.take(&String::from_utf8_lossy(&line)).map_err(|odd| io::Error::other(format!("it said {odd}")))?;
        if let Some(reply) = reply {
            return Ok(reply);
        }
    }
}

impl Tool for Lirc {
    fn name(&self) -> &'static str {
        "lirc"
    }

    fn probe(&self) -> BoxFuture<'_, Result<String, DriverError>> {
        Box::pin(async {
            let keys = self.list().await?.len();
            let version = self.ask("VERSION", LIMIT).await?.data.join(" ");
            Ok(format!("lircd {version}, remote {} with {keys} keys", self.options.remote))
        })
    }
}

impl crate::Remote for Lirc {
    fn press<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<bool, DriverError>> {
        Box::pin(self.send(key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mapped_key_has_one_name_and_others_have_several() {
        let map = BTreeMap::from([("Guide".to_owned(), "EPG_BUTTON".to_owned())]);
        assert_eq!(candidates(&map, "TV_Guide"), ["EPG_BUTTON"]);
        assert_eq!(candidates(&map, "Back"), ["Back", "KEY_BACK", "KEY_RETURN", "KEY_BACK"]);
        assert_eq!(candidates(&map, "Warp"), ["Warp", "KEY_WARP"]);
    }

    #[test]
    fn nothing_can_be_smuggled_into_a_command() {
        for name in ["", "KEY_1 5", "KEY_1\nSEND_ONCE other KEY_POWER", &"x".repeat(65)] {
            assert!(word("key", name).is_err(), "{name:?}");
        }
        let options = Options::of_remote("/nowhere/lircd", "my remote");
        assert!(options.check().unwrap_err().to_string().contains("`remote` \"my remote\""));
        let options = Options::of_remote("/nowhere/lircd", "remote");
        assert!(options.check().unwrap_err().to_string().contains("`socket` /nowhere/lircd is not there"));
    }
}
