//! A loss over a plane of two parameters, drawn as a map: contours, and the paths that optimizers take. What enters are
//! heights at the points of a grid and paths; what leaves are pictures in SVG and PNG.

mod contours;
mod letters;
mod picture;

use letters::Lettered;
use plotters::prelude::{BitMapBackend, IntoDrawingArea, SVGBackend};
use std::error::Error;
use std::fs::File;
use std::io::BufWriter;
use std::ops::Range;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Columns of pixels of a picture, and rows.
const PIXELS: (u32, u32) = (900, 700);

/// A place in the plane.
pub type Place = (f64, f64);

/// A part of the plane with a grid over it.
#[derive(Clone, Debug)]
pub struct Plane {
    /// The values of the first parameter.
    pub across: Range<f64>,
    /// The values of the second one.
    pub up: Range<f64>,
    /// How many points the grid has along each, at least two.
    pub points: (usize, usize),
}

impl Plane {
    /// The places of all points, row by row.
    pub fn places(&self) -> impl Iterator<Item = Place> {
        let (columns, rows) = self.points;
        (0..columns * rows).map(move |point| self.place(point))
    }

    fn place(&self, point: usize) -> Place {
        let (columns, rows) = self.points;
        let between = |range: &Range<f64>, at: usize, points: usize| {
            range.start + (range.end - range.start) * at as f64 / (points - 1) as f64
        };
        (between(&self.across, point % columns, columns), between(&self.up, point / columns, rows))
    }
}

/// What is drawn.
pub struct Landscape<'l> {
    /// What is written above.
    pub title: &'l str,
    /// Where it lies.
    pub plane: Plane,
    /// The loss at the points of the grid, row by row.
    pub heights: &'l [f32],
    /// The losses that contours join, in rising order.
    pub levels: &'l [f32],
    /// The places that each optimizer came to, with its name.
    pub paths: &'l [(&'l str, Vec<Place>)],
    /// Where the loss is least.
    pub lowest: Place,
}

/// Why a picture is not drawn.
#[derive(Debug, Error)]
#[error("{}: {source}", file.display())]
pub struct LandscapeError {
    file: PathBuf,
    source: Box<dyn Error + Send + Sync>,
}

impl Landscape<'_> {
    /// Writes the picture as lines and words.
    pub fn write_svg(&self, file: &Path) -> Result<(), LandscapeError> {
        self.svg(file).map_err(|source| LandscapeError { file: file.to_path_buf(), source })
    }

    /// Writes the picture as pixels.
    pub fn write_png(&self, file: &Path) -> Result<(), LandscapeError> {
        self.png(file).map_err(|source| LandscapeError { file: file.to_path_buf(), source })
    }

    fn svg(&self, file: &Path) -> Result<(), Box<dyn Error + Send + Sync>> {
        let mut text = String::new();
        picture::draw(self, &SVGBackend::with_string(&mut text, PIXELS).into_drawing_area())?;
        Ok(std::fs::write(file, text)?)
    }

    fn png(&self, file: &Path) -> Result<(), Box<dyn Error + Send + Sync>> {
        let (columns, rows) = PIXELS;
        let mut pixels = vec![0; 3 * (columns * rows) as usize];
        let backend = Lettered(BitMapBackend::with_buffer(&mut pixels, PIXELS));
        picture::draw(self, &backend.into_drawing_area())?;
        let mut encoder = png::Encoder::new(BufWriter::new(File::create(file)?), columns, rows);
        encoder.set_color(png::ColorType::Rgb);
        let mut writer = encoder.write_header()?;
        writer.write_image_data(&pixels)?;
        Ok(writer.finish()?)
    }
}

#[cfg(test)]
mod tests;
