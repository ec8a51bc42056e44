//! Which server, and with which token. Flags before environment before the credentials file that `headend up` writes.

use std::fs;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use clap::builder::{OsStringValueParser, TypedValueParser as _};
use etcetera::BaseStrategy;
use serde::{Deserialize, Serialize};

use crate::exit::Exit;
use crate::failure::{Failure, Result};

/// Where a server listens when nobody says otherwise.
pub(crate) const DEFAULT_SERVER: &str = "http://127.0.0.1:8001";

/// Options that say which server.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct ServerArgs {
    /// Address of the server.
    #[arg(long, global = true, env = "HEADEND_SERVER", value_name = "URL", help_heading = "Server")]
    pub(crate) server: Option<String>,
    /// Token of the user; better in the environment or the credentials file, where `ps` does not show it.
    #[arg(
        long,
        global = true,
        env = "HEADEND_TOKEN",
        value_name = "TOKEN",
        hide_env_values = true,
        help_heading = "Server"
    )]
    pub(crate) token: Option<String>,
    /// Credentials file, instead of the one in the user's config folder.
    #[arg(
        long,
        global = true,
        env = "HEADEND_CONFIG",
        value_name = "FILE",
        help_heading = "Server",
        // clap's own parser of paths refuses an empty variable.
        value_parser = OsStringValueParser::new().map(PathBuf::from)
    )]
    pub(crate) config: Option<PathBuf>,
}

impl ServerArgs {
    fn without_empties(&self) -> Self {
        let said = |text: &Option<String>| text.clone().filter(|text| !text.trim().is_empty());
        let config = self.config.clone().filter(|path| !path.as_os_str().is_empty());
        Self { server: said(&self.server), token: said(&self.token), config }
    }
}

/// A server and the right to use it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Credentials {
    /// Base address, `http://host:port`.
    pub(crate) server: String,
    /// Bearer token.
    pub(crate) token: String,
}

impl Credentials {
    /// From what was given, the file filling in the rest.
    ///
    /// An empty variable of the environment says as little as none.
    pub(crate) fn find(args: &ServerArgs) -> Result<Self> {
        let args = &args.without_empties();
        if let (Some(server), Some(token)) = (&args.server, &args.token) {
            return Ok(Self { server: base(server)?, token: token.clone() });
        }
        let path = match &args.config {
            Some(path) => path.clone(),
            None => default_path()?,
        };
        let file = Self::read(&path)?;
        if file.is_none() && args.config.is_some() {
            return Err(Failure::new(
                Exit::NotFound,
                "no_credentials",
                format!("there is no credentials file {}", path.display()),
            )
            .help("check --config and HEADEND_CONFIG"));
        }
        let (in_file, token_in_file) = file.map(|file| (file.server, file.token)).unzip();
        let server = args.server.clone().or_else(|| in_file.clone()).unwrap_or_else(|| DEFAULT_SERVER.to_owned());
        let server = base(&server)?;
        // The token of one server is not shown to another.
        let token_in_file = token_in_file.filter(|_| in_file.is_some_and(|of| base(&of).is_ok_and(|of| of == server)));
        let token = args.token.clone().or(token_in_file).ok_or_else(|| no_token(&server, &path))?;
        Ok(Self { server, token })
    }

    /// The file, if it is there. Others must not be able to read it.
    fn read(path: &Path) -> Result<Option<Self>> {
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Failure::file("read", path, error)),
        };
        check_mode(path)?;
        toml::from_str(&text).map(Some).map_err(|error| {
            Failure::new(Exit::Io, "bad_credentials", format!("cannot understand {}", path.display()))
                .because(error)
                .help("it has two lines: server = \"http://...\" and token = \"...\"")
        })
    }

    /// Writes the file, readable by its owner alone, whole or not at all.
    #[cfg_attr(not(feature = "host"), allow(dead_code, reason = "only a server has credentials to give"))]
    pub(crate) fn write(&self, path: &Path) -> Result<()> {
        let text = toml::to_string(self).map_err(|error| {
            Failure::new(Exit::Fault, "bad_credentials", "cannot write the credentials as TOML").because(error)
        })?;
        let failed = |error| Failure::file("write", path, error);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(failed)?;
        }
        let partial = path.with_extension(format!("{}.partial", std::process::id()));
        let written = create_private(&partial).and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            fs::rename(&partial, path)
        });
        written.map_err(|error| {
            fs::remove_file(&partial).ok();
            failed(error)
        })
    }
}

/// Keeps a copy of a credentials file of another server than `server`: its token is nowhere else. Answers with what it named and where the copy is.
#[cfg_attr(not(feature = "host"), allow(dead_code, reason = "only a server overwrites credentials"))]
pub(crate) fn set_aside(path: &Path, server: &str) -> Result<Option<(String, PathBuf)>> {
    // What cannot be understood may be somebody's, too.
    let named = match Credentials::read(path) {
        Ok(None) => return Ok(None),
        Ok(Some(known)) if known.server == server => return Ok(None),
        Ok(Some(known)) => known.server,
        Err(_not_ours) => "something else".to_owned(),
    };
    let mut aside = path.as_os_str().to_owned();
    aside.push(".before");
    let aside = PathBuf::from(aside);
    // As private as it was.
    fs::copy(path, &aside).map_err(|error| Failure::file("copy", path, error))?;
    Ok(Some((named, aside)))
}

fn no_token(server: &str, path: &Path) -> Failure {
    Failure::new(Exit::Refused, "no_token", format!("no token for {server}"))
        .help(format!("start `headend up`, which writes {}, or set HEADEND_TOKEN", path.display()))
}

/// `$XDG_CONFIG_HOME/headend/credentials.toml`.
pub(crate) fn default_path() -> Result<PathBuf> {
    Ok(folders()?.config_dir().join("headend/credentials.toml"))
}

/// `$XDG_STATE_HOME/headend`, or what the system has instead.
#[cfg_attr(not(feature = "host"), allow(dead_code, reason = "only a server keeps data"))]
pub(crate) fn default_data() -> Result<PathBuf> {
    // What systemd gives a service with `StateDirectory=`.
    if let Some(folder) = std::env::var_os("STATE_DIRECTORY").filter(|folder| !folder.is_empty()) {
        return Ok(folder.into());
    }
    let folders = folders()?;
    Ok(folders.state_dir().unwrap_or_else(|| folders.data_dir()).join("headend"))
}

fn folders() -> Result<impl BaseStrategy> {
    etcetera::choose_base_strategy().map_err(|error| {
        Failure::new(Exit::Io, "no_home", "cannot find the home folder")
            .because(error)
            .help("set HOME, or give --config")
    })
}

/// The address of a server, as it is kept: `host:port` and `http://host:port/` are the same server.
pub(crate) fn base(text: &str) -> Result<String> {
    let text = text.trim();
    let with_scheme = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
    let url = reqwest::Url::parse(&with_scheme).ok().filter(reqwest::Url::has_host);
    match url.as_ref().map(reqwest::Url::scheme) {
        Some("http") => Ok(with_scheme.trim_end_matches('/').to_owned()),
        Some("https") => Err(Failure::usage(format!("this build has no TLS, so it cannot reach {text}"))
            .help("use http:// on a network you trust, or through a tunnel such as `ssh -L`")),
        _ => {
            Err(Failure::usage(format!("{text:?} is not the address of a server")).help("give it as http://host:8001"))
        }
    }
}

#[cfg(unix)]
fn check_mode(path: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let mode = fs::metadata(path).map_err(|error| Failure::file("read", path, error))?.permissions().mode() & 0o777;
    let others = mode & 0o077;
    if others == 0 {
        return Ok(());
    }
    Err(Failure::new(
        Exit::Refused,
        "open_credentials",
        format!("others can read {} (mode {mode:03o})", path.display()),
    )
    .help(format!("chmod 600 {}", path.display())))
}

#[cfg(not(unix))]
fn check_mode(_: &Path) -> Result<()> {
    Ok(())
}

fn create_private(path: &Path) -> std::io::Result<fs::File> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_file(folder: &Path) -> ServerArgs {
        let path = folder.join("headend/credentials.toml");
        Credentials { server: "http://127.0.0.1:8001".to_owned(), token: "t1".to_owned() }.write(&path).unwrap();
        ServerArgs { config: Some(path), ..ServerArgs::default() }
    }

    #[test]
    fn credentials_of_another_server_are_kept_and_those_of_the_same_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = with_file(folder.path()).config.unwrap();
        assert_eq!(set_aside(&path, "http://127.0.0.1:8001").unwrap(), None);
        let (named, aside) = set_aside(&path, "http://127.0.0.1:9000").unwrap().unwrap();
        assert_eq!((named.as_str(), aside.ends_with("credentials.toml.before")), ("http://127.0.0.1:8001", true));
        let args = ServerArgs { config: Some(aside), ..ServerArgs::default() };
        assert_eq!(Credentials::find(&args).unwrap().token, "t1", "private, as it has to be");
        fs::write(&path, "no credentials").unwrap();
        assert!(set_aside(&path, "http://127.0.0.1:8001").unwrap().is_some(), "whatever it is, it is kept");
        assert_eq!(set_aside(&folder.path().join("none"), "http://127.0.0.1:8001").unwrap(), None);
    }

    #[test]
    fn flags_come_before_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let args = with_file(folder.path());
        let found = Credentials::find(&args).unwrap();
        assert_eq!((found.server.as_str(), found.token.as_str()), ("http://127.0.0.1:8001", "t1"));
        let found = Credentials::find(&ServerArgs { token: Some("t2".to_owned()), ..args }).unwrap();
        assert_eq!(found.token, "t2");
    }

    #[test]
    fn the_token_of_one_server_is_not_shown_to_another() {
        let folder = tempfile::tempdir().unwrap();
        let args = ServerArgs { server: Some("elsewhere:8001".to_owned()), ..with_file(folder.path()) };
        assert_eq!(Credentials::find(&args).err().unwrap().name(), "no_token");
        let args = ServerArgs { server: Some("127.0.0.1:8001/".to_owned()), ..args };
        assert_eq!(Credentials::find(&args).unwrap().token, "t1");
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_others_can_read_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let args = with_file(folder.path());
        let path = args.config.clone().unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let failure = Credentials::find(&args).err().unwrap();
        assert_eq!((failure.name(), failure.exit()), ("open_credentials", Exit::Refused));
    }

    #[test]
    fn addresses_that_cannot_work_are_refused() {
        for bad in ["", "https://lab", "ftp://lab", "http://"] {
            assert!(base(bad).is_err(), "{bad:?} was taken");
        }
    }
}
