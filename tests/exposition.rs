//! A strict reader of Prometheus' text format, version 0.0.4: it takes less than Prometheus does.
#![allow(dead_code, reason = "each test target uses some of it")]

use std::collections::{BTreeMap, BTreeSet};

/// What a page has.
#[derive(Debug, Default)]
pub struct Exposition {
    kinds: BTreeMap<String, String>,
    samples: BTreeMap<(String, Vec<(String, String)>), f64>,
}

impl Exposition {
    /// The value of a sample by its name and labels, in any order.
    pub fn value(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let mut labels: Vec<_> = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        labels.sort();
        self.samples.get(&(name.to_owned(), labels)).copied()
    }

    /// All samples of counters.
    pub fn counters(&self) -> impl Iterator<Item = (&str, &[(String, String)], f64)> {
        let counters = self.samples.iter().filter(|((name, _), _)| self.kinds[name] == "counter");
        counters.map(|((name, labels), value)| (name.as_str(), labels.as_slice(), *value))
    }
}

/// Reads a page; says what is wrong with it otherwise.
pub fn parse(text: &str) -> Result<Exposition, String> {
    let mut page = Exposition::default();
    let mut helped = BTreeSet::new();
    let mut family = String::new();
    if !text.ends_with('\n') {
        return Err("the last line doesn't end".to_owned());
    }
    for line in text.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, help) = help.split_once(' ').ok_or_else(|| format!("no help: {line}"))?;
            if help.is_empty() || !helped.insert(name.to_owned()) {
                return Err(format!("a family's help is empty or comes twice: {line}"));
            }
        } else if let Some(kind) = line.strip_prefix("# TYPE ") {
            let (name, kind) = kind.split_once(' ').ok_or_else(|| format!("no type: {line}"))?;
            if !helped.contains(name) || !is_name(name) {
                return Err(format!("a type without a help before it, or of no name: {line}"));
            }
            if !["counter", "gauge", "untyped"].contains(&kind) || (kind == "counter") != name.ends_with("_total") {
                return Err(format!("a counter's name, and no other, ends in _total: {line}"));
            }
            if page.kinds.insert(name.to_owned(), kind.to_owned()).is_some() {
                return Err(format!("a family comes twice: {line}"));
            }
            name.clone_into(&mut family);
        } else {
            let (name, labels, value) = sample(line).ok_or_else(|| format!("no sample: {line}"))?;
            if name != family {
                return Err(format!("a sample outside of its family, which is {family}: {line}"));
            }
            if page.kinds[&name] == "counter" && !(value.is_finite() && value >= 0.0) {
                return Err(format!("a counter that counts nothing: {line}"));
            }
            if page.samples.insert((name, labels), value).is_some() {
                return Err(format!("a sample comes twice: {line}"));
            }
        }
    }
    Ok(page)
}

type Sample = (String, Vec<(String, String)>, f64);

fn sample(line: &str) -> Option<Sample> {
    let end = line.find(['{', ' '])?;
    let (name, mut rest) = line.split_at(end);
    let mut labels = Vec::new();
    if let Some(inner) = rest.strip_prefix('{') {
        rest = inner;
        loop {
            let (label, quoted) = rest.split_once("=\"")?;
            let (value, after) = unquoted(quoted)?;
            labels.push((label.to_owned(), value));
            if !is_name(label) || label.contains(':') {
                return None;
            }
            match after.chars().next()? {
                ',' => rest = &after[1..],
                '}' => {
                    rest = &after[1..];
                    break;
                }
                _ => return None,
            }
        }
    }
    labels.sort();
    if labels.windows(2).any(|pair| pair[0].0 == pair[1].0) || !is_name(name) {
        return None;
    }
    Some((name.to_owned(), labels, rest.strip_prefix(' ')?.parse().ok()?))
}

/// A text up to its closing quote, and what is after it.
fn unquoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => value.push(match characters.next()?.1 {
                'n' => '\n',
                escaped @ ('"' | '\\') => escaped,
                _ => return None,
            }),
            '\n' => return None,
            character => value.push(character),
        }
    }
    None
}

fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | ':'))
}
