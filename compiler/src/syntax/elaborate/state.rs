//! States: what an assignment sets is the next value of a tensor that is kept, in training steps.

use super::Elaborator;
use super::instance::join;
use super::report::Problem;
use super::value::Value;
use crate::graph::{Role, ValueId};
use crate::syntax::ast::Expr;
use crate::syntax::diagnostic::position;
use proc_macro2::Span;

impl Elaborator<'_> {
    /// Sets the next value of the state of that name. Where the instance does not train, nothing changes: reading the
    /// state goes on to give what the store holds.
    pub(super) fn assign_state(&mut self, name: &str, expr: &Expr, new: Value, span: Span) {
        let Some(new) = self.next_value(name, expr, new, span) else { return };
        if !self.frame().training {
            return;
        }
        let place = self.frame().place.clone().expect("a state that has a value has a place");
        self.stores[place.store].assigned.insert(join(&place.key, name), new);
        self.frame_mut().find_mut(name).expect("only bound names are assigned").value = Value::Tensor(new);
    }

    /// What is assigned, in the type of the state.
    fn next_value(&mut self, name: &str, expr: &Expr, new: Value, span: Span) -> Option<ValueId> {
        let binding = self.frame().find(name).cloned().expect("only bound names are assigned");
        let Value::Tensor(old) = binding.value else { return None };
        let ty = self.graph.ty(old).clone();
        if let Value::Tensor(value) = new {
            if *self.graph.ty(value) == ty {
                return Some(value);
            }
            let headline = format!("`{name}` is a state of {ty}, the value is {}", self.graph.ty(value));
            let declared = format!("the state is declared at {}", position(self.user_span(binding.span)));
            self.report(Problem::new(span, headline).place(declared));
            return None;
        }
        let number = self.operand(expr, &new, ty.dtype)?;
        Some(self.broadcast_to(number, &ty.shape, span))
    }

    /// Whether the body so far gives any state a next value.
    pub(super) fn assigns_states(&self) -> bool {
        self.stores.iter().any(|store| !store.assigned.is_empty())
    }

    /// Adds the state pairs of all states that were assigned.
    pub(super) fn next_states(&mut self) {
        for store in &self.stores {
            for (key, &next) in &store.assigned {
                let leaf = store.leaves[key];
                if leaf != next {
                    self.graph.result(Role::Next(leaf), next);
                }
            }
        }
    }
}
