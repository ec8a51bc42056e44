//! Policies that are asked while a load is played.

use headend_model::{JobId, Timestamp};
use headend_scheduler::Event;
use headend_scheduler::action::{Ask, AskRanks, AskReport};
use headend_scheduler::view::PlanView;

/// A question to a coverage policy.
#[derive(Clone, Debug)]
pub struct Question<A = Ask> {
    /// The time in the play.
    pub now: Timestamp,
    /// The question; its changes are for an instance that is there already.
    pub ask: A,
    /// What a new instance is built from, its past included; none if there is an instance.
    pub plan: Option<PlanView>,
}

/// Answers the farm's questions, each with the event that a server would hand in. Same questions, same answers: on that
/// the sameness of reports rests. A failure is an answer too ([`Event::PolicyFailed`]), and counts as live.
pub trait Policies {
    /// There is an instance for this group of tests of this job; else the next question brings its plan along.
    fn has(&self, job: JobId, group: u32) -> bool;
    /// What to start on the free targets.
    fn propose(&mut self, question: &Question) -> Event;
    /// The ranks of jobs and slots.
    fn rank(&mut self, ask: &AskRanks) -> Event;
    /// What has come of the plan.
    fn report(&mut self, question: &Question<AskReport>) -> Event;
    /// The job has ended.
    fn forget(&mut self, job: JobId);
}

/// No plugins at all: the core's own rules stand in.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoPolicies;

fn nobody(ask: u64) -> Event {
    Event::PolicyFailed { ask, reason: "no policy plugin is asked here".to_owned() }
}

impl Policies for NoPolicies {
    fn has(&self, _: JobId, _: u32) -> bool {
        true
    }

    fn propose(&mut self, question: &Question) -> Event {
        nobody(question.ask.ask)
    }

    fn rank(&mut self, ask: &AskRanks) -> Event {
        nobody(ask.ask)
    }

    fn report(&mut self, question: &Question<AskReport>) -> Event {
        nobody(question.ask.ask)
    }

    fn forget(&mut self, _: JobId) {}
}
