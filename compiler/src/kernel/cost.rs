//! What a launch of a kernel costs: its arithmetic, and the memory that it cannot help to read and write.
//!
//! A kernel enters as it was scheduled, with its transcendental operations whole. What it computes more than once, and what
//! it computes for the zeros that fill up a panel, counts as often as it runs.

use super::{Expression, Kernel, Statement, Usage};
use crate::dtype::DType;
use crate::scalar::ScalarOp;
use std::iter::Sum;

/// What a launch, or several, cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// How many floating-point operations run. As is the custom, a fused multiply-add is two, and a square root, a division
    /// or a transcendental operation is one, whatever it takes. Signs, comparisons, choices and conversions are none, and
    /// neither is what is done with integers. What lanes add up among themselves at the end of a sum is not counted, so the
    /// number of a sum does not depend on how many there are.
    pub flops: u64,
    /// How many bytes of arguments are read, each once: of arrays in which fewer elements are loaded than there are, such as
    /// a table of which rows are gathered, only as many. Memory that a launch has for itself is not counted.
    pub read: u64,
    /// How many bytes of arguments are written, likewise.
    pub written: u64,
}

impl Cost {
    /// How many bytes move.
    pub fn bytes(&self) -> u64 {
        self.read.saturating_add(self.written)
    }

    /// The cost of so many of it.
    pub fn times(self, count: usize) -> Cost {
        let times = |number: u64| number.saturating_mul(count as u64);
        Cost { flops: times(self.flops), read: times(self.read), written: times(self.written) }
    }
}

impl Sum for Cost {
    fn sum<I: Iterator<Item = Cost>>(costs: I) -> Cost {
        costs.fold(Cost::default(), |sum, cost| Cost {
            flops: sum.flops.saturating_add(cost.flops),
            read: sum.read.saturating_add(cost.read),
            written: sum.written.saturating_add(cost.written),
        })
    }
}

/// The cost of one launch of a kernel.
pub fn cost(kernel: &Kernel) -> Cost {
    let mut count = Count { kernel, flops: 0, accesses: vec![0; kernel.parameters.len()] };
    count.statements(&kernel.body, 1);
    let mut cost = Cost { flops: count.flops, ..Cost::default() };
    for (parameter, accesses) in kernel.parameters.iter().zip(count.accesses) {
        let bytes = accesses.min(parameter.elements as u64).saturating_mul(parameter.dtype.size() as u64);
        match parameter.usage {
            Usage::Read => cost.read = cost.read.saturating_add(bytes),
            Usage::Written => cost.written = cost.written.saturating_add(bytes),
            Usage::Scratch | Usage::Local => {}
        }
    }
    cost
}

/// What has been counted of a kernel.
struct Count<'k> {
    kernel: &'k Kernel,
    flops: u64,
    /// How often each parameter is loaded from or stored to.
    accesses: Vec<u64>,
}

impl Count<'_> {
    fn statements(&mut self, statements: &[Statement], times: u64) {
        for statement in statements {
            match statement {
                Statement::Loop { extent, body, .. } => self.statements(body, times.saturating_mul(*extent as u64)),
                Statement::Let(_, Expression::Load { parameter, .. }) => self.access(parameter.0, times),
                Statement::Let(var, Expression::Apply(op, _)) => {
                    self.operations(operations(*op, self.kernel.vars[var.0]), times);
                }
                Statement::Store { parameter, .. } => self.access(parameter.0, times),
                Statement::Accumulate { parameter, value, .. } => {
                    self.access(parameter.0, times);
                    self.operations(operations(ScalarOp::Add, self.kernel.vars[value.0]), times);
                }
                Statement::Within { body, .. } => self.statements(body, times),
                Statement::Copy(copy) => self.access(copy.from.0, times.saturating_mul(copy.count as u64)),
                Statement::Contract { fragment, depth, .. } => {
                    let sums = self.kernel.fragments[fragment.0];
                    self.operations((2 * sums.rows * sums.columns * depth) as u64, times);
                }
                Statement::Let(..) | Statement::Assign(..) | Statement::Clear(_) | Statement::Unload { .. } => {}
            }
        }
    }

    fn access(&mut self, parameter: usize, times: u64) {
        self.accesses[parameter] = self.accesses[parameter].saturating_add(times);
    }

    fn operations(&mut self, operations: u64, times: u64) {
        self.flops = self.flops.saturating_add(operations.saturating_mul(times));
    }
}

/// How many floating-point operations one operation is whose result has this type.
fn operations(op: ScalarOp, dtype: DType) -> u64 {
    use ScalarOp::*;
    match op {
        _ if !dtype.is_float() => 0,
        Fma => 2,
        Add | Sub | Mul | Div | Sqrt | Floor | Round | Max | Min => 1,
        Exp | Expm1 | Log | Log1p | Sin | Cos | Tanh | Erf => 1,
        Neg | Abs | Eq | Ne | Lt | Le | And | Or | Xor | Not | Select => 0,
        ShiftLeft(_) | ShiftRight(_) | Bits(_) | PowerOfTwo | Logb | Narrow(_) | Cast(_) => 0,
    }
}
