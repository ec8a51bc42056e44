//! A capture, looked at again.

use headend_plugin_host::AnalyserFault;
use headend_plugin_host::analyser::{Frame, Reference, Verdict, stored};
use serde_json::Value;

use super::recorded::{self, Asked};
use super::{Candidate, Context};
use crate::exit::Exit;
use crate::failure::Result;

/// What came of it.
pub(super) enum Judged {
    Verdict(Verdict),
    /// It says nothing of a single picture.
    NeedsStream,
    /// What it was compared with is not on the server.
    NoReference,
    /// The capture cannot be read, or the analyser failed on it.
    Trouble(String),
}

/// The analyser, ready to be asked.
pub(super) struct Judge<'a> {
    context: &'a Context,
    candidate: Candidate<'a>,
}

impl<'a> Judge<'a> {
    pub(super) const fn new(context: &'a Context, candidate: Candidate<'a>) -> Self {
        Self { context, candidate }
    }

    /// Asks as was asked then, of the same picture.
    pub(super) async fn again(&self, run: u64, path: &str, asked: &Asked) -> Result<Judged> {
        let references = match self.references(run, asked).await? {
            Ok(references) => references,
            Err(judged) => return Ok(judged),
        };
        let stored = match self.picture(run, path).await? {
            Ok(stored) => stored,
            Err(what) => return Ok(Judged::Trouble(what)),
        };
        Ok(match self.verdict(asked, &references, stored.picture) {
            Ok(Some(verdict)) => Judged::Verdict(verdict),
            Ok(None) => Judged::NeedsStream,
            Err(fault) => Judged::Trouble(fault.to_string()),
        })
    }

    /// An instance for each picture: nothing is remembered from one to the next.
    fn verdict(
        &self,
        asked: &Asked,
        references: &[Reference],
        picture: headend_plugin_host::analyser::media::Picture,
    ) -> std::result::Result<Option<Verdict>, AnalyserFault> {
        let Candidate { host, info, parameters, .. } = &self.candidate;
        let mut all = asked.parameters.clone();
        all.extend(parameters.clone());
        let mut instance = host.instance(&info.name, references, &Value::Object(all).to_string())?;
        instance.feed(&Frame { number: 0, at_us: asked.at_us, picture })
    }

    /// Those that the command line gives, and of the others those that were recorded.
    async fn references(&self, run: u64, asked: &Asked) -> Result<std::result::Result<Vec<Reference>, Judged>> {
        let mut all = self.candidate.references.clone();
        for name in &asked.references {
            if all.iter().any(|reference| reference.name == *name) {
                continue;
            }
            let Some(file) = asked.reference_files.iter().find(|file| file.name == *name) else {
                return Ok(Err(Judged::NoReference));
            };
            match self.picture(run, &file.path).await? {
                Ok(stored::Stored { picture, mask }) => all.push(Reference { name: name.clone(), picture, mask }),
                Err(_) => return Ok(Err(Judged::NoReference)),
            }
        }
        Ok(Ok(all))
    }

    /// The inner error is a sentence.
    async fn picture(&self, run: u64, path: &str) -> Result<std::result::Result<stored::Stored, String>> {
        match self.context.client.bytes(&recorded::address(run, path)).await {
            Ok(bytes) => Ok(stored::decode(&bytes)),
            Err(failure) if failure.exit() == Exit::NotFound => Ok(Err("it is not on the server any more".to_owned())),
            Err(failure) => Err(failure),
        }
    }
}
