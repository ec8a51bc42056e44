//! Clients: they hand in a job, try again until they have an answer, and some change their mind.

use std::collections::{BTreeMap, BTreeSet};

use headend_model::{DutId, JobId, JobSpec, Mode, PolicyName, Priority, Target, TestSpec, TreePath, UserName};
use headend_scheduler::event::{IdempotencyKey, Submission};

use crate::rng::Rng;
use crate::server::Server;
use crate::world::{Break, Happening, MS, SECOND, ToServer, World};

pub(crate) struct Client {
    pub(crate) submission: Submission,
    pub(crate) job: Option<JobId>,
    kills: u32,
}

impl Client {
    pub(crate) fn new(rng: &mut Rng, server: &Server, broken: Option<Break>) -> Self {
        let mut targets: Vec<Target> = Vec::new();
        for (slot, place) in &server.farm.inventory().slots {
            let _ = place;
            match rng.range(0, 3) {
                0 => targets.push(Target::Slot(*slot)),
                1 => targets.push(Target::Dut(DutId(100 + u64::from(slot.0)))),
                2 => {}
                _ => targets.extend([Target::Slot(*slot), Target::Dut(DutId(100 + u64::from(slot.0)))]),
            }
        }
        if targets.is_empty() {
            targets.extend(server.farm.inventory().slots.keys().next().map(|slot| Target::Slot(*slot)));
        }
        targets.truncate(4);
        let tests = (0..rng.range(1, 3)).map(|_| test(rng, targets.len() as i64)).collect();
        let spec = JobSpec {
            name: "job".to_owned(),
            owner: UserName::new(if rng.percent(50) { "anna" } else { "bert" }).unwrap(),
            priority: Priority(rng.range(4, 6) as u8),
            targets,
            tests,
            policy_parameters: BTreeMap::new(),
        };
        let key = (broken != Some(Break::NoKey))
            .then(|| IdempotencyKey { key: format!("{:x}", rng.next()), digest: rng.next() });
        let submission = Submission { spec, missing_scripts: BTreeSet::new(), fail_on_warning: false, key };
        let kills = if rng.percent(25) { 3 } else { 0 };
        Self { submission, job: None, kills }
    }

    pub(crate) fn waits(&self) -> bool {
        self.job.is_none()
    }
}

fn test(rng: &mut Rng, targets: i64) -> TestSpec {
    let mode = match rng.range(0, 9) {
        0 => Mode::SingleProcess,
        1 => Mode::Policy(PolicyName::new("odd").unwrap()),
        2..=5 => Mode::DutCoverage,
        _ => Mode::TestCoverage,
    };
    let script = TreePath::parse("t.py").unwrap();
    TestSpec {
        script,
        public: true,
        slots_needed: rng.range(1, targets) as u32,
        mode,
        args: Vec::new(),
        time_limit: None,
    }
}

impl World {
    pub(crate) fn client_acts(&mut self, client: usize) {
        let book = &mut self.clients[client];
        if book.job.is_none() {
            self.send(Happening::AtServer(Box::new(ToServer::Submit { client })), false);
            let pause = self.rng.range(500 * MS, 3 * SECOND);
            self.after(pause, Happening::ClientActs { client });
        } else if book.kills > 0 {
            book.kills -= 1;
            self.send(Happening::AtServer(Box::new(ToServer::Kill { client })), false);
            let pause = self.rng.range(SECOND, 4 * SECOND);
            self.after(pause, Happening::ClientActs { client });
        }
    }

    pub(crate) fn client_gets(&mut self, client: usize, job: JobId) {
        let book = &mut self.clients[client];
        if book.job.is_none() {
            book.job = Some(job);
            if book.kills > 0 {
                let pause = self.rng.range(0, 10 * SECOND);
                self.after(pause, Happening::ClientActs { client });
            }
        }
    }
}
