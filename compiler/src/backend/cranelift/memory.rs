//! Loads and stores: single elements, neighbours in one vector, and lanes gathered one by one.

use super::address::Access;
use super::emitter::{Emitter, Phase};
use super::operation::{Width, value_type};
use super::{EmitError, LANES};
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
            return Ok((0..groups)
                .map(|group| {
                    let offset = |lane: usize| ((group * LANES + lane) as i64 * stride) as u32;
                    let bytes: Vec<u8> = (0..LANES).flat_map(|lane| offset(lane).to_ne_bytes()).collect();
                    let constant = self.builder.func.dfg.constants.insert(bytes.into());
                    let offsets = self.builder.ins().vconst(types::I32X4, constant);
                    self.builder.ins().iadd(first, offsets)
                })
                .collect());
        }
        let mut vectors = Vec::with_capacity(groups);
        for group in 0..groups {
            let number = |emitter: &mut Self, lane: usize| {
                let number = emitter.number(index, group * LANES + lane);
                Ok(emitter.builder.ins().ireduce(types::I32, number))
            };
            vectors.push(self.gather(DType::U32, number)?);
        }
        Ok(vectors)
    }

    /// Whether the index holds elements that differ between lanes.
    fn gathers(&self, index: &Index) -> bool {
        index.any(&mut |atom| matches!(atom, Atom::Gathered { read, .. } if self.varying[*read]))
    }

    /// The vector of four single values; elements are words here, as in memory.
    fn gather(
        &mut self,
        dtype: DType,
        mut single: impl FnMut(&mut Self, usize) -> Result<Value, EmitError>,
    ) -> Result<Value, EmitError> {
        let first = single(self, 0)?;
        let mut vector = self.builder.ins().scalar_to_vector(value_type(dtype, Width::Lanes)?, first);
        for lane in 1..LANES {
            let next = single(self, lane)?;
            vector = self.builder.ins().insertlane(vector, next, lane as u8);
        }
        Ok(vector)
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
        let words = if self.contiguous(index) {
            let ty = value_type(word_type(dtype), Width::Lanes)?;
            let (pointer, displacement) = self.address((parameter, index), group * LANES)?;
            match dtype.size() {
                1 => {
                    let packed = self.builder.ins().load(types::I32, flags(), pointer, displacement);
                    self.operations(Width::Lanes).unpacked_bytes(packed)
                }
                2 => self.builder.ins().uload16x4(flags(), pointer, displacement),
                _ => self.builder.ins().load(ty, flags(), pointer, displacement),
            }
        } else {
            self.gather(word_type(dtype), |emitter, lane| emitter.load_word(parameter, index, group * LANES + lane))?
        };
        self.operations(Width::Lanes).value_of_word(dtype, words)
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
                Width::Lanes if self.contiguous(index) => self.store_words(place, group * LANES, word)?,
                Width::Lanes => {
                    for lane in 0..LANES {
                        let element = self.builder.ins().extractlane(word, lane as u8);
                        self.store_word(place, group * LANES + lane, element)?;
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
                    self.store_words(place, group * LANES, words)?;
                }
                Width::Lanes => {
                    for lane in 0..LANES {
                        let element = self.builder.ins().extractlane(value, lane as u8);
                        self.add_to(place, group * LANES + lane, element)?;
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
        let (pointer, displacement) = self.address(place, lane)?;
        let value = match self.kernel.parameters[place.0.0].dtype.size() {
            bytes @ (1 | 2) => self.operations(Width::Lanes).packed(bytes, words),
            _ => words,
        };
        self.builder.ins().store(flags(), value, pointer, displacement);
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
