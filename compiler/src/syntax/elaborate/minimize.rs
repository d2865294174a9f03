//! `minimize(loss, over = net, with = Adam(lr))`: gradients and updates become part of the graph.

use super::Elaborator;
use super::arguments::Callee;
use super::instance::Layer;
use super::report::Problem;
use super::value::Value;
use crate::autodiff;
use crate::dtype::DType;
use crate::graph::{Builder, Leaf, Role, ValueId};
use crate::nearest::nearest;
use crate::optim::{self, Optimizer, Slots, Update};
use crate::syntax::ast::{Argument, Expr, ExprKind};
use crate::syntax::diagnostic::position;
use proc_macro2::Span;
use std::collections::BTreeMap;

/// One `minimize` of a step, its arguments understood.
pub struct Minimize {
    /// The loss.
    loss: ValueId,
    /// The loss as written, and where it was made.
    loss_name: (String, Option<String>),
    /// The store and key of each parameter.
    over: Vec<(usize, String)>,
    /// What stood behind `over =`, to point at.
    over_span: Span,
    /// The root binding of `over`, for suggestions.
    over_root: String,
    /// The optimizer.
    optimizer: Box<dyn Optimizer>,
    /// The word `minimize`.
    span: Span,
}

/// Options of `minimize` that later versions bring.
const PLANNED: [&str; 5] = ["clip_norm", "clip_value", "accumulate", "ema", "groups"];

/// Optimizers of the language that later versions bring.
const PLANNED_OPTIMIZERS: [&str; 9] =
    ["Adagrad", "RmsProp", "Adadelta", "AdamW", "Adamax", "Nadam", "Radam", "Lion", "Lamb"];

const SIGNATURE: &str = "minimize(loss, over, with)";

impl Elaborator<'_> {
    /// Understands a `minimize`; what it asks for is done when the forward graph is whole.
    pub(super) fn minimize(&mut self, arguments: &[Argument], span: Span) -> Value {
        let planned =
            |argument: &&Argument| argument.name.as_ref().is_some_and(|name| PLANNED.contains(&name.name.as_str()));
        for argument in arguments.iter().filter(planned) {
            let name = argument.name.as_ref().expect("only named ones are planned");
            self.unsupported(name.span, &format!("`{}` of minimize", name.name));
        }
        let rest: Vec<Argument> = arguments.iter().filter(|argument| !planned(argument)).cloned().collect();
        let callee = Callee {
            name: "minimize",
            parameters: vec![("loss", false), ("over", false), ("with", false)],
            signature: SIGNATURE.to_string(),
        };
        let Some(matched) = self.matched(&callee, None, &rest, span) else { return Value::Poison };
        let [Some(loss), Some(over), Some(with)] = matched.as_slice() else {
            unreachable!("matching reports what is missing")
        };
        let loss_value = self.loss(loss.expr);
        let over_paths = self.over(over.expr);
        let optimizer = self.optimizer(with.expr);
        if let (Some(value), Some(paths), Some(optimizer)) = (loss_value, over_paths, optimizer) {
            self.requests.minimize.push(Minimize {
                loss: value,
                loss_name: (loss.expr.to_string(), self.binding_position(loss.expr)),
                over: paths,
                over_span: over.expr.start,
                over_root: root_name(over.expr),
                optimizer,
                span,
            });
        }
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
        if ty.dtype != DType::F32 {
            self.fail(expr.start, format!("minimize: the loss is {ty}, which has no gradient"));
            return None;
        }
        Some(value)
    }

    /// The parameters that `over` names.
    fn over(&mut self, expr: &Expr) -> Option<Vec<(usize, String)>> {
        if let ExprKind::List(elements) = &expr.kind {
            let parts: Vec<_> = elements.iter().map(|element| self.over(element)).collect();
            let mut all: Vec<(usize, String)> = parts.into_iter().collect::<Option<Vec<_>>>()?.concat();
            let mut seen = std::collections::HashSet::new();
            all.retain(|parameter| seen.insert(parameter.clone()));
            return Some(all);
        }
        match self.evaluate(expr) {
            Value::Poison => None,
            Value::Layer(layer) => self.over_layer(&layer, expr),
            Value::Tensor(value) => match self.graph.as_leaf(value) {
                Some(Leaf::Parameter { store, key }) => Some(vec![(*store, key.clone())]),
                Some(Leaf::State { .. }) => self.no_path(expr, "a state, which assignments change"),
                _ => self.no_path(expr, "a tensor that is no parameter"),
            },
            other => self.no_path(expr, other.kind()),
        }
    }

    fn over_layer(&mut self, layer: &Layer, expr: &Expr) -> Option<Vec<(usize, String)>> {
        let Some(place) = &layer.place else { return self.no_path(expr, "a layer of no model") };
        let store = &self.stores[place.store];
        let trained = |key: &String| !store.entries[key].state;
        let keys: Vec<_> = store.keys_below(&place.key).into_iter().filter(trained).collect();
        if keys.is_empty() {
            self.fail(expr.start, format!("minimize: `{expr}` has no parameters"));
            return None;
        }
        Some(keys.into_iter().map(|key| (place.store, key)).collect())
    }

    fn no_path<T>(&self, expr: &Expr, what: &str) -> Option<T> {
        self.fail(expr.start, format!("minimize: `over` is a model, a layer of it or a list of them, not {what}"));
        None
    }

    fn optimizer(&mut self, expr: &Expr) -> Option<Box<dyn Optimizer>> {
        let (name, arguments) = match &expr.kind {
            ExprKind::Call(function, arguments) => match &function.kind {
                ExprKind::Name(name) => (name.as_str(), arguments.as_slice()),
                _ => return self.no_optimizer(expr, ""),
            },
            ExprKind::Name(name) => return self.no_optimizer(expr, name),
            _ => return self.no_optimizer(expr, ""),
        };
        let Some(found) = optim::find(name) else {
            return self.no_optimizer(expr, name);
        };
        let callee = Callee {
            name: found.name,
            parameters: found.arguments.iter().map(|a| (a.name, a.default.is_some())).collect(),
            signature: found.to_string(),
        };
        let matched = self.matched(&callee, None, arguments, expr.start)?;
        let mut given = BTreeMap::new();
        for (argument, parameter) in matched.into_iter().zip(found.arguments) {
            let Some(argument) = argument else { continue };
            let value = self.optimizer_argument(argument.expr)?;
            given.insert(parameter.name.to_string(), value);
        }
        match optim::build(name, &given) {
            Ok(optimizer) => Some(optimizer),
            Err(error) => {
                self.fail(expr.start, error.to_string());
                None
            }
        }
    }

    fn optimizer_argument(&mut self, expr: &Expr) -> Option<optim::Value> {
        let value = self.evaluate(expr);
        match &value {
            Value::Poison => None,
            Value::Bool(truth) => Some(optim::Value::Switch(*truth)),
            Value::Tensor(tensor) => {
                let ty = self.graph.ty(*tensor);
                if ty.rank() == 0 && ty.dtype == DType::F32 {
                    return Some(optim::Value::Graph(*tensor));
                }
                self.fail(expr.start, format!("an argument of an optimizer is a number or a scalar f32, not {ty}"));
                None
            }
            other => {
                let numbers: Option<Vec<f64>> = other.elements().and_then(|e| e.iter().map(Value::number).collect());
                match (other.number(), numbers.as_deref()) {
                    (Some(number), _) => Some(optim::Value::Number(number)),
                    (_, Some([a, b])) => Some(optim::Value::Pair(*a, *b)),
                    _ => {
                        self.fail(expr.start, format!("an argument of an optimizer is a number, not {}", other.kind()));
                        None
                    }
                }
            }
        }
    }

    fn no_optimizer<T>(&self, expr: &Expr, name: &str) -> Option<T> {
        if PLANNED_OPTIMIZERS.contains(&name) {
            self.unsupported(expr.start, &format!("`{name}`"));
            return None;
        }
        let known = optim::OPTIMIZERS.iter().map(|signature| signature.name).chain(PLANNED_OPTIMIZERS);
        let names = nearest(name, known);
        let headline = match name {
            "" => "`with` is an optimizer, like Sgd(lr)".to_string(),
            name if names.contains(&name) => format!("`{name}` needs its arguments: {name}(…)"),
            name => format!("no optimizer `{name}`"),
        };
        let found = if names.contains(&name) { Vec::new() } else { names };
        self.report(Problem::new(expr.start, headline).nearest("", &found));
        None
    }

    /// Adds gradients and updates of all `minimize` to the graph. All gradients use the values before the step.
    pub(super) fn minimize_all(&mut self) {
        let requests = std::mem::take(&mut self.requests.minimize);
        let mut taken: BTreeMap<(usize, String), usize> = BTreeMap::new();
        let mut all = Vec::new();
        for (number, request) in requests.iter().enumerate() {
            if let Some((_, key)) = request.over.iter().find(|parameter| taken.contains_key(parameter)) {
                let headline = format!("two minimize update `{key}`");
                let line = "updates happen together: give each its own parameters, or write two steps";
                self.report(Problem::new(request.over_span, headline).detail(line));
                continue;
            }
            taken.extend(request.over.iter().map(|parameter| (parameter.clone(), number)));
            if let Some(updates) = self.updates(request) {
                all.push((number, request, updates));
            }
        }
        for (number, request, updates) in all {
            let origin = self.origin(request.span);
            for ((store, key), update) in request.over.iter().zip(&updates) {
                self.graph.result(Role::Gradient { store: *store, key: key.clone() }, update.gradient);
            }
            // Slots live in the store of their parameters, so each store gets updates of its own.
            for store in 0..self.stores.len() {
                let of_store = request.over.iter().zip(&updates).filter(|((at, _), _)| *at == store);
                let updates: Vec<Update> = of_store.map(|(_, update)| update.clone()).collect();
                if !updates.is_empty() {
                    let mut builder = Builder::new(&mut self.graph, origin);
                    request.optimizer.update(&mut builder, &updates, &mut Slots::new(number, store));
                }
            }
        }
    }

    fn updates(&mut self, request: &Minimize) -> Option<Vec<Update>> {
        let leaf = |(store, key): &(usize, String)| self.stores[*store].leaves.get(key).copied();
        let leaves: Vec<Option<ValueId>> = request.over.iter().map(leaf).collect();
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
        gradients.into_iter().zip(&request.over).map(update).collect()
    }

    /// Parameters from which no path leads to the loss.
    fn unreached(&self, request: &Minimize, gradients: &[Option<(ValueId, ValueId)>]) {
        let pairs = || request.over.iter().zip(gradients);
        let missing: Vec<_> = pairs().filter(|(_, gradient)| gradient.is_none()).map(|(p, _)| p).collect();
        let keys: Vec<&str> = missing.iter().map(|(_, key)| key.as_str()).collect();
        let mut layers: Vec<&str> = Vec::new();
        for ((_, key), _) in pairs().filter(|(_, gradient)| gradient.is_some()) {
            let layer = key.rsplit_once('.').map_or(key.as_str(), |(layer, _)| layer);
            if !layers.contains(&layer) {
                layers.push(layer);
            }
        }
        let (loss, loss_place) = &request.loss_name;
        let headline = format!("minimize: no path leads from {} to `{loss}`", keys.join(", "));
        let (store, first) = missing[0];
        let made = position(self.user_span(self.stores[*store].entries[first].made));
        let line = match loss_place {
            Some(place) => format!("they are made at {made}, the loss at {place}"),
            None => format!("they are made at {made}"),
        };
        let problem = Problem::new(request.over_span, headline).place(line);
        let root = &request.over_root;
        let paths: Vec<String> = layers.iter().map(|layer| format!("{root}.{layer}")).collect();
        self.report(match paths.as_slice() {
            [] => problem,
            [one] => problem.place(format!("leave them out: over = {one}")),
            many => problem.place(format!("leave them out: over = [{}]", many.join(", "))),
        });
    }
}

/// `net` of `net.fc` or `[net.fc, net.head]`.
fn root_name(expr: &Expr) -> String {
    match &expr.kind {
        ExprKind::Field(base, _) => root_name(base),
        ExprKind::List(elements) => elements.first().map(root_name).unwrap_or_default(),
        ExprKind::Name(name) => name.clone(),
        _ => expr.to_string(),
    }
}
