//! What every store has to know about files.
#![allow(clippy::unwrap_used, reason = "tests")]

use headend_store::{AreaHead, AreaId, DigestRow, FileChange, FileHistoryQuery, FileRow, Store, StoreOptions};

use super::cases::Factory;
use super::samples::{at, user};

fn put(path: &str, change: FileChange, hash: &str) -> FileRow {
    let hash = Some(hash.to_owned()).filter(|_| change != FileChange::Deleted);
    FileRow { path: path.to_owned(), change, hash, size: 3, edited: at(7) }
}

async fn revision(store: &Store, number: u64, rows: Vec<FileRow>) {
    store.write_file_rows(AreaId::PUBLIC, number, true, rows).await.unwrap();
    let head = AreaHead {
        area: AreaId::PUBLIC,
        revision: number,
        tree: format!("tree{number}"),
        by: user("ann"),
        at: at(number as i64),
    };
    store.commit_area(number - 1, head, vec![]).await.unwrap();
}

fn query(path: Option<&str>, after: Option<(u64, &str)>, limit: u32) -> FileHistoryQuery {
    let after = after.map(|(revision, path)| (revision, path.to_owned()));
    FileHistoryQuery { area: AreaId::PUBLIC, path: path.map(str::to_owned), after, limit }
}

pub(crate) async fn files_have_a_history(factory: &impl Factory) {
    use FileChange::{Added, Changed, Deleted};
    let store = factory.open(StoreOptions::default()).await;
    // A try that never came to its revision.
    store.write_file_rows(AreaId::PUBLIC, 1, true, vec![put("lost", Added, "x")]).await.unwrap();
    assert_eq!(store.file_history(&query(None, None, 9)).await.unwrap(), []);
    revision(&store, 1, vec![put("a/b.py", Added, "h1"), put("a.py", Added, "h2")]).await;
    revision(&store, 2, vec![put("a/b.py", Changed, "h3"), put("c.py", Added, "h4")]).await;
    revision(&store, 3, vec![put("a.py", Deleted, ""), put("a/b.py", Changed, "h1")]).await;
    store.write_file_rows(AreaId::PUBLIC, 4, true, vec![put("a/b.py", Deleted, "")]).await.unwrap();

    let told = async |query: FileHistoryQuery| {
        let rows = store.file_history(&query).await.unwrap();
        rows.iter().map(|row| format!("{} {} {}", row.revision, row.file.path, row.file.change)).collect::<Vec<_>>()
    };
    assert_eq!(told(query(Some("a"), None, 9)).await, ["3 a/b.py changed", "2 a/b.py changed", "1 a/b.py added"]);
    assert_eq!(told(query(None, None, 2)).await, ["3 a.py deleted", "3 a/b.py changed"]);
    assert_eq!(told(query(None, Some((3, "a/b.py")), 2)).await, ["2 a/b.py changed", "2 c.py added"]);
    assert_eq!(told(query(Some("a"), Some((3, "a/b.py")), 1)).await, ["2 a/b.py changed"]);

    let there = async |revision, under: Option<&str>| {
        let rows = store.files_at(AreaId::PUBLIC, revision, under).await.unwrap();
        rows.into_iter().map(|row| (row.file.path, row.revision)).collect::<Vec<_>>()
    };
    assert_eq!(there(1, None).await, [("a.py".to_owned(), 1), ("a/b.py".to_owned(), 1)]);
    assert_eq!(there(3, None).await, [("a/b.py".to_owned(), 3), ("c.py".to_owned(), 2)]);
    assert_eq!(there(3, Some("a")).await, [("a/b.py".to_owned(), 3)]);
    assert_eq!(there(3, Some("c.py")).await.len(), 1);

    let gone = store.last_deletion(AreaId::PUBLIC, "a.py").await.unwrap().unwrap();
    assert_eq!((gone.revision, gone.by, gone.at), (3, user("ann"), at(3)));
    assert_eq!(store.last_deletion(AreaId::PUBLIC, "a/b.py").await.unwrap(), None, "revision 4 was never committed");

    let diff = store.file_diff(AreaId::PUBLIC, (1, 3), 9).await.unwrap();
    let diff: Vec<_> = diff.into_iter().map(|row| (row.path, row.old.is_some(), row.new.is_some())).collect();
    assert_eq!(diff, [("a.py".to_owned(), true, false), ("c.py".to_owned(), false, true)], "a/b.py was changed back");
    assert_eq!(store.file_diff(AreaId::PUBLIC, (0, 3), 9).await.unwrap().len(), 2);
    assert_eq!(store.revision_of(AreaId::PUBLIC, "tree2").await.unwrap(), Some(2));
    assert_eq!(store.revision_of(AreaId(7), "tree2").await.unwrap(), None);
    let areas = store.areas().await.unwrap();
    assert_eq!((areas.len(), areas[0].has_history, areas[0].head.as_ref().map(|h| h.revision)), (1, true, Some(3)));
}

pub(crate) async fn digests_are_kept_and_forgotten(factory: &impl Factory) {
    let store = factory.open(StoreOptions::default()).await;
    let row = |n: u32, hash: &str| DigestRow { sha256: format!("{n:064x}"), hash: hash.to_owned(), size: 5 };
    store.keep_digests((0..300).map(|n| row(n, "a")).collect()).await.unwrap();
    store.keep_digests(vec![row(7, "b")]).await.unwrap();
    let asked = [row(7, "").sha256, row(999, "").sha256];
    assert_eq!(store.digests(&asked).await.unwrap(), [row(7, "b")]);
    assert_eq!(store.digests_after(&row(298, "").sha256, 10).await.unwrap(), [row(299, "a")]);
    store.forget_digests((0..299).map(|n| row(n, "").sha256).collect()).await.unwrap();
    assert_eq!(store.digests_after("", 10).await.unwrap(), [row(299, "a")]);
    store.forget_digests(vec![]).await.unwrap();
}
