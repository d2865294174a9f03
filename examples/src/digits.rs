//! The embedded digits: 1,797 pictures of 8 x 8 pixels with their classes.

use crate::ExampleError;
use crate::pictures::Pictures;

/// Rows of one picture, and columns.
const EDGE: usize = 8;

/// Pixels of one picture.
pub const PIXELS: usize = EDGE * EDGE;

/// All pictures in the order of the file.
pub fn embedded() -> Result<Pictures, ExampleError> {
    let mut digits = Pictures { size: PIXELS, ..Pictures::default() };
    for (number, line) in include_str!("../data/digits.csv").lines().enumerate() {
        let wrong = || ExampleError::Line { line: number + 1, found: line.to_string() };
        let values = line.split(',').map(str::parse).collect::<Result<Vec<u32>, _>>().map_err(|_| wrong())?;
        let (label, pixels) = values.split_last().filter(|(_, p)| p.len() == PIXELS).ok_or_else(wrong)?;
        digits.pixels.extend(pixels.iter().map(|&pixel| pixel as f32 / 16.0));
        digits.labels.push(*label);
    }
    Ok(digits)
}

/// All pictures with this many rows and columns: each pixel is the nearest one of the picture as it is.
pub fn scaled(edge: usize) -> Result<Pictures, ExampleError> {
    let digits = embedded()?;
    let source = |at: usize| (at / edge * EDGE / edge) * EDGE + at % edge * EDGE / edge;
    let pixels = digits.pixels.chunks_exact(PIXELS).flat_map(|digit| (0..edge * edge).map(|at| digit[source(at)]));
    Ok(Pictures { size: edge * edge, pixels: pixels.collect(), labels: digits.labels })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scaled_digit_has_the_corners_and_the_mean_of_the_digit() -> Result<(), ExampleError> {
        let (digits, scaled) = (embedded()?, scaled(2 * EDGE)?);
        assert_eq!((scaled.len(), scaled.size), (1797, 256));
        assert_eq!(scaled.labels, digits.labels);
        for (digit, scaled) in digits.pixels.chunks(PIXELS).zip(scaled.pixels.chunks(4 * PIXELS)) {
            assert_eq!([scaled[0], scaled[15], scaled[255]], [digit[0], digit[7], digit[63]]);
            assert_eq!(scaled.iter().sum::<f32>(), 4.0 * digit.iter().sum::<f32>(), "sixteenths add up exactly");
        }
        Ok(())
    }
}
