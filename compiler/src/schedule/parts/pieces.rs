//! Writing parts in pieces that run in parallel.

use super::spread;
use super::stages::Stage;
use super::write::PartsWriter;
use crate::dtype::DType;
use crate::kernel::{Expression, LoopKind, ParameterId};
use crate::nest::Index;
use crate::scalar::ScalarOp;
use crate::schedule::choose::is_lane_type;

impl PartsWriter<'_> {
    /// Parts over rows, so many of the first axis at a time, all at once. What is summed up along the shared axes is summed up
    /// in each piece, and then the sums of all pieces in order.
    pub(super) fn turns_in_pieces(&mut self, extent: usize, piece: usize) {
        let sums: Vec<usize> = (0..self.parts.len()).filter(|&part| self.parts[part].sums).collect();
        let pieces = extent.div_ceil(piece);
        let gathered: Vec<ParameterId> = sums
            .iter()
            .map(|&part| {
                let (dtype, elements) = (self.parts[part].nest.dtype, self.parts[part].result_elements());
                self.growing[part] = Some(self.scope.local(dtype, elements));
                self.scope.scratch(dtype, pieces * elements)
            })
            .collect();
        self.pieces(extent, piece, &mut |writer, number, count| {
            sums.iter().for_each(|&part| writer.zeros(part));
            let extents = [&[count], &writer.shared[1..]].concat();
            writer.turns(&extents, number.clone().times(piece as i64));
            for (&part, &gathered) in sums.iter().zip(&gathered) {
                writer.gather(part, gathered, &number);
            }
        });
        for (part, gathered) in sums.into_iter().zip(gathered) {
            self.sum_of_pieces(part, gathered, pieces);
        }
    }

    /// Runs `inner` for each piece of an axis, in parallel: it gets the number of the piece and its extent.
    fn pieces(&mut self, extent: usize, piece: usize, inner: &mut dyn FnMut(&mut Self, Index, usize)) {
        let (whole, left) = (extent / piece, extent % piece);
        let id = self.scope.open(whole, LoopKind::Parallel);
        inner(self, Index::axis(id.0), piece);
        self.scope.close();
        if left > 0 {
            self.scope.open(1, LoopKind::Parallel);
            inner(self, Index::constant(whole as i64), left);
            self.scope.close();
        }
    }

    /// Copies what a piece has summed up to its place among the pieces.
    fn gather(&mut self, part: usize, gathered: ParameterId, number: &Index) {
        let growing = self.growing[part].expect("sums of pieces grow in memory of their own");
        let elements = self.parts[part].result_elements();
        let at = self.elementwise(part, elements);
        let value = self.scope.load_scratch(growing, at.clone());
        self.scope.store(gathered, number.clone().times(elements as i64).plus(&at), value);
        self.scope.close();
    }

    /// Sums up what pieces have summed up.
    fn sum_of_pieces(&mut self, part: usize, gathered: ParameterId, pieces: usize) {
        let (result, dtype) = (self.result(part), self.parts[part].nest.dtype);
        let elements = self.parts[part].result_elements();
        let groups = lane_groups(dtype);
        let register = self.scope.register(dtype, groups);
        let zero = self.scope.constant(dtype, 0.0);
        let at = self.elementwise(part, elements);
        self.scope.assign(register, zero);
        let number = Index::axis(self.scope.open(pieces, LoopKind::Serial).0);
        let value = self.scope.load_scratch(gathered, number.times(elements as i64).plus(&at));
        let old = self.scope.read(Expression::Register(register));
        let new = self.scope.apply(ScalarOp::Add, &[old, value]);
        self.scope.assign(register, new);
        self.scope.close();
        let sum = self.scope.read(Expression::Register(register));
        self.scope.store(result, at, sum);
        self.scope.close();
    }

    /// Opens a loop over the elements of a part's result; the position in it.
    pub(super) fn elementwise(&mut self, part: usize, elements: usize) -> Index {
        let kind = match lane_groups(self.parts[part].nest.dtype) {
            0 => LoopKind::Serial,
            groups => LoopKind::lanes(groups),
        };
        Index::axis(self.scope.open(elements, kind).0)
    }

    /// A stage of parts that share no axes, so many positions of the first axis at a time if that pays.
    pub(super) fn points(&mut self, stage: &Stage) {
        match spread::stage_piece(stage, self.parts, self.target) {
            Some(piece) => self.pieces(stage.extents[0], piece, &mut |writer, number, count| {
                writer.depth = writer.scope.depth();
                writer.stage(stage, Some((number.times(piece as i64), count)));
            }),
            None => {
                self.depth = 0;
                self.stage(stage, None);
            }
        }
    }
}

/// How many groups of lanes handle elements of a type at once; 0 if they fill no lanes.
fn lane_groups(dtype: DType) -> usize {
    if is_lane_type(dtype) { 4 } else { 0 }
}
