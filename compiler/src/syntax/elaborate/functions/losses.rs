//! Losses, named as in `torch.nn.functional` without `_loss`.

use super::{Arguments, Default, Function, Parameter, optional, required};
use crate::dtype::DType;
use crate::graph::{Attribute, Attributes, ValueId};
use crate::syntax::ast::Expr;
use crate::syntax::elaborate::Elaborator;
use crate::syntax::elaborate::report::Problem;
use crate::syntax::elaborate::value::Value;

const REDUCTION: Parameter = optional("reduction", Default::Word(&["mean", "sum", "none"]));
const INPUT: Parameter = required("input");
const TARGET: Parameter = required("target");
const WEIGHT: Parameter = optional("weight", Default::Absent);
const IGNORE_INDEX: Parameter = optional("ignore_index", Default::Int(-100));

const ELEMENTS: &[Parameter] = &[INPUT, TARGET, REDUCTION];
const SMOOTH_L1: &[Parameter] = &[INPUT, TARGET, REDUCTION, optional("beta", Default::Float(1.0))];
const HUBER: &[Parameter] = &[INPUT, TARGET, REDUCTION, optional("delta", Default::Float(1.0))];
const HINGE: &[Parameter] = &[INPUT, TARGET, optional("margin", Default::Float(1.0)), REDUCTION];
const BCE: &[Parameter] = &[INPUT, TARGET, WEIGHT, REDUCTION];
const BCE_WITH_LOGITS: &[Parameter] = &[INPUT, TARGET, WEIGHT, REDUCTION, optional("pos_weight", Default::Absent)];
const KL_DIV: &[Parameter] = &[
    INPUT,
    TARGET,
    optional("reduction", Default::Word(&["mean", "sum", "none", "batchmean"])),
    optional("log_target", Default::Bool(false)),
];
const NLL: &[Parameter] = &[INPUT, TARGET, WEIGHT, IGNORE_INDEX, REDUCTION];
const CROSS_ENTROPY: &[Parameter] =
    &[INPUT, TARGET, WEIGHT, IGNORE_INDEX, REDUCTION, optional("label_smoothing", Default::Float(0.0))];
const COSINE: &[Parameter] =
    &[required("input1"), required("input2"), TARGET, optional("margin", Default::Float(0.0)), REDUCTION];
const CTC: &[Parameter] = &[
    required("log_probs"),
    required("targets"),
    required("input_lengths"),
    required("target_lengths"),
    optional("blank", Default::Int(0)),
    REDUCTION,
    optional("zero_infinity", Default::Bool(false)),
];
const TRIPLET: &[Parameter] = &[
    required("anchor"),
    required("positive"),
    required("negative"),
    optional("margin", Default::Float(1.0)),
    optional("p", Default::Float(2.0)),
    optional("eps", Default::Float(1e-6)),
    optional("swap", Default::Bool(false)),
    REDUCTION,
];

/// The functions of this file.
pub static FUNCTIONS: &[Function] = &[
    Function { name: "bce", parameters: BCE, apply: |e, a| of_elements(e, a, &["weight"], &[]) },
    Function {
        name: "bce_with_logits",
        parameters: BCE_WITH_LOGITS,
        apply: |e, a| of_elements(e, a, &["weight", "pos_weight"], &[]),
    },
    Function { name: "cosine_embedding", parameters: COSINE, apply: cosine_embedding },
    Function { name: "cross_entropy", parameters: CROSS_ENTROPY, apply: cross_entropy },
    Function { name: "ctc", parameters: CTC, apply: ctc },
    Function { name: "hinge_embedding", parameters: HINGE, apply: |e, a| of_elements(e, a, &[], &["margin"]) },
    Function { name: "huber", parameters: HUBER, apply: |e, a| of_elements(e, a, &[], &["delta"]) },
    Function { name: "kl_div", parameters: KL_DIV, apply: |e, a| of_elements(e, a, &[], &["log_target"]) },
    Function { name: "l1", parameters: ELEMENTS, apply: |e, a| of_elements(e, a, &[], &[]) },
    Function { name: "mse", parameters: ELEMENTS, apply: |e, a| of_elements(e, a, &[], &[]) },
    Function { name: "nll", parameters: NLL, apply: |e, a| of_classes(e, a, "nll", &["ignore_index"]) },
    Function { name: "smooth_l1", parameters: SMOOTH_L1, apply: |e, a| of_elements(e, a, &[], &["beta"]) },
    Function { name: "triplet_margin", parameters: TRIPLET, apply: triplet_margin },
];

/// The position of a parameter of the function.
fn position(arguments: &Arguments<'_>, name: &str) -> usize {
    let found = arguments.function.parameters.iter().position(|parameter| parameter.name == name);
    found.expect("the function has the parameter")
}

/// `reduction` and these parameters as attributes.
fn attributes(e: &Elaborator<'_>, arguments: &Arguments<'_>, names: &[&str]) -> Option<Attributes> {
    let mut attributes = Attributes::none();
    for name in names.iter().chain(&["reduction"]) {
        let at = position(arguments, name);
        let parameter = &arguments.function.parameters[at];
        let attribute = match parameter.default {
            Default::Word(_) => Attribute::Word(e.word_argument(arguments, at)?),
            Default::Bool(_) => Attribute::Bool(e.bool_argument(arguments, at)?),
            Default::Int(_) => Attribute::Int(known(e, arguments, at)?),
            _ => Attribute::Float(e.float_argument(arguments, at)?),
        };
        attributes = attributes.with(parameter.name, attribute);
    }
    Some(attributes)
}

/// A whole number that is known.
fn known(e: &Elaborator<'_>, arguments: &Arguments<'_>, at: usize) -> Option<i64> {
    let number = e.extent_argument(arguments, at)?.known();
    if number.is_none() {
        let (name, parameter) = (arguments.function.name, arguments.function.parameters[at].name);
        e.fail(e.argument_span(arguments, at), format!("{name}: `{parameter}` is a number that is known"));
    }
    number
}

/// A loss of elements: input and target, and weights that broadcast to both.
fn of_elements(e: &mut Elaborator<'_>, arguments: &Arguments<'_>, weights: &[&str], names: &[&str]) -> Option<Value> {
    let attributes = attributes(e, arguments, names)?;
    let mut operands = pair(e, arguments)?.to_vec();
    let last = weights.iter().rposition(|name| e.is_given(arguments, position(arguments, name)));
    for name in &weights[..last.map_or(0, |last| last + 1)] {
        let weight = weight(e, arguments, position(arguments, name), operands[0])?;
        operands.push(weight);
    }
    e.op_on(arguments, arguments.function.name, attributes, &operands)
}

/// Input and target, with one shape. Element types are equal, but that of hinge's targets, which are 1 or -1.
fn pair<'e>(e: &mut Elaborator<'_>, arguments: &Arguments<'e>) -> Option<[(&'e Expr, ValueId); 2]> {
    let (name, span) = (arguments.function.name, arguments.span);
    let operands = [e.described_argument(arguments, 0)?, e.described_argument(arguments, 1)?];
    let [input, target] = operands.map(|(_, value)| e.graph.ty(value).clone());
    let whole = name == "hinge_embedding" && target.dtype == DType::I32;
    if input.dtype != target.dtype && !whole {
        e.types_differ(name, arguments.whole, &operands, span);
        return None;
    }
    // PyTorch broadcasts here, with a warning: a prediction [N, 1] against labels [N] is a mistake in nearly all programs.
    if input.rank() != target.rank() {
        let problem = Problem::new(span, format!("{name}: ranks differ"));
        e.report(e.about_operands(problem, Some(arguments.whole), &operands));
        return None;
    }
    let shape = e.broadcast_shape(name, arguments.whole, &operands, span)?;
    Some(operands.map(|(expr, value)| (expr, e.broadcast_to(value, &shape, span))))
}

/// A weight with the shape of the input; ones if it is left out.
fn weight<'e>(
    e: &mut Elaborator<'_>,
    arguments: &Arguments<'e>,
    at: usize,
    input: (&'e Expr, ValueId),
) -> Option<(&'e Expr, ValueId)> {
    let (name, span) = (arguments.function.name, arguments.span);
    let shape = e.graph.ty(input.1).shape.clone();
    if !e.is_given(arguments, at) {
        let one = e.constant(1.0, e.graph.dtype(input.1), span)?;
        return Some((input.0, e.broadcast_to(one, &shape, span)));
    }
    let weight = e.described_argument(arguments, at)?;
    let operands = [input, weight];
    if e.graph.dtype(weight.1) != e.graph.dtype(input.1) {
        e.types_differ(name, arguments.whole, &operands, span);
        return None;
    }
    if e.broadcast_shape(name, arguments.whole, &operands, span)? != shape {
        let parameter = arguments.function.parameters[at].name;
        let problem = Problem::new(span, format!("{name}: `{parameter}` does not broadcast to the input"));
        e.report(e.about_operands(problem, Some(arguments.whole), &operands));
        return None;
    }
    Some((weight.0, e.broadcast_to(weight.1, &shape, span)))
}

/// A loss of scores against classes, perhaps with a weight for each.
fn of_classes(e: &mut Elaborator<'_>, arguments: &Arguments<'_>, op: &str, names: &[&str]) -> Option<Value> {
    let attributes = attributes(e, arguments, names)?;
    let mut operands = vec![e.described_argument(arguments, 0)?, e.described_argument(arguments, 1)?];
    let weight = position(arguments, "weight");
    if e.is_given(arguments, weight) {
        operands.push(e.described_argument(arguments, weight)?);
    }
    e.op_on(arguments, op, attributes, &operands)
}

/// Targets are labels, or class probabilities where they are floats with the axes of the input.
fn cross_entropy(e: &mut Elaborator<'_>, arguments: &Arguments<'_>) -> Option<Value> {
    let (input, target) = (e.tensor_argument(arguments, 0)?, e.tensor_argument(arguments, 1)?);
    let [input, target] = [input, target].map(|value| e.graph.ty(value));
    if !target.dtype.is_float() || target.rank() != input.rank() {
        return of_classes(e, arguments, "cross_entropy", &["ignore_index", "label_smoothing"]);
    }
    let ignored = position(arguments, "ignore_index");
    if known(e, arguments, ignored)? >= 0 {
        let headline = "cross_entropy: `ignore_index` is for labels, the target holds class probabilities";
        e.fail(e.argument_span(arguments, ignored), headline);
        return None;
    }
    of_classes(e, arguments, "soft_cross_entropy", &["label_smoothing"])
}

fn cosine_embedding(e: &mut Elaborator<'_>, arguments: &Arguments<'_>) -> Option<Value> {
    let attributes = attributes(e, arguments, &["margin"])?;
    let operands = tensors(e, arguments)?;
    e.op_on(arguments, "cosine_embedding", attributes, &operands)
}

/// Labels stand in rows that are all as long; in one row after the other, as PyTorch takes them too, they would have no
/// shape that is known.
fn ctc(e: &mut Elaborator<'_>, arguments: &Arguments<'_>) -> Option<Value> {
    let attributes = attributes(e, arguments, &["blank", "zero_infinity"])?;
    let mut operands = tensors(e, arguments)?.to_vec();
    operands.push(e.described_argument(arguments, 3)?);
    if e.graph.ty(operands[1].1).rank() == 1 {
        let headline = "ctc: takes targets in a row for each sample, padded to one length, not all in one row";
        e.report(e.about_operands(Problem::new(arguments.span, headline), Some(arguments.whole), &operands[1..2]));
        return None;
    }
    e.op_on(arguments, "ctc", attributes, &operands)
}

fn triplet_margin(e: &mut Elaborator<'_>, arguments: &Arguments<'_>) -> Option<Value> {
    let attributes = attributes(e, arguments, &["margin", "p", "eps", "swap"])?;
    let operands = tensors(e, arguments)?;
    e.op_on(arguments, "triplet_margin", attributes, &operands)
}

/// The first three arguments.
fn tensors<'e>(e: &Elaborator<'_>, arguments: &Arguments<'e>) -> Option<[(&'e Expr, ValueId); 3]> {
    Some([
        e.described_argument(arguments, 0)?,
        e.described_argument(arguments, 1)?,
        e.described_argument(arguments, 2)?,
    ])
}
