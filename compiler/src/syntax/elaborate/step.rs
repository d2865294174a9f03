//! Steps: inputs become leaves, the body becomes the forward graph, and what it asks for becomes results.

use super::apply::Signature;
use super::instance::{Layer, LayerKind, placed};
use super::minimize::Minimize;
use super::model::{ModelType, same_const};
use super::report::Problem;
use super::scope::{BindingKind, Frame};
use super::store::Store;
use super::value::Value;
use super::{Elaborator, Items, Scope};
use crate::dtype::DType;
use crate::graph::{Graph, Role, StoreDecl, ValueId};
use crate::shape::Symbol;
use crate::syntax::ast::{self, Argument, AxisKind, Body, Expr, ExprKind, Ident, Statement};
use crate::syntax::diagnostic::{Diagnostics, position};
use crate::syntax::output;
use proc_macro2::TokenStream;
use std::rc::Rc;

/// What the body of a step asks for.
#[derive(Default)]
pub struct Requests {
    /// In order of writing.
    pub minimize: Vec<Minimize>,
    /// Names and values; `None` after a mistake.
    pub metrics: Vec<(Ident, Option<ValueId>)>,
    /// The models that the step names, as the generated `run` takes them.
    pub models: Vec<NamedModel>,
}

/// A model that a step names.
pub struct NamedModel {
    /// The name that the step binds it to.
    pub binding: Ident,
    /// The generated type.
    pub model: String,
    /// The path of the type, if another macro generates it.
    pub path: Option<TokenStream>,
}

/// Elaborates a step. After a mistake its graph is empty, but its signature stands.
pub fn elaborate_step(step: &ast::Step, items: &Items, types: &[ModelType], diagnostics: &Diagnostics) -> output::Step {
    let before = diagnostics.count();
    let mut elaborator = Elaborator::new(&step.name.name, items, types, diagnostics);
    let training = training(step);
    let mut frame = Frame::new(None, training);
    frame.is_step = true;
    frame.bind("training", Value::Bool(training), BindingKind::Fixed, step.name.span);
    elaborator.frames.push(frame);
    let dims = elaborator.step_inputs(step);
    let value = elaborator.statements(&step.body);
    let output = elaborator.step_output(step, value);
    elaborator.finish_step(step, dims, output, before)
}

/// Whether a step trains: as its attribute says, else if it holds a `minimize`.
fn training(step: &ast::Step) -> bool {
    step.training.unwrap_or_else(|| minimizes(&step.body))
}

/// Whether a body holds a `minimize` anywhere.
fn minimizes(body: &Body) -> bool {
    body.statements.iter().any(|statement| match statement {
        Statement::Expr(expr, _) | Statement::Let { value: expr, .. } | Statement::Const { value: expr, .. } => {
            expr_minimizes(expr)
        }
    })
}

fn expr_minimizes(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Call(function, _) => matches!(&function.kind, ExprKind::Name(name) if name == "minimize"),
        ExprKind::If(_, then, otherwise) => minimizes(then) || otherwise.as_deref().is_some_and(expr_minimizes),
        ExprKind::For(_, _, _, body) | ExprKind::Block(body) => minimizes(body),
        _ => false,
    }
}

impl Elaborator<'_> {
    fn step_inputs(&mut self, step: &ast::Step) -> Vec<Ident> {
        let mut dims: Vec<Ident> = Vec::new();
        let axes = || step.inputs.iter().flat_map(|input| &input.ty.axes);
        for axis in axes() {
            if let AxisKind::Dyn(name) = &axis.kind
                && !dims.iter().any(|dim| dim.name == *name)
            {
                dims.push(Ident { name: name.clone(), span: axis.span });
            }
        }
        for axis in axes() {
            if let AxisKind::Name(name) = &axis.kind
                && !dims.iter().any(|dim| dim.name == *name)
            {
                let problem = Problem::new(axis.span, format!("the extent `{name}` is not bound"));
                self.report(problem.detail(format!("an extent that `compile` binds is written `dyn {name}` once")));
                self.frame_mut().bind(name, Value::Poison, BindingKind::Fixed, axis.span);
            }
        }
        self.graph.dims = dims.iter().map(|dim| Symbol::new(&dim.name)).collect();
        self.open_inputs(&step.inputs);
        dims
    }

    /// A model that a step names, or a layer without parameters.
    pub(super) fn named_in_step(&mut self, name: &Ident, training: Option<bool>, value: Value) -> Value {
        let Value::Layer(layer) = &value else {
            return match self.holds_parameters(&value, 0) {
                true => self.fail(name.span, "a step binds each model by a `let` of its own"),
                false => value,
            };
        };
        let LayerKind::Block { block, consts } = &layer.kind else {
            return self.without_parameters(name, layer, training);
        };
        if !block.block.is_model {
            return self.without_parameters(name, layer, training);
        }
        let of_block = |ty: &&ModelType| ty.is_of(block);
        let same = |ty: &&ModelType| {
            ty.broken
                || (ty.consts.len() == consts.len() && ty.consts.iter().zip(consts).all(|(a, b)| same_const(a, b)))
        };
        let Some(ty) = self.types.iter().filter(of_block).find(same) else {
            return self.model_without_type(layer, consts);
        };
        // A broken model keeps its place among the stores, so that the numbers of the others are right.
        let (store, broken) = (self.stores.len(), ty.broken);
        self.requests.models.push(NamedModel {
            binding: name.clone(),
            model: ty.name.clone(),
            path: ty.path().cloned(),
        });
        self.graph.stores.push(StoreDecl { binding: name.name.clone(), model: ty.name.clone() });
        self.stores.push(Store { model: ty.name.clone(), entries: ty.entries.clone(), ..Store::default() });
        if broken {
            return Value::Poison;
        }
        placed(value.clone(), &Elaborator::root_place(store, &name.name, name.span), training)
    }

    fn model_without_type(&self, layer: &Layer, consts: &[Value]) -> Value {
        let block = layer.block().expect("only blocks get here");
        let words = |consts: &[Value], types: &[Value]| {
            let pairs = block.block.consts.iter().zip(consts).zip(types);
            let differing = pairs.filter(|((_, a), b)| !same_const(a, b));
            let words: Vec<String> = differing.map(|((c, a), _)| format!("{} = {}", c.name.name, shown(a))).collect();
            words.join(", ")
        };
        let name = &block.block.name.name;
        let Some(ty) = self.types.iter().find(|ty| ty.is_of(block)) else {
            let problem =
                Problem::new(layer.span, format!("`{name}` has consts without defaults, so no type has its name"));
            return self.report(problem.place(format!("name one: pub model Named = {}", Signature(&block.block))));
        };
        let (here, there) = (words(consts, &ty.consts), words(&ty.consts, consts));
        let headline = format!("no type has the consts {here}: the type `{}` has {there}", ty.name);
        let arguments = block.block.consts.iter().enumerate().zip(consts).zip(&ty.consts);
        let given = arguments.filter(|((_, a), b)| !same_const(a, b)).map(|(((at, c), value), _)| match at {
            0 => shown(value),
            _ => format!("{} = {}", c.name.name, shown(value)),
        });
        let line = format!("name one: pub model Flowers = {name}({});", given.collect::<Vec<_>>().join(", "));
        self.report(Problem::new(layer.span, headline).place(line))
    }

    fn without_parameters(&self, name: &Ident, layer: &Layer, training: Option<bool>) -> Value {
        let value = Value::Layer(Rc::new(Layer { training: training.or(layer.training), ..layer.clone() }));
        if !self.holds_parameters(&value, 0) {
            return value;
        }
        let kind = match layer.block() {
            Some(block) => block.block.name.name.clone(),
            None => "Seq".to_string(),
        };
        let headline = format!("a step holds no layers: `{kind}` has parameters and would belong to no model");
        let line = format!("move `{}` into a model, and name that model here", name.name);
        self.report(Problem::new(layer.span, headline).detail(line))
    }

    /// Whether a layer, as written, declares parameters or makes layers that do.
    pub(super) fn holds_parameters(&self, value: &Value, depth: usize) -> bool {
        match value {
            Value::Layer(layer) => match &layer.kind {
                LayerKind::Seq(elements) => elements.iter().any(|element| self.holds_parameters(element, depth)),
                LayerKind::Block { block, .. } => self.body_holds_parameters(&block.block.body, block.scope, depth + 1),
                LayerKind::Path => true,
            },
            Value::List(values) | Value::Tuple(values) => {
                values.iter().any(|value| self.holds_parameters(value, depth))
            }
            _ => false,
        }
    }

    fn body_holds_parameters(&self, body: &Body, scope: Scope, depth: usize) -> bool {
        depth < 16
            && body.statements.iter().any(|statement| match statement {
                Statement::Let { attributes, value, .. } => {
                    let kept = |attribute: &ast::Attribute| {
                        matches!(attribute.kind, ast::AttributeKind::Param | ast::AttributeKind::State)
                    };
                    attributes.iter().any(kept) || self.makes_layer(value, scope, depth)
                }
                Statement::Const { .. } => false,
                Statement::Expr(expr, _) => self.makes_layer(expr, scope, depth),
            })
    }

    fn makes_layer(&self, expr: &Expr, scope: Scope, depth: usize) -> bool {
        let inner = |body: &Body| self.body_holds_parameters(body, scope, depth);
        match &expr.kind {
            ExprKind::Call(function, arguments) => {
                let named = match &function.kind {
                    ExprKind::Name(name) => self
                        .items
                        .find(scope, name)
                        .is_some_and(|block| self.body_holds_parameters(&block.block.body, block.scope, depth + 1)),
                    _ => false,
                };
                named || arguments.iter().any(|argument| self.makes_layer(&argument.value, scope, depth))
            }
            ExprKind::If(_, then, otherwise) => {
                inner(then) || otherwise.as_deref().is_some_and(|expr| self.makes_layer(expr, scope, depth))
            }
            ExprKind::For(_, _, _, body) | ExprKind::Block(body) => inner(body),
            ExprKind::List(elements) => elements.iter().any(|element| self.makes_layer(element, scope, depth)),
            ExprKind::Repeat(element, _) => self.makes_layer(element, scope, depth),
            _ => false,
        }
    }

    /// `metric(loss, correct = …)`
    pub(super) fn metric(&mut self, arguments: &[Argument]) -> Value {
        for Argument { name, value: expr } in arguments {
            let value = self.evaluate(expr);
            let name = match (name, &expr.kind) {
                (Some(name), _) => name.clone(),
                (None, ExprKind::Name(name)) => Ident { name: name.clone(), span: expr.start },
                (None, _) => {
                    self.fail(expr.start, format!("a metric that is no binding needs a name: metric(name = {expr})"));
                    continue;
                }
            };
            if self.requests.metrics.iter().any(|(other, _)| other.name == name.name) {
                self.fail(name.span, format!("two metrics have the name `{}`", name.name));
                continue;
            }
            if name.name == "output" {
                self.fail(name.span, "`output` is the field of the step's own outputs: name the metric otherwise");
                continue;
            }
            let value = self.operand(expr, &value, DType::F32);
            self.requests.metrics.push((name, value));
        }
        Value::Unit
    }

    fn step_output(&mut self, step: &ast::Step, value: Value) -> Option<Value> {
        let last = step.body.statements.last();
        let span = match last {
            Some(Statement::Expr(expr, false)) => expr.start,
            _ => step.name.span,
        };
        match (&step.output, value) {
            (None, Value::Unit | Value::Poison) => None,
            (None, _) => {
                let problem = Problem::new(
                    span,
                    format!("{}: the body gives a value, the signature has no `->`", step.name.name),
                );
                self.report(problem);
                None
            }
            (Some(_), Value::Unit) => {
                let headline = format!("{}: the signature has outputs, the body gives nothing", step.name.name);
                self.fail(step.name.span, headline);
                None
            }
            (Some(output), value) => {
                self.check_output(&step.name.name, output, &value, span);
                Some(value)
            }
        }
    }

    fn finish_step(mut self, step: &ast::Step, dims: Vec<Ident>, value: Option<Value>, before: usize) -> output::Step {
        let metrics = std::mem::take(&mut self.requests.metrics);
        for (name, value) in &metrics {
            if let Some(value) = value {
                self.graph.result(Role::Metric(name.name.clone()), *value);
            }
        }
        let mut position = 0;
        if let Some(value) = &value {
            self.add_outputs(value, &mut position);
        }
        if metrics.is_empty() && step.output.is_none() && !minimizes(&step.body) && !self.assigns_states() {
            self.fail(
                step.name.span,
                format!("{} computes nothing: it has no output, metric or minimize", step.name.name),
            );
        }
        self.minimize_all();
        self.next_states();
        self.count_run();
        let metric = |(name, value): (Ident, Option<ValueId>)| {
            let ty = value.map(|value| self.graph.ty(value));
            let (dtype, scalar) = ty.map_or((DType::F32, true), |ty| (ty.dtype, ty.rank() == 0));
            output::Metric { name, dtype, scalar }
        };
        let metrics = metrics.into_iter().map(metric).collect();
        let output = step.output.as_ref().map(|output| output_type(output, value.as_ref(), &self.graph));
        let graph = match self.diagnostics.count() > before {
            true => Graph::new(&step.name.name),
            false => std::mem::take(&mut self.graph),
        };
        let broken = graph.results.is_empty();
        let models = std::mem::take(&mut self.requests.models).into_iter().enumerate();
        let store = |(at, NamedModel { binding, model, path }): (usize, NamedModel)| {
            let mutable = graph.changes(at) || (broken && (training(step) || minimizes(&step.body)));
            let model = Ident { name: model, span: binding.span };
            output::StoreArgument { binding, model, path, mutable }
        };
        output::Step {
            visibility: step.visibility.clone(),
            docs: step.docs.clone(),
            name: step.name.clone(),
            dims,
            stores: models.map(store).collect(),
            inputs: step.inputs.iter().map(input).collect(),
            metrics,
            output,
            graph,
        }
    }

    fn add_outputs(&mut self, value: &Value, position: &mut usize) {
        match value {
            Value::Tensor(value) => {
                self.graph.result(Role::Output(*position), *value);
                *position += 1;
            }
            Value::Tuple(values) => values.iter().for_each(|value| self.add_outputs(value, position)),
            _ => {}
        }
    }

    /// `… is made at …` for the binding of an expression that is a name.
    pub(super) fn binding_position(&self, expr: &Expr) -> Option<String> {
        match &expr.kind {
            ExprKind::Name(name) => self.frame().find(name).map(|binding| position(binding.span)),
            _ => None,
        }
    }
}

fn input(input: &ast::Input) -> output::Input {
    output::Input { name: input.name.clone(), dtype: input.ty.dtype, scalar: input.ty.axes.is_empty() }
}

/// The Rust type of the outputs; after a mistake, that of the signature.
fn output_type(written: &ast::Output, value: Option<&Value>, graph: &Graph) -> output::Output {
    match (written, value) {
        (_, Some(Value::Tensor(value))) => {
            let ty = graph.ty(*value);
            output::Output::Tensor { dtype: ty.dtype, scalar: ty.rank() == 0 }
        }
        (_, Some(Value::Tuple(values))) => {
            let hole = ast::Output::Hole(proc_macro2::Span::call_site());
            output::Output::Tuple(values.iter().map(|value| output_type(&hole, Some(value), graph)).collect())
        }
        (ast::Output::Tensor(ty), _) => output::Output::Tensor { dtype: ty.dtype, scalar: ty.axes.is_empty() },
        (ast::Output::Tuple(parts, _), _) => {
            output::Output::Tuple(parts.iter().map(|part| output_type(part, None, graph)).collect())
        }
        (ast::Output::Hole(_), _) => output::Output::Tensor { dtype: DType::F32, scalar: false },
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::Int(extent) => extent.to_string(),
        Value::Float(number) => format!("{number:?}"),
        Value::Bool(truth) => truth.to_string(),
        Value::Text(text) => text.to_string(),
        other => other.kind().to_string(),
    }
}
