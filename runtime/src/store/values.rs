//! Elements of any type as numbers: what a store writes at first and on `set`, and what it shows.

use super::layout::Place;
use crate::memory::{Memory, Plain};
use half::{bf16, f16};
use std::borrow::Cow;
use tapeless_compiler::dtype::DType;
use tapeless_compiler::scalar::convert;

/// Sets every element of an array, converted as a cast does it.
pub(super) fn write(memory: &mut Memory, place: &Place, number: impl Fn(usize) -> f64) {
    let number = |element| convert(place.dtype, number(element));
    match place.dtype {
        DType::F32 => fill(memory, place, |i| number(i) as f32),
        DType::F64 => fill(memory, place, number),
        DType::U32 | DType::Bool => fill(memory, place, |i| number(i) as u32),
        DType::I32 => fill(memory, place, |i| number(i) as i32),
        DType::I64 => fill(memory, place, |i| number(i) as i64),
        DType::U8 => fill(memory, place, |i| number(i) as u8),
        DType::F16 => fill(memory, place, |i| f16::from_f64(number(i))),
        DType::Bf16 => fill(memory, place, |i| bf16::from_f64(number(i))),
    }
}

/// The elements of an array as f32.
pub(super) fn read(memory: &Memory, place: &Place) -> Vec<f32> {
    match place.dtype {
        DType::F32 => memory.slice::<f32>(place.offset, place.elements).to_vec(),
        DType::F64 => gather(memory, place, |x: f64| x as f32),
        DType::U32 | DType::Bool => gather(memory, place, |x: u32| x as f32),
        DType::I32 => gather(memory, place, |x: i32| x as f32),
        DType::I64 => gather(memory, place, |x: i64| x as f32),
        DType::U8 => gather(memory, place, |x: u8| f32::from(x)),
        DType::F16 => gather(memory, place, f16::to_f32),
        DType::Bf16 => gather(memory, place, bf16::to_f32),
    }
}

/// The elements of an array as f64.
pub(super) fn numbers(memory: &Memory, place: &Place) -> Vec<f64> {
    match place.dtype {
        DType::F64 => memory.slice::<f64>(place.offset, place.elements).to_vec(),
        DType::U32 => memory.slice::<u32>(place.offset, place.elements).iter().map(|&x| x.into()).collect(),
        DType::I32 => memory.slice::<i32>(place.offset, place.elements).iter().map(|&x| x.into()).collect(),
        DType::I64 => memory.slice::<i64>(place.offset, place.elements).iter().map(|&x| x as f64).collect(),
        _ => read(memory, place).into_iter().map(f64::from).collect(),
    }
}

/// The elements of an array as a file holds them: lower bytes first, bools in one byte.
pub(super) fn bytes<'m>(memory: &'m Memory, place: &Place) -> Cow<'m, [u8]> {
    if place.dtype == DType::Bool {
        let words = memory.slice::<u32>(place.offset, place.elements);
        return Cow::Owned(words.iter().map(|&word| u8::from(word != 0)).collect());
    }
    let size = place.dtype.size();
    let bytes = memory.slice::<u8>(place.offset, place.elements * size);
    match cfg!(target_endian = "big") {
        true => Cow::Owned(bytes.chunks_exact(size).flat_map(|element| element.iter().rev().copied()).collect()),
        false => Cow::Borrowed(bytes),
    }
}

/// Sets every element of an array to what [`bytes`] gave, which are as many as it has.
pub(super) fn set_bytes(memory: &mut Memory, place: &Place, bytes: &[u8]) {
    if place.dtype == DType::Bool {
        let words = memory.slice_mut::<u32>(place.offset, place.elements);
        return words.iter_mut().zip(bytes).for_each(|(word, &byte)| *word = u32::from(byte != 0));
    }
    let size = place.dtype.size();
    let elements = memory.slice_mut::<u8>(place.offset, place.elements * size);
    elements.copy_from_slice(bytes);
    if cfg!(target_endian = "big") {
        elements.chunks_exact_mut(size).for_each(<[u8]>::reverse);
    }
}

fn fill<T: Plain>(memory: &mut Memory, place: &Place, element: impl Fn(usize) -> T) {
    for (i, slot) in memory.slice_mut(place.offset, place.elements).iter_mut().enumerate() {
        *slot = element(i);
    }
}

fn gather<T: Plain>(memory: &Memory, place: &Place, number: impl Fn(T) -> f32) -> Vec<f32> {
    memory.slice(place.offset, place.elements).iter().map(|&element| number(element)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_keeps_small_whole_numbers() {
        for dtype in DType::ALL {
            let place = Place::new(dtype, &[2, 3], 64);
            let mut memory = Memory::zeroed(128).expect("two lines");
            write(&mut memory, &place, |i| i as f64);
            let expected =
                if dtype == DType::Bool { [0.0, 1.0, 1.0, 1.0, 1.0, 1.0] } else { [0.0, 1.0, 2.0, 3.0, 4.0, 5.0] };
            assert_eq!(read(&memory, &place), expected, "{dtype}");
            let mut copy = Memory::zeroed(128).expect("two lines");
            set_bytes(&mut copy, &place, &bytes(&memory, &place));
            assert_eq!(copy.slice::<u8>(0, 128), memory.slice::<u8>(0, 128), "{dtype}");
            assert!(memory.slice::<u8>(0, 64).iter().all(|&byte| byte == 0), "nothing is written before the array");
        }
    }
}
