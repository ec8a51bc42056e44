//! What came of a step as rows: jobs, runs, pins, and the feed that people and programs watch.

use std::collections::BTreeMap;
use std::sync::Arc;

use headend_model::{JobId, Mode, OccurrenceNo, RackId, RunId, ScheduleId, TestSpec, Timestamp, UserName};
use headend_scheduler::action::{PolicyReport, RunRecord, StartReason};
use headend_scheduler::schedule::{OccurrenceRecord, Origin};
use headend_scheduler::view::{RackView, SlotState};
use headend_scheduler::{Action, Farm, ScheduleAction};
use headend_store::{FeedItem, JobRow, OccurrenceRow, OriginRow, Pin, Projection, ReportRow, RunPlace, RunRow};
use serde_json::{Value, json};

use crate::clock::rfc3339;
use crate::files::Areas;
use crate::show;

/// Turns actions into rows. Remembers the feed items of a batch until they have numbers.
pub(crate) struct Recorder {
    areas: Arc<Areas>,
    feed: Vec<FeedItem>,
}

type Pins = BTreeMap<RunId, Pin>;

impl Recorder {
    /// A recorder that pins the trees these areas have at the moment.
    pub(crate) fn new(areas: Arc<Areas>) -> Self {
        Self { areas, feed: Vec::new() }
    }

    /// The feed items since the last call, in the order of their rows.
    pub(crate) fn take_feed(&mut self) -> Vec<FeedItem> {
        std::mem::take(&mut self.feed)
    }

    /// The rows of one step.
    pub(crate) fn record(
        &mut self,
        farm: &Farm,
        now: Timestamp,
        actions: &[Action],
        pins: &mut Pins,
    ) -> Vec<Projection> {
        let mut rows = Vec::new();
        for action in actions {
            let item = self.rows_of(farm, action, pins, &mut rows);
            if let Some(note) = item {
                let item = note.into_item(farm, now);
                self.feed.push(item.clone());
                rows.push(Projection::Feed(item));
            }
        }
        rows
    }

    fn rows_of(&self, farm: &Farm, action: &Action, pins: &mut Pins, rows: &mut Vec<Projection>) -> Option<Note> {
        match action {
            Action::Accepted { job, repeated: false, .. } => {
                rows.extend(accepted(farm, *job));
                Some(Note::job("job_accepted", *job, "accepted".to_owned()))
            }
            Action::Start { lease, test, why } => {
                let pin = self.pin(farm, lease.job, lease.run, test.0);
                pins.insert(lease.run, pin.clone());
                rows.push(Projection::RunPinned(pin));
                Some(started(farm, lease, test.0, why))
            }
            Action::RunEnded(record) => {
                let pin = pins.remove(&record.run);
                let row = ended(farm, record, pin);
                let note = end_note(&row);
                rows.push(Projection::RunEnded(Box::new(row)));
                Some(note)
            }
            Action::JobChanged { job, status, started, ended, stopped_by } => {
                rows.push(Projection::JobChanged {
                    job: *job,
                    status: *status,
                    started: *started,
                    ended: *ended,
                    stopped_by: stopped_by.clone(),
                });
                let note = Note::job("job_changed", *job, status.to_string());
                Some(note.with(json!({ "status": status.code(), "status_text": status.to_string() })))
            }
            Action::Schedule(news) => {
                match &**news {
                    ScheduleAction::JobMade { job, origin, .. } => {
                        rows.extend(accepted(farm, *job));
                        rows.push(made_by(farm, *job, origin));
                    }
                    ScheduleAction::Ended(record) => {
                        rows.push(Projection::OccurrenceEnded(Box::new(OccurrenceRow::from(record))));
                    }
                    _ => {}
                }
                schedule_note(farm, news)
            }
            Action::PolicyReport(report) => {
                rows.push(Projection::PolicyReport(Box::new(ReportRow::of(report, farm.now()))));
                Some(report_note(report))
            }
            Action::DutRemoved { dut } => {
                rows.push(Projection::DutRemoved(*dut));
                None
            }
            other => plain_note(farm, other),
        }
    }

    /// The trees of this moment: what is uploaded later is for later runs (document 6.1).
    fn pin(&self, farm: &Farm, job: JobId, run: RunId, test: u32) -> Pin {
        let view = farm.job(job);
        let private = view.as_ref().filter(|view| !is_public(&view.spec.tests, test)).map(|view| &view.spec.owner);
        Pin {
            run,
            public_tree: self.areas.tree_now(None).to_string(),
            private_tree: private.map(|owner| self.areas.tree_now(Some(owner)).to_string()),
        }
    }
}

fn is_public(tests: &[TestSpec], test: u32) -> bool {
    tests.get(test as usize).is_none_or(|test| test.public)
}

/// How many runs a test has.
pub(crate) fn runs_of(test: &TestSpec) -> u32 {
    if test.mode == Mode::SingleProcess { 1 } else { test.slots_needed }
}

fn accepted(farm: &Farm, job: JobId) -> Option<Projection> {
    let view = farm.job(job)?;
    let runs = view.spec.tests.iter().map(runs_of).fold(0, u32::saturating_add);
    let row = JobRow::accepted(job, view.spec.clone(), view.first_run, runs, view.accepted);
    Some(Projection::JobAccepted(Box::new(row)))
}

/// Results of its runs name the schedule, when it and the job are long forgotten here.
fn made_by(farm: &Farm, job: JobId, origin: &Origin) -> Projection {
    let schedule = farm.schedule(origin.schedule);
    Projection::JobOrigin(OriginRow {
        job,
        schedule: origin.schedule.0,
        name: schedule.map(|view| view.name.to_string()).unwrap_or_default(),
        occurrence: origin.occurrence.0,
    })
}

fn started(farm: &Farm, lease: &headend_model::Lease, test: u32, why: &StartReason) -> Note {
    let place = show::places_text(farm, lease);
    let script = farm.job(lease.job).and_then(|view| view.spec.tests.get(test as usize).map(|t| t.script.to_string()));
    let chosen = show::chosen_by(&why.chosen_by);
    Note {
        run: Some(lease.run),
        ..Note::job("run_started", lease.job, format!("{} on {place}", script.as_deref().unwrap_or("test")))
    }
    .with(json!({
        "test": test, "script": script, "place": place, "attempt": lease.attempt,
        "chosen_by": chosen, "reason": why.test, "queue": why.queue,
    }))
}

fn ended(farm: &Farm, record: &RunRecord, pin: Option<Pin>) -> RunRow {
    let inventory = farm.inventory();
    let places = record.lease.iter().flat_map(|lease| &lease.targets).filter_map(|target| {
        Some(RunPlace {
            slot: inventory.slots.get(&target.slot)?.no,
            slot_epoch: target.slot_epoch.0,
            dut: target.dut,
            dut_epoch: target.dut_epoch.0,
        })
    });
    RunRow {
        run: record.run,
        job: record.job,
        test: record.test,
        attempt: record.lease.as_ref().map_or(0, |lease| lease.attempt),
        rack: record.lease.as_ref().and_then(|lease| inventory.racks.get(&lease.rack).cloned()),
        places: places.collect(),
        leased: record.leased,
        ended: record.ended,
        outcome: record.outcome.clone(),
        why: record.why.clone(),
        public_tree: pin.as_ref().map(|pin| pin.public_tree.clone()),
        private_tree: pin.and_then(|pin| pin.private_tree),
    }
}

fn end_note(row: &RunRow) -> Note {
    let slots: Vec<_> = row.places.iter().map(|place| json!({ "slot": place.slot.0, "dut": place.dut.0 })).collect();
    let comment = row.outcome.to_string();
    Note { run: Some(row.run), ..Note::job("run_ended", row.job, comment.clone()) }.with(json!({
        "test": row.test.0, "result": row.outcome.code(), "comment": comment,
        "rack": row.rack.as_ref().map(headend_model::RackName::as_str), "slots": slots,
    }))
}

fn report_note(report: &PolicyReport) -> Note {
    let (policy, group) = (report.policy.as_str(), report.group);
    let (text, data) = match &report.report {
        Ok(_) => (format!("{policy} has reported"), json!({ "policy": policy, "group": group })),
        Err(fault) => {
            (format!("{policy} has no report: {fault}"), json!({ "policy": policy, "group": group, "fault": fault }))
        }
    };
    Note::job("policy_report", report.job, text).with(data)
}

fn plain_note(farm: &Farm, action: &Action) -> Option<Note> {
    match action {
        Action::ProposalRefused { policy, job, placement, reason } => {
            let text = format!("{policy}: test {} on target {}: {reason}", placement.test.0, placement.target.0);
            Some(Note::job("proposal_refused", *job, text).with(json!({ "policy": policy.as_str() })))
        }
        Action::SkipRefused { policy, job, skip, reason } => {
            let text = format!("{policy}: leaving out {} runs of test {}: {reason}", skip.runs, skip.test.0);
            Some(Note::job("skip_refused", *job, text).with(json!({ "policy": policy.as_str() })))
        }
        Action::PolicyStruck { policy, strikes, reason, quarantined } => {
            let text = format!("{policy} failed ({strikes} in a row): {reason}");
            let data = json!({ "policy": policy.as_str(), "strikes": strikes, "quarantined": quarantined });
            Some(Note::new("policy_struck", text).with(data))
        }
        Action::QueueOrder { policy, state, by } => {
            let (text, state) = show::queue::order(policy.as_ref(), state);
            let text = by.as_ref().map_or_else(|| text.clone(), |by| format!("{text} (asked for by {by})"));
            let data = json!({ "policy": show::queue::name(policy.as_ref()), "state": state });
            Some(Note::new("queue_changed", text).with(data))
        }
        Action::CanaryChanged { policy } => {
            let (text, data) = show::trials::change(farm, policy)?;
            Some(Note::new("canary_changed", text).with(data))
        }
        Action::PolicyMoved { job, from, to, reason } => {
            let data = json!({ "from": from.as_str(), "policy": to.as_str(), "reason": reason });
            Some(Note::job("policy_moved", *job, format!("goes on under {to}, not {from}: {reason}")).with(data))
        }
        Action::Reservation(news) => {
            let (kind, text, data) = show::reservations::news(farm, news)?;
            Some(Note::new(kind, text).with(data))
        }
        Action::RackChanged { rack } => Some(rack_note(farm, *rack)),
        Action::RackEnrolled { name, .. } => {
            Some(Note::new("rack_changed", format!("{name} was enrolled")).with(json!({ "rack": name.as_str() })))
        }
        Action::SlotQuarantined { slot, on } => {
            let place = show::slot_text(farm, *slot);
            let text = if *on { "is in quarantine: something there could not be stopped" } else { "is in use again" };
            Some(Note::new("rack_changed", format!("{place} {text}")).with(json!({ "slot": place, "quarantined": on })))
        }
        Action::Accepted { .. }
        | Action::Refused(_)
        | Action::KillNoted { .. }
        | Action::Schedule(_)
        | Action::Start { .. }
        | Action::Stop { .. }
        | Action::Ask(_)
        | Action::AskRanks(_)
        | Action::AskReport(_)
        | Action::PolicyReport(_)
        | Action::DutRemoved { .. }
        | Action::DutInUse { .. }
        | Action::CanaryRefused(_)
        | Action::RunEnded(_)
        | Action::JobChanged { .. } => None,
    }
}

/// What a schedule does by itself, and that it was changed. Items carry its owner: other users do not get to see them.
fn schedule_note(farm: &Farm, news: &ScheduleAction) -> Option<Note> {
    match news {
        // A deleted one has no owner any more to whom this could be told.
        ScheduleAction::Noted { schedule, test, revision } => {
            let owner = farm.schedule(*schedule)?.owner.clone();
            let note = Note::new("schedule_changed", format!("{} was changed", schedule_text(farm, *schedule)));
            let data = json!({ "test": test.map(|test| test.0), "revision": revision });
            Some(note.with(data).of_schedule(*schedule, &owner))
        }
        ScheduleAction::Began(start) => {
            let late = start.late.as_ref().map(|why| format!(", late: {why}")).unwrap_or_default();
            let name = schedule_text(farm, start.schedule);
            let data = json!({
                "occurrence": start.occurrence.0, "planned": rfc3339(start.planned),
                "window_end": start.window_end.map(rfc3339), "late": start.late.as_ref().map(ToString::to_string),
            });
            let note =
                Note::new("occurrence_began", format!("{name}, occurrence {} has begun{late}", start.occurrence));
            Some(note.with(data).of_schedule(start.schedule, &start.owner))
        }
        ScheduleAction::JobMade { job, origin, warnings } => {
            let name = schedule_text(farm, origin.schedule);
            let note = Note::job("job_accepted", *job, format!("made by {name}, occurrence {}", origin.occurrence));
            Some(note.with(json!({
                "schedule": origin.schedule.0, "occurrence": origin.occurrence.0, "warnings": warnings.len(),
            })))
        }
        ScheduleAction::Paused { schedule, occurrence, waiting } => {
            let what = format!("its window has closed, {waiting} runs wait for the next one");
            edge_note(farm, "occurrence_paused", *schedule, *occurrence, &what)
        }
        ScheduleAction::Resumed { schedule, occurrence } => {
            edge_note(farm, "occurrence_resumed", *schedule, *occurrence, "goes on in this window")
        }
        ScheduleAction::Ended(record) => Some(record_note(farm, record)),
        ScheduleAction::Refused(_) | ScheduleAction::ZoneNoted(_) => None,
    }
}

fn edge_note(
    farm: &Farm,
    kind: &'static str,
    schedule: ScheduleId,
    occurrence: OccurrenceNo,
    what: &str,
) -> Option<Note> {
    let owner = farm.schedule(schedule)?.owner.clone();
    let note = Note::new(kind, format!("{}, occurrence {occurrence}: {what}", schedule_text(farm, schedule)));
    Some(note.with(json!({ "occurrence": occurrence.0 })).of_schedule(schedule, &owner))
}

fn record_note(farm: &Farm, record: &OccurrenceRecord) -> Note {
    let which = if record.first == record.last {
        format!("occurrence {}", record.first)
    } else {
        format!("occurrences {} to {}", record.first, record.last)
    };
    let why = record.reason.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
    let text = format!("{}, {which} {}{why}", schedule_text(farm, record.schedule), record.fate);
    let jobs: Vec<u64> = record.jobs.iter().map(|job| job.0).collect();
    let data = json!({
        "first": record.first.0, "last": record.last.0, "planned": rfc3339(record.planned),
        "fate": record.fate.to_string(), "reason": record.reason.as_ref().map(ToString::to_string),
        "began": record.began.map(rfc3339), "jobs": jobs,
    });
    Note::new("occurrence_ended", text).with(data).of_schedule(record.schedule, &record.owner)
}

/// `schedule nightly`, or its number once it has no name any more.
fn schedule_text(farm: &Farm, schedule: ScheduleId) -> String {
    let name = farm.schedule(schedule).map(|view| view.name.to_string());
    format!("schedule {}", name.unwrap_or_else(|| schedule.to_string()))
}

fn rack_note(farm: &Farm, rack: RackId) -> Note {
    let name = show::rack_text(farm, rack);
    let view = farm.racks().into_iter().find(|view| view.rack == rack);
    let online = view.as_ref().is_some_and(|view| view.online);
    let refusal = view.as_ref().and_then(|view| view.not_taking.map(|(_, reason)| reason.to_owned()));
    let out = view.as_ref().map(slots_out).unwrap_or_default();
    let mut text = format!("{name} is {}", if online { "online" } else { "away" });
    if let Some(reason) = refusal {
        text = format!("{text} and takes no new runs: {reason}");
    }
    for (no, reason) in &out {
        text = format!("{text}; slot {no} is out: {reason}");
    }
    let out: Vec<u16> = out.into_iter().map(|(no, _)| no).collect();
    let note = Note::new("rack_changed", text);
    let rack = json!({ "rack": name, "online": online });
    note.with(if out.is_empty() { rack } else { json!({ "rack": name, "online": online, "out": out }) })
}

/// Slots that the rack cannot drive for the time being, with the reasons.
fn slots_out(rack: &RackView<'_>) -> Vec<(u16, String)> {
    let out = rack.slots.iter().filter_map(|slot| {
        let SlotState::Out { reason, .. } = &slot.state else { return None };
        Some((slot.no.0, reason.clone()))
    });
    out.collect()
}

/// A feed item in the making.
struct Note {
    kind: &'static str,
    job: Option<JobId>,
    run: Option<RunId>,
    text: String,
    data: Value,
}

impl Note {
    fn new(kind: &'static str, text: String) -> Self {
        Self { kind, job: None, run: None, text, data: json!({}) }
    }

    fn job(kind: &'static str, job: JobId, text: String) -> Self {
        Self { job: Some(job), ..Self::new(kind, text) }
    }

    fn with(self, data: Value) -> Self {
        Self { data, ..self }
    }

    fn of_schedule(mut self, schedule: ScheduleId, owner: &UserName) -> Self {
        if let Value::Object(data) = &mut self.data {
            data.insert("schedule".to_owned(), schedule.0.into());
            data.insert("owner".to_owned(), owner.as_str().into());
        }
        self
    }

    /// Items about a job carry its owner: other users do not get to see them.
    fn into_item(mut self, farm: &Farm, at: Timestamp) -> FeedItem {
        let owner: Option<UserName> = self.job.and_then(|job| farm.job(job)).map(|view| view.spec.owner.clone());
        if let (Some(owner), Value::Object(data)) = (owner, &mut self.data) {
            data.insert("owner".to_owned(), owner.as_str().into());
        }
        FeedItem { at, kind: self.kind.to_owned(), job: self.job, run: self.run, text: self.text, data: self.data }
    }
}
