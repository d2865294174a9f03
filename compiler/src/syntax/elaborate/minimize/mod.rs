//! `minimize(loss, over = net, with = Adam(lr))`: gradients and updates become part of the graph.
//!
//! A `minimize` is understood where it stands: [`over`] decides which parameters, [`with`] which rule, [`groups`] for which of
//! them it is another one, [`options`] what happens around it. What it asks for is done when the forward graph is whole, so
//! that all gradients use the values before the step.

mod groups;
mod options;
mod over;
mod unreached;
mod with;

use super::Elaborator;
use super::arguments::Callee;
use super::report::Problem;
use super::value::Value;
use crate::autodiff;
use crate::graph::{Builder, Role, ValueId};
use crate::optim::{self, Group, OPTIONS, Optimizer, Slots, Update};
use crate::syntax::ast::{Argument, Expr};
use over::Over;
use proc_macro2::Span;
use std::collections::BTreeSet;

/// One `minimize` of a step, its arguments understood.
pub struct Minimize {
    /// The loss.
    loss: ValueId,
    /// The loss as written, and where it was made.
    loss_name: (String, Option<String>),
    /// What is updated.
    over: Over,
    /// The optimizers, each with the positions in `over` of the parameters that it updates.
    optimizers: Vec<(Box<dyn Optimizer>, Vec<usize>)>,
    /// What happens around the optimizers.
    options: optim::Options,
    /// The word `minimize`.
    span: Span,
}

/// The arguments that a `minimize` must have.
const REQUIRED: [&str; 3] = ["loss", "over", "with"];
/// The argument that only the language knows.
const GROUPS: &str = "groups";

/// `minimize(loss, over, with, clip_norm = …, …)`
fn signature() -> String {
    let options = OPTIONS.iter().map(|option| option.name).chain([GROUPS]).map(|name| format!("{name} = …"));
    let arguments: Vec<String> = REQUIRED.map(str::to_string).into_iter().chain(options).collect();
    format!("minimize({})", arguments.join(", "))
}

impl Elaborator<'_> {
    /// Understands a `minimize`; what it asks for is done when the forward graph is whole.
    pub(super) fn minimize(&mut self, arguments: &[Argument], span: Span) -> Value {
        let required = REQUIRED.iter().map(|name| (*name, false));
        let optional = OPTIONS.iter().map(|option| option.name).chain([GROUPS]).map(|name| (name, true));
        let parameters = required.chain(optional).collect();
        let callee = Callee { name: "minimize", parameters, signature: &signature() };
        let Some(matched) = self.matched(&callee, None, arguments, span) else { return Value::Poison };
        let [Some(loss), Some(over), Some(with), options @ .., groups] = matched.as_slice() else {
            unreachable!("matching reports what is missing")
        };
        let value = self.loss(loss.expr);
        let over = self.over(over.expr);
        let with = self.with(with.expr);
        let options = self.options(options);
        let entries = match (groups, &with) {
            (Some(groups), Some(with)) => self.groups(groups.expr, with),
            _ => Some(Vec::new()),
        };
        let (Some(value), Some(over), Some(with), Some(options), Some(entries)) = (value, over, with, options, entries)
        else {
            return Value::Poison;
        };
        let Some(optimizers) = self.optimizers(&with, &entries, &over) else { return Value::Poison };
        let loss_name = (loss.expr.to_string(), self.binding_position(loss.expr));
        self.requests.minimize.push(Minimize { loss: value, loss_name, over, optimizers, options, span });
        Value::Unit
    }

    fn loss(&mut self, expr: &Expr) -> Option<ValueId> {
        let value = match self.evaluate(expr) {
            Value::Tensor(value) => value,
            Value::Poison => return None,
            other => {
                self.fail(expr.start, format!("minimize: the loss is a scalar tensor, not {}", other.kind()));
                return None;
            }
        };
        let ty = self.graph.ty(value).clone();
        if ty.rank() != 0 {
            let reduce = format!("reduce it: {expr}.mean() or {expr}.sum()");
            let line = match self.binding_position(expr) {
                Some(place) => format!("{expr} is made at {place}; {reduce}"),
                None => reduce,
            };
            self.report(Problem::new(expr.start, format!("minimize: the loss is {ty}, not a scalar")).place(line));
            return None;
        }
        if !ty.dtype.is_float() {
            self.fail(expr.start, format!("minimize: the loss is {ty}, which has no gradient"));
            return None;
        }
        Some(value)
    }

    /// Adds gradients and updates of all `minimize` to the graph. All gradients use the values before the step.
    pub(super) fn minimize_all(&mut self) {
        let requests = std::mem::take(&mut self.requests.minimize);
        let mut taken = BTreeSet::new();
        let mut all = Vec::new();
        for request in requests {
            if let Some((_, key)) = request.over.parameters.iter().find(|parameter| taken.contains(*parameter)) {
                let headline = format!("two minimize update `{key}`");
                let line = "updates happen together: give each its own parameters, or write two steps";
                self.report(Problem::new(request.over.span, headline).detail(line));
                continue;
            }
            taken.extend(request.over.parameters.iter().cloned());
            if let Some(updates) = self.updates(&request) {
                all.push((request, updates));
            }
        }
        // What belongs to no single parameter is kept in the first store that the step changes.
        let changed =
            |store: &usize| !self.stores[*store].assigned.is_empty() || taken.iter().any(|(at, _)| at == store);
        let Some(store) = (0..self.stores.len()).find(changed) else { return };
        for (number, (request, updates)) in all.into_iter().enumerate() {
            self.graph.result(Role::Loss(number), request.loss);
            for ((store, key), update) in request.over.parameters.iter().zip(&updates) {
                self.graph.result(Role::Gradient { store: *store, key: key.clone() }, update.gradient);
            }
            let group = |(optimizer, members): (Box<dyn Optimizer>, Vec<usize>)| Group {
                optimizer,
                updates: members.into_iter().map(|member| updates[member].clone()).collect(),
            };
            let groups = request.optimizers.into_iter().map(group).collect();
            let origin = self.origin(request.span);
            let mut builder = Builder::new(&mut self.graph, origin);
            optim::minimize(&mut builder, groups, &request.options, Slots::new(number, store));
        }
    }

    fn updates(&mut self, request: &Minimize) -> Option<Vec<Update>> {
        let leaf = |(store, key): &(usize, String)| self.stores[*store].leaves.get(key).copied();
        let leaves: Vec<Option<ValueId>> = request.over.parameters.iter().map(leaf).collect();
        let known: Vec<ValueId> = leaves.iter().flatten().copied().collect();
        let found = autodiff::gradients(&mut self.graph, request.loss, &known);
        let mut found = found.into_iter();
        let gradients: Vec<_> =
            leaves.iter().map(|leaf| leaf.and_then(|leaf| Some((leaf, found.next().flatten()?)))).collect();
        if gradients.iter().any(Option::is_none) {
            self.unreached(request, &gradients);
            return None;
        }
        let update = |(gradient, (_, key)): (Option<(ValueId, ValueId)>, &(usize, String))| {
            let (parameter, gradient) = gradient?;
            Some(Update { parameter, gradient, key: key.clone() })
        };
        gradients.into_iter().zip(&request.over.parameters).map(update).collect()
    }
}
