//! What differs between the iterations of a lanes loop, which every back end asks: the rest is computed once for all lanes.

use super::{Expression, Kernel, LoopId, Statement};
use crate::nest::{Atom, Index};

/// Whether an index differs between the iterations of a lanes loop, by itself or by what it gathers, given which variables do.
pub fn varies(index: &Index, lanes: LoopId, varying: &[bool]) -> bool {
    index.any(&mut |atom| match atom {
        Atom::Axis(axis) => *axis == lanes.0,
        Atom::Gathered { read, .. } => varying[*read],
        Atom::Quotient(..) | Atom::Remainder(..) | Atom::Clamped(..) => false,
    })
}

/// Notes of each variable in the body of a lanes loop whether it differs between the iterations.
pub fn mark_varying(kernel: &Kernel, lanes: LoopId, body: &[Statement], varying: &mut [bool]) {
    for statement in body {
        match statement {
            Statement::Loop { body, .. } | Statement::Within { body, .. } => {
                mark_varying(kernel, lanes, body, varying);
            }
            Statement::Let(var, expression) => {
                varying[var.0] = match expression {
                    Expression::Constant(..) | Expression::Combine(..) => false,
                    Expression::Index(index) | Expression::Load { index, .. } => varies(index, lanes, varying),
                    Expression::Register(register) => kernel.registers[register.0].groups > 0,
                    Expression::Apply(_, operands) => operands.iter().any(|operand| varying[operand.0]),
                };
            }
            _ => {}
        }
    }
}

/// The extent of each loop.
pub fn extents(kernel: &Kernel) -> Vec<usize> {
    let mut extents = vec![0; kernel.loops];
    collect(&kernel.body, &mut extents);
    extents
}

fn collect(statements: &[Statement], extents: &mut [usize]) {
    for statement in statements {
        if let Statement::Loop { id, extent, body, .. } = statement {
            extents[id.0] = *extent;
            collect(body, extents);
        }
    }
}
