//! What may be fused: whether the composed nest exists and means the same. Nothing here asks whether it is any faster.

use super::Reason;
use super::compose::{gathers, index_reads};
use crate::nest::Nest;

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
