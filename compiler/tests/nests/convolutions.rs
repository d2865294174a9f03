//! Convolutions and their gradients, as nests of images that have their padding.

use super::{Case, case, read};
use tapeless_compiler::dtype::DType;
use tapeless_compiler::nest::{Body, Index, Nest, Read, Reducer, Scalar};
use tapeless_compiler::scalar::ScalarOp;

/// A convolution of square images with square windows.
#[derive(Clone, Copy, Debug)]
pub struct Convolution {
    /// How many images.
    pub batch: usize,
    /// How many channels they have.
    pub channels: usize,
    /// How many the result has.
    pub rows: usize,
    /// How many windows there are along a side.
    pub count: usize,
    /// How long a window is.
    pub size: usize,
    /// How far windows are apart.
    pub stride: usize,
}

impl Convolution {
    /// A convolution of these numbers, in the order of the fields.
    pub fn new([batch, channels, rows, count, size, stride]: [usize; 6]) -> Convolution {
        Convolution { batch, channels, rows, count, size, stride }
    }

    /// The convolution, its gradient for the weight, and, of windows at every position, that for the input.
    pub fn cases(self) -> Vec<Case> {
        let mut cases = vec![self.output(), self.weight()];
        cases.extend((self.stride == 1).then(|| self.input()));
        cases
    }

    fn output(self) -> Case {
        let Convolution { batch, channels, rows, count, size, .. } = self;
        let reads = [
            read(0, DType::F32, self.seen([0, 4, 2, 5, 3, 6])),
            read(1, DType::F32, [1, 4, 5, 6].map(Index::axis).to_vec()),
        ];
        let extents = vec![batch, rows, count, count, channels, size, size];
        self.case("output", reads, extents, &[&self.image(), &[rows, channels, size, size]])
    }

    fn weight(self) -> Case {
        let Convolution { batch, channels, rows, count, size, .. } = self;
        let reads = [
            read(0, DType::F32, [4, 0, 5, 6].map(Index::axis).to_vec()),
            read(1, DType::F32, self.seen([4, 1, 5, 2, 6, 3])),
        ];
        let extents = vec![rows, channels, size, size, batch, count, count];
        self.case("weight", reads, extents, &[&[batch, rows, count, count], &self.image()])
    }

    /// Of a result with its own padding, whose windows meet the weight in reverse.
    fn input(self) -> Case {
        let Convolution { batch, channels, rows, count, size, .. } = self;
        let turned = |axis: usize| Index::axis(axis).times(-1).plus(&Index::constant(size as i64 - 1));
        let reads = [
            read(0, DType::F32, self.seen([0, 4, 2, 5, 3, 6])),
            read(1, DType::F32, vec![Index::axis(4), Index::axis(1), turned(5), turned(6)]),
        ];
        let extents = vec![batch, channels, count, count, rows, size, size];
        let mut image = self.image();
        image[1] = rows;
        self.case("input", reads, extents, &[&image, &[rows, channels, size, size]])
    }

    /// An image with its padding.
    fn image(self) -> [usize; 4] {
        let side = (self.count - 1) * self.stride + self.size;
        [self.batch, self.channels, side, side]
    }

    /// What a window shows, by axes: image, channel, which window and which of its elements, one way and the other.
    fn seen(self, [image, channel, row, down, column, across]: [usize; 6]) -> Vec<Index> {
        let along =
            |window: usize, element: usize| Index::axis(window).times(self.stride as i64).plus(&Index::axis(element));
        vec![Index::axis(image), Index::axis(channel), along(row, down), along(column, across)]
    }

    fn case(self, what: &str, reads: [Read; 2], extents: Vec<usize>, shapes: &[&[usize]]) -> Case {
        let mut body = Body::default();
        let factors = [0, 1].map(|operand| body.push(Scalar::Read(operand)));
        body.apply(ScalarOp::Mul, &factors);
        let (reads, reducer) = (reads.to_vec(), Some(Reducer::Sum));
        let nest = Nest { extents, outputs: 4, reads, body, reducer, epilogue: None, dtype: DType::F32 };
        case(format!("{what} of {self:?}"), nest, shapes)
    }
}

/// Images of 1, 4 and 16 positions, of which tiles take several, of others that leave some over, windows of one element and
/// of many, strides.
pub fn cases() -> Vec<Case> {
    let all = [
        [3, 5, 9, 1, 3, 1],
        [5, 4, 8, 2, 3, 1],
        [3, 4, 9, 4, 3, 1],
        [2, 3, 8, 7, 3, 1],
        [1, 3, 10, 9, 3, 1],
        [1, 3, 4, 16, 3, 1],
        [2, 4, 8, 4, 3, 2],
        [2, 9, 5, 5, 1, 2],
        [1, 2, 8, 6, 7, 2],
    ];
    all.into_iter().flat_map(|numbers| Convolution::new(numbers).cases()).collect()
}
