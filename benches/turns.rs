//! Comparing what takes turns: ratios of neighbouring slices of time stay what they are where the machine slows down.

use std::time::{Duration, Instant};

/// How often all take turns, and for how long each.
const TURNS: usize = 101;
const SLICE: Duration = Duration::from_millis(5);

/// Something that is timed, and its name.
pub type Run<'r> = (&'static str, Box<dyn FnMut() + 'r>);

/// Lets all take turns, and prints what share of the time of the first one each of the others takes.
pub fn compare(title: &str, runs: &mut [Run<'_>]) {
    let mut times: Vec<Vec<f64>> = vec![Vec::with_capacity(TURNS); runs.len()];
    for _ in 0..TURNS {
        for ((_, run), times) in runs.iter_mut().zip(&mut times) {
            times.push(slice(run));
        }
    }
    let first = runs[0].0;
    for ((name, _), own) in runs.iter().zip(&times).skip(1) {
        let mut ratios: Vec<f64> = own.iter().zip(&times[0]).map(|(own, first)| own / first).collect();
        ratios.sort_by(f64::total_cmp);
        let [low, middle, high] = [TURNS / 4, TURNS / 2, 3 * TURNS / 4].map(|at| ratios[at]);
        println!(
            "{title} in turns: {name} takes {middle:.3} of the time of {first} (quartiles {low:.3} and {high:.3})"
        );
    }
}

/// How many seconds a run takes, on average over a slice of time.
fn slice(run: &mut impl FnMut()) -> f64 {
    let start = Instant::now();
    let mut runs = 0;
    while runs == 0 || start.elapsed() < SLICE {
        run();
        runs += 1;
    }
    start.elapsed().as_secs_f64() / f64::from(runs)
}
