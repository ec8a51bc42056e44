//! `headend retention`: what is kept of runs, what would go now, and what has gone. It takes nothing itself.

use headend_wire::api::{RetentionClass, RetentionInfo};

use super::Context;
use crate::failure::Result;
use crate::ui::{self, cell, when};

/// Shows it.
pub(crate) async fn run(context: &Context) -> Result<()> {
    let info: RetentionInfo = context.client.get("/retention").await?;
    context.ui.show(&info, |info| people(context, info))
}

fn people(context: &Context, info: &RetentionInfo) -> String {
    let mut classes = context.ui.table(&["CLASS", "BYTES", "KEPT FOR", "KEPT UP TO"]);
    for class in &info.classes {
        classes.add_row([cell(&class.class), cell(&class.bytes.to_string()), cell(&age(class)), cell(&space(class))]);
    }
    let mut parts = vec![ui::text(&classes)];
    parts.push(if info.would.is_empty() { nothing(info) } else { would(context, info) });
    if !info.went.is_empty() {
        let mut went = context.ui.table(&["WENT", "CLASS", "RUNS", "BYTES"]);
        for past in &info.went {
            let (runs, bytes) = (past.runs.to_string(), past.bytes.to_string());
            went.add_row([cell(&when(&past.at)), cell(&past.class), cell(&runs), cell(&bytes)]);
        }
        parts.push(ui::text(&went));
    }
    parts.join("\n\n")
}

fn nothing(info: &RetentionInfo) -> String {
    let endless = info.classes.iter().all(|class| class.age_s.is_none() && class.space.is_none());
    let why = if endless { "; everything is kept: see --keep-video of headend serve" } else { "" };
    format!("nothing would go now{why}")
}

fn would(context: &Context, info: &RetentionInfo) -> String {
    let mut table = context.ui.table(&["WOULD GO", "OF RUN", "ENDED", "BYTES", "FOR"]);
    for item in &info.would {
        table.add_row([
            cell(&item.classes.join(", ")),
            cell(&item.run.to_string()),
            cell(&when(&item.ended)),
            cell(&item.bytes.to_string()),
            cell(&item.reason),
        ]);
    }
    let more = if info.more { "\nand more" } else { "" };
    format!("{}{more}\nfrom {} on; pin what is to stay: headend runs pin RUN", ui::text(&table), when(&info.next))
}

fn age(class: &RetentionClass) -> String {
    class.age_s.map_or_else(
        || "ever".to_owned(),
        |seconds| match seconds {
            0..7_200 => format!("{seconds} s"),
            7_200..172_800 => format!("{} h", seconds / 3_600),
            _ => format!("{} days", seconds / 86_400),
        },
    )
}

fn space(class: &RetentionClass) -> String {
    class.space.map_or_else(|| "no bound".to_owned(), |bytes| format!("{bytes} bytes"))
}
