//! A mapping of the tree, read by key.

use crate::document::{Entry, Value};
use crate::nearest::nearest;
use crate::place::{At, Spot};
use crate::problem::{Problems, code, one_of};
use crate::read::field::Field;

/// The entries of a mapping.
pub struct Mapping<'a> {
    entries: &'a [Entry],
    spot: Spot,
}

impl<'a> Mapping<'a> {
    /// The entries of a field, which must be a mapping; otherwise a complaint.
    pub fn open(field: &Field<'a>, expected: &str, problems: &mut Problems) -> Option<Self> {
        let mapping = Self::open_if(field);
        if mapping.is_none() {
            field.wrong_type(expected, problems);
        }
        mapping
    }

    /// The entries of a field that may be a mapping or something else.
    pub fn open_if(field: &Field<'a>) -> Option<Self> {
        match &field.node.value {
            Value::Mapping(entries) => Some(Self { entries, spot: field.key_spot() }),
            _ => None,
        }
    }

    /// Complains about every key that is not known, or known and not in this version. Whether there was none.
    pub fn check_keys(&self, known: &[&str], later: &[&str], problems: &mut Problems) -> bool {
        let before = problems.count();
        for entry in self.entries {
            let key = entry.key.as_str();
            if known.contains(&key) {
                continue;
            }
            let spot = self.spot.key(key, entry.key_place);
            if later.contains(&key) {
                problems.error(code::NOT_IN_THIS_VERSION, &spot).found(key).expected(one_of(known));
            } else {
                let meant = nearest(key, known.iter().chain(later).copied());
                problems.error(code::UNKNOWN_KEY, &spot).found(key).expected(one_of(known)).meant(meant);
            }
        }
        problems.count() == before
    }

    /// The value of a key, where there is one.
    pub fn get(&self, key: &str) -> Option<Field<'a>> {
        self.entries.iter().find(|entry| entry.key == key).map(|entry| self.field(entry))
    }

    /// The value of a key, which must be there; `what` says what it is.
    pub fn require(&self, key: &str, what: &str, problems: &mut Problems) -> Option<Field<'a>> {
        let field = self.get(key);
        if field.is_none() {
            let spot = self.spot.key(key, self.spot.place);
            problems.error(code::MISSING_KEY, &spot).expected(format!("`{key}`, {what}"));
        }
        field
    }

    /// All entries in order.
    pub fn entries(&self) -> impl Iterator<Item = (At<String>, Field<'a>)> {
        self.entries.iter().map(|entry| {
            let key = At { value: entry.key.clone(), spot: self.spot.key(&entry.key, entry.key_place) };
            (key, self.field(entry))
        })
    }

    /// Where the mapping's key stands.
    pub fn spot(&self) -> &Spot {
        &self.spot
    }

    fn field(&self, entry: &'a Entry) -> Field<'a> {
        Field { node: &entry.value, spot: self.spot.key(&entry.key, entry.value.place), key_place: entry.key_place }
    }
}
