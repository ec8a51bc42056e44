//! `headend server`: the document's `ServerVersion` and `ServerStartTime`, and as whom the server knows one.

use headend_wire::api::ServerInfo;

use super::Context;
use crate::failure::Result;
use crate::ui;

pub(crate) async fn run(context: &Context) -> Result<()> {
    let info: ServerInfo = context.client.get("/server").await?;
    context.ui.show(&info, |info| {
        let mut table = context.ui.table(&["VERSION", "STARTED (UTC)", "YOU ARE", "ROLE", "OPEN JOBS"]);
        table.add_row([
            ui::cell(&info.version),
            ui::cell(&seconds(&info.started)),
            ui::cell(&info.user),
            ui::cell(&info.role),
            ui::cell(&info.open_jobs.to_string()),
        ]);
        ui::text(&table)
    })
}

/// As the document writes it: `2012-10-22 13:52:20Z`.
fn seconds(at: &str) -> String {
    at.get(..19).map_or_else(|| at.to_owned(), |whole| format!("{}Z", whole.replace('T', " ")))
}
