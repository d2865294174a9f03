//! The graph compiler of `tapeless`: models and graphs in, code bytes out.
//!
//! The tour, in reading order: [`dtype`], [`shape`], [`scalar`] and [`target`] are the vocabulary, [`text`] how all printed forms write
//! it. [`graph`] holds typed programs, one value per line; [`ops`] is the list of everything a graph may do. From graph to
//! graph lead [`autodiff`], [`optim`], [`expand`] and [`simplify`]. [`nest`] says what a kernel computes (which nodes
//! together, [`fuse`] decides), [`kernel`] how (which [`schedule`] chooses), and [`plan`] in which order and on which memory; a
//! back end turns kernels into code. [`pipeline`] is all of that on one page. [`description`] lists what a model's store
//! holds. The language itself is in [`syntax`].
//!
//! No input or output happens here, there are no globals, and no unsafe code.

#![forbid(unsafe_code)]

pub mod autodiff;
#[cfg(any(feature = "cranelift", feature = "ptx"))]
pub mod backend;
pub mod description;
pub mod differences;
pub mod dtype;
pub mod expand;
pub mod finite;
pub mod fuse;
pub mod generate;
pub mod graph;
pub mod kernel;
pub mod nearest;
pub mod nest;
pub mod ops;
pub mod optim;
pub mod pipeline;
pub mod plan;
pub mod random;
pub mod samples;
pub mod scalar;
pub mod schedule;
pub mod shape;
pub mod simplify;
#[cfg(feature = "language")]
pub mod syntax;
pub mod target;
pub mod text;
