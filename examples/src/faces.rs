//! Drawn faces with five points each: both eyes, the nose and the corners of the mouth. What enters are a count, a size and a
//! seed; what leaves are pictures of varying place, size, rotation, colours and noise, and where their points are.

use crate::ExampleError;
use fastrand::Rng;
use safetensors::{Dtype, tensor::TensorView};
use std::path::Path;
use tapeless_data::{Dataset, Rows};

/// Points of one face: the left eye, the right one, the nose, the left corner of the mouth and the right one.
pub const POINTS: usize = 5;

/// Pictures in three channels of values from -1 to 1, and their points: across and down, as parts of the picture's size.
pub type Faces = Dataset<(Rows<f32>, Rows<f32>)>;

/// Where the points lie on a face that is upright and two units wide, from its middle, across and down.
const UPRIGHT: [Point; POINTS] = [[-0.42, -0.3], [0.42, -0.3], [0.0, 0.15], [-0.33, 0.6], [0.33, 0.6]];

/// How far a point of one face may be from there, in each direction.
const VARIATION: f32 = 0.07;

/// How much longer a face is than wide.
const LENGTH: f32 = 1.25;

/// The radius of an eye, that of a nose, and half the height of a mouth.
const EYE: f32 = 0.13;
const NOSE: f32 = 0.09;
const MOUTH: f32 = 0.06;

type Point = [f32; 2];
type Colour = [f32; 3];

/// So many faces on pictures with this many rows and columns.
pub fn draw(count: usize, size: usize, seed: u64) -> Result<Faces, ExampleError> {
    let mut random = Rng::with_seed(seed);
    let (mut pixels, mut points) =
        (Vec::with_capacity(count * 3 * size * size), Vec::with_capacity(2 * POINTS * count));
    for _ in 0..count {
        let face = Face::drawn(&mut random);
        pixels.extend(face.picture(size, &mut random));
        points.extend(face.points.map(|point| face.place(point)).as_flattened());
    }
    Ok(Dataset::new((Rows::new(3 * size * size, pixels)?, Rows::new(2 * POINTS, points)?))?)
}

/// Writes faces for training and faces for testing into a file: `train.image`, `train.points`, `test.image`, `test.points`.
pub fn write(path: &Path, size: usize, parts: [(&str, &Faces); 2]) -> Result<(), ExampleError> {
    let mut arrays = Vec::new();
    for (part, faces) in parts {
        let (pixels, points) = faces.columns();
        arrays.push((format!("{part}.image"), vec![faces.len(), 3, size, size], bytes(pixels.elements())));
        arrays.push((format!("{part}.points"), vec![faces.len(), POINTS, 2], bytes(points.elements())));
    }
    let views =
        arrays.iter().map(|(name, shape, bytes)| Ok((name, TensorView::new(Dtype::F32, shape.clone(), bytes)?)));
    views
        .collect::<Result<Vec<_>, _>>()
        .and_then(|views| safetensors::serialize_to_file(views, None, path))
        .map_err(|source| ExampleError::Save { file: path.to_path_buf(), source })
}

fn bytes(elements: &[f32]) -> Vec<u8> {
    elements.iter().flat_map(|element| element.to_le_bytes()).collect()
}

/// A face in a picture whose rows and columns go from 0 to 1.
struct Face {
    middle: Point,
    /// Half of its width.
    radius: f32,
    angle: f32,
    /// In units of the radius, before the face is turned.
    points: [Point; POINTS],
    /// What the picture shows where there is no face: from one corner to the other.
    ground: [Colour; 2],
    skin: Colour,
    features: Colour,
}

impl Face {
    fn drawn(random: &mut Rng) -> Face {
        let mut within = |low: f32, high: f32| low + (high - low) * random.f32();
        let mut colour = |low: f32, high: f32| std::array::from_fn(|_| within(low, high));
        // Features are darker than the skin; whatever else they are.
        let (ground, skin, features) = ([colour(0.0, 1.0), colour(0.0, 1.0)], colour(0.5, 1.0), colour(0.0, 0.35));
        Face {
            middle: [within(0.35, 0.65), within(0.35, 0.65)],
            radius: within(0.18, 0.32),
            angle: within(-0.6, 0.6),
            points: UPRIGHT.map(|point| point.map(|at| at + within(-VARIATION, VARIATION))),
            ground,
            skin,
            features,
        }
    }

    /// Where a point of the face is in the picture.
    fn place(&self, [across, down]: Point) -> Point {
        let (sin, cos) = self.angle.sin_cos();
        let [x, y] = self.middle;
        [x + self.radius * (cos * across - sin * down), y + self.radius * (sin * across + cos * down)]
    }

    /// Which point of the face is at a place of the picture.
    fn point(&self, [x, y]: Point) -> Point {
        let (sin, cos) = self.angle.sin_cos();
        let [x, y] = [(x - self.middle[0]) / self.radius, (y - self.middle[1]) / self.radius];
        [cos * x + sin * y, cos * y - sin * x]
    }

    /// The picture with noise, channel by channel.
    fn picture(&self, size: usize, random: &mut Rng) -> Vec<f32> {
        let mut picture = vec![0.0; 3 * size * size];
        let noise = 0.1 * random.f32();
        for at in 0..size * size {
            let place = [at % size, at / size].map(|pixel| (pixel as f32 + 0.5) / size as f32);
            for (channel, value) in self.colour(place, size).into_iter().enumerate() {
                let value = value + noise * (2.0 * random.f32() - 1.0);
                picture[channel * size * size + at] = 2.0 * value - 1.0;
            }
        }
        picture
    }

    /// The colour of a pixel around a place. Where an edge goes through it, colours are mixed.
    fn colour(&self, place: Point, size: usize) -> Colour {
        let [across, down] = self.point(place);
        // How much of the pixel a shape covers whose edge is this far away, in units of the radius.
        let covered = |distance: f32| (0.5 - distance * self.radius * size as f32).clamp(0.0, 1.0);
        let [left, right, nose, from, to] = self.points;
        let disc = |middle: Point, radius: f32| length([across - middle[0], down - middle[1]]) - radius;
        let features = disc(left, EYE).min(disc(right, EYE)).min(disc(nose, NOSE));
        let features = features.min(to_segment([across, down], from, to) - MOUTH);
        let ground = mixed(self.ground[0], self.ground[1], (place[0] + place[1]) / 2.0);
        let face = mixed(ground, self.skin, covered(length([across, down / LENGTH]) - 1.0));
        mixed(face, self.features, covered(features))
    }
}

fn length([x, y]: Point) -> f32 {
    x.hypot(y)
}

/// How far a point is from a segment.
fn to_segment(point: Point, from: Point, to: Point) -> f32 {
    let [along, away] = [[to[0] - from[0], to[1] - from[1]], [point[0] - from[0], point[1] - from[1]]];
    let part = (along[0] * away[0] + along[1] * away[1]) / (along[0] * along[0] + along[1] * along[1]);
    let part = part.clamp(0.0, 1.0);
    length([away[0] - part * along[0], away[1] - part * along[1]])
}

fn mixed(from: Colour, to: Colour, part: f32) -> Colour {
    std::array::from_fn(|channel| from[channel] + part * (to[channel] - from[channel]))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: usize = 128;

    #[test]
    fn faces_follow_from_their_seed() -> Result<(), ExampleError> {
        let [faces, same, others] = [draw(3, SIZE, 1)?, draw(3, SIZE, 1)?, draw(3, SIZE, 2)?];
        assert_eq!(faces.columns(), same.columns());
        assert_ne!(faces.columns().0, others.columns().0);
        assert_ne!(faces.columns().1, others.columns().1);
        Ok(())
    }

    #[test]
    fn pictures_are_dark_at_their_points_and_points_lie_inside() -> Result<(), ExampleError> {
        let faces = draw(30, SIZE, 3)?;
        let (pictures, points) = faces.columns();
        for face in 0..faces.len() {
            for point in points.row(face).chunks(2) {
                assert!(point.iter().all(|at| (0.05..0.95).contains(at)), "{point:?}");
                let [x, y] = [0, 1].map(|axis| (point[axis] * SIZE as f32) as usize);
                for channel in pictures.row(face).chunks(SIZE * SIZE) {
                    // Features are at most 0.35 with noise of at most 0.1, which is -0.1 in a picture; an eye covers its pixel.
                    assert!(channel[y * SIZE + x] < 0.0, "{point:?}: {}", channel[y * SIZE + x]);
                }
            }
        }
        Ok(())
    }
}
