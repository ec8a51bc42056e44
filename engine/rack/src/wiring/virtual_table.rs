//! `virtual = { … }`: a virtual box by the keys of a rack file.

use headend_stb::{Chances, Options as BoxOptions, Size};
use serde::Deserialize;

use crate::options::VirtualOptions;

/// What may stand there; what does not is as in a rack without a file.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct VirtualTable {
    seed: Option<u64>,
    lineup: Option<u64>,
    picture: Option<Size>,
    boot_ms: Option<u32>,
    wake_ms: Option<u32>,
    zap_ms: Option<u32>,
    chances: Odds,
    virtual_time: bool,
}

/// As on the command line: `lose-key 0.01, crash 0.0001`.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(try_from = "String")]
struct Odds(Chances);

impl TryFrom<String> for Odds {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Chances::parse(&text).map(Self).map_err(|error| error.to_string())
    }
}

impl VirtualTable {
    pub(super) fn options(self, no: u16, dut: Option<&str>) -> VirtualOptions {
        let plain = VirtualOptions::numbered(no);
        let stb = BoxOptions {
            seed: self.seed.unwrap_or(plain.stb.seed),
            lineup: self.lineup.unwrap_or(plain.stb.lineup),
            picture: self.picture.unwrap_or(plain.stb.picture),
            boot_ms: self.boot_ms.unwrap_or(plain.stb.boot_ms),
            wake_ms: self.wake_ms.unwrap_or(plain.stb.wake_ms),
            zap_ms: self.zap_ms.unwrap_or(plain.stb.zap_ms),
            chances: self.chances.0,
        };
        VirtualOptions { name: dut.map_or(plain.name, str::to_owned), virtual_time: self.virtual_time, stb }
    }
}
