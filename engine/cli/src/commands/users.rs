//! `headend user`: tokens of people.

use headend_wire::api::{TokenAnswer, TokenList, TokenRequest};

use super::Context;
use crate::client::segment;
use crate::failure::Result;
use crate::ui::{self, cell};

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Valid tokens: of everybody for administrators, else your own.
    List,
    /// Make a token; it is shown once.
    Token(NewToken),
    /// Make a token void, at once.
    Revoke {
        /// Its id, as `headend user list` shows it.
        token: String,
    },
}

/// Whose token, and what it may do.
#[derive(Debug, clap::Args)]
pub(crate) struct NewToken {
    /// Name of the user: jobs and private files are kept under it.
    user: String,
    /// May do everything.
    #[arg(long)]
    admin: bool,
    /// May act for others, as the document's setUser does.
    #[arg(long)]
    act_as: bool,
    /// Void after so many days; never unless given.
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u64).range(1..=3650))]
    days: Option<u64>,
    /// What it is for.
    #[arg(long, default_value = "", hide_default_value = true)]
    label: String,
}

pub(crate) async fn run(context: &Context, command: &Command) -> Result<()> {
    match command {
        Command::List => list(context).await,
        Command::Token(new) => make(context, new).await,
        Command::Revoke { token } => revoke(context, token).await,
    }
}

async fn list(context: &Context) -> Result<()> {
    let list: TokenList = context.client.get("/tokens").await?;
    context.ui.show(&list, |list| {
        let mut table = context.ui.table(&["TOKEN", "USER", "ROLE", "ACTS FOR OTHERS", "MADE", "VOID FROM", "LABEL"]);
        for token in &list.tokens {
            table.add_row([
                cell(&token.id),
                cell(&token.user),
                cell(&token.role),
                cell(if token.act_as { "yes" } else { "no" }),
                cell(&token.created),
                cell(token.expires.as_deref().unwrap_or("never")),
                cell(&token.label),
            ]);
        }
        ui::text(&table)
    })
}

async fn make(context: &Context, new: &NewToken) -> Result<()> {
    let request = TokenRequest {
        user: new.user.clone(),
        role: new.admin.then(|| "admin".to_owned()),
        expires_in_s: new.days.map(|days| days * 86_400),
        label: new.label.clone(),
        act_as: new.act_as,
    };
    let made: TokenAnswer = context.client.post("/tokens", &request).await?;
    // Only the token is data, so that it can be piped; the rest is talk.
    context.ui.show(&made, |made| made.token.clone())?;
    context.ui.say(&format!("token {} of {} ({}); it is not shown again", made.id, made.user, made.role));
    Ok(())
}

async fn revoke(context: &Context, token: &str) -> Result<()> {
    let request = context.client.request(reqwest::Method::DELETE, &format!("/tokens/{}", segment(token)));
    context.client.send(request).await?;
    context.ui.say(&format!("token {token} is void"));
    Ok(())
}
