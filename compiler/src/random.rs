//! Counter-based random numbers: a pure function from a key and a counter to bits.
//!
//! The generator is Threefry-2x32 with 20 rounds (Salmon et al., 2011): additions, rotations and exclusive ors only, so a
//! kernel can compute it in every lane. A [`Key`] is made of a seed and of numbers that are folded in one after the other
//! (which tensor, which attempt); the counter is the element. Nothing here keeps state, so equal keys and counters give
//! equal numbers on every machine.

use std::f64::consts::TAU;

const ROTATIONS: [[u32; 4]; 2] = [[13, 15, 26, 6], [17, 29, 16, 24]];
const PARITY: u32 = 0x1BD1_1BDA;

/// Threefry-2x32 with 20 rounds.
pub fn threefry2x32(key: [u32; 2], counter: [u32; 2]) -> [u32; 2] {
    let schedule = [key[0], key[1], key[0] ^ key[1] ^ PARITY];
    let mut x = [counter[0].wrapping_add(schedule[0]), counter[1].wrapping_add(schedule[1])];
    for block in 0..5 {
        for rotation in ROTATIONS[block % 2] {
            x[0] = x[0].wrapping_add(x[1]);
            x[1] = x[1].rotate_left(rotation) ^ x[0];
        }
        let injected = block as u32 + 1;
        x[0] = x[0].wrapping_add(schedule[(block + 1) % 3]);
        x[1] = x[1].wrapping_add(schedule[(block + 2) % 3]).wrapping_add(injected);
    }
    x
}

/// What a stream of random numbers is named by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key([u32; 2]);

impl Key {
    /// The key of a seed.
    pub fn new(seed: u64) -> Key {
        Key(words(seed))
    }

    /// The key that is these words.
    pub fn from_words(words: [u32; 2]) -> Key {
        Key(words)
    }

    /// The key as words.
    pub fn words(self) -> [u32; 2] {
        self.0
    }

    /// The key of a stream within this one. Streams of different numbers are independent.
    pub fn fold(self, number: u64) -> Key {
        Key(threefry2x32(self.0, words(number)))
    }

    /// 64 random bits for an element.
    pub fn bits(self, element: u64) -> [u32; 2] {
        threefry2x32(self.0, words(element))
    }

    /// A number in `0.0..1.0` for an element, a multiple of 2^-24: exact in f32.
    pub fn uniform(self, element: u64) -> f64 {
        f64::from(self.bits(element)[0] >> 8) / TWO_TO_24
    }

    /// A number of the standard normal distribution for an element, by the transform of Box and Muller.
    pub fn normal(self, element: u64) -> f64 {
        let [a, b] = self.bits(element).map(|bits| f64::from(bits >> 8));
        // The first number is in (0, 1], so that its logarithm is finite. Both are exact in f32.
        let radius = (-2.0 * ((a + 1.0) / TWO_TO_24).ln()).sqrt();
        radius * (TAU * b / TWO_TO_24).cos()
    }
}

/// The number of a stream: the place at that number among all that draw in the program of that name. Never below 2^32, so
/// that no tensor of a model, which is numbered from 0, begins with the numbers of such a stream.
pub fn stream(program: &str, place: u32) -> i64 {
    // FNV-1a; its highest bit gives way to the sign.
    let hash = |hash: u32, byte: u8| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
    let name = (program.bytes().fold(0x811C_9DC5, hash) >> 1).max(1);
    i64::from(name) << 32 | i64::from(place)
}

const TWO_TO_24: f64 = 16_777_216.0;

fn words(number: u64) -> [u32; 2] {
    [number as u32, (number >> 32) as u32]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threefry_gives_the_published_answers() {
        // The known-answer vectors that come with the reference implementation, Random123.
        let known = [
            ([0, 0], [0, 0], [0x6b20_0159, 0x99ba_4efe]),
            ([u32::MAX; 2], [u32::MAX; 2], [0x1cb9_96fc, 0xbb00_2be7]),
            ([0x1319_8a2e, 0x0370_7344], [0x243f_6a88, 0x85a3_08d3], [0xc492_3a9c, 0x483d_f7a0]),
        ];
        for (key, counter, answer) in known {
            assert_eq!(threefry2x32(key, counter), answer, "key {key:x?}, counter {counter:x?}");
        }
    }

    #[test]
    fn uniform_numbers_have_the_moments_of_the_distribution() {
        let key = Key::new(1).fold(2);
        let count = 100_000;
        let numbers: Vec<f64> = (0..count).map(|i| key.uniform(i)).collect();
        assert!(numbers.iter().all(|x| (0.0..1.0).contains(x) && f64::from(*x as f32) == *x));
        let mean = numbers.iter().sum::<f64>() / count as f64;
        let square = numbers.iter().map(|x| x * x).sum::<f64>() / count as f64;
        // Four standard errors: 4 * sqrt(1/12) / sqrt(count), 4 * sqrt(4/45) / sqrt(count).
        assert!((mean - 0.5).abs() < 0.0037, "mean {mean}");
        assert!((square - 1.0 / 3.0).abs() < 0.0038, "mean square {square}");
    }

    #[test]
    fn normal_numbers_have_the_moments_of_the_distribution() {
        let key = Key::new(3);
        let count = 100_000;
        let numbers: Vec<f64> = (0..count).map(|i| key.normal(i)).collect();
        let moment = |power: i32| numbers.iter().map(|x| x.powi(power)).sum::<f64>() / count as f64;
        // Four standard errors of each: the variances of x, x^2, x^3, x^4 are 1, 2, 15, 96.
        for (power, expected, variance) in [(1, 0.0, 1.0), (2, 1.0, 2.0), (3, 0.0, 15.0), (4, 3.0, 96.0)] {
            let tolerance = 4.0 * f64::sqrt(variance / count as f64);
            assert!((moment(power) - expected).abs() < tolerance, "moment {power} is {}", moment(power));
        }
    }

    #[test]
    fn streams_of_programs_have_numbers_of_their_own() {
        let streams = [stream("Train", 0), stream("Train", 1), stream("Tune", 0), stream("", 0)];
        assert!(streams.iter().all(|&stream| stream >= 1 << 32));
        assert!(streams.iter().enumerate().all(|(i, stream)| !streams[..i].contains(stream)));
    }

    #[test]
    fn streams_differ_by_seed_and_by_what_is_folded_in() {
        let first = |key: Key| (0..4).map(|i| key.bits(i)).collect::<Vec<_>>();
        let streams = [Key::new(0), Key::new(1), Key::new(1 << 32), Key::new(0).fold(0), Key::new(0).fold(1)];
        for (i, a) in streams.iter().enumerate() {
            for b in &streams[i + 1..] {
                assert_ne!(first(*a), first(*b));
            }
        }
    }
}
