//! Nothing stays of steps that are dropped: what the process has in memory is flat over a thousand of them. The only test
//! of its process, since what is measured belongs to the whole process.

#![cfg(target_os = "linux")]

use std::fs::read_to_string;
use tapeless::{Device, Error, Fusion, Options, Seed, model};

model! {
    pub model Net(x: f32<N, 10>) -> f32<N, 1> {
        let fc1 = Linear(20);
        let fc2 = Linear(1);
        x.fc1().relu().fc2()
    }

    pub step Train(x: f32<dyn B, 10>, y: f32<B, 1>, lr: f32) {
        let net = Net();
        let loss = mse(net(x), y);
        minimize(loss, over = net, with = Adam(lr));
        metric(loss);
    }
}

/// How much larger the process may be after a thousand steps. One page of code that stays of each would be 4 MB.
const TOLERANCE: usize = 2 << 20;

#[test]
fn steps_that_are_dropped_leave_nothing_behind() -> Result<(), Error> {
    let device = Device::cpu();
    let mut net = Net::new(&device, Seed(0))?;
    let unfused = Options { fusion: Fusion::none(), ..Options::default() };
    let mut compile_and_run = |times: usize| -> Result<(), Error> {
        for number in 0..times {
            let options = if number % 2 == 0 { Options::default() } else { unfused };
            // Batches of other sizes have workspaces and code of other sizes.
            let batch = 8 + number % 16;
            let mut step = Train::compile(&device, Train::dims().b(batch), &options)?;
            step.run(&mut net, &vec![0.5; batch * 10], &vec![1.0; batch], 0.01)?;
        }
        Ok(())
    };
    compile_and_run(100)?;
    let (bytes, pieces) = (resident(), mappings());
    compile_and_run(1000)?;
    let grown = resident().saturating_sub(bytes);
    assert!(grown < TOLERANCE, "{grown} bytes more after 1000 steps");
    assert!(mappings() <= pieces + 8, "{} mappings, {pieces} before", mappings());
    Ok(())
}

/// How many bytes of the process are in memory.
fn resident() -> usize {
    let status = read_to_string("/proc/self/status").expect("Linux tells");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("every process has one");
    let kilobytes: usize = line.split_whitespace().nth(1).and_then(|word| word.parse().ok()).expect("a number");
    kilobytes * 1024
}

/// How many pieces of memory the process has mapped.
fn mappings() -> usize {
    read_to_string("/proc/self/maps").expect("Linux tells").lines().count()
}
