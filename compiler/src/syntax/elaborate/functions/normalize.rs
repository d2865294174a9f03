//! Normalisations.

use super::{Arguments, Default, Function, Parameter, axes_attribute, optional, required};
use crate::graph::{Attribute, Attributes, ValueId};
use crate::syntax::ast::Expr;
use crate::syntax::elaborate::Elaborator;
use crate::syntax::elaborate::report::Problem;
use crate::syntax::elaborate::value::Value;

const INPUT: Parameter = required("input");
const SHAPE: Parameter = required("normalized_shape");
const WEIGHT: Parameter = optional("weight", Default::Absent);
const BIAS: Parameter = optional("bias", Default::Absent);
const EPS: Parameter = optional("eps", Default::Float(1e-5));
const F32_EPS: Parameter = optional("eps", Default::Float(f32::EPSILON as f64));

/// The functions of this file.
pub static FUNCTIONS: &[Function] = &[
    Function { name: "batch_norm", parameters: &[INPUT, WEIGHT, BIAS, EPS], apply: batch_norm },
    Function {
        name: "layer_norm",
        parameters: &[INPUT, SHAPE, WEIGHT, BIAS, EPS],
        apply: |e, a| over_last(e, a, &["weight", "bias"]),
    },
    Function {
        name: "rms_norm",
        parameters: &[INPUT, SHAPE, WEIGHT, F32_EPS],
        apply: |e, a| over_last(e, a, &["weight"]),
    },
];

/// Normalises by the statistics of the batch: the values of a channel, which are axis 1. Gives the result, the means and
/// the variances.
fn batch_norm(e: &mut Elaborator<'_>, arguments: &Arguments<'_>) -> Option<Value> {
    let input = e.described_argument(arguments, 0)?;
    let rank = e.graph.ty(input.1).rank();
    if rank < 2 {
        let problem = Problem::new(arguments.span, "batch_norm: takes channels on axis 1");
        e.report(e.about_operands(problem, None, &[input]));
        return None;
    }
    let axes: Vec<usize> = (0..rank).filter(|&axis| axis != 1).collect();
    normalized(e, arguments, input, &axes, &["weight", "bias"])
}

/// Normalises along the last axes, whose extents the call repeats.
fn over_last(e: &mut Elaborator<'_>, arguments: &Arguments<'_>, affine: &[&str]) -> Option<Value> {
    let input = e.described_argument(arguments, 0)?;
    let extents = e.graph.ty(input.1).shape.extents().to_vec();
    let expected = e.extents_argument(arguments, 1)?;
    let kept = extents.len().checked_sub(expected.len()).filter(|_| !expected.is_empty());
    let pairs = kept.map(|kept| extents[kept..].iter().cloned().zip(expected.iter().cloned()));
    let differs = |(a, b): (crate::shape::Extent, crate::shape::Extent)| (a - b).known().is_some_and(|n| n != 0);
    let (Some(kept), false) = (kept, pairs.clone().is_none_or(|mut pairs| pairs.any(differs))) else {
        let words: Vec<String> = expected.iter().map(ToString::to_string).collect();
        let headline = format!("{}: the last axes are not [{}]", arguments.function.name, words.join(", "));
        e.report(e.about_operands(Problem::new(arguments.span, headline), None, &[input]));
        return None;
    };
    for (found, expected) in pairs.into_iter().flatten().filter(|(a, b)| a != b) {
        let message = format!("{}: extents differ", arguments.function.name);
        e.demand_equal(&found, &expected, message, arguments.span);
    }
    let axes: Vec<usize> = (kept..extents.len()).collect();
    normalized(e, arguments, input, &axes, affine)
}

/// The op of the function's name along these axes, with weight and bias where they are given.
fn normalized(
    e: &mut Elaborator<'_>,
    arguments: &Arguments<'_>,
    input: (&Expr, ValueId),
    axes: &[usize],
    affine: &[&str],
) -> Option<Value> {
    let position = |name: &str| arguments.function.parameters.iter().position(|parameter| parameter.name == name);
    let position = |name: &str| position(name).expect("the function has the parameter");
    let mut operands = vec![input];
    for (before, &name) in affine.iter().enumerate() {
        let at = position(name);
        if !e.is_given(arguments, at) {
            continue;
        }
        if operands.len() <= before {
            let headline = format!("{}: `{name}` needs `{}`", arguments.function.name, affine[before - 1]);
            e.fail(e.argument_span(arguments, at), headline);
            return None;
        }
        operands.push(e.described_argument(arguments, at)?);
    }
    let attributes = Attributes::none()
        .with("axes", axes_attribute(axes))
        .with("eps", Attribute::Float(e.float_argument(arguments, position("eps"))?));
    e.op_on(arguments, arguments.function.name, attributes, &operands)
}
