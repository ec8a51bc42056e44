//! From a folder to an open database, or to a reason why not. Nothing that is there is ever replaced.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::FlockOperation;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, Row, SqliteConnection, SqlitePool};

use crate::error::StoreError;
use crate::fault::said;
use crate::options::StoreOptions;
use crate::wal;

/// "HEAD": tells our files from other SQLite files.
const APPLICATION_ID: i32 = 0x4845_4144;
/// Older ones have the WAL-reset race.
const NEEDED_SQLITE: &str = "3.51.3";
static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("./migrations/sqlite");
/// What recovery needs; checked page by page at each opening. The history is checked in the background.
const CHECKED: [&str; 13] = [
    "meta",
    "journal",
    "snapshots",
    "pins",
    "duts",
    "racks",
    "slots",
    "tokens",
    "enrol_tokens",
    "plugins",
    "plugin_grants",
    "areas",
    "revisions",
];

/// Where the parts of a store are.
#[derive(Clone, Debug)]
pub(crate) struct Places {
    pub(crate) folder: PathBuf,
    pub(crate) database: PathBuf,
    marker: PathBuf,
}

impl Places {
    pub(crate) fn of(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), database: folder.join("headend.db"), marker: folder.join("headend.store") }
    }

    fn beside(&self, suffix: &str) -> PathBuf {
        let mut name = self.database.clone().into_os_string();
        name.push(suffix);
        name.into()
    }

    pub(crate) fn damaged(&self, what: impl Into<String>) -> StoreError {
        StoreError::Damaged { path: self.database.clone(), what: what.into() }
    }

    fn foreign(&self, what: impl Into<String>) -> StoreError {
        StoreError::Foreign { path: self.database.clone(), what: what.into() }
    }
}

/// An open database: one connection that writes, one that moves the log into it, several that read, and the lock that keeps others out.
pub(crate) struct Opened {
    pub(crate) writer: SqliteConnection,
    pub(crate) checkpoints: SqliteConnection,
    pub(crate) readers: SqlitePool,
    pub(crate) lock: FolderLock,
}

/// Holds the folder until it is dropped, or the process ends in whatever way.
#[derive(Debug)]
pub(crate) struct FolderLock(#[allow(dead_code, reason = "the lock lives as long as the file is open")] File);

pub(crate) async fn open(places: &Places, options: &StoreOptions) -> Result<Opened, StoreError> {
    let folder = &places.folder;
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(io("make folder", folder))?;
    let lock = lock(folder)?;
    if !places.database.exists() {
        create(places, options).await?;
    }
    inspect(places)?;
    let mut writer = connect(places, writing(&places.database, options)).await?;
    check_version(&mut writer).await?;
    let known = MIGRATIONS.iter().map(|m| m.version).max().unwrap_or(0);
    check_schema(places, &mut writer, known).await?;
    quick_check(places, &mut writer, &CHECKED).await?;
    MIGRATIONS.run(&mut writer).await.map_err(|e| migration(places, known, e))?;
    mark(places)?;
    let readers = SqlitePoolOptions::new()
        .max_connections(options.readers.max(1))
        .connect_with(reading(&places.database, options))
        .await
        .map_err(|e| said(places, "open the database for reading", e))?;
    let checkpoints = connect(places, checkpointing(&places.database, options)).await?;
    Ok(Opened { writer, checkpoints, readers, lock })
}

fn io(doing: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> StoreError {
    let path = path.to_owned();
    move |source| StoreError::Folder { doing, path, source: Arc::new(source) }
}

fn lock(folder: &Path) -> Result<FolderLock, StoreError> {
    let path = folder.join("headend.lock");
    let opened = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(&path);
    let mut file = opened.map_err(io("open", &path))?;
    if let Err(e) = rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
        if e != rustix::io::Errno::WOULDBLOCK {
            return Err(io("lock", &path)(e.into()));
        }
        let mut text = String::new();
        let _ = file.read_to_string(&mut text);
        return Err(StoreError::InUse { folder: folder.to_owned(), pid: text.trim().parse().ok() });
    }
    let written = file.set_len(0).and_then(|()| file.rewind()).and_then(|()| writeln!(file, "{}", std::process::id()));
    written.map_err(io("write to", &path))?;
    Ok(FolderLock(file))
}

/// Makes a new database beside its place and moves it there when it is whole: no crash leaves half of one.
async fn create(places: &Places, options: &StoreOptions) -> Result<(), StoreError> {
    if places.marker.exists() {
        return Err(StoreError::Missing { path: places.database.clone(), marker: places.marker.clone() });
    }
    if places.beside("-wal").exists() {
        return Err(places.damaged("it is gone, and its -wal file is there"));
    }
    let new = places.beside(".new");
    for suffix in ["", "-wal", "-shm"] {
        let mut left = new.clone().into_os_string();
        left.push(suffix);
        let _ = std::fs::remove_file(left);
    }
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new).map_err(io("make", &new))?;
    let settings = writing(&new, options).pragma("application_id", APPLICATION_ID.to_string());
    let mut connection = connect(places, settings).await?;
    MIGRATIONS.run(&mut connection).await.map_err(|e| migration(places, 0, e))?;
    connection.close().await.map_err(|e| said(places, "make the database", e))?;
    file.sync_all().map_err(io("flush", &new))?;
    std::fs::rename(&new, &places.database).map_err(io("rename", &new))?;
    sync_folder(places)
}

/// Remembers that there is a database, so that a lost one is never replaced by an empty one.
fn mark(places: &Places) -> Result<(), StoreError> {
    if places.marker.exists() {
        return Ok(());
    }
    std::fs::write(&places.marker, "There is a headend database in this folder: headend.db\n")
        .map_err(io("write", &places.marker))?;
    sync_folder(places)
}

fn sync_folder(places: &Places) -> Result<(), StoreError> {
    File::open(&places.folder).and_then(|f| f.sync_all()).map_err(io("flush", &places.folder))
}

/// What can be told from the bytes alone, before SQLite touches them.
fn inspect(places: &Places) -> Result<(), StoreError> {
    let path = &places.database;
    let mut head = Vec::new();
    let file = File::open(path).map_err(io("open", path))?;
    let size = file.metadata().map_err(io("look at", path))?.len();
    file.take(100).read_to_end(&mut head).map_err(io("read", path))?;
    if size == 0 {
        return Err(places.damaged("it has no bytes"));
    }
    if head.len() < 100 {
        return Err(places.damaged(format!("it has {size} bytes, less than its head")));
    }
    if !head.starts_with(b"SQLite format 3\0") {
        return Err(places.foreign("it does not begin like an SQLite file"));
    }
    let id = [head[68], head[69], head[70], head[71]];
    if i32::from_be_bytes(id) != APPLICATION_ID {
        return Err(places.foreign(format!("its application id is {id:02x?}")));
    }
    let log = places.beside("-wal");
    match std::fs::read(&log) {
        Ok(log) if !log.is_empty() => wal::damage(&log).map_or(Ok(()), |what| Err(places.damaged(what))),
        Ok(_) => whole(places, &head, size),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => whole(places, &head, size),
        Err(e) => Err(io("read", &log)(e)),
    }
}

/// Without a log the file must have all pages that its head counts.
fn whole(places: &Places, head: &[u8], size: u64) -> Result<(), StoreError> {
    let number = |at: usize| u64::from(u32::from_be_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]));
    let page = match u64::from(u16::from_be_bytes([head[16], head[17]])) {
        1 => 65_536,
        page => page,
    };
    let expected = number(28) * page;
    if size < expected {
        return Err(places.damaged(format!("it has {size} bytes of {expected}")));
    }
    Ok(())
}

fn settings(path: &Path, options: &StoreOptions) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(false)
        .busy_timeout(options.busy_timeout)
        .foreign_keys(true)
        .pragma("mmap_size", "0")
        .pragma("cell_size_check", "ON")
        .disable_statement_logging()
}

fn writing(path: &Path, options: &StoreOptions) -> SqliteConnectOptions {
    let settings = settings(path, options)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .pragma("journal_size_limit", "67108864")
        // See `checkpoint.rs`.
        .pragma("wal_autocheckpoint", "0")
        .statement_cache_capacity(200)
        .optimize_on_close(true, Some(400));
    match options.max_bytes {
        None => settings,
        Some(bytes) => settings.pragma("max_page_count", (bytes / 4096).max(1).to_string()),
    }
}

fn reading(path: &Path, options: &StoreOptions) -> SqliteConnectOptions {
    settings(path, options).pragma("query_only", "ON")
}

fn checkpointing(path: &Path, options: &StoreOptions) -> SqliteConnectOptions {
    settings(path, options).synchronous(SqliteSynchronous::Full)
}

async fn connect(places: &Places, settings: SqliteConnectOptions) -> Result<SqliteConnection, StoreError> {
    settings.connect().await.map_err(|e| said(places, "open the database", e))
}

async fn check_version(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    let found: String = sqlx::query_scalar("SELECT sqlite_version()")
        .fetch_one(connection)
        .await
        .map_err(|e| StoreError::Database { doing: "tell its version", source: Arc::new(e) })?;
    if numbers(&found) < numbers(NEEDED_SQLITE) {
        return Err(StoreError::OldSqlite { found, needed: NEEDED_SQLITE });
    }
    Ok(())
}

fn numbers(version: &str) -> Vec<u32> {
    version.split('.').map(|part| part.parse().unwrap_or(0)).collect()
}

async fn check_schema(places: &Places, connection: &mut SqliteConnection, known: i64) -> Result<(), StoreError> {
    let found: Option<i64> = sqlx::query_scalar("SELECT max(version) FROM _sqlx_migrations WHERE success = 1")
        .fetch_one(connection)
        .await
        .map_err(|e| match said(places, "read its schema version", e) {
            StoreError::Database { source, .. } => places.damaged(source.to_string()),
            other => other,
        })?;
    match found {
        None => Err(places.damaged("it has no schema version")),
        Some(found) if found > known => Err(StoreError::Newer { path: places.database.clone(), found, known }),
        Some(_) => Ok(()),
    }
}

/// Asks SQLite to go through tables; what it finds is damage.
pub(crate) async fn quick_check(
    places: &Places,
    connection: &mut SqliteConnection,
    tables: &[&'static str],
) -> Result<(), StoreError> {
    let there: Vec<String> = sqlx::query_scalar("SELECT name FROM sqlite_schema WHERE type = 'table'")
        .fetch_all(&mut *connection)
        .await
        .map_err(|e| said(places, "read its schema", e))?;
    for table in tables.iter().filter(|table| there.iter().any(|name| name == *table)) {
        let row = sqlx::query(sqlx::AssertSqlSafe(format!("PRAGMA quick_check('{table}')")))
            .fetch_one(&mut *connection)
            .await
            .and_then(|row| row.try_get::<String, _>(0))
            .map_err(|e| said(places, "check its pages", e))?;
        if row != "ok" {
            return Err(places.damaged(format!("table {table}: {row}")));
        }
    }
    Ok(())
}

fn migration(places: &Places, known: i64, error: sqlx::migrate::MigrateError) -> StoreError {
    use sqlx::migrate::MigrateError;
    match error {
        MigrateError::VersionMissing(found) => StoreError::Newer { path: places.database.clone(), found, known },
        MigrateError::VersionMismatch(version) => {
            places.damaged(format!("step {version} of its schema is not the one this release knows"))
        }
        MigrateError::Execute(e) | MigrateError::ExecuteMigration(e, _) => {
            said(places, "bring the schema up to date", e)
        }
        other => places.damaged(other.to_string()),
    }
}
