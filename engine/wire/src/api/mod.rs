//! REST types under `/api/v1`. Times are RFC 3339 in UTC with microseconds. Ids are numbers.
//!
//! A file for each story; all of them are reached from here. Types of requests refuse unknown fields.

mod duts;
mod jobs;
mod plugins;
mod racks;
mod reports;
mod reservations;
mod results;
mod runs;
mod server;
mod tokens;
mod why;

pub use duts::{DutItem, DutList, PlaceRequest};
pub use jobs::{
    JobDetail, JobItem, JobList, KillAnswer, ModeRef, SlotRef, SubmitAnswer, SubmitRequest, TestItem, TestRequest,
    WarningItem,
};
pub use plugins::{LoadRequest, PluginItem, PluginList, QueueInfo, QueueRequest, TrialItem};
pub use racks::{DrainRequest, EnrolToken, RackItem, RackList, SlotItem};
pub use reports::{JobReport, PolicyReport};
pub use reservations::{ExtendRequest, KickRequest, ReservationItem, ReservationList, ReservationRequest};
pub use results::{
    MeasurementItem, MeasurementList, PinItem, PinList, PinRequest, ResultCounts, ResultDevice, ResultFile,
    ResultFileList, ResultLeftOut, ResultList, ResultSchedule, ResultSnapshot, RetentionClass, RetentionInfo,
    RetentionItem, RetentionPast, RunResult, StepItem, StepList,
};
pub use runs::{ArtifactItem, ArtifactList, RunItem, RunList, RunSlot};
pub use server::{EventItem, ServerInfo, VersionAnswer};
pub use tokens::{TokenAnswer, TokenItem, TokenList, TokenRequest};
pub use why::{WhyAnswer, WhyAt, WhyQueue, WhyStarted, WhyWaiting};
