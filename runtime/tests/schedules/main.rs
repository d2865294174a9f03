//! Schedules against the rates of PyTorch's schedulers in float64, which `make.py` wrote to `rates.json`.

use serde_json::Value;
use tapeless::schedule::{Anneal, OneCycle, Plateau, PlateauOptions, PlateauState, Schedule, Threshold};

/// PyTorch multiplies from update to update where this is a formula: a rounding for each of 40 updates.
const TOLERANCE: f64 = 1e-14;

const BASE: f64 = 0.05;

/// The numbers that stand under these names.
fn rates(text: &str, names: &[&str]) -> Vec<f64> {
    let all: Value = serde_json::from_str(text).expect("it is JSON");
    let rates = names.iter().fold(&all, |value, name| &value[*name]);
    let rates = rates.as_array().unwrap_or_else(|| panic!("{names:?} is recorded"));
    rates.iter().map(|rate| rate.as_f64().expect("a rate is a number")).collect()
}

fn recorded(name: &str) -> Vec<f64> {
    rates(include_str!("rates.json"), &[name])
}

fn assert_near(name: &str, found: &[f64]) {
    assert_all_near(name, found, &recorded(name));
}

fn assert_all_near(name: &str, found: &[f64], recorded: &[f64]) {
    assert_eq!(found.len(), recorded.len(), "{name}");
    for (update, (found, recorded)) in found.iter().zip(recorded).enumerate() {
        let tolerance = TOLERANCE * BASE.max(*recorded);
        assert!((found - recorded).abs() <= tolerance, "{name}, update {update}: {found}, not {recorded}");
    }
}

fn assert_schedule(name: &str, schedule: impl Into<Schedule>) {
    let schedule = schedule.into();
    let count = recorded(name).len();
    assert_near(name, &(0..count).map(|update| schedule.exact(update)).collect::<Vec<_>>());
    assert_eq!(schedule.rate(3), schedule.exact(3) as f32);
}

#[test]
fn schedules_of_one_rule() {
    assert_schedule("hold", Schedule::hold(BASE, 0.25, 6));
    assert_schedule("step", Schedule::step(BASE, 5, 0.5));
    assert_schedule("multi_step", Schedule::multi_step(BASE, &[4, 9, 9, 30], 0.3));
    assert_schedule("exponential", Schedule::exponential(BASE, 0.9));
    assert_schedule("cosine", Schedule::cosine(BASE, 30, 0.001));
    assert_schedule("cosine_beyond", Schedule::cosine(BASE, 7, 0.002));
    assert_schedule("linear", Schedule::linear(BASE, 0.1, 1.0, 5));
    assert_schedule("linear_down", Schedule::linear(BASE, 1.0, 0.2, 30));
    assert_schedule("polynomial", Schedule::polynomial(BASE, 25, 2.5));
    assert_eq!(Schedule::constant(BASE).exact(7), BASE);
}

#[test]
fn one_cycle_with_its_options() {
    assert_schedule("one_cycle", Schedule::one_cycle(0.1, 41));
    let cycle = OneCycle::new(0.1, 41);
    let options = OneCycle { rising: 0.4, anneal: Anneal::Linear, first_divisor: 10.0, last_divisor: 100.0, ..cycle };
    assert_schedule("one_cycle_options", options);
    assert_schedule("one_cycle_three", OneCycle { three_phases: true, ..cycle });
    // Behind its end, and where a phase has no updates.
    assert_eq!(Schedule::from(cycle).exact(41), Schedule::from(cycle).exact(40));
    for updates in 0..5 {
        for three_phases in [false, true] {
            let schedule = Schedule::from(OneCycle { updates, three_phases, ..cycle });
            assert!((0..6).all(|update| (0.0..=0.1).contains(&schedule.exact(update))), "{schedule:?}");
        }
    }
}

#[test]
fn schedules_made_of_others() {
    assert_schedule("warm_up_cosine", Schedule::cosine(BASE, 25, 0.0).warm_up(5, 0.1));
    let turns = Schedule::hold(BASE, 0.1, 3).then(8, Schedule::exponential(BASE, 0.8));
    assert_schedule("three_in_turn", turns.then(20, Schedule::step(BASE, 2, 0.5)));
    let linear = Schedule::linear(BASE, 0.1, 1.0, 5);
    assert_schedule("chained", linear.times(Schedule::exponential(1.0, 0.95)).times(Schedule::step(1.0, 10, 0.5)));
}

/// The rates of a training run that PyTorch recorded.
macro_rules! record {
    ($name:literal) => {
        rates(include_str!(concat!("../../../checks/records/schedule_", $name, ".json")), &["expect", "learning_rates"])
    };
}

#[test]
fn rates_of_recorded_training_runs() {
    let one_cycle = Schedule::one_cycle(0.1, 31);
    for (recorded, schedule) in [
        (record!("cosine"), Schedule::cosine(BASE, 30, 0.001)),
        (record!("exponential"), Schedule::exponential(BASE, 0.9)),
        (record!("one_cycle"), one_cycle),
        (record!("step"), Schedule::step(BASE, 5, 0.5)),
        (record!("warmup_cosine"), Schedule::cosine(BASE, 25, 0.0).warm_up(5, 0.1)),
    ] {
        assert_eq!(recorded.len(), 30);
        let found: Vec<f64> = (0..30).map(|update| schedule.exact(update)).collect();
        assert_all_near(&format!("{schedule:?}"), &found, &recorded);
    }
}

/// The metrics of `make.py`.
fn metrics() -> Vec<f64> {
    let first = [1.0, 0.9, 0.9, 0.8999, 0.95, 0.85, 0.85, 0.85, 0.86, 0.85, 0.849, 0.7, 0.71, f64::NAN];
    let then = [0.7, 0.7, 0.7, 0.7, 0.7, 0.6];
    first.into_iter().chain(then).chain([0.65; 13]).collect()
}

#[test]
fn plateaus() {
    let usual = PlateauOptions { patience: 2, ..PlateauOptions::default() };
    let one = PlateauOptions { patience: 1, factor: 0.7, larger_is_better: true, ..usual };
    for (name, options) in [
        ("plateau", usual),
        ("plateau_default", PlateauOptions::default()),
        ("plateau_cooldown", PlateauOptions { factor: 0.5, patience: 1, cooldown: 3, ..usual }),
        ("plateau_absolute", PlateauOptions { factor: 0.5, threshold: Threshold::Absolute(0.06), ..usual }),
        ("plateau_max", PlateauOptions { threshold: Threshold::Relative(0.01), ..one }),
        ("plateau_max_absolute", PlateauOptions { threshold: Threshold::Absolute(0.05), ..one }),
        ("plateau_floor", PlateauOptions { factor: 0.3, patience: 0, min_lr: 0.004, ..usual }),
    ] {
        let mut plateau = Plateau::new(BASE, options);
        let observe = |metric: f64| {
            plateau.observe(if options.larger_is_better { 2.0 - metric } else { metric });
            plateau.exact()
        };
        assert_near(name, &metrics().into_iter().map(observe).collect::<Vec<_>>());
    }
}

#[test]
fn a_plateau_that_is_saved_and_restored_goes_on_as_it_would_have() {
    let options = PlateauOptions { factor: 0.6, patience: 1, cooldown: 2, ..PlateauOptions::default() };
    let rates = |plateau: &mut Plateau, metrics: &[f64]| -> Vec<f64> {
        let observe = |&metric: &f64| {
            plateau.observe(metric);
            plateau.exact()
        };
        metrics.iter().map(observe).collect()
    };
    let metrics = metrics();
    let expected = rates(&mut Plateau::new(BASE, options), &metrics);
    // It falls more than once, or a plateau that begins anew would do as well.
    assert!(expected.last() < Some(&(0.4 * BASE)), "{expected:?}");
    for at in 0..metrics.len() {
        let (before, after) = metrics.split_at(at);
        let mut first = Plateau::new(BASE, options);
        let mut found = rates(&mut first, before);
        let state: PlateauState = first.state().to_string().parse().expect("it was printed");
        found.extend(rates(&mut Plateau::resumed(state, options), after));
        assert_eq!(found, expected, "saved after {at} metrics");
    }
}

#[test]
fn a_text_that_is_no_state_of_a_plateau_is_refused() {
    let state = "rate=0.1 best=none no_better=2 cooling=0";
    assert_eq!(state.parse().map(|state: PlateauState| state.to_string()), Ok(state.to_string()));
    for text in ["", "rate=0.1", "rate=x best=none no_better=0 cooling=0", &format!("{state} more"), &state[5..]] {
        let refusal = text.parse::<PlateauState>().expect_err("it is refused").to_string();
        assert!(
            refusal.starts_with(&format!("`{text}` is not the state of a plateau, such as `rate=0.1")),
            "{refusal}"
        );
    }
}
