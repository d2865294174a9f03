//! `groups = [("*.bias", weight_decay = 0.0)]`: other arguments of the optimizer for some of the parameters.
//!
//! A pattern is a key in which `*` stands for any letters, dots among them. All entries that match a key apply, later ones
//! win. Where a step names several models, a key may begin with the binding: `d.fc1.*`.

use super::over::Over;
use super::with::{With, callee};
use crate::nearest::nearest;
use crate::optim::{self, Optimizer};
use crate::syntax::ast::{Argument, Expr, ExprKind};
use crate::syntax::elaborate::Elaborator;
use crate::syntax::elaborate::report::Problem;
use crate::syntax::elaborate::value::Value;
use proc_macro2::Span;
use std::collections::BTreeMap;

/// How many keys a message lists.
const LISTED: usize = 8;

/// An entry of `groups`; its arguments fit the optimizer.
pub struct Entry {
    pattern: String,
    given: BTreeMap<String, optim::Value>,
    span: Span,
}

/// Optimizers, each with the positions of the parameters that it updates.
type Optimizers = Vec<(Box<dyn Optimizer>, Vec<usize>)>;

impl Elaborator<'_> {
    /// The entries of `groups`.
    pub(super) fn groups(&mut self, expr: &Expr, with: &With) -> Option<Vec<Entry>> {
        match &expr.kind {
            ExprKind::List(entries) => {
                let entries: Vec<_> = entries.iter().map(|entry| self.group(entry, with)).collect();
                entries.into_iter().collect()
            }
            ExprKind::Error => None,
            _ => self.no_group(expr.start, "`groups` is a list"),
        }
    }

    fn group(&mut self, expr: &Expr, with: &With) -> Option<Entry> {
        let ExprKind::Tuple(elements) = &expr.kind else {
            return self.no_group(expr.start, "an entry of `groups` is a pattern with arguments");
        };
        let [Argument { name: None, value: pattern }, arguments @ ..] = elements.as_slice() else {
            return self.no_group(expr.start, "an entry of `groups` begins with a pattern");
        };
        let pattern = match self.evaluate(pattern) {
            Value::Text(text) => Some(text.to_string()),
            Value::Poison => None,
            _ => self.no_group(pattern.start, "a pattern is a string"),
        };
        let given = self.group_arguments(arguments, with);
        let (pattern, given) = (pattern?, given?);
        let whole = with.given.iter().chain(&given).map(|(name, value)| (name.clone(), *value)).collect();
        if let Err(error) = optim::build(with.signature.name, &whole) {
            self.fail(expr.start, error.to_string());
            return None;
        }
        Some(Entry { pattern, given, span: expr.start })
    }

    fn group_arguments(&mut self, arguments: &[Argument], with: &With) -> Option<BTreeMap<String, optim::Value>> {
        let callee = callee(with.signature);
        let mut given = Some(BTreeMap::new());
        for argument in arguments {
            let position = match &argument.name {
                Some(name) => self.named_position(&callee, &name.name, name.span),
                None => self.no_group(argument.value.start, "arguments in `groups` have names"),
            };
            let value = self.rule_argument(&argument.value, "an argument of an optimizer");
            match (&mut given, position, value) {
                (Some(given), Some(position), Some(value)) => {
                    given.insert(callee.parameters[position].0.to_string(), value);
                }
                _ => given = None,
            }
        }
        given
    }

    fn no_group<T>(&self, span: Span, headline: &str) -> Option<T> {
        let line = "like groups = [(\"*.bias\", weight_decay = 0.0)]";
        self.report(Problem::new(span, format!("minimize: {headline}")).detail(line));
        None
    }

    /// One optimizer for all parameters to which the same arguments apply.
    pub(super) fn optimizers(&self, with: &With, entries: &[Entry], over: &Over) -> Option<Optimizers> {
        let mut matched = vec![false; entries.len()];
        let mut groups: Vec<(BTreeMap<String, optim::Value>, Span, Vec<usize>)> = Vec::new();
        for (member, (store, key)) in over.parameters.iter().enumerate() {
            let (mut given, mut span) = (with.given.clone(), over.span);
            for (entry, matched) in entries.iter().zip(&mut matched) {
                if self.names(*store, key).iter().any(|name| matches(&entry.pattern, name)) {
                    *matched = true;
                    given.extend(entry.given.iter().map(|(name, value)| (name.clone(), *value)));
                    span = entry.span;
                }
            }
            match groups.iter_mut().find(|(other, ..)| *other == given) {
                Some((_, _, members)) => members.push(member),
                None => groups.push((given, span, vec![member])),
            }
        }
        let unmatched = || entries.iter().zip(&matched).filter(|(_, matched)| !**matched);
        unmatched().for_each(|(entry, _)| self.unmatched(entry, over));
        let mut optimizers = Vec::new();
        for (given, span, members) in groups {
            match optim::build(with.signature.name, &given) {
                Ok(optimizer) => optimizers.push((optimizer, members)),
                Err(error) => {
                    self.fail(span, error.to_string());
                    return None;
                }
            }
        }
        unmatched().next().is_none().then_some(optimizers)
    }

    /// How a pattern may name a parameter.
    fn names(&self, store: usize, key: &str) -> Vec<String> {
        match self.graph.stores.as_slice() {
            [_] => vec![key.to_string()],
            stores => vec![key.to_string(), format!("{}.{key}", stores[store].binding)],
        }
    }

    fn unmatched(&self, entry: &Entry, over: &Over) {
        let keys: Vec<String> = over.parameters.iter().flat_map(|(store, key)| self.names(*store, key)).collect();
        let letters = entry.pattern.replace('*', "");
        let near = nearest(&letters, keys.iter().map(String::as_str));
        let headline = format!("minimize: no parameter matches `{}`", entry.pattern);
        let problem = Problem::new(entry.span, headline);
        let problem = match near.as_slice() {
            [] => {
                let more = if keys.len() > LISTED { ", …" } else { "" };
                problem.detail(format!("the keys are {}{more}", keys[..keys.len().min(LISTED)].join(", ")))
            }
            near => problem.nearest("", near),
        };
        self.report(problem);
    }
}

/// Whether a pattern matches the whole of a key.
fn matches(pattern: &str, key: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = key.strip_prefix(first) else { return false };
    let Some(last) = parts.next_back() else { return rest.is_empty() };
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn stars_stand_for_any_letters() {
        for (pattern, key) in [
            ("*", "fc1.weight"),
            ("fc1.weight", "fc1.weight"),
            ("*.bias", "layer1.0.bias"),
            ("2.*", "2.weight"),
            ("layer*.bn?.*", "layer1.bn?.weight"),
            ("*norm*.weight", "blocks.3.norm2.weight"),
            ("a*b*b", "abb"),
            ("**", ""),
        ] {
            assert!(matches(pattern, key), "{pattern} {key}");
        }
        for (pattern, key) in [
            ("", "b"),
            ("*.bias", "bias"),
            ("2.*", "12.weight"),
            ("2.*", "2"),
            ("a*b*b", "ab"),
            ("ab*ba", "aba"),
            ("*norm*.weight", "norm.bias"),
            ("weight", "fc.weight"),
        ] {
            assert!(!matches(pattern, key), "{pattern} {key}");
        }
    }
}
