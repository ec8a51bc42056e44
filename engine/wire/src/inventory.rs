//! The lab's devices in one document: what `GET /inventory` gives, `POST /inventory` takes, and a TOML file holds.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Devices and what they share. Written back unchanged it changes nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct InventoryDoc {
    /// Models, by `name`; also `description`, `manufacturer`, `manufacturer_model`, `hardware_version`, `type_name`,
    /// `type_description`, `broadcaster`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub model: Vec<CatalogueItem>,
    /// Infrared sets, by `name`; also `description`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ir_set: Vec<CatalogueItem>,
    /// Smartcards, by `number`; also `param_name`, `param_value`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub smartcard: Vec<CatalogueItem>,
    /// DUTs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub dut: Vec<DutEntry>,
    /// What is to go. Removals come last.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub remove: Vec<Removal>,
}

/// A model, an infrared set or a smartcard. Texts that are left out stay as they are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CatalogueItem {
    /// Given by the server; in answers only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<u64>,
    /// Its texts by name.
    #[serde(flatten)]
    pub texts: BTreeMap<String, String>,
}

/// A DUT. It is found by its id, else by its name, else it is new. What is left out stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DutEntry {
    /// Its id. An id that the server does not know makes a DUT with this id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dut: Option<u64>,
    /// Name of its model; empty for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Name of its infrared set; empty for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ir_set: Option<String>,
    /// Number of the card in it; empty for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub smartcard: Option<String>,
    /// `rack1/4`, or `shelf`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// Its own texts by name: `name`, `description`, `serial_number`, and those that come from no entry.
    #[serde(flatten)]
    pub texts: BTreeMap<String, String>,
}

/// What is to be removed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Removal {
    /// `model`, `ir_set`, `smartcard` or `dut`.
    #[schema(pattern = "^(model|ir_set|smartcard|dut)$")]
    pub kind: String,
    /// Its name, or number; of a DUT its id.
    #[schema(min_length = 1)]
    pub key: String,
}

/// Answer to `POST /inventory?dry_run=true|false`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct InventoryAnswer {
    /// What was (with `dry_run`: would be) changed, in order. Without any, all was as asked.
    pub changes: Vec<InventoryChange>,
    /// Nothing was stored.
    pub dry_run: bool,
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct InventoryChange {
    /// `model`, `ir_set`, `smartcard` or `dut`.
    pub kind: String,
    /// Its id.
    pub id: u64,
    /// Its name or number.
    pub key: String,
    /// `added`, `changed`, `moved` or `removed`.
    pub what: String,
    /// For people: which texts, from where to where.
    pub detail: String,
}
