//! Job files from their text to their plan, with a catalog that knows a few expressions and plugins.

mod accepted;
mod catalog;
mod drawn;
mod explained;
mod hostile;
mod options;
mod planned;
mod refused;
mod refused_graphs;
