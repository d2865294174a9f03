//! Assignment: to names that may be assigned, to states, to elements of lists, and to several at once.

use super::Elaborator;
use super::instance::holds_new_layer;
use super::operators::Operands;
use super::report::Problem;
use super::scope::{Binding, BindingKind};
use super::value::Value;
use crate::syntax::ast::{BinaryOp, Expr, ExprKind};
use crate::syntax::diagnostic::position;
use proc_macro2::Span;

impl Elaborator<'_> {
    /// `x = y` and `x += y`
    pub(super) fn assign(&mut self, expr: &Expr, target: &Expr, op: Option<BinaryOp>, value: &Expr) -> Value {
        let new = self.evaluate(value);
        let new = match op {
            None => new,
            Some(op) => {
                let old = self.evaluate(target);
                let operands = Operands { left: (target, old), right: (value, new), whole: expr, span: expr.span };
                self.binary(op, operands)
            }
        };
        self.assign_to(target, value, new, expr.span)
    }

    fn assign_to(&mut self, target: &Expr, written: &Expr, new: Value, span: Span) -> Value {
        match &target.kind {
            ExprKind::Name(name) => self.assign_name(target, name, written, new, span),
            ExprKind::Index(list, index) => self.assign_element(list, index, new),
            ExprKind::Tuple(parts) => match parts.iter().find_map(|part| part.name.as_ref()) {
                Some(name) => self.named_element(name),
                None => self.assign_parts(target, parts.iter().map(|part| &part.value).collect(), written, new, span),
            },
            ExprKind::List(parts) => self.assign_parts(target, parts.iter().collect(), written, new, span),
            ExprKind::Field(..) => {
                let headline = format!("`{target}` is not assigned here");
                let line = "minimize changes parameters, and a state is assigned by its name in the block that has it";
                self.report(Problem::new(target.start, headline).detail(line))
            }
            _ => self.fail(target.start, "names and elements of lists are assigned, nothing else"),
        }
    }

    fn assign_parts(&mut self, target: &Expr, parts: Vec<&Expr>, written: &Expr, new: Value, span: Span) -> Value {
        match new.elements() {
            Some(values) if values.len() == parts.len() => {
                for (part, value) in parts.into_iter().zip(values.to_vec()) {
                    self.assign_to(part, written, value, span);
                }
                Value::Unit
            }
            _ if new.is_poison() => Value::Poison,
            _ => self.fail(target.start, format!("{} names are assigned, given is {}", parts.len(), new.counted())),
        }
    }

    fn assign_name(&mut self, target: &Expr, name: &str, written: &Expr, new: Value, span: Span) -> Value {
        let Some(binding) = self.frame_mut().find_mut(name) else { return self.evaluate(target) };
        match binding.kind {
            BindingKind::Mutable => binding.value = new,
            BindingKind::State => self.assign_state(name, written, new, span),
            BindingKind::Parameter | BindingKind::Fixed => {
                let binding = binding.clone();
                return self.not_assigned(target, name, &binding);
            }
        }
        Value::Unit
    }

    fn not_assigned(&self, target: &Expr, name: &str, binding: &Binding) -> Value {
        let place = position(binding.span);
        let (headline, line) = match binding.kind {
            BindingKind::Parameter => (
                format!("`{name}` is a parameter: minimize alone changes it"),
                format!("it is declared at {place}; a tensor that is kept but not trained is #[state]"),
            ),
            _ => (format!("`{name}` is not mutable"), format!("it is made at {place}: let mut {name} = …")),
        };
        self.report(Problem::new(target.start, headline).place(line).general())
    }

    fn assign_element(&mut self, list: &Expr, index: &Expr, new: Value) -> Value {
        let ExprKind::Name(name) = &list.kind else {
            return self.fail(list.start, "names and elements of lists are assigned, nothing else");
        };
        let at = self.evaluate(index);
        let Some(binding) = self.frame().find(name).cloned() else { return self.evaluate(list) };
        if holds_new_layer(&new) {
            return self.fail(index.start, format!("a layer is added to a list by {name}.push(…)"));
        }
        match (binding.kind, &binding.value, at.known_int()) {
            (_, Value::Poison, _) => Value::Poison,
            (BindingKind::Mutable, Value::List(values), Some(at))
                if usize::try_from(at).is_ok_and(|at| at < values.len()) =>
            {
                let mut values = values.clone();
                values[at as usize] = new;
                self.frame_mut().find_mut(name).expect("it was found above").value = Value::List(values);
                Value::Unit
            }
            (BindingKind::Mutable, Value::List(values), Some(at)) => {
                self.fail(index.start, format!("index {at} of a list of {}", values.len()))
            }
            (BindingKind::Mutable, Value::List(_), None) if at.is_poison() => Value::Poison,
            (BindingKind::Mutable, Value::List(_), None) => {
                self.fail(index.start, "an index is a whole number that is known")
            }
            (BindingKind::Mutable, other, _) => {
                self.fail(list.start, format!("`{name}` is {}, not a list", other.kind()))
            }
            _ => self.not_assigned(list, name, &binding),
        }
    }
}
