//! What the code that `model!` generates names. No part of the interface for people.

pub use crate::elements::{Element, Elements};
pub use crate::step::StoreArgument;
