//! What several DUTs have in common and is therefore written once: models, infrared sets, smartcards.
//!
//! A DUT's own fields ([`DutFields`]) always hold the full texts, so that a search looks in one place. Where a DUT refers to
//! an entry here, the entry's texts are copied over its own whenever either changes.

use std::fmt;
use std::str::FromStr;

use crate::inventory::DutFields;

/// The kinds of entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Catalogue {
    /// Models of devices.
    Models,
    /// Infrared code sets.
    IrSets,
    /// Smartcards.
    Smartcards,
}

impl Catalogue {
    /// All kinds.
    pub const ALL: [Self; 3] = [Self::Models, Self::IrSets, Self::Smartcards];

    /// As it is written in files and rows: `model`, `ir_set`, `smartcard`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Models => "model",
            Self::IrSets => "ir_set",
            Self::Smartcards => "smartcard",
        }
    }
}

impl fmt::Display for Catalogue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Catalogue {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let known = Self::ALL.into_iter().find(|kind| kind.as_str() == text);
        known.ok_or_else(|| format!("{text:?} is no kind of entry; use model, ir_set or smartcard"))
    }
}

/// What all boxes of a model share.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
#[allow(missing_docs, reason = "the names are those of the DUT's fields")]
pub struct DeviceModel {
    pub name: String,
    pub description: String,
    pub manufacturer: String,
    pub manufacturer_model: String,
    pub hardware_version: String,
    pub type_name: String,
    pub type_description: String,
    pub broadcaster: String,
}

/// A set of infrared codes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
#[allow(missing_docs, reason = "the names are those of the DUT's fields")]
pub struct IrSet {
    pub name: String,
    pub description: String,
}

/// A smartcard, by its number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
#[allow(missing_docs, reason = "the names are those of the DUT's fields")]
pub struct Smartcard {
    pub number: String,
    pub param_name: String,
    pub param_value: String,
}

/// An entry of any kind.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is what its type says")]
pub enum CatalogueEntry {
    Model(DeviceModel),
    IrSet(IrSet),
    Smartcard(Smartcard),
}

impl CatalogueEntry {
    /// Its kind.
    pub fn kind(&self) -> Catalogue {
        match self {
            Self::Model(_) => Catalogue::Models,
            Self::IrSet(_) => Catalogue::IrSets,
            Self::Smartcard(_) => Catalogue::Smartcards,
        }
    }

    /// What people call it, unique in its kind: the name, or the number of a smartcard.
    pub fn key(&self) -> &str {
        match self {
            Self::Model(model) => &model.name,
            Self::IrSet(set) => &set.name,
            Self::Smartcard(card) => &card.number,
        }
    }

    /// Copies its texts over those of a DUT that refers to it.
    pub fn describe(&self, dut: &mut DutFields) {
        match self {
            Self::Model(model) => {
                dut.model_name.clone_from(&model.name);
                dut.model_description.clone_from(&model.description);
                dut.manufacturer.clone_from(&model.manufacturer);
                dut.manufacturer_model.clone_from(&model.manufacturer_model);
                dut.hardware_version.clone_from(&model.hardware_version);
                dut.type_name.clone_from(&model.type_name);
                dut.type_description.clone_from(&model.type_description);
                dut.broadcaster.clone_from(&model.broadcaster);
            }
            Self::IrSet(set) => {
                dut.ir_name.clone_from(&set.name);
                dut.ir_description.clone_from(&set.description);
            }
            Self::Smartcard(card) => {
                dut.smartcard_number.clone_from(&card.number);
                dut.smartcard_param_name.clone_from(&card.param_name);
                dut.smartcard_param_value.clone_from(&card.param_value);
            }
        }
    }
}

/// To which entries a DUT refers, by their ids.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DutRefs {
    /// Its model.
    pub model: Option<u64>,
    /// Its infrared set.
    pub ir_set: Option<u64>,
    /// The card in it.
    pub smartcard: Option<u64>,
}

impl DutRefs {
    /// The reference to an entry of this kind.
    pub fn get(&self, kind: Catalogue) -> Option<u64> {
        match kind {
            Catalogue::Models => self.model,
            Catalogue::IrSets => self.ir_set,
            Catalogue::Smartcards => self.smartcard,
        }
    }

    /// Sets the reference to an entry of this kind.
    pub fn set(&mut self, kind: Catalogue, id: Option<u64>) {
        match kind {
            Catalogue::Models => self.model = id,
            Catalogue::IrSets => self.ir_set = id,
            Catalogue::Smartcards => self.smartcard = id,
        }
    }
}
