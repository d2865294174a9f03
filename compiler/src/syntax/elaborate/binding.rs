//! Binding: the names of patterns get their values, and new layers the keys of their bindings.

use super::Elaborator;
use super::instance::{Place, holds_new_layer, placed};
use super::report::Problem;
use super::scope::{BindingKind, ListPlace};
use super::value::Value;
use crate::syntax::ast::{Argument, Expr, ExprKind, Ident, Pattern, Template};
use crate::syntax::diagnostic::position;
use proc_macro2::Span;

/// What the attributes of a `let` say about the layers that it makes.
#[derive(Clone, Copy, Default)]
pub struct LayerAttributes<'a> {
    /// `#[name("…")]`
    pub name: Option<&'a Template>,
    /// `#[train]` or `#[eval]`, and where.
    pub training: Option<(bool, Span)>,
}

impl Elaborator<'_> {
    /// Binds the names of a `let`; new layers get their keys.
    pub(super) fn bind_let(&mut self, pattern: &Pattern, attributes: LayerAttributes<'_>, value: Value) {
        let parts = match pattern {
            Pattern::Name { name, mutable } => return self.bind_layers(name, *mutable, attributes, value),
            Pattern::Hole(_) => return,
            Pattern::Tuple(parts, _) | Pattern::List(parts, _) => parts,
        };
        if let Some(template) = attributes.name {
            self.fail(template.span, "#[name] names what one name binds, not a pattern");
        }
        match value.elements() {
            Some(values) if values.len() == parts.len() && holds_new_layer(&value) => {
                for (part, value) in parts.iter().zip(values.to_vec()) {
                    self.bind_let(part, LayerAttributes { name: None, ..attributes }, value);
                }
            }
            _ => self.bind_pattern(pattern, value),
        }
    }

    fn bind_layers(&mut self, name: &Ident, mutable: bool, attributes: LayerAttributes<'_>, value: Value) {
        let kind = if mutable { BindingKind::Mutable } else { BindingKind::Fixed };
        let grows = mutable && matches!(value, Value::List(_)) && !self.frame().is_step;
        if !holds_new_layer(&value) && !grows {
            self.no_layer(attributes, &value);
            return self.frame_mut().bind(&name.name, value, kind, name.span);
        }
        if self.frame().is_step {
            if let Some(template) = attributes.name {
                self.fail(
                    template.span,
                    "#[name] is for layers of blocks and models: a step adds nothing to their keys",
                );
            }
            let value = self.named_in_step(name, attributes.training.map(|(training, _)| training), value);
            return self.frame_mut().bind(&name.name, value, kind, name.span);
        }
        let key = attributes.name.map_or_else(|| name.name.clone(), |template| self.template(template));
        let span = attributes.name.map_or(name.span, |template| template.span);
        let claimed = holds_new_layer(&value);
        if claimed && !self.claim_key(&key, span) {
            return self.frame_mut().bind(&name.name, Value::Poison, kind, name.span);
        }
        let made = self.frame().made;
        self.frame_mut().made += 1;
        let Some(place) = &self.frame().place else {
            return self.frame_mut().bind(&name.name, value, kind, name.span);
        };
        let place = Place { name: name.name.clone(), bound: name.span, ..place.child(&key, made) };
        let training = attributes.training.map(|(training, _)| training);
        let value = placed(value, &place, training);
        self.note_made(&value);
        self.frame_mut().bind(&name.name, value, kind, name.span);
        if grows {
            self.frame_mut().grow(&name.name, Box::new(ListPlace { place, key, claimed, training }));
        }
    }

    /// Reports attributes that are about layers where none is made.
    fn no_layer(&mut self, attributes: LayerAttributes<'_>, value: &Value) {
        let word = match attributes {
            LayerAttributes { name: Some(template), .. } => Some(("name", template.span)),
            LayerAttributes { training: Some((true, span)), .. } => Some(("train", span)),
            LayerAttributes { training: Some((false, span)), .. } => Some(("eval", span)),
            _ => None,
        };
        if let Some((word, span)) = word
            && !value.is_poison()
        {
            self.fail(span, format!("#[{word}] stands before a `let` that makes a layer, not {}", value.kind()));
        }
    }

    /// `xs.push(v)`; a layer gets the list's key and its position as its own.
    pub(super) fn push(&mut self, receiver: &Expr, name: &Ident, arguments: &[Argument]) -> Value {
        let (ExprKind::Name(list), [Argument { name: None, value }]) = (&receiver.kind, arguments) else {
            return self.fail(name.span, "`push` takes one value and stands behind the name of a list");
        };
        let pushed = self.evaluate(value);
        let Some(binding) = self.frame().find(list).cloned() else { return self.evaluate(receiver) };
        let length = match &binding.value {
            Value::Poison => return Value::Poison,
            Value::List(values) if binding.kind == BindingKind::Mutable => values.len(),
            Value::List(_) => {
                return self.fail(receiver.span, format!("`{list}` is not mutable: let mut {list} = …"));
            }
            other => return self.fail(name.span, format!("`{list}` is {}, not a list", other.kind())),
        };
        let pushed = match holds_new_layer(&pushed) {
            true => self.place_in_list(list, binding.list, length, pushed, value),
            false => pushed,
        };
        if let Some(Value::List(values)) = self.frame_mut().find_mut(list).map(|binding| &mut binding.value) {
            values.push(pushed);
        }
        Value::Unit
    }

    fn place_in_list(
        &mut self,
        list: &str,
        grown: Option<Box<ListPlace>>,
        length: usize,
        pushed: Value,
        written: &Expr,
    ) -> Value {
        if self.frame().is_step {
            return self.fail(written.start, "a step binds each model by a `let` of its own");
        }
        let Some(mut grown) = grown else { return pushed };
        if !grown.claimed && !self.claim_key(&grown.key, grown.place.bound) {
            return Value::Poison;
        }
        grown.claimed = true;
        let pushed = placed(pushed, &grown.place.child(&length.to_string(), length), grown.training);
        self.note_made(&pushed);
        self.frame_mut().grow(list, grown);
        pushed
    }

    /// Notes that a body gives a key; reports the second time, and says whether this was the first.
    pub(super) fn claim_key(&mut self, key: &str, span: Span) -> bool {
        if key.is_empty() {
            return true;
        }
        let round = self.frame().loops.join(", ");
        let given = (round.clone(), span);
        let Some((before, first)) = self.frame_mut().keys.insert(key.to_string(), given) else { return true };
        let problem = Problem::new(span, format!("two layers have the key `{key}`"));
        let problem = if round.is_empty() && before.is_empty() {
            problem.place(format!("the first is bound at {}", position(first)))
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
                        let (count, given) = (patterns.len(), value.counted());
                        self.fail(*span, format!("the pattern takes {count} values, given is {given}"));
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
}
