//! Parameters and states: declared by `#[param] let` and `#[state] let`, kept in the store under their key.

use super::Elaborator;
use super::instance::join;
use super::report::Problem;
use super::scope::BindingKind;
use super::store::Entry;
use super::value::Value;
use crate::graph::Leaf;
use crate::shape::{Extent, Symbol, Type};
use crate::syntax::ast::{AxisKind, Expr, Ident, Pattern, Template, TensorType};
use crate::syntax::diagnostic::position;
use proc_macro2::Span;

/// What a tensor of a store is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// `#[param]`: `minimize` trains it.
    Parameter,
    /// `#[state]`: assignments change it.
    State,
}

impl Purpose {
    /// What it is called in messages.
    pub fn word(self) -> &'static str {
        match self {
            Purpose::Parameter => "parameter",
            Purpose::State => "state",
        }
    }
}

impl Elaborator<'_> {
    /// `#[param] let w: f32<O, I> = kaiming_uniform();` and `#[state] let m: f32<C> = zeros();`
    ///
    /// Its key is its name, or what `#[name("…")]` says.
    pub(super) fn let_tensor(
        &mut self,
        purpose: Purpose,
        pattern: &Pattern,
        key: Option<&Template>,
        ty: Option<&TensorType>,
        value: &Expr,
    ) {
        let Pattern::Name { name, mutable: false } = pattern else {
            self.fail(value.start, format!("a {} is bound to one name, without `mut`", purpose.word()));
            return self.bind_poison(pattern);
        };
        let (attribute, kind) = match purpose {
            Purpose::Parameter => ("param", BindingKind::Parameter),
            Purpose::State => ("state", BindingKind::State),
        };
        let Some(written) = ty else {
            self.fail(name.span, format!("`{0}` needs a type: #[{attribute}] let {0}: f32<…> = …", name.name));
            return self.bind_poison(pattern);
        };
        let key = key.map(|key| Ident { name: self.template(key), span: key.span });
        if let Some(key) = key.as_ref().filter(|key| key.name.is_empty()) {
            self.fail(key.span, format!("a {} has a key", purpose.word()));
            return self.bind_poison(pattern);
        }
        let bound = self.declare(purpose, key.as_ref().unwrap_or(name), written, value);
        self.frame_mut().bind(&name.name, bound, kind, name.span);
    }

    fn declare(&mut self, purpose: Purpose, name: &Ident, written: &TensorType, initial: &Expr) -> Value {
        if purpose == Purpose::Parameter && !written.dtype.is_float() {
            return self.fail(written.span, format!("a parameter holds floats, not {}", written.dtype));
        }
        if !self.claim_key(&name.name, name.span) {
            return Value::Poison;
        }
        let made = self.frame().made;
        self.frame_mut().made += 1;
        let Some(place) = self.frame().place.clone() else {
            return self.tensor_without_store(purpose, name);
        };
        let Some(ty) = self.meant(written) else {
            self.depends_on_input();
            return Value::Poison;
        };
        let key = join(&place.key, &name.name);
        if !self.stores[place.store].open {
            // The model was elaborated by itself before, which decided all keys and shapes.
            return match self.stores[place.store].entries.get(&key).map(|entry| entry.ty == ty) {
                Some(true) => self.stored_value(place.store, &key),
                Some(false) => self.shape_disagrees(place.store, &key, &ty, written),
                None => self.fail(
                    name.span,
                    format!("the model itself has no {} `{key}`: what makes it depends on the step", purpose.word()),
                ),
            };
        }
        if let Some(entry) = self.stores[place.store].entries.get(&key) {
            let mut order = place.order.clone();
            order.push(made);
            if entry.order != order {
                return self.equal_keys(&key, &entry.clone(), name);
            }
            if entry.ty != ty {
                return self.shape_disagrees(place.store, &key, &ty, written);
            }
            return self.stored_value(place.store, &key);
        }
        if ty.shape.known().is_none() {
            return self.open_shape(&key, &ty, written);
        }
        let Some(initial) = self.initial(purpose, initial, &ty) else {
            self.depends_on_input();
            return Value::Poison;
        };
        let mut order = place.order.clone();
        order.push(made);
        let site = self.frame().site.clone().filter(|_| !self.frame().unapplied);
        let made = if place.key.is_empty() { name.span } else { place.bound };
        let state = purpose == Purpose::State;
        let entry = Entry { ty, initial, state, order, made, applied: site };
        self.stores[place.store].entries.insert(key.clone(), entry);
        self.stored_value(place.store, &key)
    }

    /// The value of a tensor of a store: a leaf of the graph, or what a state was assigned last.
    pub(super) fn stored_value(&mut self, store: usize, key: &str) -> Value {
        let known = &self.stores[store];
        if let Some(value) = known.assigned.get(key).or_else(|| known.leaves.get(key)) {
            return Value::Tensor(*value);
        }
        let Entry { ty, state, .. } = known.entries[key].clone();
        let key = key.to_string();
        let leaf =
            if state { Leaf::State { store, key: key.clone() } } else { Leaf::Parameter { store, key: key.clone() } };
        let value = self.graph.leaf(leaf, ty);
        self.stores[store].leaves.insert(key, value);
        Value::Tensor(value)
    }

    fn tensor_without_store(&self, purpose: Purpose, name: &Ident) -> Value {
        if self.frame().is_step {
            let headline = format!("a step holds no {}s: `{}` would belong to no model", purpose.word(), name.name);
            let line = format!("move `{}` into a model, and name that model here", name.name);
            return self.report(Problem::new(name.span, headline).detail(line));
        }
        let in_step = self.frames.iter().all(|frame| frame.is_step || frame.place.is_none());
        let headline = if in_step && self.frames.first().is_some_and(|frame| frame.is_step) {
            "a step holds no layers: a layer with parameters would belong to no model".to_string()
        } else {
            format!("the layer that holds `{}` has no key: bind it with `let` before it is applied", name.name)
        };
        self.fail(name.span, headline)
    }

    fn equal_keys(&self, key: &str, first: &Entry, name: &Ident) -> Value {
        let problem = Problem::new(name.span, format!("two parameters have the key `{key}`"));
        let line = format!("the first belongs to what is bound at {}", position(first.made));
        self.report(problem.place(line))
    }

    /// A second application wants another shape than the first gave.
    fn shape_disagrees(&self, store: usize, key: &str, ty: &Type, written: &TensorType) -> Value {
        let entry = &self.stores[store].entries[key];
        let (whole, span) = self.frame().site.clone().unwrap_or((key.to_string(), written.span));
        let owner = self.frame().place.as_ref().map_or(key.to_string(), |place| place.name.clone());
        let takes = self.input_extent(&entry.ty, ty, written);
        let given = self.frame_inputs();
        let line = match takes {
            Some(count) => format!("{whole}: {key} takes {count} inputs, {given}"),
            None => format!("{whole}: {key} is {}, here it would be {ty}", entry.ty),
        };
        let problem = Problem::new(span, format!("{owner}: extents differ")).detail(line);
        let problem = match &entry.applied {
            Some((first, place)) => {
                problem.place(format!("{key} was given its shape {} by {first} at {}", entry.ty, position(*place)))
            }
            None => problem,
        };
        self.report(problem)
    }

    /// The extent that the first application took from its input, if that is the only one that differs.
    fn input_extent(&self, first: &Type, second: &Type, written: &TensorType) -> Option<String> {
        let pairs = first.shape.extents().iter().zip(second.shape.extents()).zip(&written.axes);
        let differing: Vec<_> = pairs.filter(|((a, b), _)| a != b).collect();
        match differing.as_slice() {
            [((a, _), axis)] if matches!(axis.kind, AxisKind::Name(_)) => Some(a.to_string()),
            _ => None,
        }
    }

    /// `b is f32<N, 256>` for what the running block was applied to.
    fn frame_inputs(&self) -> String {
        let Some(expr) = self.frame().site.as_ref().map(|(text, _)| text) else { return String::new() };
        let argument = match (expr.find('('), expr.rfind('.')) {
            (Some(open), None) if expr.ends_with(')') => &expr[open + 1..expr.len() - 1],
            (_, Some(dot)) => &expr[..dot],
            _ => expr.as_str(),
        };
        match self.frame().find("x").map(|binding| &binding.value) {
            Some(Value::Tensor(value)) => format!("{argument} is {}", self.graph.ty(*value)),
            _ => String::new(),
        }
    }

    fn open_shape(&self, key: &str, ty: &Type, written: &TensorType) -> Value {
        let symbols: Vec<String> = {
            let mut all: Vec<_> = ty.shape.extents().iter().flat_map(|extent| extent.symbols()).collect();
            all.sort();
            all.dedup();
            all.iter().map(ToString::to_string).collect()
        };
        let headline = format!("{key}: shape {ty} is not known from the model's signature and consts");
        let mut problem = match self.layer_span() {
            Some(span) => Problem::new(span, headline).exact(),
            None => Problem::new(written.span, headline),
        };
        let root = self.frames.first().and_then(|frame| frame.find(symbols.first()?));
        if let Some(binding) = root {
            let verb = if symbols.len() == 1 { "is" } else { "are" };
            problem = problem.place(format!("{} {verb} open at {}", symbols.join(" and "), position(binding.span)));
        }
        let example = match self.written_out(&symbols) {
            Some(input) => format!("write them out ({input}) or make them consts of the model"),
            None => "write them out in the model's signature or make them consts of the model".to_string(),
        };
        self.report(problem.place(example))
    }

    /// An input of the model with numbers in place of open extents, as an example to follow.
    fn written_out(&self, symbols: &[String]) -> Option<String> {
        let bindings = symbols.iter().map(|name| (Symbol::new(name), Extent::from(28))).collect();
        let open =
            |ty: &Type| ty.shape.extents().iter().any(|e| e.symbols().iter().any(|s| symbols.contains(&s.to_string())));
        let (_, leaf, ty) = self.graph.leaves().find(|(_, _, ty)| open(ty))?;
        let Leaf::User { name } = leaf else { return None };
        Some(format!("{name}: {}", Type::new(ty.dtype, ty.shape.substitute(&bindings)?)))
    }

    /// Where the user made the layer whose prelude body runs.
    fn layer_span(&self) -> Option<Span> {
        self.frame().prelude.then(|| self.frame().made_at).flatten()
    }
}
