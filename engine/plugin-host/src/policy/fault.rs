//! How a call into a policy can fail.

/// A call failed. The instance is of no use any more.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyFault {
    /// No plugin of that name is loaded.
    #[error("no policy plugin {0:?} is loaded; `headend plugin list` shows those that are")]
    Unknown(String),
    /// It was switched off by a person.
    #[error("policy plugin {0:?} is disabled; `headend plugin enable {0}` lets it in again")]
    Disabled(String),
    /// It was switched off after failing too often.
    #[error("policy plugin {0:?} is in quarantine after failing too often; load it again when it is mended")]
    Quarantined(String),
    /// It is a policy of the other kind.
    #[error("plugin {name:?} is a {is}, not a {wanted}")]
    WrongKind {
        /// Which.
        name: String,
        /// What it is.
        is: &'static str,
        /// What was asked for.
        wanted: &'static str,
    },
    /// It did not answer in time.
    #[error("policy plugin {plugin} did not answer `{call}` within {deadline_ms} ms")]
    Deadline {
        /// Name and version.
        plugin: String,
        /// The function.
        call: &'static str,
        /// The manifest's deadline.
        deadline_ms: u64,
    },
    /// It spent more instructions than its manifest allows.
    #[error("policy plugin {plugin} ran out of its {fuel} units of fuel in `{call}`")]
    Fuel {
        /// Name and version.
        plugin: String,
        /// The function.
        call: &'static str,
        /// The manifest's budget.
        fuel: u64,
    },
    /// It asked for more memory, tables or instances than its manifest allows.
    #[error("policy plugin {plugin} asked for more than its {memory_mib} MiB in `{call}`")]
    Memory {
        /// Name and version.
        plugin: String,
        /// The function.
        call: &'static str,
        /// The manifest's limit.
        memory_mib: u32,
    },
    /// Its answer was larger than any sound answer could be.
    #[error("policy plugin {plugin} answered `{call}` with more than {most} bytes")]
    AnswerTooLarge {
        /// Name and version.
        plugin: String,
        /// The function.
        call: &'static str,
        /// The limit in bytes.
        most: usize,
    },
    /// It cannot serve this plan, and says so; or the job asks for parameters that it does not take. No failure of the plugin.
    #[error("policy plugin {plugin} cannot serve this job: {what}")]
    Declined {
        /// Name and version.
        plugin: String,
        /// Why, in its words.
        what: String,
    },
    /// It trapped, threw, or its process died.
    #[error("policy plugin {plugin} failed in `{call}`: {what}")]
    Failed {
        /// Name and version.
        plugin: String,
        /// The function.
        call: &'static str,
        /// What happened.
        what: String,
    },
}

impl PolicyFault {
    /// The text for where there is room for one line: without the line of the script that it came from.
    pub fn brief(&self) -> String {
        crate::excerpt::without_place(&self.to_string()).to_owned()
    }
}
