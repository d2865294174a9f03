//! What memory holds while a plan is simulated.

use super::super::{ALIGNMENT, Buffer, BufferId, Place, Plan};
use crate::graph::ValueId;
use std::collections::BTreeMap;
use std::ops::Range;

/// Bytes of the workspace, which has no number, or of a leaf.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Span {
    space: Option<usize>,
    bytes: Range<usize>,
}

impl Span {
    /// Whether the two have bytes in common.
    pub(super) fn meets(&self, other: &Span) -> bool {
        self.space == other.space && self.bytes.start < other.bytes.end && other.bytes.start < self.bytes.end
    }
}

/// Which bytes of its space a buffer that is no part takes, with its padding.
pub(super) fn bytes(buffer: &Buffer) -> Range<usize> {
    let start = match buffer.place {
        Place::Leaf(_) | Place::Part(_) => 0,
        Place::Workspace(offset) => offset,
    };
    start..start + (buffer.elements * buffer.dtype.size()).next_multiple_of(ALIGNMENT)
}

/// Where a buffer lies in a turn. Parts have no padding.
pub(super) fn span(plan: &Plan, id: BufferId, turn: usize) -> Span {
    let (whole, first) = plan.whole(id, turn);
    let (part, whole) = (&plan.buffers[id.0], &plan.buffers[whole.0]);
    let space = match whole.place {
        Place::Leaf(leaf) => Some(leaf),
        Place::Workspace(_) | Place::Part(_) => None,
    };
    let all = bytes(whole);
    if first == 0 && part.elements == whole.elements {
        return Span { space, bytes: all };
    }
    // What begins before its buffer is refused before anyone asks where it lies.
    let start = all.start + usize::try_from(first).unwrap_or(0) * whole.dtype.size();
    Span { space, bytes: start..start + part.elements * part.dtype.size() }
}

/// What was written where, by space.
#[derive(Default)]
pub(super) struct Memory(BTreeMap<Option<usize>, Vec<(Range<usize>, ValueId)>>);

impl Memory {
    /// Notes that a value was written.
    pub(super) fn write(&mut self, span: &Span, value: ValueId) {
        self.clear(span);
        self.note(span, value);
    }

    /// Notes that a value is there, beside what else is known of these bytes.
    pub(super) fn note(&mut self, span: &Span, value: ValueId) {
        self.0.entry(span.space).or_default().push((span.bytes.clone(), value));
    }

    /// Forgets what was written there, even in part.
    pub(super) fn clear(&mut self, span: &Span) {
        let meets = |other: &Range<usize>| other.start < span.bytes.end && span.bytes.start < other.end;
        self.0.entry(span.space).or_default().retain(|(other, _)| !meets(other));
    }

    /// Forgets all values from this one on.
    pub(super) fn forget(&mut self, first: ValueId) {
        self.0.values_mut().for_each(|held| held.retain(|(_, value)| *value < first));
    }

    /// A value that was written exactly there and is still whole.
    pub(super) fn read(&self, span: &Span) -> Option<ValueId> {
        self.held(span).next()
    }

    /// Whether a value is exactly there.
    pub(super) fn holds(&self, span: &Span, value: ValueId) -> bool {
        span.bytes.is_empty() || self.held(span).any(|held| held == value)
    }

    fn held(&self, span: &Span) -> impl Iterator<Item = ValueId> {
        let there = self.0.get(&span.space).into_iter().flatten();
        there.filter(|(other, _)| *other == span.bytes).map(|(_, value)| *value)
    }
}
