//! For targets without a fused multiply-add.

use super::{Expression, Kernel, Statement, Var};
use crate::scalar::ScalarOp;

/// The kernel with each fused multiply-add made of a multiplication and an addition, which rounds twice.
///
/// The result differs in the last bits, so this is a pass of its own: the interpreter sees what the machine runs.
pub fn split_fma(kernel: &Kernel) -> Kernel {
    let mut split = kernel.clone();
    let body = std::mem::take(&mut split.body);
    split.body = split_all(&mut split, body);
    split
}

fn split_all(kernel: &mut Kernel, statements: Vec<Statement>) -> Vec<Statement> {
    let mut result = Vec::with_capacity(statements.len());
    for statement in statements {
        match statement {
            Statement::Loop { id, extent, kind, body } => {
                result.push(Statement::Loop { id, extent, kind, body: split_all(kernel, body) });
            }
            Statement::Within { index, below, body } => {
                result.push(Statement::Within { index, below, body: split_all(kernel, body) });
            }
            Statement::Let(var, Expression::Apply(ScalarOp::Fma, operands)) => {
                let product = Var(kernel.vars.len());
                kernel.vars.push(kernel.vars[var.0]);
                let factors = operands[..2].to_vec();
                result.push(Statement::Let(product, Expression::Apply(ScalarOp::Mul, factors)));
                result.push(Statement::Let(var, Expression::Apply(ScalarOp::Add, vec![product, operands[2]])));
            }
            other => result.push(other),
        }
    }
    result
}
