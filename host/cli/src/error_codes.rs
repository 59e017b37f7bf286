//! The codes of errors: what each means, an example that gives it, and what to do. There is one text of them, the guide's chapter.

use std::sync::LazyLock;

/// The guide's chapter on errors; below its heading `Codes` there is a section for each code.
const CHAPTER: &str = include_str!("../../../docs/guide/src/errors.md");

/// What is said of a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// The code, as it is printed.
    pub code: &'static str,
    /// What it means, in a line.
    pub title: &'static str,
    /// All of it, as Markdown.
    pub text: &'static str,
}

/// All pages, in the order of the chapter.
pub static PAGES: LazyLock<Vec<Page>> = LazyLock::new(|| pages(CHAPTER));

/// The page of a code.
#[must_use]
pub fn page(code: &str) -> Option<Page> {
    PAGES.iter().find(|page| page.code == code).copied()
}

fn pages(chapter: &'static str) -> Vec<Page> {
    let codes = chapter.split_once("\n## Codes\n").map_or("", |(_, codes)| codes);
    let section = |section: &'static str| {
        let (code, text) = section.split_once('\n')?;
        let text = text.trim_start_matches('\n');
        // Where codes are grouped, a group's heading ends the section before it.
        let text = text.split("\n## ").next().unwrap_or(text);
        Some(Page { code: code.trim_matches('`'), title: text.lines().next()?, text })
    };
    codes.split("\n### ").skip(1).filter_map(section).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_section_is_a_page() {
        let pages = pages("# E\n\n## Codes\n\nThey are:\n\n### a\n\nA thing.\n\nMore.\n\n## Group\n\n### `b`\n\nB.\n");
        assert_eq!(
            pages,
            [Page { code: "a", title: "A thing.", text: "A thing.\n\nMore.\n" }, Page { code: "b", title: "B.", text: "B.\n" }]
        );
    }
}
