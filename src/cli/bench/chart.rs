//! A line chart as SVG: sizes on a logarithmic axis, values from zero.

use std::fmt::Write as _;

/// One line of a chart.
pub struct Line {
    pub name: String,
    /// (size, value), ascending by size.
    pub points: Vec<(f64, f64)>,
}

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 360.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 150.0;
const TOP: f64 = 40.0;
const BOTTOM: f64 = 50.0;
/// Told apart also by readers who do not see red and green (Okabe and Ito).
const COLOURS: [&str; 6] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"];
/// Values on the vertical axis.
const MARKS: u32 = 5;

/// The least of 1, 2 and 5 times a power of ten that is not below `value`.
fn round_up(value: f64) -> f64 {
    let power = 10_f64.powf(value.max(f64::MIN_POSITIVE).log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].into_iter().find(|step| step * power >= value);
    step.unwrap_or(10.0) * power
}

/// The chart's file.
pub fn svg(title: &str, sizes: &str, lines: &[Line]) -> String {
    let all = || lines.iter().flat_map(|line| &line.points);
    let most = round_up(all().map(|(_, value)| *value).fold(0.0, f64::max));
    let least_size = all().map(|(size, _)| size.log10()).fold(f64::INFINITY, f64::min);
    let most_size = all().map(|(size, _)| size.log10()).fold(f64::NEG_INFINITY, f64::max);
    // A single size stands in the middle.
    let span = if most_size > least_size { most_size - least_size } else { 1.0 };
    let shift = if most_size > least_size { 0.0 } else { 0.5 };
    let x = |size: f64| LEFT + (WIDTH - LEFT - RIGHT) * ((size.log10() - least_size) / span + shift);
    let y = |value: f64| HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * value / most;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n<text x=\"{LEFT}\" y=\"22\" font-size=\"15\">{title}</text>\n"
    );
    let mut add = |line: String| writeln!(out, "{line}").expect("writing to a string");
    for mark in 0..=MARKS {
        let value = most * f64::from(mark) / f64::from(MARKS);
        let (height, end) = (y(value), WIDTH - RIGHT);
        add(format!("<line x1=\"{LEFT}\" y1=\"{height:.1}\" x2=\"{end}\" y2=\"{height:.1}\" stroke=\"#ddd\"/>"));
        let digits = usize::from(most < f64::from(MARKS) * 2.0);
        add(format!("<text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{value:.digits$}</text>", LEFT - 8.0, height + 4.0));
    }
    let mut marked: Vec<f64> = all().map(|(size, _)| *size).collect();
    marked.sort_by(f64::total_cmp);
    marked.dedup();
    for size in marked {
        add(format!("<text x=\"{:.1}\" y=\"{}\" text-anchor=\"middle\">{size:.0}</text>", x(size), HEIGHT - BOTTOM + 18.0));
    }
    let middle = LEFT + (WIDTH - LEFT - RIGHT) / 2.0;
    add(format!("<text x=\"{middle}\" y=\"{}\" text-anchor=\"middle\">{sizes}</text>", HEIGHT - 12.0));
    for (line, colour) in lines.iter().zip(COLOURS.iter().cycle()) {
        let path: Vec<_> = line.points.iter().map(|(size, value)| format!("{:.1},{:.1}", x(*size), y(*value))).collect();
        add(format!("<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>", path.join(" ")));
        for (size, value) in &line.points {
            add(format!("<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"3.5\" fill=\"{colour}\"/>", x(*size), y(*value)));
        }
        if let Some((size, value)) = line.points.last() {
            add(format!("<text x=\"{:.1}\" y=\"{:.1}\" fill=\"{colour}\">{}</text>", x(*size) + 10.0, y(*value) + 4.0, line.name));
        }
    }
    out.push_str("</svg>\n");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_ends_at_a_round_value() {
        for (value, end) in [(0.7, 1.0), (1.0, 1.0), (1.1, 2.0), (4_300.0, 5_000.0), (5_100.0, 10_000.0)] {
            assert!((round_up(value) - end).abs() < 1e-9, "{value}");
        }
    }

    #[test]
    fn every_point_has_its_place_inside() {
        let line = Line { name: "4 validators".into(), points: vec![(10_000.0, 900.0), (1_000_000.0, 450.0)] };
        let chart = svg("rate", "records", &[line]);
        assert!(chart.contains("points=\"70.0,67.0 570.0,188.5\""), "{chart}");
        let alone = svg("rate", "records", &[Line { name: "x".into(), points: vec![(10_000.0, 1.0)] }]);
        assert!(alone.contains("cx=\"320.0\" cy=\"40.0\""), "{alone}");
    }
}
