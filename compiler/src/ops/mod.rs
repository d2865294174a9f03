//! The operations of graphs: one file per op, one entry in [`OPS`].
//!
//! A file holds everything about its op: formula, shape rule, gradient rule, lowering, reference and samples, and the
//! function that inserts it. Shapes of elementwise operands are equal: broadcasting is the op [`broadcast`], which the
//! front end inserts. The laws in `tests/laws.rs` run over the whole list.

mod abs;
mod activation;
mod add;
mod along;
mod and;
mod argmax;
mod argmin;
mod attention;
mod attention_blocks;
mod attention_gradient;
mod attention_rows;
mod barrier;
mod batch_norm;
mod bce;
mod bce_with_logits;
mod broadcast;
mod cast;
mod cat;
mod clamp;
mod class_labels;
mod constant;
mod contract;
mod conv;
mod conv_transpose;
mod conv_weight;
mod convolution;
mod cos;
mod cosine_embedding;
mod cross_entropy;
mod ctc;
mod cumsum;
mod detach;
mod diagonal;
mod div;
mod dropout;
mod element_loss;
mod elementwise;
mod elu;
mod eq;
mod erf;
mod exp;
mod expm1;
mod extent;
mod extremum;
mod eye;
mod flip;
mod floor;
mod fold;
mod gather;
mod gelu;
mod gelu_tanh;
mod gru;
mod hardsigmoid;
mod hardswish;
mod hardtanh;
mod hinge_embedding;
mod huber;
mod iota;
mod kl_div;
mod l1;
mod layer_norm;
mod le;
mod leaky_relu;
mod log;
mod log1p;
mod log_softmax;
mod logsigmoid;
mod logsumexp;
mod losses;
mod lstm;
mod lt;
mod max;
mod max_along;
mod maximum;
mod mean;
mod min;
mod min_along;
mod minimum;
mod mish;
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
mod power;
mod prelu;
mod random;
mod random_key;
mod random_rows;
mod recurrent;
mod reduction;
mod relu;
mod relu6;
mod remat;
mod reshape;
mod rms_norm;
mod rnn;
mod roll;
mod round;
mod rsqrt;
mod scan;
mod scatter_add;
mod scatter_sum;
mod select;
mod selu;
mod sigmoid;
mod sign;
mod silu;
mod sin;
mod slice;
mod smooth_l1;
mod soft_cross_entropy;
mod softmax;
mod softplus;
mod sqrt;
mod sub;
mod sum;
mod take;
mod tanh;
mod topk;
mod triangle;
mod tril;
mod triplet_margin;
mod triu;
mod var;
mod windows;
mod xor;

pub use abs::abs;
pub use add::add;
pub use and::and;
pub use argmax::argmax;
pub use argmin::argmin;
pub use attention::attention_attributes;
pub use attention_gradient::attention_gradient;
pub use barrier::barrier;
pub use broadcast::{broadcast, broadcast_over};
pub use cast::cast;
pub use cat::cat;
pub use clamp::clamp;
pub use constant::{constant, constant_like};
pub use contract::contract;
pub use conv::conv;
pub use conv_transpose::conv_transpose;
pub use conv_weight::conv_weight;
pub use convolution::Geometry;
pub use cos::cos;
pub use cross_entropy::cross_entropy;
pub use cumsum::cumsum;
pub use detach::detach;
pub use diagonal::diagonal;
pub use div::div;
pub use dropout::dropout;
pub use elu::elu;
pub use eq::eq;
pub use erf::erf;
pub use exp::exp;
pub use expm1::expm1;
pub use extent::{extent, reciprocal};
pub use eye::eye;
pub use flip::flip;
pub use floor::floor;
pub use fold::fold;
pub use gather::gather;
pub use gelu::gelu;
pub use gelu_tanh::gelu_tanh;
pub use gru::gru;
pub use hardsigmoid::hardsigmoid;
pub use hardswish::hardswish;
pub use hardtanh::hardtanh;
pub use iota::iota;
pub use le::le;
pub use leaky_relu::leaky_relu;
pub use log::log;
pub use log_softmax::log_softmax;
pub use log1p::log1p;
pub use logsigmoid::logsigmoid;
pub use logsumexp::logsumexp;
pub use lstm::lstm;
pub use lt::lt;
pub use max::max;
pub use max_along::max_along;
pub use maximum::maximum;
pub use mean::mean;
pub use min::min;
pub use min_along::min_along;
pub use minimum::minimum;
pub use mish::mish;
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
pub use power::power;
pub use prelu::prelu;
pub use random::{Distribution, random};
pub use random_key::random_key;
pub use relu::relu;
pub use relu6::relu6;
pub use remat::remat;
pub use reshape::{reshape, unsqueeze};
pub use rnn::rnn;
pub use roll::roll;
pub use round::round;
pub use rsqrt::rsqrt;
pub use scan::{Turns, scan};
pub use scatter_add::scatter_add;
pub use scatter_sum::scatter_sum;
pub use select::select;
pub use selu::selu;
pub use sigmoid::sigmoid;
pub use sign::sign;
pub use silu::silu;
pub use sin::sin;
pub use slice::slice;
pub use softmax::softmax;
pub use softplus::softplus;
pub use sqrt::sqrt;
pub use sub::sub;
pub use sum::sum;
pub use take::take;
pub use tanh::tanh;
pub use topk::topk;
pub use tril::tril;
pub use triu::triu;
pub use var::var;
pub use windows::{Window, windows};
pub use xor::xor;

use crate::graph::Op;

/// Every op there is, in alphabetical order.
pub static OPS: &[&dyn Op] = &[
    &abs::ABS,
    &add::ADD,
    &and::AND,
    &argmax::Argmax,
    &argmin::Argmin,
    &attention::Attention,
    &attention_gradient::AttentionGradient,
    &barrier::Barrier,
    &batch_norm::BatchNorm,
    &bce::BCE,
    &bce_with_logits::BCE_WITH_LOGITS,
    &broadcast::Broadcast,
    &cast::Cast,
    &cat::Cat,
    &clamp::Clamp,
    &constant::Constant,
    &contract::Contract,
    &conv::Conv,
    &conv_transpose::ConvTranspose,
    &conv_weight::ConvWeight,
    &cos::COS,
    &cosine_embedding::CosineEmbedding,
    &cross_entropy::CrossEntropy,
    &ctc::Ctc,
    &cumsum::Cumsum,
    &detach::Detach,
    &diagonal::Diagonal,
    &div::DIV,
    &dropout::Dropout,
    &elu::ELU,
    &eq::EQ,
    &erf::ERF,
    &exp::EXP,
    &expm1::EXPM1,
    &extent::ExtentValue,
    &eye::Eye,
    &flip::Flip,
    &floor::FLOOR,
    &fold::Fold,
    &gather::Gather,
    &gelu::GELU,
    &gelu_tanh::GELU_TANH,
    &gru::GRU,
    &hardsigmoid::HARDSIGMOID,
    &hardswish::HARDSWISH,
    &hardtanh::HARDTANH,
    &hinge_embedding::HINGE_EMBEDDING,
    &huber::HUBER,
    &iota::Iota,
    &kl_div::KL_DIV,
    &l1::L1,
    &layer_norm::LayerNorm,
    &le::LE,
    &leaky_relu::LEAKY_RELU,
    &log::LOG,
    &log1p::LOG1P,
    &log_softmax::LogSoftmax,
    &logsigmoid::LOGSIGMOID,
    &logsumexp::Logsumexp,
    &lstm::LSTM,
    &lt::LT,
    &max::Max,
    &max_along::MAX_ALONG,
    &maximum::MAXIMUM,
    &mean::Mean,
    &min::Min,
    &min_along::MIN_ALONG,
    &minimum::MINIMUM,
    &mish::MISH,
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
    &power::POWER,
    &prelu::PRELU,
    &random::Random,
    &random_key::RandomKey,
    &random_rows::RandomRows,
    &relu::RELU,
    &relu6::RELU6,
    &remat::Remat,
    &reshape::Reshape,
    &rms_norm::RmsNorm,
    &rnn::RNN,
    &roll::Roll,
    &round::ROUND,
    &rsqrt::RSQRT,
    &scan::Scan,
    &scatter_add::ScatterAdd,
    &scatter_sum::ScatterSum,
    &select::SELECT,
    &selu::SELU,
    &sigmoid::SIGMOID,
    &sign::SIGN,
    &silu::SILU,
    &sin::SIN,
    &slice::Slice,
    &smooth_l1::SMOOTH_L1,
    &soft_cross_entropy::SoftCrossEntropy,
    &softmax::Softmax,
    &softplus::SOFTPLUS,
    &sqrt::SQRT,
    &sub::SUB,
    &sum::Sum,
    &take::Take,
    &tanh::TANH,
    &topk::Topk,
    &tril::TRIL,
    &triplet_margin::TripletMargin,
    &triu::TRIU,
    &var::Var,
    &windows::Windows,
    &xor::XOR,
];

/// The op of that name.
pub fn find(name: &str) -> Option<&'static dyn Op> {
    OPS.binary_search_by(|op| op.name().cmp(name)).ok().map(|at| OPS[at])
}
