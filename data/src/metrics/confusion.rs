//! Which classes are taken for which: the matrix, and the figures that follow from it, as scikit-learn defines them.

use std::fmt;
use thiserror::Error;

/// Why predictions cannot be counted.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum MetricError {
    /// There is not one class for each prediction.
    #[error("{predicted} predictions for {actual} classes")]
    Lengths {
        /// How many predictions there are.
        predicted: usize,
        /// How many classes there are.
        actual: usize,
    },
    /// A class that the matrix does not have.
    #[error("class {class} at position {position}, not below {classes}")]
    Class {
        /// The class.
        class: u32,
        /// Where it is.
        position: usize,
        /// How many classes there are.
        classes: usize,
    },
}

/// How many examples of each class were taken for which class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confusion {
    classes: usize,
    /// A row for each class as it is, a column for each as predicted.
    counts: Vec<u64>,
}

/// How the figures of classes become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Average {
    /// The mean over the classes that occur, as they are or as predicted.
    Macro,
    /// Of all predictions as if they were of one class. With one class for each example, each of the figures is the accuracy.
    Micro,
    /// The mean over the examples: each class counts as often as it is.
    Weighted,
}

/// How well classes are recognised. What would be divided by nothing is 0.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Scores {
    /// Of those taken for the class, the share that are of it.
    pub precision: f64,
    /// Of those of the class, the share that are taken for it.
    pub recall: f64,
    /// The harmonic mean of both.
    pub f1: f64,
}

impl Confusion {
    /// Of so many classes, nothing counted yet.
    pub fn new(classes: usize) -> Confusion {
        Confusion { classes, counts: vec![0; classes * classes] }
    }

    /// Counts predictions with the classes that are right. On an error nothing is counted.
    pub fn add(&mut self, predicted: &[u32], actual: &[u32]) -> Result<(), MetricError> {
        if predicted.len() != actual.len() {
            return Err(MetricError::Lengths { predicted: predicted.len(), actual: actual.len() });
        }
        for classes in [predicted, actual] {
            if let Some(position) = classes.iter().position(|&class| class as usize >= self.classes) {
                return Err(MetricError::Class { class: classes[position], position, classes: self.classes });
            }
        }
        for (&predicted, &actual) in predicted.iter().zip(actual) {
            self.counts[actual as usize * self.classes + predicted as usize] += 1;
        }
        Ok(())
    }

    /// How many classes there are.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// How many examples of a class were taken for a class, which may be the same. Classes are below [`Confusion::classes`].
    pub fn count(&self, actual: usize, predicted: usize) -> u64 {
        self.counts[actual * self.classes + predicted]
    }

    /// How many examples there were.
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// How many examples of a class there were.
    pub fn support(&self, class: usize) -> u64 {
        (0..self.classes).map(|predicted| self.count(class, predicted)).sum()
    }

    /// How many examples were taken for a class.
    pub fn predicted(&self, class: usize) -> u64 {
        (0..self.classes).map(|actual| self.count(actual, class)).sum()
    }

    /// The share of examples that were taken for what they are.
    pub fn accuracy(&self) -> f64 {
        ratio((0..self.classes).map(|class| self.count(class, class)).sum(), self.total())
    }

    /// How well a class is recognised.
    pub fn scores(&self, class: usize) -> Scores {
        Scores::new(self.count(class, class), self.predicted(class), self.support(class))
    }

    /// How well the classes are recognised together.
    pub fn average(&self, average: Average) -> Scores {
        let occurs = |class: &usize| self.support(*class) + self.predicted(*class) > 0;
        let classes = (0..self.classes).filter(occurs);
        match average {
            Average::Micro => {
                let right = (0..self.classes).map(|class| self.count(class, class)).sum();
                Scores::new(right, self.total(), self.total())
            }
            Average::Macro => mean(classes.map(|class| (self.scores(class), 1))),
            Average::Weighted => mean(classes.map(|class| (self.scores(class), self.support(class)))),
        }
    }

    /// A table of the figures, class by class.
    pub fn report(&self) -> Report<'_> {
        Report { confusion: self }
    }
}

impl Scores {
    /// Out of how many were right, how many were taken for the class, and how many are of it.
    fn new(right: u64, predicted: u64, actual: u64) -> Scores {
        Scores {
            precision: ratio(right, predicted),
            recall: ratio(right, actual),
            f1: ratio(2 * right, predicted + actual),
        }
    }
}

fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

fn mean(scores: impl Iterator<Item = (Scores, u64)>) -> Scores {
    let (mut sum, mut total) = (Scores::default(), 0);
    for (Scores { precision, recall, f1 }, weight) in scores {
        sum.precision += precision * weight as f64;
        sum.recall += recall * weight as f64;
        sum.f1 += f1 * weight as f64;
        total += weight;
    }
    // Of no classes all sums are 0.
    let total = total.max(1) as f64;
    Scores { precision: sum.precision / total, recall: sum.recall / total, f1: sum.f1 / total }
}

/// The matrix: a row for each class as it is, a column for each as predicted.
impl fmt::Display for Confusion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let largest = self.counts.iter().max().copied().unwrap_or(0).max(self.classes as u64);
        let width = largest.to_string().len() + 1;
        write!(f, "{:6}", "")?;
        (0..self.classes).try_for_each(|class| write!(f, "{class:>width$}"))?;
        for actual in 0..self.classes {
            write!(f, "\n{actual:>6}")?;
            (0..self.classes).try_for_each(|predicted| write!(f, "{:>width$}", self.count(actual, predicted)))?;
        }
        Ok(())
    }
}

/// A table of precision, recall and F1, as it is printed.
#[derive(Clone, Copy, Debug)]
pub struct Report<'c> {
    confusion: &'c Confusion,
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>8} {:>9} {:>9} {:>9} {:>9}", "class", "precision", "recall", "f1", "examples")?;
        let mut line = |name: &str, scores: Scores, examples: u64| {
            let Scores { precision, recall, f1 } = scores;
            write!(f, "\n{name:>8} {precision:>9.3} {recall:>9.3} {f1:>9.3} {examples:>9}")
        };
        let confusion = self.confusion;
        for class in 0..confusion.classes() {
            line(&class.to_string(), confusion.scores(class), confusion.support(class))?;
        }
        line("macro", confusion.average(Average::Macro), confusion.total())?;
        line("micro", confusion.average(Average::Micro), confusion.total())?;
        line("weighted", confusion.average(Average::Weighted), confusion.total())
    }
}
