//! Rotary positions: Su and others, "RoFormer: enhanced transformer with rotary position embedding" (2021).

use crate::model;

model! {
    /// Queries or keys, with each pair of numbers turned by an angle that grows with the place in the sequence, so that a product of
    /// two depends on how far they are apart. Pair `i` turns by `THETA` to the power of `-2 i / D` per place; the first place is
    /// `OFFSET`.
    ///
    /// A pair lies `D / 2` apart, as in the weights of Hugging Face; with `INTERLEAVED`, side by side, as in those of Meta.
    pub block Rotary<const THETA: f32 = 10000.0, const INTERLEAVED: bool = false, const OFFSET: usize = 0>(x: f32<N, HEADS, T, D>) -> f32<N, HEADS, T, D> {
        assert!(D % 2 == 0, "Rotary: {D} numbers are no pairs");
        let frequency = pow(THETA, arange(D / 2).cast(f32) * (-2.0 / D));
        let angle = (arange(T).cast(f32) + OFFSET).unsqueeze(1) * frequency;
        let cosine = cos(angle);
        let sine = sin(angle);
        if INTERLEAVED {
            let pairs = x.reshape([N, HEADS, T, D / 2, 2]);
            let a = pairs.at(-1, 0);
            let b = pairs.at(-1, 1);
            stack([a * cosine - b * sine, b * cosine + a * sine], -1).flatten(-2)
        } else {
            let [a, b] = x.chunk(2, -1);
            cat([a * cosine - b * sine, b * cosine + a * sine], -1)
        }
    }
}
