//! What to do about the YAML parser's messages that people meet.

/// Parts of messages, and what to do.
const ADVICE: &[(&str, &str)] = &[
    ("tabs", "indent with spaces"),
    ("mapping values are not allowed", "put a text with `: ` in it in quotes, and indent the keys of a mapping alike"),
    ("did not find expected key", "indent the keys of a mapping alike"),
    ("expected '-' indicator", "a mapping and a list can't stand at the same depth"),
    ("unknown anchor", "put a text that starts with `*` in quotes"),
    ("block scalar", "put a text that starts with `>` or `|` in quotes"),
    ("unexpected character", "put a text that starts with this character in quotes"),
    ("mapping keys are not allowed", "put a text that starts with `? ` in quotes"),
    ("found unexpected end of stream", "close the quotes"),
    ("trailing content after", "put all of the text in quotes"),
    ("unknown escape character", "write `\\\\` for a backslash, or use single quotes"),
    ("invalid Unicode character escape", "write the character itself"),
    ("flow mapping", "close each `{`, put commas between entries, and quotes around a text with `: ` in it"),
    ("flow sequence", "close each `[`, and put commas between items"),
    ("illegal placement of ':'", "close each `[` and `{` before the next key"),
    ("misplaced bracket", "this bracket closes nothing"),
];

/// What to do about a message of the parser.
pub fn advice(message: &str) -> Option<&'static str> {
    ADVICE.iter().find(|(part, _)| message.contains(part)).map(|(_, advice)| *advice)
}
