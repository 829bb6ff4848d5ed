//! One figure: its samples, and the line that is printed.
//!
//! Lives here: median, least and most; the JSON of a line.
//! Must not: measure.

use serde_json::json;

/// Samples of one thing.
#[derive(Debug)]
pub(crate) struct Figure {
    name: &'static str,
    unit: &'static str,
    samples: Vec<f64>,
}

impl Figure {
    pub(crate) fn new(name: &'static str, unit: &'static str) -> Self {
        Self { name, unit, samples: Vec::new() }
    }

    pub(crate) fn add(&mut self, sample: f64) {
        self.samples.push(sample);
    }

    /// `{"figure","case","unit","n","median","min","max"}`.
    pub(crate) fn line(&self) -> String {
        let mut sorted = self.samples.clone();
        sorted.sort_by(f64::total_cmp);
        let at = |place: usize| sorted.get(place).map(|value| (value * 1e3).round() / 1e3);
        json!({
            "figure": self.name,
            "case": "",
            "unit": self.unit,
            "n": sorted.len(),
            "median": at(sorted.len() / 2),
            "min": at(0),
            "max": at(sorted.len().saturating_sub(1)),
        })
        .to_string()
    }
}

/// The one place that prints.
#[expect(clippy::print_stdout, reason = "the figures are what the program is for")]
pub(crate) fn print(line: &str) {
    println!("{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_tells_the_median_and_the_extremes() {
        let mut figure = Figure::new("x_ms", "ms");
        [3.0, 1.0, 2.0].into_iter().for_each(|sample| figure.add(sample));
        let line: serde_json::Value = serde_json::from_str(&figure.line()).unwrap();
        assert_eq!((&line["median"], &line["min"], &line["max"]), (&json!(2.0), &json!(1.0), &json!(3.0)));
        assert_eq!(line["n"], 3);
    }
}
