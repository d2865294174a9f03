//! `with = Adam(lr)`: an optimizer by name, and its arguments.

use crate::dtype::DType;
use crate::nearest::nearest;
use crate::optim::{self, Signature};
use crate::syntax::ast::{Expr, ExprKind};
use crate::syntax::elaborate::Elaborator;
use crate::syntax::elaborate::arguments::Callee;
use crate::syntax::elaborate::report::Problem;
use crate::syntax::elaborate::value::Value;
use std::collections::BTreeMap;

/// An optimizer with the arguments that are given; they fit its signature.
pub struct With {
    /// Which optimizer.
    pub signature: &'static Signature,
    /// The arguments by name.
    pub given: BTreeMap<String, optim::Value>,
}

/// The arguments of an optimizer, for matching.
pub fn callee(signature: &'static Signature) -> Callee<'static> {
    let parameters = signature.arguments.iter().map(|argument| (argument.name, argument.default.is_some()));
    Callee { name: signature.name, parameters: parameters.collect(), signature }
}

impl Elaborator<'_> {
    /// The optimizer that an expression calls.
    pub(super) fn with(&mut self, expr: &Expr) -> Option<With> {
        let (name, arguments) = match &expr.kind {
            ExprKind::Call(function, arguments) => match &function.kind {
                ExprKind::Name(name) => (name.as_str(), arguments.as_slice()),
                _ => return self.no_optimizer(expr, ""),
            },
            ExprKind::Name(name) => return self.no_optimizer(expr, name),
            ExprKind::Error => return None,
            _ => return self.no_optimizer(expr, ""),
        };
        let Some(signature) = optim::find(name) else { return self.no_optimizer(expr, name) };
        let matched = self.matched(&callee(signature), None, arguments, expr.start)?;
        let mut given = BTreeMap::new();
        for (argument, parameter) in matched.into_iter().zip(signature.arguments) {
            let Some(argument) = argument else { continue };
            let value = self.rule_argument(argument.expr, "an argument of an optimizer")?;
            given.insert(parameter.name.to_string(), value);
        }
        if let Err(error) = optim::build(name, &given) {
            self.fail(expr.start, error.to_string());
            return None;
        }
        Some(With { signature, given })
    }

    /// The value of an argument of an optimizer, or of an option of `minimize`.
    pub(super) fn rule_argument(&mut self, expr: &Expr, what: &str) -> Option<optim::Value> {
        let value = self.evaluate(expr);
        match &value {
            Value::Poison => None,
            Value::Bool(truth) => Some(optim::Value::Switch(*truth)),
            Value::Tensor(tensor) => {
                let ty = self.graph.ty(*tensor);
                if ty.rank() == 0 && ty.dtype == DType::F32 {
                    return Some(optim::Value::Graph(*tensor));
                }
                self.fail(expr.start, format!("{what} is a number or a scalar f32, not {ty}"));
                None
            }
            other => {
                let numbers: Option<Vec<f64>> = other.elements().and_then(|e| e.iter().map(Value::number).collect());
                match (other.number(), numbers.as_deref()) {
                    (Some(number), _) => Some(optim::Value::Number(number)),
                    (_, Some([a, b])) => Some(optim::Value::Pair(*a, *b)),
                    _ => {
                        self.fail(expr.start, format!("{what} is a number, not {}", other.kind()));
                        None
                    }
                }
            }
        }
    }

    fn no_optimizer<T>(&self, expr: &Expr, name: &str) -> Option<T> {
        let names = nearest(name, optim::OPTIMIZERS.iter().map(|signature| signature.name));
        let headline = match name {
            "" => "`with` is an optimizer, like Sgd(lr)".to_string(),
            name if names.contains(&name) => format!("`{name}` needs its arguments: {name}(…)"),
            name => format!("no optimizer `{name}`"),
        };
        let found = if names.contains(&name) { Vec::new() } else { names };
        self.report(Problem::new(expr.start, headline).nearest("", &found));
        None
    }
}
