//! A run in a guest: hand it over, answer its calls, take its end.

use std::time::Duration;

use headend_wire::session::{GuestLimits, ScriptEnd, ToHost, ToScript};

use super::pool::{GuestPool, Taken};
use crate::process::proc;
use crate::run::{Finish, Limits, Stop};
use crate::session::Host;
use crate::session::ends::HowEnded;

/// How often a silent guest's CPU time is looked at.
const LOOK: Duration = Duration::from_secs(1);
/// What the guest's own guard gets on top before we kill it from outside, in milliseconds.
const GUARD_SLACK_MS: u64 = 3_000;

/// How serving a guest came to its end.
enum Served {
    /// It said so.
    Ended(ScriptEnd),
    /// It hung up; `called`: the script had made calls already.
    Lost { called: bool, problem: String },
    /// We have had enough of it.
    Enough(HowEnded),
}

/// Runs the session's script in a guest of the pool.
pub async fn run<H: Host>(pool: &GuestPool, session: &mut H, limits: &Limits, stop: &mut Stop) -> Finish {
    // A guest that has died since its last run is no fault of this script: as long as it made no call, another takes over.
    for last in [false, true] {
        let taken = tokio::select! {
            biased;
            how = stop.asked() => return Finish::clean(how),
            taken = pool.take() => taken,
        };
        let mut taken = match taken {
            Ok(taken) => taken,
            Err(problem) => return Finish::clean(HowEnded::CannotStart(problem)),
        };
        let used_before = taken.guest.runs > 0;
        let served = tokio::select! {
            biased;
            how = stop.asked() => Served::Enough(how),
            () = limits.over() => Served::Enough(HowEnded::Limit(limits.text())),
            served = serve(&mut taken, session, &limits.guest) => served,
        };
        match served {
            Served::Lost { called: false, .. } if used_before && !last => {
                pool.throw_away(taken).await;
            }
            served => return finish(pool, taken, served).await,
        }
    }
    Finish::clean(HowEnded::CannotStart("two guests died before the script made a call".to_owned()))
}

async fn finish(pool: &GuestPool, mut taken: Taken, served: Served) -> Finish {
    let how = match served {
        Served::Ended(ScriptEnd::Finished) => {
            pool.give_back(taken);
            return Finish::clean(HowEnded::Script(ScriptEnd::Finished));
        }
        Served::Ended(how) => HowEnded::Script(how),
        Served::Enough(how) => how,
        Served::Lost { problem, .. } => {
            let how = taken.guest.how_it_ended().await;
            tracing::debug!(problem, how, "a guest was lost");
            HowEnded::Script(ScriptEnd::Crashed(how))
        }
    };
    let killed = pool.throw_away(taken).await;
    Finish { how, unkillable: !killed, leaked: 0 }
}

async fn serve<H: Host>(taken: &mut Taken, session: &mut H, limits: &GuestLimits) -> Served {
    let mut called = false;
    let order = ToScript::Run { info: session.info(), limits: limits.clone() };
    if let Err(problem) = taken.guest.send(&order).await {
        return Served::Lost { called, problem };
    }
    loop {
        let Some(heard) = hear(taken, limits.cpu_ms).await else {
            return Served::Enough(HowEnded::Limit(format!("{} ms of CPU time without a call", limits.cpu_ms)));
        };
        match heard {
            Ok(ToHost::Call { id, source, call }) => {
                called = true;
                let reply = session.call(call, source).await;
                if let Err(problem) = taken.guest.send(&ToScript::Reply { id, reply }).await {
                    return Served::Lost { called, problem };
                }
            }
            Ok(ToHost::Ended { how }) => return Served::Ended(how),
            Ok(ToHost::Hello { .. } | ToHost::Ready { .. }) => {
                return Served::Lost { called: true, problem: "greeted in the middle of a run".to_owned() };
            }
            Err(problem) => return Served::Lost { called, problem },
        }
    }
}

/// The next message; `None` when the guest has burnt its CPU time without one and did not stop itself.
async fn hear(taken: &mut Taken, cpu_ms: u64) -> Option<Result<ToHost, String>> {
    let mut since = None;
    loop {
        if let Ok(heard) = tokio::time::timeout(LOOK, taken.guest.receive()).await {
            return Some(heard);
        }
        let now = proc::stat(taken.guest.pid()).map_or(0, |stat| stat.cpu_ms);
        let since = *since.get_or_insert(now);
        if now.saturating_sub(since) > cpu_ms.saturating_add(GUARD_SLACK_MS) {
            return None;
        }
    }
}
