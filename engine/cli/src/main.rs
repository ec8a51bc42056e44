//! The `headend` binary: flags in, exit code out.
//!
//! [`args`] is what people may say; [`commands`] are the clients of the REST API, one module each; `host` starts what
//! runs for long: server, rack, script hosts. Data goes to standard output and talk to standard error ([`ui`]); what
//! went wrong is a [`failure::Failure`], printed once, here.

mod args;
mod client;
mod commands;
mod credentials;
mod events;
mod exit;
mod failure;
#[cfg(feature = "host")]
mod host;
mod targets;
mod ui;

use std::process::ExitCode;
use std::time::Duration;

use clap::{CommandFactory, Parser};
use headend_wire::api::SubmitRequest;

use crate::args::{Cli, Command};
use crate::client::Client;
use crate::commands::{
    Context, duts, eta, files, inventory, jobs, pins, plugin, racks, reserve, results, retention, schedule, server,
    status, submit, users, watch, why, why_not,
};
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::ui::Ui;

fn main() -> ExitCode {
    // Guests come first: they are started often, must not wait for anything, and print nothing of their own.
    #[cfg(feature = "host")]
    if let Some(code) = host::guest_by_name() {
        return code;
    }
    let cli = Cli::parse();
    let ui = Ui::new(cli.output.json, cli.output.quiet, cli.output.color);
    match run(cli, ui) {
        Ok(()) => Exit::Ok.into(),
        Err(failure) => {
            let exit = failure.exit();
            report(ui, failure);
            exit.into()
        }
    }
}

fn run(cli: Cli, ui: Ui) -> Result<()> {
    match cli.command {
        Command::Completions { shell } => completions(ui, shell),
        Command::ExitCodes => ui.print(exit::HELP),
        #[cfg(feature = "host")]
        Command::Up(args) => host::up::run(&args, &cli.server, cli.output, ui),
        #[cfg(feature = "host")]
        Command::Serve(args) => host::serve::run(&args, cli.output, ui),
        #[cfg(feature = "host")]
        Command::Rack(args) => host::rack::run(&args, &cli.server, cli.output, ui),
        #[cfg(feature = "host")]
        Command::Run(args) => host::run::run(&args, &cli.server, cli.output, ui),
        #[cfg(feature = "host")]
        Command::Session(args) => host::session::run(&args, &cli.server, cli.output, ui),
        #[cfg(feature = "host")]
        Command::Simulate(args) => commands::simulate::run(&args, &cli.server, ui),
        #[cfg(feature = "host")]
        Command::Analyse(args) => commands::analyse::run(&args, &cli.server, ui),
        #[cfg(feature = "host")]
        Command::ReplayCheck(args) => commands::replay_check::run(&args, ui),
        command => ask(&command, &cli.server, ui),
    }
}

/// The commands that ask a server.
fn ask(command: &Command, server: &credentials::ServerArgs, ui: Ui) -> Result<()> {
    if let Command::Plugin { command: Some(command) } = command
        && let Some(result) = command.run_alone(ui)
    {
        return result;
    }
    // A job that cannot be handed in anyway is told before a server is looked for.
    let request = match command {
        Command::Submit(args) => submit::request(args)?,
        _ => SubmitRequest::default(),
    };
    if matches!(command, Command::Submit(args) if args.is_dry()) {
        return submit::show(ui, &request);
    }
    let context = Context { client: Client::new(server)?, ui };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::new(Exit::Fault, "runtime", "cannot start").because(error))?;
    runtime.block_on(async {
        tokio::select! {
            result = dispatch(&context, command, &request) => result,
            _ = tokio::signal::ctrl_c() => Err(Failure::silent(Exit::Interrupted)),
        }
    })
}

async fn dispatch(context: &Context, command: &Command, request: &SubmitRequest) -> Result<()> {
    match command {
        Command::Submit(args) => submit::run(context, args, request).await,
        Command::Status { job } => status::run(context, *job).await,
        Command::Watch { job, timeout } => watch::follow(context, *job, timeout.map(Duration::from_secs), true).await,
        Command::Kill { jobs } => jobs::kill(context, jobs).await,
        Command::Why { job } => why::run(context, *job).await,
        Command::WhyNot { run, slot } => why_not::run(context, *run, slot).await,
        Command::Eta { job, samples } => eta::run(context, *job, *samples).await,
        Command::Jobs(args) => jobs::list(context, args).await,
        Command::Results(args) => results::run(context, args).await,
        Command::Runs { command } => pins::run(context, command.as_ref().unwrap_or(&pins::Command::Pins)).await,
        Command::Retention => retention::run(context).await,
        Command::Schedule { command } => {
            let own = schedule::Command::List { owner: None };
            schedule::run(context, command.as_ref().unwrap_or(&own)).await
        }
        Command::Files { command } => {
            let list = files::Command::default();
            files::run(context, command.as_ref().unwrap_or(&list)).await
        }
        Command::Server => server::run(context).await,
        Command::Racks { command } => racks::run(context, command.as_ref().unwrap_or(&racks::Command::List)).await,
        Command::Reserve(args) => reserve::reserve(context, args).await,
        Command::Reservations { command } => {
            reserve::run(context, command.as_ref().unwrap_or(&reserve::Command::List)).await
        }
        Command::Duts { command } => {
            let all = duts::Command::List { filters: Vec::new() };
            duts::run(context, command.as_ref().unwrap_or(&all)).await
        }
        Command::User { command } => users::run(context, command.as_ref().unwrap_or(&users::Command::List)).await,
        Command::Inventory { command } => inventory::run(context, command).await,
        Command::Plugin { command } => plugin::run(context, command.as_ref().unwrap_or(&plugin::Command::List)).await,
        Command::Completions { .. } | Command::ExitCodes => Ok(()),
        #[cfg(feature = "host")]
        Command::Up(_)
        | Command::Serve(_)
        | Command::Rack(_)
        | Command::Run(_)
        | Command::Session(_)
        | Command::Simulate(_)
        | Command::Analyse(_)
        | Command::ReplayCheck(_) => Ok(()),
    }
}

fn completions(ui: Ui, shell: clap_complete::Shell) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "headend", &mut script);
    ui.print(String::from_utf8_lossy(&script).trim_end())
}

/// What went wrong, once, for people or programs.
fn report(ui: Ui, failure: Failure) {
    if failure.is_quiet() {
        return;
    }
    if ui.json {
        eprintln!("{}", failure.as_json());
        return;
    }
    let color = ui.colors_stderr();
    // Set once, by nobody else; were it set already, the default would do.
    miette::set_hook(Box::new(move |_| Box::new(miette::MietteHandlerOpts::new().color(color).build()))).ok();
    eprintln!("{:?}", miette::Report::new(failure));
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_command_line_holds_together() {
        <super::Cli as clap::CommandFactory>::command().debug_assert();
    }
}
