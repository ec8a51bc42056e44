//! How a call into an analyser can fail.

/// A call failed. The instance is of no use any more.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AnalyserFault {
    /// No analyser of that name is loaded.
    #[error("no analyser {0:?} is loaded")]
    Unknown(String),
    /// It cannot work with these parameters and references, and says so. No failure of the plugin.
    #[error("analyser {plugin} cannot work like that: {what}")]
    Declined {
        /// Name and version.
        plugin: String,
        /// Why, in its words.
        what: String,
    },
    /// It did not answer in time.
    #[error("analyser {plugin} did not answer `{call}` within {deadline_ms} ms")]
    Deadline {
        /// Name and version.
        plugin: String,
        /// The function.
        call: &'static str,
        /// What it was given.
        deadline_ms: u64,
    },
    /// It spent more instructions than its manifest allows.
    #[error("analyser {plugin} ran out of its {fuel} units of fuel in `{call}`")]
    Fuel {
        /// Name and version.
        plugin: String,
        /// The function.
        call: &'static str,
        /// What it was given.
        fuel: u64,
    },
    /// It asked for more memory than its manifest allows.
    #[error("analyser {plugin} asked for more than its {memory_mib} MiB in `{call}`")]
    Memory {
        /// Name and version.
        plugin: String,
        /// The function.
        call: &'static str,
        /// The manifest's limit.
        memory_mib: u32,
    },
    /// It asked the host more often than its manifest allows.
    #[error("analyser {plugin} asked the host more than {most} times in `{call}`; its manifest says limits.host_calls")]
    HostCalls {
        /// Name and version.
        plugin: String,
        /// The function.
        call: &'static str,
        /// The manifest's limit.
        most: u32,
    },
    /// It trapped, threw, answered nonsense, or its process died.
    #[error("analyser {plugin} failed in `{call}`: {what}")]
    Failed {
        /// Name and version.
        plugin: String,
        /// The function.
        call: &'static str,
        /// What happened.
        what: String,
    },
}
