//! DUTs and where they are.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::jobs::SlotRef;

/// `GET /duts`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DutList {
    /// The DUTs.
    pub duts: Vec<DutItem>,
}

/// A DUT and where it is. The fields are those of `findStb` (document 4.5).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
#[allow(missing_docs, reason = "the names are the document's own")]
pub struct DutItem {
    pub dut: u64,
    pub name: String,
    pub description: String,
    pub serial_number: String,
    pub model_name: String,
    pub model_description: String,
    pub manufacturer: String,
    pub manufacturer_model: String,
    pub hardware_version: String,
    pub type_name: String,
    pub type_description: String,
    pub broadcaster: String,
    pub ir_name: String,
    pub ir_description: String,
    pub smartcard_number: String,
    pub smartcard_param_name: String,
    pub smartcard_param_value: String,
    /// Where it is; `None`: on the shelf.
    pub place: Option<SlotRef>,
    /// Id of the model whose texts these are; in answers only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model_id: Option<u64>,
    /// When its infrared set was made known; in answers only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ir_created: Option<String>,
}

/// `PUT /duts/{dut}/place` takes this.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PlaceRequest {
    /// The slot, or `None` for the shelf.
    pub place: Option<SlotRef>,
}
