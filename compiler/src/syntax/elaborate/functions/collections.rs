//! Arguments that hold several values: lists of tensors, ranges, numbers per axis; and texts.

use super::Arguments;
use crate::graph::{Builder, ValueId};
use crate::ops;
use crate::shape::Extent;
use crate::syntax::ast::{Expr, ExprKind};
use crate::syntax::elaborate::Elaborator;
use crate::syntax::elaborate::report::Problem;
use crate::syntax::elaborate::value::Value;
use proc_macro2::Span;

/// A tensor with the expression that it is, for messages.
pub type Operand<'e> = (&'e Expr, ValueId);

impl Elaborator<'_> {
    /// At least one tensor in a list, each with its expression where the list is written out.
    pub(super) fn tensors_argument<'e>(&self, arguments: &Arguments<'e>, at: usize) -> Option<Vec<Operand<'e>>> {
        let found = arguments.values[at].as_ref().and_then(|(value, expr)| {
            let values = value.elements().filter(|values| !values.is_empty())?;
            let exprs: Vec<&Expr> = match &expr.kind {
                ExprKind::List(exprs) if exprs.len() == values.len() => exprs.iter().collect(),
                ExprKind::Tuple(elements) if elements.len() == values.len() => {
                    elements.iter().map(|element| &element.value).collect()
                }
                _ if arguments.rest.len() == values.len() => arguments.rest.iter().map(|rest| &rest.value).collect(),
                _ => vec![*expr; values.len()],
            };
            let tensor = |(expr, value): (_, &Value)| match value {
                Value::Tensor(value) => Some((expr, *value)),
                _ => None,
            };
            exprs.into_iter().zip(values).map(tensor).collect::<Option<Vec<_>>>()
        });
        match (found, &arguments.values[at]) {
            (Some(tensors), _) => Some(tensors),
            (None, Some((Value::List(values) | Value::Tuple(values), expr))) => {
                let (name, parameter) = (arguments.function.name, arguments.function.parameters[at].name);
                let other = values.iter().find(|value| !matches!(value, Value::Tensor(_)));
                let found = other.map_or("an empty list", Value::kind);
                let headline = format!("{name}: `{parameter}` is a list of tensors, not {found}");
                self.report(Problem::new(expr.start, headline).detail(arguments.function.to_string()));
                None
            }
            (None, other) => self.wrong_kind(arguments, at, "a list of tensors", other.as_ref()),
        }
    }

    /// The sides of a range; `None` where it is open.
    pub(super) fn range_argument(
        &self,
        arguments: &Arguments<'_>,
        at: usize,
    ) -> Option<(Option<Extent>, Option<Extent>)> {
        match &arguments.values[at] {
            Some((Value::Range(start, end), _)) => Some((start.clone(), end.clone())),
            other => self.wrong_kind(arguments, at, "a range", other.as_ref()),
        }
    }

    /// A string.
    pub(super) fn text_argument(&self, arguments: &Arguments<'_>, at: usize) -> Option<String> {
        match &arguments.values[at] {
            Some((Value::Text(text), _)) => Some(text.to_string()),
            other => self.wrong_kind(arguments, at, "a string", other.as_ref()),
        }
    }

    /// A whole number that is known.
    pub(super) fn known_argument(&self, arguments: &Arguments<'_>, at: usize) -> Option<i64> {
        let known = self.extent_argument(arguments, at)?.known();
        if known.is_none() {
            let (name, parameter) = (arguments.function.name, arguments.function.parameters[at].name);
            let span = self.argument_span(arguments, at);
            self.fail(span, format!("{name}: `{parameter}` is a number that is known, not an open extent"));
        }
        known
    }

    /// An axis of an operand; negative ones count from the end.
    pub(super) fn axis_of(
        &self,
        arguments: &Arguments<'_>,
        at: usize,
        operand: Operand<'_>,
        places: usize,
    ) -> Option<usize> {
        let axis = self.extent_argument(arguments, at)?.known();
        self.axis_in(arguments, at, axis, places, || Some(operand))
    }

    /// Axes of argument 0 in the order in which they are given, each once.
    pub(super) fn ordered_axes_argument(
        &self,
        arguments: &Arguments<'_>,
        at: usize,
        rank: usize,
    ) -> Option<Vec<usize>> {
        let sorted = self.axes_argument(arguments, at, rank)?;
        if !self.is_given(arguments, at) {
            return Some(sorted);
        }
        let given = self.extents_argument(arguments, at)?;
        given.iter().map(|axis| self.axis_at(arguments, at, axis.known(), rank)).collect()
    }

    /// Nodes that are well typed because the arguments were looked at before.
    pub(super) fn build<T>(&mut self, span: Span, nodes: impl FnOnce(&mut Builder<'_>) -> T) -> T {
        let origin = self.origin(span);
        nodes(&mut Builder::new(&mut self.graph, origin))
    }

    /// The part of an axis from `start` up to `end`, which is left out; both lie within the axis as far as they are known.
    pub(super) fn part(&mut self, input: ValueId, axis: usize, (start, end): (Extent, Extent), span: Span) -> ValueId {
        self.build(span, |b| ops::slice(b, input, axis, start, end))
    }
}
