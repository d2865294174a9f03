//! The operations of graphs: one file per op, one entry in [`OPS`].
//!
//! A file holds everything about its op: formula, shape rule, gradient rule, lowering, reference and samples, and the
//! function that inserts it. Shapes of elementwise operands are equal: broadcasting is the op [`broadcast`], which the
//! front end inserts. The laws in `tests/laws.rs` run over the whole list.

mod abs;
mod add;
mod and;
mod argmax;
mod broadcast;
mod cast;
mod constant;
mod contract;
mod cross_entropy;
mod div;
mod dropout;
mod elementwise;
mod eq;
mod exp;
mod extent;
mod extremum;
mod floor;
mod gather;
mod le;
mod log;
mod log_softmax;
mod losses;
mod lt;
mod max;
mod maximum;
mod mean;
mod minimum;
mod mse;
mod mul;
mod ne;
mod neg;
mod not;
mod one_hot;
mod or;
mod permute;
mod pow;
mod random;
mod random_key;
mod reduction;
mod relu;
mod reshape;
mod select;
mod sigmoid;
mod softmax;
mod sqrt;
mod sub;
mod sum;
mod tanh;

pub use abs::abs;
pub use add::add;
pub use and::and;
pub use argmax::argmax;
pub use broadcast::{broadcast, broadcast_over};
pub use cast::cast;
pub use constant::{constant, constant_like};
pub use contract::contract;
pub use cross_entropy::cross_entropy;
pub use div::div;
pub use dropout::dropout;
pub use eq::eq;
pub use exp::exp;
pub use extent::{extent, reciprocal};
pub use floor::floor;
pub use gather::gather;
pub use le::le;
pub use log::log;
pub use log_softmax::log_softmax;
pub use lt::lt;
pub use max::max;
pub use maximum::maximum;
pub use mean::mean;
pub use minimum::minimum;
pub use mse::mse;
pub use mul::{mul, scale};
pub use ne::ne;
pub use neg::neg;
pub use not::not;
pub use one_hot::one_hot;
pub use or::or;
pub use permute::{move_last, permute};
pub use pow::pow;
pub use random::{Distribution, random};
pub use random_key::random_key;
pub use relu::relu;
pub use reshape::{reshape, unsqueeze};
pub use select::select;
pub use sigmoid::sigmoid;
pub use softmax::softmax;
pub use sqrt::sqrt;
pub use sub::sub;
pub use sum::sum;
pub use tanh::tanh;

use crate::graph::Op;

/// Every op there is, in alphabetical order.
pub static OPS: &[&dyn Op] = &[
    &abs::ABS,
    &add::ADD,
    &and::AND,
    &argmax::Argmax,
    &broadcast::Broadcast,
    &cast::Cast,
    &constant::Constant,
    &contract::Contract,
    &cross_entropy::CrossEntropy,
    &div::DIV,
    &dropout::Dropout,
    &eq::EQ,
    &exp::EXP,
    &extent::ExtentValue,
    &floor::FLOOR,
    &gather::Gather,
    &le::LE,
    &log::LOG,
    &log_softmax::LogSoftmax,
    &lt::LT,
    &max::Max,
    &maximum::MAXIMUM,
    &mean::Mean,
    &minimum::MINIMUM,
    &mse::Mse,
    &mul::MUL,
    &ne::NE,
    &neg::NEG,
    &not::NOT,
    &one_hot::OneHot,
    &or::OR,
    &permute::Permute,
    &pow::Pow,
    &random::Random,
    &random_key::RandomKey,
    &relu::RELU,
    &reshape::Reshape,
    &select::SELECT,
    &sigmoid::SIGMOID,
    &softmax::Softmax,
    &sqrt::SQRT,
    &sub::SUB,
    &sum::Sum,
    &tanh::TANH,
];

/// The op of that name.
pub fn find(name: &str) -> Option<&'static dyn Op> {
    OPS.iter().copied().find(|op| op.name() == name)
}
