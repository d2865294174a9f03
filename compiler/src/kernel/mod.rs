//! Kernels: the loop IR that both back ends share.
//!
//! A kernel takes one array per [`Parameter`] and runs its body: loops, immutable [`Var`]s, mutable [`Register`]s, loads
//! and stores. Positions are [`Index`] expressions whose axes are loops (`Atom::Axis(n)` is the counter of [`LoopId`] n)
//! and whose gathered atoms are variables (`Atom::Gathered { read: n, .. }` is [`Var`] n, clamped to its bound).
//!
//! A [`LoopKind::Lanes`] loop runs its iterations in lock step, in groups of `groups * L` neighbours, L being the lane
//! count of the target; of what is left over, whole groups of L run in lock step, then [`PART`]s, and the rest one by one. It
//! may hold serial loops, no lanes loops, and its iterations know nothing of each other: running them one after the other
//! means the same. A register with `groups` holds `groups * L` values and a further one, and each iteration of a lanes loop
//! sees one of them: iteration i of the whole groups sees value `i mod (groups * L)`, the groups of L see the first L values,
//! the parts see the first four, and what runs one by one sees the further value. [`Expression::Combine`] folds all values in a fixed order: halves of the `groups * L`
//! values onto each other until one is left, then the further value. So the result depends on L and on nothing else.
//!
//! A kernel for a GPU says what L is: [`Kernel::threads`], the threads of a block. A lanes loop with N neighbours gives each
//! thread N iterations side by side: iteration i of G groups runs on thread `t = (i / N) mod L`, as the one with number
//! `g = i mod N + N * (i / (N * L) mod (G / N))` of those that the thread runs together, and sees value `g * L + t` of
//! registers, whatever is left over; no iteration sees the further value. [`Expression::Combine`] then folds halves of the
//! values of each thread onto each other, next those of the threads of each warp, and last those of the warps.
//! What stands outside of lanes loops is computed by every thread alike, and stored by one. The iterations of
//! a parallel loop are blocks, and their local memory is the memory that the threads of a block share. Phases that do not
//! wait for each other run at once, see [`grids()`].
//!
//! A [`Fragment`] is a tile of sums in f32 that the threads of a block keep together. [`Statement::Contract`] adds to it the
//! product of two matrices that lie in local arrays: of bf16, or of f32, which it rounds to tf32 (10 bits behind the leading
//! one, ties away from zero). The products of [`mma_depth()`] neighbours are summed up at once, in an order that is the
//! machine's own, and then added to the sum, which is rounded to f32. [`Statement::Unload`] brings the sums to a local array.
//!
//! A [`LoopKind::Staged`] loop runs its iterations one after the other. Its body begins with lanes loops that fill local
//! arrays, and goes on with contractions of these. A back end fills ahead, into copies of the arrays for as many iterations as
//! there are stages, while it contracts; a [`Statement::Copy`] need not have arrived before its iteration contracts. So the
//! lanes loops load from nothing that the kernel stores to, and only such a loop knows such arrays. That what is read has
//! arrived is thus a matter of form.
//!
//! A [`Statement::Within`] runs statements where an index is below a bound: the last tiles are not all there.
//!
//! Elements of f16 and bf16 are so in arrays only: a load widens them to f32, a store rounds to nearest even, and so does
//! [`ScalarOp::Narrow`]. No variable or register has such a type.
//!
//! Invariants, held by [`verify()`]: variables are defined once and before use, loads and stores are in bounds, each element is
//! stored once, what is stored to is never loaded from, operations get the types they take. Only after all elements of an
//! array have been stored may a kernel add to them, one after the other in the order of the loops, and then stores no more
//! to it; the iterations of a lanes loop add to different elements. Two parameters may be one array in memory only if every
//! element is stored by the iteration that loads it, and none is added to.
//!
//! A [`LoopKind::Parallel`] loop stands in no other loop. Its iterations know nothing of each other: they may run in any order
//! and several at once. A kernel falls into [`phases()`], one after the other: each such loop is one, and so is what stands
//! between two of them. Registers belong to one phase, and so do variables but for those that all phases can compute for
//! themselves. What is split into iterations, and how, is part of the kernel, so its result does not depend on how many run
//! at once.
//!
//! Scratch is memory that a launch has for itself, as undefined in the beginning as it is unseen in the end. A kernel may
//! store to it and load from it as often as it likes, but loads only what it has stored before, and what one iteration of a
//! lanes loop or a parallel loop stores no other iteration of that loop stores or loads. Local memory is scratch that each
//! iteration of a parallel loop has for itself.

mod approximate;
mod cost;
mod digits;
mod fma;
mod fragments;
mod interpret;
mod layout;
mod phases;
mod print;
mod scratch;
mod varying;
mod verify;
mod writers;

pub use approximate::approximate;
pub use cost::{Cost, cost};
pub use digits::Digits;
pub use fma::split_fma;
pub use fragments::{Factor, Fragment, FragmentDecl, Transfer, mma_depth, tf32, warps};
pub use interpret::interpret;
pub use layout::{Layout, layouts, local_memory};
pub use phases::{Phase, grids, phases};
pub use varying::{extents, mark_varying, varies};
pub use verify::{VerifyError, verify};
pub use writers::{Site, never_meet};

use crate::dtype::DType;
use crate::nest::{Index, Reducer};
use crate::scalar::ScalarOp;

/// The lanes of a part. What is left over of a lanes loop after all whole vectors runs part by part, as long as there is one.
pub const PART: usize = 4;

/// How many steps a lanes loop takes on a machine with this many lanes: whole vectors, parts, and single iterations.
pub fn steps(extent: usize, lanes: usize) -> [usize; 3] {
    let left = extent % lanes;
    [extent / lanes, left / PART, left % PART]
}

/// How many bytes the local arrays of a kernel for threads may take together. A block has 8 KB more, which belong to
/// [`Expression::Combine`].
pub const SHARED_BYTES: usize = 40 * 1024;

/// How many bytes they may take together in a kernel with fragments, which folds nothing: what every GPU that has tensor
/// cores for them gives to a block that asks.
pub const MOST_SHARED_BYTES: usize = 96 * 1024;

/// The threads of a warp, of which blocks are made.
pub const WARP: usize = 32;

/// The most threads of a block.
pub const MOST_THREADS: usize = 1024;

/// A function over arrays.
#[derive(Clone, Debug, PartialEq)]
pub struct Kernel {
    /// A name for listings; unique in a plan.
    pub name: String,
    /// The arrays that it works on; scratch and local memory come last.
    pub parameters: Vec<Parameter>,
    /// The element type of every variable.
    pub vars: Vec<DType>,
    /// The registers.
    pub registers: Vec<RegisterDecl>,
    /// The tiles of sums that blocks keep.
    pub fragments: Vec<FragmentDecl>,
    /// How many loops there are; their ids are below this.
    pub loops: usize,
    /// How many threads a block has that runs lanes loops, a power of two of whole warps; `None` for a machine with vectors,
    /// whose lanes are chosen when code is made.
    pub threads: Option<usize>,
    /// What it does.
    pub body: Vec<Statement>,
}

impl Kernel {
    /// The arrays that a launch brings: all but local memory.
    pub fn arguments(&self) -> impl Iterator<Item = &Parameter> {
        self.parameters.iter().filter(|parameter| parameter.usage != Usage::Local)
    }

    /// Where the local arrays lie, in bytes, each at a multiple of 64, and how many bytes there are together.
    pub fn local_offsets(&self) -> (Vec<Option<usize>>, usize) {
        let (ranges, end) = local_memory(self);
        (ranges.into_iter().map(|range| range.map(|range| range.start)).collect(), end)
    }
}

/// An array that a kernel works on.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    /// The element type.
    pub dtype: DType,
    /// How many elements.
    pub elements: usize,
    /// What the kernel does with it.
    pub usage: Usage,
}

/// What a kernel does with an array.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Usage {
    /// Loads from it.
    Read,
    /// Stores each element once.
    Written,
    /// Stores to it and loads from it: memory for the time of one launch.
    Scratch,
    /// The same for the time of one iteration of a parallel loop.
    Local,
}

/// A parameter, by position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ParameterId(pub usize);

/// A loop, by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LoopId(pub usize);

/// An immutable variable, by number; it is in scope until the end of the statement list that defines it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Var(pub usize);

/// A mutable register, by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Register(pub usize);

/// The type of a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RegisterDecl {
    /// The element type.
    pub dtype: DType,
    /// How many groups of lanes it holds, a power of two, beside the further value for what is left over; 0 for a register
    /// that is one value.
    pub groups: usize,
}

/// How the iterations of a loop run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoopKind {
    /// One after the other.
    Serial,
    /// In any order, and several at once.
    Parallel,
    /// In groups of neighbours, one per lane, and this many groups (a power of two) at once: first all groups at once, then
    /// single groups, then [`PART`]s of a group, and what is left over one by one.
    Lanes {
        /// How many groups.
        groups: usize,
        /// How many iterations side by side a thread of a GPU has, a power of two that divides the groups and the extent;
        /// 1 on other machines.
        neighbours: usize,
    },
    /// One after the other; what they contract is filled ahead.
    Staged {
        /// For how many iterations at once there is memory, at least 2.
        stages: usize,
    },
}

impl LoopKind {
    /// Lanes that have no neighbours of their own.
    pub fn lanes(groups: usize) -> LoopKind {
        LoopKind::Lanes { groups, neighbours: 1 }
    }
}

/// A statement of a kernel.
#[derive(Clone, Debug, PartialEq)]
pub enum Statement {
    /// Runs the body for 0 up to the extent.
    Loop {
        /// The counter.
        id: LoopId,
        /// How many iterations.
        extent: usize,
        /// How they run.
        kind: LoopKind,
        /// What runs.
        body: Vec<Statement>,
    },
    /// Defines a variable.
    Let(Var, Expression),
    /// Sets a register: of a lanes register outside of lanes loops, all values.
    Assign(Register, Var),
    /// Stores an element.
    Store {
        /// The array.
        parameter: ParameterId,
        /// The position in it.
        index: Index,
        /// The element.
        value: Var,
    },
    /// Adds to an element.
    Accumulate {
        /// The array, all elements of which have been stored.
        parameter: ParameterId,
        /// The position in it.
        index: Index,
        /// What is added.
        value: Var,
    },
    /// Runs where an index is below a bound. It stands in a lanes loop and holds definitions and stores.
    Within {
        /// The index.
        index: Index,
        /// The bound.
        below: usize,
        /// What runs.
        body: Vec<Statement>,
    },
    /// Copies neighbouring elements to a local array.
    Copy(Transfer),
    /// Makes all sums of a fragment zero.
    Clear(Fragment),
    /// Adds the product of two matrices to a fragment.
    Contract {
        /// The sums.
        fragment: Fragment,
        /// The factor that has the rows of the fragment.
        left: Factor,
        /// The factor that has its columns.
        right: Factor,
        /// How many products each sum gets.
        depth: usize,
    },
    /// Stores all sums of a fragment into a local array, row by row.
    Unload {
        /// The sums.
        fragment: Fragment,
        /// The array.
        array: ParameterId,
    },
}

/// What a variable is defined as.
#[derive(Clone, Debug, PartialEq)]
pub enum Expression {
    /// A number.
    Constant(DType, f64),
    /// The value of an index, as u32.
    Index(Index),
    /// An element of an array.
    Load {
        /// The array.
        parameter: ParameterId,
        /// The position in it.
        index: Index,
    },
    /// What a register holds.
    Register(Register),
    /// All values of a register with groups in one, by sum, maximum or minimum.
    Combine(Register, Reducer),
    /// An operation.
    Apply(ScalarOp, Vec<Var>),
}
