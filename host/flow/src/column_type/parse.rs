//! Reads the name of a type.

use std::collections::HashSet;

use arrow_schema::DataType;

use super::{DEEPEST, TIMESTAMP, TypeError, list_of, struct_of};

/// Reads a type, which is all of the text but space around it.
pub(super) fn parse(written: &str) -> Result<DataType, TypeError> {
    let mut reader = Reader { written, at: 0 };
    let data_type = reader.data_type(0)?;
    if reader.next().is_some() {
        return Err(reader.expected("the end of the type"));
    }
    Ok(data_type)
}

/// Whether a character ends the name of a struct's field that isn't in quotes.
pub(super) fn ends_a_name(character: char) -> bool {
    character.is_whitespace() || character.is_control() || matches!(character, ':' | ',' | '<' | '>' | '(' | ')' | '"')
}

struct Reader<'a> {
    written: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        &self.written[self.at..]
    }

    /// The next character that is no space, which isn't taken.
    fn next(&mut self) -> Option<char> {
        self.at = self.written.len() - self.rest().trim_start().len();
        self.rest().chars().next()
    }

    /// Takes a character that must come now.
    fn take(&mut self, character: char, expected: &str) -> Result<(), TypeError> {
        if self.next() != Some(character) {
            return Err(self.expected(expected));
        }
        self.at += character.len_utf8();
        Ok(())
    }

    fn data_type(&mut self, depth: usize) -> Result<DataType, TypeError> {
        self.next();
        let start = self.at;
        let word = self.word();
        let opens = self.rest().starts_with('<');
        if matches!(word, "list" | "struct") && opens && depth == DEEPEST {
            self.at = start;
            return Err(self.wrong(format!("`{word}` within {DEEPEST} others"), format!("at most {DEEPEST} within each other")));
        }
        match word {
            "list" if opens => self.list(depth),
            "struct" if opens => self.fields(depth),
            "list" => Err(self.expected("`<` and the type of the items: list<T>")),
            "struct" => Err(self.expected("`<` and the fields: struct<a: T, b: T>")),
            "" => Err(self.expected("a type")),
            _ if word.ends_with("not null") && depth > 0 => {
                self.at = start + word.len() - "not null".len();
                Err(self
                    .wrong("`not null`".to_owned(), "a type alone: items of lists and fields of structs may be null".to_owned()))
            }
            _ => scalar(word, start),
        }
    }

    /// Takes a name, with parentheses and what is within them.
    fn word(&mut self) -> &'a str {
        let mut open = 0_usize;
        let ends = |character: char| {
            match character {
                '(' => open += 1,
                ')' => open = open.saturating_sub(1),
                _ => {}
            }
            open == 0 && matches!(character, '<' | '>' | ',')
        };
        let word = &self.rest()[..self.rest().find(ends).unwrap_or(self.rest().len())];
        self.at += word.len();
        word.trim_end()
    }

    fn list(&mut self, depth: usize) -> Result<DataType, TypeError> {
        self.at += 1;
        let item = self.data_type(depth + 1)?;
        self.take('>', "`>` behind the type of the items")?;
        Ok(list_of(item))
    }

    fn fields(&mut self, depth: usize) -> Result<DataType, TypeError> {
        self.at += 1;
        let mut fields = Vec::new();
        let mut names = HashSet::new();
        loop {
            self.next();
            let start = self.at;
            let name = self.name()?;
            if !names.insert(name.clone()) {
                self.at = start;
                return Err(self.wrong(format!("`{name}` again"), "fields of different names".to_owned()));
            }
            self.take(':', "`:` and a type behind the name of a field")?;
            fields.push((name, self.data_type(depth + 1)?));
            if self.next() == Some(',') {
                self.at += 1;
                continue;
            }
            self.take('>', "`,` or `>` behind the type of a field")?;
            return Ok(struct_of(fields.iter().map(|(name, data_type)| (name.as_str(), data_type.clone()))));
        }
    }

    /// Takes the name of a field.
    fn name(&mut self) -> Result<String, TypeError> {
        if let Some(quoted) = self.rest().strip_prefix('"') {
            let mut name = String::new();
            let mut rest = quoted;
            loop {
                let Some((part, behind)) = rest.split_once('"') else {
                    self.at = self.written.len();
                    return Err(self.expected("the `\"` that ends the name of a field"));
                };
                name.push_str(part);
                let Some(more) = behind.strip_prefix('"') else {
                    self.at = self.written.len() - behind.len();
                    return Ok(name);
                };
                name.push('"');
                rest = more;
            }
        }
        let name = &self.rest()[..self.rest().find(ends_a_name).unwrap_or(self.rest().len())];
        if name.is_empty() {
            return Err(self.expected("the name of a field"));
        }
        self.at += name.len();
        Ok(name.to_owned())
    }

    /// That what comes now isn't what was expected.
    fn expected(&mut self, expected: &str) -> TypeError {
        let found = match self.next() {
            Some(found) => format!("`{found}`"),
            None => "its end".to_owned(),
        };
        self.wrong(found, expected.to_owned())
    }

    fn wrong(&self, found: String, expected: String) -> TypeError {
        TypeError::Parts { written: self.written.trim().to_owned(), found, expected, at: self.at }
    }
}

fn scalar(written: &str, at: usize) -> Result<DataType, TypeError> {
    Ok(match written {
        "boolean" => DataType::Boolean,
        "int32" => DataType::Int32,
        "int64" => DataType::Int64,
        "uint64" => DataType::UInt64,
        "float32" => DataType::Float32,
        "float64" => DataType::Float64,
        "date" => DataType::Date32,
        "timestamp" => TIMESTAMP,
        "utf8" => DataType::Utf8View,
        "binary" => DataType::BinaryView,
        other => match other.strip_prefix("decimal") {
            Some(arguments) => decimal(arguments).ok_or_else(|| TypeError::Decimal { found: other.to_owned(), at })?,
            None => return Err(TypeError::Unknown { found: other.to_owned(), at }),
        },
    })
}

fn decimal(arguments: &str) -> Option<DataType> {
    let (precision, scale) = arguments.trim().strip_prefix('(')?.strip_suffix(')')?.split_once(',')?;
    let (precision, scale) = (precision.trim().parse::<u8>().ok()?, scale.trim().parse::<u8>().ok()?);
    let fits = (1..=38).contains(&precision) && scale <= precision;
    fits.then_some(DataType::Decimal128(precision, i8::try_from(scale).ok()?))
}
