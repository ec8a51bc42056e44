//! What the farm shows of its canaries.

use headend_model::{JobId, PolicyName, Timestamp};

use super::super::Farm;
use super::{Canary, Side};
use crate::action::RankedJob;
use crate::trials::{Arm, CanaryRequest, CanaryState};
use crate::view::QueueRank;

/// A canary.
#[derive(Clone, Debug)]
pub struct CanaryView<'a> {
    /// As it was asked for.
    pub request: &'a CanaryRequest,
    /// When it began.
    pub began: Timestamp,
    /// When its time is over.
    pub until: Timestamp,
    /// How it stands,
    pub state: &'a CanaryState,
    /// and since when.
    pub since: Timestamp,
    /// What has come of its jobs,
    pub own: &'a Arm,
    /// and of the others that are new since it began.
    pub others: &'a Arm,
    /// Open jobs that it serves.
    pub jobs: Vec<JobId>,
}

/// What a job has to do with a canary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobOnTrial {
    /// The canary.
    pub policy: PolicyName,
    /// The policy that the job names.
    pub beside: PolicyName,
    /// The canary serves, or served, the job; else the job is one of those that it is compared with.
    pub served: bool,
    /// It was taken off the canary then, for this reason.
    pub left: Option<(Timestamp, String)>,
}

impl Farm {
    /// All canaries that are remembered, the newest first.
    pub fn canaries(&self) -> Vec<CanaryView<'_>> {
        let mut all: Vec<&Canary> = self.trials.all.values().collect();
        all.sort_unstable_by_key(|canary| std::cmp::Reverse(canary.number));
        all.into_iter().map(|canary| self.view_canary(canary)).collect()
    }

    /// The canary of that name.
    pub fn canary(&self, policy: &PolicyName) -> Option<CanaryView<'_>> {
        self.trials.all.get(policy).map(|canary| self.view_canary(canary))
    }

    fn view_canary<'a>(&'a self, canary: &'a Canary) -> CanaryView<'a> {
        let Canary { request, began, until, state, since, own, others, .. } = canary;
        let on = |job: &super::super::state::Job| {
            job.groups
                .iter()
                .filter_map(|group| group.trial.as_ref())
                .any(|trial| trial.number == canary.number && trial.side == Side::Canary && trial.left.is_none())
        };
        let jobs = self.jobs.iter().filter(|(_, job)| on(job)).map(|(id, _)| *id).collect();
        CanaryView { request, began: *began, until: *until, state, since: *since, own, others, jobs }
    }

    /// The open jobs as a queue policy is told of them, with the ranks in force, the first `most` of them.
    pub fn ranks_in_force(&self, most: usize) -> Vec<(RankedJob, i64)> {
        let rank = |id: JobId| match self.queue_rank(id)? {
            QueueRank::BuiltIn(rank) | QueueRank::Plugin { rank, .. } => Some(rank),
            QueueRank::NotYet { .. } => None,
        };
        let ranked = self.jobs.keys().filter_map(|id| Some((self.ranked_job(*id)?, rank(*id)?)));
        let mut all: Vec<(RankedJob, i64)> = ranked.collect();
        all.sort_by_key(|(job, rank)| (*rank, job.job));
        all.truncate(most);
        all
    }

    /// What an open job, or one that became final a moment ago, has to do with canaries.
    pub fn trials_of(&self, job: JobId) -> Vec<JobOnTrial> {
        let Some(job) = self.known_job(job) else { return Vec::new() };
        let trials = job.groups.iter().filter_map(|group| group.trial.as_ref());
        let told = trials.map(|trial| JobOnTrial {
            policy: trial.policy.clone(),
            beside: trial.beside.clone(),
            served: trial.side == Side::Canary,
            left: trial.left.clone(),
        });
        told.collect()
    }
}
