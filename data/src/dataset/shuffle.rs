//! Random orders: a pure function of a seed and a number, by the counter-based generator that the steps draw from. An epoch
//! that is resumed has the order that it had.

use tapeless_compiler::random::Key;

/// The numbers below `len` in a random order, which the seed and the number of the epoch decide alone.
pub fn order(len: usize, seed: u64, epoch: u64) -> Vec<usize> {
    let key = Key::new(seed).fold(epoch);
    let mut order: Vec<usize> = (0..len).collect();
    for last in (1..len).rev() {
        order.swap(last, below(key, last));
    }
    order
}

/// A number from 0 to `last`, the one that belongs to `last`. All are equally likely but for less than 2^-32.
fn below(key: Key, last: usize) -> usize {
    let [low, high] = key.bits(last as u64);
    let bits = u64::from(high) << 32 | u64::from(low);
    // The high word of the product of 64 bits by the number of choices.
    ((u128::from(bits) * (last as u128 + 1)) >> 64) as usize
}
