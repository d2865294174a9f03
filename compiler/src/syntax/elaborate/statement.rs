//! Statements: `let`, `const`, loops and bodies.

use super::Elaborator;
use super::binding::LayerAttributes;
use super::parameter::Purpose;
use super::scope::BindingKind;
use super::value::Value;
use crate::syntax::ast::{Attribute, AttributeKind, Body, Expr, Pattern, Piece, Statement, Template, TensorType};

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
        let mut layers = LayerAttributes::default();
        let mut remat = None;
        let key = attributes.iter().find_map(|attribute| match &attribute.kind {
            AttributeKind::Name(key) => Some(key),
            _ => None,
        });
        for attribute in attributes {
            match &attribute.kind {
                AttributeKind::Name(name) => layers.name = Some(name),
                AttributeKind::Train => layers.training = Some((true, attribute.span)),
                AttributeKind::Eval => layers.training = Some((false, attribute.span)),
                AttributeKind::Param => return self.let_tensor(Purpose::Parameter, pattern, key, ty, value),
                AttributeKind::State => return self.let_tensor(Purpose::State, pattern, key, ty, value),
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
        self.bind_let(pattern, layers, value);
    }

    /// `for pattern in iterable { … }`
    pub(super) fn for_loop(&mut self, attributes: &[Attribute], pattern: &Pattern, iterable: &Expr, body: &Body) {
        // The parser lets no other attribute stand before a loop.
        let remat = attributes.first().map(|attribute| attribute.span);
        let iterated = self.evaluate(iterable);
        let Some(values) = self.iterated(iterable, &iterated) else {
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
