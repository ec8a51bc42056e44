//! `listPublicFiles`, `listPrivateFiles`, `deletePublicFiles`, `deletePrivateFiles`, `convertFilesToPublic` (document 4.10,
//! 7.1.10, 7.1.11, 7.1.19, 7.1.20). Paths come with either slash; nothing, and a single slash, are the area itself.

use std::collections::HashMap;

use headend_files::{Listed, folder};
use headend_model::{Timestamp, TreePath};
use headend_store::FileHistoryRow;
use headend_wire::xmlrpc::Value;

use super::answer::{Answer, int, list, text, unix};
use super::args::Args;
use super::{Caller, jobs};
use crate::files::{AreaKey, Maker, bad_path};
use crate::http::ApiResult;

/// `listPublicFiles(remotePath, includeDirs=False)`.
pub(super) async fn list_public(caller: &Caller<'_>, mut args: Args) -> ApiResult<Answer> {
    let (path, dirs) = (args.text("remotePath")?, args.flag_or("includeDirs", false)?);
    args.done("listPublicFiles", &["remotePath", "includeDirs"])?;
    rows(caller, &None, &path, dirs).await
}

/// `listPrivateFiles(remotePath, includeDirs=False, userName="")`. Another user's files are shown to those who may act for
/// that user; others learn nothing, not even whether there is such a user.
pub(super) async fn list_private(caller: &Caller<'_>, mut args: Args) -> ApiResult<Answer> {
    let (path, dirs) = (args.text("remotePath")?, args.flag_or("includeDirs", false)?);
    let user = args.text_or("userName", "")?;
    args.done("listPrivateFiles", &["remotePath", "includeDirs", "userName"])?;
    let person = jobs::acting_as(&caller.person, &user)?;
    rows(caller, &Some(person.user), &path, dirs).await
}

/// Rows `[name, last edit, bytes, 'File' or 'Dir']`. A folder was edited when the last file in it was, and has 0 bytes.
async fn rows(caller: &Caller<'_>, key: &AreaKey, path: &str, dirs: bool) -> ApiResult<Answer> {
    let folder = folder(path).map_err(|bad| bad_path(&bad))?;
    let head = caller.app.areas.head(key).await?;
    let listed = head.tree.list(folder.as_ref())?;
    let files = caller.app.areas.files_of(key, folder.as_ref()).await?;
    let times = edits(&files);
    let row = |path: &TreePath, size: u64, kind: &str| {
        list([text(path.file_name()), unix(times.get(path.as_str()).copied()), int(size), text(kind)])
    };
    let rows = listed.iter().filter_map(|one| match one {
        Listed::File(path, entry) => Some(row(path, entry.size, "File")),
        Listed::Folder(path) => dirs.then(|| row(path, 0, "Dir")),
    });
    Ok(Answer::ok([list(rows)]))
}

/// When files and the folders above them were last edited.
fn edits(files: &[FileHistoryRow]) -> HashMap<&str, Timestamp> {
    let mut times = HashMap::new();
    for row in files {
        let path = row.file.path.as_str();
        let folders = path.match_indices('/').map(|(end, _)| &path[..end]);
        for name in folders.chain([path]) {
            let time = times.entry(name).or_insert(row.file.edited);
            *time = row.file.edited.max(*time);
        }
    }
    times
}

/// `deletePublicFiles(file)`: gives the path as it was given.
pub(super) async fn delete_public(caller: &Caller<'_>, mut args: Args) -> ApiResult<Answer> {
    let file = args.text("file")?;
    args.done("deletePublicFiles", &["file"])?;
    delete(caller, &None, file).await
}

/// `deletePrivateFiles(file)`: gives the path as it was given.
pub(super) async fn delete_private(caller: &Caller<'_>, mut args: Args) -> ApiResult<Answer> {
    let file = args.text("file")?;
    args.done("deletePrivateFiles", &["file"])?;
    delete(caller, &Some(caller.person.user.clone()), file).await
}

async fn delete(caller: &Caller<'_>, key: &AreaKey, file: String) -> ApiResult<Answer> {
    let maker = Maker::now(caller.app, &caller.person.user);
    caller.app.areas.delete(key, &file, maker).await?;
    Ok(Answer::ok([Value::Text(file)]))
}

/// `convertFilesToPublic(privatePath, publicPath, includeSubDirs=False)`: the public paths, in the document's form.
pub(super) async fn convert(caller: &Caller<'_>, mut args: Args) -> ApiResult<Answer> {
    let (private, public) = (args.text("privatePath")?, args.text("publicPath")?);
    let deep = args.flag_or("includeSubDirs", false)?;
    args.done("convertFilesToPublic", &["privatePath", "publicPath", "includeSubDirs"])?;
    let user = &caller.person.user;
    let maker = Maker::now(caller.app, user);
    let (_, paths) = caller.app.areas.convert(user, (&private, &public), deep, maker).await?;
    let shown = paths.iter().map(|path| text(format!("\\{}", path.as_str().replace('/', "\\"))));
    Ok(Answer::ok([list(shown)]))
}
