//! Lists and ranges: what a loop runs over, and the methods that Rust gives them.

use super::Elaborator;
use super::value::Value;
use crate::shape::Extent;
use crate::syntax::ast::{Argument, Expr, Ident};

/// More rounds of a loop, or elements of a list, are a mistake that would only use up memory.
pub const LONGEST: i64 = 100_000;

/// The methods of lists and ranges, with the number of their arguments.
const METHODS: [(&str, usize); 7] =
    [("len", 0), ("is_empty", 0), ("iter", 0), ("rev", 0), ("enumerate", 0), ("zip", 1), ("step_by", 1)];

impl Elaborator<'_> {
    /// The elements of a list, tuple or range whose ends are known; `None` after a mistake.
    pub(super) fn iterated(&mut self, written: &Expr, value: &Value) -> Option<Vec<Value>> {
        match value {
            Value::Poison => {
                self.depends_on_input();
                None
            }
            Value::List(values) | Value::Tuple(values) => Some(values.clone()),
            Value::Range(start, Some(end)) => {
                let start = start.clone().unwrap_or(Extent::from(0));
                match (start.known(), end.known()) {
                    (Some(start), Some(end)) if end.saturating_sub(start) > LONGEST => {
                        let headline = format!("a loop has at most {LONGEST} rounds, {start}..{end} has more");
                        self.fail(written.start, headline);
                        None
                    }
                    (Some(start), Some(end)) => Some((start..end).map(|i| Value::Int(Extent::from(i))).collect()),
                    _ => {
                        self.fail(written.start, "a loop runs over numbers that are known while the macro expands");
                        None
                    }
                }
            }
            other => {
                self.fail(written.start, format!("a loop runs over a range or a list, not {}", other.kind()));
                None
            }
        }
    }

    /// A method of lists and ranges; `None` if it is none.
    pub(super) fn list_method(
        &mut self,
        receiver: &Expr,
        value: &Value,
        name: &Ident,
        arguments: &[Argument],
    ) -> Option<Value> {
        if !matches!(value, Value::List(_) | Value::Tuple(_) | Value::Range(..)) {
            return None;
        }
        let (_, count) = METHODS.iter().find(|(method, _)| *method == name.name)?;
        if arguments.len() != *count || arguments.iter().any(|argument| argument.name.is_some()) {
            return Some(self.fail(name.span, format!("`{}` of a list takes {count} arguments", name.name)));
        }
        let Some(mut values) = self.iterated(receiver, value) else { return Some(Value::Poison) };
        Some(match name.name.as_str() {
            "len" => Value::Int(Extent::from(values.len())),
            "is_empty" => Value::Bool(values.is_empty()),
            "iter" => Value::List(values),
            "rev" => {
                values.reverse();
                Value::List(values)
            }
            "enumerate" => {
                let counted = values.into_iter().enumerate();
                Value::List(counted.map(|(i, value)| Value::Tuple(vec![Value::Int(Extent::from(i)), value])).collect())
            }
            "zip" => self.zipped(values, &arguments[0].value),
            _ => self.stepped(values, &arguments[0].value),
        })
    }

    fn zipped(&mut self, values: Vec<Value>, other: &Expr) -> Value {
        let value = self.evaluate(other);
        let Some(others) = self.iterated(other, &value) else { return Value::Poison };
        Value::List(values.into_iter().zip(others).map(|(a, b)| Value::Tuple(vec![a, b])).collect())
    }

    fn stepped(&mut self, values: Vec<Value>, step: &Expr) -> Value {
        let value = self.evaluate(step);
        match value.known_int().and_then(|step| usize::try_from(step).ok()) {
            Some(step) if step > 0 => Value::List(values.into_iter().step_by(step).collect()),
            _ if value.is_poison() => Value::Poison,
            _ => self.fail(step.start, "the step is a whole number above 0 that is known"),
        }
    }
}
