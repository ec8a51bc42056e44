//! A run that does nothing but report, in a warm guest process: from the order to run until `Ended`, in WebAssembly and in Rhai. Needs the
//! guests: `cargo xtask plugins`.
//!
//! One process is what a run costs with everything in the processor's caches; 32 in turn is what a full rack pays.
#![allow(clippy::unwrap_used, missing_docs, reason = "a bench may stop at the first surprise")]

use std::io::{BufRead, BufReader, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use criterion::{Criterion, criterion_group, criterion_main};
use headend_wire::session::{GuestLimits, Reply, ScriptEnd, SessionInfo, ToHost, ToScript};
use serde_json::json;

/// A guest process and its socket.
struct Guest {
    child: Child,
    reader: BufReader<UnixStream>,
    line: String,
}

impl Guest {
    fn start(cache: &Path) -> Self {
        let (ours, theirs) = UnixStream::pair().unwrap();
        // The shell moves the socket from descriptor 0 to 3 and becomes the guest.
        let child = Command::new("/bin/sh")
            .args(["-c", "exec \"$0\" script 3<&0 </dev/null", env!("CARGO_BIN_EXE_headend-guest")])
            .env("HEADEND_CACHE", cache)
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .spawn()
            .unwrap();
        let mut guest = Self { child, reader: BufReader::new(ours), line: String::new() };
        assert!(matches!(guest.hear(), ToHost::Ready { .. }));
        guest
    }

    /// A whole run. Every call is answered with `true`.
    fn run(&mut self, script: &Path) {
        let info = SessionInfo {
            job: 7,
            run: 9,
            attempt: 1,
            script: script.to_str().unwrap().to_owned(),
            args: Vec::new(),
            public: Some("/srv/public".into()),
            out: "/out".into(),
            rack: "rack1".into(),
            port: 8000,
            slots: vec![5],
            under_daemon: true,
        };
        self.say(&ToScript::Run { info, limits: GuestLimits::default() });
        loop {
            match self.hear() {
                ToHost::Call { id, .. } => self.say(&ToScript::Reply { id, reply: Reply::Ok(json!(true)) }),
                ToHost::Ended { how } => return assert_eq!(how, ScriptEnd::Finished),
                other => panic!("not expected from a guest: {other:?}"),
            }
        }
    }

    fn say(&mut self, message: &ToScript) {
        let mut line = serde_json::to_vec(message).unwrap();
        line.push(b'\n');
        self.reader.get_mut().write_all(&line).unwrap();
    }

    fn hear(&mut self) -> ToHost {
        self.line.clear();
        self.reader.read_line(&mut self.line).unwrap();
        serde_json::from_str(&self.line).unwrap()
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn noop(file: &str) -> PathBuf {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let guests = std::env::var_os("HEADEND_GUESTS").map_or_else(|| repository.join("target/guests"), PathBuf::from);
    let built = guests.join("examples/noop").join(file);
    assert!(built.is_file(), "{} is missing; build the guests first: cargo xtask plugins", built.display());
    built
}

fn benches(criterion: &mut Criterion) {
    let cache = tempfile::tempdir().unwrap();
    for (processes, group) in [(1, "run_1_guest"), (32, "run_32_guests_in_turn")] {
        let mut guests: Vec<Guest> = (0..processes).map(|_| Guest::start(cache.path())).collect();
        let mut group = criterion.benchmark_group(group);
        for (name, file) in [("rhai", "noop.rhai"), ("wasm", "noop.wasm")] {
            let script = noop(file);
            // Each process compiles or loads it once; that is not a warm run.
            for guest in &mut guests {
                guest.run(&script);
            }
            let mut turn = 0;
            group.bench_function(name, |b| {
                b.iter(|| {
                    guests[turn].run(&script);
                    turn = (turn + 1) % processes;
                });
            });
        }
    }
}

criterion_group!(runs, benches);
criterion_main!(runs);
