//! Evaluating bodies: scalars of a nest at a point enter, variables of the kernel leave.

use super::scope::Scope;
use crate::dtype::DType;
use crate::kernel::{Expression, Var};
use crate::nest::{Atom, Index, Scalar};

/// Who writes a kernel and knows what reads of a nest find at a point.
pub(super) trait Evaluate {
    /// A point of a nest, and what else is to know about the place where it is evaluated.
    type Place;

    /// The kernel.
    fn scope(&mut self) -> &mut Scope;

    /// The index on each axis of the nest.
    fn axes<'p>(&self, place: &'p Self::Place) -> &'p [Index];

    /// What a read finds.
    fn read(&mut self, number: usize, place: &Self::Place) -> Var;

    /// A scalar, of which the earlier ones and the reduced value are known.
    fn scalar(&mut self, scalar: &Scalar, place: &Self::Place, earlier: &[Var], reduced: Option<Var>) -> Var {
        match scalar {
            Scalar::Read(number) => self.read(*number, place),
            Scalar::Constant(dtype, value) => self.scope().constant(*dtype, *value),
            Scalar::Index(index) => {
                let index = self.position(index, place);
                self.scope().define(Expression::Index(index), DType::U32)
            }
            Scalar::Reduced => reduced.expect("only epilogues use the reduced value"),
            Scalar::Apply(op, operands) => {
                let operands: Vec<Var> = operands.iter().map(|operand| earlier[operand.0]).collect();
                self.scope().apply(*op, &operands)
            }
        }
    }

    /// The index over loops and variables that an index over axes and reads is at a point.
    fn position(&mut self, index: &Index, place: &Self::Place) -> Index {
        let mut gathered = Vec::new();
        index.any(&mut |atom| {
            if let Atom::Gathered { read, .. } = atom {
                gathered.push(*read);
            }
            false
        });
        let vars: Vec<(usize, Var)> = gathered.into_iter().map(|number| (number, self.read(number, place))).collect();
        let var = |read: usize| vars.iter().find(|(number, _)| *number == read).expect("each is read above").1.0;
        // What the axes of the place gather are variables already.
        let axes = self.axes(place).to_vec();
        index.renumbered(&var).substitute(&axes, self.scope().extents(), 0)
    }
}
