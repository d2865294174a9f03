//! What an op sees while its result types are inferred, and how it refuses.

use super::{Attributes, Relation};
use crate::dtype::DType;
use crate::shape::{Extent, Shape, Type};
use std::fmt;
use thiserror::Error;

/// Why an op does not take its operands. The front end puts names and places around it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{op}: {headline}")]
pub struct TypeError {
    /// The op.
    pub op: String,
    /// What is wrong, in a few words: `extents differ on axis 1`.
    pub headline: String,
}

/// The question "which types come out": operands and attributes, and a place for checks that open extents leave undecided.
#[derive(Debug)]
pub struct Infer<'a> {
    op: &'a str,
    /// The node's attributes.
    pub attributes: &'a Attributes,
    operands: &'a [&'a Type],
    checks: Vec<(Extent, Relation, Extent, String)>,
}

impl<'a> Infer<'a> {
    pub(super) fn new(op: &'a str, attributes: &'a Attributes, operands: &'a [&'a Type]) -> Infer<'a> {
        Infer { op, attributes, operands, checks: Vec::new() }
    }

    /// The refusal with this headline.
    pub fn error<T>(&self, headline: impl Into<String>) -> Result<T, TypeError> {
        Err(TypeError { op: self.op.to_string(), headline: headline.into() })
    }

    /// The operand types, if there are as many as the op takes.
    pub fn operands<const COUNT: usize>(&self) -> Result<[&'a Type; COUNT], TypeError> {
        match <[&Type; COUNT]>::try_from(self.operands) {
            Ok(types) => Ok(types),
            Err(_) => self.error(format!("takes {COUNT} operands, not {}", self.operands.len())),
        }
    }

    /// All operand types.
    pub fn all(&self) -> &'a [&'a Type] {
        self.operands
    }

    /// Demands a float type.
    pub fn float(&self, ty: &Type) -> Result<(), TypeError> {
        if ty.dtype.is_float() { Ok(()) } else { self.error(format!("takes floats, not {}", ty.dtype)) }
    }

    /// Demands equal element types.
    pub fn same_dtype(&self, a: &Type, b: &Type) -> Result<DType, TypeError> {
        if a.dtype == b.dtype { Ok(a.dtype) } else { self.error("element types differ") }
    }

    /// Demands equal shapes.
    pub fn same_shape(&mut self, a: &Type, b: &Type) -> Result<Shape, TypeError> {
        if a.rank() != b.rank() {
            return self.error("ranks differ");
        }
        for (axis, (left, right)) in a.shape.extents().iter().zip(b.shape.extents()).enumerate() {
            if left != right {
                self.same_extent(left, right, format_args!("extents differ on axis {axis}"))?;
            }
        }
        Ok(a.shape.clone())
    }

    /// Demands equal extents: an error if they differ whatever the open extents are, a check if that depends.
    pub fn same_extent(&mut self, a: &Extent, b: &Extent, headline: impl fmt::Display) -> Result<(), TypeError> {
        if a == b {
            return Ok(());
        }
        match (a.clone() - b.clone()).known() {
            Some(_) => self.error(headline.to_string()),
            None => {
                self.check(a, Relation::Equal, b, headline);
                Ok(())
            }
        }
    }

    /// Demands that one extent is at most another: an error if it is longer whatever the open extents are, a check if that
    /// depends.
    pub fn at_most(&mut self, a: &Extent, b: &Extent, headline: impl fmt::Display) -> Result<(), TypeError> {
        let room = b.clone() - a.clone();
        if room.known().is_some_and(|room| room < 0) {
            return self.error(headline.to_string());
        }
        if !room.is_length() {
            self.check(a, Relation::AtMost, b, headline);
        }
        Ok(())
    }

    fn check(&mut self, left: &Extent, relation: Relation, right: &Extent, headline: impl fmt::Display) {
        self.checks.push((left.clone(), relation, right.clone(), format!("{}: {headline}", self.op)));
    }

    /// Demands that an axis exists.
    pub fn axis(&self, ty: &Type, axis: usize) -> Result<usize, TypeError> {
        if axis < ty.rank() {
            Ok(axis)
        } else {
            self.error(format!("axis {axis} of {ty}, which has {}", axes_in_words(ty.rank())))
        }
    }

    pub(super) fn into_checks(self) -> Vec<(Extent, Relation, Extent, String)> {
        self.checks
    }
}

fn axes_in_words(rank: usize) -> String {
    match rank {
        0 => "no axes".to_string(),
        1 => "axis 0 only".to_string(),
        2 => "axes 0 and 1".to_string(),
        _ => format!("axes 0 to {}", rank - 1),
    }
}
