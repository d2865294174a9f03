//! Nests as text, for listings and messages.

use super::{Atom, Body, Index, Nest, Read, Scalar};
use crate::scalar::ScalarOp;
use std::fmt;

impl fmt::Display for Index {
    /// Prints `2 * a0 + (a1 / 3) + 1`; axis n is `an`, the element that read n finds `[rn]`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, "a", "r")
    }
}

impl Index {
    /// Prints the index with these letters for axes and for gathered elements.
    pub(crate) fn write(&self, f: &mut fmt::Formatter<'_>, axis: &str, read: &str) -> fmt::Result {
        for (position, term) in self.terms.iter().enumerate() {
            f.write_str(match (position, term.coefficient < 0) {
                (0, false) => "",
                (0, true) => "-",
                (_, false) => " + ",
                (_, true) => " - ",
            })?;
            if term.coefficient.abs() != 1 {
                write!(f, "{} * ", term.coefficient.abs())?;
            }
            term.atom.write(f, axis, read)?;
        }
        match (self.terms.is_empty(), self.offset) {
            (true, offset) => write!(f, "{offset}"),
            (false, 0) => Ok(()),
            (false, offset) if offset < 0 => write!(f, " - {}", -offset),
            (false, offset) => write!(f, " + {offset}"),
        }
    }
}

impl Atom {
    fn write(&self, f: &mut fmt::Formatter<'_>, axis: &str, read: &str) -> fmt::Result {
        let (index, sign, by) = match self {
            Atom::Axis(number) => return write!(f, "{axis}{number}"),
            Atom::Gathered { read: number, bound } => return write!(f, "[{read}{number} < {bound}]"),
            Atom::Clamped(index, bound) => {
                f.write_str("clamp(")?;
                index.write(f, axis, read)?;
                return write!(f, ", {bound})");
            }
            Atom::Quotient(index, by) => (index, "/", by),
            Atom::Remainder(index, by) => (index, "%", by),
        };
        f.write_str("(")?;
        match index.terms.len() + usize::from(index.offset != 0) {
            1 => index.write(f, axis, read)?,
            _ => {
                f.write_str("(")?;
                index.write(f, axis, read)?;
                f.write_str(")")?;
            }
        }
        write!(f, " {sign} {by})")
    }
}

/// Prints a constant so that it reads back as the same number.
pub(crate) fn number(value: f64) -> String {
    format!("{value:?}")
}

/// Prints an operation with its operands.
pub(crate) fn operation(op: ScalarOp, operands: impl Iterator<Item = String>) -> String {
    format!("{op}({})", operands.collect::<Vec<_>>().join(", "))
}

impl fmt::Display for Nest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = |extents: &[usize]| extents.iter().map(usize::to_string).collect::<Vec<_>>().join(", ");
        write!(f, "nest {}[{}]", self.dtype, words(&self.extents[..self.outputs]))?;
        if let Some(reducer) = self.reducer {
            write!(f, " {} over [{}]", format!("{reducer:?}").to_lowercase(), words(&self.extents[self.outputs..]))?;
        }
        writeln!(f)?;
        for (number, Read { operand, dtype, index }) in self.reads.iter().enumerate() {
            let index: Vec<String> = index.iter().map(Index::to_string).collect();
            writeln!(f, "    r{number} = {dtype} operand {operand}[{}]", index.join(", "))?;
        }
        write_body(f, "body", &self.body)?;
        self.epilogue.iter().try_for_each(|body| write_body(f, "epilogue", body))
    }
}

fn write_body(f: &mut fmt::Formatter<'_>, name: &str, body: &Body) -> fmt::Result {
    writeln!(f, "    {name}")?;
    for (position, scalar) in body.scalars.iter().enumerate() {
        let text = match scalar {
            Scalar::Read(read) => format!("r{read}"),
            Scalar::Constant(dtype, value) => format!("{dtype} {}", number(*value)),
            Scalar::Index(index) => format!("index {index}"),
            Scalar::Reduced => "reduced".to_string(),
            Scalar::Apply(op, operands) => operation(*op, operands.iter().map(|operand| format!("%{}", operand.0))),
        };
        writeln!(f, "        %{position} = {text}")?;
    }
    Ok(())
}
