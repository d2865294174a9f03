//! The hinge loss of distances against targets that are 1, for near, or -1, for far.

use super::element_loss::ElementLoss;
use super::losses::REDUCTIONS;
use super::{add, constant_like, le, lt, ne, select, sub};
use crate::graph::{Attribute, Attributes, Builder, Fill, ValueId};

/// The op.
pub static HINGE_EMBEDDING: ElementLoss = ElementLoss {
    name: "hinge_embedding",
    doc: "hinge_embedding {margin, reduction} (x: F<S>, y: F<S> or i32<S>) -> F, or F<S> without reduction: x where y is 1, max(0, margin - x) where y is -1, their sum elsewhere; the gradient goes to x only, and is -1 where margin - x is 0",
    fills: &[Fill::Distinct, Fill::Between(-0.9, 0.9)],
    required: 2,
    whole_target: true,
    reductions: REDUCTIONS,
    attributes: || [0.987, -0.313].map(|margin| Attributes::none().with("margin", Attribute::Float(margin))).to_vec(),
    refused: |_| None,
    scalar: |attributes, x| {
        let far = (attributes.float("margin") - x[0]).max(0.0);
        if x[1] == 1.0 {
            x[0]
        } else if x[1] == -1.0 {
            far
        } else {
            x[0] + far
        }
    },
    losses: |b, attributes, x| {
        let (near, far) = sides(b, x);
        let (room, zero) = (room(b, attributes, x[0]), constant_like(b, 0.0, x[0]));
        let room = positive_part(b, room);
        let (far, near) = (select(b, far, room, zero), select(b, near, x[0], zero));
        add(b, far, near)
    },
    slopes: |b, attributes, x| {
        let (near, far) = sides(b, x);
        let [zero, one, minus] = [0.0, 1.0, -1.0].map(|number| constant_like(b, number, x[0]));
        let room = room(b, attributes, x[0]);
        let inside = le(b, zero, room);
        let slope = select(b, inside, minus, zero);
        let (far, near) = (select(b, far, slope, zero), select(b, near, one, zero));
        vec![Some(add(b, far, near)), None]
    },
};

/// Where the loss of near pairs counts, and where that of far ones.
fn sides(b: &mut Builder<'_>, x: &[ValueId]) -> (ValueId, ValueId) {
    let (one, minus) = (constant_like(b, 1.0, x[1]), constant_like(b, -1.0, x[1]));
    (ne(b, x[1], minus), ne(b, x[1], one))
}

fn room(b: &mut Builder<'_>, attributes: &Attributes, x: ValueId) -> ValueId {
    let margin = constant_like(b, attributes.float("margin"), x);
    sub(b, margin, x)
}

/// max(0, x), through which the gradient flows at 0 too, as it does in PyTorch's losses with a margin.
pub fn positive_part(b: &mut Builder<'_>, x: ValueId) -> ValueId {
    let zero = constant_like(b, 0.0, x);
    let negative = lt(b, x, zero);
    select(b, negative, zero, x)
}
