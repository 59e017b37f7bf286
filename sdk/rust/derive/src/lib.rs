//! Derive macros of `wasmill-sdk`.
