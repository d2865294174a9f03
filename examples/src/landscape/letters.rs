//! Letters of 8 x 8 pixels for pictures that are made of pixels: what they need of fonts is in this program, so that pictures
//! are the same on every machine.

use font8x8::legacy::BASIC_LEGACY;
use plotters::prelude::DrawingBackend;
use plotters_backend::text_anchor::{HPos, VPos};
use plotters_backend::{BackendColor, BackendCoord, BackendTextStyle, DrawingErrorKind};

/// Rows of a letter, and columns.
const EDGE: usize = 8;

/// Something to draw on that is given letters.
pub(super) struct Lettered<B>(pub B);

impl<B: DrawingBackend> DrawingBackend for Lettered<B> {
    type ErrorType = B::ErrorType;

    fn get_size(&self) -> (u32, u32) {
        self.0.get_size()
    }

    fn ensure_prepared(&mut self) -> Result<(), DrawingErrorKind<B::ErrorType>> {
        self.0.ensure_prepared()
    }

    fn present(&mut self) -> Result<(), DrawingErrorKind<B::ErrorType>> {
        self.0.present()
    }

    fn draw_pixel(&mut self, at: BackendCoord, color: BackendColor) -> Result<(), DrawingErrorKind<B::ErrorType>> {
        self.0.draw_pixel(at, color)
    }

    fn draw_text<S: BackendTextStyle>(
        &mut self,
        text: &str,
        style: &S,
        (x, y): BackendCoord,
    ) -> Result<(), DrawingErrorKind<B::ErrorType>> {
        let scale = scale(style.size());
        let (width, height) = extent(text, scale);
        let left = match style.anchor().h_pos {
            HPos::Left => 0,
            HPos::Center => width / 2,
            HPos::Right => width,
        };
        let top = match style.anchor().v_pos {
            VPos::Top => 0,
            VPos::Center => height / 2,
            VPos::Bottom => height,
        };
        for row in 0..height {
            for column in (0..width).filter(|&column| is_inked(text, column / scale, row / scale)) {
                let (across, down) = style.transform().transform(column - left, row - top);
                self.draw_pixel((x + across, y + down), style.color())?;
            }
        }
        Ok(())
    }

    fn estimate_text_size<S: BackendTextStyle>(
        &self,
        text: &str,
        style: &S,
    ) -> Result<(u32, u32), DrawingErrorKind<B::ErrorType>> {
        let (width, height) = extent(text, scale(style.size()));
        Ok((width as u32, height as u32))
    }
}

/// How many pixels a pixel of a letter takes, in each direction.
fn scale(size: f64) -> i32 {
    ((size / EDGE as f64) as i32).max(1)
}

fn extent(text: &str, scale: i32) -> (i32, i32) {
    ((EDGE * text.chars().count()) as i32 * scale, EDGE as i32 * scale)
}

/// Whether a pixel of a line of text is part of its letter; those that are not in the font are blanks.
fn is_inked(text: &str, column: i32, row: i32) -> bool {
    let (column, row) = (column as usize, row as usize);
    let letter = text.chars().nth(column / EDGE).and_then(|letter| BASIC_LEGACY.get(letter as usize));
    letter.is_some_and(|rows| rows[row] >> (column % EDGE) & 1 == 1)
}
