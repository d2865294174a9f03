//! Initialisers: how a parameter begins, with fans and gains worked in for its shape.

use super::Elaborator;
use super::arguments::Callee;
use super::parameter::Purpose;
use super::report::Problem;
use super::value::Value;
use crate::description::Initial;
use crate::nearest::nearest;
use crate::shape::Type;
use crate::syntax::ast::{Expr, ExprKind};
use std::fmt;

/// An initialiser: its name, the names of its arguments with their defaults, and what it means for a shape.
struct Initialiser {
    name: &'static str,
    arguments: &'static [(&'static str, Option<f64>)],
    meaning: fn(&[f64], Fans) -> Initial,
}

/// How many inputs and outputs meet in a parameter, as PyTorch counts them.
#[derive(Clone, Copy)]
struct Fans {
    input: f64,
    output: f64,
    /// Elements at one position of axis 0.
    row: f64,
}

/// A standard deviation as the bounds of an even distribution.
fn uniform(std: f64) -> Initial {
    let bound = 3f64.sqrt() * std;
    Initial::Uniform { low: -bound, high: bound }
}

/// The gain of leaky ReLU with this slope, over the root of the fan; 0 for an empty fan.
fn kaiming(slope: f64, fan: f64) -> f64 {
    if fan == 0.0 { 0.0 } else { (2.0 / (1.0 + slope * slope)).sqrt() / fan.sqrt() }
}

fn xavier(gain: f64, fans: Fans) -> f64 {
    let sum = fans.input + fans.output;
    if sum == 0.0 { 0.0 } else { gain * (2.0 / sum).sqrt() }
}

/// The normal distribution, with zeros at one position of axis 0 if that is not negative.
fn normal(std: f64, zero_row: f64, row: f64) -> Initial {
    if zero_row < 0.0 {
        return Initial::Normal { std };
    }
    Initial::PaddedNormal { std, from: (zero_row * row) as u64, to: ((zero_row + 1.0) * row) as u64 }
}

/// The initialisers of the language, with `torch.nn.init`'s formulas.
static INITIALISERS: &[Initialiser] = &[
    Initialiser { name: "zeros", arguments: &[], meaning: |_, _| Initial::Constant(0.0) },
    Initialiser { name: "ones", arguments: &[], meaning: |_, _| Initial::Constant(1.0) },
    Initialiser { name: "constant", arguments: &[("value", None)], meaning: |x, _| Initial::Constant(x[0]) },
    Initialiser {
        name: "uniform",
        arguments: &[("a", Some(0.0)), ("b", Some(1.0))],
        meaning: |x, _| Initial::Uniform { low: x[0], high: x[1] },
    },
    Initialiser {
        name: "normal",
        arguments: &[("std", Some(1.0)), ("zero_row", Some(-1.0))],
        meaning: |x, fans| normal(x[0], x[1], fans.row),
    },
    Initialiser {
        name: "trunc_normal",
        arguments: &[("std", Some(1.0))],
        meaning: |x, _| Initial::TruncatedNormal { std: x[0] },
    },
    Initialiser {
        name: "xavier_uniform",
        arguments: &[("gain", Some(1.0))],
        meaning: |x, fans| uniform(xavier(x[0], fans)),
    },
    Initialiser {
        name: "xavier_normal",
        arguments: &[("gain", Some(1.0))],
        meaning: |x, fans| Initial::Normal { std: xavier(x[0], fans) },
    },
    Initialiser {
        name: "kaiming_uniform",
        arguments: &[("a", Some(0.0))],
        meaning: |x, fans| uniform(kaiming(x[0], fans.input)),
    },
    Initialiser {
        name: "kaiming_normal",
        arguments: &[("a", Some(0.0))],
        meaning: |x, fans| Initial::Normal { std: kaiming(x[0], fans.input) },
    },
];

impl Elaborator<'_> {
    /// What the initialiser expression of a parameter or state means for its shape.
    pub(super) fn initial(&mut self, purpose: Purpose, expr: &Expr, ty: &Type) -> Option<Initial> {
        let (name, arguments) = match &expr.kind {
            ExprKind::Call(function, arguments) => match &function.kind {
                ExprKind::Name(name) => (name, arguments),
                _ => return self.no_initialiser(purpose, expr),
            },
            _ => return self.no_initialiser(purpose, expr),
        };
        let Some(found) = INITIALISERS.iter().find(|initialiser| initialiser.name == name) else {
            if name == "orthogonal" {
                self.unsupported(expr.start, "`orthogonal`");
                return None;
            }
            let names = nearest(name, INITIALISERS.iter().map(|initialiser| initialiser.name));
            self.report(Problem::new(expr.start, format!("no initialiser `{name}`")).nearest("", &names));
            return None;
        };
        let callee = Callee {
            name: found.name,
            parameters: found.arguments.iter().map(|(name, default)| (*name, default.is_some())).collect(),
            signature: found,
        };
        let matched = self.matched(&callee, None, arguments, expr.start)?;
        let mut numbers = Vec::new();
        for (argument, (name, default)) in matched.into_iter().zip(found.arguments) {
            numbers.push(match argument {
                None => default.expect("matching reports what is missing"),
                Some(argument) => match self.evaluate(argument.expr) {
                    Value::Poison => return None,
                    value => match value.number() {
                        Some(number) => number,
                        None => {
                            let headline = format!("{}: `{name}` is a number, not {}", found.name, value.kind());
                            self.fail(argument.expr.start, headline);
                            return None;
                        }
                    },
                },
            });
        }
        let initial = (found.meaning)(&numbers, fans(ty));
        let whole = matches!(initial, Initial::Constant(number) if number.fract() == 0.0);
        if !ty.dtype.is_float() && !whole {
            self.fail(expr.start, format!("{name}: a state of {} begins with a whole number", ty.dtype));
            return None;
        }
        Some(initial)
    }

    fn no_initialiser(&self, purpose: Purpose, expr: &Expr) -> Option<Initial> {
        let word = purpose.word();
        self.fail(expr.start, format!("a {word} begins with an initialiser, like zeros() or uniform(-0.1, 0.1)"));
        None
    }
}

impl fmt::Display for Initialiser {
    /// Prints the signature, like `normal(std = 1.0)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = |(name, default): &(&str, Option<f64>)| match default {
            Some(default) => format!("{name} = {default:?}"),
            None => name.to_string(),
        };
        write!(f, "{}({})", self.name, self.arguments.iter().map(word).collect::<Vec<_>>().join(", "))
    }
}

/// Axis 0 counts outputs, axis 1 inputs, and further axes are the receptive field. A vector counts as one input each.
fn fans(ty: &Type) -> Fans {
    let shape: Vec<f64> = ty.known_shape().into_iter().map(|extent| extent as f64).collect();
    let field: f64 = shape.iter().skip(2).product();
    let row = shape.iter().skip(1).product();
    match shape.as_slice() {
        [] => Fans { input: 1.0, output: 1.0, row },
        [outputs] => Fans { input: *outputs, output: *outputs, row },
        [outputs, inputs, ..] => Fans { input: inputs * field, output: outputs * field, row },
    }
}
