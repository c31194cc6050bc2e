//! Draws a figure as SVG. Its colours are names: the page's style sheet says what each looks like by day, by night, in print.

use plotters::coord::Shift;
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;

/// Text, axes and marks of failures.
const INK: RGBColor = RGBColor(1, 1, 1);
/// Lines behind the data.
const GRID: RGBColor = RGBColor(2, 2, 2);
/// How many colours series have before they begin anew.
const SHADES: u8 = 6;

/// Width of every figure.
const WIDTH: u32 = 760;
const FONT: (&str, u32) = ("sans-serif", 17);

/// One axis.
#[derive(Debug, Clone, Copy)]
pub(super) struct Axis {
    pub(super) name: &'static str,
    pub(super) from: f64,
    pub(super) to: f64,
    /// What stands at a value; nothing where it is empty.
    pub(super) label: fn(f64) -> String,
    /// How many labels there are, about.
    pub(super) labels: usize,
}

/// How the points of a series are joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stroke {
    Solid,
    Dashed,
    /// Not at all: crosses alone.
    Crosses,
    /// Not at all: an upright line at each, from the axis up to it.
    Posts,
}

/// A series with words at some of its points.
#[derive(Debug, Clone)]
pub(super) struct Series {
    pub(super) number: usize,
    pub(super) stroke: Stroke,
    pub(super) points: Vec<(f64, f64)>,
    pub(super) words: Vec<((f64, f64), String)>,
}

/// A figure.
#[derive(Debug, Clone)]
pub(super) struct Figure {
    pub(super) height: u32,
    pub(super) x: Axis,
    pub(super) y: Axis,
    pub(super) series: Vec<Series>,
}

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Chart<'a> = ChartContext<'a, SVGBackend<'a>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;
type Drawn = Result<(), Box<dyn std::error::Error>>;

/// The figure as an SVG element.
pub(super) fn svg(figure: &Figure) -> String {
    let mut text = String::new();
    let area = SVGBackend::with_string(&mut text, (WIDTH, figure.height)).into_drawing_area();
    draw(figure, &area).expect("drawing into a string cannot fail");
    drop(area);
    text
}

fn draw(figure: &Figure, area: &Area<'_>) -> Drawn {
    let Figure { x, y, series, .. } = figure;
    let mut chart = ChartBuilder::on(area)
        .margin(12)
        .margin_right(70)
        .x_label_area_size(44)
        .y_label_area_size(70)
        .build_cartesian_2d(x.from..x.to, y.from..y.to)?;
    chart
        .configure_mesh()
        .x_desc(x.name)
        .y_desc(y.name)
        .x_labels(x.labels)
        .y_labels(y.labels)
        .x_label_formatter(&|value| (x.label)(*value))
        .y_label_formatter(&|value| (y.label)(*value))
        .axis_style(INK)
        .bold_line_style(GRID)
        .light_line_style(TRANSPARENT)
        .label_style(FONT.into_font().color(&INK))
        .draw()?;
    for one in series {
        draw_series(&mut chart, one)?;
    }
    area.present()?;
    Ok(())
}

fn draw_series(chart: &mut Chart<'_>, series: &Series) -> Drawn {
    let shade = u8::try_from(series.number % usize::from(SHADES)).unwrap_or(0);
    let colour = RGBColor(16 + shade, 0, 0);
    let points = series.points.iter().copied();
    match series.stroke {
        Stroke::Solid => {
            chart.draw_series(LineSeries::new(points.clone(), colour.stroke_width(2)))?;
        }
        Stroke::Dashed => {
            chart.draw_series(DashedLineSeries::new(points.clone(), 7, 5, colour.stroke_width(2)))?;
        }
        Stroke::Crosses => {
            chart.draw_series(points.map(|point| Cross::new(point, 5, INK.stroke_width(2))))?;
            return Ok(());
        }
        Stroke::Posts => {
            for (x, top) in points {
                chart.draw_series(DashedLineSeries::new([(x, 0.0), (x, top)], 3, 3, INK.stroke_width(1)))?;
            }
            return draw_words(chart, series);
        }
    }
    // Shapes tell series apart where colours do not.
    match series.number % 3 {
        0 => chart.draw_series(points.map(|point| Circle::new(point, 4, colour.filled())))?,
        1 => chart.draw_series(points.map(|point| TriangleMarker::new(point, 6, colour.filled())))?,
        _ => chart.draw_series(points.map(|point| Cross::new(point, 4, colour.stroke_width(2))))?,
    };
    draw_words(chart, series)
}

fn draw_words(chart: &mut Chart<'_>, series: &Series) -> Drawn {
    let words = series.words.iter().map(|(point, words)| {
        EmptyElement::at(*point) + Text::new(words.clone(), (8, -14), FONT.into_font().color(&INK))
    });
    chart.draw_series(words)?;
    Ok(())
}
