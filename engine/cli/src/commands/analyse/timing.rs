//! How long an analyser takes for a frame: loaded as on a rack, frames decoded before.

use std::time::Instant;

use headend_model::PolicyName;
use headend_plugin_host::AnalyserHost;

use super::stream::{Stream, frames};
use super::{Args, fault, instance};
use crate::failure::Result;

/// The quickest call of each frame, in microseconds: what else the machine does is left out. Every time the stream begins anew, with an instance of its own.
pub(super) fn measure(
    args: &Args,
    stream: &Stream,
    host: &AnalyserHost,
    name: &PolicyName,
    times: u32,
) -> Result<Vec<f64>> {
    let mut taken = vec![Vec::new(); stream.files.len()];
    for _ in 0..times {
        let mut instance = instance(args, host, name)?;
        for (frame, taken) in frames(&stream.files, stream.fps).zip(&mut taken) {
            let frame = frame?;
            let before = Instant::now();
            instance.feed(&frame).map_err(fault)?;
            taken.push(before.elapsed().as_secs_f64() * 1e6);
        }
    }
    Ok(taken.into_iter().map(|times: Vec<f64>| times.into_iter().fold(f64::MAX, f64::min)).collect())
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied().unwrap_or_default()
}

pub(super) fn people(times: &[f64]) -> String {
    let longest = times.iter().copied().fold(0.0, f64::max);
    format!("a frame takes {:.3} ms, the longest one {:.3} ms", median(times.to_vec()) / 1e3, longest / 1e3)
}

#[cfg(test)]
mod tests {
    #[test]
    fn one_slow_call_is_not_the_rule() {
        assert!((super::median(vec![5.0, 900.0, 4.0]) - 5.0).abs() < 1e-9);
        assert!(super::people(&[1_000.0, 9_000.0, 2_000.0]).contains("2.000 ms, the longest one 9.000 ms"));
    }
}
