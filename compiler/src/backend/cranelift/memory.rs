//! Loads and stores: single elements, neighbours in one vector, and lanes gathered one by one.

use super::EmitError;
use super::address::Access;
use super::emitter::{Emitter, Phase};
use super::operation::{Width, value_type};
use super::parts::PART;
use crate::dtype::DType;
use crate::kernel::{ParameterId, Var};
use crate::nest::{Atom, Index};
use crate::scalar::ScalarOp;
use cranelift_codegen::ir::{InstBuilder, MemFlagsData, Value, types};

impl Emitter<'_, '_> {
    /// The values of an index in each group of lanes.
    pub(super) fn index_lanes(&mut self, index: &Index, groups: usize) -> Result<Vec<Value>, EmitError> {
        let Phase::Lanes { id, .. } = self.phase else { unreachable!("only lanes loops have vectors") };
        if let Some(stride) = index.stride(id).filter(|_| !self.gathers(index)) {
            let first = self.number(index, 0);
            let first = self.builder.ins().ireduce(types::I32, first);
            let first = self.builder.ins().splat(types::I32X4, first);
            let mut steps = self.lane_numbers();
            if stride != 1 {
                let stride = self.operations(Width::Lanes).words(types::I32X4, stride as u32);
                steps = self.builder.ins().imul(steps, stride);
            }
            let first = self.builder.ins().iadd(first, steps);
            let mut vectors = vec![first];
            for group in 1..groups {
                let offset = ((group * self.lanes) as i64 * stride) as u32;
                let offset = self.operations(Width::Lanes).words(types::I32X4, offset);
                vectors.push(self.builder.ins().iadd(first, offset));
            }
            return Ok(vectors);
        }
        (0..groups)
            .map(|group| {
                self.together(types::I32X4, |emitter, lane| {
                    let number = emitter.number(index, group * emitter.lanes + lane);
                    Ok(emitter.builder.ins().ireduce(types::I32, number))
                })
            })
            .collect()
    }

    /// Whether the index holds elements that differ between lanes.
    fn gathers(&self, index: &Index) -> bool {
        index.any(&mut |atom| matches!(atom, Atom::Gathered { read, .. } if self.varying[*read]))
    }

    /// One element.
    pub(super) fn load(&mut self, parameter: ParameterId, index: &Index) -> Result<Value, EmitError> {
        let word = self.load_word(parameter, index, 0)?;
        let dtype = self.kernel.parameters[parameter.0].dtype;
        self.operations(Width::Single).value_of_word(dtype, word)
    }

    /// An element as it is in memory, with zeros above if it has fewer than 32 bits.
    fn load_word(&mut self, parameter: ParameterId, index: &Index, lane: usize) -> Result<Value, EmitError> {
        let dtype = self.kernel.parameters[parameter.0].dtype;
        let ty = value_type(word_type(dtype), Width::Single)?;
        let (pointer, displacement) = self.address((parameter, index), lane)?;
        Ok(match dtype.size() {
            1 => self.builder.ins().uload8(ty, flags(), pointer, displacement),
            2 => self.builder.ins().uload16(ty, flags(), pointer, displacement),
            _ => self.builder.ins().load(ty, flags(), pointer, displacement),
        })
    }

    /// The elements of one group of lanes.
    pub(super) fn load_lanes(
        &mut self,
        parameter: ParameterId,
        index: &Index,
        group: usize,
    ) -> Result<Value, EmitError> {
        let dtype = self.kernel.parameters[parameter.0].dtype;
        let ty = value_type(word_type(dtype), Width::Lanes)?;
        let words = if self.contiguous(index) {
            let (pointer, displacement) = self.address((parameter, index), group * self.lanes)?;
            match dtype.size() {
                1 => self.load_bytes(pointer, displacement),
                2 => self.builder.ins().uload16x4(flags(), pointer, displacement),
                _ => self.builder.ins().load(ty, flags(), pointer, displacement),
            }
        } else {
            self.together(ty, |emitter, lane| emitter.load_word(parameter, index, group * emitter.lanes + lane))?
        };
        self.operations(Width::Lanes).value_of_word(dtype, words)
    }

    /// Neighbouring bytes, a word each; no more of them than there are lanes.
    fn load_bytes(&mut self, pointer: Value, displacement: i32) -> Value {
        let packed = if self.lanes == PART { types::I32 } else { types::I64 };
        let mut words = Vec::new();
        for first in (0..self.lanes).step_by(8) {
            let packed = self.builder.ins().load(packed, flags(), pointer, displacement + first as i32);
            words.push(self.operations(Width::Lanes).unpacked_bytes(packed));
        }
        match words[..] {
            [words] => words,
            [lower, upper] => self.joined_halves(lower, upper),
            _ => unreachable!("a vector has at most 16 lanes"),
        }
    }

    /// Stores one element, or one per lane.
    pub(super) fn store(&mut self, parameter: ParameterId, index: &Index, value: Var) -> Result<(), EmitError> {
        let dtype = self.kernel.parameters[parameter.0].dtype;
        let width = self.width();
        for (group, value) in self.written(value)?.into_iter().enumerate() {
            let word = self.operations(width).word_of_value(dtype, value)?;
            let place = (parameter, index);
            match width {
                Width::Single => self.store_word(place, 0, word)?,
                Width::Lanes if self.contiguous(index) => self.store_words(place, group * self.lanes, word)?,
                Width::Lanes => {
                    let parts = self.parts(word);
                    for lane in 0..self.lanes {
                        let element = self.element(&parts, lane);
                        self.store_word(place, group * self.lanes + lane, element)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Adds to one element, or to one per lane, which are different ones.
    pub(super) fn accumulate(&mut self, parameter: ParameterId, index: &Index, value: Var) -> Result<(), EmitError> {
        let dtype = self.kernel.parameters[parameter.0].dtype;
        let (place, width) = ((parameter, index), self.width());
        for (group, value) in self.written(value)?.into_iter().enumerate() {
            match width {
                Width::Single => self.add_to(place, 0, value)?,
                Width::Lanes if self.contiguous(index) => {
                    let before = self.load_lanes(parameter, index, group)?;
                    let sum = self.operations(width).apply(ScalarOp::Add, dtype, &[before, value])?;
                    let words = self.operations(width).word_of_value(dtype, sum)?;
                    self.store_words(place, group * self.lanes, words)?;
                }
                Width::Lanes => {
                    let parts = self.parts(value);
                    for lane in 0..self.lanes {
                        let element = self.element(&parts, lane);
                        self.add_to(place, group * self.lanes + lane, element)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Adds to the element of a lane.
    fn add_to(&mut self, place: Access<'_>, lane: usize, value: Value) -> Result<(), EmitError> {
        let dtype = self.kernel.parameters[place.0.0].dtype;
        let word = self.load_word(place.0, place.1, lane)?;
        let mut operations = self.operations(Width::Single);
        let before = operations.value_of_word(dtype, word)?;
        let sum = operations.apply(ScalarOp::Add, dtype, &[before, value])?;
        let word = operations.word_of_value(dtype, sum)?;
        self.store_word(place, lane, word)
    }

    /// What is written of a variable: one value, or one vector per group of lanes.
    fn written(&mut self, value: Var) -> Result<Vec<Value>, EmitError> {
        match self.width() {
            Width::Single => Ok(vec![self.single(value)?]),
            Width::Lanes => self.vectors(value),
        }
    }

    /// Stores what one element is in memory.
    fn store_word(&mut self, place: Access<'_>, lane: usize, word: Value) -> Result<(), EmitError> {
        let (pointer, displacement) = self.address(place, lane)?;
        match self.kernel.parameters[place.0.0].dtype.size() {
            1 => self.builder.ins().istore8(flags(), word, pointer, displacement),
            2 => self.builder.ins().istore16(flags(), word, pointer, displacement),
            _ => self.builder.ins().store(flags(), word, pointer, displacement),
        };
        Ok(())
    }

    /// Stores what neighbouring elements are in memory, the first of them at a lane.
    fn store_words(&mut self, place: Access<'_>, lane: usize, words: Value) -> Result<(), EmitError> {
        let bytes = self.kernel.parameters[place.0.0].dtype.size();
        let (pointer, displacement) = self.address(place, lane)?;
        if bytes > 2 {
            self.builder.ins().store(flags(), words, pointer, displacement);
            return Ok(());
        }
        for (part, words) in self.parts(words).into_iter().enumerate() {
            let packed = self.operations(Width::Lanes).packed(bytes, words);
            self.builder.ins().store(flags(), packed, pointer, displacement + (part * PART * bytes) as i32);
        }
        Ok(())
    }
}

/// Loads and stores are in bounds, so they never trap; arrays may start anywhere.
pub(super) fn flags() -> MemFlagsData {
    MemFlagsData::new().with_notrap()
}

/// The type of the word that an element is in memory.
fn word_type(dtype: DType) -> DType {
    match dtype {
        DType::Bool | DType::U8 | DType::F16 | DType::Bf16 => DType::U32,
        other => other,
    }
}
