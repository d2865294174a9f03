//! Attributes: what a node knows beside its operands.

use super::{Region, print};
use crate::dtype::DType;
use crate::shape::{Extent, Shape};
use std::borrow::Cow;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// The value of an attribute.
#[derive(Clone, Debug, PartialEq)]
pub enum Attribute {
    /// A whole number.
    Int(i64),
    /// Whole numbers: axes, permutations.
    Ints(Vec<i64>),
    /// A number.
    Float(f64),
    /// A switch.
    Bool(bool),
    /// One of a few words, or an equation.
    Word(String),
    /// An element type.
    Type(DType),
    /// An extent.
    Extent(Extent),
    /// A shape.
    Shape(Shape),
    /// A graph of the node's own.
    Region(Region),
}

/// The attributes of a node, sorted by name. Which names an op has, and of which kind, its file says; asking for one that
/// the op does not have is a bug. Copies share them, and none take no memory of their own: so it is with most nodes.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Attributes(Option<Arc<Vec<Named>>>);

/// An attribute with its name.
type Named = (Cow<'static, str>, Attribute);

/// Attributes as a key of a map. Numbers are told apart by their bits, so that 0 is not -0 and NaN is equal to itself.
#[derive(Clone, Debug)]
pub struct AttributeKey(pub Attributes);

impl PartialEq for AttributeKey {
    fn eq(&self, other: &AttributeKey) -> bool {
        let (a, b) = match (&self.0.0, &other.0.0) {
            (Some(a), Some(b)) => (a, b),
            (a, b) => return a.is_none() && b.is_none(),
        };
        let same = |(a, b): (&Named, &Named)| a.0 == b.0 && identical(&a.1, &b.1);
        Arc::ptr_eq(a, b) || (a.len() == b.len() && a.iter().zip(b.iter()).all(same))
    }
}

impl Eq for AttributeKey {}

impl Hash for AttributeKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        for (_, value) in self.0.as_slice() {
            match value {
                Attribute::Int(value) => value.hash(state),
                Attribute::Ints(values) => values.hash(state),
                Attribute::Float(value) => value.to_bits().hash(state),
                Attribute::Bool(value) => value.hash(state),
                Attribute::Word(value) => value.hash(state),
                Attribute::Type(value) => value.name().hash(state),
                Attribute::Extent(value) => value.hash(state),
                Attribute::Shape(value) => value.hash(state),
                // Equal regions have as many nodes.
                Attribute::Region(region) => region.graph().nodes().len().hash(state),
            }
        }
    }
}

fn identical(a: &Attribute, b: &Attribute) -> bool {
    match (a, b) {
        (Attribute::Float(a), Attribute::Float(b)) => a.to_bits() == b.to_bits(),
        (Attribute::Region(a), Attribute::Region(b)) => print(a.graph()) == print(b.graph()),
        (a, b) => a == b,
    }
}

impl Attributes {
    /// No attributes.
    pub fn none() -> Attributes {
        Attributes::default()
    }

    /// Adds one, replacing what had the name.
    pub fn with(mut self, name: impl Into<Cow<'static, str>>, value: Attribute) -> Attributes {
        let name = name.into();
        let all = Arc::make_mut(self.0.get_or_insert_default());
        match all.binary_search_by(|(known, _)| known.cmp(&name)) {
            Ok(at) => all[at].1 = value,
            Err(at) => all.insert(at, (name, value)),
        }
        self
    }

    fn as_slice(&self) -> &[Named] {
        self.0.as_ref().map_or(&[], |all| all.as_slice())
    }

    /// The attributes in order of name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Attribute)> {
        self.as_slice().iter().map(|(name, value)| (&**name, value))
    }

    /// The attribute of that name, if there.
    pub fn get(&self, name: &str) -> Option<&Attribute> {
        self.as_slice().iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    /// The whole number of that name.
    pub fn int(&self, name: &str) -> i64 {
        match self.get(name) {
            Some(Attribute::Int(value)) => *value,
            other => wrong(name, "a whole number", other),
        }
    }

    /// The axes of that name.
    pub fn axes(&self, name: &str) -> Vec<usize> {
        match self.get(name) {
            Some(Attribute::Ints(values)) => values.iter().map(|&axis| axis as usize).collect(),
            Some(Attribute::Int(value)) => vec![*value as usize],
            other => wrong(name, "a list of axes", other),
        }
    }

    /// The whole numbers of that name.
    pub fn ints(&self, name: &str) -> &[i64] {
        match self.get(name) {
            Some(Attribute::Ints(values)) => values,
            other => wrong(name, "a list of whole numbers", other),
        }
    }

    /// The axis of that name.
    pub fn axis(&self, name: &str) -> usize {
        self.int(name) as usize
    }

    /// The number of that name.
    pub fn float(&self, name: &str) -> f64 {
        match self.get(name) {
            Some(Attribute::Float(value)) => *value,
            other => wrong(name, "a number", other),
        }
    }

    /// The switch of that name.
    pub fn bool(&self, name: &str) -> bool {
        match self.get(name) {
            Some(Attribute::Bool(value)) => *value,
            other => wrong(name, "a bool", other),
        }
    }

    /// The word of that name.
    pub fn word(&self, name: &str) -> &str {
        match self.get(name) {
            Some(Attribute::Word(value)) => value,
            other => wrong(name, "a word", other),
        }
    }

    /// The element type of that name.
    pub fn dtype(&self, name: &str) -> DType {
        match self.get(name) {
            Some(Attribute::Type(value)) => *value,
            other => wrong(name, "an element type", other),
        }
    }

    /// The extent of that name.
    pub fn extent(&self, name: &str) -> Extent {
        match self.get(name) {
            Some(Attribute::Extent(value)) => value.clone(),
            other => wrong(name, "an extent", other),
        }
    }

    /// The shape of that name.
    pub fn shape(&self, name: &str) -> &Shape {
        match self.get(name) {
            Some(Attribute::Shape(value)) => value,
            other => wrong(name, "a shape", other),
        }
    }

    /// The region of that name.
    pub fn region(&self, name: &str) -> &Region {
        match self.get(name) {
            Some(Attribute::Region(value)) => value,
            other => wrong(name, "a region", other),
        }
    }

    /// The regions in order of name.
    pub fn regions(&self) -> impl Iterator<Item = &Region> {
        self.iter().filter_map(|(_, value)| match value {
            Attribute::Region(region) => Some(region),
            _ => None,
        })
    }

    /// The attributes with every region replaced.
    pub fn with_regions<E>(&self, mut replace: impl FnMut(&Region) -> Result<Region, E>) -> Result<Attributes, E> {
        let mut replaced = self.clone();
        for (name, value) in self.as_slice() {
            if let Attribute::Region(region) = value {
                replaced = replaced.with(name.clone(), Attribute::Region(replace(region)?));
            }
        }
        Ok(replaced)
    }
}

fn wrong<T>(name: &str, kind: &str, found: Option<&Attribute>) -> T {
    panic!("attribute `{name}` is {kind} by the op's own rule, found {found:?}")
}
