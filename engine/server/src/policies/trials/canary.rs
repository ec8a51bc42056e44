//! What people do with canaries. The farm decides; here versions are looked up, made ready and put into force.

use headend_model::{PolicyName, Span, UserName};
use headend_plugin_host::Kind;
use headend_scheduler::event::Event;
use headend_scheduler::trials::{CanaryRefusal, CanaryRequest, CanaryTerms, Permille};
use headend_scheduler::{Action, Farm};
use headend_wire::api::TrialItem;
use headend_wire::codes;
use headend_wire::trials::{self as wire, CanaryItem, CanaryList};

use super::super::deeds::blocking;
use super::super::install::refused as step_refused;
use super::super::plugins::{Plugins, Word};
use super::shadow::check_length;
use crate::http::{ApiError, ApiResult};
use crate::show;
use crate::show::queue::BUILT_IN;

impl Plugins {
    /// Gives a policy a share of the new jobs of another one.
    ///
    /// # Errors
    /// `unknown_plugin`; `not_found` for the version; `invalid` for terms, kinds, the live policy itself; `conflict` when there is one already.
    pub(crate) async fn begin_canary(&self, request: &wire::CanaryRequest, by: &UserName) -> ApiResult<CanaryItem> {
        let terms = terms(&request.terms)?;
        if request.beside == BUILT_IN {
            return Err(no_share(BUILT_IN));
        }
        let beside = self.known(&request.beside)?;
        let kind_of =
            |name: &PolicyName| self.host.list().into_iter().find(|info| info.name == *name).map(|info| info.kind);
        if kind_of(&beside) == Some(Kind::QueuePolicy) {
            return Err(no_share(beside.as_str()));
        }
        let trial = self.on_trial(&request.plugin, request.hash.as_deref(), request.version.as_deref()).await?;
        let policy = trial.policy.clone();
        if trial.kind != Kind::CoveragePolicy {
            self.host_end_trial(&policy).await?;
            return Err(no_share(policy.as_str()));
        }
        let contract = trial.world.split('.').next().and_then(|major| major.parse().ok()).unwrap_or(1);
        let (plugin, hash, by) = (trial.plugin, trial.hash, by.clone());
        let begin = CanaryRequest { policy: policy.clone(), plugin, hash, contract, beside, terms, by };
        let outcome = self.canary_event(Event::BeginCanary(Box::new(begin)), &policy).await;
        if outcome.is_err() {
            self.host_end_trial(&policy).await?;
        }
        outcome
    }

    /// All canaries that are remembered.
    ///
    /// # Errors
    /// When the farm does not answer.
    pub(crate) async fn canary_list(&self) -> ApiResult<CanaryList> {
        let all = |farm: &Farm| farm.canaries().iter().map(show::trials::item).collect();
        Ok(CanaryList { canaries: self.farm.read(move |view| all(view.farm)).await? })
    }

    /// A canary.
    ///
    /// # Errors
    /// `not_found`.
    pub(crate) async fn canary_detail(&self, name: &str) -> ApiResult<CanaryItem> {
        let policy = self.canary_named(name).await?;
        self.canary_item(policy).await
    }

    async fn canary_item(&self, policy: PolicyName) -> ApiResult<CanaryItem> {
        let wanted = policy.clone();
        let item = self.farm.read(move |view| view.farm.canary(&wanted).map(|view| show::trials::item(&view))).await?;
        item.ok_or_else(|| refused(&CanaryRefusal::Unknown(policy)))
    }

    /// Ends a canary: its jobs go on under the live policy.
    ///
    /// # Errors
    /// `not_found`; `conflict` when it is over.
    pub(crate) async fn stop_canary(&self, name: &str, by: &UserName) -> ApiResult<CanaryItem> {
        let policy = self.canary_named(name).await?;
        self.canary_event(Event::StopCanary { policy: policy.clone(), by: by.clone() }, &policy).await
    }

    /// Puts a canary into force: another version of the live policy as that plugin, another policy in its place.
    ///
    /// # Errors
    /// `not_found`; `conflict` when it has not passed, unless `force`; the step that failed.
    pub(crate) async fn promote(&self, name: &str, force: bool, by: &UserName) -> ApiResult<CanaryItem> {
        let policy = self.canary_named(name).await?;
        let item = self.canary_item(policy.clone()).await?;
        let wanted = policy.clone();
        self.farm
            .read(move |view| view.farm.may_promote(&wanted, force))
            .await?
            .map_err(|refusal| refused(&refusal))?;
        let event = Event::PromoteCanary { policy: policy.clone(), force, by: by.clone() };
        if item.plugin != item.beside {
            return self.canary_event(event, &policy).await;
        }
        let _turn = self.turn().await?;
        let plugin = self.known(&item.plugin)?;
        let (host, hash) = (self.host.clone(), item.hash);
        let switched = blocking(move || host.roll_back(&plugin, Some(&hash))).await?;
        let info = switched.map_err(|error| step_refused(&error))?;
        // The farm hears of the promotion first: a new version of the live policy would end a canary that runs.
        let item = self.canary_event(event, &policy).await?;
        self.note_changed(&info, Word::Person, "promoted", by).await?;
        Ok(item)
    }

    async fn canary_event(&self, event: Event, policy: &PolicyName) -> ApiResult<CanaryItem> {
        let wanted = policy.clone();
        let (refusal, item) = self
            .farm
            .apply(vec![event], move |stepped, view| {
                let refusal = stepped.into_iter().flatten().find_map(|action| match action {
                    Action::CanaryRefused(refusal) => Some(refusal),
                    _ => None,
                });
                (refusal, view.farm.canary(&wanted).map(|view| show::trials::item(&view)))
            })
            .await?;
        match (refusal, item) {
            (Some(refusal), _) => Err(refused(&refusal)),
            (None, Some(item)) => Ok(item),
            (None, None) => Err(refused(&CanaryRefusal::Unknown(policy.clone()))),
        }
    }

    /// By its name, or by its plugin's if that has only one (that is not over).
    async fn canary_named(&self, wanted: &str) -> ApiResult<PolicyName> {
        let list = self.canary_list().await?.canaries;
        let exact = list.iter().find(|item| item.policy == wanted);
        let of_plugin: Vec<&CanaryItem> = list.iter().filter(|item| item.plugin == wanted).collect();
        let only = |all: &[&CanaryItem]| if let [one] = all { Some(one.policy.clone()) } else { None };
        let over = |item: &CanaryItem| matches!(item.state.as_str(), "broken" | "stopped");
        let open: Vec<&CanaryItem> = of_plugin.iter().copied().filter(|item| !over(item)).collect();
        let found = exact.map(|item| item.policy.clone()).or_else(|| only(&open)).or_else(|| only(&of_plugin));
        found.and_then(|name| PolicyName::new(name).ok()).ok_or_else(|| {
            let names = crate::edge::names::listed(list.iter().map(|item| item.policy.clone()));
            let wanted = crate::edge::names::cut(wanted);
            ApiError::new(
                &codes::NOT_FOUND,
                format!("there is no canary {wanted:?}, or more than one; there are: {names}"),
            )
        })
    }

    /// What is on trial, for the list of plugins.
    pub(crate) fn trials(&self, farm: &Farm) -> Vec<TrialItem> {
        let canaries = farm.canaries();
        let canaries = canaries.iter().map(|view| TrialItem {
            policy: view.request.policy.to_string(),
            beside: view.request.beside.to_string(),
            trial: "canary".to_owned(),
            state: view.state.as_str().to_owned(),
            text: show::trials::text(view),
        });
        let shadows = self.tell.policies.shadows().list();
        let shadows = shadows.iter().map(|(name, shadow)| {
            let item = shadow.item(name);
            let differs = item.figures.compared - item.figures.same;
            let text =
                format!("shadow {name} beside {}: {differs} of {} answers differ", item.beside, item.figures.compared);
            TrialItem { policy: item.policy, beside: item.beside, trial: "shadow".to_owned(), state: item.state, text }
        });
        canaries.chain(shadows).collect()
    }
}

fn no_share(policy: &str) -> ApiError {
    let detail = format!(
        "{policy} orders all jobs against each other, so a share of them says nothing; compare queue policies with `headend plugin shadow`"
    );
    ApiError::new(&codes::INVALID, detail).at("/beside")
}

fn terms(given: &wire::CanaryTerms) -> ApiResult<CanaryTerms> {
    check_length(Some(given.length_s))?;
    let bad = |at: &str, what: String| Err(ApiError::new(&codes::INVALID, what).at(at));
    if !(1..=1_000).contains(&given.share_permille) {
        return bad(
            "/terms/share_permille",
            format!("a share of {} thousandths; give 1 to 1000", given.share_permille),
        );
    }
    if let Some(most) = given.max_incomplete_permille.filter(|most| *most > 1_000) {
        return bad("/terms/max_incomplete_permille", format!("{most} thousandths are more than all; give 0 to 1000"));
    }
    if let Some(most) = given.max_wait_percent.filter(|most| !(1..=100_000).contains(most)) {
        return bad("/terms/max_wait_percent", format!("{most} percent; give 1 to 100000"));
    }
    if !(1..=1_000_000).contains(&given.min_runs) {
        return bad("/terms/min_runs", format!("{} runs; give 1 to 1000000", given.min_runs));
    }
    Ok(CanaryTerms {
        share: Permille(given.share_permille),
        length: Span::seconds(i64::try_from(given.length_s).unwrap_or(i64::MAX / 1_000_000)),
        max_faults: given.max_faults,
        max_incomplete: given.max_incomplete_permille.map(Permille),
        max_wait_ratio: given.max_wait_percent,
        min_runs: given.min_runs,
    })
}

fn refused(refusal: &CanaryRefusal) -> ApiError {
    let code = match refusal {
        CanaryRefusal::Busy { .. } | CanaryRefusal::NotAsked { .. } | CanaryRefusal::State { .. } => &codes::CONFLICT,
        CanaryRefusal::Itself(_) => &codes::INVALID,
        CanaryRefusal::Unknown(_) => &codes::NOT_FOUND,
    };
    ApiError::new(code, refusal.to_string())
}
