//! What is kept of each policy plugin: whether it may be asked, and how often it has failed.
//!
//! A quarantine is part of the state like everything else, so it outlives the server. It ends when a person says so, or
//! when the plugin's content is another one.

use headend_model::PolicyName;

use super::Farm;
use crate::action::Action;
use crate::event::PolicyKind;
use crate::view::PolicyView;

impl Farm {
    /// What is known of a policy plugin.
    pub fn policy(&self, name: &PolicyName) -> Option<PolicyView<'_>> {
        self.policies.get(name).map(|book| PolicyView {
            loaded: book.loaded,
            strikes: book.strikes,
            reason: &book.reason,
            quarantined: book.quarantined,
        })
    }

    pub(super) fn may_be_asked(&self, name: &PolicyName, kind: PolicyKind) -> bool {
        self.policies.get(name).is_some_and(|book| book.may_be_asked(kind))
    }

    pub(super) fn policy_found(&mut self, name: &PolicyName, kind: PolicyKind, hash: &str, contract: u32) {
        let book = self.policies.entry(name.clone()).or_default();
        let known = book.loaded && book.kind == kind && book.hash == hash && book.contract == contract;
        let another = book.loaded && book.hash != hash;
        if book.kind != kind || book.hash != hash {
            book.pardon();
        }
        book.loaded = true;
        book.kind = kind;
        book.contract = contract;
        hash.clone_into(&mut book.hash);
        if another {
            self.trials_see_change(name);
        }
        if !known {
            self.retry_policy(name);
            self.queue_policy_came(name);
        }
    }

    pub(super) fn policy_loaded(&mut self, name: &PolicyName) {
        let book = self.policies.entry(name.clone()).or_default();
        book.pardon();
        book.loaded = true;
        self.retry_policy(name);
        self.queue_policy_came(name);
    }

    pub(super) fn policy_removed(&mut self, name: &PolicyName) {
        if let Some(book) = self.policies.get_mut(name) {
            book.loaded = false;
        }
        self.drop_asks(Some(name));
        self.retry_policy(name);
        self.trials_lose(name);
        self.queue_policy_went(name);
    }

    pub(super) fn strike(&mut self, name: &PolicyName, reason: &str) {
        let most = self.config.policy_strikes;
        let Some(book) = self.policies.get_mut(name) else { return };
        book.strike(reason, most);
        let reason = book.reason.clone();
        let (strikes, quarantined) = (book.strikes, book.quarantined);
        self.emit(Action::PolicyStruck { policy: name.clone(), strikes, reason: reason.clone(), quarantined });
        self.count_trial_fault(name, &reason, quarantined);
    }

    pub(super) fn forgive(&mut self, name: &PolicyName) {
        if let Some(book) = self.policies.get_mut(name).filter(|book| !book.quarantined) {
            book.forgive();
        }
    }
}
