//! The history in a snapshot: a list of scripts, least recently used first. Numbers inside are given out anew.

use headend_model::{TreePath, UserName};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::script::Script;
use super::{Book, History};

#[derive(Serialize)]
struct Shown<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    owner: Option<&'a UserName>,
    path: &'a TreePath,
    script: &'a Script,
}

#[derive(Deserialize)]
struct Kept {
    owner: Option<UserName>,
    path: TreePath,
    script: Script,
}

impl Serialize for History {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let books = self.ages.iter().filter_map(|(_, number)| self.books.get(number));
        to.collect_seq(books.map(|Book { owner, path, script, .. }| Shown { owner: owner.as_ref(), path, script }))
    }
}

impl<'de> Deserialize<'de> for History {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let mut history = Self::default();
        for Kept { owner, path, script } in Vec::<Kept>::deserialize(from)? {
            let (number, used) = (history.count(), history.count());
            history.insert(number, Book { owner, path, used, script });
        }
        Ok(history)
    }
}
