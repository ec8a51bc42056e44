//! What every child does to itself before it reads a script.

use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::mpsc;
use std::time::Duration;

use rustix::process::getppid;

use crate::guest::{ProcessLimits, own_address_space};

/// Room for the engine, what the host hands over and a line of JSON, beyond what the manifest gives to the script.
const OVERHEAD_MIB: u64 = 96;
/// How often the child looks whether its parent is still there.
const PARENT_CHECK: Duration = Duration::from_secs(1);

/// The life of a child that serves `kind`, until its input ends.
pub(crate) fn live(kind: &str, serve: impl FnOnce() -> io::Result<()>) -> ExitCode {
    match go_with_parent().and_then(|()| serve()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody may be there to read it.
            let _ = writeln!(io::stderr(), "{kind} guest: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Ends this process soon after its parent, whatever a script is doing then: a server that was killed kills nobody.
///
/// Returns when the thread runs. A thread's first allocation maps 128 MiB of addresses for a moment (glibc, for a heap of its own). Beside a
/// limit on addresses that is all there is, and whoever allocates in that moment is killed: so it is to happen before [`limit_process`].
fn go_with_parent() -> io::Result<()> {
    let parent = getppid();
    let (tell, runs) = mpsc::sync_channel(1);
    let watch = move || {
        drop(std::hint::black_box(Box::new(parent)));
        let _ = tell.send(());
        while getppid() == parent {
            std::thread::sleep(PARENT_CHECK);
        }
        std::process::exit(1);
    };
    std::thread::Builder::new().name("parent".into()).stack_size(64 << 10).spawn(watch)?;
    runs.recv().map_err(io::Error::other)
}

/// Holds this process to what its manifest says. `memory_mib`: for the script.
pub(crate) fn limit_process(memory_mib: u32) -> io::Result<()> {
    let memory = own_address_space()? + ((u64::from(memory_mib) + OVERHEAD_MIB) << 20);
    ProcessLimits { memory, cpu_s: None }.apply()
}
