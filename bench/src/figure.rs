//! One figure: its samples, and the line that is printed.
//!
//! Lives here: median, percentile, least and most; the JSON of a line; the files of lines.
//! Must not: measure.

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;

use serde_json::json;

/// Samples of one thing.
#[derive(Clone, Debug)]
pub(crate) struct Figure {
    name: &'static str,
    case: String,
    unit: &'static str,
    samples: Vec<f64>,
}

impl Figure {
    pub(crate) fn new(name: &'static str, case: impl Into<String>, unit: &'static str) -> Self {
        Self { name, case: case.into(), unit, samples: Vec::new() }
    }

    /// A figure of one sample.
    pub(crate) fn one(name: &'static str, case: impl Into<String>, unit: &'static str, sample: f64) -> Self {
        Self { samples: vec![sample], ..Self::new(name, case, unit) }
    }

    pub(crate) fn add(&mut self, sample: f64) {
        self.samples.push(sample);
    }

    /// The samples of another one.
    pub(crate) fn take(&mut self, other: Self) {
        self.samples.extend(other.samples);
    }

    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    pub(crate) fn count(&self) -> usize {
        self.samples.len()
    }

    pub(crate) fn median(&self) -> f64 {
        percentile(&self.samples, 50)
    }

    /// `{"figure","case","unit","n","median","min","max"}`.
    pub(crate) fn line(&self) -> String {
        let at = |percent| {
            let value = percentile(&self.samples, percent);
            value.is_finite().then(|| (value * 1e3).round() / 1e3)
        };
        json!({
            "figure": self.name,
            "case": self.case,
            "unit": self.unit,
            "n": self.samples.len(),
            "median": at(50),
            "min": at(0),
            "max": at(100),
        })
        .to_string()
    }
}

/// The sample that so many of a hundred do not exceed; not a number if there is none.
pub(crate) fn percentile(samples: &[f64], percent: usize) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = sorted.len().saturating_sub(1) * percent;
    sorted.get((at + 50) / 100).copied().unwrap_or(f64::NAN)
}

/// The lines of one part of the benchmark, on standard output as they come.
#[derive(Debug)]
pub(crate) enum Sheet {
    /// And in `target/bench/`.
    Whole(fs::File),
    /// Measured as briefly as can be: it is done many times, and they are compared.
    Short,
}

impl Sheet {
    pub(crate) fn new(part: &str) -> anyhow::Result<Self> {
        Ok(Self::Whole(fs::File::create(folder()?.join(part).with_extension("jsonl"))?))
    }

    /// The first for a whole sheet, the other for a short one.
    pub(crate) fn either<T>(&self, whole: T, short: T) -> T {
        match self {
            Self::Whole(_) => whole,
            Self::Short => short,
        }
    }

    #[expect(clippy::print_stdout, reason = "the figures are what the program is for")]
    pub(crate) fn put(&mut self, figure: &Figure) -> anyhow::Result<()> {
        let line = figure.line();
        println!("{line}");
        match self {
            Self::Whole(file) => Ok(writeln!(file, "{line}")?),
            Self::Short => Ok(()),
        }
    }
}

/// Where figures are kept.
pub(crate) fn folder() -> anyhow::Result<PathBuf> {
    let folder = ahoy_tests::lab::root().join("target/bench");
    fs::create_dir_all(&folder)?;
    Ok(folder)
}

/// A word to the person who waits.
pub(crate) fn tell(text: &str) {
    eprintln!("{text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_tells_the_median_and_the_extremes() {
        let mut figure = Figure::new("x_ms", "calm", "ms");
        [3.0, 1.0, 2.0].into_iter().for_each(|sample| figure.add(sample));
        let line: serde_json::Value = serde_json::from_str(&figure.line()).unwrap();
        assert_eq!((&line["median"], &line["min"], &line["max"]), (&json!(2.0), &json!(1.0), &json!(3.0)));
        assert_eq!((&line["n"], &line["case"]), (&json!(3), &json!("calm")));
        let none: serde_json::Value = serde_json::from_str(&Figure::new("y", "", "ms").line()).unwrap();
        assert!(none["median"].is_null(), "what was not measured is no number");
    }

    #[test]
    fn a_percentile_is_a_sample() {
        let hundred: Vec<f64> = (0_u32..101).map(f64::from).collect();
        assert!(
            (percentile(&hundred, 99) - 99.0).abs() < 1e-9 && (percentile(&hundred, 50) - 50.0).abs() < 1e-9
        );
        assert!(percentile(&[], 50).is_nan());
    }
}
