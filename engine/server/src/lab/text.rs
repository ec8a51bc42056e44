//! Between rows and the texts of a document.

use std::collections::BTreeMap;

use headend_model::{Catalogue, CatalogueEntry, DutFields};
use headend_store::{CatalogueRow, DutRow};
use headend_wire::api::SlotRef;
use headend_wire::inventory::{CatalogueItem, DutEntry, InventoryDoc};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::Book;

/// Longest text of a field, in characters.
const MAX_TEXT: usize = 500;

/// The texts of a record by name; blank ones are left out.
pub(crate) fn texts_of(record: &impl Serialize) -> BTreeMap<String, String> {
    let fields = as_map(record).into_iter();
    fields
        .filter_map(|(name, text)| Some((name, text.as_str()?.to_owned())))
        .filter(|(_, text)| !text.is_empty())
        .collect()
}

/// The record with these texts in place of its own.
///
/// # Errors
/// A text that the record has no place for, or that cannot be kept: its name, and what is wrong.
pub(super) fn overlaid<T: Serialize + DeserializeOwned>(
    record: &T,
    texts: &BTreeMap<String, String>,
) -> Result<T, (String, String)> {
    let mut fields = as_map(record);
    for (name, text) in texts {
        if !fields.contains_key(name) {
            let known: Vec<&str> = fields.keys().map(String::as_str).collect();
            return Err((name.clone(), format!("there is no text {name:?}; there are: {}", known.join(", "))));
        }
        check(name, text).map_err(|problem| (name.clone(), problem))?;
        fields.insert(name.clone(), Value::String(text.clone()));
    }
    serde_json::from_value(Value::Object(fields)).map_err(|error| (String::new(), error.to_string()))
}

/// What differs between two records of a kind, for people.
pub(super) fn difference(old: &impl Serialize, new: &impl Serialize) -> String {
    let (old, new) = (as_map(old), as_map(new));
    let changed = new.iter().filter(|(name, text)| old.get(*name) != Some(*text));
    let told = changed.map(|(name, text)| format!("{name}: {} → {text}", old.get(name).unwrap_or(&Value::Null)));
    told.collect::<Vec<_>>().join(", ")
}

fn check(name: &str, text: &str) -> Result<(), String> {
    if text.chars().count() > MAX_TEXT || text.chars().any(char::is_control) {
        return Err(format!("{name} is longer than {MAX_TEXT} characters or has a control character; shorten it"));
    }
    Ok(())
}

fn as_map(record: &impl Serialize) -> Map<String, Value> {
    match serde_json::to_value(record) {
        Ok(Value::Object(fields)) => fields,
        _ => Map::new(),
    }
}

/// `rack1/4`.
pub(crate) fn slot_text(slot: &SlotRef) -> String {
    format!("{}/{}", slot.rack, slot.slot)
}

/// The whole book as a document: taken back unchanged it changes nothing.
pub(crate) fn document(book: &Book) -> InventoryDoc {
    let items = |kind| {
        let rows = book.entries.values().filter(move |row| row.entry.kind() == kind);
        rows.map(item).collect()
    };
    InventoryDoc {
        model: items(Catalogue::Models),
        ir_set: items(Catalogue::IrSets),
        smartcard: items(Catalogue::Smartcards),
        dut: book.duts.values().map(|row| dut_entry(book, row)).collect(),
        remove: Vec::new(),
    }
}

fn item(row: &CatalogueRow) -> CatalogueItem {
    let texts = match &row.entry {
        CatalogueEntry::Model(model) => texts_of(model),
        CatalogueEntry::IrSet(set) => texts_of(set),
        CatalogueEntry::Smartcard(card) => texts_of(card),
    };
    CatalogueItem { id: Some(row.id), texts }
}

fn dut_entry(book: &Book, row: &DutRow) -> DutEntry {
    let key = |kind| book.entries.get(&row.refs.get(kind)?).map(|found| found.entry.key().to_owned());
    DutEntry {
        dut: Some(row.dut.0),
        model: key(Catalogue::Models),
        ir_set: key(Catalogue::IrSets),
        smartcard: key(Catalogue::Smartcards),
        place: Some(book.places.get(&row.dut).map_or_else(|| "shelf".to_owned(), slot_text)),
        texts: texts_of(&own_texts(book, row)),
    }
}

/// The fields without those that come from an entry.
fn own_texts(book: &Book, row: &DutRow) -> DutFields {
    let mut own = row.fields.clone();
    let blanks = [
        CatalogueEntry::Model(headend_model::DeviceModel::default()),
        CatalogueEntry::IrSet(headend_model::IrSet::default()),
        CatalogueEntry::Smartcard(headend_model::Smartcard::default()),
    ];
    for blank in blanks {
        if row.refs.get(blank.kind()).is_some_and(|id| book.entries.contains_key(&id)) {
            blank.describe(&mut own);
        }
    }
    own
}
