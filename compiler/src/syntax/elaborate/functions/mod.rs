//! The built-in functions: names, parameters and defaults as in PyTorch, each applied by inserting ops.

mod activations;
mod attention;
mod borders;
mod collections;
mod convolutions;
mod einsum;
mod elementwise;
mod grids;
mod indexing;
mod interpolate;
mod losses;
mod normalize;
mod parts;
mod pooling;
mod products;
mod random;
mod recurrent;
mod reductions;
mod shapes;
mod spatial;

use super::Elaborator;
use super::apply::counted;
use super::arguments::{Callee, Given};
use super::report::Problem;
use super::value::Value;
use crate::dtype::DType;
use crate::graph::{Attribute, Attributes, ValueId};
use crate::nearest::nearest;
use crate::shape::Extent;
use crate::syntax::ast::{Argument, Expr, ExprKind};
use proc_macro2::Span;
use rustc_hash::FxHashMap;
use std::fmt;

/// A built-in function.
pub struct Function {
    /// The name.
    pub name: &'static str,
    /// Its parameters in order.
    pub parameters: &'static [Parameter],
    /// What it does; `None` after a mistake that was reported.
    pub apply: fn(&mut Elaborator<'_>, &Arguments<'_>) -> Option<Value>,
}

/// A parameter of a function.
pub struct Parameter {
    /// The name.
    pub name: &'static str,
    /// What holds when it is left out.
    pub default: Default,
}

/// The default of a parameter.
pub enum Default {
    /// It must be given.
    Required,
    /// It may be left out, which has a meaning of its own.
    Absent,
    /// A whole number.
    Int(i64),
    /// A number.
    Float(f64),
    /// A switch.
    Bool(bool),
    /// A bare word; the others that are possible follow.
    Word(&'static [&'static str]),
    /// A whole number; a bare word of these is possible too.
    NumberOr(i64, &'static [&'static str]),
    /// It takes all further arguments; the last parameter only.
    Rest,
}

/// A parameter that must be given.
pub const fn required(name: &'static str) -> Parameter {
    Parameter { name, default: Default::Required }
}

/// A parameter with a default.
pub const fn optional(name: &'static str, default: Default) -> Parameter {
    Parameter { name, default }
}

/// The parameters of a function of one tensor.
pub const UNARY: &[Parameter] = &[required("input")];
/// The parameters of a function of two tensors.
pub const BINARY: &[Parameter] = &[required("input"), required("other")];

impl fmt::Display for Function {
    /// Prints the signature, like `softmax(input, axis)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = |parameter: &Parameter| match &parameter.default {
            Default::Required => parameter.name.to_string(),
            Default::Absent => format!("{} = …", parameter.name),
            Default::Rest => format!("{}…", parameter.name),
            Default::Int(number) | Default::NumberOr(number, _) => format!("{} = {number}", parameter.name),
            Default::Float(number) => format!("{} = {number:?}", parameter.name),
            Default::Bool(truth) => format!("{} = {truth}", parameter.name),
            Default::Word(words) => format!("{} = {}", parameter.name, words[0]),
        };
        let words: Vec<String> = self.parameters.iter().map(word).collect();
        write!(f, "{}({})", self.name, words.join(", "))
    }
}

impl fmt::Debug for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

fn tables() -> impl Iterator<Item = &'static Function> {
    [
        activations::FUNCTIONS,
        attention::FUNCTIONS,
        borders::FUNCTIONS,
        convolutions::FUNCTIONS,
        einsum::FUNCTIONS,
        elementwise::FUNCTIONS,
        grids::FUNCTIONS,
        indexing::FUNCTIONS,
        interpolate::FUNCTIONS,
        losses::FUNCTIONS,
        normalize::FUNCTIONS,
        parts::FUNCTIONS,
        pooling::FUNCTIONS,
        products::FUNCTIONS,
        random::FUNCTIONS,
        recurrent::FUNCTIONS,
        reductions::FUNCTIONS,
        shapes::FUNCTIONS,
    ]
    .into_iter()
    .flatten()
}

/// The functions by name.
pub struct Functions(FxHashMap<&'static str, &'static Function>);

impl Functions {
    /// The functions of all tables.
    pub fn new() -> Functions {
        Functions(tables().map(|function| (function.name, function)).collect())
    }

    /// The function of that name.
    pub fn find(&self, name: &str) -> Option<&'static Function> {
        self.0.get(name).copied()
    }
}

/// The names of all functions of the language.
pub fn names() -> impl Iterator<Item = &'static str> {
    tables().map(|function| function.name)
}

/// The evaluated arguments of a call.
pub struct Arguments<'e> {
    /// The function.
    pub function: &'static Function,
    /// One per parameter; `None` where the default applies.
    values: Vec<Option<(Value, &'e Expr)>>,
    /// The arguments that the last parameter takes, if it takes all further ones.
    rest: &'e [Argument],
    /// The whole call, for messages.
    pub whole: &'e Expr,
    /// The token to point at.
    pub span: Span,
}

impl Elaborator<'_> {
    /// Calls a function; a method's receiver is its first argument.
    pub(super) fn call_function(
        &mut self,
        function: &'static Function,
        receiver: Option<Given<'_>>,
        arguments: &[Argument],
        expr: &Expr,
        span: Span,
    ) -> Value {
        let callee = Callee {
            name: function.name,
            parameters: function
                .parameters
                .iter()
                .map(|parameter| (parameter.name, !matches!(parameter.default, Default::Required)))
                .collect(),
            signature: function,
        };
        let (arguments, rest) = separated(function, receiver.is_some(), arguments);
        let Some(matched) = self.matched(&callee, receiver, arguments, span) else { return Value::Poison };
        let mut values = Vec::new();
        for (parameter, given) in function.parameters.iter().zip(matched) {
            values.push(match given {
                None => None,
                Some(given) => Some((self.argument(function, parameter, &given), given.expr)),
            });
        }
        if let (Some(first), Some(last)) = (rest.first(), values.last_mut()) {
            let mut given: Vec<Value> = rest.iter().map(|argument| self.evaluate(&argument.value)).collect();
            // A list in place of all is as good.
            let one = given.len() == 1 && matches!(given[0], Value::List(_));
            *last = Some((if one { given.remove(0) } else { Value::List(given) }, &first.value));
        }
        if values.iter().flatten().any(|(value, _)| value.is_poison()) {
            return Value::Poison;
        }
        let arguments = Arguments { function, values, rest, whole: expr, span };
        (function.apply)(self, &arguments).unwrap_or(Value::Poison)
    }

    fn argument(&mut self, function: &Function, parameter: &Parameter, given: &Given<'_>) -> Value {
        if let Some(value) = &given.value {
            return value.clone();
        }
        match (&parameter.default, &given.expr.kind) {
            (Default::Word(words) | Default::NumberOr(_, words), ExprKind::Name(name))
                if words.contains(&name.as_str()) =>
            {
                Value::Text(name.as_str().into())
            }
            // A const of a block may stand for one of them.
            (Default::Word(words), ExprKind::Name(name)) => {
                let bound = self.frame().find(name).map(|binding| binding.value.clone());
                let name = match &bound {
                    Some(Value::Text(word)) if words.contains(&&**word) => return Value::Text(word.clone()),
                    Some(Value::Text(word)) => word,
                    _ => name.as_str(),
                };
                let headline =
                    format!("{}: `{}` is one of {}, not {name}", function.name, parameter.name, words.join(", "));
                let found = nearest(name, words.iter().copied());
                self.report(Problem::new(given.expr.start, headline).nearest("", &found))
            }
            _ => self.evaluate(given.expr),
        }
    }

    /// The tensor of a parameter.
    pub(super) fn tensor_argument(&self, arguments: &Arguments<'_>, at: usize) -> Option<ValueId> {
        match &arguments.values[at] {
            Some((Value::Tensor(value), _)) => Some(*value),
            other => self.wrong_kind(arguments, at, "a tensor", other.as_ref()),
        }
    }

    /// The tensor of a parameter with its expression, for messages.
    pub(super) fn described_argument<'e>(&self, arguments: &Arguments<'e>, at: usize) -> Option<(&'e Expr, ValueId)> {
        let value = self.tensor_argument(arguments, at)?;
        arguments.values[at].as_ref().map(|(_, expr)| (*expr, value))
    }

    fn wrong_kind<T>(
        &self,
        arguments: &Arguments<'_>,
        at: usize,
        kind: &str,
        found: Option<&(Value, &Expr)>,
    ) -> Option<T> {
        let (name, parameter) = (arguments.function.name, arguments.function.parameters[at].name);
        let (span, found) = match found {
            Some((value, expr)) => (expr.start, value.kind()),
            None => (arguments.span, "nothing"),
        };
        let problem = Problem::new(span, format!("{name}: `{parameter}` is {kind}, not {found}"));
        self.report(problem.detail(arguments.function.to_string()));
        None
    }

    /// A number that is known.
    pub(super) fn float_argument(&self, arguments: &Arguments<'_>, at: usize) -> Option<f64> {
        match (&arguments.values[at], &arguments.function.parameters[at].default) {
            (None, Default::Float(number)) => Some(*number),
            (Some((value, _)), _) if value.number().is_some() => value.number(),
            (other, _) => self.wrong_kind(arguments, at, "a number", other.as_ref()),
        }
    }

    /// A switch.
    pub(super) fn bool_argument(&self, arguments: &Arguments<'_>, at: usize) -> Option<bool> {
        match (&arguments.values[at], &arguments.function.parameters[at].default) {
            (None, Default::Bool(truth)) => Some(*truth),
            (Some((Value::Bool(truth), _)), _) => Some(*truth),
            (other, _) => self.wrong_kind(arguments, at, "a bool", other.as_ref()),
        }
    }

    /// A bare word.
    pub(super) fn word_argument(&self, arguments: &Arguments<'_>, at: usize) -> Option<String> {
        match (&arguments.values[at], &arguments.function.parameters[at].default) {
            (None, Default::Word(words)) => Some(words[0].to_string()),
            (Some((Value::Text(word), _)), _) => Some(word.to_string()),
            (other, _) => self.wrong_kind(arguments, at, "a word", other.as_ref()),
        }
    }

    /// An element type.
    pub(super) fn type_argument(&self, arguments: &Arguments<'_>, at: usize) -> Option<DType> {
        match &arguments.values[at] {
            Some((Value::Type(dtype), _)) => Some(*dtype),
            other => self.wrong_kind(arguments, at, "an element type", other.as_ref()),
        }
    }

    /// An extent, open or known.
    pub(super) fn extent_argument(&self, arguments: &Arguments<'_>, at: usize) -> Option<Extent> {
        match (&arguments.values[at], &arguments.function.parameters[at].default) {
            (None, Default::Int(number)) => Some(Extent::from(*number)),
            (Some((Value::Int(extent), _)), _) => Some(extent.clone()),
            (other, _) => self.wrong_kind(arguments, at, "a whole number", other.as_ref()),
        }
    }

    /// Extents in a list.
    pub(super) fn extents_argument(&self, arguments: &Arguments<'_>, at: usize) -> Option<Vec<Extent>> {
        let extent = |value: &Value| match value {
            Value::Int(extent) => Some(extent.clone()),
            _ => None,
        };
        let found = arguments.values[at].as_ref().and_then(|(value, _)| match value {
            Value::Int(extent) => Some(vec![extent.clone()]),
            other => other.elements()?.iter().map(extent).collect(),
        });
        match found {
            Some(extents) => Some(extents),
            None => self.wrong_kind(arguments, at, "a list of extents", arguments.values[at].as_ref()),
        }
    }

    /// Whether an argument was given.
    pub(super) fn is_given(&self, arguments: &Arguments<'_>, at: usize) -> bool {
        arguments.values[at].is_some()
    }

    /// An axis of the tensor that is argument 0; negative ones count from the end. `places` is how many positions there
    /// are: the rank, or one more where a new axis goes in.
    pub(super) fn axis_argument(&self, arguments: &Arguments<'_>, at: usize, places: usize) -> Option<usize> {
        let extent = self.extent_argument(arguments, at)?;
        self.axis_at(arguments, at, extent.known(), places)
    }

    /// Axes of argument 0, each once, in ascending order; all of them if the argument is left out.
    pub(super) fn axes_argument(&self, arguments: &Arguments<'_>, at: usize, rank: usize) -> Option<Vec<usize>> {
        if !self.is_given(arguments, at) {
            return Some((0..rank).collect());
        }
        let extents = self.extents_argument(arguments, at)?;
        let mut axes = Vec::new();
        for extent in extents {
            let axis = self.axis_at(arguments, at, extent.known(), rank)?;
            if axes.contains(&axis) {
                self.fail(self.argument_span(arguments, at), format!("{}: axis {axis} twice", arguments.function.name));
                return None;
            }
            axes.push(axis);
        }
        axes.sort_unstable();
        Some(axes)
    }

    fn axis_at(&self, arguments: &Arguments<'_>, at: usize, axis: Option<i64>, places: usize) -> Option<usize> {
        self.axis_in(arguments, at, axis, places, || self.described_argument(arguments, 0))
    }

    /// An axis of an operand, which only a message asks for.
    fn axis_in<'e>(
        &self,
        arguments: &Arguments<'_>,
        at: usize,
        axis: Option<i64>,
        places: usize,
        operand: impl FnOnce() -> Option<(&'e Expr, ValueId)>,
    ) -> Option<usize> {
        let name = arguments.function.name;
        let span = self.argument_span(arguments, at);
        let Some(axis) = axis else {
            self.fail(span, format!("{name}: an axis is a number that is known"));
            return None;
        };
        let count = places as i64;
        if (-count..count).contains(&axis) {
            return Some(axis.rem_euclid(count) as usize);
        }
        let (expr, value) = operand()?;
        let ty = self.graph.ty(value);
        let axes = match count {
            0 => "no axes".to_string(),
            1 => "axis 0".to_string(),
            2 => "axes 0 and 1".to_string(),
            _ => format!("axes 0 to {}", count - 1),
        };
        let problem = Problem::new(span, format!("{name}: axis {axis} of {ty}, which has {axes}"));
        self.report(match self.made_at(&[expr]) {
            Some(line) => problem.place(line),
            None => problem,
        });
        None
    }

    pub(super) fn argument_span(&self, arguments: &Arguments<'_>, at: usize) -> Span {
        arguments.values[at].as_ref().map_or(arguments.span, |(_, expr)| expr.start)
    }

    /// The argument as an operand beside a tensor: tensors as they are, numbers as constants.
    pub(super) fn value_argument<'e>(&self, arguments: &Arguments<'e>, at: usize) -> Option<(&'e Expr, Value)> {
        arguments.values[at].as_ref().map(|(value, expr)| (*expr, value.clone()))
    }

    /// Applies the op of the same name as the function, or of another, to tensor arguments.
    pub(super) fn op_on(
        &mut self,
        arguments: &Arguments<'_>,
        op: &str,
        attributes: Attributes,
        operands: &[(&Expr, ValueId)],
    ) -> Option<Value> {
        match self.insert_as(arguments.function.name, op, attributes, operands, arguments.span) {
            Value::Poison => None,
            value => Some(value),
        }
    }
}

/// The arguments up to those that the last parameter takes together, and those.
fn separated<'a>(function: &Function, method: bool, arguments: &'a [Argument]) -> (&'a [Argument], &'a [Argument]) {
    match function.parameters {
        [before @ .., Parameter { default: Default::Rest, .. }] if arguments.iter().all(|a| a.name.is_none()) => {
            arguments.split_at(arguments.len().min(before.len() - usize::from(method)))
        }
        _ => (arguments, &[]),
    }
}

/// Axes as an attribute.
pub fn axes_attribute(axes: &[usize]) -> Attribute {
    Attribute::Ints(axes.iter().map(|&axis| axis as i64).collect())
}

/// `takes 2 axes` and the like, for counts that do not fit.
pub fn axes_counted(count: usize) -> String {
    if count == 1 { "1 axis".to_string() } else { counted(count, "axe") }
}
