//! Racks and their slots.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// `GET /racks`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RackList {
    /// The racks.
    pub racks: Vec<RackItem>,
}

/// A rack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RackItem {
    /// Its name.
    pub rack: String,
    /// Its daemon was heard of lately.
    pub online: bool,
    /// Takes no new runs.
    pub draining: bool,
    /// Last word from it.
    pub last_seen: Option<String>,
    /// CPU use, percent.
    pub cpu_percent: u8,
    /// The CPU gate is closed; for people.
    pub gate: Option<String>,
    /// Its slots.
    pub slots: Vec<SlotItem>,
}

/// A slot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SlotItem {
    /// Number in the rack.
    pub slot: u16,
    /// The DUT in it.
    pub dut: Option<u64>,
    /// Its name.
    pub dut_name: Option<String>,
    /// `free`, `leased`, `held`, `offered`, `cooling`, `quarantined`, `out` (its rack cannot drive the device: `detail` says why).
    pub state: String,
    /// For people: by which job and run, until when.
    pub detail: String,
    /// Epoch of its last lease.
    pub epoch: u64,
}

/// `POST /racks/tokens` (administrators): a one-use token for `headend rack`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EnrolToken {
    /// The token; shown once.
    pub token: String,
    /// When it becomes void.
    pub expires: String,
}

/// `POST /racks/{rack}/drain` (administrators).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DrainRequest {
    /// `true`: no new runs on this rack; `false`: again.
    pub on: bool,
}
