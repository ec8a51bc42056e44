//! What runs for long: server, rack, both in one, and the processes that host foreign code.

mod far;
pub(crate) mod farm_args;
mod kept;
pub(crate) mod life;
mod memory;
pub(crate) mod quotas;
pub(crate) mod rack;
mod rack_file;
mod retention;
pub(crate) mod run;
mod run_there;
pub(crate) mod serve;
pub(crate) mod session;
pub(crate) mod up;

use std::path::PathBuf;
use std::process::ExitCode;

/// `headend guest script|policy|analyser|compile`: a host of foreign code, started by server and rack and by nobody else.
///
/// Looked at before the command line is parsed: guests are started often, and print nothing of their own.
pub(crate) fn guest_by_name() -> Option<ExitCode> {
    let mut words = std::env::args_os().skip(1);
    if words.next()? != "guest" {
        return None;
    }
    match words.next()?.to_str()? {
        "script" => Some(headend_plugin_host::script::guest_main()),
        "analyser" => Some(headend_plugin_host::analyser::guest_main()),
        "policy" => Some(headend_plugin_host::policy::guest_main()),
        "compile" => Some(headend_plugin_host::wasm::compile_main()),
        _ => None,
    }
}

/// `--python FILE`: one that is not there would be passed over in silence.
pub(crate) fn interpreter(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    if path.is_file() { Ok(path) } else { Err("there is no such file; give the path of a Python 2.7 or 3".to_owned()) }
}
