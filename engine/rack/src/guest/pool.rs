//! Warm guests, and the bound on how many there are.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::task::TaskTracker;

use super::process::{Guest, Kennel};
use crate::options::GuestProgram;
use crate::process::Nursery;
use crate::process::cgroup::Cgroup;

/// A guest serves this many runs before it is replaced: what leaks, leaks little.
const MOST_RUNS: u32 = 1_000;

/// The pool. Cheap to clone.
#[derive(Clone, Debug)]
pub struct GuestPool {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    kennel: Kennel,
    idle: Mutex<Vec<Guest>>,
    places: Arc<Semaphore>,
    most: usize,
    warm: usize,
    tasks: TaskTracker,
}

/// A guest in use, with its place in the pool.
#[derive(Debug)]
pub(super) struct Taken {
    pub(super) guest: Guest,
    place: OwnedSemaphorePermit,
}

impl GuestPool {
    /// A pool of at most `most` guests, of which `warm` are started now.
    pub fn new(
        nursery: Nursery,
        program: GuestProgram,
        (cache, pids): (PathBuf, PathBuf),
        cgroup: Option<Cgroup>,
        (most, warm): (usize, usize),
        tasks: TaskTracker,
    ) -> Self {
        let kennel = Kennel { nursery, program, cache, pids, cgroup };
        let most = most.max(1);
        let places = Arc::new(Semaphore::new(most));
        let inner = Inner { kennel, idle: Mutex::default(), places, most, warm: warm.min(most), tasks };
        let pool = Self { inner: Arc::new(inner) };
        (0..pool.inner.warm).for_each(|_| pool.warm_up_one());
        pool
    }

    /// A warm guest, or a new one.
    pub(super) async fn take(&self) -> Result<Taken, String> {
        let closed = |_| "the rack is being stopped".to_owned();
        let place = self.inner.places.clone().acquire_owned().await.map_err(closed)?;
        while let Some(mut guest) = self.pop() {
            if !guest.is_gone() {
                return Ok(Taken { guest, place });
            }
        }
        Ok(Taken { guest: Guest::start(&self.inner.kennel).await?, place })
    }

    /// Gives a guest back after a clean end.
    pub(super) fn give_back(&self, taken: Taken) {
        let Taken { mut guest, place } = taken;
        guest.runs += 1;
        if guest.runs >= MOST_RUNS {
            let pool = self.clone();
            self.inner.tasks.spawn(async move {
                guest.kill().await;
                drop(place);
                pool.warm_up_one();
            });
            return;
        }
        self.idle().push(guest);
        drop(place);
    }

    /// Kills a guest that is not to be used again. `false`: it could not be killed.
    pub(super) async fn throw_away(&self, taken: Taken) -> bool {
        let killed = taken.guest.kill().await;
        drop(taken.place);
        self.warm_up_one();
        killed
    }

    /// Kills every idle guest and starts no more.
    pub async fn close(&self) {
        self.inner.places.close();
        let idle = std::mem::take(&mut *self.idle());
        futures::future::join_all(idle.into_iter().map(Guest::kill)).await;
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Guest>> {
        self.inner.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn pop(&self) -> Option<Guest> {
        self.idle().pop()
    }

    /// Starts a guest in the background, unless there are enough.
    fn warm_up_one(&self) {
        let pool = self.clone();
        self.inner.tasks.spawn(async move {
            if pool.inner.places.is_closed() || pool.busy() + pool.idle().len() >= pool.inner.warm {
                return;
            }
            match Guest::start(&pool.inner.kennel).await {
                Ok(guest) => pool.keep(guest).await,
                Err(problem) => tracing::warn!(problem, "a guest could not be warmed up"),
            }
        });
    }

    async fn keep(&self, guest: Guest) {
        if self.inner.places.is_closed() {
            guest.kill().await;
        } else {
            self.idle().push(guest);
        }
    }

    fn busy(&self) -> usize {
        self.inner.most.saturating_sub(self.inner.places.available_permits())
    }
}
