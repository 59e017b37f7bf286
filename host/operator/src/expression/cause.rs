//! What DataFusion and Arrow say when something fails, in few plain words.

use arrow_schema::ArrowError;
use datafusion_common::DataFusionError;

/// The cause of a failure in one line, with the types' names that job files use.
pub(crate) fn cause(error: &DataFusionError) -> String {
    let said = match error.find_root() {
        DataFusionError::ArrowError(error, _) => arrow_cause(error),
        other => other.message().into_owned(),
    };
    plain(&said)
}

/// The same for an error of Arrow's own.
pub(crate) fn arrow_cause(error: &ArrowError) -> String {
    match error {
        ArrowError::DivideByZero => "divide by zero".to_owned(),
        ArrowError::ArithmeticOverflow(said) => {
            format!("overflow: {}", said.strip_prefix("Overflow happened on: ").unwrap_or(said))
        }
        ArrowError::CastError(said)
        | ArrowError::ParseError(said)
        | ArrowError::ComputeError(said)
        | ArrowError::InvalidArgumentError(said) => plain(said),
        ArrowError::ExternalError(error) => match error.downcast_ref::<DataFusionError>() {
            Some(error) => cause(error),
            None => plain(&error.to_string()),
        },
        other => plain(&other.to_string()),
    }
}

/// Arrow's names for the types of columns, and ours. `Utf8` is what a literal has.
const TYPES: &[(&str, &str)] = &[
    ("Timestamp(ms)", "timestamp"),
    ("Boolean", "boolean"),
    ("Int32", "int32"),
    ("Int64", "int64"),
    ("UInt64", "uint64"),
    ("Float32", "float32"),
    ("Float64", "float64"),
    ("Decimal128", "decimal"),
    ("Date32", "date"),
    ("Utf8View", "utf8"),
    ("LargeUtf8", "utf8"),
    ("Utf8", "utf8"),
    ("BinaryView", "binary"),
];

/// The first line, without the words that only name DataFusion's own parts, and with our names for types outside of quotes.
fn plain(said: &str) -> String {
    let line = said.lines().next().unwrap_or_default();
    let line = ["Error during planning: ", "This feature is not implemented: ", "Execution error: ", "Arrow error: "]
        .into_iter()
        .fold(line, |line, noise| line.trim_start_matches(noise));
    let line = line.split(" and sqlparser error").next().unwrap_or(line).trim_end_matches(['.', ' ']);
    lower_first(&rename(line))
}

/// Our names for Arrow's types, but not within quotes, which are around what the user wrote.
fn rename(line: &str) -> String {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    let mut quoted = false;
    while let Some(first) = rest.chars().next() {
        let within_word = out.ends_with(is_word);
        let known = TYPES.iter().find(|(arrow, _)| rest.strip_prefix(arrow).is_some_and(|after| !after.starts_with(is_word)));
        if let Some((arrow, ours)) = known.filter(|_| !quoted && !within_word) {
            out.push_str(ours);
            rest = &rest[arrow.len()..];
            continue;
        }
        // The quote of "can't" opens nothing.
        if first == '\'' && (quoted || !within_word) {
            quoted = !quoted;
        }
        out.push(first);
        rest = &rest[first.len_utf8()..];
    }
    out
}

/// A sentence goes on after a colon: its first letter is small, unless it is a name of capitals.
pub(crate) fn lower_first(said: &str) -> String {
    let word = said.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
    let mut letters = said.chars();
    match letters.next() {
        Some(first) if word.chars().skip(1).all(char::is_lowercase) => first.to_lowercase().chain(letters).collect(),
        _ => said.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_are_short_and_name_types_as_job_files_do() {
        assert_eq!(arrow_cause(&ArrowError::DivideByZero), "divide by zero");
        assert_eq!(arrow_cause(&ArrowError::ArithmeticOverflow("Overflow happened on: 1 + 2".to_owned())), "overflow: 1 + 2");
        let cast = ArrowError::CastError("Cannot cast string 'Int64 it is' to value of Int64 type".to_owned());
        assert_eq!(arrow_cause(&cast), "cannot cast string 'Int64 it is' to value of int64 type");
        let cast = ArrowError::CastError("Can't cast value 5 to type Int32".to_owned());
        assert_eq!(arrow_cause(&cast), "can't cast value 5 to type int32");
        assert_eq!(arrow_cause(&ArrowError::ComputeError("Int64Array overflow".to_owned())), "Int64Array overflow");
        let wrapped = ArrowError::ExternalError(Box::new(DataFusionError::Execution("Too UInt64 bad.\n more".to_owned())));
        assert_eq!(arrow_cause(&wrapped), "too uint64 bad");
    }
}
