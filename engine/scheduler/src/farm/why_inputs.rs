//! What a start was decided from, as a digest that is kept with its reason.
//!
//! Each digest goes on from the one of the start before, so equal digests mean: the same inputs here, and the same starts
//! in the same order up to here. Replaying the journal must give the same ones; `headend replay-check` looks.

use headend_model::{JobId, SlotId, TargetIx, TestIx};

use super::Farm;
use super::books::{Group, Rule};
use super::queues::{Key, Rank};
use crate::digest::Digest;
use crate::policy::PlanBooks;

impl Farm {
    /// Digest of what the start of this test on these slots is decided from; costs O(log n). Called right before.
    pub(super) fn digest_inputs(&mut self, job: JobId, test: TestIx, on: &[(TargetIx, SlotId)]) -> u64 {
        let mut digest = Digest::after(self.decided);
        digest.word(self.now.micros() as u64).word(self.leases.len() as u64).word(self.jobs.len() as u64);
        digest.word(self.next.run).word(self.next.ask);
        self.digest_job(&mut digest, job, test);
        for (target, slot) in on {
            digest.word(u64::from(target.0)).word(u64::from(slot.0));
            self.digest_slot(&mut digest, *slot);
        }
        self.decided = digest.value();
        self.decided
    }

    fn digest_job(&self, digest: &mut Digest, id: JobId, test: TestIx) {
        let Some(job) = self.jobs.get(&id) else { return };
        digest_key(digest, job.key);
        digest.word(job.accepted.micros() as u64).word(u64::from(job.spec.priority.0)).text(job.spec.owner.as_str());
        digest.word(u64::from(test.0)).word(job.lost.len() as u64).word(u64::from(job.gang.skips));
        let book = job.tests.get(test.0 as usize);
        if let Some((book, group)) = book.and_then(|book| Some((book, job.groups.get(book.group as usize)?))) {
            digest.word(u64::from(book.started)).word(u64::from(book.dropped));
            digest_group(digest, group, test);
        }
    }

    fn digest_slot(&self, digest: &mut Digest, slot: SlotId) {
        let Some(book) = self.slots.get(&slot) else { return };
        digest.word(book.epoch.0).word(u64::from(book.rack.0)).word(book.hold.map_or(0, |job| job.0));
        if let Some(dut) = self.inventory.dut_in(slot) {
            digest.word(dut.0).word(self.duts.get(&dut).map_or(0, |book| book.epoch.0));
        }
        if let Some(rack) = self.racks.get(&book.rack) {
            digest.word(u64::from(rack.cpu_percent)).word(rack.busy as u64);
        }
    }
}

fn digest_key(digest: &mut Digest, (rank, job): Key) {
    match rank {
        Rank::Given { given } => digest.word(1).word(given as u64),
        Rank::Own(own) => digest.word(2).word(own as u64),
    };
    digest.word(job.0);
}

fn digest_group(digest: &mut Digest, group: &Group, test: TestIx) {
    match &group.rule {
        Rule::DutCoverage => digest.word(1),
        Rule::TestCoverage => digest.word(2),
        Rule::Gang => digest.word(0),
        Rule::Policy(name) => digest.word(3).text(name.as_str()),
    };
    digest.word(u64::from(group.runs_left(test))).word(u64::from(group.starts(test)));
    digest.word(group.running.into()).word(group.talk.past.len() as u64).word(group.talk.deferred.len() as u64);
}
