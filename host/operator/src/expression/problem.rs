//! Why a text is no expression over some columns.

use arrow_schema::Schema;
use strsim::normalized_damerau_levenshtein;

/// Why a text can't be used, found before anything runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpressionProblem {
    /// A stable code: `unknown-column`, `unknown-function`, `syntax`, `type`, `refused`, `not-in-this-version`, and of operators'
    /// definitions `duplicate-column`, `no-columns`.
    pub code: &'static str,
    /// What was found and what was expected.
    pub message: String,
    /// The name that was meant, probably.
    pub suggestion: Option<String>,
    /// Where in the text, in bytes from 0; none where it is about the whole.
    pub position: Option<usize>,
    /// The column that isn't there, for `unknown-column`.
    pub column: Option<String>,
}

/// The most names that a message lists.
const LISTED: usize = 20;

impl ExpressionProblem {
    pub(crate) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), suggestion: None, position: None, column: None }
    }

    pub(crate) fn at(self, position: Option<usize>) -> Self {
        Self { position: position.or(self.position), ..self }
    }

    pub(crate) fn suggest(self, suggestion: Option<String>) -> Self {
        Self { suggestion, ..self }
    }

    pub(crate) fn unknown_column(name: &str, schema: &Schema) -> Self {
        let names = || schema.fields().iter().map(|field| field.name().as_str());
        let mut listed: Vec<String> = names().take(LISTED).map(|name| format!("`{name}`")).collect();
        if schema.fields().len() > LISTED {
            listed.push(format!("and {} more", schema.fields().len() - LISTED));
        }
        let listed = listed.join(", ");
        let problem = Self::new("unknown-column", format!("unknown column `{name}`; there are {listed}"));
        Self { column: Some(name.to_owned()), ..problem.suggest(nearest(name, names())) }
    }
}

impl std::fmt::Display for ExpressionProblem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)?;
        match &self.suggestion {
            Some(suggestion) => write!(f, " (did you mean `{suggestion}`?)"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for ExpressionProblem {}

/// The name most like `found`, ignoring case, where one is like it at all.
pub(crate) fn nearest<'a>(found: &str, names: impl Iterator<Item = &'a str>) -> Option<String> {
    let found = found.to_lowercase();
    names
        .map(|name| (normalized_damerau_levenshtein(&found, &name.to_lowercase()), name))
        .filter(|(likeness, _)| *likeness >= 0.5)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, name)| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_a_likely_one_or_none() {
        let names = ["mag", "place", "felt"];
        assert_eq!(nearest("magg", names.into_iter()), Some("mag".to_owned()));
        assert_eq!(nearest("Mag", names.into_iter()), Some("mag".to_owned()));
        assert_eq!(nearest("palce", names.into_iter()), Some("place".to_owned()));
        assert_eq!(nearest("depth", names.into_iter()), None);
    }
}
