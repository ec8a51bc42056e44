//! Analysers that were installed here, as racks ask for them.

use headend_model::PolicyName;
use headend_plugin_host::lifecycle::ServedAnalyser;
use headend_wire::plugins::{AnalyserAnswer, AnalyserPackage};

use super::deeds::blocking;
use super::install::refused;
use super::plugins::Plugins;
use crate::http::ApiResult;

impl Plugins {
    /// The analyser in force under a name, without its files if the asker has that content. `None`: there is none.
    ///
    /// # Errors
    /// `conflict` when it is disabled; `bad_plugin` when what is kept of it is not as it was.
    pub(crate) async fn analyser(&self, name: PolicyName, have: Option<String>) -> ApiResult<Option<AnalyserAnswer>> {
        let (host, wanted) = (self.host.clone(), name.clone());
        let found = blocking(move || host.analyser(&wanted, have.as_deref())).await?;
        Ok(found.map_err(|error| refused(&error))?.map(|served| answer(&name, &served)))
    }
}

fn answer(name: &PolicyName, served: &ServedAnalyser) -> AnalyserAnswer {
    let package = || AnalyserPackage::new(served.manifest.clone(), served.file.clone(), &served.code);
    AnalyserAnswer {
        name: name.to_string(),
        version: served.version.clone(),
        hash: served.hash.clone(),
        set: served.set.clone(),
        capabilities: served.capabilities.clone(),
        package: (!served.manifest.is_empty()).then(package),
    }
}
