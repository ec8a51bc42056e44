//! What a document changes. Pure: it reads a book and gives rows and moves, or says what is wrong and where.

use std::collections::{BTreeMap, BTreeSet};

use headend_model::{Catalogue, CatalogueEntry, DutFields, DutId, DutRefs, RackName, Timestamp};
use headend_store::{CatalogueRow, DutRow, Projection};
use headend_wire::api::SlotRef;
use headend_wire::codes;
use headend_wire::inventory::{CatalogueItem, DutEntry, InventoryChange, InventoryDoc, Removal};

use super::Book;
use super::text::{difference, overlaid, slot_text};
use crate::edge::names::{cut, listed};
use crate::http::{ApiError, ApiResult};

/// Most lines of one document.
const MOST: usize = 20_000;

/// The first free ids.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ids {
    pub(super) catalogue: u64,
    pub(super) dut: u64,
}

impl Ids {
    /// Ids that a dry run may show.
    pub(super) fn preview(book: &Book) -> Self {
        let after = |last: Option<u64>| last.unwrap_or(0) + 1;
        Self {
            catalogue: after(book.entries.keys().next_back().copied()),
            dut: after(book.duts.keys().next_back().map(|dut| dut.0)),
        }
    }
}

/// How many ids a document needs at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Newcomers {
    pub(super) entries: u64,
    pub(super) duts: u64,
}

/// Counts what the book does not have.
pub(super) fn newcomers(book: &Book, doc: &InventoryDoc) -> Newcomers {
    let items = kinds(doc).into_iter().flat_map(|(kind, items)| items.iter().map(move |item| (kind, item)));
    let entries = items.filter(|(kind, item)| find_entry(book, *kind, item).is_none()).count();
    let duts =
        doc.dut.iter().filter(|entry| entry.dut.is_none() && !matches!(find_dut(book, entry), Ok(Some(_)))).count();
    Newcomers { entries: entries as u64, duts: duts as u64 }
}

fn kinds(doc: &InventoryDoc) -> [(Catalogue, &Vec<CatalogueItem>); 3] {
    [(Catalogue::Models, &doc.model), (Catalogue::IrSets, &doc.ir_set), (Catalogue::Smartcards, &doc.smartcard)]
}

/// What is to be done.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) rows: Vec<Projection>,
    pub(super) moves: Vec<(DutId, Option<SlotRef>)>,
    /// DUTs that leave the lab.
    pub(super) removed: Vec<DutId>,
    pub(super) changes: Vec<InventoryChange>,
}

/// Plans a document.
///
/// # Errors
/// The first line that cannot be, with its place.
pub(super) fn plan(book: Book, doc: &InventoryDoc, ids: Ids, now: Timestamp) -> ApiResult<Plan> {
    let lines = doc.model.len() + doc.ir_set.len() + doc.smartcard.len() + doc.dut.len() + doc.remove.len();
    if lines > MOST {
        let detail = format!("the document has {lines} lines; at most {MOST} are taken at once, so give it in parts");
        return Err(ApiError::new(&codes::INVALID, detail));
    }
    let mut planner =
        Planner { book, ids, now, plan: Plan::default(), changed: BTreeSet::new(), placed: BTreeMap::new() };
    for (kind, items) in kinds(doc) {
        for (at, item) in items.iter().enumerate() {
            planner.entry(kind, item).map_err(|problem| problem.at(format!("/{kind}/{at}")))?;
        }
    }
    planner.describe_again();
    for (at, entry) in doc.dut.iter().enumerate() {
        planner.dut(entry).map_err(|problem| problem.at(format!("/dut/{at}")))?;
    }
    for (at, removal) in doc.remove.iter().enumerate() {
        planner.remove(removal).map_err(|problem| problem.at(format!("/remove/{at}")))?;
    }
    Ok(planner.plan)
}

struct Planner {
    /// As it will be.
    book: Book,
    ids: Ids,
    now: Timestamp,
    plan: Plan,
    /// Entries with other texts than before.
    changed: BTreeSet<u64>,
    /// Who was given which slot in this document.
    placed: BTreeMap<(String, u16), DutId>,
}

fn invalid(detail: impl Into<String>) -> ApiError {
    ApiError::new(&codes::INVALID, detail)
}

impl Planner {
    fn entry(&mut self, kind: Catalogue, item: &CatalogueItem) -> ApiResult<()> {
        let old = find_entry(&self.book, kind, item).cloned();
        if let (Some(id), None) = (item.id, &old) {
            return Err(ApiError::not_found(format!("{kind} with id {id}")));
        }
        let blank = blank(kind);
        let entry = with_texts(old.as_ref().map_or(&blank, |row| &row.entry), item)?;
        self.check_key(kind, &entry, old.as_ref().map(|row| row.id))?;
        let (id, created) = match &old {
            Some(row) if row.entry == entry => return Ok(()),
            Some(row) => (row.id, row.created),
            None => (take(&mut self.ids.catalogue), self.now),
        };
        let (what, detail) = match &old {
            Some(row) => ("changed", entry_difference(&row.entry, &entry)),
            None => ("added", String::new()),
        };
        self.tell(kind.as_str(), id, entry.key(), what, detail);
        let row = CatalogueRow { id, entry, created };
        self.plan.rows.push(Projection::Catalogue(Box::new(row.clone())));
        self.book.entries.insert(id, row);
        self.changed.insert(id);
        Ok(())
    }

    fn check_key(&self, kind: Catalogue, entry: &CatalogueEntry, own: Option<u64>) -> ApiResult<()> {
        let key = entry.key();
        if key.trim().is_empty() {
            return Err(invalid(format!("a {kind} has no {}; give it one", key_field(kind))));
        }
        match by_key(&self.book, kind, key).filter(|row| Some(row.id) != own) {
            Some(other) => {
                let detail = format!("there is a {kind} {key:?} already, with id {}; use another name", other.id);
                Err(ApiError::new(&codes::CONFLICT, detail))
            }
            None => Ok(()),
        }
    }

    /// DUTs that refer to a changed entry get its new texts.
    fn describe_again(&mut self) {
        let rows: Vec<DutRow> = self.book.duts.values().cloned().collect();
        for mut row in rows {
            let affected =
                Catalogue::ALL.into_iter().filter_map(|kind| row.refs.get(kind)).any(|id| self.changed.contains(&id));
            if affected {
                describe(&self.book, &row.refs, &mut row.fields);
                self.keep(row);
            }
        }
    }

    fn keep(&mut self, row: DutRow) {
        self.plan.rows.push(Projection::Dut(Box::new(row.clone())));
        self.book.duts.insert(row.dut, row);
    }

    fn dut(&mut self, entry: &DutEntry) -> ApiResult<()> {
        let old = find_dut(&self.book, entry)?.cloned();
        let row = self.new_row(entry, old.as_ref())?;
        match &old {
            None => self.tell("dut", row.dut.0, &row.fields.name, "added", String::new()),
            Some(old) if *old != row => {
                let detail = match difference(&old.fields, &row.fields) {
                    same if same.is_empty() => "refers to other entries".to_owned(),
                    texts => texts,
                };
                self.tell("dut", row.dut.0, &row.fields.name, "changed", detail);
            }
            Some(_) => {}
        }
        let (dut, name) = (row.dut, row.fields.name.clone());
        if old.as_ref() != Some(&row) {
            self.keep(row);
        }
        match &entry.place {
            Some(place) => self.place(dut, &name, place, old.is_none()),
            // The farm has to learn of it in any case.
            None if old.is_none() => {
                self.plan.moves.push((dut, None));
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn new_row(&mut self, entry: &DutEntry, old: Option<&DutRow>) -> ApiResult<DutRow> {
        let before = old.map(|row| row.fields.clone()).unwrap_or_default();
        let mut fields: DutFields =
            overlaid(&before, &entry.texts).map_err(|(field, problem)| invalid(problem).at(format!("/{field}")))?;
        if fields.name.trim().is_empty() {
            return Err(invalid("the DUT has no name; give it one"));
        }
        let refs = self.new_refs(entry, old.map(|row| row.refs).unwrap_or_default())?;
        let asked = fields.clone();
        describe(&self.book, &refs, &mut fields);
        if asked != fields && entry.texts.keys().any(|name| difference_in(&asked, &fields, name)) {
            let detail = format!(
                "DUT {:?} is given texts of its own that its model, infrared set or smartcard says otherwise ({}); change them there",
                fields.name,
                difference(&asked, &fields)
            );
            return Err(invalid(detail));
        }
        let dut = old.map(|row| row.dut).or(entry.dut.map(DutId)).unwrap_or_else(|| DutId(take(&mut self.ids.dut)));
        if dut.0 == 0 || dut.0 > i64::MAX as u64 - 1 {
            return Err(invalid(format!("{dut} cannot be the id of a DUT; use 1 to {}", i64::MAX - 1)));
        }
        Ok(DutRow { dut, fields, refs, created: old.map_or(self.now, |row| row.created) })
    }

    fn new_refs(&self, entry: &DutEntry, mut refs: DutRefs) -> ApiResult<DutRefs> {
        let asked = [
            (Catalogue::Models, &entry.model),
            (Catalogue::IrSets, &entry.ir_set),
            (Catalogue::Smartcards, &entry.smartcard),
        ];
        for (kind, key) in asked {
            let Some(key) = key else { continue };
            let id = if key.is_empty() { None } else { Some(self.known(kind, key)?.id) };
            refs.set(kind, id);
        }
        Ok(refs)
    }

    fn known(&self, kind: Catalogue, key: &str) -> ApiResult<&CatalogueRow> {
        by_key(&self.book, kind, key).ok_or_else(|| {
            let rows = self.book.entries.values().filter(|row| row.entry.kind() == kind);
            let known = listed(rows.map(|row| row.entry.key().to_owned()));
            invalid(format!("there is no {kind} {:?}; there are: {known}; add it in the same document", cut(key)))
        })
    }

    fn place(&mut self, dut: DutId, name: &str, place: &str, is_new: bool) -> ApiResult<()> {
        let wanted = parse_place(place)?;
        if let Some(slot) = &wanted {
            self.check_slot(dut, slot)?;
        }
        let now = self.book.places.get(&dut).cloned();
        if now == wanted && !is_new {
            return Ok(());
        }
        if now != wanted {
            let text = |place: &Option<SlotRef>| place.as_ref().map_or_else(|| "shelf".to_owned(), slot_text);
            self.tell("dut", dut.0, name, "moved", format!("{} → {}", text(&now), text(&wanted)));
        }
        if let Some(slot) = &wanted {
            self.evict(slot, dut);
            self.book.places.insert(dut, slot.clone());
        } else {
            self.book.places.remove(&dut);
        }
        self.plan.moves.push((dut, wanted));
        Ok(())
    }

    fn check_slot(&mut self, dut: DutId, slot: &SlotRef) -> ApiResult<()> {
        let key = (slot.rack.clone(), slot.slot);
        if !self.book.slots.contains(&key) {
            let known = listed(self.book.slots.iter().map(|(rack, no)| format!("{rack}/{no}")));
            let detail = format!("there is no slot {}; there are: {known}", slot_text(slot));
            return Err(ApiError::new(&codes::UNKNOWN_SLOT, detail));
        }
        match self.placed.insert(key, dut) {
            Some(other) if other != dut => {
                let detail = format!("slot {} is given to DUT {other} and to DUT {dut}; it holds one", slot_text(slot));
                Err(ApiError::new(&codes::CONFLICT, detail))
            }
            _ => Ok(()),
        }
    }

    /// Whoever sits in the slot goes on the shelf (the farm does it when it hears of the newcomer).
    fn evict(&mut self, slot: &SlotRef, newcomer: DutId) {
        let sitting = self.book.places.iter().find(|(dut, place)| *place == slot && **dut != newcomer);
        let Some(other) = sitting.map(|(dut, _)| *dut) else { return };
        self.book.places.remove(&other);
        let name = self.book.duts.get(&other).map(|row| row.fields.name.clone()).unwrap_or_default();
        self.tell("dut", other.0, &name, "moved", format!("{} → shelf", slot_text(slot)));
    }

    fn remove(&mut self, removal: &Removal) -> ApiResult<()> {
        if removal.kind == "dut" {
            return self.remove_dut(&removal.key);
        }
        let kind: Catalogue = removal.kind.parse().map_err(|problem: String| invalid(format!("{problem}, or dut")))?;
        let id = self.known(kind, &removal.key)?.id;
        let users = self.book.duts.values().filter(|row| row.refs.get(kind) == Some(id));
        let users: Vec<String> = users.map(|row| format!("{} ({})", row.dut, row.fields.name)).collect();
        if !users.is_empty() {
            let detail = format!(
                "{kind} {:?} is in use by DUT {}; give them another one first",
                removal.key,
                listed(users.into_iter())
            );
            return Err(ApiError::new(&codes::CONFLICT, detail));
        }
        self.book.entries.remove(&id);
        self.plan.rows.push(Projection::CatalogueRemoved { id });
        self.tell(kind.as_str(), id, &removal.key, "removed", String::new());
        Ok(())
    }

    fn remove_dut(&mut self, key: &str) -> ApiResult<()> {
        let id = key.trim().parse().ok().map(DutId).filter(|dut| self.book.duts.contains_key(dut));
        let Some(dut) = id else {
            let known = listed(self.book.duts.keys().map(ToString::to_string));
            let detail = format!("there is no DUT {:?}; there are: {known}", cut(key));
            return Err(ApiError::new(&codes::UNKNOWN_DUT, detail));
        };
        let name = self.book.duts.remove(&dut).map(|row| row.fields.name).unwrap_or_default();
        self.book.places.remove(&dut);
        self.plan.moves.retain(|(moved, _)| *moved != dut);
        self.plan.rows.retain(|row| !matches!(row, Projection::Dut(row) if row.dut == dut));
        self.plan.removed.push(dut);
        self.tell("dut", dut.0, &name, "removed", String::new());
        Ok(())
    }

    fn tell(&mut self, kind: &str, id: u64, key: &str, what: &str, detail: String) {
        let change = InventoryChange { kind: kind.into(), id, key: key.into(), what: what.into(), detail };
        self.plan.changes.push(change);
    }
}

fn take(next: &mut u64) -> u64 {
    *next += 1;
    *next - 1
}

fn key_field(kind: Catalogue) -> &'static str {
    match kind {
        Catalogue::Models | Catalogue::IrSets => "name",
        Catalogue::Smartcards => "number",
    }
}

fn by_key<'a>(book: &'a Book, kind: Catalogue, key: &str) -> Option<&'a CatalogueRow> {
    book.entries.values().find(|row| row.entry.kind() == kind && row.entry.key() == key)
}

fn find_entry<'a>(book: &'a Book, kind: Catalogue, item: &CatalogueItem) -> Option<&'a CatalogueRow> {
    match item.id {
        Some(id) => book.entries.get(&id).filter(|row| row.entry.kind() == kind),
        None => by_key(book, kind, item.texts.get(key_field(kind)).map_or("", String::as_str)),
    }
}

/// By id, else by name; `None` when it is new.
fn find_dut<'a>(book: &'a Book, entry: &DutEntry) -> ApiResult<Option<&'a DutRow>> {
    if let Some(id) = entry.dut {
        return Ok(book.duts.get(&DutId(id)));
    }
    let Some(name) = entry.texts.get("name") else { return Ok(None) };
    let mut found = book.duts.values().filter(|row| row.fields.name == *name);
    match (found.next(), found.next()) {
        (Some(one), Some(two)) => {
            let detail = format!("DUTs {} and {} are both called {name:?}; say which by `dut`", one.dut, two.dut);
            Err(ApiError::new(&codes::CONFLICT, detail))
        }
        (one, _) => Ok(one),
    }
}

fn blank(kind: Catalogue) -> CatalogueEntry {
    match kind {
        Catalogue::Models => CatalogueEntry::Model(headend_model::DeviceModel::default()),
        Catalogue::IrSets => CatalogueEntry::IrSet(headend_model::IrSet::default()),
        Catalogue::Smartcards => CatalogueEntry::Smartcard(headend_model::Smartcard::default()),
    }
}

fn with_texts(entry: &CatalogueEntry, item: &CatalogueItem) -> ApiResult<CatalogueEntry> {
    let made = match entry {
        CatalogueEntry::Model(model) => overlaid(model, &item.texts).map(CatalogueEntry::Model),
        CatalogueEntry::IrSet(set) => overlaid(set, &item.texts).map(CatalogueEntry::IrSet),
        CatalogueEntry::Smartcard(card) => overlaid(card, &item.texts).map(CatalogueEntry::Smartcard),
    };
    made.map_err(|(_, problem)| invalid(problem))
}

fn entry_difference(old: &CatalogueEntry, new: &CatalogueEntry) -> String {
    match (old, new) {
        (CatalogueEntry::Model(old), CatalogueEntry::Model(new)) => difference(old, new),
        (CatalogueEntry::IrSet(old), CatalogueEntry::IrSet(new)) => difference(old, new),
        (CatalogueEntry::Smartcard(old), CatalogueEntry::Smartcard(new)) => difference(old, new),
        _ => String::new(),
    }
}

fn difference_in(one: &DutFields, other: &DutFields, name: &str) -> bool {
    let text = |fields: &DutFields| super::text::texts_of(fields).remove(name);
    text(one) != text(other)
}

fn describe(book: &Book, refs: &DutRefs, fields: &mut DutFields) {
    let entries = Catalogue::ALL.into_iter().filter_map(|kind| book.entries.get(&refs.get(kind)?));
    entries.for_each(|row| row.entry.describe(fields));
}

fn parse_place(text: &str) -> ApiResult<Option<SlotRef>> {
    if text == "shelf" {
        return Ok(None);
    }
    let wrong = || invalid(format!("{:?} is no place; write rack1/4, or shelf", cut(text)));
    let (rack, slot) = text.rsplit_once('/').ok_or_else(wrong)?;
    let rack = RackName::new(rack).map_err(|error| invalid(error.to_string()))?;
    let slot = slot.parse().ok().filter(|slot| *slot > 0).ok_or_else(wrong)?;
    Ok(Some(SlotRef { rack: rack.to_string(), slot }))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::document;
    use super::*;

    /// Applies a document and gives the book as it is afterwards.
    fn applied(book: Book, doc: &Value) -> ApiResult<(Book, Vec<String>)> {
        let doc: InventoryDoc = serde_json::from_value(doc.clone()).unwrap();
        let ids = Ids::preview(&book);
        let plan = plan(book.clone(), &doc, ids, Timestamp::from_micros(1_000_000))?;
        Ok((after(book, &plan), plan.changes.iter().map(|c| format!("{} {} {}", c.kind, c.key, c.what)).collect()))
    }

    fn after(mut book: Book, plan: &Plan) -> Book {
        for dut in &plan.removed {
            book.duts.remove(dut);
            book.places.remove(dut);
        }
        for row in &plan.rows {
            match row {
                Projection::Catalogue(row) => drop(book.entries.insert(row.id, (**row).clone())),
                Projection::CatalogueRemoved { id } => drop(book.entries.remove(id)),
                Projection::Dut(row) => drop(book.duts.insert(row.dut, (**row).clone())),
                other => panic!("{other:?} is no row of the inventory"),
            }
        }
        for (dut, place) in &plan.moves {
            book.places.retain(|_, taken| Some(&*taken) != place.as_ref());
            match place {
                Some(place) => drop(book.places.insert(*dut, place.clone())),
                None => drop(book.places.remove(dut)),
            }
        }
        book
    }

    fn lab() -> Book {
        Book { slots: (1..=4).map(|no| ("rack1".to_owned(), no)).collect(), ..Book::default() }
    }

    fn sample() -> Value {
        json!({
            "model": [{ "name": "HD+", "manufacturer": "Pace", "type_name": "HD" }],
            "ir_set": [{ "name": "nec", "description": "NEC codes" }],
            "smartcard": [{ "number": "0042", "param_name": "tier" , "param_value": "gold" }],
            "dut": [
                { "dut": 3822, "name": "TP1", "model": "HD+", "ir_set": "nec", "smartcard": "0042", "place": "rack1/2" },
                { "name": "TP2", "model": "HD+", "serial_number": "x7" },
            ],
        })
    }

    #[test]
    fn a_document_taken_back_changes_nothing() {
        let (book, changes) = applied(lab(), &sample()).unwrap();
        assert_eq!(changes.len(), 6, "three entries, two DUTs, one move: {changes:?}");
        let (again, changes) = applied(book.clone(), &serde_json::to_value(document(&book)).unwrap()).unwrap();
        assert_eq!((changes, document(&again)), (vec![], document(&book)));
        assert_eq!(applied(book, &sample()).unwrap().1, [] as [&str; 0], "and the first document neither");
    }

    #[test]
    fn duts_show_the_texts_of_what_they_refer_to_also_after_a_change() {
        let (book, _) = applied(lab(), &sample()).unwrap();
        let fields = &book.duts[&DutId(3822)].fields;
        assert_eq!(
            (&*fields.manufacturer, &*fields.ir_description, &*fields.smartcard_param_value),
            ("Pace", "NEC codes", "gold")
        );
        let (book, _) = applied(book, &json!({ "model": [{ "name": "HD+", "manufacturer": "Grundig" }] })).unwrap();
        assert!(book.duts.values().all(|row| row.fields.manufacturer == "Grundig" && row.fields.type_name == "HD"));
    }

    #[test]
    fn a_slot_holds_one_and_the_other_goes_on_the_shelf() {
        let (book, _) = applied(lab(), &sample()).unwrap();
        let (book, changes) = applied(book, &json!({ "dut": [{ "name": "TP2", "place": "rack1/2" }] })).unwrap();
        assert_eq!(changes, ["dut TP2 moved", "dut TP1 moved"]);
        assert_eq!(book.places.len(), 1);
        let both = json!({ "dut": [{ "name": "TP1", "place": "rack1/3" }, { "name": "TP2", "place": "rack1/3" }] });
        assert_eq!(applied(book, &both).unwrap_err().problem().code, "conflict");
    }

    #[test]
    fn what_cannot_be_is_refused_with_its_place() {
        let (book, _) = applied(lab(), &sample()).unwrap();
        let refused = |doc: Value| {
            let error = applied(book.clone(), &doc).unwrap_err();
            format!("{} {}", error.problem().code, error.problem().detail)
        };
        assert!(refused(json!({ "model": [{ "manufacturer": "x" }] })).contains("has no name"));
        assert!(refused(json!({ "model": [{ "name": "A", "colour": "red" }] })).contains("no text \"colour\""));
        assert!(refused(json!({ "dut": [{ "name": "TP1", "model": "none" }] })).contains("there are: HD+"));
        assert!(refused(json!({ "dut": [{ "name": "TP1", "manufacturer": "other" }] })).contains("change them there"));
        assert!(refused(json!({ "dut": [{ "name": "TP1", "place": "rack1/9" }] })).starts_with("unknown_slot"));
        assert!(refused(json!({ "dut": [{ "name": "TP1", "place": "4" }] })).contains("is no place"));
        assert!(refused(json!({ "dut": [{ "dut": 0, "name": "zero" }] })).contains("cannot be the id"));
        assert!(refused(json!({ "remove": [{ "kind": "model", "key": "HD+" }] })).contains("in use by DUT"));
        assert!(refused(json!({ "remove": [{ "kind": "dut", "key": "77" }] })).starts_with("unknown_dut"));
        assert!(refused(json!({ "remove": [{ "kind": "shelf", "key": "77" }] })).contains("no kind of entry"));
    }

    #[test]
    fn removals_come_last_and_free_what_they_used() {
        let (book, _) = applied(lab(), &sample()).unwrap();
        let doc = json!({
            "dut": [{ "name": "TP1", "model": "" }],
            "remove": [{ "kind": "dut", "key": "1" }, { "kind": "model", "key": "HD+" }],
        });
        let (book, changes) = applied(book, &doc).unwrap();
        assert_eq!(changes, ["dut TP1 changed", "dut TP2 removed", "model HD+ removed"]);
        assert_eq!(book.duts[&DutId(3822)].fields.manufacturer, "Pace", "its texts stay as its own");
    }
}
