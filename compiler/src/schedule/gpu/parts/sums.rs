//! Sums over rows: those of a block in registers, and then those of all blocks.

use super::Blocks;
use super::shape::Shape;
use crate::dtype::DType;
use crate::kernel::{Expression, LoopKind, ParameterId, Register};
use crate::nest::{Index, Reducer};
use crate::scalar::ScalarOp;
use crate::schedule::gpu::columns::{Columns, Reduced, columns};
use crate::schedule::gpu::{GROUPS, lanes};
use crate::schedule::scope::Scope;

/// Fewer sums than these are taken from all blocks by a block each.
const FEW: usize = 8;

/// What a part sums up to in a block.
pub(super) struct Sum {
    pub(super) part: usize,
    /// One for each sum, or one for all.
    pub(super) registers: Vec<Register>,
    kind: Kind,
}

/// What the registers of a sum hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Each iteration of a lanes loop over columns one sum.
    Columns,
    /// Each iteration a part of the sum.
    Parts,
    /// All threads the sum.
    Whole,
}

/// Where the blocks leave the sums of a part.
pub(super) struct Target {
    part: usize,
    array: ParameterId,
    elements: usize,
    /// Whether there is an array for each block.
    each: bool,
}

impl Columns for Blocks<'_> {
    fn scope(&mut self) -> &mut Scope {
        &mut self.scope
    }

    fn threads(&self) -> usize {
        self.threads
    }
}

impl Blocks<'_> {
    /// A register for the iterations of a lanes loop, or for one value, that begins as a number.
    pub(super) fn register(&mut self, dtype: DType, groups: usize, start: f64) -> Register {
        let start = self.scope.constant(dtype, start);
        let register = self.scope.register(dtype, groups);
        self.scope.assign(register, start);
        register
    }

    fn summing(&self) -> Vec<usize> {
        (0..self.group.parts.len()).filter(|&part| self.group.parts[part].sums).collect()
    }

    /// Registers for the sums of a block.
    pub(super) fn sums(&mut self, shape: &Shape) -> Vec<Sum> {
        let mut sums = Vec::new();
        for part in self.summing() {
            let laid = &self.group.parts[part];
            let (dtype, stage) = (laid.nest.reduced_dtype(), self.group.stage_of(part));
            let (kind, groups, count) = match shape.groups[stage] {
                _ if shape.alone => (Kind::Parts, 1, laid.result_elements()),
                Some(groups) if laid.outputs.is_empty() => (Kind::Parts, groups, 1),
                Some(groups) => (Kind::Columns, groups, 1),
                None => (Kind::Whole, 0, 1),
            };
            let registers = (0..count).map(|_| self.register(dtype, groups, 0.0)).collect();
            sums.push(Sum { part, registers, kind });
        }
        sums
    }

    /// Where so many blocks leave their sums: in the result if there is one.
    pub(super) fn targets(&mut self, blocks: usize) -> Vec<Target> {
        let mut targets = Vec::new();
        for part in self.summing() {
            let laid = &self.group.parts[part];
            let elements = laid.result_elements();
            let each = blocks > 1;
            let array = match self.results[part] {
                Some(result) if !each => result,
                _ => self.scope.scratch(laid.nest.reduced_dtype(), blocks * elements),
            };
            targets.push(Target { part, array, elements, each });
        }
        targets
    }

    /// Stores what a block has summed up.
    pub(super) fn leave_sums(&mut self, sums: &[Sum], targets: &[Target], block: &Index) {
        for (sum, target) in sums.iter().zip(targets) {
            let first = if target.each { block.clone().times(target.elements as i64) } else { Index::default() };
            match sum.kind {
                Kind::Columns => {
                    let groups = self.scope.register_groups(sum.registers[0]);
                    let column = Index::axis(self.scope.open(target.elements, lanes(target.elements, groups)).0);
                    let value = self.scope.read(Expression::Register(sum.registers[0]));
                    self.scope.store(target.array, first.plus(&column), value);
                    self.scope.close();
                }
                Kind::Parts => {
                    for (element, &register) in sum.registers.iter().enumerate() {
                        let value = self.scope.read(Expression::Combine(register, Reducer::Sum));
                        let place = first.clone().plus(&Index::constant(element as i64));
                        self.scope.store(target.array, place, value);
                    }
                }
                Kind::Whole => {
                    let value = self.scope.read(Expression::Register(sum.registers[0]));
                    self.scope.store(target.array, first, value);
                }
            }
        }
    }

    /// Sums up what several blocks have left.
    pub(super) fn sums_of_blocks(&mut self, targets: &[Target], blocks: usize) {
        for target in targets.iter().filter(|target| target.each) {
            let Some(result) = self.results[target.part] else { continue };
            let dtype = self.group.parts[target.part].nest.reduced_dtype();
            if target.elements < FEW {
                self.one_by_one(target, result, blocks);
                continue;
            }
            let reduced = Reduced { op: ScalarOp::Add, dtype, identity: 0.0, depth: blocks };
            let take = &mut |writer: &mut Self, register: Register, sum: &Index, block: &Index| {
                writer.add(register, target.array, block.clone().times(target.elements as i64).plus(sum));
            };
            columns(self, reduced, target.elements, take, &mut |writer, sum, value| {
                writer.scope.store(result, sum.clone(), value);
            });
        }
    }

    /// A block for each sum, whose threads share what blocks have left of it.
    fn one_by_one(&mut self, target: &Target, result: ParameterId, blocks: usize) {
        let dtype = self.group.parts[target.part].nest.reduced_dtype();
        let id = self.scope.open(target.elements, LoopKind::Parallel);
        let element = if target.elements > 1 { Index::axis(id.0) } else { Index::default() };
        let groups = blocks.div_ceil(self.threads).next_power_of_two().min(GROUPS);
        let register = self.register(dtype, groups, 0.0);
        let block = Index::axis(self.scope.open(blocks, LoopKind::lanes(groups)).0);
        self.add(register, target.array, block.times(target.elements as i64).plus(&element));
        self.scope.close();
        let value = self.scope.read(Expression::Combine(register, Reducer::Sum));
        self.scope.store(result, element, value);
        self.scope.close();
    }

    /// Adds an element of scratch to a register.
    fn add(&mut self, register: Register, array: ParameterId, place: Index) {
        let value = self.scope.load_scratch(array, place);
        let old = self.scope.read(Expression::Register(register));
        let new = self.scope.apply(ScalarOp::Add, &[old, value]);
        self.scope.assign(register, new);
    }
}
