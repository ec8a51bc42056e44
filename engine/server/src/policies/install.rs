//! Plugins that are sent: kept from others while they come in, tried, and let in.

use std::io;
use std::os::unix::fs::DirBuilderExt;

use axum::body::Body;
use headend_model::UserName;
use headend_plugin_host::LoadError;
use headend_plugin_host::excerpt::without_place;
use headend_plugin_host::lifecycle::{MAX_UPLOAD, Tried, Upload};
use headend_plugin_host::trust::SignatureInfo;
use headend_wire::api::PluginItem;
use headend_wire::codes;
use headend_wire::plugins::{SignatureItem, StepItem, VerifyAnswer};
use serde_json::{Value, json};

use super::deeds::blocking;
use super::plugins::{Plugins, Word};
use crate::http::json::next_piece;
use crate::http::problem::Chain;
use crate::http::{ApiError, ApiResult};

/// What came with an upload.
pub(crate) struct Sent {
    pub(crate) upload: Upload,
    /// Parameters to set at once.
    pub(crate) set: Option<Value>,
    /// What is in force stays so.
    pub(crate) beside: bool,
}

impl Plugins {
    /// Takes in a body, on disk in a folder that nobody else can look into, and never more than a plugin may have.
    ///
    /// # Errors
    /// `too_large`, `too_slow`, or `internal` when the disk does not take it.
    pub(crate) async fn receive(&self, mut body: Body, pause: std::time::Duration) -> ApiResult<Vec<u8>> {
        let fail = |error: io::Error| ApiError::internal("the upload could not be kept", &error);
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.uploads).map_err(fail)?;
        // Mode 0600, and gone with its handle whatever happens.
        let file = tempfile::tempfile_in(&self.uploads).map_err(fail)?;
        let mut file = tokio::fs::File::from_std(file);
        let mut length = 0;
        while let Some(piece) = next_piece(&mut body, pause).await? {
            length += piece.len() as u64;
            if length > MAX_UPLOAD {
                let detail = format!("a plugin has at most {} MiB", MAX_UPLOAD >> 20);
                return Err(ApiError::new(&codes::TOO_LARGE, detail));
            }
            tokio::io::AsyncWriteExt::write_all(&mut file, &piece).await.map_err(fail)?;
        }
        let mut bytes = Vec::with_capacity(length as usize);
        tokio::io::AsyncSeekExt::rewind(&mut file).await.map_err(fail)?;
        tokio::io::AsyncReadExt::read_to_end(&mut file, &mut bytes).await.map_err(fail)?;
        Ok(bytes)
    }

    /// Tries a plugin without letting it in.
    ///
    /// # Errors
    /// When the host fails; a plugin that fails is an answer.
    pub(crate) async fn verify(&self, sent: Sent) -> ApiResult<VerifyAnswer> {
        let _turn = self.turn().await?;
        let host = self.host.clone();
        let tried = blocking(move || host.try_out(sent.upload, sent.set)).await?;
        Ok(verdict(&tried))
    }

    /// Lets a plugin in, or another version of it.
    ///
    /// # Errors
    /// The step that failed, and nothing has changed.
    pub(crate) async fn install(&self, sent: Sent, by: &UserName) -> ApiResult<PluginItem> {
        let _turn = self.turn().await?;
        let (host, file) = (self.host.clone(), sent.upload.file.clone());
        let beside = sent.beside;
        let install =
            move || if beside { host.install_beside(sent.upload) } else { host.install(sent.upload, sent.set) };
        let result = blocking(install).await?;
        match result {
            Ok(info) if beside => {
                let change = "installed_beside";
                let info = self.note_changed(&info, Word::Nobody, change, by).await?;
                Ok(self.item(&info))
            }
            Ok(info) => {
                let info = self.note_changed(&info, Word::Person, "installed", by).await?;
                Ok(self.item(&info))
            }
            Err(error) => {
                self.tell_refused(&file, &error, by).await?;
                Err(refused(&error))
            }
        }
    }

    /// Refusals are told too: somebody tried to bring something.
    async fn tell_refused(&self, file: &str, error: &LoadError, by: &UserName) -> ApiResult<()> {
        let shown = crate::edge::names::cut(file);
        let reason = Chain(error).to_string();
        let text = format!("{shown} was not installed: {}", without_place(&reason));
        let data = json!({ "state": "refused", "change": "refused", "step": error.step().as_str(), "by": by.as_str() });
        self.publish(text, data, Vec::new()).await
    }

    /// Compiling is dear: few at once, and the others wait.
    pub(super) async fn turn(&self) -> ApiResult<tokio::sync::SemaphorePermit<'_>> {
        self.busy.acquire().await.map_err(|_| ApiError::new(&codes::UNAVAILABLE, "the server is going down"))
    }
}

/// What a client is told of a step that failed.
pub(super) fn refused(error: &LoadError) -> ApiError {
    let code = match error {
        LoadError::Capability { .. } => &codes::NOT_GRANTED,
        LoadError::Signature { .. } => &codes::NOT_VOUCHED,
        LoadError::Parameters { .. } => &codes::BAD_PARAMETERS,
        LoadError::NotLoaded(_) => &codes::UNKNOWN_PLUGIN,
        LoadError::NoSuchVersion { .. } => &codes::NOT_FOUND,
        LoadError::Disabled(_) => &codes::CONFLICT,
        LoadError::NoPolicy { .. } => &codes::INVALID,
        _ => &codes::BAD_PLUGIN,
    };
    let told = ApiError::new(code, Chain(error).to_string());
    match error {
        LoadError::Parameters { source, .. } => told.at(source.pointer.clone()),
        _ => told,
    }
}

fn verdict(tried: &Tried) -> VerifyAnswer {
    let reason = tried.error.as_ref().map(|error| Chain(error).to_string());
    let step = |(step, how): (headend_plugin_host::lifecycle::Step, &str)| StepItem {
        step: step.as_str().to_owned(),
        how: how.to_owned(),
        reason: reason.clone().filter(|_| how == "failed"),
    };
    let name = |info: &headend_plugin_host::policy::PluginInfo| {
        format!("{} {} ({})", info.name, info.version, info.hash.get(..12).unwrap_or_default())
    };
    VerifyAnswer {
        ok: tried.error.is_none(),
        plugin: tried.info.as_deref().map(name),
        steps: tried.steps().map(step).collect(),
        signature: tried.info.as_deref().filter(|_| tried.error.is_none()).map(|info| signature(&info.signature)),
    }
}

pub(super) fn signature(info: &SignatureInfo) -> SignatureItem {
    let none = SignatureItem { state: "not_checked".to_owned(), key: None, name: None, comment: None, reason: None };
    match info {
        SignatureInfo::NotChecked => none,
        SignatureInfo::Good(signer) => SignatureItem {
            state: "good".to_owned(),
            key: Some(signer.key.clone()),
            name: Some(signer.name.clone()),
            comment: Some(signer.comment.clone()),
            reason: None,
        },
        SignatureInfo::Doubtful(fault) => {
            SignatureItem { state: "doubtful".to_owned(), reason: Some(fault.to_string()), ..none }
        }
    }
}
