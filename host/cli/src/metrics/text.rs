//! Prometheus' text format, version 0.0.4: families of samples, each with its help and its type before it.

use std::fmt::Write;

/// What kind of figure a family has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It only grows. Its name ends in `_total`.
    Counter,
    /// It goes up and down.
    Gauge,
    /// Either.
    Untyped,
}

/// A text under construction.
#[derive(Debug, Default)]
pub struct Text {
    out: String,
    family: String,
}

impl Text {
    /// Begins a family; the samples that follow are its own.
    pub fn family(&mut self, name: &str, kind: Kind, help: &str) {
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Untyped => "untyped",
        };
        let help = help.replace('\\', "\\\\").replace('\n', "\\n");
        let _ = write!(self.out, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
        name.clone_into(&mut self.family);
    }

    /// Adds a sample to the family.
    pub fn sample(&mut self, labels: &[(&str, &str)], value: f64) {
        self.out.push_str(&self.family);
        for (index, (name, text)) in labels.iter().enumerate() {
            let text = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            let _ = write!(self.out, "{}{name}=\"{text}\"", if index == 0 { '{' } else { ',' });
        }
        let end = if labels.is_empty() { "" } else { "}" };
        let value = match value {
            value if value.is_nan() => "NaN".to_owned(),
            f64::INFINITY => "+Inf".to_owned(),
            f64::NEG_INFINITY => "-Inf".to_owned(),
            value => value.to_string(),
        };
        let _ = writeln!(self.out, "{end} {value}");
    }

    /// The whole.
    #[must_use]
    pub fn into_string(self) -> String {
        self.out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_is_its_help_its_type_and_its_samples() {
        let mut text = Text::default();
        text.family("rows_total", Kind::Counter, "Rows\\s.");
        text.sample(&[("job", "a\"b\\c\nd"), ("operator", "x")], 12.0);
        text.sample(&[], 0.5);
        text.family("hot", Kind::Gauge, "Hot.");
        text.sample(&[], f64::INFINITY);
        assert_eq!(
            text.into_string(),
            "# HELP rows_total Rows\\\\s.\n# TYPE rows_total counter\nrows_total{job=\"a\\\"b\\\\c\\nd\",operator=\"x\"} 12\nrows_total 0.5\n\
             # HELP hot Hot.\n# TYPE hot gauge\nhot +Inf\n"
        );
    }
}
