//! A layer of cells with long short-term memory, in one direction.
//!
//! Hochreiter and Schmidhuber, "Long Short-Term Memory", 1997, with forget gates; the gates in PyTorch's order.

use super::recurrent::{Extra, Recurrent, direction, logistic, recurrent};
use super::{add, contract, mul, sigmoid, tanh};
use crate::graph::{Attributes, Builder, ValueId};

/// The op.
pub static LSTM: Recurrent = Recurrent {
    name: "lstm",
    doc: "lstm {reverse} (x: F<T, N, 4 * H>, w: F<4 * H, P>, h: F<N, P>, c: F<N, H>, r: F<P, H>) -> F<T, N, P>, F<N, P>, F<N, H>: i, f, g, o = x[t] + h w^T; c = sigmoid(f) * c + sigmoid(i) * tanh(g); h = (sigmoid(o) * tanh(c)) r^T for one t after the other, from the last if reverse; r may be left out, P is H then: h after each turn, h and c after the last",
    gates: 4,
    states: 2,
    extra: Some(Extra::Projection),
    turn: |b, turn| {
        let z = add(b, turn.x, turn.product);
        let [i, f, g, o] = [0, 1, 2, 3].map(|gate| turn.gate(b, z, gate));
        let [i, f, o] = [i, f, o].map(|gate| sigmoid(b, gate));
        let g = tanh(b, g);
        let (kept, new) = (mul(b, f, turn.states[1]), mul(b, i, g));
        let c = add(b, kept, new);
        let shown = tanh(b, c);
        let mut h = mul(b, o, shown);
        if let Some(projection) = turn.projection {
            h = contract(b, h, projection, "nh,ph->np");
        }
        vec![h, c, z]
    },
    row: |_, x, products, states| {
        let hidden = x.len() / 4;
        let z = |gate: usize, k: usize| x[gate * hidden + k] + products[gate * hidden + k];
        let c = |k: usize| logistic(z(1, k)) * states[1][k] + logistic(z(0, k)) * z(2, k).tanh();
        let c: Vec<f64> = (0..hidden).map(c).collect();
        vec![(0..hidden).map(|k| logistic(z(3, k)) * c[k].tanh()).collect(), c]
    },
    attributes: || vec![Attributes::none()],
};

/// All turns of a layer: what is hidden after each, and what is hidden and kept after the last. `operands` are x, the recurrent
/// weight, what is hidden and kept before the first turn, and a projection if there is one.
pub fn lstm(b: &mut Builder<'_>, operands: &[ValueId], reverse: bool) -> Vec<ValueId> {
    recurrent(b, &LSTM, direction(reverse), operands)
}
