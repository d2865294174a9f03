//! Lanes taken apart and put together.
//!
//! Where a vector stands for more lanes than Cranelift knows of, no instruction of the function may depend on which lane
//! something is in. Single values then go through memory of the caller's, the scratch, whose address stands behind the
//! parameters in the table of arguments. It begins with the numbers of the lanes, which kernels only read. The rest of its
//! first half is for what is read again at once; the second half has one place for each variable whose lanes are indices.

use super::EmitError;
use super::address::Frame;
use super::emitter::{Emitter, Held};
use super::memory::flags;
use super::operation::{Width, value_type};
use crate::dtype::DType;
use crate::kernel::Var;
use crate::scalar::ScalarOp;
use cranelift_codegen::ir::{Endianness, InstBuilder, MemFlagsData, Type, Value, types};
use std::collections::HashMap;

/// How many bytes the scratch of a kernel has. No two kernels that run at the same time may have the same.
pub const SCRATCH_BYTES: usize = 4096;

/// What the scratch begins with, in the byte order of the machine.
pub const LANE_NUMBERS: [u32; 16] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];

/// Where the numbers of the lanes end.
const FIRST: usize = size_of_val(&LANE_NUMBERS);

/// Where lanes go.
pub(super) struct Scratch {
    /// The scratch itself.
    memory: Value,
    /// Where the next vector goes that is read again at once.
    next: usize,
    /// Where the vectors of a variable lie.
    places: HashMap<Var, usize>,
    /// Where the vectors of the next variable go.
    end: usize,
}

/// A vector whose lanes can be had one by one.
pub(super) enum Apart {
    /// The vector itself.
    Vector(Value),
    /// Where it lies in the scratch, and the type of its elements.
    Stored(usize, Type),
}

impl Scratch {
    /// The scratch at an address.
    pub(super) fn new(memory: Value) -> Scratch {
        Scratch { memory, next: FIRST, places: HashMap::new(), end: SCRATCH_BYTES / 2 }
    }

    /// A place for so many bytes that are read again at once.
    fn place(&mut self, bytes: usize) -> usize {
        if self.next + bytes > SCRATCH_BYTES / 2 {
            self.next = FIRST;
        }
        self.next += bytes;
        self.next - bytes
    }

    /// The place of a variable that takes so many bytes, if there is room.
    fn place_of(&mut self, var: Var, bytes: usize) -> Option<usize> {
        if let Some(&place) = self.places.get(&var) {
            return Some(place);
        }
        let place = self.end;
        self.end += bytes;
        self.places.insert(var, place);
        (self.end <= SCRATCH_BYTES).then_some(place)
    }
}

impl Emitter<'_, '_> {
    /// The numbers of the lanes as a vector.
    pub(super) fn lane_numbers(&mut self) -> Value {
        self.builder.ins().load(types::I32X4, flags(), self.scratch.memory, 0)
    }

    /// Makes the lanes of a vector readable one by one.
    pub(super) fn apart(&mut self, vector: Value) -> Apart {
        if self.is_whole() {
            return Apart::Vector(vector);
        }
        let place = self.scratch.place(self.lanes * 4);
        let ty = self.builder.func.dfg.value_type(vector).lane_type();
        self.store_scratch(vector, place);
        Apart::Stored(place, ty)
    }

    /// A lane of a vector.
    pub(super) fn element(&mut self, apart: &Apart, lane: usize) -> Value {
        match *apart {
            Apart::Vector(vector) => self.builder.ins().extractlane(vector, lane as u8),
            Apart::Stored(place, ty) => {
                self.builder.ins().load(ty, flags(), self.scratch.memory, (place + 4 * lane) as i32)
            }
        }
    }

    /// What a variable that differs between lanes is in one of them, counted from the first of all groups.
    pub(super) fn element_of(&mut self, var: Var, lane: usize) -> Result<Value, EmitError> {
        let Some(Held::Lanes(vectors)) = self.held[var.0].clone() else { unreachable!("only lanes have elements") };
        if self.is_whole() {
            return Ok(self.element(&Apart::Vector(vectors[lane / self.lanes]), lane % self.lanes));
        }
        let bytes = self.lanes * 4;
        let place = self.scratch.place_of(var, vectors.len() * bytes);
        let place = place.ok_or_else(|| EmitError::Scratch(self.kernel.name.clone()))?;
        if !self.frames.iter().any(|frame: &Frame| frame.apart.contains(&var)) {
            for (group, &vector) in vectors.iter().enumerate() {
                self.store_scratch(vector, place + group * bytes);
            }
            self.frame().apart.insert(var);
        }
        let ty = self.builder.func.dfg.value_type(vectors[0]).lane_type();
        Ok(self.element(&Apart::Stored(place, ty), lane))
    }

    /// The vector of single values, one per lane.
    pub(super) fn together(
        &mut self,
        ty: Type,
        mut single: impl FnMut(&mut Self, usize) -> Result<Value, EmitError>,
    ) -> Result<Value, EmitError> {
        if !self.is_whole() {
            let place = self.scratch.place(self.lanes * 4);
            for lane in 0..self.lanes {
                let value = single(self, lane)?;
                self.store_scratch(value, place + 4 * lane);
            }
            return Ok(self.builder.ins().load(ty, flags(), self.scratch.memory, place as i32));
        }
        let first = single(self, 0)?;
        let mut vector = self.builder.ins().scalar_to_vector(ty, first);
        for lane in 1..self.lanes {
            let next = single(self, lane)?;
            vector = self.builder.ins().insertlane(vector, next, lane as u8);
        }
        Ok(vector)
    }

    /// All lanes of a vector in one value: halves onto each other until one is left.
    pub(super) fn folded(&mut self, op: ScalarOp, dtype: DType, mut vector: Value) -> Result<Value, EmitError> {
        if self.is_whole() {
            for lanes in [self.lanes / 2, self.lanes / 4] {
                let upper = self.moved_down(dtype, vector, lanes)?;
                vector = self.operations(Width::Lanes).apply(op, dtype, &[vector, upper])?;
            }
            return Ok(self.builder.ins().extractlane(vector, 0));
        }
        let apart = self.apart(vector);
        let mut values: Vec<Value> = (0..self.lanes).map(|lane| self.element(&apart, lane)).collect();
        while values.len() > 1 {
            let upper = values.split_off(values.len() / 2);
            for (value, other) in values.iter_mut().zip(upper) {
                *value = self.operations(Width::Single).apply(op, dtype, &[*value, other])?;
            }
        }
        Ok(values[0])
    }

    /// The vector with each lane where the one this many below it was; the upper lanes are of no use.
    fn moved_down(&mut self, dtype: DType, vector: Value, lanes: usize) -> Result<Value, EmitError> {
        let order = MemFlagsData::new().with_endianness(Endianness::Little);
        let bytes = self.builder.ins().bitcast(types::I8X16, order, vector);
        let from: Vec<u8> = (0..16).map(|byte| (byte + 4 * lanes as u8) % 16).collect();
        let mask = self.builder.func.dfg.immediates.push(from.into());
        let moved = self.builder.ins().shuffle(bytes, bytes, mask);
        Ok(self.builder.ins().bitcast(value_type(dtype, Width::Lanes)?, order, moved))
    }

    fn store_scratch(&mut self, value: Value, place: usize) {
        self.builder.ins().store(flags(), value, self.scratch.memory, place as i32);
    }

    /// Whether a vector has as many lanes as Cranelift knows of.
    fn is_whole(&self) -> bool {
        self.lanes == super::NARROW
    }
}
