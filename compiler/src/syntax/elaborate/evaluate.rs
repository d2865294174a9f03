//! Evaluating expressions.

use super::Elaborator;
use super::arguments::Given;
use super::instance::{Layer, LayerKind};
use super::lists::LONGEST;
use super::numbers;
use super::operators::Operands;
use super::report::Problem;
use super::value::Value;
use crate::dtype::DType;
use crate::graph::Relation;
use crate::shape::Extent;
use crate::syntax::ast::{Argument, BinaryOp, Body, Expr, ExprKind, Ident};
use crate::syntax::diagnostic::position;
use proc_macro2::Span;
use std::rc::Rc;

impl Elaborator<'_> {
    /// The value of an expression. Mistakes are reported and give poison.
    pub(super) fn evaluate(&mut self, expr: &Expr) -> Value {
        match &expr.kind {
            ExprKind::Int(number) => Value::Int(Extent::from(*number)),
            ExprKind::Float(number) => Value::Float(*number),
            ExprKind::Bool(truth) => Value::Bool(*truth),
            ExprKind::Text(text) => Value::Text(text.as_str().into()),
            ExprKind::Name(name) => self.name(expr, name),
            ExprKind::Field(base, field) => self.field(base, field),
            ExprKind::Index(base, index) => self.index(base, index),
            ExprKind::Call(function, arguments) => self.call(expr, function, arguments),
            ExprKind::Method(receiver, name, arguments) => self.method(expr, receiver, name, arguments),
            ExprKind::Unary(op, operand) => {
                let value = self.evaluate(operand);
                self.unary(*op, operand, value, expr.span)
            }
            ExprKind::Binary(op, left, right) => self.binary_expr(expr, *op, left, right),
            ExprKind::Cast(operand, ty) => self.converted(expr, operand, ty),
            ExprKind::Assign(target, op, value) => self.assign(expr, target, *op, value),
            ExprKind::If(condition, then, otherwise) => self.conditional(condition, then, otherwise.as_deref()),
            ExprKind::For(attributes, pattern, iterable, body) => {
                self.for_loop(attributes, pattern, iterable, body);
                Value::Unit
            }
            ExprKind::Block(body) => self.body(body),
            ExprKind::Tuple(elements) if elements.is_empty() => Value::Unit,
            ExprKind::Tuple(elements) => Value::Tuple(elements.iter().map(|e| self.tuple_element(e)).collect()),
            ExprKind::List(elements) => Value::List(elements.iter().map(|e| self.evaluate(e)).collect()),
            ExprKind::Repeat(element, count) => self.repeat(element, count),
            ExprKind::Range(start, end, inclusive) => self.range(start.as_deref(), end.as_deref(), *inclusive),
            ExprKind::Assert(condition, message) => self.assertion(expr, condition, message.as_ref()),
            ExprKind::Error => Value::Poison,
        }
    }

    fn tuple_element(&mut self, element: &Argument) -> Value {
        match &element.name {
            Some(name) => self.named_element(name),
            None => self.evaluate(&element.value),
        }
    }

    /// A name where elements have none.
    pub(super) fn named_element(&self, name: &Ident) -> Value {
        self.fail(name.span, "elements of a tuple have names in the groups of a `minimize` only")
    }

    fn binary_expr(&mut self, expr: &Expr, op: BinaryOp, left: &Expr, right: &Expr) -> Value {
        let first = self.evaluate(left);
        // What stands right of a decided `&&` or `||` is not looked at, as in Rust.
        match (op, &first) {
            (BinaryOp::And, Value::Bool(false)) => return Value::Bool(false),
            (BinaryOp::Or, Value::Bool(true)) => return Value::Bool(true),
            _ => {}
        }
        let second = self.evaluate(right);
        self.binary(op, Operands { left: (left, first), right: (right, second), whole: expr, span: expr.span })
    }

    fn name(&self, expr: &Expr, name: &str) -> Value {
        if let Some(binding) = self.frame().find(name) {
            return binding.value.clone();
        }
        if let Some(dtype) = DType::from_name(name) {
            return Value::Type(self.dtype(dtype));
        }
        match self.items.functions.find(name) {
            Some(function) => Value::Function(function),
            None => self.unknown_name(expr, name),
        }
    }

    fn unknown_name(&self, expr: &Expr, name: &str) -> Value {
        if name == "Seq" || self.items.find(self.scope(), name).is_some() {
            return self.fail(expr.span, format!("`{name}` needs its arguments: {name}(…)"));
        }
        let found: Vec<String> = self.frame().names().map(str::to_string).collect();
        let found = crate::nearest::nearest(name, found.iter().map(String::as_str));
        self.report(Problem::new(expr.span, format!("no binding `{name}`")).nearest("", &found))
    }

    fn field(&mut self, base: &Expr, field: &Ident) -> Value {
        match self.evaluate(base) {
            Value::Poison => Value::Poison,
            Value::Layer(layer) => self.layer_field(&layer, base, field),
            Value::Tuple(values) | Value::List(values) => match field.name.parse::<usize>().ok() {
                Some(i) if i < values.len() => values[i].clone(),
                _ => self.fail(field.span, format!("there is no element `{}` among {}", field.name, values.len())),
            },
            other => self.fail(field.span, format!("{} has no field `{}`", other.kind(), field.name)),
        }
    }

    fn layer_field(&mut self, layer: &Rc<Layer>, base: &Expr, field: &Ident) -> Value {
        let Some(place) = &layer.place else {
            return self.fail(field.span, "a layer without a name has no keys: bind it with `let`");
        };
        let path = place.child(&field.name, 0);
        let store = &self.stores[path.store];
        if store.entries.contains_key(&path.key) {
            return self.stored_value(path.store, &path.key);
        }
        if !store.keys_below(&path.key).is_empty() {
            return Value::Layer(Rc::new(Layer { kind: LayerKind::Path, place: Some(path), ..(**layer).clone() }));
        }
        if store.open && !matches!(layer.kind, LayerKind::Path) && !store.applied.contains(&place.order) {
            return self.field_of_unapplied(layer, base, field);
        }
        let mut below: Vec<String> = Vec::new();
        for key in store.keys_below(&place.key) {
            let rest = key.strip_prefix(&place.key).unwrap_or(&key).trim_start_matches('.');
            let first = rest.split('.').next().unwrap_or(rest).to_string();
            if !below.contains(&first) {
                below.push(first);
            }
        }
        let owner = layer.block().map_or_else(|| layer.name(), |block| block.block.name.name.clone());
        let problem = Problem::new(field.span, format!("`{base}` has no layer or parameter `{}`", field.name));
        self.report(problem.detail(format!("{owner} has {}", below.join(", "))))
    }

    /// A parameter of a layer before its first application: there if its shape follows from consts.
    fn field_of_unapplied(&mut self, layer: &Rc<Layer>, base: &Expr, field: &Ident) -> Value {
        if self.declare_unapplied(layer) {
            return self.layer_field(layer, base, field);
        }
        self.depends_on_input();
        if self.frame().unapplied {
            return Value::Poison;
        }
        let headline = format!("the shape of `{base}.{}` depends on the input of `{base}`", field.name);
        self.report(Problem::new(field.span, headline).detail(format!("apply `{base}` first")))
    }

    fn index(&mut self, base: &Expr, index: &Expr) -> Value {
        let values = self.evaluate(base);
        let at = self.evaluate(index);
        match (&values, at.known_int()) {
            (Value::Poison, _) => Value::Poison,
            (Value::List(values) | Value::Tuple(values), Some(at)) => {
                match usize::try_from(at).ok().and_then(|at| values.get(at)) {
                    Some(value) => value.clone(),
                    None => self.fail(index.start, format!("index {at} of a list of {}", values.len())),
                }
            }
            (Value::List(_) | Value::Tuple(_), None) => {
                self.fail(index.start, "an index is a whole number that is known")
            }
            (other, _) => self
                .fail(index.start, format!("{} is not indexed; a tensor is sliced by `slice` or `at`", other.kind())),
        }
    }

    fn call(&mut self, expr: &Expr, function: &Expr, arguments: &[Argument]) -> Value {
        if let ExprKind::Name(name) = &function.kind
            && self.frame().find(name).is_none()
        {
            return self.call_by_name(expr, function, name, arguments);
        }
        match self.evaluate(function) {
            Value::Poison => self.evaluate_all(arguments),
            Value::Layer(layer) => self.apply_to(&layer, None, arguments, expr, expr.span),
            Value::Function(function) => self.call_function(function, None, arguments, expr, expr.span),
            other => self.fail(expr.span, format!("{} cannot be called", other.kind())),
        }
    }

    fn call_by_name(&mut self, expr: &Expr, function: &Expr, name: &str, arguments: &[Argument]) -> Value {
        if let Some(dtype) = DType::from_name(name) {
            return self.number_as_tensor(expr, self.dtype(dtype), arguments);
        }
        if name.starts_with(|first: char| first.is_ascii_uppercase()) {
            return self.make_layer(name, arguments, function.span);
        }
        if numbers::is_function(name, arguments.len()) && arguments.iter().all(|argument| argument.name.is_none()) {
            return self.number_or_call(expr, function, name, arguments);
        }
        match self.items.functions.find(name) {
            _ if self.frame().is_step && name == "minimize" => self.minimize(arguments, function.span),
            _ if self.frame().is_step && name == "metric" => self.metric(arguments),
            Some(found) => self.call_function(found, None, arguments, expr, expr.span),
            None if matches!(name, "minimize" | "metric") => {
                self.fail(function.span, format!("`{name}` stands in steps only"))
            }
            None => self.unknown_function(function.span, name),
        }
    }

    /// A call that is one of consts if its first argument is a number.
    fn number_or_call(&mut self, expr: &Expr, function: &Expr, name: &str, arguments: &[Argument]) -> Value {
        let first = self.evaluate(&arguments[0].value);
        if let Some(found) = self.number_function(name, &first, &arguments[1..]) {
            return found;
        }
        let given = Given { expr: &arguments[0].value, value: Some(first) };
        match self.items.functions.find(name) {
            Some(found) => self.call_function(found, Some(given), &arguments[1..], expr, expr.span),
            None => self.unknown_function(function.span, name),
        }
    }

    /// What a function makes of consts; `None` if it is none, or not one of consts here.
    fn number_function(&mut self, name: &str, first: &Value, rest: &[Argument]) -> Option<Value> {
        if first.number().is_none() || rest.iter().any(|argument| argument.name.is_some()) {
            return None;
        }
        if !numbers::is_function(name, 1 + rest.len()) {
            return None;
        }
        let rest = rest.iter().map(|argument| self.evaluate(&argument.value));
        let values: Vec<Value> = std::iter::once(first.clone()).chain(rest.collect::<Vec<_>>()).collect();
        numbers::call(name, &values)
    }

    /// `f32(B)`: a number or extent as a scalar value of the graph.
    fn number_as_tensor(&mut self, expr: &Expr, dtype: DType, arguments: &[Argument]) -> Value {
        match arguments {
            [Argument { name: None, value }] => match self.evaluate(value) {
                Value::Poison => Value::Poison,
                Value::Tensor(_) => self.fail(value.start, format!("a tensor is converted by .cast({dtype})")),
                number => self.operand(value, &number, dtype).map_or(Value::Poison, Value::Tensor),
            },
            _ => self.fail(expr.span, format!("{dtype}(…) takes one number or extent")),
        }
    }

    fn method(&mut self, expr: &Expr, receiver: &Expr, name: &Ident, arguments: &[Argument]) -> Value {
        if name.name == "push" {
            return self.push(receiver, name, arguments);
        }
        let value = self.evaluate(receiver);
        if let Some(found) = self.list_method(receiver, &value, name, arguments) {
            return found;
        }
        let bound = self.frame().find(&name.name).map(|binding| binding.value.clone());
        if !matches!(bound, Some(Value::Layer(_) | Value::Function(_) | Value::Poison))
            && let Some(found) = self.number_function(&name.name, &value, arguments)
        {
            return found;
        }
        let given = Given { expr: receiver, value: Some(value) };
        match bound {
            Some(Value::Layer(layer)) => self.apply_to(&layer, Some(given), arguments, expr, name.span),
            Some(Value::Function(function)) => self.call_function(function, Some(given), arguments, expr, name.span),
            Some(Value::Poison) => self.evaluate_all(arguments),
            _ => match self.items.functions.find(&name.name) {
                Some(function) => self.call_function(function, Some(given), arguments, expr, name.span),
                None => {
                    self.evaluate_all(arguments);
                    self.unknown_function(name.span, &name.name)
                }
            },
        }
    }

    /// Looks for mistakes in arguments whose call cannot be made.
    fn evaluate_all(&mut self, arguments: &[Argument]) -> Value {
        for argument in arguments {
            // A name may be an option word, about which only the callee could tell.
            if !matches!(argument.value.kind, ExprKind::Name(_)) {
                self.evaluate(&argument.value);
            }
        }
        Value::Poison
    }

    fn conditional(&mut self, condition: &Expr, then: &Body, otherwise: Option<&Expr>) -> Value {
        match self.evaluate(condition) {
            Value::Bool(true) => self.body(then),
            Value::Bool(false) => otherwise.map_or(Value::Unit, |otherwise| self.evaluate(otherwise)),
            Value::Poison => {
                self.depends_on_input();
                Value::Poison
            }
            Value::Tensor(_) => {
                let headline = "the condition of `if` is a bool tensor, known only when the step runs";
                let choose = "choose per element: select(cond, a, b)";
                let line = match self.first_name(condition) {
                    Some((name, place)) => format!("it comes from {name} at {place}; {choose}"),
                    None => choose.to_string(),
                };
                self.report(Problem::new(condition.start, headline).place(line))
            }
            Value::Open(_) => {
                let headline = "the condition of `if` depends on open extents, known only when the step is compiled";
                self.report(
                    Problem::new(condition.start, headline).detail("write the extents out, or make them consts"),
                )
            }
            other => self.fail(condition.start, format!("the condition of `if` is a bool, not {}", other.kind())),
        }
    }

    /// The first bound tensor that an expression names, and where it was bound.
    fn first_name(&self, expr: &Expr) -> Option<(String, String)> {
        match &expr.kind {
            ExprKind::Name(name) => {
                let binding = self.frame().find(name)?;
                matches!(binding.value, Value::Tensor(_)).then(|| (name.clone(), position(binding.span)))
            }
            ExprKind::Method(receiver, _, _) => self.first_name(receiver),
            ExprKind::Unary(_, operand) => self.first_name(operand),
            ExprKind::Binary(_, left, right) => self.first_name(left).or_else(|| self.first_name(right)),
            ExprKind::Call(_, arguments) => arguments.iter().find_map(|argument| self.first_name(&argument.value)),
            _ => None,
        }
    }

    fn repeat(&mut self, element: &Expr, count: &Expr) -> Value {
        let value = self.evaluate(element);
        match self.evaluate(count) {
            Value::Poison => {
                self.depends_on_input();
                Value::Poison
            }
            count_value => match count_value.known_int().and_then(|n| usize::try_from(n).ok()) {
                Some(n) if n as i64 > LONGEST => {
                    self.fail(count.start, format!("a list has at most {LONGEST} elements, not {n}"))
                }
                Some(n) => Value::List(vec![value; n]),
                None => self.fail(count.start, "the length of a list is a whole number that is known"),
            },
        }
    }

    fn range(&mut self, start: Option<&Expr>, end: Option<&Expr>, inclusive: bool) -> Value {
        let side = |this: &mut Self, side: Option<&Expr>| match side.map(|side| (this.evaluate(side), side)) {
            None => Ok(None),
            Some((Value::Int(extent), _)) => Ok(Some(extent)),
            Some((Value::Poison, _)) => Err(Value::Poison),
            Some((other, side)) => {
                Err(this.fail(side.start, format!("a range is of whole numbers, not {}", other.kind())))
            }
        };
        let (start, end) = (side(self, start), side(self, end));
        match (start, end) {
            (Ok(start), Ok(end)) => {
                let end = end.map(|end| if inclusive { end + Extent::from(1) } else { end });
                Value::Range(start, end)
            }
            (Err(poison), _) | (_, Err(poison)) => poison,
        }
    }

    fn assertion(&mut self, expr: &Expr, condition: &Expr, message: Option<&crate::syntax::ast::Template>) -> Value {
        let value = self.evaluate(condition);
        let text = message.map_or_else(|| format!("{condition} does not hold"), |message| self.template(message));
        match value {
            Value::Bool(true) | Value::Poison => Value::Unit,
            Value::Bool(false) => self.fail(expr.span, text),
            Value::Open(comparisons) => {
                let origin = self.origin(expr.span);
                for comparison in comparisons {
                    let super::value::Comparison { left, relation, right } = comparison;
                    self.graph.check(crate::graph::Check { left, relation, right, message: text.clone(), origin });
                }
                Value::Unit
            }
            other => self.fail(condition.start, format!("the condition of `assert!` is a bool, not {}", other.kind())),
        }
    }

    /// Demands that two open extents are equal once they are bound.
    pub(super) fn demand_equal(&mut self, left: &Extent, right: &Extent, message: String, span: Span) {
        self.demand(left, Relation::Equal, right, message, span);
    }

    /// Demands that an open extent is at most another once they are bound.
    pub(super) fn demand_at_most(&mut self, left: &Extent, right: &Extent, message: String, span: Span) {
        self.demand(left, Relation::AtMost, right, message, span);
    }

    fn demand(&mut self, left: &Extent, relation: Relation, right: &Extent, message: String, span: Span) {
        let origin = self.origin(span);
        self.graph.check(crate::graph::Check { left: left.clone(), relation, right: right.clone(), message, origin });
    }
}
