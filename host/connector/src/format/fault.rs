//! What is wrong with a row.

/// The most characters of what was found that an error repeats.
const SHOWN: usize = 64;

/// What is wrong with a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// What was expected and what was found: `mag: expected float64, found "strong"`.
    pub reason: String,
    /// Where in the line, in bytes from 1, where that is known: the start of a value that is wrong, or the byte at which the line stops
    /// being JSON.
    pub column: Option<u64>,
    /// The field that is wrong, where it is one.
    pub field: Option<String>,
}

#[cold]
pub(crate) fn not_utf8(line: &[u8], error: &std::str::Utf8Error) -> Fault {
    let at = error.valid_up_to();
    let reason = format!("expected UTF-8, found the byte 0x{:02x}", line[at]);
    Fault { reason, column: Some(at as u64 + 1), field: None }
}

/// What was found, as far as a message repeats it.
pub(crate) fn shown(found: &str) -> String {
    match found.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &found[..end]),
        None => found.to_owned(),
    }
}
