//! What may be fused: whether the composed nest exists and means the same. Nothing here asks whether it is any faster.

use super::Reason;
use super::compose::{gathers, index_reads};
use crate::nest::{Index, Nest};

/// Whether an elementwise consumer can be computed where a reducing producer has its result, as its epilogue: it has the same
/// points, and reads of the producer what stands at each of them.
pub fn may_follow(producer: &Nest, consumer: &Nest, read: usize) -> bool {
    let outputs = &producer.extents[..producer.outputs];
    let straight = |(axis, index): (usize, &Index)| match outputs[axis] {
        1 => *index == Index::constant(0),
        _ => *index == Index::axis(axis),
    };
    let plain = consumer.reducer.is_none() && producer.epilogue.is_none() && consumer.extents == *outputs;
    plain
        && !index_reads(consumer).contains(&read)
        && consumer.reads[read].index.iter().enumerate().all(straight)
        && producer.dtype.computed() == producer.dtype
}

/// Whether the producer can be evaluated where the consumer reads it.
pub fn may_inline(producer: &Nest, consumer: &Nest, read: usize) -> Result<(), Reason> {
    if producer.reducer.is_some() {
        return Err(Reason::ProducerReduces);
    }
    if index_reads(consumer).contains(&read) {
        return Err(Reason::UsedAsIndex);
    }
    if consumer.reads[read].index.iter().any(gathers) && !index_reads(producer).is_empty() {
        return Err(Reason::NestedGather);
    }
    Ok(())
}
