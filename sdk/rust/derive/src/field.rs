//! The fields of a struct, and their names outside of Rust.

use proc_macro2::{Ident, Span};
use syn::ext::IdentExt;
use syn::punctuated::Punctuated;
use syn::visit_mut::VisitMut;
use syn::{Data, DeriveInput, Error, Field, Fields, Lifetime, Result, Token, Type};

/// The named fields of a struct; a struct without fields has none.
pub(crate) fn named<'a>(input: &'a DeriveInput, what: &str) -> Result<Vec<(&'a Ident, &'a Field)>> {
    let Data::Struct(data) = &input.data else {
        return Err(Error::new_spanned(&input.ident, format!("{what} must be a struct")));
    };
    match &data.fields {
        Fields::Named(fields) => Ok(with_names(&fields.named)),
        Fields::Unit => Ok(Vec::new()),
        Fields::Unnamed(fields) => Err(Error::new_spanned(fields, format!("{what} must have named fields"))),
    }
}

fn with_names(fields: &Punctuated<Field, Token![,]>) -> Vec<(&Ident, &Field)> {
    fields.iter().filter_map(|field| field.ident.as_ref().map(|name| (name, field))).collect()
}

/// Fails for a struct with type or constant parameters.
pub(crate) fn no_type_parameters(input: &DeriveInput, what: &str) -> Result<()> {
    let mut other = input.generics.params.iter().filter(|parameter| !matches!(parameter, syn::GenericParam::Lifetime(_)));
    match other.next() {
        Some(parameter) => Err(Error::new_spanned(parameter, format!("{what} can't have type or constant parameters"))),
        None => Ok(()),
    }
}

/// The name of a field without `r#`.
pub(crate) fn plain(name: &Ident) -> String {
    name.unraw().to_string()
}

/// The name of a field in kebab-case.
pub(crate) fn kebab(name: &Ident) -> String {
    plain(name).trim_start_matches('_').replace('_', "-")
}

/// The last part of a type's path: `ValueState` for `wasmill_sdk::ValueState<u64>`.
pub(crate) fn last_segment(ty: &Type) -> Option<&syn::PathSegment> {
    match ty {
        Type::Path(path) => path.path.segments.last(),
        _ => None,
    }
}

/// Fails unless `name` may name a state or an output: `[a-z][a-z0-9_-]{0,62}`.
pub(crate) fn check_name(name: &str, at: &impl quote::ToTokens) -> Result<()> {
    let starts = name.starts_with(|first: char| first.is_ascii_lowercase());
    let goes_on = name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-');
    if starts && goes_on && name.len() <= 63 {
        return Ok(());
    }
    Err(Error::new_spanned(
        at,
        format!("`{name}` can't be a name: it must be a small letter, then at most 62 small letters, digits, `-` and `_`"),
    ))
}

/// Replaces every lifetime of a type by `'static`.
pub(crate) struct Static;

impl VisitMut for Static {
    fn visit_lifetime_mut(&mut self, lifetime: &mut Lifetime) {
        lifetime.ident = Ident::new("static", lifetime.ident.span());
    }

    fn visit_type_reference_mut(&mut self, reference: &mut syn::TypeReference) {
        reference.lifetime.get_or_insert_with(|| Lifetime::new("'static", Span::call_site()));
        syn::visit_mut::visit_type_reference_mut(self, reference);
    }
}
