//! Operators on numbers, extents and tensors, and broadcasting between tensors.

use super::Elaborator;
use super::report::Problem;
use super::value::{Comparison, Value};
use crate::dtype::DType;
use crate::graph::{Attribute, Attributes, Check, Op, Relation, ValueId};
use crate::ops;
use crate::shape::{Extent, Shape};
use crate::syntax::ast::{BinaryOp, Expr, UnaryOp};
use proc_macro2::Span;

impl BinaryOp {
    /// The name of the op on tensors, and whether its operands are swapped.
    fn op_name(self) -> Option<(&'static str, bool)> {
        Some(match self {
            BinaryOp::Add => ("add", false),
            BinaryOp::Sub => ("sub", false),
            BinaryOp::Mul => ("mul", false),
            BinaryOp::Div => ("div", false),
            BinaryOp::Eq => ("eq", false),
            BinaryOp::Ne => ("ne", false),
            BinaryOp::Lt => ("lt", false),
            BinaryOp::Le => ("le", false),
            BinaryOp::Gt => ("lt", true),
            BinaryOp::Ge => ("le", true),
            BinaryOp::And => ("and", false),
            BinaryOp::Or => ("or", false),
            BinaryOp::Rem | BinaryOp::Shl | BinaryOp::Shr => return None,
        })
    }
}

/// Two operands of an operator or function, as written.
pub struct Operands<'e> {
    /// The left one.
    pub left: (&'e Expr, Value),
    /// The right one.
    pub right: (&'e Expr, Value),
    /// The whole expression, for messages.
    pub whole: &'e Expr,
    /// The operator.
    pub span: Span,
}

impl Elaborator<'_> {
    /// `-x` and `!x`
    pub(super) fn unary(&mut self, op: UnaryOp, expr: &Expr, value: Value, span: Span) -> Value {
        match (op, value) {
            (_, Value::Poison) => Value::Poison,
            (UnaryOp::Neg, Value::Int(extent)) => Value::Int(-extent),
            (UnaryOp::Neg, Value::Float(number)) => Value::Float(-number),
            (UnaryOp::Not, Value::Bool(truth)) => Value::Bool(!truth),
            (op, Value::Tensor(value)) => {
                let name = if op == UnaryOp::Neg { "neg" } else { "not" };
                self.insert_named(name, Attributes::none(), &[(expr, value)], span)
            }
            (UnaryOp::Neg, other) => self.fail(span, format!("`-` takes a number or a tensor, not {}", other.kind())),
            (UnaryOp::Not, other) => self.fail(span, format!("`!` takes a bool or a tensor, not {}", other.kind())),
        }
    }

    /// `a + b` and all others with two sides.
    pub(super) fn binary(&mut self, op: BinaryOp, operands: Operands<'_>) -> Value {
        let span = operands.span;
        match (&operands.left.1, &operands.right.1) {
            (Value::Poison, _) | (_, Value::Poison) => Value::Poison,
            (Value::Tensor(_), _) | (_, Value::Tensor(_)) => match op.op_name() {
                Some((name, false)) => self.tensor_operator(name, operands),
                Some((name, true)) => {
                    self.tensor_operator(name, Operands { left: operands.right, right: operands.left, ..operands })
                }
                None => self.fail(span, "this operator takes whole numbers, not tensors"),
            },
            (Value::Int(a), Value::Int(b)) => self.integer_operator(op, a, b, span),
            (a, b) => match (a.number(), b.number()) {
                (Some(a), Some(b)) => self.float_operator(op, a, b, span),
                _ => self.logic_operator(op, a.clone(), b.clone(), span),
            },
        }
    }

    fn integer_operator(&self, op: BinaryOp, a: &Extent, b: &Extent, span: Span) -> Value {
        let shifted = |shift: fn(i64, u32) -> Option<i64>| {
            let amount = b.known().and_then(|b| u32::try_from(b).ok());
            let result = a.known().zip(amount).and_then(|(a, amount)| shift(a, amount));
            result.map(|number| Value::Int(Extent::from(number)))
        };
        let (a, b) = (a.clone(), b.clone());
        let found = match op {
            BinaryOp::Add => Some(Value::Int(a + b)),
            BinaryOp::Sub => Some(Value::Int(a - b)),
            BinaryOp::Mul => Some(Value::Int(a * b)),
            BinaryOp::Div => a.floor_div(&b).map(Value::Int),
            BinaryOp::Rem => a.floor_mod(&b).map(Value::Int),
            BinaryOp::Shl => shifted(i64::checked_shl),
            BinaryOp::Shr => shifted(i64::checked_shr),
            _ => return self.comparison(op, a, b, span),
        };
        let zero = matches!(op, BinaryOp::Div | BinaryOp::Rem);
        let wrong = if zero { "a division by zero" } else { "the result of this shift is no whole number" };
        found.unwrap_or_else(|| self.fail(span, wrong))
    }

    fn comparison(&self, op: BinaryOp, a: Extent, b: Extent, span: Span) -> Value {
        let difference = (a.clone() - b.clone()).known();
        let one = Extent::from(1);
        let (known, left, relation, right) = match op {
            BinaryOp::Eq => (difference.map(|d| d == 0), a, Relation::Equal, b),
            BinaryOp::Le => (difference.map(|d| d <= 0), a, Relation::AtMost, b),
            BinaryOp::Lt => (difference.map(|d| d < 0), a + one, Relation::AtMost, b),
            BinaryOp::Ge => (difference.map(|d| d >= 0), b, Relation::AtMost, a),
            BinaryOp::Gt => (difference.map(|d| d > 0), b + one, Relation::AtMost, a),
            BinaryOp::Ne => match difference {
                Some(d) => return Value::Bool(d != 0),
                None => {
                    let headline = "`!=` of open extents is known only when the step is compiled";
                    let problem = Problem::new(span, headline);
                    return self.report(problem.detail("write the extents out, or make them consts"));
                }
            },
            _ => return self.fail(span, format!("`{}` takes bools or tensors, not whole numbers", op.symbol())),
        };
        match known {
            Some(truth) => Value::Bool(truth),
            None => Value::Open(vec![Comparison { left, relation, right }]),
        }
    }

    fn float_operator(&self, op: BinaryOp, a: f64, b: f64, span: Span) -> Value {
        match op {
            BinaryOp::Add => Value::Float(a + b),
            BinaryOp::Sub => Value::Float(a - b),
            BinaryOp::Mul => Value::Float(a * b),
            BinaryOp::Div => Value::Float(a / b),
            BinaryOp::Eq => Value::Bool(a == b),
            BinaryOp::Ne => Value::Bool(a != b),
            BinaryOp::Lt => Value::Bool(a < b),
            BinaryOp::Le => Value::Bool(a <= b),
            BinaryOp::Gt => Value::Bool(a > b),
            BinaryOp::Ge => Value::Bool(a >= b),
            _ => self.fail(span, format!("`{}` takes whole numbers or bools, not numbers", op.symbol())),
        }
    }

    fn logic_operator(&self, op: BinaryOp, a: Value, b: Value, span: Span) -> Value {
        match (op, a, b) {
            (BinaryOp::And, Value::Bool(a), Value::Bool(b)) => Value::Bool(a && b),
            (BinaryOp::Or, Value::Bool(a), Value::Bool(b)) => Value::Bool(a || b),
            (BinaryOp::Eq, Value::Bool(a), Value::Bool(b)) => Value::Bool(a == b),
            (BinaryOp::Ne, Value::Bool(a), Value::Bool(b)) => Value::Bool(a != b),
            (BinaryOp::Eq, Value::Text(a), Value::Text(b)) => Value::Bool(a == b),
            (BinaryOp::Ne, Value::Text(a), Value::Text(b)) => Value::Bool(a != b),
            (BinaryOp::And, Value::Bool(true), open @ Value::Open(_))
            | (BinaryOp::And, open @ Value::Open(_), Value::Bool(true)) => open,
            (BinaryOp::And, Value::Bool(false), Value::Open(_))
            | (BinaryOp::And, Value::Open(_), Value::Bool(false)) => Value::Bool(false),
            (BinaryOp::And, Value::Open(mut a), Value::Open(b)) => {
                a.extend(b);
                Value::Open(a)
            }
            (BinaryOp::Or, Value::Bool(_) | Value::Open(_), Value::Bool(_) | Value::Open(_)) => {
                let headline = "`||` of open extents is known only when the step is compiled";
                self.report(Problem::new(span, headline).detail("what `&&` joins becomes checks of `compile`"))
            }
            (op, a, b) => self.fail(span, format!("`{}` does not take {} and {}", op.symbol(), a.kind(), b.kind())),
        }
    }

    /// An elementwise op of two operands with broadcasting; numbers take the type of the tensor.
    pub(super) fn tensor_operator(&mut self, name: &str, operands: Operands<'_>) -> Value {
        let Operands { left, right, whole, span } = operands;
        let dtype = match (&left.1, &right.1) {
            (Value::Tensor(value), _) | (_, Value::Tensor(value)) => self.graph.dtype(*value),
            _ => DType::F32,
        };
        let Some(a) = self.operand(left.0, &left.1, dtype) else { return Value::Poison };
        let Some(b) = self.operand(right.0, &right.1, dtype) else { return Value::Poison };
        let pair = [(left.0, a), (right.0, b)];
        if self.graph.dtype(a) != self.graph.dtype(b) {
            return self.types_differ(name, whole, &pair, span);
        }
        let Some(shape) = self.broadcast_shape(name, whole, &pair, span) else { return Value::Poison };
        let a = self.broadcast_to(a, &shape, span);
        let b = self.broadcast_to(b, &shape, span);
        self.insert_named(name, Attributes::none(), &[(left.0, a), (right.0, b)], span)
    }

    /// A tensor as it is, a number as a constant of the given type.
    pub(super) fn operand(&mut self, expr: &Expr, value: &Value, dtype: DType) -> Option<ValueId> {
        match value {
            Value::Tensor(value) => Some(*value),
            Value::Poison => None,
            Value::Int(extent) if extent.known().is_none() => {
                let attributes = Attributes::none()
                    .with("value", Attribute::Extent(extent.clone()))
                    .with("dtype", Attribute::Type(dtype));
                self.insert_op("extent", attributes, &[], expr.span)
            }
            _ => match value.number() {
                Some(number) if dtype.is_integer() && number.fract() != 0.0 => {
                    self.fail(expr.start, format!("{number} is no {dtype}"));
                    None
                }
                Some(number) => self.constant(number, dtype, expr.span),
                None => {
                    let headline = format!("expected a tensor or a number, not {}", value.counted());
                    let problem = Problem::new(expr.start, headline);
                    self.report(match value {
                        Value::Tuple(_) => problem.detail("take it apart: let (a, b) = …"),
                        _ => problem,
                    });
                    None
                }
            },
        }
    }

    /// A scalar constant.
    pub(super) fn constant(&mut self, number: f64, dtype: DType, span: Span) -> Option<ValueId> {
        let attributes =
            Attributes::none().with("value", Attribute::Float(number)).with("dtype", Attribute::Type(dtype));
        self.insert_op("constant", attributes, &[], span)
    }

    /// Reports operands of different element types.
    pub(super) fn types_differ(&self, name: &str, whole: &Expr, pair: &[(&Expr, ValueId); 2], span: Span) -> Value {
        let problem = Problem::new(span, format!("{name}: element types differ"));
        let float = usize::from(self.graph.dtype(pair[1].1).is_float());
        let cast = format!("convert one: {}.cast({})", pair[1 - float].0, self.graph.dtype(pair[float].1));
        let problem = problem.detail(format!("{whole}: {}", self.described(pair)));
        let line = match self.made_at(&[pair[0].0, pair[1].0]) {
            Some(places) => format!("{places}; {cast}"),
            None => cast,
        };
        self.report(problem.place(line))
    }

    /// The shape that both sides broadcast to. What open extents leave undecided becomes a check.
    pub(super) fn broadcast_shape(
        &mut self,
        name: &str,
        whole: &Expr,
        pair: &[(&Expr, ValueId); 2],
        span: Span,
    ) -> Option<Shape> {
        let one = Extent::from(1);
        let shapes = pair.map(|(_, value)| self.graph.ty(value).shape.extents().to_vec());
        let rank = shapes[0].len().max(shapes[1].len());
        let mut result = Vec::new();
        for axis in 0..rank {
            let side = |shape: &[Extent]| (axis + shape.len()).checked_sub(rank).map(|at| shape[at].clone());
            result.push(match (side(&shapes[0]), side(&shapes[1])) {
                (Some(a), Some(b)) if a == one => b,
                (Some(a), Some(b)) if b == one => a,
                (Some(a), Some(b)) => {
                    let headline = format!("{name}: extents differ on axis {axis}");
                    match (a.clone() - b.clone()).known() {
                        Some(0) => {}
                        Some(_) => {
                            let problem = Problem::new(span, headline);
                            self.report(self.about_extents(problem, whole, pair, rank - axis));
                            return None;
                        }
                        None => {
                            let origin = self.origin(span);
                            let message = format!("{headline}\n  {whole}");
                            let check = Check { left: a.clone(), relation: Relation::Equal, right: b, message, origin };
                            self.graph.check(check);
                        }
                    }
                    a
                }
                (Some(a), None) | (None, Some(a)) => a,
                (None, None) => unreachable!("one side has the larger rank"),
            });
        }
        Some(Shape::new(result))
    }

    /// A value repeated to a shape that it broadcasts to.
    pub(super) fn broadcast_to(&mut self, value: ValueId, shape: &Shape, span: Span) -> ValueId {
        if self.graph.ty(value).shape == *shape {
            return value;
        }
        let attributes = Attributes::none().with("shape", Attribute::Shape(shape.clone()));
        self.insert_op("broadcast", attributes, &[value], span).expect("the shapes were compared before")
    }

    /// Applies the op of that name to tensors; a refusal is shown with the operands' types.
    pub(super) fn insert_named(
        &mut self,
        name: &str,
        attributes: Attributes,
        operands: &[(&Expr, ValueId)],
        span: Span,
    ) -> Value {
        self.insert_as(name, name, attributes, operands, span)
    }

    /// Applies the op of that name; a refusal calls it by the name that the user wrote.
    pub(super) fn insert_as(
        &mut self,
        written: &str,
        name: &str,
        attributes: Attributes,
        operands: &[(&Expr, ValueId)],
        span: Span,
    ) -> Value {
        let values: Vec<ValueId> = operands.iter().map(|(_, value)| *value).collect();
        let origin = self.origin(span);
        match self.graph.insert(op(name), attributes, &values, origin) {
            Ok(results) if results.len() == 1 => Value::Tensor(results[0]),
            Ok(results) => Value::Tuple(results.into_iter().map(Value::Tensor).collect()),
            Err(error) => {
                let problem = Problem::new(span, format!("{written}: {}", error.headline));
                self.report(self.about_operands(problem, None, operands))
            }
        }
    }

    /// Applies the op of that name; a refusal is shown by its headline alone.
    pub(super) fn insert_op(
        &mut self,
        name: &str,
        attributes: Attributes,
        operands: &[ValueId],
        span: Span,
    ) -> Option<ValueId> {
        let origin = self.origin(span);
        match self.graph.insert(op(name), attributes, operands, origin) {
            Ok(results) => Some(results[0]),
            Err(error) => {
                self.fail(span, error.to_string());
                None
            }
        }
    }
}

fn op(name: &str) -> &'static dyn Op {
    ops::find(name).expect("the front end names ops of the list")
}
