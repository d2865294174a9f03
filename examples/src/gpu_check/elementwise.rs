//! Elementwise kernels beside copies: both only move bytes, so both should take as long.
//!
//! A kernel's arrays are states of a model, so nothing is copied between host and device while it is timed, and every element
//! of an array is the same number: what it has to be after so many runs is computed beside, in f64. Copies are the device's
//! own, of arrays as large as those of the kernels. Each launch and each copy is timed by itself, and medians count.

use super::copies::Copies;
use super::sheet::{Sheet, Verdict};
use super::timed::{Launches, Ready, Runs, percent, prepared};
use super::{ENOUGH, Size};
use std::time::Duration;
use tapeless::{Device, Error, Options, Seed};
use tapeless_checks::{Deviation, Failure};

/// The factor that every kernel gets, and what its operands hold: x, a and g the one, b the other.
const K: f64 = 0.5;
const X: f64 = 0.75;
const B: f64 = -1.25;

/// How far an element may be off, relative to what it has to be: a hundred updates in f32, or one rounding to bf16.
const TOLERANCE: f64 = 5e-3;

/// A kernel that changes an array `y`.
struct Kernel {
    name: &'static str,
    /// Makes the step for arrays of either size.
    make: fn(&Device, Size) -> Ready,
    /// What it makes of the elements in a run.
    next: fn(&mut Elements),
}

/// An element of each array that a kernel may change.
#[derive(Default)]
struct Elements {
    y: f64,
    mean: f64,
    square: f64,
}

/// The models and steps for arrays of so many elements.
macro_rules! arrays {
    ($module:ident, $elements:tt) => {
        mod $module {
            tapeless::model! {
                pub model Scale(k: f32) -> f32 {
                    #[state]
                    let x: f32<$elements> = constant(0.75);
                    #[state]
                    let y: f32<$elements> = zeros();
                    y = k * x;
                    k
                }

                #[train]
                pub step RunScale(k: f32) {
                    let arrays = Scale();
                    arrays(k);
                }

                pub model Brief(k: f32) -> f32 {
                    #[state]
                    let x: bf16<$elements> = constant(0.75);
                    #[state]
                    let y: bf16<$elements> = zeros();
                    y = (k * x.cast(f32)).cast(bf16);
                    k
                }

                #[train]
                pub step RunBrief(k: f32) {
                    let arrays = Brief();
                    arrays(k);
                }

                pub model Accumulate(k: f32) -> f32 {
                    #[state]
                    let x: f32<$elements> = constant(0.75);
                    #[state]
                    let y: f32<$elements> = zeros();
                    y = k * y + x;
                    k
                }

                #[train]
                pub step RunAccumulate(k: f32) {
                    let arrays = Accumulate();
                    arrays(k);
                }

                pub model Gate(k: f32) -> f32 {
                    #[state]
                    let a: f32<$elements> = constant(0.75);
                    #[state]
                    let b: f32<$elements> = constant(-1.25);
                    #[state]
                    let y: f32<$elements> = zeros();
                    y = tanh(k * a) * sigmoid(b);
                    k
                }

                #[train]
                pub step RunGate(k: f32) {
                    let arrays = Gate();
                    arrays(k);
                }

                pub model Update(k: f32) -> f32 {
                    #[state]
                    let g: f32<$elements> = constant(0.75);
                    #[state]
                    let mean: f32<$elements> = zeros();
                    #[state]
                    let square: f32<$elements> = zeros();
                    #[state]
                    let y: f32<$elements> = zeros();
                    mean = 0.9 * mean + 0.1 * g;
                    square = 0.99 * square + 0.01 * g * g;
                    y = y - k * mean / (square.sqrt() + 0.001);
                    k
                }

                #[train]
                pub step RunUpdate(k: f32) {
                    let arrays = Update();
                    arrays(k);
                }
            }
        }
    };
}

// 268 MB in f32: far more than any cache holds.
arrays!(large, 67108864);
arrays!(small, 65536);

/// The step of a kernel, for either size.
macro_rules! kernel {
    ($name:literal, $model:ident, $step:ident, $next:expr) => {
        Kernel {
            name: $name,
            make: |device, size| match size {
                Size::Large => kernel!(large, $model, $step, device),
                Size::Small => kernel!(small, $model, $step, device),
            },
            next: $next,
        }
    };
    ($size:ident, $model:ident, $step:ident, $device:ident) => {{
        let options = Options { profile: true, ..Options::default() };
        let step = $size::$step::compile($device, $size::$step::dims(), &options)?;
        let model = $size::$model::new($device, Seed(0))?;
        Ok(prepared(model, step, |step, model| step.run(model, K as f32).map(|_| 0.0)))
    }};
}

fn kernels() -> [Kernel; 5] {
    [
        kernel!("elementwise: y = k x", Scale, RunScale, |now| now.y = K * X),
        kernel!("elementwise: y = k x in bf16", Brief, RunBrief, |now| now.y = K * X),
        kernel!("elementwise: y = k y + x", Accumulate, RunAccumulate, |now| now.y = K * now.y + X),
        kernel!("elementwise: y = tanh(k a) sigmoid(b)", Gate, RunGate, |now| {
            now.y = (K * X).tanh() / (1.0 + (-B).exp());
        }),
        kernel!("elementwise: Adam's update", Update, RunUpdate, |now| {
            now.mean = 0.9 * now.mean + 0.1 * X;
            now.square = 0.99 * now.square + 0.01 * X * X;
            now.y -= K * now.mean / (now.square.sqrt() + 0.001);
        }),
    ]
}

/// Times every kernel.
pub fn time(device: &Device, size: Size, copies: &mut Copies<'_>, sheet: &mut Sheet) {
    let kernels = kernels().into_iter().enumerate();
    let kernels: Vec<Kernel> =
        kernels.filter(|(at, kernel)| sheet.takes(kernel.name, *at, 2)).map(|(_, kernel)| kernel).collect();
    if kernels.is_empty() {
        return;
    }
    let bandwidth = copies.bandwidth(sheet);
    let remark = "Medians of up to 64 launches on arrays of as many elements as those that are copied.";
    let columns = ["kernel", "launches", "MB moved", "us", "GB/s", "of copies", "at least 80 %", "result"];
    sheet.section("Elementwise kernels beside copies", remark, &columns);
    for kernel in kernels {
        let (cells, verdict) = match measure(&kernel, device, size) {
            Ok((launches, verdict)) => (cells(&launches, size, bandwidth, sheet), verdict),
            Err(error) => (vec![String::new(); columns.len() - 2], Verdict::on(&error.into())),
        };
        let cells: Vec<String> = [kernel.name.to_string()].into_iter().chain(cells).collect();
        sheet.row(&cells, &verdict);
    }
}

/// How often a kernel runs: a profile forgets the first runs, where there is time for all of them.
fn runs(size: Size) -> Runs {
    match size {
        Size::Large => Runs { least: 8, most: 72, time: Duration::from_secs(2) },
        Size::Small => Runs { least: 4, most: 4, time: Duration::ZERO },
    }
}

/// What the launches of a kernel do, and whether they have changed the array as they have to.
fn measure(kernel: &Kernel, device: &Device, size: Size) -> Result<(Launches, Verdict), Error> {
    let mut run = (kernel.make)(device, size)?;
    let launches = Launches::measure(&mut *run, runs(size))?;
    let mut now = Elements::default();
    (0..launches.runs).for_each(|_| (kernel.next)(&mut now));
    let worst = worst(&run.store().get("y")?, now.y);
    let verdict = if worst.holds() { Verdict::Ok } else { Verdict::on(&Failure::Off(worst)) };
    Ok((launches, verdict))
}

/// The element that is furthest off.
fn worst(elements: &[f32], expected: f64) -> Deviation {
    let off = |(at, &element): (usize, &f32)| {
        let error = (f64::from(element) - expected).abs() / expected.abs();
        // Whatever is no number is further off than everything else.
        (at, if error.is_nan() { f64::INFINITY } else { error })
    };
    let furthest = elements.iter().enumerate().map(off).max_by(|(_, one), (_, other)| one.total_cmp(other));
    let (at, error) = furthest.expect("arrays have elements");
    let what = format!("element {at} of {}, {} instead of {expected},", elements.len(), elements[at]);
    Deviation { what, error, tolerance: TOLERANCE }
}

/// What a row says of a kernel, and takes note of its share where arrays are large.
fn cells(launches: &Launches, size: Size, bandwidth: Option<f64>, sheet: &mut Sheet) -> Vec<String> {
    let share = bandwidth.map(|bandwidth| launches.bandwidth() / bandwidth);
    let enough = match (size, share) {
        (_, None) => "",
        (Size::Small, _) => "too small to say",
        (Size::Large, Some(share)) => {
            sheet.share(share);
            if share >= ENOUGH { "yes" } else { "no" }
        }
    };
    vec![
        launches.count.to_string(),
        format!("{:.2}", launches.bytes as f64 / 1e6),
        format!("{:.1}", launches.seconds * 1e6),
        format!("{:.1}", launches.bandwidth() / 1e9),
        percent(share),
        enough.to_string(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_that_are_off_are_found_wherever_they_are() {
        let mut elements = vec![2.0; 1000];
        assert!(worst(&elements, 2.0).holds());
        elements[999] = 2.1;
        assert!(worst(&elements, 2.0).to_string().starts_with("element 999 of 1000, 2.1 instead of 2, is 5.0e-2 off"));
        elements[7] = f32::NAN;
        assert!(worst(&elements, 2.0).what.starts_with("element 7 ") && !worst(&elements, 2.0).holds());
    }

    #[test]
    fn kernels_change_their_arrays_as_they_have_to() {
        for kernel in kernels() {
            let (launches, verdict) = measure(&kernel, &Device::cpu(), Size::Small).expect("the processor runs it");
            assert_eq!(verdict, Verdict::Ok, "{}", kernel.name);
            assert!(launches.bytes >= Size::Small.bytes() as u64, "{}: {} bytes", kernel.name, launches.bytes);
        }
    }
    #[test]
    fn arrays_are_as_large_as_those_that_are_copied() {
        let arrays = small::Scale::new(&Device::cpu(), Seed(0)).expect("they are small");
        assert_eq!(4 * arrays.get("y").expect("it has one").len(), Size::Small.bytes());
    }
}
