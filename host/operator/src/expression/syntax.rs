//! From a text to a syntax tree in which every name is known and nothing is refused.

use std::ops::ControlFlow;

use arrow_schema::Schema;
use datafusion_sql::sqlparser::ast::{Expr, Function, FunctionArguments, Ident, Query, Value, ValueWithSpan, Visit, Visitor};
use datafusion_sql::sqlparser::dialect::GenericDialect;
use datafusion_sql::sqlparser::keywords::Keyword;
use datafusion_sql::sqlparser::parser::{Parser, ParserError};
use datafusion_sql::sqlparser::tokenizer::{Location, Token, TokenWithSpan, Tokenizer};

use super::catalogue::{Catalogue, Known};
use super::cause::lower_first;
use super::problem::{ExpressionProblem, nearest};

/// The most words, numbers and signs of a text.
const MOST_TOKENS: usize = 4096;
/// The deepest nesting of parentheses, `case` and signs.
const DEEPEST_BRACKETS: usize = 50;
/// The most parts of a name that points join, as `a.b.c`: the parser tries ever so many ways to read them, twice as many for each more.
const MOST_PARTS: usize = 10;
/// The heaviest way down a tree, by [`weight`]. Planning and computing recurse: this much takes less than 1 MiB of stack, and
/// threads have 2 or more.
const HEAVIEST: usize = 256;

/// Words that SQL takes for functions without parentheses.
const BARE_FUNCTIONS: &[Keyword] = &[
    Keyword::CURRENT_CATALOG,
    Keyword::CURRENT_DATE,
    Keyword::CURRENT_TIME,
    Keyword::CURRENT_TIMESTAMP,
    Keyword::CURRENT_USER,
    Keyword::LOCALTIME,
    Keyword::LOCALTIMESTAMP,
    Keyword::SESSION_USER,
    Keyword::USER,
];

/// Reads a text as one SQL expression over these columns. Names aren't looked at, but for those that SQL would take for functions
/// without parentheses, as `user`: where there is such a column, it is the column that is meant.
pub(crate) fn parse(text: &str, schema: &Schema) -> Result<Expr, ExpressionProblem> {
    let dialect = GenericDialect {};
    let mut tokens = Tokenizer::new(&dialect, text)
        .tokenize_with_location()
        .map_err(|error| syntax_problem(text, &ParserError::from(error)))?;
    for token in &mut tokens {
        if let Token::Word(word) = &mut token.token
            && word.quote_style.is_none()
            && BARE_FUNCTIONS.contains(&word.keyword)
            && schema.column_with_name(&word.value).is_some()
        {
            (word.quote_style, word.keyword) = (Some('"'), Keyword::NoKeyword);
        }
    }
    let meant: Vec<&TokenWithSpan> =
        tokens.iter().filter(|token| !matches!(token.token, Token::Whitespace(_) | Token::EOF)).collect();
    if meant.is_empty() {
        return Err(ExpressionProblem::new("syntax", "expected an expression, found nothing"));
    }
    if meant.len() > MOST_TOKENS {
        let message = format!("an expression has at most {MOST_TOKENS} words and signs, found {}", meant.len());
        return Err(ExpressionProblem::new("syntax", message));
    }
    if brackets(&meant) > DEEPEST_BRACKETS {
        return Err(too_deep());
    }
    let parts = parts(&meant);
    if parts > MOST_PARTS {
        let message = format!("a name has at most {MOST_PARTS} parts with points between them, found one of {parts}");
        return Err(ExpressionProblem::new("syntax", message));
    }
    let mut parser = Parser::new(&dialect).with_recursion_limit(2 * DEEPEST_BRACKETS).with_tokens_with_locations(tokens);
    let expression = parser.parse_expr().map_err(|error| syntax_problem(text, &error))?;
    let next = parser.next_token();
    if next.token != Token::EOF {
        let message = format!("expected the end of the expression, found `{}`", next.token);
        return Err(ExpressionProblem::new("syntax", message).at(offset(text, next.span.start)));
    }
    let mut weights = Vec::new();
    let mut measure = |step: Walked<'_>| {
        match step {
            Walked::Into(expression) => weights.push(weight(expression)),
            Walked::OutOf => drop(weights.pop()),
            Walked::Query | Walked::Value(_) => {}
        }
        if weights.iter().sum::<usize>() > HEAVIEST { Err(too_deep()) } else { Ok(()) }
    };
    walk(&expression, &mut measure)?;
    Ok(expression)
}

/// How much stack a level of a tree takes, in units of some 3 KiB.
fn weight(expression: &Expr) -> usize {
    match expression {
        Expr::BinaryOp { .. } => 1,
        Expr::Nested(_) => 2,
        Expr::Function(_) => 5,
        _ => 4,
    }
}

/// Looks up every name of an expression over these columns, and refuses what isn't a matter of one row.
pub(crate) fn check(expression: &Expr, text: &str, schema: &Schema) -> Result<(), ExpressionProblem> {
    let names = Names { text, schema };
    walk(expression, &mut |step| names.check(step))
}

/// A step on the way through a syntax tree.
pub(crate) enum Walked<'a> {
    /// Down to an expression.
    Into(&'a Expr),
    /// Up again.
    OutOf,
    /// A query is met.
    Query,
    /// A literal is met.
    Value(&'a ValueWithSpan),
}

/// Goes through a syntax tree until `each` gives an error.
pub(crate) fn walk(
    expression: &Expr,
    each: &mut dyn FnMut(Walked<'_>) -> Result<(), ExpressionProblem>,
) -> Result<(), ExpressionProblem> {
    match expression.visit(&mut Walk { each }) {
        ControlFlow::Break(problem) => Err(problem),
        ControlFlow::Continue(()) => Ok(()),
    }
}

/// The one visitor: every other one would make the compiler go through the whole of SQL again.
struct Walk<'a> {
    each: &'a mut dyn FnMut(Walked<'_>) -> Result<(), ExpressionProblem>,
}

impl Walk<'_> {
    fn step(&mut self, step: Walked<'_>) -> ControlFlow<ExpressionProblem> {
        match (self.each)(step) {
            Ok(()) => ControlFlow::Continue(()),
            Err(problem) => ControlFlow::Break(problem),
        }
    }
}

impl Visitor for Walk<'_> {
    type Break = ExpressionProblem;

    fn pre_visit_expr(&mut self, expression: &Expr) -> ControlFlow<Self::Break> {
        self.step(Walked::Into(expression))
    }

    fn post_visit_expr(&mut self, _: &Expr) -> ControlFlow<Self::Break> {
        self.step(Walked::OutOf)
    }

    fn pre_visit_query(&mut self, _: &Query) -> ControlFlow<Self::Break> {
        self.step(Walked::Query)
    }

    fn pre_visit_value(&mut self, value: &ValueWithSpan) -> ControlFlow<Self::Break> {
        self.step(Walked::Value(value))
    }
}

/// Where a place in a text is, in bytes from 0. Lines and columns count characters from 1, and 0 is no place.
pub(crate) fn offset(text: &str, place: Location) -> Option<usize> {
    let line = usize::try_from(place.line).ok()?.checked_sub(1)?;
    let column = usize::try_from(place.column).ok()?.checked_sub(1)?;
    let start: usize = text.split_inclusive('\n').take(line).map(str::len).sum();
    let within: usize = text[start..].chars().take(column).map(char::len_utf8).sum();
    Some(start + within)
}

/// `… at Line: 1, Column: 7` is taken out of the parser's message and becomes the position.
fn syntax_problem(text: &str, error: &ParserError) -> ExpressionProblem {
    let said = match error {
        ParserError::RecursionLimitExceeded => return too_deep(),
        ParserError::TokenizerError(said) | ParserError::ParserError(said) => said,
    };
    let (message, place) = said.split_once(" at Line: ").unwrap_or((said, ""));
    let place = place.split_once(", Column: ").and_then(|(line, column)| {
        let column = column.trim().split(|c: char| !c.is_ascii_digit()).next()?;
        Some(Location { line: line.trim().parse().ok()?, column: column.parse().ok()? })
    });
    let position = if message.ends_with("found: EOF") { Some(text.len()) } else { place.and_then(|place| offset(text, place)) };
    let message = match message.split_once(", found: ") {
        Some((expected, "EOF")) => format!("{}, found the end", expected.replacen("Expected: ", "expected ", 1)),
        Some((expected, found)) => format!("{}, found `{found}`", expected.replacen("Expected: ", "expected ", 1)),
        None => lower_first(message),
    };
    ExpressionProblem::new("syntax", message).at(position)
}

fn too_deep() -> ExpressionProblem {
    let message = "the expression is nested too deeply; `in (…)` or two operators one after the other may do the same";
    ExpressionProblem::new("syntax", message)
}

/// How deep parentheses, `case … end` and signs one after the other (`not not …`) are nested.
fn brackets(tokens: &[&TokenWithSpan]) -> usize {
    let (mut open, mut signs, mut deepest) = (0usize, 0, 0);
    for token in tokens {
        let keyword = if let Token::Word(word) = &token.token { Some(word.keyword) } else { None };
        signs = match (&token.token, keyword) {
            (Token::Minus | Token::Plus, _) | (_, Some(Keyword::NOT)) => signs + 1,
            _ => 0,
        };
        match (&token.token, keyword) {
            (Token::LParen, _) | (_, Some(Keyword::CASE)) => open += 1,
            (Token::RParen, _) | (_, Some(Keyword::END)) => open = open.saturating_sub(1),
            _ => {}
        }
        // One sign may as well stand between two operands.
        deepest = deepest.max(open + usize::saturating_sub(signs, 1));
    }
    deepest
}

/// How many parts the longest name has whose parts points join; brackets behind a part, as of a call, don't end it.
fn parts(tokens: &[&TokenWithSpan]) -> usize {
    let (mut parts, mut longest, mut after_point) = (1, 1, true);
    for token in tokens {
        match &token.token {
            Token::Period => (parts, after_point) = (parts + 1, true),
            Token::LParen | Token::LBracket => after_point = true,
            Token::RParen | Token::RBracket => after_point = false,
            Token::Word(_) | Token::Number(..) if after_point => after_point = false,
            _ => (parts, after_point) = (1, !matches!(token.token, Token::Word(_) | Token::Number(..))),
        }
        longest = longest.max(parts);
    }
    longest
}

struct Names<'a> {
    text: &'a str,
    schema: &'a Schema,
}

impl Names<'_> {
    fn position(&self, ident: &Ident) -> Option<usize> {
        offset(self.text, ident.span.start)
    }

    fn column(&self, ident: &Ident) -> Result<(), ExpressionProblem> {
        let known = self.schema.index_of(&ident.value).is_ok();
        let problem = match (known, ident.quote_style) {
            (true, None) if ident.value.starts_with('@') => ExpressionProblem::new(
                "syntax",
                format!("a column whose name starts with @ is written in double quotes: \"{}\"", ident.value),
            ),
            (true, _) => return Ok(()),
            (false, Some('"')) => {
                let mut problem = ExpressionProblem::unknown_column(&ident.value, self.schema);
                problem.message.push_str("; text is written in single quotes");
                problem
            }
            (false, _) => ExpressionProblem::unknown_column(&ident.value, self.schema),
        };
        Err(problem.at(self.position(ident)))
    }

    fn parts(&self, idents: &[Ident]) -> ExpressionProblem {
        let name = idents.iter().map(|ident| ident.value.as_str()).collect::<Vec<_>>().join(".");
        let message =
            format!("`{name}`: columns have no parts; a column whose name has a dot is written in double quotes: \"{name}\"");
        ExpressionProblem::new("unknown-column", message).at(idents.first().and_then(|ident| self.position(ident)))
    }

    fn function(&self, function: &Function) -> Result<(), ExpressionProblem> {
        let name = function.name.to_string();
        let position = function.name.0.first().and_then(|part| part.as_ident()).and_then(|ident| self.position(ident));
        let refuse = |code, message: String| Err(ExpressionProblem::new(code, message).at(position));
        if function.over.is_some() {
            return refuse("refused", format!("`{name}(…) over (…)` is about many rows; an expression is about one"));
        }
        let catalogue = Catalogue::get();
        match catalogue.look_up(&name) {
            Known::Volatile => {
                return refuse(
                    "refused",
                    format!("`{name}()` is refused: it gives another result when a row is processed again"),
                );
            }
            Known::Aggregate => {
                return refuse(
                    "refused",
                    format!("`{name}` is an aggregate function, and an expression is about one row; it goes into `aggregate`"),
                );
            }
            Known::Unknown => {
                let problem = ExpressionProblem::new("unknown-function", format!("unknown function `{name}`"));
                return Err(problem.suggest(nearest(&name, catalogue.names())).at(position));
            }
            Known::Function => {}
        }
        let extras = match &function.args {
            FunctionArguments::List(list) => list.duplicate_treatment.is_some() || !list.clauses.is_empty(),
            FunctionArguments::None | FunctionArguments::Subquery(_) => false,
        };
        if extras || function.filter.is_some() || function.null_treatment.is_some() || !function.within_group.is_empty() {
            return refuse(
                "syntax",
                format!("`{name}` takes arguments only: distinct, filter, order by and the like are for aggregates"),
            );
        }
        Ok(())
    }

    fn check(&self, step: Walked<'_>) -> Result<(), ExpressionProblem> {
        match step {
            Walked::Into(Expr::Identifier(ident)) => self.column(ident),
            Walked::Into(Expr::CompoundIdentifier(idents)) => Err(self.parts(idents)),
            Walked::Into(Expr::Function(function)) => self.function(function),
            Walked::Into(Expr::Array(_)) => Err(ExpressionProblem::new("not-in-this-version", "lists are not in this version")),
            Walked::Query => {
                Err(ExpressionProblem::new("refused", "a subquery can't be used: an expression is about the columns of one row"))
            }
            Walked::Value(ValueWithSpan { value: Value::Placeholder(name), span }) => {
                let message =
                    format!("`{name}` stands for a value that nobody gives; ${{NAME}} in a job file comes from the environment");
                Err(ExpressionProblem::new("syntax", message).at(offset(self.text, span.start)))
            }
            Walked::Into(_) | Walked::OutOf | Walked::Value(_) => Ok(()),
        }
    }
}
