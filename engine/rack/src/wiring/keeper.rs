//! Watches over the tools of one slot: [`Watch`] decides, and this does it.

use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::sync::Arc;
use std::time::Duration;

use futures::future::{BoxFuture, FutureExt, OptionFuture};
use headend_drivers::{DriverError, Place, now_us};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::watch::{Input, Order, Watch};
use crate::core::Outbox;
use crate::driver::wired::{Gear, Wired};

/// Longest start of all tools of a slot.
const START: Duration = Duration::from_mins(2);
/// Longest probe of one tool; it promises ten seconds.
const PROBE: Duration = Duration::from_secs(15);

/// What can be started for a slot.
pub(crate) trait Tools: Send + Sync + std::fmt::Debug {
    /// Starts all of it, or leaves nothing behind. `place`: its folder is fresh.
    fn start<'a>(&'a self, place: &'a Place) -> BoxFuture<'a, Result<Gear, DriverError>>;
}

/// One per wired slot.
#[derive(Debug)]
pub(crate) struct Keeper {
    pub(crate) place: Place,
    pub(crate) wired: Arc<Wired>,
    pub(crate) tools: Arc<dyn Tools>,
    /// How many runs are on the slot.
    pub(crate) users: watch::Receiver<usize>,
    /// Tells the server.
    pub(crate) outbox: Arc<Outbox>,
    /// How often an idle slot is probed.
    pub(crate) every: Duration,
}

/// What an order has led to.
enum Done {
    Started(Result<Gear, DriverError>),
    Probed(Result<(), DriverError>),
}

impl Keeper {
    /// Until stopped; then nothing of the tools is left.
    pub(crate) async fn keep(mut self, stop: CancellationToken) {
        let mut watch = Watch::new(u64::try_from(self.every.as_micros()).unwrap_or(u64::MAX));
        let mut gear: Option<Gear> = None;
        let mut work: OptionFuture<BoxFuture<'static, Done>> = None.into();
        let mut working = false;
        let mut input = Input::Busy(*self.users.borrow_and_update() > 0);
        while !stop.is_cancelled() {
            let was_out = watch.out().map(str::to_owned);
            if let Some(order) = watch.step(now_us(), input) {
                match order {
                    Order::Start => work = Some(start(self.tools.clone(), self.place.clone()).boxed()).into(),
                    Order::Probe => work = Some(probe(gear.clone().unwrap_or_default()).boxed()).into(),
                    Order::Stop => gear = None,
                }
                working = order != Order::Stop;
            }
            self.tell(was_out.as_deref(), &watch, gear.as_ref());
            let tick = watch.deadline_us().map(sleep_until);
            // In this order: a run that has begun is known before anything that it may have caused.
            input = tokio::select! {
                biased;
                () = stop.cancelled() => break,
                changed = self.users.changed() => match changed {
                    Ok(()) => Input::Busy(*self.users.borrow_and_update() > 0),
                    // Nobody can use the slot any more.
                    Err(_) => break,
                },
                Some(done) = &mut work, if working => {
                    (working, work) = (false, None.into());
                    taken(done, &mut gear)
                }
                () = self.wired.trouble() => Input::Trouble,
                Some(()) = OptionFuture::from(tick) => Input::Tick,
            };
        }
        drop(work);
        self.wired.unplug("the rack is stopping");
    }

    /// Drivers first: whoever hears that the slot is in finds it so.
    fn tell(&self, was_out: Option<&str>, watch: &Watch, gear: Option<&Gear>) {
        let slot = self.place.slot;
        match (watch.out(), gear) {
            (None, Some(gear)) => {
                if was_out.is_some() {
                    self.wired.plug(gear.clone());
                    tracing::info!(slot, "the slot is in: its tools have passed their probe");
                }
            }
            (Some(reason), None) => self.wired.unplug(reason),
            // A run goes on with what still works.
            (Some(_), Some(_)) | (None, None) => {}
        }
        if let Some(reason) = watch.out().filter(|reason| was_out != Some(*reason)) {
            tracing::warn!(slot, reason, "the slot is out");
        }
        self.outbox.set_out(slot, watch.out().map(str::to_owned));
    }
}

/// What the watch is told, once the tools are where they belong.
fn taken(done: Done, gear: &mut Option<Gear>) -> Input {
    match done {
        Done::Started(Ok(started)) => {
            *gear = Some(started);
            Input::Started(Ok(()))
        }
        Done::Started(Err(error)) => Input::Started(Err(error.to_string())),
        Done::Probed(result) => Input::Probed(result.map_err(|error| error.to_string())),
    }
}

async fn start(tools: Arc<dyn Tools>, place: Place) -> Done {
    let started = async {
        fresh(&place)?;
        tools.start(&place).await
    };
    let late = || DriverError(format!("its tools did not come up within {} s", START.as_secs()));
    Done::Started(tokio::time::timeout(START, started).await.unwrap_or_else(|_| Err(late())))
}

/// Empties the slot's folder: nothing of a former start confuses the next one.
pub(crate) fn fresh(place: &Place) -> Result<(), DriverError> {
    let told = |error: std::io::Error| {
        let path = place.scratch.display();
        DriverError(format!("cannot make the folder {path} for tools: {error}; check that the disk has room"))
    };
    match fs::remove_dir_all(&place.scratch) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(told(error)),
        _ => {}
    }
    fs::DirBuilder::new().recursive(true).mode(0o700).create(&place.scratch).map_err(told)
}

async fn probe(gear: Gear) -> Done {
    for probed in probe_each(&gear).await {
        if let (name, Err(error)) = probed {
            return Done::Probed(Err(DriverError(format!("{name}: {error}"))));
        }
    }
    Done::Probed(Ok(()))
}

/// Every tool's word, all asked at once: what it is for the slot, and what it says of itself.
pub(crate) async fn probe_each(gear: &Gear) -> Vec<(String, Result<String, DriverError>)> {
    let probes = gear.tools.iter().map(|(faces, tool)| async move {
        let late = || DriverError(format!("{} did not answer within {} s", tool.name(), PROBE.as_secs()));
        let probed = tokio::time::timeout(PROBE, tool.probe()).await;
        (faces.clone(), probed.unwrap_or_else(|_| Err(late())))
    });
    futures::future::join_all(probes).await
}

async fn sleep_until(at_us: u64) {
    tokio::time::sleep(Duration::from_micros(at_us.saturating_sub(now_us()))).await;
}

#[cfg(test)]
mod tests {
    use tokio::task::JoinHandle;

    use super::*;
    use crate::driver::Driver;
    use crate::driver::wired::Face;
    use crate::wiring::Users;
    use crate::wiring::fake::{Fake, FakeTools};

    struct Kept {
        tool: Arc<Fake>,
        wired: Arc<Wired>,
        outbox: Arc<Outbox>,
        users: Users,
        stop: CancellationToken,
        task: JoinHandle<()>,
        _folder: tempfile::TempDir,
    }

    fn keep(tool: Arc<Fake>, every: Duration) -> Kept {
        let folder = tempfile::tempdir().unwrap();
        let wired = Arc::new(Wired::new(1, None, "fake".to_owned(), Face::ALL.to_vec()));
        let (outbox, users, stop) = (Arc::new(Outbox::default()), Users::new([1]), CancellationToken::new());
        let keeper = Keeper {
            place: Place { slot: 1, scratch: folder.path().join("slot-1") },
            wired: wired.clone(),
            tools: Arc::new(FakeTools(tool.clone())),
            users: users.of(1).unwrap(),
            outbox: outbox.clone(),
            every,
        };
        let task = tokio::spawn(keeper.keep(stop.clone()));
        Kept { tool, wired, outbox, users, stop, task, _folder: folder }
    }

    async fn until(what: &str, condition: impl Fn() -> bool) {
        let waiting = async {
            while !condition() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_mins(1), waiting).await.unwrap_or_else(|_| panic!("waited for: {what}"));
    }

    #[tokio::test]
    async fn a_tool_that_fails_puts_its_slot_out_and_a_passed_probe_brings_it_back() {
        let kept = keep(Arc::new(Fake::default()), Duration::from_millis(20));
        until("in", || kept.outbox.out(1).is_none() && kept.wired.capture().is_ok()).await;
        kept.tool.fail("the cable is out");
        until("out", || kept.outbox.out(1).is_some_and(|reason| reason.contains("the cable is out"))).await;
        until("unplugged", || kept.wired.capture().is_err_and(|error| error.to_string().contains("is out"))).await;
        kept.tool.mend();
        until("in again", || kept.outbox.out(1).is_none()).await;
        assert!(kept.wired.capture().is_ok() && kept.tool.starts() > 1);
        kept.stop.cancel();
        kept.task.await.unwrap();
        assert!(kept.wired.capture().unwrap_err().to_string().contains("stopping"));
        assert_eq!(Arc::strong_count(&kept.tool), 1, "nothing holds the tool any more");
    }

    #[tokio::test]
    async fn a_run_keeps_its_tools_however_they_fail() {
        let kept = keep(Arc::new(Fake::default()), Duration::from_millis(10));
        until("in", || kept.wired.capture().is_ok() && kept.tool.probes() > 1).await;
        let using = kept.users.enter([1]);
        kept.tool.fail("the cable is out");
        let starts = kept.tool.starts();
        for _ in 0..20 {
            assert_eq!(kept.wired.capture().unwrap_err().to_string(), "the cable is out", "its own words");
            tokio::task::yield_now().await;
        }
        assert_eq!(kept.tool.starts(), starts);
        drop(using);
        until("out", || kept.outbox.out(1).is_some()).await;
        kept.stop.cancel();
        kept.task.await.unwrap();
    }

    #[tokio::test]
    async fn what_does_not_start_is_told() {
        let tool = Arc::new(Fake::default());
        tool.fail("no such port");
        let kept = keep(tool, Duration::from_secs(1));
        until("out", || kept.outbox.out(1).is_some_and(|reason| reason == "no such port")).await;
        until("tried again", || kept.tool.starts() > 1).await;
        kept.tool.mend();
        until("in", || kept.outbox.out(1).is_none()).await;
        kept.stop.cancel();
        kept.task.await.unwrap();
    }
}
