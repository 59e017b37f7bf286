//! Names of jobs, sources, operators and sinks: `[a-z][a-z0-9_-]{0,62}`.

use crate::place::At;
use crate::problem::{Problems, code};
use crate::read::field::Field;

const A_NAME: &str = "a name: a letter a-z, then up to 62 of a-z, 0-9, _ and -";

/// Reads a name.
pub fn read(field: &Field<'_>, problems: &mut Problems) -> Option<At<String>> {
    let name = field.text(A_NAME, problems)?;
    check(&name, problems);
    Some(name)
}

/// Complains about a name that can't be one.
pub fn check(name: &At<String>, problems: &mut Problems) {
    if is_name(&name.value) {
        return;
    }
    let repaired: String = name.value.to_lowercase().chars().map(|c| if is_later(c) { c } else { '-' }).collect();
    let meant = is_name(&repaired).then_some(repaired.as_str());
    problems.error(code::INVALID_NAME, &name.spot).found(name.value.clone()).expected(A_NAME).meant(meant);
}

fn is_name(name: &str) -> bool {
    name.len() <= 63 && name.starts_with(|c: char| c.is_ascii_lowercase()) && name.chars().all(is_later)
}

fn is_later(c: char) -> bool {
    c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-')
}

#[cfg(test)]
mod tests {
    use super::is_name;

    #[test]
    fn names_are_those_of_the_contract() {
        for name in ["a", "a-b_c9", &"x".repeat(63)] {
            assert!(is_name(name), "{name}");
        }
        for name in ["", "A", "9a", "-a", "a.b", "a b", "é", &"x".repeat(64)] {
            assert!(!is_name(name), "{name}");
        }
    }
}
