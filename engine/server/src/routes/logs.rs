//! The log URLs of `getBatchStatus`: what a run has left, under an address like the document's
//! (`…/public/samples/test1/script_one_20091109_115346`), which opens in a browser.
//!
//! Behind the time stands the number of the run, so that two runs of a script in one second have two addresses; only the
//! number counts when the address is read.

use std::fmt::Write as _;

use axum::extract::{Path, State};
use axum::response::{Html, IntoResponse, Response};
use headend_wire::api::ArtifactItem;

use super::artifacts;
use crate::app::Shared;
use crate::auth::Person;
use crate::http::{ApiError, ApiResult};

/// The address of a run's folder, below `/logs`. `script`: `public/…`; `started`: RFC 3339 in UTC.
pub(crate) fn path(script: &str, started: Option<&str>, run: u64) -> String {
    let stem =
        script.rsplit_once('.').filter(|(_, extension)| !extension.contains('/')).map_or(script, |(stem, _)| stem);
    let digits = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
    let started = started.unwrap_or("1970-01-01T00:00:00Z");
    let (date, time) = started.split_once('T').unwrap_or((started, ""));
    let time = digits(time.get(..8).unwrap_or(time));
    format!("{stem}_{}_{time}_{run}", digits(date))
}

/// The run and the file in its folder that an address means.
fn read(path: &str) -> Option<(u64, &str)> {
    let (mut at, mut rest) = (0, path);
    loop {
        let (component, more) = rest.split_once('/').unwrap_or((rest, ""));
        if let Some(run) = run_of(component) {
            return Some((run, more));
        }
        if more.is_empty() {
            return None;
        }
        at += component.len() + 1;
        rest = &path[at..];
    }
}

/// `name_YYYYMMDD_HHMMSS_run`.
fn run_of(component: &str) -> Option<u64> {
    let mut parts = component.rsplitn(4, '_');
    let (run, time, date) = (parts.next()?, parts.next()?, parts.next()?);
    parts.next()?;
    let is_digits = |text: &str, length: usize| text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_digits(date, 8) || !is_digits(time, 6) {
        return None;
    }
    run.parse().ok()
}

/// The folder of a run as a page, or a file in it.
pub(crate) async fn open(state: State<Shared>, person: Person, Path(path): Path<String>) -> ApiResult<Response> {
    let missing = || ApiError::not_found("run under this address; see getBatchStatus or `headend status`");
    let (run, file) = read(&path).ok_or_else(missing)?;
    if !file.is_empty() {
        return artifacts::get(state, person, Path((run, file.to_owned()))).await;
    }
    let axum::Json(list) = artifacts::list(state, person, Path(run)).await.map_err(|_| missing())?;
    Ok(Html(page(&path, run, &list.files)).into_response())
}

fn page(path: &str, run: u64, files: &[ArtifactItem]) -> String {
    let title = escaped(path.trim_end_matches('/'));
    let mut html = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title></head>\
         <body><h1>Run {run}</h1><p>{title}</p>"
    );
    if files.is_empty() {
        html.push_str("<p>It has left nothing yet.</p></body></html>\n");
        return html;
    }
    html.push_str("<table><tr><th>File</th><th>Bytes</th></tr>");
    for file in files {
        // From the root, so that the page works with and without a slash at its end.
        let address = file.path.split('/').map(artifacts::encoded).collect::<Vec<_>>().join("/");
        // Writing to a string cannot fail.
        let _ = write!(
            html,
            "<tr><td><a href=\"/api/v1/runs/{run}/files/{address}\">{}</a></td><td>{}</td></tr>",
            escaped(&file.path),
            file.size
        );
    }
    html.push_str("</table></body></html>\n");
    html
}

fn escaped(text: &str) -> String {
    text.chars().fold(String::new(), |mut html, c| {
        match c {
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '&' => html.push_str("&amp;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            other => html.push(other),
        }
        html
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_like_the_documents_and_leads_back() {
        let address = path("public/samples/test1/script_one.py", Some("2009-11-09T11:53:46.120000Z"), 38413);
        assert_eq!(address, "public/samples/test1/script_one_20091109_115346_38413");
        assert_eq!(read(&address), Some((38413, "")));
        assert_eq!(read(&format!("{address}/")), Some((38413, "")));
        assert_eq!(
            read(&format!("{address}/thumbs/a_20091109_115346_7/b.png")),
            Some((38413, "thumbs/a_20091109_115346_7/b.png"))
        );
        assert_eq!(read(&path("public/a.b/no_extension", None, 1)), Some((1, "")));
        for bad in
            ["", "public", "public/x_20091109_115346", "x_2009_115346_1", "20091109_115346_1", "x_20091109_115346_-1"]
        {
            assert_eq!(read(bad), None, "{bad}");
        }
    }

    #[test]
    fn names_of_files_are_only_names_on_the_page() {
        let evil = ArtifactItem { path: "<script>alert(1)</script>\".png".to_owned(), size: 1 };
        let html = page("public/x", 1, &[evil]);
        assert!(
            !html.contains("<script>") && html.contains("&lt;script&gt;") && html.contains("%3Cscript%3E"),
            "{html}"
        );
    }
}
