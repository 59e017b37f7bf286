//! Where something was written, so that whatever is wrong with it can be shown.

/// Where something was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In the job file.
    File {
        /// Its line, from 1.
        line: usize,
        /// Its column in characters, from 1.
        column: usize,
    },
    /// In an option of the command line, as `--set`.
    Option(&'static str),
}

impl Place {
    /// The start of the job file.
    pub const START: Self = Self::File { line: 1, column: 1 };

    /// So many characters further on in the same line.
    #[must_use]
    pub fn right(self, characters: usize) -> Self {
        match self {
            Self::File { line, column } => Self::File { line, column: column + characters },
            Self::Option(_) => self,
        }
    }
}

/// A place and the dotted path of what stands there, as `operators.strong.filter`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spot {
    /// Where it was written.
    pub place: Place,
    /// Its path; empty for the whole file.
    pub path: String,
}

impl Spot {
    /// The whole file.
    #[must_use]
    pub fn root() -> Self {
        Self { place: Place::START, path: String::new() }
    }

    /// The value of a key below this.
    #[must_use]
    pub fn key(&self, key: &str, place: Place) -> Self {
        let path = if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) };
        Self { place, path }
    }

    /// An item of a list that stands here.
    #[must_use]
    pub fn item(&self, index: usize, place: Place) -> Self {
        Self { place, path: format!("{}[{index}]", self.path) }
    }
}

/// A value and where it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct At<T> {
    /// The value.
    pub value: T,
    /// Where it was written.
    pub spot: Spot,
}
