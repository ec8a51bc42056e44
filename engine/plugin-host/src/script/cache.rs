//! Things made from a file's content, kept by its hash; the one used longest ago goes first.

use std::sync::Arc;

/// Hash of a script's content.
pub(super) type ContentHash = blake3::Hash;

/// At most `capacity` things. Small enough to be searched from front to back.
pub(super) struct Recent<T> {
    /// The one used last is at the end.
    entries: Vec<(ContentHash, Arc<T>)>,
    capacity: usize,
}

impl<T> Recent<T> {
    pub(super) fn new(capacity: usize) -> Self {
        Self { entries: Vec::with_capacity(capacity), capacity: capacity.max(1) }
    }

    pub(super) fn get(&mut self, hash: &ContentHash) -> Option<Arc<T>> {
        let found = self.entries.iter().position(|(key, _)| key == hash)?;
        let entry = self.entries.remove(found);
        let value = Arc::clone(&entry.1);
        self.entries.push(entry);
        Some(value)
    }

    pub(super) fn put(&mut self, hash: ContentHash, value: Arc<T>) {
        if self.entries.len() == self.capacity {
            self.entries.remove(0);
        }
        self.entries.push((hash, value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_one_used_longest_ago_goes_first() {
        let [a, b, c] = ["a", "b", "c"].map(|name| blake3::hash(name.as_bytes()));
        let mut recent = Recent::new(2);
        recent.put(a, Arc::new('a'));
        recent.put(b, Arc::new('b'));
        assert_eq!(recent.get(&a).as_deref(), Some(&'a'));
        recent.put(c, Arc::new('c'));
        assert_eq!(recent.get(&b), None);
        assert_eq!(recent.get(&a).as_deref(), Some(&'a'));
        assert_eq!(recent.get(&c).as_deref(), Some(&'c'));
    }
}
