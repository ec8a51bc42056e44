//! The steps by name, and how far a plugin came.

use std::fmt;

use super::LoadError;

/// A step of loading, in the order in which they are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// The files are there and not too large.
    Read,
    /// The manifest is sound, and of a kind that is loaded here.
    Manifest,
    /// The contract it was written against is offered.
    World,
    /// What it asks for is granted.
    Capabilities,
    /// Somebody trusted vouches for it, where that is required.
    Signature,
    /// What is set for it fits its schema.
    Parameters,
    /// Its code compiles, in a child process.
    Compile,
    /// It has what its kind must have, and wants nothing more.
    Link,
    /// It answered soundly on a tiny plan.
    SelfCheck,
    /// It is kept for later.
    Keep,
    /// It is in force.
    Switch,
}

impl Step {
    /// All, in their order.
    pub const ALL: &[Self] = &[
        Self::Read,
        Self::Manifest,
        Self::World,
        Self::Capabilities,
        Self::Signature,
        Self::Parameters,
        Self::Compile,
        Self::Link,
        Self::SelfCheck,
        Self::Keep,
        Self::Switch,
    ];

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Manifest => "manifest",
            Self::World => "world",
            Self::Capabilities => "capabilities",
            Self::Signature => "signature",
            Self::Parameters => "parameters",
            Self::Compile => "compile",
            Self::Link => "link",
            Self::SelfCheck => "self-check",
            Self::Keep => "keep",
            Self::Switch => "switch",
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How far a plugin came when it was tried, with nothing switched.
#[derive(Debug)]
pub struct Tried {
    /// What it would be, as far as its manifest could be read.
    pub info: Option<Box<crate::policy::PluginInfo>>,
    /// Why it would not be loaded; the step is [`LoadError::step`].
    pub error: Option<LoadError>,
}

impl LoadError {
    /// The step that failed.
    pub const fn step(&self) -> Step {
        match self {
            Self::Read { .. }
            | Self::TooLarge { .. }
            | Self::Bundle { .. }
            | Self::OtherCode { .. }
            | Self::NotKept { .. }
            | Self::NoSuchVersion { .. }
            | Self::NotLoaded(_)
            | Self::Disabled(_) => Step::Read,
            Self::Manifest(_) | Self::Kind { .. } | Self::NoPolicy { .. } => Step::Manifest,
            Self::World { .. } => Step::World,
            Self::Capability { .. } => Step::Capabilities,
            Self::Signature { .. } => Step::Signature,
            Self::Parameters { .. } => Step::Parameters,
            Self::Compile { .. } => Step::Compile,
            Self::Link { .. } => Step::Link,
            Self::SelfCheck { .. } => Step::SelfCheck,
            Self::Keep { .. } => Step::Keep,
            Self::NameTaken { .. } | Self::Renamed { .. } | Self::OtherKind { .. } => Step::Switch,
        }
    }
}
