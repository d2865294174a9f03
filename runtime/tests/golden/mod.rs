//! `goldens!`, the tests of a list of goldens: on the processor, and on a CUDA device if there is one, fused and unfused.

#[path = "../cuda/device.rs"]
pub mod cuda;

use tapeless::{Device, Options};
use tapeless_checks::Failure;
use tapeless_checks::goldens::{Golden, Report};
use tapeless_checks::hold::unfused;

/// The tests of a list of goldens, all of which are named: `goldens!(list: name, …)`. Large ones, which an emulated CUDA
/// device would take hours for, run on those that the
/// function `real` of the crate lets through: `goldens!(list, large: name, …)`.
macro_rules! goldens {
    ($list:ident: $($name:ident),* $(,)?) => {
        $crate::golden::goldens!(@ $list, Some: $($name),*);
    };
    ($list:ident, large: $($name:ident),* $(,)?) => {
        $crate::golden::goldens!(@ $list, $crate::real: $($name),*);
    };
    (@ $list:ident, $chosen:path: $($name:ident),*) => {
        $(mod $name {
            use ::tapeless_checks::goldens::$list;

            #[test]
            fn on_the_processor() -> Result<(), ::tapeless_checks::Failure> {
                $crate::golden::hold($list(), stringify!($name), &::tapeless::Device::cpu())
            }

            #[test]
            fn on_cuda() -> Result<(), ::tapeless_checks::Failure> {
                let hold = |device| $crate::golden::hold($list(), stringify!($name), &device);
                $crate::golden::cuda::device().and_then($chosen).map_or(Ok(()), hold)
            }
        })*

        #[test]
        fn every_golden_of_the_list_has_its_tests() {
            let list = ::tapeless_checks::goldens::$list();
            let names: Vec<&str> = list.iter().map(::tapeless_checks::goldens::Golden::name).collect();
            assert_eq!(names, [$(stringify!($name)),*]);
        }
    };
}
pub(crate) use goldens;

/// Holds the golden of that name, everything fused and nothing.
pub fn hold(goldens: Vec<Golden>, name: &str, device: &Device) -> Result<(), Failure> {
    let golden = goldens.into_iter().find(|golden| golden.name() == name).expect("it is in the list");
    for options in [Options::default(), unfused()] {
        check_lanes(name, &golden.run(device, &options)?);
    }
    Ok(())
}

/// Fails where a report lists a kernel that has not the lanes of the machine, of which only wide ones have more than
/// four, but for kernels without loops of eight iterations in lanes.
fn check_lanes(name: &str, report: &Report) {
    if !is_wide() {
        println!("{name}: lanes are not checked, since this machine has no vectors of eight");
        return;
    }
    let refused: Vec<&String> = report.narrow.iter().filter(|line| !is_short(line)).collect();
    assert_eq!(refused, [""; 0], "{name}: {} kernels refused", refused.len());
}

/// Whether a line about a kernel with few lanes says that its loops are shorter than eight.
fn is_short(line: &str) -> bool {
    let (_, reason) = line.split_once(" lanes: its loops of at most ").unwrap_or_default();
    reason.split_once(' ').and_then(|(most, _)| most.parse::<usize>().ok()).is_some_and(|most| most < 8)
}

/// Whether code of eight lanes is made for this machine.
fn is_wide() -> bool {
    #[cfg(target_arch = "x86_64")]
    return is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
    #[cfg(not(target_arch = "x86_64"))]
    return false;
}
