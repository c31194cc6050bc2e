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
    // Words come last, so that no line runs through them that was drawn later.
    let marks = series.iter().filter(|one| one.stroke != Stroke::Posts).flat_map(|one| &one.points);
    let mut room = Room(marks.map(|point| around(chart.backend_coord(point))).collect());
    for (point, words) in series.iter().flat_map(|one| &one.words) {
        let at = room.place(chart.backend_coord(point), words);
        area.draw(&Text::new(words.as_str(), at, FONT.into_font().color(&INK)))?;
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
            return Ok(());
        }
    }
    // Shapes tell series apart where colours do not.
    match series.number % 3 {
        0 => chart.draw_series(points.map(|point| Circle::new(point, 4, colour.filled())))?,
        1 => chart.draw_series(points.map(|point| TriangleMarker::new(point, 6, colour.filled())))?,
        _ => chart.draw_series(points.map(|point| Cross::new(point, 4, colour.stroke_width(2))))?,
    };
    Ok(())
}

/// The room that the mark of a point takes.
fn around((x, y): (i32, i32)) -> [i32; 4] {
    [x - 4, y - 4, x + 4, y + 4]
}

/// What stands somewhere already.
#[derive(Debug, Default)]
struct Room(Vec<[i32; 4]>);

/// The height of a line of words, in pixels.
const LINE: i32 = 16;

/// About how wide a letter is, in pixels.
const LETTER: i32 = 9;

impl Room {
    /// A place for words beside a point: above it, below it, or as near as there is room.
    fn place(&mut self, (x, y): (i32, i32), words: &str) -> (i32, i32) {
        let width = LETTER * i32::try_from(words.chars().count()).unwrap_or(0);
        let near = (0..)
            .map(|turn: i32| if turn % 2 == 0 { -LINE * (turn / 2) - 14 } else { LINE * (turn / 2) + 5 });
        let boxed = |shift: i32| [x + 8, y + shift, x + 8 + width, y + shift + LINE];
        let is_free = |one: &[i32; 4]| {
            self.0.iter().all(|other| {
                one[0] >= other[2] || other[0] >= one[2] || one[1] >= other[3] || other[1] >= one[3]
            })
        };
        let found = near.take(16).map(boxed).find(is_free).unwrap_or_else(|| boxed(-14));
        self.0.push(found);
        (found[0], found[1])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_at_one_point_stand_below_one_another_and_those_elsewhere_stay() {
        let mut room = Room::default();
        let placed: Vec<_> = (0..4).map(|_| room.place((100, 100), "c=50")).collect();
        assert_eq!(placed[0], (108, 86));
        let mut heights: Vec<_> = placed.iter().map(|(_, y)| *y).collect();
        heights.sort_unstable();
        assert!(heights.windows(2).all(|two| two[1] - two[0] >= LINE), "{heights:?}");
        assert_eq!(room.place((300, 100), "c=50"), (308, 86));
    }
}
