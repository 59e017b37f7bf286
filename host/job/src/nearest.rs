//! The known name that was probably meant.

/// No more names than these are compared, so that a hostile file can't make this slow.
const MOST_COMPARED: usize = 1_000;
/// Longer names aren't compared.
const LONGEST: usize = 64;

/// The known name nearest to what was written: the same but for case, `-` and `_`, or else at most a third of its letters away.
#[must_use]
pub fn nearest<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if written.len() > LONGEST {
        return None;
    }
    let folded = fold(written);
    let furthest = (written.chars().count() / 3).max(1);
    known
        .into_iter()
        .take(MOST_COMPARED)
        .filter(|name| name.len() <= LONGEST)
        .map(|name| match fold(name) == folded {
            true => (0, name),
            false => (strsim::osa_distance(written, name), name),
        })
        .filter(|(distance, name)| *distance <= furthest && *distance < name.chars().count())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

fn fold(name: &str) -> String {
    name.chars().filter(|letter| !matches!(letter, '-' | '_')).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_pen_is_understood() {
        assert_eq!(nearest("magg", ["net", "mag"]), Some("mag"));
        assert_eq!(nearest("keyBy", ["key-by", "filter"]), Some("key-by"));
        assert_eq!(nearest("fitler", ["key-by", "filter"]), Some("filter"));
        assert_eq!(nearest("x", ["a", "b"]), None);
        assert_eq!(nearest("completely", ["other"]), None);
    }
}
