//! What the code that `model!` generates names. No part of the interface for people.

pub use crate::step::{Element, Elements, Input, StoreArgument};
