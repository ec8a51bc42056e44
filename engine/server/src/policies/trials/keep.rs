//! What is kept of trials over the life of the server.

use std::sync::Arc;
use std::time::Duration;

use headend_model::{PolicyName, Timestamp};
use headend_scheduler::Farm;
use headend_scheduler::event::Event;
use headend_scheduler::trials::CanaryState;
use headend_store::{Projection, ShadowRow};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::super::deeds::blocking;
use super::super::lock;
use super::super::plugins::Plugins;
use super::{Shadow, Shadows};
use crate::http::ApiResult;

/// How often figures of shadows are written, if they have changed.
const EVERY: Duration = Duration::from_millis(500);

/// A canary that has to be asked again after a start: its name, its plugin, its content.
pub(crate) type CanaryLeft = (PolicyName, PolicyName, String);

/// Canaries of a farm that was rebuilt.
pub(crate) fn left_in(farm: &Farm) -> Vec<CanaryLeft> {
    let ended = |state: &CanaryState| matches!(state, CanaryState::Broken(_) | CanaryState::Stopped { .. });
    let open = farm.canaries().into_iter().filter(|view| !ended(view.state) || !view.jobs.is_empty());
    let left = open.map(|view| (view.request.policy.clone(), view.request.plugin.clone(), view.request.hash.clone()));
    left.collect()
}

impl Plugins {
    /// Has the versions of trials ready before the farm asks anybody; what the farm is told of those that are not to be had.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) async fn resume_trials(&self, canaries: Vec<CanaryLeft>) -> ApiResult<Vec<Event>> {
        let rows = self.store.shadows().await?;
        let (host, shadows) = (self.host.clone(), self.tell.policies.shadows().clone());
        blocking(move || {
            let ready = |policy: &PolicyName, plugin: &PolicyName, hash: &str| {
                let ready = host.resume_trial(policy, plugin, hash);
                ready.inspect_err(|error| tracing::warn!(%policy, hash, %error, "a version on trial is not to be had"))
            };
            for row in rows {
                resume(&shadows, &row, &ready);
            }
            let lost = |(policy, plugin, hash): &CanaryLeft| policy != plugin && ready(policy, plugin, hash).is_err();
            let lost = canaries.into_iter().filter(lost);
            lost.map(|(policy, ..)| Event::PolicyRemoved { policy }).collect()
        })
        .await
    }

    /// Ends shadows whose time is over and writes figures that have changed, until the server goes down; the last ones then.
    pub(crate) async fn keep_shadows(self: Arc<Self>, stop: CancellationToken) {
        loop {
            let stopped = tokio::select! {
                () = tokio::time::sleep(EVERY) => false,
                () = stop.cancelled() => true,
            };
            self.end_shadows_due().await;
            self.write_shadows().await;
            if stopped {
                return;
            }
        }
    }

    async fn end_shadows_due(&self) {
        let now = self.clock.now();
        let due = |shadow: &Shadow| shadow.ended.is_none() && shadow.until.is_some_and(|until| until <= now.micros());
        let shadows = self.tell.policies.shadows();
        let due: Vec<PolicyName> =
            shadows.list().into_iter().filter(|(_, shadow)| due(shadow)).map(|(name, _)| name).collect();
        for name in due {
            if let Err(error) = self.end_shadow(&name, "its time is over").await {
                tracing::warn!(%name, ?error, "the end of a shadow was not told");
            }
        }
    }

    async fn write_shadows(&self) {
        let shadows = self.tell.policies.shadows();
        let rows = shadows.changed();
        if rows.is_empty() {
            return;
        }
        let names: Vec<String> = rows.iter().map(|row| row.policy.clone()).collect();
        let rows = rows.into_iter().map(|row| Projection::Shadow(Box::new(row))).collect();
        if let Err(error) = self.store.write(rows).await {
            tracing::warn!(%error, "figures of shadows were not kept");
            shadows.mark(&names);
        }
    }

    /// Ends a shadow and says so.
    ///
    /// # Errors
    /// When the store fails.
    pub(super) async fn end_shadow(&self, name: &PolicyName, reason: &str) -> ApiResult<bool> {
        if !self.tell.policies.shadows().end(name, self.clock.now(), reason) {
            return Ok(false);
        }
        self.host_end_trial(name).await?;
        self.write_shadows().await;
        let data = json!({ "policy": name.as_str(), "change": "shadow_stopped", "reason": reason });
        self.publish(format!("shadow {name} has ended: {reason}"), data, Vec::new()).await?;
        Ok(true)
    }

    /// The host forgets a version on trial, unless the farm still asks it.
    pub(super) async fn host_end_trial(&self, name: &PolicyName) -> ApiResult<()> {
        let wanted = name.clone();
        let asked = self.farm.read(move |view| left_in(view.farm).iter().any(|(policy, ..)| *policy == wanted)).await?;
        let shadows = self.tell.policies.shadows().list();
        let shadowed = shadows.iter().any(|(shadow, one)| shadow == name && one.ended.is_none());
        if !asked && !shadowed {
            self.host.end_trial(name);
        }
        Ok(())
    }
}

fn resume<E>(shadows: &Shadows, row: &ShadowRow, ready: &impl Fn(&PolicyName, &PolicyName, &str) -> Result<(), E>) {
    let read = serde_json::from_str::<Shadow>(&row.details);
    let read = read.inspect_err(|error| tracing::warn!(shadow = row.policy, %error, "its figures are not readable"));
    let (Ok(mut shadow), Ok(name)) = (read, PolicyName::new(row.policy.clone())) else { return };
    let plugin = PolicyName::new(shadow.plugin.clone());
    if shadow.ended.is_none() && !plugin.is_ok_and(|plugin| ready(&name, &plugin, &shadow.hash).is_ok()) {
        shadow.ended = Some((shadow.began, "its version was not to be had after a start of the server".to_owned()));
        shadow.changed = true;
    }
    shadows.take_up(name, shadow);
}

impl Shadows {
    /// Rows of those that have changed since the last call.
    pub(super) fn changed(&self) -> Vec<ShadowRow> {
        let mut all = lock(&self.all);
        let changed = all.iter_mut().filter(|(_, shadow)| shadow.changed);
        let row = |(name, shadow): (&PolicyName, &mut Shadow)| {
            shadow.changed = false;
            // Numbers and strings: this has a text.
            let details = serde_json::to_string(shadow).unwrap_or_else(|_| "{}".to_owned());
            ShadowRow { policy: name.to_string(), began: Timestamp::from_micros(shadow.began), details }
        };
        changed.map(row).collect()
    }

    /// They were not written: again with the next ones.
    pub(super) fn mark(&self, names: &[String]) {
        for (name, shadow) in lock(&self.all).iter_mut() {
            shadow.changed |= names.iter().any(|one| one == name.as_str());
        }
    }
}
