//! Private files become public (document 4.10), and files are taken away (7.1.10, 7.1.11).

use std::sync::Arc;

use headend_files::{Change, Selection, folder, root_or_path};
use headend_model::{TreePath, UserName};
use headend_wire::codes;

use super::history::edited_times;
use super::{AreaKey, Areas, Commit, Head, Maker, bad_path};
use crate::edge::names::cut;
use crate::http::{ApiError, ApiResult};

impl Areas {
    /// Makes copies of a user's private files public, as one revision; the private ones stay. Gives the public paths.
    ///
    /// # Errors
    /// `bad_path`, `not_found` when nothing is meant, `case_clash` with what is public already.
    pub(crate) async fn convert(
        self: &Arc<Self>,
        user: &UserName,
        (private, public): (&str, &str),
        deep: bool,
        maker: Maker,
    ) -> ApiResult<(Arc<Head>, Vec<TreePath>)> {
        let selection = Selection::parse(private, deep).map_err(|bad| bad_path(&bad))?;
        no_wildcards(public, "the public path")?;
        let into = folder(public).map_err(|bad| bad_path(&bad))?;
        let own = self.head(&Some(user.clone())).await?;
        let put = selection.copies(&own.tree, into.as_ref()).map_err(|bad| bad_path(&bad))?;
        if put.is_empty() {
            let more = if deep { "" } else { "; files in folders below it are meant only with includeSubDirs" };
            let detail = format!("no private file of {user} is meant by {:?}{more}", cut(private));
            return Err(ApiError::new(&codes::NOT_FOUND, detail));
        }
        // So that no sweep takes a blob between here and the commit.
        let gone = self.blobs.missing(put.values().map(|entry| entry.hash)).await?;
        if let Some(hash) = gone.first() {
            return Err(ApiError::new(
                &codes::INTERNAL,
                format!("blob {hash} is lost; upload the private files again"),
            ));
        }
        // A copy was edited when its original was.
        let times = edited_times(&self.files_of(&Some(user.clone()), None).await?);
        let edited = put.iter().filter_map(|(path, entry)| Some((path.clone(), *times.get(&entry.hash)?))).collect();
        let paths = put.keys().cloned().collect();
        let change = Change { put, ..Change::default() };
        let head = self.commit(&None, Commit { change, edited }, maker).await?;
        Ok((head, paths))
    }

    /// Takes a file away, or a folder with all that is in it.
    ///
    /// # Errors
    /// `bad_path`, also for a wildcard; `not_found`.
    pub(crate) async fn delete(self: &Arc<Self>, key: &AreaKey, text: &str, maker: Maker) -> ApiResult<Arc<Head>> {
        let path = deletable(text)?;
        let change = Change { delete: [path].into(), ..Change::default() };
        self.commit(key, Commit { change, ..Commit::default() }, maker).await
    }
}

/// A path that may be deleted.
///
/// # Errors
/// `bad_path`.
pub(crate) fn deletable(text: &str) -> ApiResult<TreePath> {
    no_wildcards(text, "a delete")?;
    root_or_path(text).map_err(|bad| bad_path(&bad))
}

fn no_wildcards(text: &str, what: &str) -> ApiResult<()> {
    if text.contains('*') {
        let detail = format!("{what} takes no wildcards, and {:?} has a `*`; name a file or folder", cut(text));
        return Err(ApiError::new(&codes::BAD_PATH, detail));
    }
    Ok(())
}
