//! All turns of a recurrent layer in one direction, for the layers of the prelude.

use super::collections::Operand;
use super::{Arguments, Default, Function, Parameter, optional, required};
use crate::graph::{Attribute, Attributes, Builder, ValueId};
use crate::ops;
use crate::shape::{Extent, Shape};
use crate::syntax::elaborate::Elaborator;
use crate::syntax::elaborate::value::Value;

const INPUT: Parameter = required("input");
const WEIGHT: Parameter = required("weight");
/// The initial states in a list; zeros where there are none.
const STATE: Parameter = required("state");
const REVERSE: Parameter = optional("reverse", Default::Bool(false));

/// The functions of this file.
pub static FUNCTIONS: &[Function] = &[
    Function {
        name: "gru_scan",
        parameters: &[INPUT, WEIGHT, STATE, required("bias"), REVERSE],
        apply: |e, a| {
            let extra = listed(a, 3);
            recurrent(e, a, ("gru", 3, 1), Attributes::none(), extra, 4)
        },
    },
    Function {
        name: "lstm_scan",
        parameters: &[INPUT, WEIGHT, STATE, required("projection"), REVERSE],
        apply: |e, a| {
            let extra = listed(a, 3);
            recurrent(e, a, ("lstm", 4, 2), Attributes::none(), extra, 4)
        },
    },
    Function {
        name: "rnn_scan",
        parameters: &[INPUT, WEIGHT, STATE, optional("nonlinearity", Default::Word(&["tanh", "relu"])), REVERSE],
        apply: |e, a| {
            let word = Attribute::Word(e.word_argument(a, 3)?);
            recurrent(e, a, ("rnn", 1, 1), Attributes::none().with("nonlinearity", word), Vec::new(), 4)
        },
    },
];

/// The tensors of an argument, which may be none.
fn listed<'e>(arguments: &Arguments<'e>, at: usize) -> Vec<Operand<'e>> {
    let values = arguments.values[at].as_ref().and_then(|(value, _)| value.elements()).unwrap_or_default();
    let tensor = |value: &Value| match value {
        Value::Tensor(value) => Some((arguments.whole, *value)),
        _ => None,
    };
    values.iter().filter_map(tensor).collect()
}

/// The op of a cell, which has so many gates and states: the hidden numbers of all turns, and the states after the last.
fn recurrent<'e>(
    e: &mut Elaborator<'_>,
    a: &Arguments<'e>,
    (op, gates, states): (&str, i64, usize),
    attributes: Attributes,
    extra: Vec<Operand<'e>>,
    reverse: usize,
) -> Option<Value> {
    let (input, weight) = (e.described_argument(a, 0)?, e.described_argument(a, 1)?);
    let reverse = Attribute::Bool(e.bool_argument(a, reverse)?);
    let mut initial = listed(a, 2);
    if initial.is_empty() {
        let zeros = e.build(a.span, |b| zeros(b, [input.1, weight.1], gates, states));
        initial = zeros.into_iter().map(|zeros| (a.whole, zeros)).collect();
    }
    let operands: Vec<Operand<'_>> = [input, weight].into_iter().chain(initial).chain(extra).collect();
    e.op_on(a, op, attributes.with("reverse", reverse), &operands)
}

/// Initial states of zeros: what is hidden, and what is kept beside it.
fn zeros(b: &mut Builder<'_>, [input, weight]: [ValueId; 2], gates: i64, states: usize) -> Vec<ValueId> {
    let rows = b.shape(input).extents()[1].clone();
    let [all, carried] = [0, 1].map(|axis| b.shape(weight).extents()[axis].clone());
    let hidden = all.floor_div(&Extent::from(gates)).expect("cells have gates");
    let dtype = b.dtype(input);
    let zero = ops::constant(b, 0.0, dtype);
    let widths = [carried, hidden].into_iter().take(states);
    widths.map(|width| ops::broadcast(b, zero, &Shape::new(vec![rows.clone(), width]))).collect()
}
