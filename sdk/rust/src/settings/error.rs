//! Why settings are refused. `serde_json`'s own error would bring two ways to print floats, 40 KiB, into every component.

use std::fmt::{self, Display};

use serde::de::{Expected, Unexpected};

/// What is wrong, and where.
#[derive(Debug)]
pub(crate) struct Refused {
    /// Names and places from the innermost out: `[3]`, `.limits`.
    path: Vec<String>,
    reason: String,
}

impl Refused {
    fn new(reason: String) -> Self {
        Self { path: Vec::new(), reason }
    }

    fn found(found: &str, expected: &dyn Expected) -> Self {
        Self::new(format!("found {found}, expected {expected}"))
    }

    /// The same, inside of `name`.
    pub(crate) fn inside(mut self, name: impl Into<String>) -> Self {
        self.path.push(name.into());
        self
    }

    /// The text for a person.
    pub(crate) fn message(&self) -> String {
        let mut text = String::from("settings: ");
        for part in self.path.iter().rev() {
            if !part.starts_with('[') && !text.ends_with(' ') {
                text.push('.');
            }
            text.push_str(part);
        }
        if !self.path.is_empty() {
            text.push_str(": ");
        }
        text.push_str(&self.reason);
        text
    }
}

impl Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message())
    }
}

impl std::error::Error for Refused {}

impl serde::de::Error for Refused {
    #[cold]
    fn custom<T: Display>(reason: T) -> Self {
        Self::new(reason.to_string())
    }

    #[cold]
    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        match found {
            Unexpected::Bool(value) => Self::found(if value { "true" } else { "false" }, expected),
            Unexpected::Unsigned(value) => Self::found(&value.to_string(), expected),
            Unexpected::Signed(value) => Self::found(&value.to_string(), expected),
            Unexpected::Float(_) => Self::found("a fraction", expected),
            Unexpected::Str(value) => Self::new(format!("found \"{value}\", expected {expected}")),
            Unexpected::Unit | Unexpected::Option => Self::found("null", expected),
            Unexpected::Seq => Self::found("a list", expected),
            Unexpected::Map => Self::found("a mapping", expected),
            _ => Self::found("another kind of value", expected),
        }
    }

    #[cold]
    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::invalid_type(found, expected)
    }

    #[cold]
    fn invalid_length(found: usize, expected: &dyn Expected) -> Self {
        Self::new(format!("found {found} items, expected {expected}"))
    }

    #[cold]
    fn unknown_variant(name: &str, expected: &'static [&'static str]) -> Self {
        Self::new(format!("unknown choice `{name}`, {}", one_of(expected)))
    }

    #[cold]
    fn unknown_field(name: &str, expected: &'static [&'static str]) -> Self {
        Self::new(format!("unknown setting `{name}`, {}", one_of(expected)))
    }

    #[cold]
    fn missing_field(name: &'static str) -> Self {
        Self::new(format!("missing setting `{name}`"))
    }

    #[cold]
    fn duplicate_field(name: &'static str) -> Self {
        Self::new(format!("setting `{name}` is given twice"))
    }
}

fn one_of(names: &[&str]) -> String {
    if names.is_empty() {
        return "there are none".to_owned();
    }
    let mut text = String::from(if names.len() == 1 { "expected " } else { "expected one of " });
    for (at, name) in names.iter().enumerate() {
        text.push_str(if at == 0 { "`" } else { ", `" });
        text.push_str(name);
        text.push('`');
    }
    text
}
