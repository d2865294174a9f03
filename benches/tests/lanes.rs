//! Every kernel of the models of the benches has the lanes of the machine, whatever is fused: none is refused them, and none
//! has fewer because its extents (such as 20) are no multiples of them.

use tapeless::{Device, Error, Fusion, Options};
use tapeless_benches::{ApplyLayer, Product, TrainChain, TrainMlp, TrainTiny};

/// Everything fused, and nothing.
fn all_options() -> [Options; 2] {
    [Fusion::default(), Fusion::none()].map(|fusion| Options { fusion, ..Options::default() })
}

/// What `explain` says of all these steps.
fn reports(device: &Device) -> Result<Vec<String>, Error> {
    let mut reports = Vec::new();
    for options in all_options() {
        reports.push(TrainTiny::compile(device, TrainTiny::dims().b(32), &options)?.explain());
        reports.push(TrainMlp::compile(device, TrainMlp::dims().b(64), &options)?.explain());
        reports.push(TrainChain::compile(device, TrainChain::dims().b(4096), &options)?.explain());
        reports.push(ApplyLayer::compile(device, ApplyLayer::dims().b(64), &options)?.explain());
        for extent in [256, 512, 1024] {
            let dims = Product::dims().i(extent).j(extent).k(extent);
            reports.push(Product::compile(device, dims, &options)?.explain());
        }
    }
    Ok(reports)
}

/// Whether code of eight lanes is made for this machine.
fn is_wide() -> bool {
    #[cfg(target_arch = "x86_64")]
    return is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
    #[cfg(not(target_arch = "x86_64"))]
    return false;
}

#[test]
fn no_kernel_has_fewer_lanes_than_the_machine() -> Result<(), Error> {
    if !is_wide() {
        println!("skipped: this machine has no vectors of eight lanes");
        return Ok(());
    }
    let reports = reports(&Device::cpu())?;
    let narrow = |report: &String| report.lines().filter(|line| line.starts_with("narrow: ")).count();
    let counts: Vec<usize> = reports.iter().map(narrow).collect();
    assert_eq!(counts, [0; 14], "kernels with fewer lanes than the machine:\n{}", reports.join("\n"));
    Ok(())
}
