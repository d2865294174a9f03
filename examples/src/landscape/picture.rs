//! The picture of a landscape, on whatever can be drawn on.

use super::contours::contours;
use super::{Landscape, Place};
use plotters::coord::Shift;
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;
use std::error::Error;

/// The colours of paths, one after the other.
const COLOURS: [RGBColor; 5] = [
    RGBColor(31, 119, 180),
    RGBColor(214, 39, 40),
    RGBColor(44, 160, 44),
    RGBColor(148, 103, 189),
    RGBColor(255, 127, 14),
];

/// The size of small letters, and that of the title.
const LETTERS: u32 = 15;
const TITLE: u32 = 20;

type Chart<'c, B> = ChartContext<'c, B, Cartesian2d<RangedCoordf64, RangedCoordf64>>;
type Drawn = Result<(), Box<dyn Error + Send + Sync>>;

/// Draws a landscape.
pub(super) fn draw<B: DrawingBackend>(landscape: &Landscape<'_>, area: &DrawingArea<B, Shift>) -> Drawn
where
    B::ErrorType: 'static,
{
    area.fill(&WHITE)?;
    let plane = &landscape.plane;
    let mut chart = ChartBuilder::on(area)
        .caption(landscape.title, ("sans-serif", TITLE))
        .margin(15)
        .x_label_area_size(35)
        .y_label_area_size(50)
        .build_cartesian_2d(plane.across.clone(), plane.up.clone())?;
    let letters = ("sans-serif", LETTERS);
    chart.configure_mesh().disable_mesh().label_style(letters).x_desc("x").y_desc("y").draw()?;
    draw_contours(landscape, &mut chart)?;
    draw_paths(landscape, &mut chart)?;
    chart.draw_series([Cross::new(landscape.lowest, 6, BLACK.stroke_width(2))])?;
    let labels = &mut chart.configure_series_labels();
    labels.position(SeriesLabelPosition::UpperRight).margin(12).label_font(letters);
    labels.background_style(WHITE.mix(0.9)).border_style(BLACK).draw()?;
    Ok(area.present()?)
}

/// Lines of the same loss, the darker the smaller it is.
fn draw_contours<B: DrawingBackend>(landscape: &Landscape<'_>, chart: &mut Chart<'_, B>) -> Drawn
where
    B::ErrorType: 'static,
{
    for (number, &level) in landscape.levels.iter().enumerate() {
        let light = 70.0 + 150.0 * number as f64 / landscape.levels.len() as f64;
        let colour = RGBColor(light as u8, light as u8, light as u8);
        let lines = contours(&landscape.plane, landscape.heights, level);
        chart.draw_series(lines.into_iter().map(|line| PathElement::new(line, colour)))?;
    }
    Ok(())
}

/// A line for each path, with a dot at its end, and one where the first begins.
fn draw_paths<B: DrawingBackend>(landscape: &Landscape<'_>, chart: &mut Chart<'_, B>) -> Drawn
where
    B::ErrorType: 'static,
{
    let dot = |place: Place, colour: RGBColor| Circle::new(place, 4, colour.filled());
    for ((name, path), colour) in landscape.paths.iter().zip(COLOURS.iter().cycle()) {
        let line = LineSeries::new(path.iter().copied(), colour.stroke_width(2));
        let mark = |(x, y): (i32, i32)| PathElement::new([(x, y), (x + 20, y)], colour.stroke_width(2));
        chart.draw_series(line)?.label(*name).legend(mark);
        chart.draw_series(path.last().map(|end| dot(*end, *colour)))?;
    }
    let start = landscape.paths.first().and_then(|(_, path)| path.first());
    chart.draw_series(start.map(|start| dot(*start, BLACK)))?;
    Ok(())
}
