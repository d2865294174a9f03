//! Making layers and applying them.

use super::Elaborator;
use super::arguments::{Callee, Given};
use super::instance::{BlockItem, Layer, LayerKind, Place, placed};
use super::report::Problem;
use super::scope::{BindingKind, Frame};
use super::value::Value;
use crate::syntax::ast::{Argument, Block, ConstParameter, Expr, ExprKind, Input, Statement};
use proc_macro2::Span;
use std::fmt;
use std::rc::Rc;

/// Blocks inside blocks: more than this is a block that holds itself.
const DEEPEST: usize = 64;

impl Elaborator<'_> {
    /// `Linear(256)`: a layer of a block with its consts.
    pub(super) fn make_layer(&mut self, name: &str, arguments: &[Argument], span: Span) -> Value {
        if name == "Seq" {
            let elements = arguments.iter().filter_map(|argument| self.seq_element(argument)).collect();
            return Value::Layer(Rc::new(Layer { kind: LayerKind::Seq(elements), place: None, training: None, span }));
        }
        let Some(block) = self.items.find(self.scope(), name) else {
            return self.missing_layer(name, arguments, span);
        };
        let Some(consts) = self.consts(&block, arguments, span) else {
            self.depends_on_input();
            return Value::Poison;
        };
        Value::Layer(Rc::new(Layer { kind: LayerKind::Block { block, consts }, place: None, training: None, span }))
    }

    fn missing_layer(&mut self, name: &str, arguments: &[Argument], span: Span) -> Value {
        if let Some((scope, alias)) = self.items.alias(self.scope(), name) {
            if !arguments.is_empty() {
                return self.fail(span, format!("`{name}` names {} with its consts: it takes none", alias.target.name));
            }
            let mut frame = Frame::new(None, self.frame().training);
            frame.scope = scope;
            self.frames.push(frame);
            let layer = self.make_layer(&alias.target.name, &alias.arguments, span);
            self.frames.pop();
            return layer;
        }
        if self.items.is_missing(self.scope(), name) {
            return Value::Poison;
        }
        self.unknown_layer(span, name)
    }

    /// An element of `Seq`; an `if` without `else` whose condition is false is left out.
    fn seq_element(&mut self, argument: &Argument) -> Option<Value> {
        if let Some(name) = &argument.name {
            return Some(self.fail(name.span, "Seq takes layers and functions, which have no names here"));
        }
        let value = self.evaluate(&argument.value);
        match value {
            Value::Layer(_) | Value::Function(_) | Value::Poison => Some(value),
            Value::Unit if matches!(argument.value.kind, ExprKind::If(..)) => None,
            other => {
                let headline = format!("Seq takes layers and functions, not {}", other.kind());
                Some(self.fail(argument.value.start, headline))
            }
        }
    }

    /// The value of each const of a block, from arguments and defaults.
    pub(super) fn consts(&mut self, block: &Rc<BlockItem>, arguments: &[Argument], span: Span) -> Option<Vec<Value>> {
        let item = &block.block;
        let callee = Callee {
            name: &item.name.name,
            parameters: item.consts.iter().map(|c| (c.name.name.as_str(), c.default.is_some())).collect(),
            signature: &Signature(item),
        };
        let matched = self.matched(&callee, None, arguments, span)?;
        let mut given = Vec::new();
        for (parameter, argument) in item.consts.iter().zip(matched) {
            let value = argument.map(|argument| (self.const_argument(parameter, argument.expr), argument.expr.start));
            let value = value.map(|(value, place)| self.const_of_type(item, parameter, value, place));
            given.push(value);
        }
        // Defaults may name the consts before them.
        let mut frame = Frame::new(None, false);
        frame.prelude = block.is_prelude();
        frame.scope = block.scope;
        frame.site = Some((item.name.name.clone(), span));
        self.frames.push(frame);
        let mut values = Vec::new();
        for (parameter, value) in item.consts.iter().zip(given) {
            let value = match (value, &parameter.default) {
                (Some(value), _) => value,
                (None, Some(default)) => self.const_argument(parameter, default),
                (None, None) => unreachable!("matching reports what is missing"),
            };
            self.frame_mut().bind(&parameter.name.name, value.clone(), BindingKind::Fixed, parameter.name.span);
            values.push(value);
        }
        self.frames.pop();
        (!values.iter().any(Value::is_poison)).then_some(values)
    }

    /// A bare word stands for itself where the const is a word, unless a const of that name is one.
    fn const_argument(&mut self, parameter: &ConstParameter, expr: &Expr) -> Value {
        match &expr.kind {
            ExprKind::Name(name) if parameter.ty.name == "word" => match self.frame().find(name) {
                Some(binding) if matches!(binding.value, Value::Text(_)) => binding.value.clone(),
                _ => Value::Text(name.as_str().into()),
            },
            ExprKind::Name(name) if parameter.ty.name.starts_with("padding") => match self.frame().find(name) {
                Some(binding) => binding.value.clone(),
                None => Value::Text(name.as_str().into()),
            },
            _ => self.evaluate(expr),
        }
    }

    fn const_of_type(&self, block: &Block, parameter: &ConstParameter, value: Value, span: Span) -> Value {
        if let Some(axes) = axes_of_sizes(&parameter.ty.name).filter(|_| !value.is_poison()) {
            return sizes(&value, axes).unwrap_or_else(|| {
                let (name, parameter) = (&block.name.name, &parameter.name.name);
                let found = value.counted();
                let headline = format!("{name}: `{parameter}` is a number or {axes} in a tuple, not {found}");
                self.report(Problem::new(span, headline).detail(Signature(block).to_string()))
            });
        }
        match (parameter.ty.name.as_str(), value) {
            ("f32" | "f64", Value::Int(extent)) if extent.known().is_some() => {
                Value::Float(extent.known().expect("just tested") as f64)
            }
            ("f32" | "f64", Value::Float(number)) => Value::Float(number),
            ("bool", value @ Value::Bool(_)) | ("shape", value @ Value::List(_)) => value,
            ("shape", value @ Value::Int(_)) => Value::List(vec![value]),
            (_, Value::Poison) => Value::Poison,
            ("usize" | "u32" | "i32" | "i64", value @ Value::Int(_)) => value,
            ("word", value @ Value::Text(_)) => value,
            (known @ ("f32" | "f64" | "bool" | "usize" | "u32" | "i32" | "i64" | "shape" | "word"), other) => {
                let headline =
                    format!("{}: `{}` is {known}, not {}", block.name.name, parameter.name.name, other.kind());
                self.report(Problem::new(span, headline).detail(Signature(block).to_string()))
            }
            (_, value) => value,
        }
    }

    /// Applies a layer to the arguments of a call, and to the receiver before them.
    pub(super) fn apply_to<'e>(
        &mut self,
        layer: &Rc<Layer>,
        receiver: Option<Given<'e>>,
        arguments: &'e [Argument],
        expr: &Expr,
        span: Span,
    ) -> Value {
        let named = arguments.iter().find_map(|argument| argument.name.as_ref());
        let given = match (&layer.kind, named) {
            (_, None) => {
                receiver.into_iter().chain(arguments.iter().map(|one| Given::expr(&one.value))).map(Some).collect()
            }
            (LayerKind::Block { block, .. }, Some(_)) => {
                let (item, name) = (&block.block, layer.name());
                let inputs = item.inputs.iter();
                let callee = Callee {
                    name: &name,
                    parameters: inputs.map(|input| (input.name.name.as_str(), !input.optional.is_empty())).collect(),
                    signature: &Inputs(&name, item),
                };
                let Some(matched) = self.matched(&callee, receiver, arguments, span) else { return Value::Poison };
                matched
            }
            (_, Some(named)) => return self.fail(named.span, format!("{} takes a value without a name", layer.name())),
        };
        self.apply(layer, given, expr, span)
    }

    /// Applies a layer to values, of which some may be left out: graph nodes come out.
    pub(super) fn apply(&mut self, layer: &Rc<Layer>, given: Vec<Option<Given<'_>>>, expr: &Expr, span: Span) -> Value {
        self.note_applied(layer);
        match &layer.kind {
            LayerKind::Seq(elements) => self.apply_seq(layer, elements, given, expr, span),
            LayerKind::Block { block, consts } => self.apply_block(layer, block, consts, given, expr, span),
            LayerKind::Path => self.fail(span, "a path of keys is no layer and cannot be applied"),
        }
    }

    fn apply_seq(
        &mut self,
        layer: &Layer,
        elements: &[Value],
        given: Vec<Option<Given<'_>>>,
        expr: &Expr,
        span: Span,
    ) -> Value {
        let mut given = given.into_iter().flatten();
        let (Some(first), None) = (given.next(), given.next()) else {
            return self.fail(span, "Seq takes one value");
        };
        let input = match first.value {
            Some(value) => value,
            None => self.evaluate(first.expr),
        };
        let training = self.frame().training;
        self.frame_mut().training = layer.training.unwrap_or(training);
        let value = self.chain(layer, elements, Given { expr: first.expr, value: Some(input) }, expr, span);
        self.frame_mut().training = training;
        value
    }

    fn chain(&mut self, layer: &Layer, elements: &[Value], input: Given<'_>, expr: &Expr, span: Span) -> Value {
        let mut value = input.value.unwrap_or(Value::Poison);
        for (i, element) in elements.iter().enumerate() {
            let given = Given { expr: input.expr, value: Some(value) };
            let element = match &layer.place {
                Some(place) => placed(element.clone(), &place.child(&i.to_string(), i), None),
                None => element.clone(),
            };
            value = match element {
                Value::Layer(inner) => self.apply(&inner, vec![Some(given)], expr, span),
                Value::Function(function) => self.call_function(function, Some(given), &[], expr, span),
                _ => Value::Poison,
            };
        }
        value
    }

    fn apply_block(
        &mut self,
        layer: &Layer,
        block: &Rc<BlockItem>,
        consts: &[Value],
        given: Vec<Option<Given<'_>>>,
        expr: &Expr,
        span: Span,
    ) -> Value {
        let item = &block.block;
        let owner = layer.name();
        let values: Vec<Value> = given
            .iter()
            .map(|given| match given {
                Some(Given { value: Some(value), .. }) => value.clone(),
                Some(Given { expr, .. }) => self.evaluate(expr),
                None => Value::List(Vec::new()),
            })
            .collect();
        let (least, most) = (item.inputs.iter().filter(|input| input.optional.is_empty()).count(), item.inputs.len());
        if !(least..=most).contains(&given.len()) {
            let takes = if least < most { format!("{least} or ") } else { String::new() };
            let headline = format!("{owner} takes {takes}{}, not {}", counted(most, "value"), given.len());
            return self.fail(span, headline);
        }
        if self.frames.len() > DEEPEST {
            return self.fail(span, format!("{} holds itself, without end", item.name.name));
        }
        let broken = self.types.iter().any(|ty| ty.is_of(block) && ty.broken);
        if broken || (values.iter().any(Value::is_poison) && !self.frame().unapplied) {
            return Value::Poison;
        }
        self.frames.push(self.block_frame(layer, block, expr, span));
        self.bind_consts(item, consts);
        let before = self.diagnostics.count();
        let absent = given.len()..item.inputs.len();
        let given = given.iter().map(Option::as_ref).zip(values).chain(absent.map(|_| (None, Value::List(Vec::new()))));
        for (input, (given, value)) in item.inputs.iter().zip(given) {
            let Some(given) = given else {
                self.frame_mut().bind(&input.name.name, value, BindingKind::Fixed, input.name.span);
                continue;
            };
            let place = if block.is_prelude() { span } else { given.expr.span };
            let place = self.input_span(block, span, place);
            match input.optional.is_empty() {
                true => self.bind_input(&owner, input, given, value, place),
                false => self.bind_optional(&owner, input, given, value, place),
            }
        }
        let result = if self.diagnostics.count() == before { self.block_result(item) } else { Value::Poison };
        self.frames.pop();
        result
    }

    /// Mistakes about inputs stand at the application, outside of the block that is entered.
    fn input_span(&self, block: &BlockItem, application: Span, argument: Span) -> Span {
        if block.is_prelude() { application } else { argument }
    }

    fn block_frame(&self, layer: &Layer, block: &BlockItem, expr: &Expr, span: Span) -> Frame {
        let training = layer.training.unwrap_or(self.frame().training);
        let mut frame = Frame::new(layer.place.clone(), training);
        frame.prelude = block.is_prelude();
        frame.scope = block.scope;
        frame.unapplied = self.frame().unapplied;
        frame.site = Some((expr.to_string(), span));
        frame.mistakes = self.diagnostics.count();
        frame.made_at = Some(layer.span);
        frame.instance = (!block.is_prelude() && !block.block.is_model).then(|| (layer.name(), layer.span));
        frame.bind("training", Value::Bool(training), BindingKind::Fixed, block.block.name.span);
        frame
    }

    /// Binds the consts of a block in the frame of its body.
    pub(super) fn bind_consts(&mut self, block: &Block, consts: &[Value]) {
        for (parameter, value) in block.consts.iter().zip(consts) {
            self.frame_mut().bind(&parameter.name.name, value.clone(), BindingKind::Fixed, parameter.name.span);
        }
    }

    /// Runs a body whose inputs are bound, and checks what it gives.
    pub(super) fn block_result(&mut self, block: &Block) -> Value {
        self.frame_mut().open();
        let value = self.statements(&block.body);
        let span = match block.body.statements.last() {
            Some(Statement::Expr(expr, false)) => expr.start,
            _ => block.name.span,
        };
        let value = match value {
            Value::Unit => self.fail(block.name.span, format!("{}: the body gives nothing", block.name.name)),
            value => value,
        };
        let right = match &block.output {
            Some(output) => self.check_output(&block.name.name, output, &value, span),
            None => true,
        };
        self.frame_mut().close();
        if right { value } else { Value::Poison }
    }

    /// The place of a model at the root of its store.
    pub(super) fn root_place(store: usize, name: &str, bound: Span) -> Place {
        Place { store, key: String::new(), order: Vec::new(), name: name.to_string(), bound }
    }
}

/// `Linear(out_features, bias = true)`
pub struct Signature<'a>(pub &'a Block);

impl fmt::Display for Signature<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = |parameter: &ConstParameter| match &parameter.default {
            Some(default) => format!("{} = {default}", parameter.name.name),
            None => parameter.name.name.clone(),
        };
        write!(f, "{}({})", self.0.name.name, self.0.consts.iter().map(word).collect::<Vec<_>>().join(", "))
    }
}

/// What an applied layer is shown as in messages: `attn(query, key, attn_mask = …)`.
struct Inputs<'a>(&'a str, &'a Block);

impl fmt::Display for Inputs<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = |input: &Input| match input.optional.is_empty() {
            true => input.name.name.clone(),
            false => format!("{} = …", input.name.name),
        };
        write!(f, "{}({})", self.0, self.1.inputs.iter().map(word).collect::<Vec<_>>().join(", "))
    }
}

/// Along how many axes a const of the type `sizes2d` and the like has sizes.
fn axes_of_sizes(ty: &str) -> Option<usize> {
    ty.strip_prefix("sizes")?.strip_suffix('d')?.parse().ok()
}

/// A size for each of so many axes: one number for all of them, or one each.
fn sizes(value: &Value, axes: usize) -> Option<Value> {
    let whole = |value: &Value| matches!(value, Value::Int(_));
    match value.elements() {
        None if whole(value) => Some(Value::List(vec![value.clone(); axes])),
        Some(values) if values.len() == axes && values.iter().all(whole) => Some(Value::List(values.to_vec())),
        _ => None,
    }
}

/// `1 value`, `2 values`
pub fn counted(count: usize, word: &str) -> String {
    if count == 1 { format!("{count} {word}") } else { format!("{count} {word}s") }
}
