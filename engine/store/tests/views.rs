//! The views for reporting tools: their columns stay for ever, and they can be read while the server runs.
#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "contract/samples.rs"]
mod samples;

use headend_model::TestResult;
use headend_store::Store;
use samples::{ended, job};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Row};

/// What each view has. A column is never renamed, moved or removed: what has to change gets a view with another number. New
/// columns come last.
const COLUMNS: &[(&str, &str)] = &[
    (
        "v1_jobs",
        "job name owner priority status accepted_us accepted_at started_us started_at ended_us ended_at runs passed failed \
         incomplete schedule schedule_name occurrence",
    ),
    (
        "v1_runs",
        "run job job_name owner test attempt outcome code comment chosen_by rack slot dut dut_name model devices started_us \
         started_at ended_us ended_at seconds schedule schedule_name occurrence public_tree public_revision private_tree \
         private_revision plugins events steps steps_failed measurements artifacts steps_left_out measurements_left_out \
         log_bytes_left_out video_bytes logs_bytes video_removed_at logs_removed_at numbers_removed_at pinned \
         measurements_outside",
    ),
    ("v1_devices", "run job rack no slot dut dut_name model"),
    (
        "v1_steps",
        "run job test no parent depth path name outcome code began_us began_at ended_us ended_at seconds comment",
    ),
    ("v1_measurements", "run job test dut dut_name model no step path name value unit low high within at_us at"),
    ("v1_artifacts", "run job test path name kind class size hash removed_at"),
];

async fn tool(folder: &std::path::Path) -> SqliteConnection {
    let file = folder.join("headend.db");
    SqliteConnectOptions::new().filename(file).read_only(true).connect().await.unwrap()
}

#[tokio::test]
async fn the_columns_stay() {
    let folder = tempfile::tempdir().unwrap();
    let _store = Store::open(folder.path()).await.unwrap();
    let mut tool = tool(folder.path()).await;
    let views: Vec<String> = sqlx::query_scalar("SELECT name FROM sqlite_schema WHERE type = 'view' ORDER BY name")
        .fetch_all(&mut tool)
        .await
        .unwrap();
    let mut told: Vec<&str> = COLUMNS.iter().map(|(view, _)| *view).collect();
    told.sort_unstable();
    assert_eq!(views, told);
    for (view, columns) in COLUMNS {
        let sql = format!("SELECT name FROM pragma_table_info('{view}') ORDER BY cid");
        let found: Vec<String> = sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_all(&mut tool).await.unwrap();
        assert_eq!(found, columns.split_whitespace().collect::<Vec<_>>(), "{view}");
    }
}

#[tokio::test]
async fn a_reporting_tool_reads_while_the_server_writes() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).await.unwrap();
    let mut tool = tool(folder.path()).await;
    store.write(vec![job(1, "ann"), ended(11, 1, TestResult::Pass)]).await.unwrap();
    let row = sqlx::query("SELECT status, accepted_at, passed FROM v1_jobs").fetch_one(&mut tool).await.unwrap();
    assert_eq!(row.get::<String, _>(0), "idle");
    assert_eq!((row.get::<String, _>(1), row.get::<i64, _>(2)), ("1970-01-01T00:00:00.000Z".to_owned(), 1));
    let refused = sqlx::query("DELETE FROM runs").execute(&mut tool).await;
    assert!(refused.unwrap_err().to_string().contains("readonly"));
    store.write(vec![ended(12, 1, TestResult::Fail)]).await.unwrap();
    let failed: i64 = sqlx::query_scalar("SELECT failed FROM v1_jobs").fetch_one(&mut tool).await.unwrap();
    assert_eq!(failed, 1);
}

/// Every query of the page is run, so that the page stays true.
#[tokio::test]
async fn the_examples_of_the_page_run() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/VIEWS.md")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let _store = Store::open(folder.path()).await.unwrap();
    let mut tool = tool(folder.path()).await;
    let queries: Vec<&str> = page.split("```sql\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    for query in &queries {
        sqlx::query(sqlx::AssertSqlSafe((*query).to_owned()))
            .fetch_all(&mut tool)
            .await
            .unwrap_or_else(|e| panic!("{query}: {e}"));
    }
    for (view, columns) in COLUMNS {
        assert!(queries.iter().any(|query| query.contains(view)), "an example of {view}");
        let story = page.split(&format!("## {view}")).nth(1).and_then(|rest| rest.split("\n## ").next()).unwrap();
        for column in columns.split_whitespace() {
            assert!(story.contains(&format!("`{column}`")), "{column} of {view}");
        }
    }
}
