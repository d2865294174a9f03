use super::super::buffer::{Buffer, pinned};
use super::*;
use crate::memory::ALIGNMENT;

#[test]
fn cuda_memory_begins_as_zeros_and_comes_back_as_it_went() {
    let Some(cuda) = device() else { return };
    let buffer = Buffer::zeroed(&cuda, 130).expect("a few bytes");
    assert_eq!((buffer.bytes(), buffer.address(64).addr() - buffer.address(0).addr()), (192, 64));
    let mut back = Memory::zeroed(130).expect("a few bytes");
    back.slice_mut::<u8>(0, 192).fill(9);
    buffer.download(&mut back).expect("a copy");
    assert_eq!(back.slice::<u8>(0, 192), [0; 192]);
    let mut memory = Memory::zeroed(130).expect("a few bytes");
    memory.slice_mut::<u8>(0, 192).fill(7);
    buffer.upload(&memory, 64..128).expect("a copy");
    buffer.download(&mut back).expect("a copy");
    let expected: Vec<u8> = (0..192).map(|at| if (64..128).contains(&at) { 7 } else { 0 }).collect();
    assert_eq!(back.slice::<u8>(0, 192), expected);
}

#[test]
fn cuda_pinned_memory_is_zeroed_and_aligned() {
    let Some(cuda) = device() else { return };
    let memory = pinned(&cuda, 70).expect("a few bytes");
    assert_eq!((memory.bytes(), memory.pointer(0).addr() % ALIGNMENT), (128, 0));
    assert_eq!(memory.slice::<u8>(0, 128), [0; 128]);
}

#[test]
fn cuda_mirrors_copy_when_the_other_side_is_newer() {
    let Some(cuda) = device() else { return };
    let mut mirror = parameter(&cuda, &numbers(1.0));
    assert_eq!(read(&mirror), numbers(1.0));
    mirror.is_written();
    let mut news = Memory::zeroed(4 * ELEMENTS).expect("a few bytes");
    news.slice_mut(0, ELEMENTS).copy_from_slice(&numbers(5.0));
    mirror.buffer().upload(&news, 0..4 * ELEMENTS).expect("a copy");
    assert_eq!(read(&mirror), numbers(5.0));
    mirror.change(4..8, |memory| memory.slice_mut(4, 1).copy_from_slice(&[-1.0f32])).expect("a copy");
    let mut expected = numbers(5.0);
    expected[1] = -1.0;
    assert_eq!(read(&mirror), expected);
    mirror.is_written();
    assert_eq!(read(&mirror), expected);
}
