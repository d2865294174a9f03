//! Functions of consts and conversions between them: numbers in, a number out, while the macro expands.
//!
//! Names are Rust's where it has them, and torch's. Whole numbers stay whole where Rust keeps them so.

use super::Elaborator;
use super::value::Value;
use crate::shape::Extent;
use crate::syntax::ast::{Expr, Ident};

/// Functions of consts by name, with how many numbers they take.
const FUNCTIONS: &[(&str, usize)] = &[
    ("abs", 1),
    ("ceil", 1),
    ("clamp", 3),
    ("cos", 1),
    ("div_ceil", 2),
    ("exp", 1),
    ("floor", 1),
    ("ilog2", 1),
    ("is_power_of_two", 1),
    ("ln", 1),
    ("log", 1),
    ("log2", 1),
    ("max", 2),
    ("maximum", 2),
    ("min", 2),
    ("minimum", 2),
    ("next_multiple_of", 2),
    ("next_power_of_two", 1),
    ("pow", 2),
    ("powf", 2),
    ("powi", 2),
    ("round", 1),
    ("rsqrt", 1),
    ("sin", 1),
    ("sqrt", 1),
    ("tanh", 1),
];

/// Whether there is a function of so many consts of that name.
pub fn is_function(name: &str, count: usize) -> bool {
    FUNCTIONS.iter().any(|(function, takes)| *function == name && *takes == count)
}

/// What a function makes of consts; `None` where they are no numbers that are known, or where there is no result.
pub fn call(name: &str, arguments: &[Value]) -> Option<Value> {
    let whole: Option<Vec<i64>> = arguments.iter().map(Value::known_int).collect();
    if let Some(found) = whole.and_then(|whole| of_whole(name, &whole)) {
        return Some(found);
    }
    let numbers: Vec<f64> = arguments.iter().map(Value::number).collect::<Option<_>>()?;
    of_numbers(name, &numbers).map(Value::Float)
}

fn of_whole(name: &str, arguments: &[i64]) -> Option<Value> {
    let number = match (name, arguments) {
        ("abs", [a]) => a.checked_abs()?,
        ("ceil" | "floor" | "round", [a]) => *a,
        ("clamp", [a, low, high]) if low <= high => *a.clamp(low, high),
        ("div_ceil", [a, b]) if *b > 0 => a.checked_add(b - 1)?.div_euclid(*b),
        ("ilog2", [a]) => i64::from(a.checked_ilog2()?),
        ("is_power_of_two", [a]) => return Some(Value::Bool(u64::try_from(*a).ok()?.is_power_of_two())),
        ("max" | "maximum", [a, b]) => *a.max(b),
        ("min" | "minimum", [a, b]) => *a.min(b),
        ("next_multiple_of", [a, b]) if *b > 0 => a.checked_add(b - 1)?.div_euclid(*b).checked_mul(*b)?,
        ("next_power_of_two", [a]) => i64::try_from(u64::try_from(*a).ok()?.checked_next_power_of_two()?).ok()?,
        ("pow", [a, b]) => a.checked_pow(u32::try_from(*b).ok()?)?,
        _ => return None,
    };
    Some(Value::Int(Extent::from(number)))
}

fn of_numbers(name: &str, arguments: &[f64]) -> Option<f64> {
    Some(match (name, arguments) {
        ("abs", [x]) => x.abs(),
        ("ceil", [x]) => x.ceil(),
        ("clamp", [x, low, high]) if low <= high => x.clamp(*low, *high),
        ("cos", [x]) => x.cos(),
        ("exp", [x]) => x.exp(),
        ("floor", [x]) => x.floor(),
        ("ln" | "log", [x]) => x.ln(),
        ("log2", [x]) => x.log2(),
        ("max" | "maximum", [a, b]) => a.max(*b),
        ("min" | "minimum", [a, b]) => a.min(*b),
        ("pow" | "powf" | "powi", [a, b]) => a.powf(*b),
        ("round", [x]) => x.round(),
        ("rsqrt", [x]) => 1.0 / x.sqrt(),
        ("sin", [x]) => x.sin(),
        ("sqrt", [x]) => x.sqrt(),
        ("tanh", [x]) => x.tanh(),
        _ => return None,
    })
}

impl Elaborator<'_> {
    /// `x as f32`, of consts.
    pub(super) fn converted(&mut self, expr: &Expr, operand: &Expr, ty: &Ident) -> Value {
        let value = self.evaluate(operand);
        let number = value.number();
        match (ty.name.as_str(), &value) {
            (_, Value::Poison) => Value::Poison,
            (_, Value::Tensor(_)) => {
                self.fail(expr.span, format!("`as` converts consts; a tensor is converted by .cast({})", ty.name))
            }
            ("f32" | "f64", Value::Int(_) | Value::Float(_)) => match number {
                Some(number) => Value::Float(number),
                None => self.fail(expr.span, format!("an open extent becomes a value by {}(…)", ty.name)),
            },
            ("usize" | "u32" | "i32" | "i64" | "u8", Value::Int(extent)) => Value::Int(extent.clone()),
            ("usize" | "u32" | "i32" | "i64" | "u8", Value::Float(number)) => {
                Value::Int(Extent::from(number.trunc() as i64))
            }
            ("usize" | "u32" | "i32" | "i64" | "u8", Value::Bool(truth)) => Value::Int(Extent::from(i64::from(*truth))),
            ("f32" | "f64" | "usize" | "u32" | "i32" | "i64" | "u8", other) => {
                self.fail(expr.span, format!("`as` converts numbers, not {}", other.kind()))
            }
            (name, _) => self.fail(ty.span, format!("`as` converts to numbers like usize and f32, not to `{name}`")),
        }
    }
}
