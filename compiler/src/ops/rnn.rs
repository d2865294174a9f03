//! A layer of plain recurrent cells, in one direction.

use super::recurrent::{Recurrent, direction, recurrent};
use super::{add, relu, tanh};
use crate::graph::{Attribute, Attributes, Builder, ValueId};

/// The op.
pub static RNN: Recurrent = Recurrent {
    name: "rnn",
    doc: "rnn {nonlinearity, reverse} (x: F<T, N, H>, w: F<H, H>, h: F<N, H>) -> F<T, N, H>, F<N, H>: h = f(x[t] + h w^T) for one t after the other, from the last if reverse, where f is tanh or relu: h after each turn and the last one",
    gates: 1,
    states: 1,
    extra: None,
    turn: |b, turn| {
        let z = add(b, turn.x, turn.product);
        vec![if turn.attributes.word("nonlinearity") == "relu" { relu(b, z) } else { tanh(b, z) }]
    },
    row: |attributes, x, products, _| {
        let is_relu = attributes.word("nonlinearity") == "relu";
        let of = |z: f64| if is_relu { z.max(0.0) } else { z.tanh() };
        vec![x.iter().zip(products).map(|(x, product)| of(x + product)).collect()]
    },
    attributes: || ["tanh", "tanh", "relu"].map(nonlinearity).to_vec(),
};

fn nonlinearity(word: &str) -> Attributes {
    Attributes::none().with("nonlinearity", Attribute::Word(word.to_string()))
}

/// All turns of a layer: what is hidden after each, and after the last. `operands` are x, the recurrent weight and what is
/// hidden before the first turn.
pub fn rnn(b: &mut Builder<'_>, operands: &[ValueId], word: &str, reverse: bool) -> Vec<ValueId> {
    let word = Attribute::Word(word.to_string());
    recurrent(b, &RNN, direction(reverse).with("nonlinearity", word), operands)
}
