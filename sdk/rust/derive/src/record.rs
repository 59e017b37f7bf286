//! `#[derive(Record)]`.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote};
use syn::visit_mut::VisitMut;
use syn::{DeriveInput, Error, Field, Lifetime, LitStr, Result, Type};

use crate::field;

/// A field of the record.
struct Column<'a> {
    field: &'a Ident,
    name: String,
    /// Its type with the record's lifetime.
    ty: &'a Type,
    /// Its type with `'static` for every lifetime.
    owned: Type,
}

pub(crate) fn derive(input: &DeriveInput) -> Result<TokenStream> {
    field::no_type_parameters(input, "a record")?;
    let mut lifetimes = input.generics.lifetimes();
    let lifetime = lifetimes.next().map(|parameter| parameter.lifetime.clone());
    if let Some(second) = lifetimes.next() {
        return Err(Error::new_spanned(second, "a record can borrow for one lifetime only"));
    }
    let columns = columns(input)?;
    let (builder, builders) = builder(input, &columns);
    let (readers_def, readers) = readers(input, &columns, lifetime.as_ref());
    let name = &input.ident;
    let (_, of_record, _) = input.generics.split_for_impl();
    let a = lifetime.unwrap_or_else(|| Lifetime::new("'a", Span::call_site()));
    let any = if input.generics.params.is_empty() { quote!() } else { quote!(<#a>) };
    let fields: Vec<_> = columns.iter().map(|column| column.field).collect();
    let names: Vec<_> = columns.iter().map(|column| &column.name).collect();
    let owned: Vec<_> = columns.iter().map(|column| &column.owned).collect();
    let types: Vec<_> = columns.iter().map(|column| column.ty).collect();
    let places = 0..columns.len();
    let record = name.to_string();
    Ok(quote! {
        #builder
        #readers_def

        impl #any ::wasmill_sdk::Record for #name #of_record {
            const FIELDS: &'static [::wasmill_sdk::FieldSpec] = &[#(::wasmill_sdk::FieldSpec {
                name: #names,
                data_type: <#owned as ::wasmill_sdk::column::ColumnValue>::TYPE,
                nullable: <#owned as ::wasmill_sdk::column::ColumnValue>::NULLABLE,
            }),*];
            type Builder = #builders;

            #[inline(always)]
            fn append_to(self, to: &mut Self::Builder) {
                #(::wasmill_sdk::column::ColumnValue::append_to(self.#fields, &mut to.#fields);)*
            }
        }

        impl<#a> ::wasmill_sdk::ReadRecord<#a> for #name #of_record {
            type Columns = #readers<#a>;

            #[inline]
            fn bind(columns: &#a [::wasmill_sdk::bindings::Column], rows: usize) -> ::wasmill_sdk::Result<Self::Columns> {
                ::std::result::Result::Ok(#readers {
                    #(#fields: columns
                        .get(#places)
                        .and_then(|column| <#types as ::wasmill_sdk::column::ReadColumn<#a>>::bind(column, rows))
                        .ok_or_else(|| ::wasmill_sdk::unfit(#record, #names))?,)*
                    __borrowed: ::std::marker::PhantomData,
                })
            }

            #[inline(always)]
            fn read(columns: &Self::Columns, row: usize) -> Self {
                Self { #(#fields: <#types as ::wasmill_sdk::column::ReadColumn<#a>>::read(&columns.#fields, row)),* }
            }
        }
    })
}

fn columns(input: &DeriveInput) -> Result<Vec<Column<'_>>> {
    let mut columns: Vec<Column<'_>> = Vec::new();
    for (name, field) in field::named(input, "a record")? {
        let mut owned = field.ty.clone();
        field::Static.visit_type_mut(&mut owned);
        let column = Column { field: name, name: column_name(name, field)?, ty: &field.ty, owned };
        if columns.iter().any(|other| other.name == column.name) {
            return Err(Error::new_spanned(name, format!("two fields are column `{}`", column.name)));
        }
        columns.push(column);
    }
    Ok(columns)
}

fn column_name(name: &Ident, field: &Field) -> Result<String> {
    let mut column = field::plain(name);
    for attribute in field.attrs.iter().filter(|attribute| attribute.path().is_ident("record")) {
        attribute.parse_nested_meta(|meta| {
            if !meta.path.is_ident("rename") {
                return Err(meta.error(r#"expected rename = "column""#));
            }
            column = meta.value()?.parse::<LitStr>()?.value();
            Ok(())
        })?;
    }
    Ok(column)
}

/// The builders' struct.
fn builder(input: &DeriveInput, columns: &[Column<'_>]) -> (TokenStream, Ident) {
    let (visibility, name) = (&input.vis, format_ident!("{}Builder", input.ident));
    let doc = format!("Gathers the columns of many [`{}`].", input.ident);
    let fields: Vec<_> = columns.iter().map(|column| column.field).collect();
    let docs = columns.iter().map(|column| format!("Column `{}`.", column.name));
    let owned = columns.iter().map(|column| &column.owned);
    let count = columns.len();
    let definition = quote! {
        #[doc = #doc]
        #[derive(Default)]
        #visibility struct #name {
            #(#[doc = #docs] pub #fields: <#owned as ::wasmill_sdk::column::ColumnValue>::Builder,)*
        }

        impl ::wasmill_sdk::RecordBuilder for #name {
            fn reserve(&mut self, rows: usize) {
                #(::wasmill_sdk::column::ColumnBuilder::reserve(&mut self.#fields, rows);)*
                let _ = rows;
            }

            fn take(&mut self) -> ::std::vec::Vec<::wasmill_sdk::bindings::Column> {
                let mut columns = ::std::vec::Vec::with_capacity(#count);
                #(columns.push(::wasmill_sdk::column::ColumnBuilder::take(&mut self.#fields));)*
                columns
            }

            fn give_back(&mut self, columns: ::std::vec::Vec<::wasmill_sdk::bindings::Column>) {
                let mut columns = columns.into_iter();
                #(if let ::std::option::Option::Some(column) = columns.next() {
                    ::wasmill_sdk::column::ColumnBuilder::give_back(&mut self.#fields, column);
                })*
                let _ = columns.next();
            }
        }
    };
    (definition, name)
}

/// The readers' struct.
fn readers(input: &DeriveInput, columns: &[Column<'_>], lifetime: Option<&Lifetime>) -> (TokenStream, Ident) {
    let (visibility, name) = (&input.vis, format_ident!("{}Columns", input.ident));
    let doc = format!("The columns that [`{}`] is read from.", input.ident);
    let fields = columns.iter().map(|column| column.field);
    let docs = columns.iter().map(|column| format!("Column `{}`.", column.name));
    let types = columns.iter().map(|column| column.ty);
    let a = lifetime.cloned().unwrap_or_else(|| Lifetime::new("'a", Span::call_site()));
    let definition = quote! {
        #[doc = #doc]
        #[allow(dead_code, reason = "not every record is read")]
        #visibility struct #name<#a> {
            #(#[doc = #docs] pub #fields: <#types as ::wasmill_sdk::column::ReadColumn<#a>>::Reader,)*
            #[doc(hidden)]
            __borrowed: ::std::marker::PhantomData<&#a ()>,
        }
    };
    (definition, name)
}
