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

    /// The vector of four single values; bools are words here.
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
        match self.kernel.parameters[parameter.0].dtype {
            DType::Bool => self.operations(Width::Single).bool_of_word(word),
            _ => Ok(word),
        }
    }

    /// An element as it is in memory.
    fn load_word(&mut self, parameter: ParameterId, index: &Index, lane: usize) -> Result<Value, EmitError> {
        let ty = value_type(word_type(self.kernel.parameters[parameter.0].dtype), Width::Single)?;
        let (pointer, displacement) = self.address((parameter, index), lane)?;
        Ok(self.builder.ins().load(ty, flags(), pointer, displacement))
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
            let ty = value_type(dtype, Width::Lanes)?;
            let (pointer, displacement) = self.address((parameter, index), group * LANES)?;
            self.builder.ins().load(ty, flags(), pointer, displacement)
        } else {
            self.gather(word_type(dtype), |emitter, lane| emitter.load_word(parameter, index, group * LANES + lane))?
        };
        match dtype {
            DType::Bool => self.operations(Width::Lanes).bool_of_word(words),
            _ => Ok(words),
        }
    }

    /// Stores one element, or one per lane.
    pub(super) fn store(&mut self, parameter: ParameterId, index: &Index, value: Var) -> Result<(), EmitError> {
        let bools = self.kernel.parameters[parameter.0].dtype == DType::Bool;
        let width = self.width();
        for (group, mut value) in self.written(value)?.into_iter().enumerate() {
            if bools {
                value = self.operations(width).word_of_bool(value);
            }
            if width == Width::Single || self.contiguous(index) {
                let (pointer, displacement) = self.address((parameter, index), group * LANES)?;
                self.builder.ins().store(flags(), value, pointer, displacement);
                continue;
            }
            for lane in 0..LANES {
                let (pointer, displacement) = self.address((parameter, index), group * LANES + lane)?;
                let element = self.builder.ins().extractlane(value, lane as u8);
                self.builder.ins().store(flags(), element, pointer, displacement);
            }
        }
        Ok(())
    }

    /// Adds to one element, or to one per lane, which are different ones.
    pub(super) fn accumulate(&mut self, parameter: ParameterId, index: &Index, value: Var) -> Result<(), EmitError> {
        let width = self.width();
        for (group, value) in self.written(value)?.into_iter().enumerate() {
            if width == Width::Single || self.contiguous(index) {
                self.add_to((parameter, index), group * LANES, width, value)?;
                continue;
            }
            for lane in 0..LANES {
                let element = self.builder.ins().extractlane(value, lane as u8);
                self.add_to((parameter, index), group * LANES + lane, Width::Single, element)?;
            }
        }
        Ok(())
    }

    /// Adds to the elements from a lane on.
    fn add_to(&mut self, access: Access<'_>, lane: usize, width: Width, value: Value) -> Result<(), EmitError> {
        let dtype = self.kernel.parameters[access.0.0].dtype;
        let ty = value_type(dtype, width)?;
        let (pointer, displacement) = self.address(access, lane)?;
        let before = self.builder.ins().load(ty, flags(), pointer, displacement);
        let sum = self.operations(width).apply(ScalarOp::Add, dtype, &[before, value])?;
        self.builder.ins().store(flags(), sum, pointer, displacement);
        Ok(())
    }

    /// What is written of a variable: one value, or one vector per group of lanes.
    fn written(&mut self, value: Var) -> Result<Vec<Value>, EmitError> {
        match self.width() {
            Width::Single => Ok(vec![self.single(value)?]),
            Width::Lanes => self.vectors(value),
        }
    }
}

/// Loads and stores are in bounds, so they never trap; arrays may start anywhere.
pub(super) fn flags() -> MemFlagsData {
    MemFlagsData::new().with_notrap()
}

/// The type of an element in memory.
fn word_type(dtype: DType) -> DType {
    if dtype == DType::Bool { DType::U32 } else { dtype }
}
