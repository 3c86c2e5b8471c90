//! A bounded map that forgets what has not been used lately, in two generations: nearly least-recently-used, without a list.

use std::{
    collections::{HashMap, hash_map::Entry},
    hash::Hash,
};

/// At most twice `size` entries.
pub(crate) struct Recent<K, V> {
    size: usize,
    young: HashMap<K, V>,
    old: HashMap<K, V>,
}

impl<K: Eq + Hash + Clone, V> Recent<K, V> {
    pub(crate) fn new(size: usize) -> Self {
        Self {
            size,
            young: HashMap::new(),
            old: HashMap::new(),
        }
    }

    /// The value of `key`, which counts as a use.
    pub(crate) fn get(&mut self, key: &K) -> Option<&V> {
        if let Some(value) = self.old.remove(key) {
            self.insert(key.clone(), value);
        }
        self.young.get(key)
    }

    pub(crate) fn insert(&mut self, key: K, value: V) {
        self.old.remove(&key);
        let full = self.young.len() >= self.size;
        match self.young.entry(key) {
            Entry::Occupied(mut entry) => {
                entry.insert(value);
            }
            Entry::Vacant(entry) if !full => {
                entry.insert(value);
            }
            Entry::Vacant(entry) => {
                let key = entry.into_key();
                self.old = std::mem::take(&mut self.young);
                self.young.insert(key, value);
            }
        }
    }

    pub(crate) fn remove(&mut self, key: &K) {
        self.young.remove(key);
        self.old.remove(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_forgets_what_was_not_used() {
        let mut recent = Recent::new(2);
        for key in 0..4 {
            recent.insert(key, key * 10);
        }
        assert_eq!(recent.get(&0), Some(&0));
        recent.insert(4, 40);
        recent.insert(5, 50);
        assert_eq!(recent.get(&0), Some(&0), "used since");
        assert_eq!(recent.get(&1), None);
        assert!(recent.young.len() <= 2 && recent.old.len() <= 2);
    }

    #[test]
    fn what_is_inserted_anew_has_one_value() {
        let mut recent = Recent::new(1);
        recent.insert('a', 1);
        recent.insert('b', 1);
        recent.insert('a', 2);
        assert_eq!(recent.get(&'a'), Some(&2));
        recent.remove(&'a');
        assert_eq!(recent.get(&'a'), None);
    }
}
