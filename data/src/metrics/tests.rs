//! Metrics against numbers computed by hand, and against the examples of scikit-learn's documentation.

use super::*;

/// Figures agree when they differ by less than this.
const TOLERANCE: f64 = 1e-12;

fn confusion(classes: usize, actual: &[u32], predicted: &[u32]) -> Confusion {
    let mut confusion = Confusion::new(classes);
    confusion.add(predicted, actual).expect("they go together");
    confusion
}

fn assert_scores(found: Scores, precision: f64, recall: f64, f1: f64) {
    let expected = Scores { precision, recall, f1 };
    let far = (found.precision - precision).abs().max((found.recall - recall).abs()).max((found.f1 - f1).abs());
    assert!(far < TOLERANCE, "{found:?} is not {expected:?}");
}

#[test]
fn a_loss_is_the_mean_over_examples_not_over_batches() {
    let mut loss = RunningMean::new();
    assert!(loss.mean().is_nan() && loss.count() == 0);
    loss.add(0.5f32, 3);
    loss.add(2.0f64, 1);
    assert_eq!((loss.mean(), loss.count()), (0.875, 4));
}

#[test]
fn the_matrix_is_that_of_the_documentation() {
    // sklearn.metrics.confusion_matrix
    let confusion = confusion(3, &[2, 0, 2, 2, 0, 1], &[0, 0, 2, 2, 0, 2]);
    let rows: Vec<Vec<u64>> = (0..3).map(|a| (0..3).map(|p| confusion.count(a, p)).collect()).collect();
    assert_eq!(rows, [[2, 0, 0], [0, 0, 1], [1, 0, 2]]);
    assert_eq!((confusion.total(), confusion.support(2), confusion.predicted(2)), (6, 3, 3));
    assert_eq!(confusion.to_string(), "       0 1 2\n     0 2 0 0\n     1 0 0 1\n     2 1 0 2");
}

#[test]
fn averages_are_those_of_the_documentation() {
    // sklearn.metrics.precision_score, recall_score and f1_score share this example.
    let confusion = confusion(3, &[0, 1, 2, 0, 1, 2], &[0, 2, 1, 0, 0, 1]);
    assert_scores(confusion.scores(0), 2.0 / 3.0, 1.0, 0.8);
    assert_scores(confusion.scores(1), 0.0, 0.0, 0.0);
    assert_scores(confusion.scores(2), 0.0, 0.0, 0.0);
    assert_scores(confusion.average(Average::Macro), 2.0 / 9.0, 1.0 / 3.0, 0.8 / 3.0);
    assert_scores(confusion.average(Average::Micro), 1.0 / 3.0, 1.0 / 3.0, 1.0 / 3.0);
    assert_scores(confusion.average(Average::Weighted), 2.0 / 9.0, 1.0 / 3.0, 0.8 / 3.0);
}

#[test]
fn the_report_is_that_of_the_documentation() {
    // sklearn.metrics.classification_report, whose table has two decimals: 0.50 0.56 0.49 and 0.70 0.60 0.61.
    let confusion = confusion(3, &[0, 1, 2, 2, 2], &[0, 0, 2, 2, 1]);
    assert_scores(confusion.average(Average::Macro), 0.5, 5.0 / 9.0, (2.0 / 3.0 + 0.0 + 0.8) / 3.0);
    assert_scores(confusion.average(Average::Weighted), 0.7, 0.6, (2.0 / 3.0 + 3.0 * 0.8) / 5.0);
    assert!((confusion.accuracy() - 0.6).abs() < TOLERANCE);
    let expected = "   class precision    recall        f1  examples
       0     0.500     1.000     0.667         1
       1     0.000     0.000     0.000         1
       2     1.000     0.667     0.800         3
   macro     0.500     0.556     0.489         5
   micro     0.600     0.600     0.600         5
weighted     0.700     0.600     0.613         5";
    assert_eq!(confusion.report().to_string(), expected);
}

#[test]
fn two_classes_are_as_by_hand() {
    // 3 of 4 found, and 1 of 6 others taken for one of them.
    let confusion = confusion(2, &[1, 1, 1, 1, 0, 0, 0, 0, 0, 0], &[1, 1, 1, 0, 1, 0, 0, 0, 0, 0]);
    assert_scores(confusion.scores(1), 0.75, 0.75, 0.75);
    assert_scores(confusion.scores(0), 5.0 / 6.0, 5.0 / 6.0, 5.0 / 6.0);
    assert!((confusion.accuracy() - 0.8).abs() < TOLERANCE);
}

#[test]
fn classes_that_do_not_occur_do_not_count_in_the_mean() {
    let few = confusion(2, &[0, 1, 1], &[0, 1, 0]);
    let many = confusion(9, &[0, 1, 1], &[0, 1, 0]);
    for average in [Average::Macro, Average::Micro, Average::Weighted] {
        assert_eq!(few.average(average), many.average(average));
        assert_eq!(Confusion::new(3).average(average), Scores::default());
    }
    assert_eq!(Confusion::new(3).accuracy(), 0.0);
}

#[test]
fn batches_add_up() {
    let mut parts = confusion(3, &[2, 0], &[0, 0]);
    parts.add(&[2, 2, 0, 2], &[2, 2, 0, 1]).expect("they go together");
    assert_eq!(parts, confusion(3, &[2, 0, 2, 2, 0, 1], &[0, 0, 2, 2, 0, 2]));
}

#[test]
fn what_does_not_go_together_is_an_error_and_is_not_counted() {
    let mut confusion = Confusion::new(3);
    assert_eq!(confusion.add(&[0, 1], &[0]), Err(MetricError::Lengths { predicted: 2, actual: 1 }));
    assert_eq!(confusion.add(&[0, 3], &[0, 1]), Err(MetricError::Class { class: 3, position: 1, classes: 3 }));
    assert_eq!(confusion.add(&[0, 1], &[7, 1]), Err(MetricError::Class { class: 7, position: 0, classes: 3 }));
    assert_eq!(confusion.total(), 0);
}
