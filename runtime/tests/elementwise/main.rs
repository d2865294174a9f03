//! Elementwise functions and activations: values and slopes on the machine, and how the language calls them.

mod activations;
mod language;
