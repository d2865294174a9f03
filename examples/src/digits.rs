//! The embedded digits: 1,797 pictures of 8 x 8 pixels with their classes.

use crate::ExampleError;
use crate::pictures::{Pictures, pictures};

/// Rows of one picture, and columns.
const EDGE: usize = 8;

/// Pixels of one picture.
pub const PIXELS: usize = EDGE * EDGE;

/// All pictures in the order of the file.
pub fn embedded() -> Result<Pictures, ExampleError> {
    let (mut pixels, mut classes) = (Vec::new(), Vec::new());
    for (number, line) in include_str!("../data/digits.csv").lines().enumerate() {
        let wrong = || ExampleError::Line { line: number + 1, found: line.to_string() };
        let values = line.split(',').map(str::parse).collect::<Result<Vec<u32>, _>>().map_err(|_| wrong())?;
        let (class, picture) = values.split_last().filter(|(_, p)| p.len() == PIXELS).ok_or_else(wrong)?;
        pixels.extend(picture.iter().map(|&pixel| pixel as f32 / 16.0));
        classes.push(*class);
    }
    Ok(pictures(PIXELS, pixels, classes)?)
}

/// All pictures with this many rows and columns: each pixel is the nearest one of the picture as it is.
pub fn scaled(edge: usize) -> Result<Pictures, ExampleError> {
    let digits = embedded()?;
    let source = |at: usize| (at / edge * EDGE / edge) * EDGE + at % edge * EDGE / edge;
    let (pixels, classes) = digits.columns();
    let scaled = |digit: &[f32]| (0..edge * edge).map(|at| digit[source(at)]).collect::<Vec<_>>();
    let pixels = pixels.elements().chunks_exact(PIXELS).flat_map(scaled).collect();
    Ok(pictures(edge * edge, pixels, classes.elements().to_vec())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scaled_digit_has_the_corners_and_the_mean_of_the_digit() -> Result<(), ExampleError> {
        let (digits, scaled) = (embedded()?, scaled(2 * EDGE)?);
        let ((digits, classes), (scaled, same)) = (digits.columns(), scaled.columns());
        assert_eq!((same.elements().len(), scaled.size()), (1797, 256));
        assert_eq!(same, classes);
        for (digit, scaled) in (0..1797).map(|at| (digits.row(at), scaled.row(at))) {
            assert_eq!([scaled[0], scaled[15], scaled[255]], [digit[0], digit[7], digit[63]]);
            assert_eq!(scaled.iter().sum::<f32>(), 4.0 * digit.iter().sum::<f32>(), "sixteenths add up exactly");
        }
        Ok(())
    }
}
