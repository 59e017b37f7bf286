//! The pages of a visit in the order in which they were seen: a window function, for sessions above all.

#[cfg(test)]
mod tests;

use serde::Deserialize;
use wasmill_sdk::{Error, Given, Record, Result, Timestamp, Window, WindowFunction};

/// A page that was seen.
#[derive(Record)]
pub struct View<'a> {
    time: Timestamp,
    page: &'a str,
}

/// A visit.
#[derive(Record, Debug, PartialEq)]
pub struct Visit<'a> {
    first_page: &'a str,
    last_page: &'a str,
    pages: i64,
    path: &'a str,
}

/// What a job may set.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Settings {
    /// What stands between two pages of the path.
    #[serde(default = "arrow")]
    between: String,
    /// Visits of fewer pages are left out.
    #[serde(default = "one")]
    least_pages: usize,
}

fn arrow() -> String {
    " > ".to_owned()
}

fn one() -> usize {
    1
}

/// The function.
pub struct VisitPath(Settings);

impl WindowFunction for VisitPath {
    type Input<'a> = View<'a>;
    type Output = Visit<'static>;
    type Settings = Settings;

    fn open(settings: Settings) -> Result<Self> {
        if settings.between.is_empty() {
            return Err(Error::fail("settings: between: expected a text that tells pages apart, found nothing"));
        }
        Ok(Self(settings))
    }

    fn fire<'a>(&mut self, window: &Window<'a, View<'a>>, given: &mut Given<Visit<'static>>) -> Result<()> {
        if window.len() < self.0.least_pages {
            return Ok(());
        }
        let mut views: Vec<View> = window.rows().collect();
        // Rows come as they arrive; those of one moment stay in that order.
        views.sort_by_key(|view| view.time);
        let pages: Vec<&str> = views.iter().map(|view| view.page).collect();
        let path = pages.join(&self.0.between);
        given.row(Visit { first_page: pages[0], last_page: pages[pages.len() - 1], pages: pages.len() as i64, path: &path });
        Ok(())
    }
}

wasmill_sdk::export_window!(VisitPath);
