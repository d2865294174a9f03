//! The logarithm of a sum of exponentials.

use super::{abs, add, broadcast_over, constant_like, eq, exp, log, lt, max, mul, reduction, select, sub, sum};
use crate::dtype::DType;
use crate::graph::{Array, Builder, Call, Fill, Infer, Lowering, Op, Sample, TypeError, ValueId, Vjp};
use crate::shape::Type;

/// The op.
pub struct Logsumexp;

/// The logarithm of the sum of the exponentials over these axes, which the result does not have.
pub fn logsumexp(b: &mut Builder<'_>, x: ValueId, axes: &[usize]) -> ValueId {
    reduction::reduce(b, &Logsumexp, x, axes)
}

/// `x` less a value that is repeated along the reduced axes.
fn less(b: &mut Builder<'_>, call: &Call, value: ValueId) -> ValueId {
    let value = broadcast_over(b, value, &call.attributes.axes("axes"), &call.operand_types[0].shape);
    sub(b, call.operands[0], value)
}

impl Op for Logsumexp {
    fn name(&self) -> &'static str {
        "logsumexp"
    }

    fn doc(&self) -> &'static str {
        "logsumexp {axes} (x: F<S>) -> F<S without axes>: y = m + log(sum(exp(x - m))) over the axes, where m is the maximum if it is finite, else 0; minus infinity if all of x are, or of nothing; the gradient is g * exp(x - y), and 0 where y is minus infinity"
    }

    fn infer(&self, infer: &mut Infer<'_>) -> Result<Vec<Type>, TypeError> {
        let ty = reduction::reduced_type(infer)?;
        infer.float(&ty)?;
        Ok(vec![ty])
    }

    fn vjp(&self, b: &mut Builder<'_>, call: &Call, cotangents: &[Option<ValueId>]) -> Vjp {
        let Some(g) = cotangents[0] else { return Vjp::none(call) };
        let y = call.results[0];
        let (lowest, zero) = (constant_like(b, f64::NEG_INFINITY, y), constant_like(b, 0.0, y));
        let nothing = eq(b, y, lowest);
        let y = select(b, nothing, zero, y);
        let logarithms = less(b, call, y);
        let shares = exp(b, logarithms);
        let g = broadcast_over(b, g, &call.attributes.axes("axes"), &call.operand_types[0].shape);
        Vjp::Operands(vec![Some(mul(b, g, shares))])
    }

    fn lower(&self, _call: &Call) -> Lowering {
        Lowering::Expand
    }

    fn is_composite(&self) -> bool {
        true
    }

    fn expand(&self, b: &mut Builder<'_>, call: &Call) -> Vec<ValueId> {
        let axes = call.attributes.axes("axes");
        let maximum = max(b, call.operands[0], &axes);
        let (highest, zero) = (constant_like(b, f64::INFINITY, maximum), constant_like(b, 0.0, maximum));
        let size = abs(b, maximum);
        let finite = lt(b, size, highest);
        let shift = select(b, finite, maximum, zero);
        let shifted = less(b, call, shift);
        let powers = exp(b, shifted);
        let total = sum(b, powers, &axes);
        let logarithm = log(b, total);
        vec![add(b, logarithm, shift)]
    }

    fn reference(&self, call: &Call, operands: &[&Array]) -> Vec<Array> {
        // In f64 the exponentials of what samples hold do not overflow.
        let mut result = reduction::fold(call, &call.attributes.axes("axes"), operands[0], 0.0, |sum, x| sum + x.exp());
        result.elements.iter_mut().for_each(|total| *total = total.ln());
        vec![result]
    }

    fn samples(&self) -> Vec<Sample> {
        reduction::samples(Fill::Between(-3.0, 3.0), &[DType::F32])
    }
}
