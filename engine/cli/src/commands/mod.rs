//! The client commands, one story each.

#[cfg(feature = "host")]
pub(crate) mod analyse;
pub(crate) mod duts;
pub(crate) mod eta;
pub(crate) mod files;
pub(crate) mod inventory;
pub(crate) mod jobs;
pub(crate) mod pins;
pub(crate) mod plugin;
#[cfg(feature = "host")]
pub(crate) mod plugin_check;
#[cfg(feature = "host")]
pub(crate) mod plugin_definitions;
mod plugin_life;
pub(crate) mod plugin_new;
mod plugin_pack;
pub(crate) mod racks;
#[cfg(feature = "host")]
pub(crate) mod replay_check;
pub(crate) mod reserve;
pub(crate) mod results;
pub(crate) mod retention;
pub(crate) mod runs;
pub(crate) mod schedule;
pub(crate) mod send;
pub(crate) mod server;
#[cfg(feature = "host")]
pub(crate) mod simulate;
pub(crate) mod status;
pub(crate) mod submit;
pub(crate) mod submit_file;
pub(crate) mod upload;
pub(crate) mod users;
pub(crate) mod watch;
pub(crate) mod why;
pub(crate) mod why_not;

use crate::client::Client;
use crate::ui::Ui;

/// What every command has.
pub(crate) struct Context {
    /// The server.
    pub(crate) client: Client,
    /// The user.
    pub(crate) ui: Ui,
}
