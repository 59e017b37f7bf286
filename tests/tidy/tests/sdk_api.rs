//! What the SDK offered in its last release, it offers still, until its version says otherwise.
//!
//! `api/wasmill-sdk.txt` has a line for each thing that an author's code can depend on. A line that isn't there any more breaks that code;
//! more lines don't. What would break it as well is part of its line: the fields of a struct that can be written out, the variants of an enum
//! that can be matched as a whole, the functions that a trait asks for. Why not by `cargo-semver-checks`: docs/decisions/0007.
//!
//! With a release the lines are written anew: `WASMILL_TEST_ACCEPT=1 cargo test --release --workspace --test sdk_api`.

use std::collections::BTreeSet;
use std::fs;

use quote::{ToTokens, quote};
use syn::{Attribute, Fields, ImplItem, Item, ItemEnum, ItemImpl, ItemStruct, ItemTrait, TraitItem, Visibility};
use wasmill_tidy::{files, root, text};

/// Where the lines of the last release are; the first says which one.
const RELEASED: &str = "tests/tidy/api/wasmill-sdk.txt";
/// Generated of the contract, whose versions are its own.
const GENERATED: &str = "sdk/rust/src/bindings";

fn is_public(visibility: &Visibility) -> bool {
    matches!(visibility, Visibility::Public(_))
}

fn has(attributes: &[Attribute], name: &str) -> bool {
    attributes.iter().any(|attribute| attribute.path().is_ident(name))
}

/// Whether code behind this attribute is compiled for tests only.
fn is_test(attributes: &[Attribute]) -> bool {
    attributes
        .iter()
        .any(|attribute| attribute.path().is_ident("cfg") && attribute.to_token_stream().to_string().contains("test"))
}

/// One line, with single spaces.
fn line(tokens: impl ToTokens) -> String {
    tokens.into_token_stream().to_string().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What the items of a module offer, each behind the module's name.
fn offered(module: &str, items: &[Item], lines: &mut BTreeSet<String>) {
    let mut add = |text: String| {
        lines.insert(format!("{module}: {text}"));
    };
    for item in items {
        match item {
            Item::Fn(item) if is_public(&item.vis) => add(line(&item.sig)),
            Item::Const(item) if is_public(&item.vis) => {
                let (name, kind) = (&item.ident, &item.ty);
                add(line(quote!(const #name: #kind)));
            }
            Item::Type(item) if is_public(&item.vis) => {
                let (name, generics, aliased) = (&item.ident, &item.generics, &item.ty);
                add(line(quote!(type #name #generics = #aliased)));
            }
            Item::Use(item) if is_public(&item.vis) => add(format!("use {}", line(&item.tree))),
            Item::Mod(item) if is_public(&item.vis) && !is_test(&item.attrs) => add(format!("mod {}", item.ident)),
            Item::Macro(item) if has(&item.attrs, "macro_export") => {
                add(format!("macro {}", item.ident.as_ref().map(ToString::to_string).unwrap_or_default()));
            }
            Item::Struct(item) if is_public(&item.vis) => of_struct(item).into_iter().for_each(&mut add),
            Item::Enum(item) if is_public(&item.vis) => of_enum(item).into_iter().for_each(&mut add),
            Item::Trait(item) if is_public(&item.vis) => of_trait(item).into_iter().for_each(&mut add),
            Item::Impl(item) => of_impl(item).into_iter().for_each(&mut add),
            _ => {}
        }
    }
}

fn of_struct(item: &ItemStruct) -> Vec<String> {
    let (name, generics) = (&item.ident, &item.generics);
    let fields: Vec<String> = item
        .fields
        .iter()
        .enumerate()
        .filter(|(_, field)| is_public(&field.vis))
        .map(|(place, field)| {
            let name = field.ident.as_ref().map_or_else(|| place.to_string(), ToString::to_string);
            format!("{name}: {}", line(&field.ty))
        })
        .collect();
    let head = line(quote!(struct #name #generics));
    let whole = fields.len() == item.fields.len() && !matches!(item.fields, Fields::Unit) && !has(&item.attrs, "non_exhaustive");
    if whole {
        return vec![format!("{head} {{ {} }}", fields.join(", "))];
    }
    let fields: Vec<_> = fields.iter().map(|field| format!("struct {name}: {field}")).collect();
    [vec![head], fields].concat()
}

fn of_enum(item: &ItemEnum) -> Vec<String> {
    let (name, generics) = (&item.ident, &item.generics);
    let head = line(quote!(enum #name #generics));
    let variants = item.variants.iter().map(|variant| {
        let (name, fields) = (&variant.ident, &variant.fields);
        line(quote!(#name #fields))
    });
    if has(&item.attrs, "non_exhaustive") {
        return [vec![head.clone()], variants.map(|variant| format!("{head}: {variant}")).collect()].concat();
    }
    vec![format!("{head} {{ {} }}", variants.collect::<Vec<_>>().join(", "))]
}

fn of_trait(item: &ItemTrait) -> Vec<String> {
    let (name, generics, above) = (&item.ident, &item.generics, &item.supertraits);
    let (mut asked, mut given) = (Vec::new(), Vec::new());
    for item in &item.items {
        match item {
            TraitItem::Fn(function) => {
                let to = if function.default.is_some() { &mut given } else { &mut asked };
                to.push(line(&function.sig));
            }
            TraitItem::Type(kind) => {
                let (name, generics, bounds) = (&kind.ident, &kind.generics, &kind.bounds);
                asked.push(line(quote!(type #name #generics: #bounds)));
            }
            TraitItem::Const(constant) => {
                let (name, kind) = (&constant.ident, &constant.ty);
                let to = if constant.default.is_some() { &mut given } else { &mut asked };
                to.push(line(quote!(const #name: #kind)));
            }
            _ => {}
        }
    }
    let head = format!("{} {{ {} }}", line(quote!(trait #name #generics: #above)), asked.join("; "));
    [vec![head], given.into_iter().map(|given| format!("trait {name}: {given}")).collect()].concat()
}

fn of_impl(item: &ItemImpl) -> Vec<String> {
    let (generics, of, clause) = (&item.generics, &item.self_ty, &item.generics.where_clause);
    if is_test(&item.attrs) {
        return Vec::new();
    }
    if let Some((path, _)) = &item.trait_ {
        return vec![line(quote!(impl #generics #path for #of #clause))];
    }
    let head = line(quote!(impl #generics #of));
    let public = item.items.iter().filter_map(|item| match item {
        ImplItem::Fn(function) if is_public(&function.vis) => Some(line(&function.sig)),
        ImplItem::Const(constant) if is_public(&constant.vis) => {
            let (name, kind) = (&constant.ident, &constant.ty);
            Some(line(quote!(const #name: #kind)))
        }
        _ => None,
    });
    public.map(|item| format!("{head}: {item}")).collect()
}

/// The lines of the SDK as it is.
fn current() -> BTreeSet<String> {
    let mut lines = BTreeSet::new();
    for path in files("rs").expect("the tree can be read") {
        let Ok(module) = path.strip_prefix("sdk/rust/src") else { continue };
        if path.starts_with(GENERATED) || path.file_stem().is_some_and(|name| name == "tests") {
            continue;
        }
        let source = syn::parse_file(&text(&path).expect("a source file is text")).expect("a source file is Rust");
        let module = module.with_extension("").to_string_lossy().replace('/', "::");
        offered(&module, &source.items, &mut lines);
    }
    assert!(lines.len() > 100, "only {} lines found", lines.len());
    lines
}

/// The version of the workspace.
fn version() -> String {
    let manifest = text("Cargo.toml").expect("the workspace's manifest");
    let version = manifest.lines().find_map(|line| line.strip_prefix("version = \"")).expect("a version");
    version.trim_end_matches('"').to_owned()
}

/// What may break between versions: the first number that isn't 0, as Cargo has it.
fn compatible(one: &str, other: &str) -> bool {
    let significant = |version: &str| {
        let numbers: Vec<String> = version.split('.').map(str::to_owned).collect();
        let first = numbers.iter().position(|number| number != "0").unwrap_or(numbers.len() - 1);
        numbers[..=first].to_vec()
    };
    significant(one) == significant(other)
}

#[test]
fn what_the_last_release_offered_is_still_offered() {
    let current = current();
    if std::env::var_os("WASMILL_TEST_ACCEPT").is_some() {
        let lines: Vec<&str> = current.iter().map(String::as_str).collect();
        fs::write(root().join(RELEASED), format!("# wasmill-sdk {}\n{}\n", version(), lines.join("\n"))).expect("written");
    }
    let released = text(RELEASED).expect("the lines of the last release");
    let (first, lines) = released.split_once('\n').expect("a first line");
    let since = first.strip_prefix("# wasmill-sdk ").expect("the first line names the version");
    let gone: Vec<&str> = lines.lines().filter(|line| !current.contains(*line)).collect();
    assert!(
        gone.is_empty() || !compatible(since, &version()),
        "operators that were written for {since} may depend on these; raise the version, say so in CHANGELOG.md, or bring them back:\n{}",
        gone.join("\n")
    );
}

#[test]
fn versions_are_compatible_as_cargo_has_it() {
    assert!(compatible("0.1.0", "0.1.9") && compatible("1.2.0", "1.9.3"));
    assert!(!compatible("0.1.0", "0.2.0") && !compatible("0.9.0", "1.0.0") && !compatible("1.0.0", "2.0.0"));
}

#[test]
fn what_breaks_an_authors_code_changes_a_line_and_what_does_not_adds_one() {
    let lines = |source: &str| {
        let mut lines = BTreeSet::new();
        offered("m", &syn::parse_file(source).expect("Rust").items, &mut lines);
        lines
    };
    let gone = |before: &str, after: &str| lines(before).difference(&lines(after)).count();
    let text = |before: &str| lines(before).into_iter().collect::<Vec<_>>().join(" | ");
    assert_eq!(text("pub struct S { pub a: u8, b: u8 }"), "m: struct S | m: struct S: a: u8");
    assert_eq!(text("fn f() {} struct P; #[cfg(test)] pub mod tests {}"), "");
    assert_eq!(gone("pub fn f(a: u8) {}", "pub fn f(a: u16) {}"), 1, "another argument");
    assert_eq!(gone("pub struct S { pub a: u8 }", "pub struct S { pub a: u8, pub b: u8 }"), 1, "a field more in a literal");
    assert_eq!(gone("pub struct S { pub a: u8, c: u8 }", "pub struct S { pub a: u8, pub b: u8, c: u8 }"), 0);
    assert_eq!(gone("pub enum E { A }", "pub enum E { A, B }"), 1, "a variant more to be matched");
    assert_eq!(gone("#[non_exhaustive] pub enum E { A }", "#[non_exhaustive] pub enum E { A, B }"), 0);
    assert_eq!(gone("pub trait T { fn f(); }", "pub trait T { fn f(); fn g(); }"), 1, "a function more to be written");
    assert_eq!(gone("pub trait T { fn f(); }", "pub trait T { fn f(); fn g() {} }"), 0);
    assert_eq!(gone("impl Clone for S {} impl S { pub fn f() {} }", "impl S { pub fn f() {} pub fn g() {} }"), 1, "Clone");
}
