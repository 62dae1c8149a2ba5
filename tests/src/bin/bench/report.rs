//! Figures, their goals, and how they are shown.

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::json;

/// What was measured.
#[derive(Debug, Clone)]
pub(crate) struct Figure {
    what: String,
    unit: &'static str,
    goal: Option<Goal>,
    /// How many measurements, or how many things in a measurement of a rate.
    n: usize,
    median: f64,
    p99: Option<f64>,
    /// The figure of ours that this one of another program is to be compared with.
    beside: Option<&'static str>,
}

#[derive(Debug, Clone, Copy)]
enum Goal {
    AtMost(f64),
    AtLeast(f64),
    /// So many times another figure at most.
    Within(f64, &'static str),
}

impl Figure {
    /// Durations, shown in milliseconds. There must be one at least.
    pub(crate) fn times(what: impl Into<String>, mut samples: Vec<Duration>) -> Self {
        samples.sort_unstable();
        let n = samples.len();
        let at = |index: usize| samples.get(index).map_or(f64::NAN, |sample| sample.as_secs_f64() * 1e3);
        // Of few measurements the 99th part is the worst one, which says little: leave it out.
        let p99 = (n >= 20).then(|| at((n * 99).div_ceil(100) - 1));
        Self { p99, ..Self::value(what, "ms", n, at(n / 2)) }
    }

    /// So many things done in that time.
    pub(crate) fn rate(what: impl Into<String>, n: usize, took: Duration) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "they are thousands")]
        Self::value(what, "/s", n, n as f64 / took.as_secs_f64())
    }

    /// Rates of so many things done, each measured by itself: the middle one. There must be one at least.
    pub(crate) fn rates(what: impl Into<String>, n: usize, mut rates: Vec<f64>) -> Self {
        rates.sort_unstable_by(f64::total_cmp);
        Self::value(what, "/s", n, rates.get(rates.len() / 2).copied().unwrap_or(f64::NAN))
    }

    /// One value.
    pub(crate) fn value(what: impl Into<String>, unit: &'static str, n: usize, value: f64) -> Self {
        Self { what: what.into(), unit, goal: None, n, median: value, p99: None, beside: None }
    }

    /// What it came to, in its unit.
    pub(crate) fn median(&self) -> f64 {
        self.median
    }

    /// The same under another name.
    pub(crate) fn named(self, what: impl Into<String>) -> Self {
        Self { what: what.into(), ..self }
    }

    /// What its slowest measurements came to, in place of the median.
    pub(crate) fn worst(self) -> Self {
        Self { median: self.p99.unwrap_or(self.median), ..self }
    }

    /// It is to be no more than that.
    pub(crate) fn at_most(self, goal: f64) -> Self {
        Self { goal: Some(Goal::AtMost(goal)), ..self }
    }

    /// It is to be no less than that.
    pub(crate) fn at_least(self, goal: f64) -> Self {
        Self { goal: Some(Goal::AtLeast(goal)), ..self }
    }

    /// It is to be no more than so many times that other figure.
    pub(crate) fn within(self, times: f64, of: &'static str) -> Self {
        Self { goal: Some(Goal::Within(times, of)), ..self }
    }

    /// It is of another program, and the same as this one of ours.
    pub(crate) fn beside(self, ours: &'static str) -> Self {
        Self { beside: Some(ours), ..self }
    }

    /// Nothing where there is no goal, or where that other figure was not measured.
    fn is_met(&self, all: &[Self]) -> Option<bool> {
        Some(match self.goal? {
            Goal::AtMost(most) => self.median <= most,
            Goal::AtLeast(least) => self.median >= least,
            Goal::Within(times, of) => self.median <= times * named(all, of)?.median,
        })
    }

    fn goal(&self) -> String {
        match self.goal {
            None => String::new(),
            Some(Goal::AtMost(most)) => format!("≤ {} {}", short(most), self.unit),
            Some(Goal::AtLeast(least)) => format!("≥ {least} {}", self.unit),
            Some(Goal::Within(times, of)) => format!("≤ {times} × {of}"),
        }
    }

    /// How many times better ours is than this one of another program.
    fn ratio(&self, all: &[Self]) -> Option<f64> {
        let ours = named(all, self.beside?)?;
        // Of times less is better, of rates more.
        Some(if self.unit == "/s" { ours.median / self.median } else { self.median / ours.median })
    }

    fn remark(&self, all: &[Self]) -> String {
        match (self.is_met(all), self.ratio(all)) {
            (Some(true), _) => "met".to_owned(),
            (Some(false), _) => "MISSED".to_owned(),
            (None, Some(ratio)) => format!("hive is {ratio:.2} × as good"),
            (None, None) => String::new(),
        }
    }
}

fn named<'a>(all: &'a [Figure], what: &str) -> Option<&'a Figure> {
    all.iter().find(|figure| figure.what == what)
}

/// The figures as one JSON array, with a line end.
pub(crate) fn json(figures: &[Figure]) -> anyhow::Result<String> {
    let rows = figures.iter().map(|figure| {
        json!({
            "what": figure.what,
            "unit": figure.unit,
            "goal": figure.goal.map(|_| figure.goal()),
            "met": figure.is_met(figures),
            "n": figure.n,
            "median": figure.median,
            "p99": figure.p99,
            "times_as_good": figure.ratio(figures),
        })
    });
    Ok(serde_json::to_string_pretty(&rows.collect::<Vec<_>>())? + "\n")
}

/// The figures as a table for people.
pub(crate) fn table(figures: &[Figure]) -> String {
    let mut rows = vec![["what", "goal", "n", "median", "p99", ""].map(str::to_owned)];
    rows.extend(figures.iter().map(|figure| {
        [
            figure.what.clone(),
            figure.goal(),
            figure.n.to_string(),
            format!("{} {}", short(figure.median), figure.unit),
            figure.p99.map(short).unwrap_or_default(),
            figure.remark(figures),
        ]
    }));
    let widths: Vec<usize> = (0..6)
        .map(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default())
        .collect();
    let mut text = String::new();
    for row in &rows {
        let mut line = String::new();
        for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
            // Numbers stand below each other.
            let is_number = (2..5).contains(&column);
            let _ =
                if is_number { write!(line, "{cell:>width$}  ") } else { write!(line, "{cell:<width$}  ") };
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// Three digits or so.
fn short(value: f64) -> String {
    if value.abs() >= 100.0 || value.fract() == 0.0 {
        format!("{value:.0}")
    } else if value.abs() >= 10.0 {
        format!("{value:.1}")
    } else {
        format!("{value:.2}")
    }
}
