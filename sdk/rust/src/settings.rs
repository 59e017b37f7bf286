//! Settings: from JSON to the author's type, with errors that name the setting.

mod error;
mod json;
mod reader;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::error::{Error, Result};

use json::Json;

/// The settings of an operator that has none; any setting given is an error.
///
/// ```
/// # use wasmill_sdk::*;
/// # #[derive(Record)] struct Row { n: i64 }
/// # #[derive(Operator)] struct It { seen: ValueState<i64> }
/// # impl Process for It {
/// #     type Input<'a> = Row;
/// #     type Output = Row;
/// #     type Settings = NoSettings;
/// #     fn open(_: NoSettings, _: &mut Open) -> Result<Self> { Ok(Self { seen: ValueState::new() }) }
/// #     fn process(&mut self, row: Row, cx: &mut Context<Self>) -> Result<()> { cx.emit(row); Ok(()) }
/// # }
/// // With `type Settings = NoSettings` a job can't set anything.
/// assert!(harness::Harness::<It, i64>::keyed(()).is_ok());
/// let refused = harness::Harness::<It, i64>::keyed(std::collections::BTreeMap::from([("felt", 1)])).unwrap_err();
/// assert_eq!(refused.message(), "settings: unknown setting `felt`, there are none");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoSettings {}

/// Reads settings as the host hands them over. Nothing (`null`) is read as no settings.
pub(crate) fn parse<T: DeserializeOwned>(json: &str) -> Result<T> {
    let settings = match serde_json::from_str(json) {
        Ok(Json::Null) => Json::Mapping(Vec::new()),
        Ok(settings) => settings,
        Err(error) => return Err(Error::fail(format!("settings: not JSON: {error}"))),
    };
    T::deserialize(reader::Reader::new(&settings)).map_err(|refused| Error::fail(refused.message()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "kebab-case")]
    struct Alert {
        felt_from: f64,
        #[serde(default)]
        limits: Vec<u32>,
        #[serde(default)]
        by: Option<Scale>,
        #[serde(default)]
        names: BTreeMap<String, Names>,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "kebab-case")]
    enum Scale {
        Mercalli,
        Richter { above: i32 },
        Own(f32, f32),
        Named(String),
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Names {
        short: char,
        long: bool,
    }

    fn refused<T: DeserializeOwned + std::fmt::Debug>(json: &str) -> String {
        parse::<T>(json).expect_err("settings that must be refused").message().to_owned()
    }

    #[test]
    fn a_wrong_setting_is_named() {
        assert_eq!(refused::<Alert>(r#"{"felt-from":"x"}"#), r#"settings: felt-from: found "x", expected f64"#);
        assert_eq!(refused::<Alert>(r#"{"felt-from":1,"limits":[1,-2]}"#), "settings: limits[1]: found -2, expected u32");
        assert_eq!(refused::<Alert>(r#"{"felt-from":1,"limits":[1.5]}"#), "settings: limits[0]: found a fraction, expected u32");
        assert_eq!(refused::<Alert>(r#"{"felt-from":1,"limits":{}}"#), "settings: limits: found a mapping, expected a sequence");
        assert_eq!(refused::<Alert>(r#"{"felt-from":true}"#), "settings: felt-from: found true, expected f64");
        assert_eq!(refused::<Alert>(r#"{"felt-from":null}"#), "settings: felt-from: found null, expected f64");
        let names = r#"{"felt-from":1,"names":{"eq":{"short":"q","long":true,"other":1}}}"#;
        assert_eq!(refused::<Alert>(names), "settings: names.eq: unknown setting `other`, expected one of `short`, `long`");
    }

    #[test]
    fn a_missing_setting_is_named() {
        assert_eq!(refused::<Alert>("{}"), "settings: missing setting `felt-from`");
        assert_eq!(refused::<Alert>("null"), "settings: missing setting `felt-from`");
        assert_eq!(refused::<Alert>(r#"{"felt-from":1,"by":{"richter":{}}}"#), "settings: by.richter: missing setting `above`");
    }

    #[test]
    fn settings_of_another_shape_are_refused() {
        assert_eq!(refused::<Alert>("7"), "settings: found 7, expected struct Alert");
        assert_eq!(
            refused::<Alert>(r#"{"felt-from":1,"by":"shaking"}"#),
            "settings: by: unknown choice `shaking`, expected one of `mercalli`, `richter`, `own`, `named`"
        );
        assert_eq!(
            refused::<Alert>(r#"{"felt-from":1,"by":{"own":[1]}}"#),
            "settings: by.own: found 1 items, expected tuple variant Scale::Own with 2 elements"
        );
        assert_eq!(
            refused::<Alert>(r#"{"felt-from":1,"by":{"mercalli":1}}"#),
            "settings: by.mercalli: found something, expected nothing"
        );
        assert!(refused::<Alert>("{").starts_with("settings: not JSON: "));
    }

    #[test]
    fn no_settings_may_be_left_out_but_not_made_up() {
        assert!(parse::<NoSettings>("null").is_ok());
        assert!(parse::<NoSettings>("{}").is_ok());
        assert_eq!(refused::<NoSettings>(r#"{"felt":1}"#), "settings: unknown setting `felt`, there are none");
    }

    #[test]
    fn settings_of_every_kind_are_read() {
        let json = r#"{"felt-from":2.5,"limits":[3],"by":{"richter":{"above":-4}},"names":{"eq":{"short":"q","long":true}}}"#;
        let names = BTreeMap::from([("eq".to_owned(), Names { short: 'q', long: true })]);
        let alert = Alert { felt_from: 2.5, limits: vec![3], by: Some(Scale::Richter { above: -4 }), names };
        assert_eq!(parse::<Alert>(json), Ok(alert));
        let by = |by: &str| parse::<Alert>(&format!(r#"{{"felt-from":1,"by":{by}}}"#)).expect("settings").by;
        assert_eq!(by(r#""mercalli""#), Some(Scale::Mercalli));
        assert_eq!(by(r#"{"own":[1,2.5]}"#), Some(Scale::Own(1.0, 2.5)));
        assert_eq!(by(r#"{"named":"x"}"#), Some(Scale::Named("x".into())));
        assert_eq!(by("null"), None);
    }
}
