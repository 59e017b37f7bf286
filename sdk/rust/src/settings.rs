//! Settings: from JSON to the author's type, with errors that name the setting.

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::error::{Error, Result};

/// The settings of an operator that has none; any setting given is an error.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoSettings {}

/// Reads settings as the host hands them over. Nothing (`null`) is read as no settings.
pub(crate) fn parse<T: DeserializeOwned>(json: &str) -> Result<T> {
    let json = if json.trim() == "null" || json.trim().is_empty() { "{}" } else { json };
    let mut reader = serde_json::Deserializer::from_str(json);
    serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let path = error.path().to_string();
        let cause = error.into_inner().to_string();
        // Settings come as one line made by the host, so the position says nothing to its reader.
        let cause = cause.split(" at line ").next().unwrap_or_default();
        if path == "." { Error::fail(format!("settings: {cause}")) } else { Error::fail(format!("settings: {path}: {cause}")) }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "kebab-case")]
    struct Alert {
        felt_from: f64,
        #[serde(default)]
        limits: Vec<u32>,
    }

    fn refused<T: DeserializeOwned + std::fmt::Debug>(json: &str) -> String {
        parse::<T>(json).expect_err("settings that must be refused").message().to_owned()
    }

    #[test]
    fn a_wrong_setting_is_named() {
        assert_eq!(refused::<Alert>(r#"{"felt-from":"x"}"#), r#"settings: felt-from: invalid type: string "x", expected f64"#);
        assert_eq!(
            refused::<Alert>(r#"{"felt-from":1,"limits":[1,-2]}"#),
            "settings: limits[1]: invalid value: integer `-2`, expected u32"
        );
        assert_eq!(refused::<Alert>("{}"), "settings: missing field `felt-from`");
    }

    #[test]
    fn no_settings_may_be_left_out_but_not_made_up() {
        assert!(parse::<NoSettings>("null").is_ok());
        assert!(parse::<NoSettings>("{}").is_ok());
        assert_eq!(refused::<NoSettings>(r#"{"felt":1}"#), "settings: felt: unknown field `felt`, there are no fields");
    }

    #[test]
    fn settings_are_read() {
        let alert: Alert = parse(r#"{"felt-from":2.5,"limits":[3]}"#).expect("settings");
        assert_eq!((alert.felt_from, alert.limits), (2.5, vec![3]));
    }
}
