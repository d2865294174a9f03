//! A layer of gated recurrent units, in one direction.
//!
//! Cho et al., "Learning Phrase Representations using RNN Encoder-Decoder", 2014, arXiv:1406.1078, in PyTorch's form: the reset
//! gate scales the product, not what is multiplied.

use super::recurrent::{Extra, Recurrent, direction, logistic, recurrent};
use super::{add, mul, sigmoid, sub, tanh};
use crate::graph::{Attributes, Builder, ValueId};

/// The op.
pub static GRU: Recurrent = Recurrent {
    name: "gru",
    doc: "gru {reverse} (x: F<T, N, 3 * H>, w: F<3 * H, H>, h: F<N, H>, b: F<3 * H>) -> F<T, N, H>, F<N, H>: with p = h w^T + b, b may be left out, r = sigmoid(x_r + p_r); z = sigmoid(x_z + p_z); n = tanh(x_n + r * p_n); h = n + z * (h - n) for one turn after the other, from the last if reverse: h after each turn and the last one",
    gates: 3,
    states: 1,
    extra: Some(Extra::Bias),
    turn: |b, turn| {
        let [r, z] = [0, 1].map(|gate| {
            let (x, product) = (turn.gate(b, turn.x, gate), turn.gate(b, turn.product, gate));
            let sum = add(b, x, product);
            sigmoid(b, sum)
        });
        let (x, product) = (turn.gate(b, turn.x, 2), turn.gate(b, turn.product, 2));
        let product = mul(b, r, product);
        let n = add(b, x, product);
        let n = tanh(b, n);
        let difference = sub(b, turn.states[0], n);
        let kept = mul(b, z, difference);
        vec![add(b, n, kept), turn.product]
    },
    row: |_, x, products, states| {
        let hidden = x.len() / 3;
        let sum = |gate: usize, k: usize| x[gate * hidden + k] + products[gate * hidden + k];
        let next = |k: usize| {
            let (r, z) = (logistic(sum(0, k)), logistic(sum(1, k)));
            let n = (x[2 * hidden + k] + r * products[2 * hidden + k]).tanh();
            (1.0 - z) * n + z * states[0][k]
        };
        vec![(0..hidden).map(next).collect()]
    },
    attributes: || vec![Attributes::none()],
};

/// All turns of a layer: what is hidden after each, and after the last. `operands` are x, the recurrent weight, what is hidden
/// before the first turn, and the bias of the products if there is one.
pub fn gru(b: &mut Builder<'_>, operands: &[ValueId], reverse: bool) -> Vec<ValueId> {
    recurrent(b, &GRU, direction(reverse), operands)
}
