//! When will a job start and end? The present farm is copied and played forward, several times with other chances.

use std::collections::BTreeSet;

use headend_model::{JobId, Lease, Mode, RunId, Span, TestIx, TestSpec, Timestamp};
use headend_scheduler::action::QueueState;
use headend_scheduler::history::ScriptName;
use headend_scheduler::view::JobView;
use headend_scheduler::{Action, Event, Farm};

use crate::ask::Policies;
use crate::chance::{Draw, Use};
use crate::figures::quantile;
use crate::plan::Spread;
use crate::player::{End, Happening, Lengths, Next, Observer, Player, claim_of, without_leases};

/// Steps of one sample; more means that the job waits for something that does not come by itself.
const MOST_STEPS: u64 = 400_000;

/// What a script without a past is taken to need.
const OTHERWISE: Span = Span::seconds(300);

/// What a forecast says of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forecast {
    /// Plays that were asked for and done.
    pub samples: u32,
    /// Its first start; none if it has started, or did not start in some play.
    pub start: Option<Estimate>,
    /// Its end; none if it did not end in some play.
    pub end: Option<Estimate>,
    /// Plays in which it did not come to its end.
    pub open: u32,
    /// What is not known, and was taken to be so and so.
    pub unknown: Vec<Unknown>,
}

/// A moment that is not certain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Estimate {
    /// As likely before it as after it.
    pub p50: Timestamp,
    /// Before it in nine of ten plays.
    pub p90: Timestamp,
}

/// What a forecast does not know.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unknown {
    /// No past run of the script: it was taken to need this long.
    NoHistory {
        /// The script.
        script: String,
        /// Taken instead.
        taken: Span,
    },
    /// So many tests of other users have no past either. Their names are their own.
    OthersWithoutHistory(u32),
    /// A run has taken longer than its script ever did.
    Overdue(RunId),
    /// A rack is not heard of; it was taken to stay away.
    RackAway(String),
    /// A rack takes no new runs; it was taken to stay so.
    RackClosed(String),
    /// A policy was not asked; DUT coverage stood in for it.
    PolicyNotAsked(String),
    /// The queue policy was not asked; the built-in rule stood in for it.
    QueueNotAsked(String),
    /// Jobs that are handed in from now on are not known.
    FutureJobs,
}

/// When the job will start and end. Plays `samples` times, fewer if `enough` says so after one of them (at least one is
/// played). `None`: no such open job.
pub fn forecast(
    farm: &Farm,
    now: Timestamp,
    job: JobId,
    samples: u32,
    policies: &mut dyn FnMut() -> Box<dyn Policies>,
    enough: &mut dyn FnMut() -> bool,
) -> Option<Forecast> {
    let has_started = farm.job(job).filter(|view| !view.status.is_final())?.started.is_some();
    let (mut starts, mut ends, mut open, mut done) = (Vec::new(), Vec::new(), 0, 0);
    for seed in 0..samples.max(1) {
        let seen = play_once(farm, now, job, u64::from(seed), &mut *policies());
        starts.extend(seen.started.map(|at| at.since(now)));
        match seen.ended {
            Some(at) => ends.push(at.since(now)),
            None => open += 1,
        }
        done += 1;
        if enough() {
            break;
        }
    }
    let full = |mut all: Vec<Span>| {
        all.sort_unstable();
        let at = |percent| quantile(&all, percent).map(|span| now + span);
        Some(Estimate { p50: at(50)?, p90: at(90)? }).filter(|_| all.len() == done as usize)
    };
    let start = if has_started { None } else { full(starts) };
    Some(Forecast { samples: done, start, end: full(ends), open, unknown: unknown(farm, now, job) })
}

#[derive(Debug, Default)]
struct Seen {
    started: Option<Timestamp>,
    ended: Option<Timestamp>,
}

struct Watch {
    job: JobId,
    seen: Seen,
}

impl Observer for Watch {
    fn stepped(&mut self, now: Timestamp, _: &Event, told: &[Action], _: &Farm) {
        for action in told {
            match action {
                Action::Start { lease, .. } if lease.job == self.job => {
                    self.seen.started.get_or_insert(now);
                }
                Action::JobChanged { job, status, .. } if *job == self.job && status.is_final() => {
                    self.seen.ended.get_or_insert(now);
                }
                _ => {}
            }
        }
    }
}

fn play_once(farm: &Farm, now: Timestamp, job: JobId, seed: u64, policies: &mut dyn Policies) -> Seen {
    let mut watch = Watch { job, seen: Seen::default() };
    let mut lengths = OfHistory { seed };
    let config = without_leases(farm.config());
    let running = running(farm, now);
    let ends: Vec<_> = running.into_iter().map(|run| (run.2, lengths.rest(farm, &run.0, run.1, now), run.0)).collect();
    let mut player = Player::new(farm.clone(), now, policies, &mut lengths, &mut watch);
    for (lost_at, rest, lease) in ends {
        let Some(claim) = claim_of(&lease) else { continue };
        let (at, how) = match lost_at {
            Some(at) => (at, End::Lost),
            None => (now + rest, End::Passes),
        };
        player.expect(at.max(now), Happening::Ends { rack: lease.rack, claim, how });
    }
    player.take(Event::ServerStarted { config });
    while let Some(next) = player.next() {
        match next {
            Next::Tick => player.take(Event::Tick),
            Next::Happens(Happening::Ends { rack, claim, how }) => player.end(rack, claim, how),
            Next::Happens(Happening::Arrives(_)) => {}
        }
        let is_open = player.farm.job(job).is_some_and(|view| !view.status.is_final());
        if !is_open || player.steps >= MOST_STEPS {
            break;
        }
    }
    watch.seen
}

/// All leases, since when, and when they end if their rack stays away.
fn running(farm: &Farm, now: Timestamp) -> Vec<(Lease, Timestamp, Option<Timestamp>)> {
    let terms = farm.config().lease;
    let runs = farm.open_jobs().flat_map(|job| job.running);
    runs.map(|run| {
        let is_lost = run.stalled || run.lease.until <= now;
        (run.lease.clone(), run.leased, is_lost.then(|| terms.reusable_at(run.lease.until)))
    })
    .collect()
}

/// Lengths as the farm remembers them.
struct OfHistory {
    seed: u64,
}

impl OfHistory {
    const fn draw(&self, lease: &Lease, test: TestIx) -> Draw {
        Draw { seed: self.seed, job: lease.job.0, test, nth: lease.run.0 }
    }

    /// What a run that is under way still needs.
    fn rest(&self, farm: &Farm, lease: &Lease, leased: Timestamp, now: Timestamp) -> Span {
        let held = farm.job(lease.job).into_iter().flat_map(|job| job.running).find(|run| run.lease.run == lease.run);
        let test = held.map_or(TestIx(0), |run| run.test);
        let (gone, share) = (now.since(leased), self.draw(lease, test).share(Use::Length));
        let spread = past_of(farm, lease.job, test).unwrap_or(Spread::always(OTHERWISE));
        spread.rest_after(gone, share).unwrap_or_else(|| overdue(gone))
    }
}

/// Longer than ever: nobody knows. A tenth of what it has taken so far, at least a second.
fn overdue(gone: Span) -> Span {
    Span::micros(gone.as_micros() / 10).max(Span::seconds(1))
}

impl Lengths for OfHistory {
    fn of(&mut self, farm: &Farm, lease: &Lease, test: TestIx) -> (Span, bool) {
        let spread = past_of(farm, lease.job, test).unwrap_or(Spread::always(OTHERWISE));
        (spread.at(self.draw(lease, test).share(Use::Length)).max(Span::micros(1)), true)
    }
}

fn spec_of<'a>(view: &JobView<'a>, test: TestIx) -> Option<&'a TestSpec> {
    view.spec.tests.get(test.0 as usize)
}

fn past_of(farm: &Farm, job: JobId, test: TestIx) -> Option<Spread> {
    let view = farm.job(job)?;
    let spec = spec_of(&view, test)?;
    let owner = (!spec.public).then_some(&view.spec.owner);
    let past = farm.history().script(ScriptName { owner, path: &spec.script })?;
    Some(Spread { p50: past.p50, p90: past.p90.max(past.p50) })
}

/// What the forecast of this job rests on without knowing it: its own scripts, the lab, and what runs before it.
fn unknown(farm: &Farm, now: Timestamp, job: JobId) -> Vec<Unknown> {
    let mut unknown = BTreeSet::from([Unknown::FutureJobs]);
    let owner = farm.job(job).map(|view| &view.spec.owner);
    let mut others = 0;
    for view in farm.open_jobs().filter(|view| view.job <= job || !view.running.is_empty()) {
        let is_own = Some(&view.spec.owner) == owner;
        others += note_tests(farm, &view, is_own, &mut unknown);
        note_overdue(farm, &view, now, &mut unknown);
    }
    let order = farm.queue_order();
    if let Some(policy) = order.wanted.filter(|_| !matches!(order.state, QueueState::StoodIn { .. })) {
        unknown.insert(Unknown::QueueNotAsked(policy.to_string()));
    }
    if others > 0 {
        unknown.insert(Unknown::OthersWithoutHistory(others));
    }
    for rack in farm.racks() {
        if !rack.online {
            unknown.insert(Unknown::RackAway(rack.name.to_string()));
        } else if rack.draining || rack.not_taking.is_some() {
            unknown.insert(Unknown::RackClosed(rack.name.to_string()));
        }
    }
    unknown.into_iter().collect()
}

/// Notes what is not known of the job's tests; how many of another user's have no past.
fn note_tests(farm: &Farm, view: &JobView<'_>, is_own: bool, unknown: &mut BTreeSet<Unknown>) -> u32 {
    let mut others = 0;
    for (at, test) in view.spec.tests.iter().enumerate() {
        if past_of(farm, view.job, TestIx(at as u32)).is_none() {
            others += u32::from(!is_own);
            let script = test.script.as_str().to_owned();
            unknown.extend(is_own.then_some(Unknown::NoHistory { script, taken: OTHERWISE }));
        }
        if let Mode::Policy(name) = &test.mode {
            unknown.insert(Unknown::PolicyNotAsked(name.to_string()));
        }
    }
    others
}

fn note_overdue(farm: &Farm, view: &JobView<'_>, now: Timestamp, unknown: &mut BTreeSet<Unknown>) {
    for run in &view.running {
        let longest = past_of(farm, view.job, run.test).map(Spread::most);
        if longest.is_some_and(|longest| now.since(run.leased) >= longest) {
            unknown.insert(Unknown::Overdue(run.lease.run));
        }
    }
}
