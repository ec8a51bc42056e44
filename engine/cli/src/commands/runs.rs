//! Jobs with all their runs: the server gives at most 1,000 runs at once, here the pages are put together.

use headend_wire::api::{JobDetail, RunItem, RunList};

use super::Context;
use crate::failure::Result;

/// A job with every run of it.
pub(crate) async fn whole(context: &Context, job: u64) -> Result<JobDetail> {
    let mut detail: JobDetail = context.client.get(&format!("/jobs/{job}")).await?;
    while let Some(after) = detail.next {
        let page = page(context, job, Some(after)).await?;
        detail.run_list.extend(page.runs);
        detail.next = page.next;
    }
    Ok(detail)
}

async fn page(context: &Context, job: u64, after: Option<u64>) -> Result<RunList> {
    let query = after.map_or_else(String::new, |after| format!("?after={after}"));
    context.client.get(&format!("/jobs/{job}/runs{query}")).await
}

/// Follows the runs of a job. The first page comes with the job itself each time; of those behind it only pages are
/// asked for again on which something has happened, and none that has ended as a whole.
pub(crate) struct Follower {
    job: u64,
    /// The pages behind the first, in order.
    later: Vec<Later>,
}

struct Later {
    /// The run before the page.
    after: u64,
    /// Something may have changed since it was read.
    stale: bool,
    /// All of its runs have ended.
    over: bool,
}

impl Follower {
    /// Of this job.
    pub(crate) const fn new(job: u64) -> Self {
        Self { job, later: Vec::new() }
    }

    /// Something has happened to this run.
    pub(crate) fn touch(&mut self, run: u64) {
        if let Some(page) = self.later.iter_mut().rev().find(|page| page.after < run) {
            page.stale = true;
        }
    }

    /// Something may have happened anywhere.
    pub(crate) fn touch_all(&mut self) {
        self.later.iter_mut().for_each(|page| page.stale = true);
    }

    /// Reads what may have changed on later pages than the first, which `detail` has.
    pub(crate) async fn read(&mut self, context: &Context, detail: &JobDetail) -> Result<Vec<RunItem>> {
        let mut runs = Vec::new();
        if self.later.is_empty() {
            self.find(context, detail.next, &mut runs).await?;
            return Ok(runs);
        }
        for page in self.later.iter_mut().filter(|page| page.stale && !page.over) {
            let list = self::page(context, self.job, Some(page.after)).await?;
            (page.stale, page.over) = (false, is_over(&list.runs));
            runs.extend(list.runs);
        }
        Ok(runs)
    }

    /// The first look: which pages there are. Their numbers never change.
    async fn find(&mut self, context: &Context, mut next: Option<u64>, runs: &mut Vec<RunItem>) -> Result<()> {
        while let Some(after) = next {
            let list = page(context, self.job, Some(after)).await?;
            self.later.push(Later { after, stale: false, over: is_over(&list.runs) });
            runs.extend(list.runs);
            next = list.next;
        }
        Ok(())
    }
}

fn is_over(runs: &[RunItem]) -> bool {
    runs.iter().all(|run| run.state == 0)
}
