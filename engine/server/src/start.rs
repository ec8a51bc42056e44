//! Starting: the order in which the parts come up. They go down in [`crate::handle`].

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use headend_files::{BlobOptions, BlobStore};
use headend_plugin_host::lifecycle::FolderChange;
use headend_scheduler::Event;
use headend_store::{Store, StoreError, TokenRow};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::app::{App, Counters};
use crate::auth::tokens::{Secret, Tokens, admin_name};
use crate::clock::Clock;
use crate::events::Bus;
use crate::farm_loop::{self, FarmHandle, LoopParts, Recorder, Tell};
use crate::files::Areas;
use crate::handle::{ServeError, ServerHandle, Stops, Tasks};
use crate::http::guard::AllowedHosts;
use crate::http::listener;
use crate::options::{AuthMode, OccurrencesKept, ServeOptions};
use crate::policies::PolicyDesk;
use crate::policies::devices::Devices;
use crate::policies::hosted::{HostMaker, start_host};
use crate::policies::plugins::Plugins;
use crate::policies::trials;
use crate::racks::Board;
use crate::relays::Relays;
use crate::routes;
use crate::run_files::RunFiles;
use crate::schedules::past;
use crate::schedules::zones::{self, ServerZone};

/// File in the data folder with the administrator's token.
const ADMIN_TOKEN_FILE: &str = "admin-token";
/// How long the data folder may still be in use before the start is given up.
const FORMER_LIFE: Duration = Duration::from_secs(1);
/// How often blobs that nothing refers to are removed, and when for the first time.
const SWEEP_EVERY: Duration = Duration::from_hours(6);
const FIRST_SWEEP: Duration = Duration::from_mins(10);
/// Answers of policies that may wait for the loop.
const POLICY_ANSWERS: usize = 4_096;
/// Answers taken to the loop in one go.
const POLICY_BATCH: usize = 256;

/// A server.
pub struct Server;

impl Server {
    /// Opens the data folder, goes on where the last life ended, and listens.
    ///
    /// # Errors
    /// [`ServeError`], with nothing left running.
    pub async fn start(options: ServeOptions) -> Result<ServerHandle, ServeError> {
        if options.auth == AuthMode::Open && !options.listen.ip().is_loopback() {
            return Err(ServeError::OpenNotLoopback { listen: options.listen });
        }
        let zone = ServerZone::find(options.time_zone.as_deref())?;
        private_folder(&options.data)?;
        private_folder(&options.run_folder())?;
        let store = open_store(&options).await?;
        match bring_up(options, zone, store.clone()).await {
            Ok(handle) => Ok(handle),
            Err(error) => {
                store.close().await;
                Err(error)
            }
        }
    }
}

/// A former server that was killed a moment ago may still have the folder: it is given the time to be gone.
async fn open_store(options: &ServeOptions) -> Result<Store, StoreError> {
    let until = tokio::time::Instant::now() + FORMER_LIFE;
    loop {
        match Store::open_with(&options.data, options.store.clone()).await {
            Err(StoreError::InUse { .. }) if tokio::time::Instant::now() < until => {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            opened => return opened,
        }
    }
}

async fn bring_up(options: ServeOptions, zone: ServerZone, store: Store) -> Result<ServerHandle, ServeError> {
    let blob_options = BlobOptions { durable: true, limit: options.limits.blob_bytes };
    let blobs = BlobStore::open(options.data.join("blobs"), blob_options)?;
    let areas = Areas::open(store.clone(), blobs, options.quotas)
        .await
        .map_err(|error| ServeError::Refused(error.to_string()))?;
    let run_folder = options.run_folder();
    let run_files =
        RunFiles::open(run_folder.clone()).map_err(|source| ServeError::Folder { path: run_folder, source })?;
    let recovered = farm_loop::recover(&store, &options.farm).await?;
    past::fill(&store, &recovered.farm).await?;
    let clock = Clock::starting_at_or_after(recovered.at.max(recovered.farm.now()));
    let granted = store.plugin_grants().await?;
    let host = start_host(&options, &granted).map_err(ServeError::Plugins)?;
    let (answers, answered) = mpsc::channel(POLICY_ANSWERS);
    let desk = PolicyDesk::start(
        Arc::new(HostMaker { host: host.clone(), devices: Devices::new(store.clone()) }),
        clock,
        answers,
    )
    .map_err(|source| ServeError::Plugins(source.to_string()))?;
    let tell = Arc::new(Tell { bus: Bus::after(store.last_feed().await?), board: Board::default(), policies: desk });
    let tokens = Tokens::load(store.clone()).await?;
    let admin_token = admin_token(&options.data, &tokens).await?;
    let listener = listen(options.listen).await?;
    let address = listener.local_addr().map_err(|source| ServeError::Listen { listen: options.listen, source })?;

    let changed_zones = zones::changed(&recovered.farm);
    let canaries = trials::left_in(&recovered.farm);
    let restored = if options.restored { Some(store.raise_generation().await?) } else { None };
    // The farm takes 0 for a store that does not count.
    let generation = store.meta().await?.generation + 1;
    let stop = Stops::default();
    let (farm, commands) = FarmHandle::new();
    let parts = LoopParts {
        store: store.clone(),
        recovered,
        config: options.farm.clone(),
        clock,
        commands,
        recorder: Recorder::new(areas.clone()),
        tell: tell.clone(),
        snapshot_every: options.snapshot_every,
        stop: stop.farm.clone(),
    };
    let plugins = Arc::new(Plugins::new(host, &options, granted, store.clone(), farm.clone(), tell.clone(), clock));
    // Compiling may take a while: the farm's time goes on only after it.
    let found = plugins.find().await.map_err(|error| ServeError::Plugins(error.to_string()))?;
    let lost_trials = plugins.resume_trials(canaries).await;
    let lost_trials = lost_trials.map_err(|error| ServeError::Plugins(error.to_string()))?;
    let mut tasks = Tasks::default();
    tasks.farm.spawn(farm_loop::run(parts));
    let started = Event::ServerStarted { config: headend_scheduler::FarmConfig { generation, ..options.farm.clone() } };
    let started = std::iter::once(started).chain(changed_zones).chain(lost_trials).collect();
    plugins.announce(started, found).await.map_err(|error| ServeError::Refused(error.to_string()))?;
    let (watch, changes) = plugins.watch().map_err(ServeError::Plugins)?;
    tasks.watch = Some(watch);
    tasks.helpers.spawn(take_answers(answered, farm.clone(), stop.farm.clone()));
    tasks.helpers.spawn(plugins.clone().keep_shadows(stop.farm.clone()));
    tasks.helpers.spawn(follow_plugins(changes, plugins.clone(), stop.farm.clone()));
    tasks.helpers.spawn(sweep_now_and_then(areas.clone(), options.occurrences_kept, stop.accept.clone()));
    let allowed_hosts = AllowedHosts::new(address, &options.allow_hosts);
    let limits = options.limits;
    let app = Arc::new(App {
        options,
        farm,
        store,
        areas,
        run_files,
        results: crate::results::Results::default(),
        tokens,
        tell,
        plugins,
        allowed_hosts,
        clock,
        zone,
        lab: tokio::sync::Mutex::default(),
        scheduled_tests: tokio::sync::Mutex::default(),
        started: clock.now(),
        stop: stop.accept.clone(),
        counters: Counters::default(),
        relays: Relays::default(),
    });
    tasks.helpers.spawn(crate::results::task::run(app.clone(), stop.accept.clone()));
    let serving = listener::serve(listener, routes::router(app.clone()), limits, stop.accept.clone());
    tasks.listener.spawn(serving);
    tracing::info!(%address, "listening");
    Ok(ServerHandle { address, admin_token, restored, app, stop, tasks })
}

fn private_folder(path: &Path) -> Result<(), ServeError> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).map_err(|source| ServeError::Folder { path: path.into(), source })
}

async fn listen(listen: SocketAddr) -> Result<TcpListener, ServeError> {
    TcpListener::bind(listen).await.map_err(|source| ServeError::Listen { listen, source })
}

/// The administrator's token: made at the first start, kept in a file that only this user can read.
async fn admin_token(data: &Path, tokens: &Tokens) -> Result<Secret, ServeError> {
    let path = data.join(ADMIN_TOKEN_FILE);
    let fail = |source| ServeError::Folder { path: path.clone(), source };
    if let Ok(text) = tokio::fs::read_to_string(&path).await {
        let token = Secret::from_text(&text);
        if tokens.principal(&token, crate::clock::wall_now()).is_some() {
            return Ok(token);
        }
    }
    let token = Secret::new("admin").map_err(fail)?;
    let user = admin_name().map_err(|error| ServeError::Refused(error.to_string()))?;
    let row = TokenRow {
        hash: token.hash(),
        user,
        role: "admin".to_owned(),
        expires: None,
        label: "made at the first start".to_owned(),
        created: crate::clock::wall_now(),
        act_as: true,
    };
    tokens.add(row).await?;
    write_private(&path, token.reveal()).map_err(fail)?;
    Ok(token)
}

fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    use std::io::Write as _;
    let temporary = path.with_extension("new");
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&temporary)?;
    writeln!(file, "{text}")?;
    file.sync_all()?;
    std::fs::rename(&temporary, path)
}

/// Takes what policies answer to the farm.
async fn take_answers(mut answers: mpsc::Receiver<Event>, farm: FarmHandle, stop: CancellationToken) {
    let mut batch = Vec::with_capacity(POLICY_BATCH);
    loop {
        tokio::select! {
            count = answers.recv_many(&mut batch, POLICY_BATCH) => if count == 0 { return },
            () = stop.cancelled() => return,
        }
        // An answer that the journal does not take is as good as none: the farm's deadline passes the policy over.
        if let Err(error) = farm.apply(std::mem::take(&mut batch), |_, _| ()).await {
            tracing::warn!(%error, "answers of policies were lost");
        }
    }
}

/// Removes what nobody needs any more: uploads that nobody goes on with, blobs that nothing refers to, old records of
/// occurrences.
async fn sweep_now_and_then(areas: Arc<Areas>, kept: OccurrencesKept, stop: CancellationToken) {
    // Not at once: a server that has just started has better things to do.
    let mut pause = FIRST_SWEEP;
    loop {
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = stop.cancelled() => return,
        }
        pause = SWEEP_EVERY;
        match areas.sweep_parts().await {
            Ok(0) => {}
            Ok(dropped) => tracing::info!(dropped, "dropped uploads that nobody went on with"),
            Err(error) => tracing::warn!(%error, "unfinished uploads were not swept"),
        }
        match areas.sweep().await {
            Ok(swept) => tracing::info!(removed = swept.removed, bytes = swept.bytes, kept = swept.kept, "swept blobs"),
            Err(error) => tracing::warn!(%error, "blobs were not swept"),
        }
        match past::forget(areas.store(), kept, crate::clock::wall_now()).await {
            Ok(0) => {}
            Ok(forgotten) => tracing::info!(forgotten, "forgot old occurrences of schedules"),
            Err(error) => tracing::warn!(%error, "old occurrences of schedules were not forgotten"),
        }
    }
}

async fn follow_plugins(mut changes: mpsc::Receiver<FolderChange>, plugins: Arc<Plugins>, stop: CancellationToken) {
    loop {
        tokio::select! {
            change = changes.recv() => match change {
                Some(change) => plugins.on_change(change).await,
                None => return,
            },
            () = stop.cancelled() => return,
        }
    }
}
