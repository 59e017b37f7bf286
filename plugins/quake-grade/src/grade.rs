//! The usual names of magnitudes.

/// The name of a magnitude's class.
pub(crate) fn of(mag: f64) -> &'static str {
    match mag {
        ..2.0 => "micro",
        ..4.0 => "minor",
        ..5.0 => "light",
        ..6.0 => "moderate",
        ..7.0 => "strong",
        ..8.0 => "major",
        _ => "great",
    }
}

#[cfg(test)]
mod tests {
    use super::of;

    #[test]
    fn a_class_begins_at_its_lower_bound() {
        let classes: Vec<_> = [-0.5, 1.99, 2.0, 3.99, 4.0, 5.0, 6.0, 6.9, 7.0, 8.0, 9.5].map(of).into();
        let expected = ["micro", "micro", "minor", "minor", "light", "moderate", "strong", "strong", "major", "great", "great"];
        assert_eq!(classes, expected);
    }
}
