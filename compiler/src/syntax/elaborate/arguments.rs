//! Matching the arguments of a call with the parameters of a signature.

use super::Elaborator;
use super::report::Problem;
use super::value::Value;
use crate::nearest::nearest;
use crate::syntax::ast::{Argument, Expr};
use proc_macro2::Span;
use std::fmt::Display;

/// An argument: an expression that is still to be evaluated, or the receiver of a method, which is.
#[derive(Clone, Debug)]
pub struct Given<'e> {
    /// The expression.
    pub expr: &'e Expr,
    /// Its value, if it was evaluated already.
    pub value: Option<Value>,
}

impl<'e> Given<'e> {
    /// An argument as written.
    pub fn expr(expr: &'e Expr) -> Given<'e> {
        Given { expr, value: None }
    }
}

/// Names that PyTorch has two of: both are accepted.
const SYNONYMS: [(&str, &str); 5] =
    [("padding", "pad"), ("kernel_size", "kernel"), ("axis", "dim"), ("axes", "dims"), ("keepdim", "keep")];

fn synonym(name: &str) -> Option<&'static str> {
    SYNONYMS.iter().find_map(|(a, b)| match name {
        name if name == *a => Some(*b),
        name if name == *b => Some(*a),
        _ => None,
    })
}

/// What is called: its name for messages, its parameters, and its signature as shown to the user.
pub struct Callee<'s> {
    /// The name.
    pub name: &'s str,
    /// The names of all parameters, and whether each has a default.
    pub parameters: Vec<(&'s str, bool)>,
    /// `Linear(out_features, bias = true)`
    pub signature: &'s dyn Display,
}

impl Elaborator<'_> {
    /// One argument per parameter, `None` where the default applies; `None` altogether after a mistake.
    pub(super) fn matched<'e>(
        &self,
        callee: &Callee<'_>,
        receiver: Option<Given<'e>>,
        arguments: &'e [Argument],
        span: Span,
    ) -> Option<Vec<Option<Given<'e>>>> {
        let mut matched: Vec<Option<Given<'e>>> = vec![None; callee.parameters.len()];
        let mut right = true;
        let mut position = 0;
        if let Some(receiver) = receiver {
            match matched.first_mut() {
                Some(first) => *first = Some(receiver),
                None => right = self.too_many(callee, span),
            }
            position = 1;
        }
        for argument in arguments {
            let at = match &argument.name {
                Some(name) => self.named_position(callee, name.name.as_str(), name.span),
                None if position < matched.len() => Some(position),
                None => {
                    self.too_many(callee, argument.value.start);
                    None
                }
            };
            position += usize::from(argument.name.is_none());
            match at {
                Some(at) if matched[at].is_none() => matched[at] = Some(Given::expr(&argument.value)),
                Some(at) => {
                    let headline = format!("{} is given `{}` twice", callee.name, callee.parameters[at].0);
                    self.report(Problem::new(argument.value.start, headline).detail(callee.signature.to_string()));
                    right = false;
                }
                None => right = false,
            }
        }
        // A wrong name may be meant for what is missing, so that only one of the two is reported.
        let missing = callee.parameters.iter().zip(&matched).find(|((_, default), given)| !default && given.is_none());
        match missing {
            Some(((name, _), _)) if right => {
                let headline = format!("{} needs `{name}`", callee.name);
                self.report(Problem::new(span, headline).detail(callee.signature.to_string()));
                None
            }
            _ => right.then_some(matched),
        }
    }

    /// The position of the parameter of that name, or of a synonym of it.
    pub(super) fn named_position(&self, callee: &Callee<'_>, name: &str, span: Span) -> Option<usize> {
        let find = |name: &str| callee.parameters.iter().position(|(parameter, _)| *parameter == name);
        let found = find(name).or_else(|| synonym(name).and_then(find));
        if found.is_none() {
            let names = nearest(name, callee.parameters.iter().map(|(name, _)| *name));
            let problem = Problem::new(span, format!("{} has no argument `{name}`", callee.name));
            self.report(problem.nearest("; ", &names[..names.len().min(1)]).detail(callee.signature.to_string()));
        }
        found
    }

    fn too_many(&self, callee: &Callee<'_>, span: Span) -> bool {
        let count = callee.parameters.len();
        let headline = match count {
            0 => format!("{} takes no arguments", callee.name),
            1 => format!("{} takes one argument", callee.name),
            _ => format!("{} takes {count} arguments at most", callee.name),
        };
        self.report(Problem::new(span, headline).detail(callee.signature.to_string()));
        false
    }
}
