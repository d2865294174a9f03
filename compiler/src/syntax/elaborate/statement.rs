//! Statements: `let`, `const`, assignment, loops and bodies.

use super::Elaborator;
use super::instance::{Place, placed};
use super::operators::Operands;
use super::parameter::Purpose;
use super::report::Problem;
use super::scope::BindingKind;
use super::value::Value;
use crate::shape::Extent;
use crate::syntax::ast::{
    Attribute, AttributeKind, BinaryOp, Body, Expr, ExprKind, Ident, Pattern, Piece, Statement, Template, TensorType,
};
use crate::syntax::diagnostic::position;
use proc_macro2::Span;

/// More rounds of a loop, or elements of a list, are a mistake that would only use up memory.
pub const LONGEST: i64 = 100_000;

impl Elaborator<'_> {
    /// Runs statements in a scope of their own; the value is that of the last expression without semicolon.
    pub(super) fn body(&mut self, body: &Body) -> Value {
        self.frame_mut().open();
        let value = self.statements(body);
        self.frame_mut().close();
        value
    }

    /// Runs statements in the scope that is open.
    pub(super) fn statements(&mut self, body: &Body) -> Value {
        let mut last = Value::Unit;
        for statement in &body.statements {
            // What follows a mistake in the prelude would only repeat it.
            if self.frame().prelude && self.diagnostics.count() > self.frame().mistakes {
                return Value::Poison;
            }
            last = Value::Unit;
            match statement {
                Statement::Let { attributes, pattern, ty, value } => {
                    self.let_statement(attributes, pattern, ty.as_ref(), value);
                }
                Statement::Const { name, value } => {
                    let value = self.evaluate(value);
                    self.frame_mut().bind(&name.name, value, BindingKind::Fixed, name.span);
                }
                Statement::Expr(expr, true) => {
                    self.evaluate(expr);
                }
                Statement::Expr(expr, false) => last = self.evaluate(expr),
            }
        }
        last
    }

    fn let_statement(&mut self, attributes: &[Attribute], pattern: &Pattern, ty: Option<&TensorType>, value: &Expr) {
        let mut template = None;
        let mut training = None;
        let mut remat = None;
        for attribute in attributes {
            match &attribute.kind {
                AttributeKind::Name(name) => template = Some(name),
                AttributeKind::Train => training = Some(true),
                AttributeKind::Eval => training = Some(false),
                AttributeKind::Param => return self.let_tensor(Purpose::Parameter, pattern, ty, value),
                AttributeKind::State => return self.let_tensor(Purpose::State, pattern, ty, value),
                AttributeKind::Remat => remat = Some((attribute.span, self.nodes_so_far())),
            }
        }
        let value = self.evaluate(value);
        let value = match remat {
            Some((span, first)) if value.holds_tensors() => self.recomputed(&value, first, span),
            Some((span, _)) if !value.is_poison() => {
                let headline = format!("#[remat] stands before a loop or a `let` of a tensor, not of {}", value.kind());
                self.fail(span, headline)
            }
            _ => value,
        };
        let value = match pattern {
            Pattern::Name { name, .. } => self.given_place(name, template, training, value),
            _ => value,
        };
        self.bind_pattern(pattern, value);
    }

    /// Gives new layers the key of their binding.
    fn given_place(
        &mut self,
        name: &Ident,
        template: Option<&Template>,
        training: Option<bool>,
        value: Value,
    ) -> Value {
        if !holds_new_layer(&value) {
            return value;
        }
        let key = template.map_or_else(|| name.name.clone(), |template| self.template(template));
        let span = template.map_or(name.span, |template| template.span);
        if self.frame().is_step {
            return self.named_in_step(name, training, value);
        }
        if !self.claim_key(&key, span) {
            return Value::Poison;
        }
        let made = self.frame().made;
        self.frame_mut().made += 1;
        match &self.frame().place {
            Some(place) => {
                let place = Place { name: name.name.clone(), bound: name.span, ..place.child(&key, made) };
                placed(value, &place, training)
            }
            None => value,
        }
    }

    /// Notes that a body gives a key; reports the second time, and says whether this was the first.
    pub(super) fn claim_key(&mut self, key: &str, span: Span) -> bool {
        if key.is_empty() {
            return true;
        }
        let round = self.frame().loops.join(", ");
        let Some(before) = self.frame_mut().keys.insert(key.to_string(), round.clone()) else { return true };
        let problem = Problem::new(span, format!("two layers have the key `{key}`"));
        let problem = if round.is_empty() && before.is_empty() {
            problem.detail("a layer of this block has that key already")
        } else {
            let variable = round.split(" = ").next().unwrap_or_default().to_string();
            let problem = problem.detail(format!("the loop makes it for {before} and again for {round}"));
            problem.detail(format!("name them apart: #[name(\"{key}.{{{variable}}}\")]"))
        };
        self.report(problem);
        false
    }

    /// Binds the names of a pattern.
    pub(super) fn bind_pattern(&mut self, pattern: &Pattern, value: Value) {
        match pattern {
            Pattern::Name { name, mutable } => {
                let kind = if *mutable { BindingKind::Mutable } else { BindingKind::Fixed };
                self.frame_mut().bind(&name.name, value, kind, name.span);
            }
            Pattern::Hole(_) => {}
            Pattern::Tuple(patterns, span) | Pattern::List(patterns, span) => match value.elements() {
                Some(values) if values.len() == patterns.len() => {
                    for (pattern, value) in patterns.iter().zip(values.to_vec()) {
                        self.bind_pattern(pattern, value);
                    }
                }
                _ => {
                    if !value.is_poison() {
                        let given = match value.elements() {
                            Some(values) => format!("{} of {}", value.kind(), values.len()),
                            None => value.kind().to_string(),
                        };
                        self.fail(*span, format!("the pattern takes {} values, given is {given}", patterns.len()));
                    }
                    self.bind_poison(pattern);
                }
            },
        }
    }

    /// Binds the names of a pattern to a mistake, so that they are not reported as unknown.
    pub(super) fn bind_poison(&mut self, pattern: &Pattern) {
        match pattern {
            Pattern::Name { name, .. } => {
                self.frame_mut().bind(&name.name, Value::Poison, BindingKind::Mutable, name.span);
            }
            Pattern::Hole(_) => {}
            Pattern::Tuple(patterns, _) | Pattern::List(patterns, _) => {
                patterns.iter().for_each(|pattern| self.bind_poison(pattern));
            }
        }
    }

    /// `x = y` and `x += y`
    pub(super) fn assign(&mut self, expr: &Expr, target: &Expr, op: Option<BinaryOp>, value: &Expr) -> Value {
        let ExprKind::Name(name) = &target.kind else {
            return self.fail(target.start, "only names are assigned");
        };
        let new = self.evaluate(value);
        let Some(binding) = self.frame().find(name).cloned() else { return self.evaluate(target) };
        match binding.kind {
            BindingKind::Mutable | BindingKind::State => {}
            BindingKind::Parameter => {
                let headline = format!("`{name}` is a parameter: minimize alone changes it");
                let line = format!(
                    "it is declared at {}; a tensor that is kept but not trained is #[state]",
                    position(binding.span)
                );
                return self.report(Problem::new(target.start, headline).place(line).general());
            }
            BindingKind::Fixed => {
                let headline = format!("`{name}` is not mutable");
                let line = format!("it is made at {}: let mut {name} = …", position(binding.span));
                return self.report(Problem::new(target.start, headline).place(line).general());
            }
        }
        let new = match op {
            None => new,
            Some(op) => {
                let whole = format!("{target} {value}");
                self.binary(op, Operands { left: (target, binding.value), right: (value, new), whole, span: expr.span })
            }
        };
        if binding.kind == BindingKind::State {
            self.assign_state(name, value, new, expr.span);
        } else {
            self.frame_mut().find_mut(name).expect("it was found above").value = new;
        }
        Value::Unit
    }

    /// `for pattern in iterable { … }`
    pub(super) fn for_loop(&mut self, attributes: &[Attribute], pattern: &Pattern, iterable: &Expr, body: &Body) {
        // The parser lets no other attribute stand before a loop.
        let remat = attributes.first().map(|attribute| attribute.span);
        let Some(values) = self.iterated(iterable) else {
            return;
        };
        for value in values {
            let first = self.nodes_so_far();
            self.frame_mut().open();
            let round = round_text(pattern, &value);
            self.frame_mut().loops.push(round);
            self.bind_pattern(pattern, value);
            self.statements(body);
            self.frame_mut().loops.pop();
            self.frame_mut().close();
            if let Some(span) = remat {
                self.recomputed_names(first, span);
            }
        }
    }

    fn iterated(&mut self, iterable: &Expr) -> Option<Vec<Value>> {
        let value = self.evaluate(iterable);
        match &value {
            Value::Poison => None,
            Value::List(values) | Value::Tuple(values) => Some(values.clone()),
            Value::Range(start, Some(end)) => {
                let start = start.clone().unwrap_or(Extent::from(0));
                match (start.known(), end.known()) {
                    (Some(start), Some(end)) if end.saturating_sub(start) > LONGEST => {
                        self.fail(
                            iterable.start,
                            format!("a loop has at most {LONGEST} rounds, {start}..{end} has more"),
                        );
                        None
                    }
                    (Some(start), Some(end)) => Some((start..end).map(|i| Value::Int(Extent::from(i))).collect()),
                    _ => {
                        self.fail(iterable.start, "a loop runs over numbers that are known while the macro expands");
                        None
                    }
                }
            }
            other => {
                self.fail(iterable.start, format!("a loop runs over a range or a list, not {}", other.kind()));
                None
            }
        }
    }

    /// The text of a template with its values filled in.
    pub(super) fn template(&mut self, template: &Template) -> String {
        let mut text = String::new();
        for piece in &template.pieces {
            match piece {
                Piece::Text(piece) => text.push_str(piece),
                Piece::Value(expr) => match self.evaluate(expr) {
                    Value::Int(extent) => text.push_str(&extent.to_string()),
                    Value::Float(number) => text.push_str(&number.to_string()),
                    Value::Bool(truth) => text.push_str(&truth.to_string()),
                    Value::Text(inner) => text.push_str(&inner),
                    Value::Poison => {}
                    other => {
                        self.fail(expr.start, format!("{} does not stand in a string", other.kind()));
                    }
                },
            }
        }
        text
    }
}

fn holds_new_layer(value: &Value) -> bool {
    match value {
        Value::Layer(layer) => layer.place.is_none(),
        Value::List(values) => values.iter().any(holds_new_layer),
        _ => false,
    }
}

/// `i = 0`, for messages about loops.
fn round_text(pattern: &Pattern, value: &Value) -> String {
    match (pattern, value) {
        (Pattern::Name { name, .. }, Value::Int(extent)) => format!("{} = {extent}", name.name),
        (Pattern::Name { name, .. }, Value::Float(number)) => format!("{} = {number}", name.name),
        (Pattern::Tuple(patterns, _), Value::Tuple(values)) => {
            let words = patterns.iter().zip(values).map(|(pattern, value)| round_text(pattern, value));
            words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join(", ")
        }
        _ => String::new(),
    }
}
