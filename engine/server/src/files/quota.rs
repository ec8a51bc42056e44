//! Room for files: what an area may hold, and what a person may have sent that is in no area yet.
//!
//! An area is measured by its newest revision. A client that says sizes beforehand is refused before it sends anything
//! ([`Areas::require_room`]); the commit decides ([`Areas::require_within`]). Bytes on their way belong to no area, so a
//! person may have as many of them as both areas may hold ([`Areas::admit`]): without that, uploads that are never
//! committed would fill the disk for all.

use std::collections::BTreeMap;

use headend_files::Tree;
use headend_model::{TreePath, UserName};
use headend_wire::codes;
use headend_wire::files::AreaUsage;

use super::{AreaKey, Areas};
use crate::Quotas;
use crate::http::{ApiError, ApiResult};

impl Quotas {
    const fn of(self, key: &AreaKey) -> Option<u64> {
        match key {
            None => self.public,
            Some(_) => self.private,
        }
    }

    /// What one person may have sent without a commit.
    fn on_the_way(self) -> Option<u64> {
        Some(self.private?.saturating_add(self.public?))
    }
}

impl Areas {
    /// How much room an area takes.
    ///
    /// # Errors
    /// When its tree cannot be read.
    pub(crate) async fn usage(&self, key: &AreaKey) -> ApiResult<AreaUsage> {
        let tree = self.head(key).await?.tree.clone();
        Ok(AreaUsage { files: tree.len() as u64, bytes: tree.size(), quota: self.quotas.of(key) })
    }

    /// Refuses files that would take an area over its quota, before they are sent.
    ///
    /// # Errors
    /// `over_quota`.
    pub(crate) async fn require_room(&self, key: &AreaKey, put: &BTreeMap<TreePath, u64>) -> ApiResult<()> {
        let Some(quota) = self.quotas.of(key) else { return Ok(()) };
        let tree = self.head(key).await?.tree.clone();
        let have = tree.size();
        let replaced: u64 = put.keys().filter_map(|path| tree.get(path)).map(|entry| entry.size).sum();
        let added = put.values().fold(0_u64, |sum, size| sum.saturating_add(*size));
        let then = (have - replaced).saturating_add(added);
        if then > quota && then > have { Err(over(key, then, quota)) } else { Ok(()) }
    }

    /// The same for a revision that is to be made. An area that is over a quota that was lowered may still shrink.
    ///
    /// # Errors
    /// `over_quota`.
    pub(super) fn require_within(&self, key: &AreaKey, old: &Tree, new: &Tree) -> ApiResult<()> {
        match self.quotas.of(key) {
            Some(quota) if new.size() > quota && new.size() > old.size() => Err(over(key, new.size(), quota)),
            _ => Ok(()),
        }
    }

    /// Refuses bytes of somebody who has sent as much as both areas may hold and committed none of it.
    ///
    /// # Errors
    /// `over_quota`.
    pub(crate) async fn admit(&self, user: &UserName, more: u64) -> ApiResult<()> {
        let Some(most) = self.quotas.on_the_way() else { return Ok(()) };
        let begun = self.parts.unfinished(user.as_str()).await?;
        let room = most.saturating_sub(begun).checked_sub(more);
        if room.is_some_and(|room| self.sent.waiting_at_most(user, room)) {
            return Ok(());
        }
        let detail = format!(
            "{user} has sent files that are in no area yet, and {} more would be over the {} that both areas may hold; \
             commit them, or wait: within an hour they no longer count, unfinished uploads within a day",
            shown(more),
            shown(most)
        );
        Err(ApiError::new(&codes::OVER_QUOTA, detail))
    }
}

fn over(key: &AreaKey, then: u64, quota: u64) -> ApiError {
    let (area, flags, setting) = match key {
        None => ("the public area".to_owned(), "", "--public-quota"),
        Some(user) => (format!("the private area of {user}"), " --private", "--private-quota"),
    };
    let detail = format!(
        "{area} would have {}, and its quota is {}; delete files there (`headend files delete{flags}`), or ask an \
         administrator for more room (`headend serve {setting}`)",
        shown(then),
        shown(quota)
    );
    ApiError::new(&codes::OVER_QUOTA, detail)
}

/// Bytes for people, in the largest unit that leaves a digit before the point.
fn shown(bytes: u64) -> String {
    let units = [(40, "TiB"), (30, "GiB"), (20, "MiB"), (10, "KiB")];
    let unit = units.into_iter().find(|(shift, _)| bytes >> shift > 0);
    unit.map_or_else(
        || format!("{bytes} bytes"),
        |(shift, unit)| format!("{}.{} {unit}", bytes >> shift, ((bytes >> (shift - 10)) & 1023) * 10 / 1024),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_shown_in_the_unit_that_fits() {
        let texts = [0, 1023, 1024, (3 << 20) + (1 << 19), 20 << 30, u64::MAX].map(shown);
        assert_eq!(texts, ["0 bytes", "1023 bytes", "1.0 KiB", "3.5 MiB", "20.0 GiB", "16777215.9 TiB"]);
    }
}
