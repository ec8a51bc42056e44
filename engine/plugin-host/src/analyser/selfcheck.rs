//! The last look before an analyser is let in: a few drawn frames, and lines for those that read, twice, and the verdicts must be alike.

use super::drawn::{card, noise, plain, stream};
use super::host::Version;
use super::serial::{Line, News};
use super::{AnalyserFault, AnalyserInstance, Frame, Verdict};
use crate::analyser::media::Colour;

/// Tries the version. `Err` says what it did.
pub(super) fn self_check(version: &Version) -> Result<(), String> {
    let frames = frames();
    match run(version, &frames) {
        // It wants parameters or references: nothing can be said of its verdicts.
        Err(AnalyserFault::Declined { .. }) => Ok(()),
        Err(fault) => Err(fault.to_string()),
        Ok(first) => match run(version, &frames) {
            Ok(second) if first == second => Ok(()),
            Ok(_) => {
                Err("two instances gave different verdicts on the same stream; an analyser must be a function of its stream".into())
            }
            Err(fault) => Err(fault.to_string()),
        },
    }
}

fn frames() -> Vec<Frame> {
    let black = plain(64, 36, Colour::default());
    let white = plain(64, 36, Colour::new(255, 255, 255));
    stream([black.clone(), black, white, card(64, 36, 0), card(64, 36, 3), noise(64, 36, 1), noise(1, 1, 2)])
}

fn run(version: &Version, frames: &[Frame]) -> Result<Vec<Option<Verdict>>, AnalyserFault> {
    let news = if version.senses().serial { news() } else { Vec::new() };
    let mut instance = version.build(&[], "")?;
    verdicts(&mut *instance, frames, &news)
}

/// Nothing, lines of a device that starts, nothing again.
fn news() -> Vec<News> {
    let line = |(at_us, text): (i64, &str)| Line { at_us, text: text.to_owned() };
    let lines = [(40_000, "boot: ok"), (50_000, ""), (60_000, "\u{1b}[1mlogin:\u{0} ä")].map(line);
    [News::of([], 0, 0), News::of(lines, 0, 80_000), News::of([], 2, 120_000)].concat()
}

fn verdicts(
    instance: &mut dyn AnalyserInstance,
    frames: &[Frame],
    news: &[News],
) -> Result<Vec<Option<Verdict>>, AnalyserFault> {
    let mut said = frames.iter().map(|frame| instance.feed(frame)).collect::<Result<Vec<_>, _>>()?;
    for news in news {
        said.push(instance.read(news)?);
    }
    said.push(instance.finish()?);
    Ok(said)
}
