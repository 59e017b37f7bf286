//! One value of the tree, read as what it should be.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::document::{Node, Plain, Value};
use crate::measure;
use crate::nearest::nearest;
use crate::place::{At, Place, Spot};
use crate::problem::{Problems, code, one_of};

/// A value, its place and path, and the place of its key.
pub struct Field<'a> {
    pub node: &'a Node,
    pub spot: Spot,
    pub key_place: Place,
}

impl<'a> Field<'a> {
    /// Something with the place of this value.
    pub fn at<T>(&self, value: T) -> At<T> {
        At { value, spot: self.spot.clone() }
    }

    /// The path of this value with the place of its key.
    pub fn key_spot(&self) -> Spot {
        Spot { place: self.key_place, path: self.spot.path.clone() }
    }

    /// Whether it has keys.
    pub fn is_mapping(&self) -> bool {
        matches!(self.node.value, Value::Mapping(_))
    }

    /// Complains that this is not what was expected; not about a value that has been complained about already.
    pub fn wrong_type(&self, expected: &str, problems: &mut Problems) {
        if self.node.value != Value::Unknown {
            problems.error(code::WRONG_TYPE, &self.spot).found_to_be(self.node.describe()).expected(expected);
        }
    }

    /// A text that isn't empty.
    pub fn text(&self, expected: &str, problems: &mut Problems) -> Option<At<String>> {
        let Value::Scalar(scalar) = &self.node.value else {
            self.wrong_type(expected, problems);
            return None;
        };
        let is_text = scalar.substituted || matches!(scalar.resolve(), Plain::Text(_));
        if !is_text {
            let problem = problems.error(code::WRONG_TYPE, &self.spot).found_to_be(self.node.describe()).expected(expected);
            if !scalar.text.is_empty() {
                problem.advice(format!("put it in quotes: \"{}\"", scalar.text));
            }
            return None;
        }
        if scalar.text.is_empty() {
            problems.error(code::INVALID_VALUE, &self.spot).found_to_be("an empty text").expected(expected);
            return None;
        }
        Some(self.at(scalar.text.clone()))
    }

    /// An expression: a text, or a number or `true` without quotes.
    pub fn expression(&self, problems: &mut Problems) -> Option<At<String>> {
        let expected = "an SQL expression";
        match &self.node.value {
            Value::Scalar(scalar) if scalar.text.trim().is_empty() => {
                let problem = problems.error(code::WRONG_TYPE, &self.spot).found_to_be("nothing").expected(expected);
                if self.spot.path.ends_with(')') {
                    problem.advice("within { } a comma ends a value: put an expression with a comma in quotes");
                }
                None
            }
            Value::Scalar(scalar) => Some(self.at(scalar.text.clone())),
            _ => {
                self.wrong_type(expected, problems);
                None
            }
        }
    }

    /// One of some words, which stand for something. Those in `later` are not in this version.
    pub fn word<T: Copy>(&self, words: &[(&str, T)], later: &[&str], problems: &mut Problems) -> Option<T> {
        let names: Vec<&str> = words.iter().map(|(name, _)| *name).collect();
        let expected = one_of(&names);
        let text = self.text(&expected, problems)?.value;
        if let Some((_, meaning)) = words.iter().find(|(name, _)| *name == text) {
            return Some(*meaning);
        }
        if later.contains(&text.as_str()) {
            problems.error(code::NOT_IN_THIS_VERSION, &self.spot).found(text).expected(expected);
        } else {
            let meant = nearest(&text, names);
            problems.error(code::INVALID_VALUE, &self.spot).found(text).expected(expected).meant(meant);
        }
        None
    }

    /// `true` or `false`.
    pub fn flag(&self, problems: &mut Problems) -> Option<bool> {
        match &self.node.value {
            Value::Scalar(scalar) => match scalar.resolve() {
                Plain::Boolean(flag) => return Some(flag),
                _ => self.wrong_type("`true` or `false`", problems),
            },
            _ => self.wrong_type("`true` or `false`", problems),
        }
        None
    }

    /// A whole number in a range that the type can hold.
    pub fn integer<T: TryFrom<i128>>(&self, range: RangeInclusive<i128>, problems: &mut Problems) -> Option<T> {
        let expected = match (*range.start(), *range.end()) {
            (start, end) if end >= i128::from(i64::MAX) => match start {
                start if start <= i128::from(i64::MIN) => "a whole number".to_owned(),
                start => format!("a whole number of at least {start}"),
            },
            (start, end) => format!("a whole number from {start} to {end}"),
        };
        match &self.node.value {
            Value::Scalar(scalar) => match scalar.resolve() {
                Plain::Integer(value) if range.contains(&value) => return T::try_from(value).ok(),
                Plain::Integer(_) => {
                    problems.error(code::INVALID_VALUE, &self.spot).found(scalar.text.clone()).expected(expected);
                }
                _ => self.wrong_type(&expected, problems),
            },
            _ => self.wrong_type(&expected, problems),
        }
        None
    }

    /// A number, whole or not, that is greater than 0.
    pub fn positive_number(&self, problems: &mut Problems) -> Option<f64> {
        let number = match &self.node.value {
            Value::Scalar(scalar) => match scalar.resolve() {
                #[expect(clippy::cast_precision_loss, reason = "a rate needs no more than 53 bits")]
                Plain::Integer(value) => Some(value as f64),
                Plain::Float(value) => Some(value),
                _ => None,
            },
            _ => None,
        };
        let expected = "a number greater than 0";
        match number {
            Some(number) if number > 0.0 && number.is_finite() => Some(number),
            Some(_) => {
                problems.error(code::INVALID_VALUE, &self.spot).found_to_be(self.node.describe()).expected(expected);
                None
            }
            None => {
                self.wrong_type(expected, problems);
                None
            }
        }
    }

    /// A duration of at least `least`.
    pub fn duration(&self, least: Duration, problems: &mut Problems) -> Option<Duration> {
        let (text, duration) = self.measured(measure::A_DURATION, measure::parse_duration, problems)?;
        if duration < least {
            let expected = format!("a duration of at least {}", measure::show_duration(least));
            problems.error(code::INVALID_VALUE, &self.spot).found(text).expected(expected);
            return None;
        }
        Some(duration)
    }

    /// A size in bytes, from 1 to `most`.
    pub fn size(&self, most: u64, problems: &mut Problems) -> Option<u64> {
        let (text, size) = self.measured(measure::A_SIZE, measure::parse_size, problems)?;
        if !(1..=most).contains(&size) {
            let expected = format!("a size from 1B to {}", measure::show_size(most));
            problems.error(code::INVALID_VALUE, &self.spot).found(text).expected(expected);
            return None;
        }
        Some(size)
    }

    fn measured<T>(&self, expected: &str, parse: fn(&str) -> Option<T>, problems: &mut Problems) -> Option<(String, T)> {
        let Value::Scalar(scalar) = &self.node.value else {
            self.wrong_type(expected, problems);
            return None;
        };
        match parse(&scalar.text) {
            Some(value) => Some((scalar.text.clone(), value)),
            None if matches!(scalar.resolve(), Plain::Text(_)) => {
                problems.error(code::INVALID_VALUE, &self.spot).found(scalar.text.clone()).expected(expected);
                None
            }
            None => {
                self.wrong_type(expected, problems);
                None
            }
        }
    }

    /// The items of a list.
    pub fn items(&self, expected: &str, problems: &mut Problems) -> Option<Vec<Field<'a>>> {
        let Value::List(items) = &self.node.value else {
            self.wrong_type(expected, problems);
            return None;
        };
        let item =
            |(index, node): (usize, &'a Node)| Field { node, spot: self.spot.item(index, node.place), key_place: node.place };
        Some(items.iter().enumerate().map(item).collect())
    }

    /// A list of at least one text. `None` where an item is something else; all items are complained about.
    pub fn texts(&self, expected: &str, item: &str, problems: &mut Problems) -> Option<Vec<At<String>>> {
        let items = self.items(expected, problems)?;
        if items.is_empty() {
            problems.error(code::INVALID_VALUE, &self.spot).found_to_be("an empty list").expected(expected);
            return None;
        }
        let texts: Vec<_> = items.iter().map(|field| field.text(item, problems)).collect();
        texts.into_iter().collect()
    }
}
