//! Arguments of optimizers: which there are, and what a call makes of them.
//!
//! A signature and the arguments of a call come in; out comes a complete set in which every argument has its kind.

use super::{Optimizer, Scalar};
use crate::graph::ValueId;
use std::collections::BTreeMap;
use std::fmt;
use thiserror::Error;

/// The name and the arguments of an optimizer.
#[derive(Debug)]
pub struct Signature {
    /// The name in the language.
    pub name: &'static str,
    /// The arguments in order.
    pub arguments: &'static [Argument],
    /// Makes the optimizer.
    pub build: fn(&Arguments) -> Result<Box<dyn Optimizer>, ArgumentError>,
}

/// An argument of a [`Signature`].
#[derive(Debug)]
pub struct Argument {
    /// The name.
    pub name: &'static str,
    /// What it takes.
    pub kind: Kind,
    /// What it is when left out; `None` if it must be given.
    pub default: Option<Value>,
}

impl Argument {
    /// A number that may change from run to run.
    pub(super) const fn scalar(name: &'static str, default: f64) -> Argument {
        Argument { name, kind: Kind::Scalar, default: Some(Value::Number(default)) }
    }

    /// A number from 0 to 1 that may change from run to run.
    pub(super) const fn share(name: &'static str, default: f64) -> Argument {
        Argument { name, kind: Kind::Share, default: Some(Value::Number(default)) }
    }

    /// A number.
    pub(super) const fn number(name: &'static str, default: f64) -> Argument {
        Argument { name, kind: Kind::Number, default: Some(Value::Number(default)) }
    }

    /// Two numbers below 1.
    pub(super) const fn fractions(name: &'static str, first: f64, second: f64) -> Argument {
        Argument { name, kind: Kind::Fractions, default: Some(Value::Pair(first, second)) }
    }

    /// A bool that is false when left out.
    pub(super) const fn switch(name: &'static str) -> Argument {
        Argument { name, kind: Kind::Switch, default: Some(Value::Switch(false)) }
    }
}

/// What an argument takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A number that is not negative, or a float scalar of the graph.
    Scalar,
    /// A number from 0 to 1, or a float scalar of the graph.
    Share,
    /// A number that is not negative.
    Number,
    /// A whole number from 1 up.
    Count,
    /// Two numbers from 0 up to 1.
    Fractions,
    /// A bool.
    Switch,
}

/// The value of an argument.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value {
    /// A number.
    Number(f64),
    /// A pair of numbers.
    Pair(f64, f64),
    /// A bool.
    Switch(bool),
    /// A float scalar of the graph.
    Graph(ValueId),
}

/// Why an optimizer cannot be made.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum ArgumentError {
    /// There is no such optimizer.
    #[error("there is no optimizer {name}; there are {}", names())]
    Optimizer {
        /// The name asked for.
        name: String,
    },
    /// The optimizer has no such argument.
    #[error("{}: there is no argument {argument}\n  {signature}", signature.name)]
    Unknown {
        /// The optimizer.
        signature: &'static Signature,
        /// The argument asked for.
        argument: String,
    },
    /// An argument without a default was left out.
    #[error("{}: {argument} is missing\n  {signature}", signature.name)]
    Missing {
        /// The optimizer.
        signature: &'static Signature,
        /// The argument.
        argument: &'static str,
    },
    /// An argument has the wrong kind or is out of range.
    #[error("{}: {argument} is {found}, but takes {kind}\n  {signature}", signature.name)]
    Kind {
        /// The optimizer.
        signature: &'static Signature,
        /// The argument.
        argument: &'static str,
        /// What it takes.
        kind: Kind,
        /// What was given.
        found: Value,
    },
    /// Arguments that are right by themselves do not go together.
    #[error("{}: {reason}\n  {signature}", signature.name)]
    Together {
        /// The optimizer.
        signature: &'static Signature,
        /// What is wrong.
        reason: &'static str,
    },
}

/// The arguments of one call, with defaults filled in.
#[derive(Debug)]
pub struct Arguments {
    /// Whose they are.
    pub signature: &'static Signature,
    values: BTreeMap<&'static str, Value>,
}

impl Arguments {
    /// The arguments of a call, held against the signature.
    pub fn new(signature: &'static Signature, given: &BTreeMap<String, Value>) -> Result<Arguments, ArgumentError> {
        let known = |name: &str| signature.arguments.iter().any(|argument| argument.name == name);
        if let Some(argument) = given.keys().find(|name| !known(name)) {
            return Err(ArgumentError::Unknown { signature, argument: argument.clone() });
        }
        let mut values = BTreeMap::new();
        for &Argument { name, kind, default } in signature.arguments {
            let Some(value) = given.get(name).copied().or(default) else {
                return Err(ArgumentError::Missing { signature, argument: name });
            };
            if !kind.takes(value) {
                return Err(ArgumentError::Kind { signature, argument: name, kind, found: value });
            }
            values.insert(name, value);
        }
        Ok(Arguments { signature, values })
    }

    /// The argument of that name, a [`Kind::Scalar`] or [`Kind::Share`].
    pub fn scalar(&self, name: &str) -> Scalar {
        match self.values[name] {
            Value::Number(number) => Scalar::Constant(number),
            Value::Graph(value) => Scalar::Graph(value),
            other => panic!("{name} is declared as a scalar, found {other}"),
        }
    }

    /// The argument of that name, a [`Kind::Number`].
    pub fn number(&self, name: &str) -> f64 {
        match self.values[name] {
            Value::Number(number) => number,
            other => panic!("{name} is declared as a number, found {other}"),
        }
    }

    /// The argument of that name, a [`Kind::Fractions`].
    pub fn fractions(&self, name: &str) -> (f64, f64) {
        match self.values[name] {
            Value::Pair(first, second) => (first, second),
            other => panic!("{name} is declared as a pair, found {other}"),
        }
    }

    /// The argument of that name, a [`Kind::Switch`].
    pub fn switch(&self, name: &str) -> bool {
        match self.values[name] {
            Value::Switch(on) => on,
            other => panic!("{name} is declared as a switch, found {other}"),
        }
    }
}

impl Kind {
    /// Whether a value is of this kind and in range.
    pub fn takes(self, value: Value) -> bool {
        let fraction = |x: f64| (0.0..1.0).contains(&x);
        match (self, value) {
            (Kind::Scalar | Kind::Share, Value::Graph(_)) | (Kind::Switch, Value::Switch(_)) => true,
            (Kind::Scalar | Kind::Number, Value::Number(number)) => number >= 0.0 && number.is_finite(),
            (Kind::Share, Value::Number(number)) => (0.0..=1.0).contains(&number),
            (Kind::Count, Value::Number(number)) => {
                number >= 1.0 && number <= f64::from(u32::MAX) && number.fract() == 0.0
            }
            (Kind::Fractions, Value::Pair(first, second)) => fraction(first) && fraction(second),
            _ => false,
        }
    }
}

impl PartialEq for Signature {
    fn eq(&self, other: &Signature) -> bool {
        self.name == other.name
    }
}

impl fmt::Display for Signature {
    /// Prints a call: `Sgd(lr = 0.001, momentum = 0, …)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}(", self.name)?;
        for (i, Argument { name, default, .. }) in self.arguments.iter().enumerate() {
            f.write_str(if i == 0 { "" } else { ", " })?;
            f.write_str(name)?;
            default.iter().try_for_each(|default| write!(f, " = {default}"))?;
        }
        f.write_str(")")
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Scalar => "a number that is not negative or a float scalar",
            Kind::Share => "a number from 0 to 1 or a float scalar",
            Kind::Number => "a number that is not negative",
            Kind::Count => "a whole number from 1 up",
            Kind::Fractions => "a pair of numbers from 0 up to 1",
            Kind::Switch => "true or false",
        })
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Number(number) => short(f, *number),
            Value::Pair(first, second) => {
                f.write_str("(")?;
                short(f, *first)?;
                f.write_str(", ")?;
                short(f, *second)?;
                f.write_str(")")
            }
            Value::Switch(on) => write!(f, "{on}"),
            Value::Graph(_) => f.write_str("a value of the graph"),
        }
    }
}

/// A number as people write it: `1e-8`, not `0.00000001`.
fn short(f: &mut fmt::Formatter<'_>, number: f64) -> fmt::Result {
    if number != 0.0 && number.abs() < 1e-4 { write!(f, "{number:e}") } else { write!(f, "{number}") }
}

fn names() -> String {
    super::OPTIMIZERS.iter().map(|signature| signature.name).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::super::build;
    use super::*;

    fn refusal(name: &str, given: &[(&str, Value)]) -> String {
        let given = given.iter().map(|&(name, value)| (name.to_string(), value)).collect();
        build(name, &given).err().expect("the arguments are wrong").to_string()
    }

    #[test]
    fn wrong_arguments_show_the_signature() {
        let sgd = "Sgd(lr = 0.001, momentum = 0, dampening = 0, weight_decay = 0, nesterov = false, maximize = false)";
        let adam = "Adam(lr = 0.001, betas = (0.9, 0.999), eps = 1e-8, weight_decay = 0, \
            amsgrad = false, maximize = false, decoupled_weight_decay = false)";
        assert_eq!(
            refusal("Sdg", &[]),
            "there is no optimizer Sdg; there are Adadelta, Adagrad, Adam, AdamW, Adamax, Lamb, Lion, Nadam, Radam, RmsProp, Sgd"
        );
        let unknown = refusal("Sgd", &[("momentun", Value::Number(0.9))]);
        assert_eq!(unknown, format!("Sgd: there is no argument momentun\n  {sgd}"));
        let negative = refusal("Sgd", &[("lr", Value::Number(-0.1))]);
        let kind = "a number that is not negative or a float scalar";
        assert_eq!(negative, format!("Sgd: lr is -0.1, but takes {kind}\n  {sgd}"));
        let betas = refusal("Adam", &[("betas", Value::Pair(0.9, 1.0))]);
        assert_eq!(betas, format!("Adam: betas is (0.9, 1), but takes a pair of numbers from 0 up to 1\n  {adam}"));
        let graph = refusal("Adam", &[("eps", Value::Graph(ValueId(0)))]);
        let kind = "a number that is not negative";
        assert_eq!(graph, format!("Adam: eps is a value of the graph, but takes {kind}\n  {adam}"));
        let nesterov = refusal("Sgd", &[("nesterov", Value::Switch(true))]);
        assert_eq!(nesterov, format!("Sgd: nesterov needs a momentum and no dampening\n  {sgd}"));
    }

    #[test]
    fn defaults_have_the_kinds_that_their_arguments_take() {
        for signature in super::super::OPTIMIZERS {
            for Argument { name, kind, default } in signature.arguments {
                assert!(default.is_none_or(|default| kind.takes(default)), "{name} of {signature}");
            }
        }
    }
}
