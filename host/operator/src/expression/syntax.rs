//! From a text to a syntax tree in which every name is known and nothing is refused.

use std::ops::ControlFlow;

use arrow_schema::{DataType, Schema};
use datafusion_sql::sqlparser::ast::{
    AccessExpr, Expr, Function, FunctionArguments, Ident, Query, Subscript, Value, ValueWithSpan, Visit, Visitor,
};
use datafusion_sql::sqlparser::dialect::GenericDialect;
use datafusion_sql::sqlparser::keywords::Keyword;
use datafusion_sql::sqlparser::parser::{Parser, ParserError};
use datafusion_sql::sqlparser::tokenizer::{Location, Token, TokenWithSpan, Tokenizer};

use wasmill_flow::column_type;

use super::catalogue::{Catalogue, Known};
use super::cause::lower_first;
use super::problem::{ExpressionProblem, nearest};

/// The most words, numbers and signs of a text.
const MOST_TOKENS: usize = 4096;
/// The deepest nesting of parentheses, brackets, `case` and signs.
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
    let tokens = with_subscripts(tokens, schema);
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

/// The tokens with `a.b` as `a['b']` where `a` is a column, and `x[1].b` as `x[1]['b']`: the one way that parts are named in for what
/// comes after.
fn with_subscripts(tokens: Vec<TokenWithSpan>, schema: &Schema) -> Vec<TokenWithSpan> {
    let mut out: Vec<TokenWithSpan> = Vec::with_capacity(tokens.len());
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        let has_parts = match out.as_slice() {
            [.., TokenWithSpan { token: Token::Period, .. }, _] => false,
            [.., TokenWithSpan { token: Token::RBracket | Token::RParen, .. }] => true,
            [.., TokenWithSpan { token: Token::Word(word), .. }] => schema.column_with_name(&word.value).is_some(),
            _ => false,
        };
        let part =
            tokens.peek().and_then(|next| if let Token::Word(word) = &next.token { Some(word.value.clone()) } else { None });
        let (true, Token::Period, Some(part)) = (has_parts, &token.token, part) else {
            out.push(token);
            continue;
        };
        let span = tokens.next().map_or(token.span, |word| word.span);
        let tokens = [Token::LBracket, Token::SingleQuotedString(part), Token::RBracket];
        out.extend(tokens.into_iter().map(|token| TokenWithSpan { token, span }));
    }
    out
}

/// How much stack a level of a tree takes, in units of some 3 KiB.
fn weight(expression: &Expr) -> usize {
    match expression {
        Expr::CompoundFieldAccess { access_chain, .. } => 4 + 5 * access_chain.len(),
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

/// How deep parentheses, brackets, `case … end` and signs one after the other (`not not …`) are nested.
fn brackets(tokens: &[&TokenWithSpan]) -> usize {
    let (mut open, mut signs, mut deepest) = (0usize, 0, 0);
    for token in tokens {
        let keyword = if let Token::Word(word) = &token.token { Some(word.keyword) } else { None };
        signs = match (&token.token, keyword) {
            (Token::Minus | Token::Plus, _) | (_, Some(Keyword::NOT)) => signs + 1,
            _ => 0,
        };
        match (&token.token, keyword) {
            (Token::LParen | Token::LBracket | Token::LBrace, _) | (_, Some(Keyword::CASE)) => open += 1,
            (Token::RParen | Token::RBracket | Token::RBrace, _) | (_, Some(Keyword::END)) => open = open.saturating_sub(1),
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

/// A part that its value can't have.
fn wrong_access(way: &str, of: &DataType, part: Option<(&String, Option<usize>)>) -> ExpressionProblem {
    let is = format!("`{way}` is {}", column_type::name(of));
    let message = match (of, part) {
        (DataType::List(_), Some((part, _))) => format!("{is}, whose items have numbers, {way}[1] and on, and no field `{part}`"),
        (DataType::Struct(_), None) => format!("{is}, whose fields are taken by their names: {way}['name']"),
        (_, Some((part, _))) => {
            format!("{is}, which has no parts; a column whose name has a dot is written in double quotes: \"{way}.{part}\"")
        }
        (_, None) => format!("{is}, which has no items"),
    };
    ExpressionProblem::new("type", message)
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
        let message = format!(
            "`{name}`: there is no column with such parts; a column whose name has a dot is written in double quotes: \"{name}\""
        );
        ExpressionProblem::new("unknown-column", message).at(idents.first().and_then(|ident| self.position(ident)))
    }

    /// Follows `a['b'][1]` from a column on through its type, as far as that can be said.
    fn access(&self, root: &Expr, chain: &[AccessExpr]) -> Result<(), ExpressionProblem> {
        let Expr::Identifier(ident) = root else { return Ok(()) };
        let Ok(field) = self.schema.field_with_name(&ident.value) else { return Ok(()) };
        let (mut of, mut way) = (field.data_type(), ident.value.clone());
        for step in chain {
            let AccessExpr::Subscript(Subscript::Index { index }) = step else { return Ok(()) };
            let part = if let Expr::Value(ValueWithSpan { value: Value::SingleQuotedString(part), span }) = index {
                Some((part, offset(self.text, span.start)))
            } else {
                None
            };
            of = match (of, part) {
                (DataType::List(item), None) => item.data_type(),
                (DataType::Struct(fields), Some((part, position))) => match fields.find(part) {
                    Some((_, field)) => field.data_type(),
                    None => {
                        let names = || fields.iter().map(|field| field.name().as_str());
                        let listed = names().collect::<Vec<_>>().join(", ");
                        let message = format!("`{way}` has no field `{part}`; its fields are {listed}");
                        return Err(ExpressionProblem::new("type", message).suggest(nearest(part, names())).at(position));
                    }
                },
                (of, part) => return Err(wrong_access(&way, of, part).at(self.position(ident))),
            };
            way = format!("{way}[{index}]");
        }
        Ok(())
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
            Known::OfMaps => {
                return refuse("not-in-this-version", format!("`{name}` is about maps, which are not in this version"));
            }
            Known::HigherOrder => {
                let message = format!(
                    "`{name}` takes a function, which is not in this version; `unnest` makes a row of each item, and `array_agg` a list again"
                );
                return refuse("not-in-this-version", message);
            }
            Known::Unbounded => {
                let message = format!("`{name}` is refused: its list would be as long as a number in a row says");
                return refuse("refused", message);
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
            Walked::Into(Expr::CompoundFieldAccess { root, access_chain }) => self.access(root, access_chain),
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
