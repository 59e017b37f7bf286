//! The values that a column had, counted by their kinds, and the type that follows.

use wasmill_flow::column_type;

use super::InferredColumn;
use super::json::Json;
use crate::value::{is_date, is_number, is_timestamp};

/// How many values there were of each kind.
#[derive(Debug, Clone, Default)]
pub(super) struct Seen {
    booleans: Kind,
    integers: Kind,
    negative: bool,
    large: Kind,
    floats: Kind,
    timestamps: Kind,
    dates: Kind,
    texts: Kind,
    lists: Kind,
    items: Option<Box<Seen>>,
    structs: Kind,
    fields: Vec<(String, Seen)>,
}

/// Values of one kind: how many, and the line of the first.
#[derive(Debug, Clone, Copy, Default)]
struct Kind {
    count: u64,
    line: u64,
}

impl Kind {
    fn see(&mut self, line: u64) {
        if self.count == 0 {
            self.line = line;
        }
        self.count += 1;
    }

    fn and(self, other: Self) -> Self {
        let line = match (self.count, other.count) {
            (0, _) => other.line,
            (_, 0) => self.line,
            _ => self.line.min(other.line),
        };
        Self { count: self.count + other.count, line }
    }
}

/// What a field of CSV is, as a value of JSON.
pub(super) fn of_csv(text: &str) -> Json {
    match text {
        "true" | "false" => Json::Boolean,
        _ if is_number(text) => serde_json::from_str(text).unwrap_or(Json::Float),
        _ => Json::Text(text.to_owned()),
    }
}

impl Seen {
    /// Counts a value.
    pub(super) fn look(&mut self, value: &Json, line: u64) {
        match value {
            Json::Null => {}
            Json::Boolean => self.booleans.see(line),
            Json::Integer { negative } => {
                self.integers.see(line);
                self.negative |= negative;
            }
            Json::Large => self.large.see(line),
            Json::Float => self.floats.see(line),
            Json::Text(text) if is_timestamp(text) => self.timestamps.see(line),
            Json::Text(text) if is_date(text) => self.dates.see(line),
            Json::Text(_) => self.texts.see(line),
            Json::List(items) => {
                self.lists.see(line);
                let seen = self.items.get_or_insert_default();
                items.iter().for_each(|item| seen.look(item, line));
            }
            Json::Object(fields) => {
                self.structs.see(line);
                for (place, (name, value)) in fields.iter().enumerate() {
                    self.field(place, name).look(value, line);
                }
            }
        }
    }

    /// What was seen of a field, which mostly stands in the same place.
    fn field(&mut self, place: usize, name: &str) -> &mut Self {
        let known = self.fields.get(place).is_some_and(|(known, _)| known == name);
        let place = if known { Some(place) } else { self.fields.iter().position(|(known, _)| known == name) };
        let place = place.unwrap_or_else(|| {
            self.fields.push((name.to_owned(), Self::default()));
            self.fields.len() - 1
        });
        &mut self.fields[place].1
    }

    fn count(&self) -> u64 {
        let scalars = [self.booleans, self.integers, self.large, self.floats, self.timestamps, self.dates, self.texts];
        scalars.iter().chain([&self.lists, &self.structs]).map(|kind| kind.count).sum()
    }

    /// The fields as columns of so many rows. In CSV, values of several kinds are texts; in JSON most of them decide.
    pub(super) fn columns(&self, rows: u64, csv: bool) -> Vec<InferredColumn> {
        let column = |(name, seen): &(String, Self)| {
            let (kind, misfits) = seen.kind(csv);
            let not_null = if rows > 0 && seen.count() == rows { " not null" } else { "" };
            InferredColumn { name: name.clone(), written: format!("{kind}{not_null}"), misfits }
        };
        self.fields.iter().map(column).collect()
    }

    /// The type of most values, and what the others are.
    fn kind(&self, csv: bool) -> (String, Option<String>) {
        let numbers = self.integers.and(self.large).and(self.floats);
        let text = self.timestamps.and(self.dates).and(self.texts);
        let mut groups = [
            (numbers, self.number().to_owned()),
            (text, self.text().to_owned()),
            (self.booleans, "boolean".to_owned()),
            (self.lists, format!("list<{}>", self.items.as_ref().map_or_else(|| "utf8".to_owned(), |items| items.kind(csv).0))),
            (self.structs, format!("struct<{}>", self.members(csv))),
        ];
        groups.sort_by_key(|(kind, _)| std::cmp::Reverse(kind.count));
        let others: Vec<_> = groups[1..].iter().filter(|(kind, _)| kind.count > 0).collect();
        match groups[0].0.count {
            0 => ("utf8".to_owned(), None),
            _ if csv && !others.is_empty() => ("utf8".to_owned(), None),
            _ if others.is_empty() => (groups[0].1.clone(), None),
            _ => {
                let told = others.iter().map(|(kind, name)| format!("{} of {name} (first: line {})", kind.count, kind.line));
                (groups[0].1.clone(), Some(told.collect::<Vec<_>>().join(", ")))
            }
        }
    }

    fn number(&self) -> &'static str {
        match (self.floats.count > 0, self.large.count > 0, self.negative) {
            (false, false, _) => "int64",
            (false, true, false) => "uint64",
            _ => "float64",
        }
    }

    fn text(&self) -> &'static str {
        match (self.timestamps.count > 0, self.dates.count > 0, self.texts.count > 0) {
            (true, false, false) => "timestamp",
            (false, true, false) => "date",
            _ => "utf8",
        }
    }

    fn members(&self, csv: bool) -> String {
        let member = |(name, seen): &(String, Self)| format!("{}: {}", column_type::field_name(name), seen.kind(csv).0);
        self.fields.iter().map(member).collect::<Vec<_>>().join(", ")
    }
}
