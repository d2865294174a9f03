//! How the elements of a tensor begin, from the description and a key of random numbers.

use tapeless_compiler::description::Initial;
use tapeless_compiler::random::Key;

/// Where PyTorch's truncated normal distribution ends on either side, whatever the standard deviation is.
const TRUNCATION: f64 = 2.0;

/// The value of an element: a pure function of the key, which belongs to the tensor, and the element's position.
pub(super) fn initial(initial: Initial, key: Key, element: usize) -> f64 {
    let element = element as u64;
    match initial {
        Initial::Constant(value) => value,
        Initial::Uniform { low, high } => uniform(low, high, key.uniform(element)),
        Initial::Normal { std } => std * key.normal(element),
        Initial::PaddedNormal { from, to, .. } if (from..to).contains(&element) => 0.0,
        Initial::PaddedNormal { std, .. } => std * key.normal(element),
        Initial::TruncatedNormal { std } => (0..)
            .find_map(|attempt| truncated(std, key.fold(attempt), element))
            .expect("every attempt has a fair chance, and there is no last one"),
    }
}

/// A number of the normal distribution inside of the truncation, if this attempt gives one. What is narrow is drawn from
/// the whole distribution, what is wide from the uniform one under it: either attempt succeeds more often than not.
fn truncated(std: f64, key: Key, element: u64) -> Option<f64> {
    if std.abs() <= TRUNCATION {
        return Some(std * key.normal(element)).filter(|value| value.abs() <= TRUNCATION);
    }
    let value = TRUNCATION * (2.0 * key.uniform(element) - 1.0);
    let above = key.fold(0).uniform(element) > (-0.5 * (value / std).powi(2)).exp();
    (!above).then_some(value)
}

/// The number in `low..high` at a place in `0.0..1.0`, such that it stays below `high` when it is rounded to f32.
fn uniform(low: f64, high: f64, place: f64) -> f64 {
    let largest = f64::from((high as f32).next_down());
    (low + (high - low) * place).min(largest).max(low)
}

#[cfg(test)]
mod tests {
    use super::*;

    const COUNT: usize = 20_000;

    fn values(how: Initial) -> Vec<f64> {
        (0..COUNT).map(|element| initial(how, Key::new(5), element)).collect()
    }

    fn mean_and_deviation(values: &[f64]) -> (f64, f64) {
        let mean = values.iter().sum::<f64>() / COUNT as f64;
        (mean, (values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / COUNT as f64).sqrt())
    }

    #[test]
    fn constants_are_everywhere_the_same() {
        assert!(values(Initial::Constant(0.5)).iter().all(|&x| x == 0.5));
    }

    #[test]
    fn uniform_values_fill_their_interval() {
        let values = values(Initial::Uniform { low: -0.3, high: 0.1 });
        let (mean, deviation) = mean_and_deviation(&values);
        assert!(values.iter().all(|x| (-0.3..0.1).contains(x)));
        assert!((mean + 0.1).abs() < 4.0 * 0.1155 / (COUNT as f64).sqrt(), "{mean}");
        assert!((deviation - 0.1155).abs() < 0.002, "{deviation}");
    }

    #[test]
    fn uniform_values_stay_below_the_upper_bound_in_f32() {
        let last = 1.0 - f64::from(f32::EPSILON) / 4.0;
        assert!((uniform(1.0, 2.0, last) as f32) < 2.0);
        assert_eq!(uniform(0.5, 0.5, 0.3), 0.5);
    }

    #[test]
    fn normal_values_have_their_deviation() {
        let (mean, deviation) = mean_and_deviation(&values(Initial::Normal { std: 0.02 }));
        assert!(mean.abs() < 4.0 * 0.02 / (COUNT as f64).sqrt(), "{mean}");
        assert!((deviation - 0.02).abs() < 0.0005, "{deviation}");
    }

    #[test]
    fn wide_truncated_values_are_nearly_uniform() {
        for (std, expected) in [(3.0, 1.1207), (1e300, 1.1547), (f64::INFINITY, 1.1547)] {
            let values = values(Initial::TruncatedNormal { std });
            let (mean, deviation) = mean_and_deviation(&values);
            assert!(values.iter().all(|x| x.abs() <= 2.0));
            assert!(mean.abs() < 4.0 * expected / (COUNT as f64).sqrt(), "{mean}");
            assert!((deviation - expected).abs() < 0.015, "{std}: {deviation}");
        }
    }

    #[test]
    fn truncated_values_stay_inside_and_are_not_heaped_at_the_ends() {
        let values = values(Initial::TruncatedNormal { std: 1.0 });
        let (mean, deviation) = mean_and_deviation(&values);
        assert!(values.iter().all(|x| x.abs() <= 2.0));
        assert!(mean.abs() < 4.0 * 0.88 / (COUNT as f64).sqrt(), "{mean}");
        // The deviation of a standard normal distribution cut at two deviations is 0.8796.
        assert!((deviation - 0.8796).abs() < 0.015, "{deviation}");
    }
}
