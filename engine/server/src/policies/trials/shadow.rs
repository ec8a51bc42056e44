//! What people do with shadows.

use headend_model::{PolicyName, UserName};
use headend_plugin_host::Kind;
use headend_plugin_host::lifecycle::OnTrial;
use headend_store::Projection;
use headend_wire::codes;
use headend_wire::trials::{ShadowDetail, ShadowItem, ShadowList, ShadowRequest};
use serde_json::json;

use super::super::deeds::blocking;
use super::super::install::refused;
use super::super::plugins::Plugins;
use super::{MOST, Shadow, rank_all};
use crate::http::{ApiError, ApiResult};
use crate::show::queue::BUILT_IN;

/// The longest that anything may be on trial, in seconds.
pub(super) const LONGEST: u64 = 31_536_000;

impl Plugins {
    /// Has a policy asked what a live one is asked.
    ///
    /// # Errors
    /// `unknown_plugin`; `not_found` for the version; `invalid` for another kind or the live policy itself; `conflict` when it runs already, or
    /// too many do.
    pub(crate) async fn begin_shadow(&self, request: &ShadowRequest, by: &UserName) -> ApiResult<ShadowItem> {
        let beside = self.beside(&request.beside).await?;
        check_length(request.length_s)?;
        let queue = beside.kind == Kind::QueuePolicy;
        let trial = self.on_trial(&request.plugin, request.hash.as_deref(), request.version.as_deref()).await?;
        let began = self.check_shadow(&trial, &beside).and_then(|()| self.put_aside(&trial, &beside, request, by));
        let gone = match began {
            Ok(gone) => gone,
            Err(error) => {
                self.host_end_trial(&trial.policy).await?;
                return Err(error);
            }
        };
        let shadows = self.tell.policies.shadows();
        if queue {
            let name = trial.policy.clone();
            let first = self.farm.read(move |view| rank_all(view.farm, name)).await?;
            shadows.rank(first);
        }
        let gone = gone.into_iter().map(|policy| Projection::ShadowRemoved { policy: policy.to_string() });
        // Written before it is answered, not with the next figures: a shadow that was begun outlives a kill.
        let changed = shadows.changed();
        let names: Vec<String> = changed.iter().map(|row| row.policy.clone()).collect();
        let rows = gone.chain(changed.into_iter().map(|row| Projection::Shadow(Box::new(row)))).collect();
        let name = &trial.policy;
        let data =
            json!({ "policy": name.as_str(), "change": "shadow_began", "beside": beside.name, "by": by.as_str() });
        let told = self.publish(format!("{name} shadows {}: begun by {by}", beside.name), data, rows).await;
        told.inspect_err(|_| shadows.mark(&names))?;
        self.shadow_named(name.as_str()).map(|(name, shadow)| shadow.item(&name))
    }

    fn check_shadow(&self, trial: &OnTrial, beside: &Beside) -> ApiResult<()> {
        let name = &trial.policy;
        if name.as_str() == beside.name {
            let detail =
                format!("{name} is the live policy itself; name another version of it with --hash, or another policy");
            return Err(ApiError::new(&codes::INVALID, detail).at("/plugin"));
        }
        if trial.kind != beside.kind {
            let (kind, wanted) = (trial.kind.as_str(), beside.kind.as_str());
            let detail =
                format!("{name} is of kind {kind}, and {} a {wanted}: they are not asked the same", beside.name);
            return Err(ApiError::new(&codes::INVALID, detail).at("/beside"));
        }
        let running: Vec<_> =
            self.tell.policies.shadows().list().into_iter().filter(|(_, shadow)| shadow.ended.is_none()).collect();
        if running.iter().any(|(one, _)| one == name) {
            let detail = format!("{name} is a shadow already; `headend plugin shadow stop {name}` first");
            return Err(ApiError::new(&codes::CONFLICT, detail));
        }
        if running.len() >= MOST {
            let detail = format!("{MOST} shadows run already, which is all that there may be; stop one first");
            return Err(ApiError::new(&codes::CONFLICT, detail));
        }
        Ok(())
    }

    #[allow(clippy::unnecessary_wraps, reason = "the last step of a chain")]
    fn put_aside(
        &self,
        trial: &OnTrial,
        beside: &Beside,
        request: &ShadowRequest,
        by: &UserName,
    ) -> ApiResult<Vec<PolicyName>> {
        let now = self.clock.now().micros();
        let until = request.length_s.map(|seconds| now.saturating_add_unsigned(seconds.saturating_mul(1_000_000)));
        let shadow = Shadow {
            plugin: trial.plugin.to_string(),
            hash: trial.hash.clone(),
            beside: beside.name.clone(),
            queue: beside.kind == Kind::QueuePolicy,
            by: by.to_string(),
            began: now,
            until,
            changed: true,
            ..Shadow::default()
        };
        Ok(self.tell.policies.shadows().take_up(trial.policy.clone(), shadow))
    }

    /// All shadows.
    pub(crate) fn shadow_list(&self) -> ShadowList {
        let all = self.tell.policies.shadows().list();
        ShadowList { shadows: all.iter().map(|(name, shadow)| shadow.item(name)).collect() }
    }

    /// A shadow with its last differences.
    ///
    /// # Errors
    /// `not_found`.
    pub(crate) fn shadow_detail(&self, name: &str) -> ApiResult<ShadowDetail> {
        self.shadow_named(name).map(|(name, shadow)| shadow.detail(&name))
    }

    /// Asks a shadow no more. What has come of it stays readable.
    ///
    /// # Errors
    /// `not_found`; `conflict` when it has ended.
    pub(crate) async fn stop_shadow(&self, name: &str, by: &UserName) -> ApiResult<ShadowItem> {
        let (name, _) = self.shadow_named(name)?;
        if !self.end_shadow(&name, &format!("stopped by {by}")).await? {
            return Err(ApiError::new(
                &codes::CONFLICT,
                format!("shadow {name} has ended already; there is nothing to stop"),
            ));
        }
        self.shadow_named(name.as_str()).map(|(name, shadow)| shadow.item(&name))
    }

    /// By its name, or by its plugin's if that has only one (that runs).
    fn shadow_named(&self, wanted: &str) -> ApiResult<(PolicyName, Shadow)> {
        let all = self.tell.policies.shadows().list();
        let exact = all.iter().find(|(name, _)| name.as_str() == wanted);
        let of_plugin: Vec<_> = all.iter().filter(|(_, shadow)| shadow.plugin == wanted).collect();
        let only = |all: &[&(PolicyName, Shadow)]| if let [one] = all { Some((*one).clone()) } else { None };
        let running: Vec<_> = of_plugin.iter().copied().filter(|(_, shadow)| shadow.ended.is_none()).collect();
        exact.cloned().or_else(|| only(&running)).or_else(|| only(&of_plugin)).ok_or_else(|| {
            let names = crate::edge::names::listed(all.iter().map(|(name, _)| name.to_string()));
            let wanted = crate::edge::names::cut(wanted);
            ApiError::new(
                &codes::NOT_FOUND,
                format!("there is no shadow {wanted:?}, or more than one; there are: {names}"),
            )
        })
    }

    /// The live policy that is named.
    async fn beside(&self, name: &str) -> ApiResult<Beside> {
        let orders = self.farm.read(|view| crate::show::queue::info(view.farm).in_force).await?;
        if name == BUILT_IN && orders == BUILT_IN {
            return Ok(Beside { name: BUILT_IN.to_owned(), kind: Kind::QueuePolicy });
        }
        let known = self.known(name)?;
        let kind = self.host.list().into_iter().find(|info| info.name == known).map(|info| info.kind);
        let kind = kind.unwrap_or(Kind::CoveragePolicy);
        if kind == Kind::QueuePolicy && orders != known.as_str() {
            let detail = format!("{known} does not order the jobs, {orders} does; name that one");
            return Err(ApiError::new(&codes::INVALID, detail).at("/beside"));
        }
        Ok(Beside { name: known.to_string(), kind })
    }

    /// Looks up a version and has it ready.
    pub(super) async fn on_trial(&self, plugin: &str, hash: Option<&str>, version: Option<&str>) -> ApiResult<OnTrial> {
        let name = self.known(plugin)?;
        self.require_grants(&name)?;
        let kept = self.host.find_version(&name, hash, version).map_err(|error| refused(&error))?;
        let _turn = self.turn().await?;
        let host = self.host.clone();
        blocking(move || host.begin_trial(&name, &kept.hash)).await?.map_err(|error| refused(&error))
    }
}

pub(super) fn check_length(seconds: Option<u64>) -> ApiResult<()> {
    match seconds {
        Some(seconds) if seconds == 0 || seconds > LONGEST => {
            let detail = format!("{seconds} s is no length for a trial; give 1 to {LONGEST}");
            Err(ApiError::new(&codes::INVALID, detail).at("/length_s"))
        }
        _ => Ok(()),
    }
}

/// A live policy.
struct Beside {
    name: String,
    kind: Kind,
}
