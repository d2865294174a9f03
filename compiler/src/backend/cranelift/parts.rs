//! Vectors of more lanes than Cranelift knows of, taken apart and put together.
//!
//! Where a vector stands for 8 or 16 lanes, an instruction that knows lanes by position knows the lowest four only: a part.
//! Two instructions that nothing else needs stand for what goes beyond: unpacking the lower halves of two vectors puts a part
//! behind a part, unpacking the upper halves of a vector and itself takes the part behind the first. The same by words
//! instead of double words puts together and takes apart vectors of eight lanes. The pass that [widens](super::widen) code
//! makes instructions of them that do so.
//!
//! What is left over of a lanes loop runs in parts too. Its instructions carry a location of their own, by which that pass knows
//! them: they stay at four lanes. What they leave above is of no use to anyone, so what is to stay there is put back.

use super::EmitError;
use super::emitter::{Emitter, Held};
use super::operation::Width;
use crate::dtype::DType;
use crate::kernel::{self, LoopId, LoopKind, Register, Statement, Var};
use crate::scalar::ScalarOp;
use cranelift_codegen::ir::{Endianness, InstBuilder, MemFlagsData, SourceLoc, Type, Value, types};
use std::ops::Range;

/// Lanes of a part, which is a vector as Cranelift knows it.
pub(super) const PART: usize = kernel::PART;

/// The location of what runs in parts; everything else has none.
pub(super) const IN_PARTS: u32 = 1;

/// Bytes of two vectors side by side: the lower halves, the upper ones, and pairs of words from the lower and upper halves.
const LOWER: [u8; 16] = [0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23];
const UPPER: [u8; 16] = [8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31];
const LOWER_WORDS: [u8; 16] = [0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23];
const UPPER_WORDS: [u8; 16] = [8, 9, 10, 11, 24, 25, 26, 27, 12, 13, 14, 15, 28, 29, 30, 31];

impl Emitter<'_, '_> {
    /// Runs iterations of a lanes loop in parts. The upper lanes of registers that are read behind it stay as they are.
    pub(super) fn run_in_parts(&mut self, id: LoopId, at: Range<usize>, body: &[Statement]) -> Result<(), EmitError> {
        if at.is_empty() {
            return Ok(());
        }
        let carried = self.carried(body);
        let before: Vec<Value> =
            carried.iter().map(|register| self.builder.use_var(self.registers[register.0].lanes[0])).collect();
        let lanes = std::mem::replace(&mut self.lanes, PART);
        self.builder.set_srcloc(SourceLoc::new(IN_PARTS));
        self.run(id, at, PART, body)?;
        self.builder.set_srcloc(SourceLoc::default());
        self.lanes = lanes;
        for (register, before) in carried.into_iter().zip(before) {
            let variable = self.registers[register.0].lanes[0];
            let lowest = self.builder.use_var(variable);
            let vector = self.with_lowest(before, lowest);
            self.builder.def_var(variable, vector);
        }
        Ok(())
    }

    /// The registers with groups that the body of a lanes loop sets and that have values around it: those that nothing sets
    /// outside of lanes loops start anew in each iteration.
    fn carried(&self, body: &[Statement]) -> Vec<Register> {
        let (mut inside, mut outside) = (Vec::new(), Vec::new());
        collect_assigned(body, &mut inside);
        collect_assigned(&self.kernel.body, &mut outside);
        inside.sort_unstable_by_key(|register: &Register| register.0);
        inside.dedup();
        inside.retain(|register| !self.registers[register.0].lanes.is_empty() && outside.contains(register));
        inside
    }

    /// The numbers of the lanes.
    pub(super) fn lane_numbers(&mut self) -> Value {
        let numbers: Vec<u8> = (0..self.lanes as u32).flat_map(u32::to_ne_bytes).collect();
        let parts = numbers.chunks(4 * PART).map(|part| {
            let constant = self.builder.func.dfg.constants.insert(part.to_vec().into());
            self.builder.ins().vconst(types::I32X4, constant)
        });
        let parts: Vec<Value> = parts.collect();
        self.joined(&parts)
    }

    /// The vector of these parts.
    pub(super) fn joined(&mut self, parts: &[Value]) -> Value {
        match *parts {
            [part] => part,
            [first, second] => self.shuffled(&LOWER, first, second),
            [ref lower @ .., _, _] => {
                let upper = &parts[lower.len()..];
                let (lower, upper) = (self.joined(lower), self.joined(upper));
                self.joined_halves(lower, upper)
            }
            [] => unreachable!("a vector has a part"),
        }
    }

    /// A vector with other lowest lanes, which are a part.
    fn with_lowest(&mut self, vector: Value, lowest: Value) -> Value {
        let second = self.part(vector, 1);
        let lower = self.joined(&[lowest, second]);
        if self.lanes == 2 * PART {
            return lower;
        }
        let upper = self.shuffled(&UPPER_WORDS, vector, vector);
        self.joined_halves(lower, upper)
    }

    /// The vector of 16 lanes of two of eight.
    pub(super) fn joined_halves(&mut self, lower: Value, upper: Value) -> Value {
        self.shuffled(&LOWER_WORDS, lower, upper)
    }

    /// A part of a vector; what is above its four lanes is of no use.
    pub(super) fn part(&mut self, vector: Value, part: usize) -> Value {
        let half = if part >= 2 { self.shuffled(&UPPER_WORDS, vector, vector) } else { vector };
        if part % 2 == 1 { self.shuffled(&UPPER, half, half) } else { half }
    }

    /// All parts of a vector.
    pub(super) fn parts(&mut self, vector: Value) -> Vec<Value> {
        (0..self.lanes / PART).map(|part| self.part(vector, part)).collect()
    }

    /// A lane of a vector whose parts these are.
    pub(super) fn element(&mut self, parts: &[Value], lane: usize) -> Value {
        self.builder.ins().extractlane(parts[lane / PART], (lane % PART) as u8)
    }

    /// What a variable that differs between lanes is in one of them, counted from the first of all groups.
    pub(super) fn element_of(&mut self, var: Var, lane: usize) -> Value {
        let Some(Held::Lanes(vectors)) = &self.held[var.0] else { unreachable!("only lanes have elements") };
        let (vector, place) = (vectors[lane / self.lanes], lane / PART);
        let found = self.frames.iter().find_map(|frame| frame.parts.get(&(var, place)));
        let part = match found {
            Some(&part) => part,
            None => {
                let part = self.part(vector, place % (self.lanes / PART));
                self.frame().parts.insert((var, place), part);
                part
            }
        };
        self.builder.ins().extractlane(part, (lane % PART) as u8)
    }

    /// The vector of single values, one per lane.
    pub(super) fn together(
        &mut self,
        ty: Type,
        mut single: impl FnMut(&mut Self, usize) -> Result<Value, EmitError>,
    ) -> Result<Value, EmitError> {
        let mut parts = Vec::with_capacity(self.lanes / PART);
        for first in (0..self.lanes).step_by(PART) {
            let value = single(self, first)?;
            let mut part = self.builder.ins().scalar_to_vector(ty, value);
            for lane in 1..PART {
                let next = single(self, first + lane)?;
                part = self.builder.ins().insertlane(part, next, lane as u8);
            }
            parts.push(part);
        }
        Ok(self.joined(&parts))
    }

    /// All lanes of a vector in one value: halves onto each other until one is left.
    pub(super) fn folded(&mut self, op: ScalarOp, dtype: DType, mut vector: Value) -> Result<Value, EmitError> {
        let mut lanes = self.lanes;
        while lanes > 1 {
            lanes /= 2;
            let upper = match lanes {
                PART.. => self.part(vector, lanes / PART),
                _ => self.moved_down(vector, lanes),
            };
            vector = self.operations(Width::Lanes).apply(op, dtype, &[vector, upper])?;
        }
        Ok(self.builder.ins().extractlane(vector, 0))
    }

    /// The part with each lane where the one this many below it was; the upper lanes are of no use.
    fn moved_down(&mut self, part: Value, lanes: usize) -> Value {
        let from: Vec<u8> = (0..16).map(|byte| (byte + 4 * lanes as u8) % 16).collect();
        self.shuffled(&from, part, part)
    }

    /// These bytes of two vectors side by side.
    fn shuffled(&mut self, bytes: &[u8], first: Value, second: Value) -> Value {
        let order = MemFlagsData::new().with_endianness(Endianness::Little);
        let ty = self.builder.func.dfg.value_type(first);
        let mask = self.builder.func.dfg.immediates.push(bytes.to_vec().into());
        let first = self.builder.ins().bitcast(types::I8X16, order, first);
        let second = self.builder.ins().bitcast(types::I8X16, order, second);
        let shuffled = self.builder.ins().shuffle(first, second, mask);
        self.builder.ins().bitcast(ty, order, shuffled)
    }
}

/// The registers that statements set, but for those in lanes loops among them.
fn collect_assigned(statements: &[Statement], registers: &mut Vec<Register>) {
    for statement in statements {
        match statement {
            Statement::Assign(register, _) => registers.push(*register),
            Statement::Loop { kind: LoopKind::Serial | LoopKind::Parallel, body, .. } => {
                collect_assigned(body, registers)
            }
            _ => {}
        }
    }
}
