//! The operations of graphs: one file per op, one entry in [`OPS`].
//!
//! A file holds everything about its op: formula, shape rule, gradient rule, lowering, reference and samples, and the
//! function that inserts it. Shapes of elementwise operands are equal: broadcasting is the op [`broadcast`], which the
//! front end inserts. The laws in `tests/laws.rs` run over the whole list.

mod abs;
mod add;
mod and;
mod argmax;
mod barrier;
mod batch_norm;
mod bce;
mod bce_with_logits;
mod broadcast;
mod cast;
mod cat;
mod class_labels;
mod constant;
mod contract;
mod cosine_embedding;
mod cross_entropy;
mod detach;
mod diagonal;
mod div;
mod dropout;
mod element_loss;
mod elementwise;
mod eq;
mod exp;
mod extent;
mod extremum;
mod eye;
mod flip;
mod floor;
mod gather;
mod hinge_embedding;
mod huber;
mod iota;
mod kl_div;
mod l1;
mod layer_norm;
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
mod nll;
mod normalize;
mod not;
mod one_hot;
mod or;
mod pad;
mod pairwise_distance;
mod permute;
mod pow;
mod random;
mod random_key;
mod reduction;
mod relu;
mod remat;
mod reshape;
mod rms_norm;
mod roll;
mod select;
mod sigmoid;
mod slice;
mod smooth_l1;
mod soft_cross_entropy;
mod softmax;
mod sqrt;
mod sub;
mod sum;
mod tanh;
mod triangle;
mod tril;
mod triplet_margin;
mod triu;

pub use abs::abs;
pub use add::add;
pub use and::and;
pub use argmax::argmax;
pub use barrier::barrier;
pub use broadcast::{broadcast, broadcast_over};
pub use cast::cast;
pub use cat::cat;
pub use constant::{constant, constant_like};
pub use contract::contract;
pub use cross_entropy::cross_entropy;
pub use detach::detach;
pub use diagonal::diagonal;
pub use div::div;
pub use dropout::dropout;
pub use eq::eq;
pub use exp::exp;
pub use extent::{extent, reciprocal};
pub use eye::eye;
pub use flip::flip;
pub use floor::floor;
pub use gather::gather;
pub use iota::iota;
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
pub use pad::pad;
pub use pairwise_distance::pairwise_distance;
pub use permute::{move_last, permute};
pub use pow::pow;
pub use random::{Distribution, random};
pub use random_key::random_key;
pub use relu::relu;
pub use remat::remat;
pub use reshape::{reshape, unsqueeze};
pub use roll::roll;
pub use select::select;
pub use sigmoid::sigmoid;
pub use slice::slice;
pub use softmax::softmax;
pub use sqrt::sqrt;
pub use sub::sub;
pub use sum::sum;
pub use tanh::tanh;
pub use tril::tril;
pub use triu::triu;

use crate::graph::Op;

/// Every op there is, in alphabetical order.
pub static OPS: &[&dyn Op] = &[
    &abs::ABS,
    &add::ADD,
    &and::AND,
    &argmax::Argmax,
    &barrier::Barrier,
    &batch_norm::BatchNorm,
    &bce::BCE,
    &bce_with_logits::BCE_WITH_LOGITS,
    &broadcast::Broadcast,
    &cast::Cast,
    &cat::Cat,
    &constant::Constant,
    &contract::Contract,
    &cosine_embedding::CosineEmbedding,
    &cross_entropy::CrossEntropy,
    &detach::Detach,
    &diagonal::Diagonal,
    &div::DIV,
    &dropout::Dropout,
    &eq::EQ,
    &exp::EXP,
    &extent::ExtentValue,
    &eye::Eye,
    &flip::Flip,
    &floor::FLOOR,
    &gather::Gather,
    &hinge_embedding::HINGE_EMBEDDING,
    &huber::HUBER,
    &iota::Iota,
    &kl_div::KL_DIV,
    &l1::L1,
    &layer_norm::LayerNorm,
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
    &nll::Nll,
    &not::NOT,
    &one_hot::OneHot,
    &or::OR,
    &pad::Pad,
    &pairwise_distance::PairwiseDistance,
    &permute::Permute,
    &pow::Pow,
    &random::Random,
    &random_key::RandomKey,
    &relu::RELU,
    &remat::Remat,
    &reshape::Reshape,
    &rms_norm::RmsNorm,
    &roll::Roll,
    &select::SELECT,
    &sigmoid::SIGMOID,
    &slice::Slice,
    &smooth_l1::SMOOTH_L1,
    &soft_cross_entropy::SoftCrossEntropy,
    &softmax::Softmax,
    &sqrt::SQRT,
    &sub::SUB,
    &sum::Sum,
    &tanh::TANH,
    &tril::TRIL,
    &triplet_margin::TripletMargin,
    &triu::TRIU,
];

/// The op of that name.
pub fn find(name: &str) -> Option<&'static dyn Op> {
    OPS.iter().copied().find(|op| op.name() == name)
}
