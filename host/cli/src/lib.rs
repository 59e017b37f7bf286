//! The wasmill command.
