//! Losses, named as in `torch.nn.functional` without `_loss`.

use super::{Arguments, Default, Function, Parameter, optional, required};
use crate::graph::{Attribute, Attributes};
use crate::syntax::elaborate::Elaborator;
use crate::syntax::elaborate::report::Problem;
use crate::syntax::elaborate::value::Value;

const REDUCTIONS: Default = Default::Word(&["mean", "sum", "none"]);
const CROSS_ENTROPY: &[Parameter] = &[
    required("input"),
    required("target"),
    optional("reduction", REDUCTIONS),
    optional("label_smoothing", Default::Float(0.0)),
];
const ELEMENTWISE: &[Parameter] = &[required("input"), required("target"), optional("reduction", REDUCTIONS)];

/// The functions of this file.
pub static FUNCTIONS: &[Function] = &[
    Function { name: "cross_entropy", parameters: CROSS_ENTROPY, apply: cross_entropy },
    Function { name: "mse", parameters: ELEMENTWISE, apply: mse },
];

fn cross_entropy(e: &mut Elaborator<'_>, arguments: &Arguments<'_>) -> Option<Value> {
    let operands = [e.described_argument(arguments, 0)?, e.described_argument(arguments, 1)?];
    let attributes = Attributes::none()
        .with("reduction", Attribute::Word(e.word_argument(arguments, 2)?))
        .with("label_smoothing", Attribute::Float(e.float_argument(arguments, 3)?));
    e.op_on(arguments, "cross_entropy", attributes, &operands)
}

fn mse(e: &mut Elaborator<'_>, arguments: &Arguments<'_>) -> Option<Value> {
    let operands = [e.described_argument(arguments, 0)?, e.described_argument(arguments, 1)?];
    if e.graph.dtype(operands[0].1) != e.graph.dtype(operands[1].1) {
        let problem = Problem::new(arguments.span, "mse: element types differ");
        e.report(e.about_operands(problem, &arguments.whole, &operands));
        return None;
    }
    // PyTorch broadcasts here, with a warning: a prediction [N, 1] against labels [N] is a mistake in nearly all programs.
    if e.graph.ty(operands[0].1).rank() != e.graph.ty(operands[1].1).rank() {
        let problem = Problem::new(arguments.span, "mse: ranks differ");
        e.report(e.about_operands(problem, &arguments.whole, &operands));
        return None;
    }
    let shape = e.broadcast_shape("mse", &arguments.whole, &operands, arguments.span)?;
    let operands = operands.map(|(expr, value)| (expr, e.broadcast_to(value, &shape, arguments.span)));
    let attributes = Attributes::none().with("reduction", Attribute::Word(e.word_argument(arguments, 2)?));
    e.op_on(arguments, "mse", attributes, &operands)
}
