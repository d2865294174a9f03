//! Why producers stay kernels of their own.

use crate::graph::NodeId;
use thiserror::Error;

/// A fusion that did not happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The node that stays a kernel.
    pub producer: NodeId,
    /// The last node of the group that reads it.
    pub consumer: NodeId,
    /// Why.
    pub reason: Reason,
}

/// Why a producer is not part of the kernel of its consumer.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Reason {
    /// The value must be in memory anyway.
    #[error("the value is a result of the step")]
    Result,
    /// What runs once per turn reads arrays.
    #[error("a scan reads the value")]
    Scanned,
    /// Inlining would compute it more than once.
    #[error("the value is read {0} times")]
    SeveralReads(usize),
    /// It is not cheap enough to be computed once per reader.
    #[error("the value is read {reads} times and takes {operations} operations")]
    DearForEach {
        /// How many reads there are.
        reads: usize,
        /// What one element costs, in additions.
        operations: usize,
    },
    /// A kernel that computes again what others compute too would hardly do anything else.
    #[error("the consumer would compute {0} operations again that other kernels compute too")]
    RepeatsTooMuch(usize),
    /// Inlining would not even save traffic.
    #[error("computed where it is read, the value would move {inlined} bytes instead of {kept}")]
    MovesNoLess {
        /// What is read and written for a value in memory.
        kept: usize,
        /// What is read and written if its readers compute it.
        inlined: usize,
    },
    /// A reduction cannot be recomputed for every element of a consumer.
    #[error("the producer reduces")]
    ProducerReduces,
    /// A product of matrices takes its operands from memory, where they lie side by side, unless each element of a factor is
    /// computed once and beside the one before.
    #[error("the consumer is a product of matrices")]
    ConsumerMultiplies,
    /// A product that is not cut into tiles computes a factor anew for each product of two elements.
    #[error("the consumer is a product of matrices too small for tiles: {rows} by {columns}, {depth} deep")]
    SmallProduct {
        /// How many elements of the result share no element of the other factor.
        rows: usize,
        /// How many of them share an element of the factor that the value is part of.
        columns: usize,
        /// How many products each sum has.
        depth: usize,
    },
    /// An index is an element of an array.
    #[error("the consumer uses the value as an index")]
    UsedAsIndex,
    /// Only one index of a read may be a value.
    #[error("the consumer gathers from the value, which gathers itself")]
    NestedGather,
    /// Every element would be computed once per reader.
    #[error("the consumer repeats the value: {points} evaluations instead of {elements}")]
    Recomputed {
        /// Elements of the producer.
        elements: usize,
        /// Points of the consumer.
        points: usize,
    },
    /// The kernel would need too many registers.
    #[error("the kernel would have {0} operations")]
    TooLarge(usize),
    /// What a row needs of itself would not stay near the processor.
    #[error("a row would keep {bytes} bytes for itself, more than {most}")]
    LongRows {
        /// What the parts keep of a row.
        bytes: usize,
        /// What they may keep.
        most: usize,
    },
    /// It is part of a kernel that another product began.
    #[error("the consumer runs with another kernel")]
    RunsWithAnother,
    /// It does not need each element where that is made, or is not elementwise.
    #[error("the consumer runs over other points")]
    OtherPoints,
    /// It needs something else that needs the producer, like a norm of all gradients.
    #[error("the consumer waits for something else that needs the value")]
    Waits,
    /// It would write over what the producer still reads.
    #[error("the producer reads the old value of what the consumer updates")]
    OldValueIsRead,
}
