//! Symbolic extents and shapes.
//!
//! An [`Extent`] is a polynomial with integer coefficients over named symbols and floor divisions, kept in a canonical
//! form: two extents that are equal as polynomials are equal as values. A [`Shape`] is a list of extents, a [`Type`] a
//! shape with an element type. Invariant: no term has the coefficient zero, and terms are sorted.

use crate::dtype::DType;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::{Add, Mul, Neg, Sub};
use std::sync::Arc;
use thiserror::Error;

/// A named open extent, like `B` in `f32<dyn B, 10>`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Symbol(Arc<str>);

impl Symbol {
    /// The symbol of that name.
    pub fn new(name: &str) -> Symbol {
        Symbol(name.into())
    }

    /// The name as written.
    pub fn name(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Symbol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a symbol stands for once the extents are bound.
pub type Bindings = BTreeMap<Symbol, Extent>;

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Factor {
    Symbol(Symbol),
    Quotient(Box<Extent>, Box<Extent>),
}

/// A product of factors, sorted; the empty product is the constant term.
type Monomial = Vec<Factor>;

/// Why an extent is no number.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum EvaluateError {
    /// A symbol is not bound to a number.
    #[error("{0} is not set")]
    Unbound(Symbol),
    /// A divisor is zero.
    #[error("{0} is divided by {1}, which is 0")]
    DivisionByZero(String, String),
    /// The number is too large.
    #[error("the number is too large")]
    Overflow,
}

/// The coefficient of each product of factors.
type Terms = BTreeMap<Monomial, i64>;

/// How long an axis is: an integer polynomial over symbols, with floor division.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Extent(Polynomial);

/// Nearly all extents are numbers, and graphs hold many: those take no memory of their own, and copies of others share it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Polynomial {
    /// A number.
    Known(i64),
    /// Any other.
    Open(Arc<Terms>),
}

impl Extent {
    /// The extent that is one open symbol.
    pub fn symbol(symbol: Symbol) -> Extent {
        Extent::of_factor(Factor::Symbol(symbol))
    }

    fn of_factor(factor: Factor) -> Extent {
        Extent(Polynomial::Open(Arc::new(Terms::from([(vec![factor], 1)]))))
    }

    /// The extent of these terms, none of which has the coefficient zero.
    fn of_terms(terms: Terms) -> Extent {
        match (terms.len(), terms.get(&Monomial::new())) {
            (0, _) => Extent(Polynomial::Known(0)),
            (1, Some(&number)) => Extent(Polynomial::Known(number)),
            _ => Extent(Polynomial::Open(Arc::new(terms))),
        }
    }

    fn as_terms(&self) -> Cow<'_, Terms> {
        match &self.0 {
            Polynomial::Known(0) => Cow::Owned(Terms::new()),
            Polynomial::Known(number) => Cow::Owned(Terms::from([(Monomial::new(), *number)])),
            Polynomial::Open(terms) => Cow::Borrowed(terms),
        }
    }

    /// The number, if no symbol is in it.
    pub fn known(&self) -> Option<i64> {
        match self.0 {
            Polynomial::Known(number) => Some(number),
            Polynomial::Open(_) => None,
        }
    }

    /// Whether the extent is never negative, whatever the lengths that its symbols stand for, as far as its form shows.
    pub fn is_length(&self) -> bool {
        let length = |factor: &Factor| match factor {
            Factor::Symbol(_) => true,
            Factor::Quotient(a, b) => a.is_length() && b.is_length(),
        };
        self.as_terms().iter().all(|(monomial, coefficient)| *coefficient >= 0 && monomial.iter().all(length))
    }

    /// The symbol, if the extent is one symbol and nothing else.
    pub fn as_symbol(&self) -> Option<&Symbol> {
        let Polynomial::Open(terms) = &self.0 else { return None };
        let (monomial, coefficient) = terms.first_key_value()?;
        match monomial.as_slice() {
            [Factor::Symbol(symbol)] if terms.len() == 1 && *coefficient == 1 => Some(symbol),
            _ => None,
        }
    }

    /// Division that rounds toward minus infinity. `None` when the divisor is zero.
    pub fn floor_div(&self, divisor: &Extent) -> Option<Extent> {
        match (self.known(), divisor.known()) {
            (_, Some(0)) => None,
            (_, Some(1)) => Some(self.clone()),
            (Some(a), Some(b)) => Some(Extent::from(floor_div(a, b))),
            _ => Some(self.exact_quotient(divisor).unwrap_or_else(|| {
                Extent::of_factor(Factor::Quotient(Box::new(self.clone()), Box::new(divisor.clone())))
            })),
        }
    }

    /// The remainder that belongs to [`Extent::floor_div`]. `None` when the divisor is zero.
    pub fn floor_mod(&self, divisor: &Extent) -> Option<Extent> {
        self.floor_div(divisor).map(|quotient| self.clone() - quotient * divisor.clone())
    }

    /// Replaces every bound symbol. `None` when that makes a divisor zero.
    pub fn substitute(&self, bindings: &Bindings) -> Option<Extent> {
        let Polynomial::Open(terms) = &self.0 else { return Some(self.clone()) };
        let mut sum = Extent::from(0);
        for (monomial, coefficient) in terms.iter() {
            let mut product = Extent::from(*coefficient);
            for factor in monomial {
                product = product * factor.substitute(bindings)?;
            }
            sum = sum + product;
        }
        Some(sum)
    }

    /// The number that the extent is for these bindings.
    pub fn evaluate(&self, bindings: &Bindings) -> Result<i64, EvaluateError> {
        let mut sum = 0i64;
        for (monomial, coefficient) in self.as_terms().iter() {
            let mut product = *coefficient;
            for factor in monomial {
                product = product.checked_mul(factor.evaluate(bindings)?).ok_or(EvaluateError::Overflow)?;
            }
            sum = sum.checked_add(product).ok_or(EvaluateError::Overflow)?;
        }
        Ok(sum)
    }

    /// How many terms the polynomial has.
    pub fn terms(&self) -> usize {
        self.as_terms().len()
    }

    /// All symbols in the extent, in order of name, each once.
    pub fn symbols(&self) -> Vec<Symbol> {
        let mut found = Vec::new();
        self.collect_symbols(&mut found);
        found.sort();
        found.dedup();
        found
    }

    /// The product with a number.
    fn times(self, factor: i64) -> Extent {
        if factor == 1 {
            return self;
        }
        let mut terms = self.as_terms().into_owned();
        terms.values_mut().for_each(|coefficient| *coefficient = coefficient.saturating_mul(factor));
        terms.retain(|_, coefficient| *coefficient != 0);
        Extent::of_terms(terms)
    }

    /// The quotient when every term of `self` is divisible by a divisor of one term.
    fn exact_quotient(&self, divisor: &Extent) -> Option<Extent> {
        let (terms, divisors) = (self.as_terms(), divisor.as_terms());
        let (common, by) = match divisors.iter().next() {
            Some((monomial, coefficient)) if divisors.len() == 1 => (monomial, *coefficient),
            _ if self == divisor => return Some(Extent::from(1)),
            _ => return None,
        };
        let mut quotient = Terms::new();
        for (monomial, coefficient) in terms.iter() {
            let mut rest = monomial.clone();
            for factor in common {
                rest.remove(rest.iter().position(|f| f == factor)?);
            }
            if coefficient.checked_rem(by) != Some(0) {
                return None;
            }
            quotient.insert(rest, coefficient / by);
        }
        Some(Extent::of_terms(quotient))
    }

    fn collect_symbols(&self, found: &mut Vec<Symbol>) {
        let Polynomial::Open(terms) = &self.0 else { return };
        for factor in terms.keys().flatten() {
            match factor {
                Factor::Symbol(symbol) => found.push(symbol.clone()),
                Factor::Quotient(a, b) => {
                    a.collect_symbols(found);
                    b.collect_symbols(found);
                }
            }
        }
    }
}

impl Factor {
    fn evaluate(&self, bindings: &Bindings) -> Result<i64, EvaluateError> {
        match self {
            Factor::Symbol(symbol) => {
                bindings.get(symbol).and_then(Extent::known).ok_or_else(|| EvaluateError::Unbound(symbol.clone()))
            }
            Factor::Quotient(a, b) => match (a.evaluate(bindings)?, b.evaluate(bindings)?) {
                (_, 0) => Err(EvaluateError::DivisionByZero(a.to_string(), b.to_string())),
                (a, b) => Ok(floor_div(a, b)),
            },
        }
    }

    fn substitute(&self, bindings: &Bindings) -> Option<Extent> {
        match self {
            Factor::Symbol(symbol) => {
                Some(bindings.get(symbol).cloned().unwrap_or_else(|| Extent::symbol(symbol.clone())))
            }
            Factor::Quotient(a, b) => a.substitute(bindings)?.floor_div(&b.substitute(bindings)?),
        }
    }
}

fn floor_div(a: i64, b: i64) -> i64 {
    let quotient = a.saturating_div(b);
    if a.wrapping_rem(b) != 0 && (a < 0) != (b < 0) { quotient - 1 } else { quotient }
}

impl From<i64> for Extent {
    fn from(value: i64) -> Extent {
        Extent(Polynomial::Known(value))
    }
}

/// Literals without a suffix.
impl From<i32> for Extent {
    fn from(value: i32) -> Extent {
        Extent::from(i64::from(value))
    }
}

impl From<usize> for Extent {
    fn from(value: usize) -> Extent {
        Extent::from(i64::try_from(value).expect("no extent reaches 2^63"))
    }
}

impl Add for Extent {
    type Output = Extent;
    fn add(self, other: Extent) -> Extent {
        if let (Polynomial::Known(a), Polynomial::Known(b)) = (&self.0, &other.0) {
            return Extent::from(a.saturating_add(*b));
        }
        let mut sum = self.as_terms().into_owned();
        for (monomial, coefficient) in other.as_terms().into_owned() {
            let total = sum.get(&monomial).copied().unwrap_or(0).saturating_add(coefficient);
            if total == 0 {
                sum.remove(&monomial);
            } else {
                sum.insert(monomial, total);
            }
        }
        Extent::of_terms(sum)
    }
}

impl Neg for Extent {
    type Output = Extent;
    fn neg(self) -> Extent {
        if let Polynomial::Known(number) = self.0 {
            return Extent::from(number.saturating_neg());
        }
        let negated = |(monomial, coefficient): (Monomial, i64)| (monomial, coefficient.saturating_neg());
        Extent::of_terms(self.as_terms().into_owned().into_iter().map(negated).collect())
    }
}

impl Sub for Extent {
    type Output = Extent;
    fn sub(self, other: Extent) -> Extent {
        // Most extents that are compared are equal.
        if self == other { Extent::from(0) } else { self + -other }
    }
}

impl Mul for Extent {
    type Output = Extent;
    fn mul(self, other: Extent) -> Extent {
        if let (Polynomial::Known(a), Polynomial::Known(b)) = (&self.0, &other.0) {
            return Extent::from(a.saturating_mul(*b));
        }
        if let (Polynomial::Known(factor), open) | (open, Polynomial::Known(factor)) = (&self.0, &other.0) {
            return Extent(open.clone()).times(*factor);
        }
        let (left, right) = (self.as_terms(), other.as_terms());
        let pairs = left.iter().flat_map(|left| right.iter().map(move |right| (left, right)));
        let terms = pairs.map(|((left, a), (right, b))| {
            let mut monomial: Monomial = left.iter().chain(right).cloned().collect();
            monomial.sort();
            Extent::of_terms(Terms::from([(monomial, a.saturating_mul(*b))]))
        });
        terms.fold(Extent::from(0), Extent::add)
    }
}

impl fmt::Display for Factor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Factor::Symbol(symbol) => symbol.fmt(f),
            Factor::Quotient(a, b) => {
                let operand = |extent: &Extent| match extent.is_atom() {
                    true => extent.to_string(),
                    false => format!("({extent})"),
                };
                write!(f, "({} / {})", operand(a), operand(b))
            }
        }
    }
}

impl Extent {
    fn is_atom(&self) -> bool {
        self.known().is_some_and(|n| n >= 0) || self.as_symbol().is_some()
    }

    fn fmt_term(f: &mut fmt::Formatter<'_>, monomial: &Monomial, size: u64) -> fmt::Result {
        let mut words: Vec<String> = monomial.iter().map(Factor::to_string).collect();
        if size != 1 || words.is_empty() {
            words.insert(0, size.to_string());
        }
        f.write_str(&words.join(" * "))
    }
}

impl fmt::Display for Extent {
    /// Prints an expression of the language: `3`, `B`, `2 * H + 1`. A type puts braces around what is no atom.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let terms = match &self.0 {
            Polynomial::Known(number) => return number.fmt(f),
            Polynomial::Open(terms) => terms,
        };
        // The constant term sorts first and reads better last.
        let (constant, others): (Vec<_>, Vec<_>) = terms.iter().partition(|(monomial, _)| monomial.is_empty());
        for (i, (monomial, coefficient)) in others.into_iter().chain(constant).enumerate() {
            f.write_str(match (i, *coefficient < 0) {
                (0, true) => "-",
                (0, false) => "",
                (_, true) => " - ",
                (_, false) => " + ",
            })?;
            Extent::fmt_term(f, monomial, coefficient.unsigned_abs())?;
        }
        Ok(())
    }
}

/// The extents of all axes. Copies share them.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct Shape(Arc<[Extent]>);

impl Shape {
    /// The shape with these extents.
    pub fn new(extents: Vec<Extent>) -> Shape {
        Shape(extents.into())
    }

    /// The shape of a single number.
    pub fn scalar() -> Shape {
        Shape::default()
    }

    /// The shape with these known extents.
    pub fn from_known(extents: &[usize]) -> Shape {
        Shape(extents.iter().map(|&extent| Extent::from(extent)).collect())
    }

    /// How many axes.
    pub fn rank(&self) -> usize {
        self.0.len()
    }

    /// The extents in order of axis.
    pub fn extents(&self) -> &[Extent] {
        &self.0
    }

    /// How many elements, as an extent.
    pub fn elements(&self) -> Extent {
        self.0.iter().cloned().fold(Extent::from(1), |product, extent| product * extent)
    }

    /// The extents as numbers, if all are known and none is negative.
    pub fn known(&self) -> Option<Vec<usize>> {
        self.0.iter().map(|extent| extent.known().and_then(|n| usize::try_from(n).ok())).collect()
    }

    /// Replaces every bound symbol. `None` when that makes a divisor zero.
    pub fn substitute(&self, bindings: &Bindings) -> Option<Shape> {
        self.0.iter().map(|extent| extent.substitute(bindings)).collect::<Option<_>>().map(Shape)
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<String> = self
            .0
            .iter()
            .map(|extent| if extent.is_atom() { extent.to_string() } else { format!("{{{extent}}}") })
            .collect();
        f.write_str(&words.join(", "))
    }
}

/// Element type and shape: the type of a value.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Type {
    /// The type of each element.
    pub dtype: DType,
    /// The extents.
    pub shape: Shape,
}

impl Type {
    /// The type with this element type and shape.
    pub fn new(dtype: DType, shape: Shape) -> Type {
        Type { dtype, shape }
    }

    /// The type of one number.
    pub fn scalar(dtype: DType) -> Type {
        Type { dtype, shape: Shape::scalar() }
    }

    /// How many axes.
    pub fn rank(&self) -> usize {
        self.shape.rank()
    }

    /// The extents as numbers. Valid after the dims of a graph are bound.
    pub fn known_shape(&self) -> Vec<usize> {
        self.shape.known().expect("extents are known once the dims of a graph are bound")
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.rank() {
            0 => self.dtype.fmt(f),
            _ => write!(f, "{}<{}>", self.dtype, self.shape),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn symbol(name: &str) -> Extent {
        Extent::symbol(Symbol::new(name))
    }

    fn number(value: i64) -> Extent {
        Extent::from(value)
    }

    #[test]
    fn equal_polynomials_are_equal_values() {
        let (h, w) = (symbol("H"), symbol("W"));
        assert_eq!(h.clone() * w.clone() - w.clone() * h.clone(), number(0));
        assert_eq!((h.clone() + number(1)) * number(2), h.clone() * number(2) + number(2));
        assert_ne!(h, w);
    }

    #[test]
    fn division_rounds_down_and_cancels() {
        let d = symbol("D");
        assert_eq!((d.clone() * number(4)).floor_div(&number(4)), Some(d.clone()));
        assert_eq!(number(-1).floor_div(&number(2)), Some(number(-1)));
        assert_eq!(d.floor_div(&number(0)), None);
        assert_eq!((d.clone() * symbol("B")).floor_div(&d), Some(symbol("B")));
        let open = (d.clone() - number(1)).floor_div(&number(2)).expect("two is no zero") + number(1);
        assert_eq!(open.to_string(), "((D - 1) / 2) + 1");
        let bound = open.substitute(&Bindings::from([(Symbol::new("D"), number(7))]));
        assert_eq!(bound, Some(number(4)));
    }

    #[test]
    fn sums_of_lengths_are_lengths() {
        let t = symbol("T");
        let half = t.floor_div(&number(2)).expect("two is no zero");
        assert!((t.clone() * half.clone() + number(3)).is_length() && number(0).is_length());
        assert!(!(t.clone() - half).is_length() && !number(-1).is_length());
        let below = (t - number(4)).floor_div(&number(2)).expect("two is no zero");
        assert!(!below.is_length());
    }

    #[test]
    fn types_print_as_in_the_language() {
        let shape = Shape::new(vec![symbol("B"), symbol("H") * number(2), number(3)]);
        assert_eq!(Type::new(DType::F32, shape).to_string(), "f32<B, {2 * H}, 3>");
        assert_eq!(Type::scalar(DType::U32).to_string(), "u32");
    }
}
