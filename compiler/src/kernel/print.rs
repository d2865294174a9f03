//! Kernels as text, for listings and snapshots.

use super::{Expression, Factor, FragmentDecl, Kernel, LoopId, LoopKind, ParameterId, Statement, Transfer, Usage};
use crate::nest::{Index, number, operation};
use std::fmt;

/// An index whose axes are loops and whose gathered atoms are variables.
struct Position<'a>(&'a Index);

impl fmt::Display for Position<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.write(f, "i", "v")
    }
}

impl fmt::Display for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.threads {
            None => writeln!(f, "kernel {}", self.name)?,
            Some(threads) => writeln!(f, "kernel {} on {threads} threads", self.name)?,
        }
        for (position, parameter) in self.parameters.iter().enumerate() {
            let usage = match parameter.usage {
                Usage::Read => "",
                Usage::Written => " written",
                Usage::Scratch => " scratch",
                Usage::Local => " local",
            };
            writeln!(f, "    p{position}: {}[{}]{usage}", parameter.dtype, parameter.elements)?;
        }
        for (position, register) in self.registers.iter().enumerate() {
            match register.groups {
                0 => writeln!(f, "    s{position}: {}", register.dtype)?,
                groups => writeln!(f, "    s{position}: {} by {groups} lanes", register.dtype)?,
            }
        }
        for (position, FragmentDecl { rows, columns }) in self.fragments.iter().enumerate() {
            writeln!(f, "    m{position}: {rows} by {columns}")?;
        }
        self.write_all(f, &self.body, 1)
    }
}

impl Kernel {
    fn write_all(&self, f: &mut fmt::Formatter<'_>, statements: &[Statement], depth: usize) -> fmt::Result {
        statements.iter().try_for_each(|statement| self.write_one(f, statement, depth))
    }

    fn write_one(&self, f: &mut fmt::Formatter<'_>, statement: &Statement, depth: usize) -> fmt::Result {
        let margin = "    ".repeat(depth);
        match statement {
            Statement::Loop { id: LoopId(id), extent, kind, body } => {
                match kind {
                    LoopKind::Serial => writeln!(f, "{margin}loop i{id} < {extent}")?,
                    LoopKind::Parallel => writeln!(f, "{margin}parallel i{id} < {extent}")?,
                    LoopKind::Lanes { groups, neighbours: 1 } => {
                        writeln!(f, "{margin}lanes i{id} < {extent} by {groups}")?;
                    }
                    LoopKind::Lanes { groups, neighbours } => {
                        writeln!(f, "{margin}lanes i{id} < {extent} by {groups}, {neighbours} side by side")?;
                    }
                    LoopKind::Staged { stages } => writeln!(f, "{margin}staged i{id} < {extent} by {stages}")?,
                }
                self.write_all(f, body, depth + 1)
            }
            Statement::Let(var, expression) => {
                write!(f, "{margin}v{} = ", var.0)?;
                self.write_expression(f, expression)?;
                writeln!(f)
            }
            Statement::Assign(register, var) => writeln!(f, "{margin}s{} = v{}", register.0, var.0),
            Statement::Store { parameter: ParameterId(parameter), index, value } => {
                writeln!(f, "{margin}p{parameter}[{}] = v{}", Position(index), value.0)
            }
            Statement::Accumulate { parameter: ParameterId(parameter), index, value } => {
                writeln!(f, "{margin}p{parameter}[{}] += v{}", Position(index), value.0)
            }
            Statement::Within { index, below, body } => {
                writeln!(f, "{margin}within {} < {below}", Position(index))?;
                self.write_all(f, body, depth + 1)
            }
            Statement::Copy(copy) => write_copy(f, copy, &margin),
            Statement::Clear(fragment) => writeln!(f, "{margin}m{} = 0", fragment.0),
            Statement::Contract { fragment, left, right, depth } => {
                let (left, right) = (factor(left, "k", "i"), factor(right, "k", "j"));
                writeln!(f, "{margin}m{} += {left} {right} for k < {depth}", fragment.0)
            }
            Statement::Unload { fragment, array } => writeln!(f, "{margin}p{} = m{}", array.0, fragment.0),
        }
    }

    fn write_expression(&self, f: &mut fmt::Formatter<'_>, expression: &Expression) -> fmt::Result {
        match expression {
            Expression::Constant(dtype, value) => write!(f, "{dtype} {}", number(*value)),
            Expression::Index(index) => write!(f, "index {}", Position(index)),
            Expression::Load { parameter, index } => write!(f, "p{}[{}]", parameter.0, Position(index)),
            Expression::Register(register) => write!(f, "s{}", register.0),
            Expression::Combine(register, reducer) => {
                write!(f, "{} of s{}", format!("{reducer:?}").to_lowercase(), register.0)
            }
            Expression::Apply(op, operands) => {
                f.write_str(&operation(*op, operands.iter().map(|operand| format!("v{}", operand.0))))
            }
        }
    }
}

fn write_copy(f: &mut fmt::Formatter<'_>, copy: &Transfer, margin: &str) -> fmt::Result {
    let Transfer { from, source, to, index, count, within } = copy;
    write!(f, "{margin}p{}[{}; {count}] = p{}[{}; {count}]", to.0, Position(index), from.0, Position(source))?;
    match within {
        Some(within) => writeln!(f, " if v{} else 0", within.0),
        None => writeln!(f),
    }
}

/// A matrix with its axes in the order in which they lie.
fn factor(Factor { array, along_depth }: &Factor, summed: &str, own: &str) -> String {
    let axes = if *along_depth { [own, summed] } else { [summed, own] };
    format!("p{}[{}]", array.0, axes.concat())
}
