//! Writing the sums of a [`Form`](super::Form) that take each value once.

use super::apply::{Point, Writer, last};
use super::choose::is_lane_type;
use super::form::{Running, Scattered};
use crate::dtype::DType;
use crate::kernel::{Expression, LoopKind, Var};
use crate::nest::{Atom, Index};
use crate::scalar::ScalarOp;

impl Writer<'_> {
    /// Along the reduction axis, stores each sum at the position that it is up to.
    pub(super) fn running(&mut self, running: &Running, points: &[Point]) {
        let flat = self.flat;
        let dtype = running.value.dtype(&|read| flat.reads[read].dtype);
        let registers = self.registers(points.len(), dtype, 0.0);
        self.reductions(points, &mut |writer, mut points| {
            let values = last(writer.evaluate(&running.value.scalars, &points, &[]));
            let mut sums: Vec<Var> = Vec::with_capacity(points.len());
            for (copy, value) in values.into_iter().enumerate() {
                let before = writer.scope.read(Expression::Register(registers[copy]));
                let sum = writer.scope.apply(ScalarOp::Add, &[before, value]);
                writer.scope.assign(registers[copy], sum);
                sums.push(sum);
                points[copy][running.axis] = running.position.substitute(&points[copy], writer.scope.extents(), 0);
            }
            writer.finish(&points, sums);
        });
    }

    /// Stores zero everywhere.
    pub(super) fn zeros(&mut self) {
        let output = self.output();
        let (elements, dtype) = (self.flat.parameters[output.0].elements, self.flat.dtype());
        let kind = if is_lane_type(dtype) { LoopKind::lanes(4) } else { LoopKind::Serial };
        let zero = self.scope.constant(dtype, 0.0);
        let id = self.scope.open(elements, kind);
        self.scope.store(output, Index::axis(id.0), zero);
        self.scope.close();
    }

    /// Adds the value of each point at its position. What is past the end adds zero to the last element.
    pub(super) fn scattered(&mut self, scattered: &Scattered, points: &[Point]) {
        let (output, bound) = (self.output(), self.flat.extents[scattered.axis]);
        for point in points {
            let point = std::slice::from_ref(point);
            let position = last(self.evaluate(&scattered.position.scalars, point, &[]))[0];
            let value = last(self.evaluate(&scattered.value.scalars, point, &[]))[0];
            let end = self.scope.constant(DType::U32, bound as f64);
            let zero = self.scope.constant(self.flat.dtype(), 0.0);
            let inside = self.scope.apply(ScalarOp::Lt, &[position, end]);
            let value = self.scope.apply(ScalarOp::Select, &[inside, value, zero]);
            let mut place = point[0].clone();
            place[scattered.axis] = Index::atom(Atom::Gathered { read: position.0, bound });
            let index = self.flat.write.substitute(&place, self.scope.extents(), 0);
            self.scope.accumulate(output, index, value);
        }
    }
}
