//! Steps say what they run, what it costs, and how long it took.

use std::time::Instant;
use tapeless::{Device, Error, Fusion, Options, Seed, model};

model! {
    pub model Layer(x: f32<N, 784>) -> f32<N, 512> {
        let fc = Linear(512);
        x.fc().relu()
    }

    pub step ApplyLayer(x: f32<dyn B, 784>) -> f32<B, 512> {
        let net = Layer();
        net(x)
    }

    pub model Mlp(x: f32<N, 40>) -> f32<N, 10> {
        let fc1 = Linear(32);
        let fc2 = Linear(10);
        x.fc1().relu().fc2()
    }

    pub step TrainMlp(x: f32<dyn B, 40>, y: u32<B>, lr: f32) {
        let net = Mlp();
        let loss = cross_entropy(net(x), y);
        minimize(loss, over = net, with = Adam(lr));
        metric(loss);
    }
}

/// One thread, whose times are measured.
fn profiled() -> Options {
    Options { threads: 1, profile: true, ..Options::default() }
}

fn numbers(count: usize) -> Vec<f32> {
    (0..count).map(|i| (i * 7919 % 2003) as f32 / 1001.5 - 1.0).collect()
}

/// The line of a report that begins with a word, without it.
fn line<'r>(report: &'r str, word: &str) -> &'r str {
    let line = report.lines().find_map(|line| line.strip_prefix(word));
    line.unwrap_or_else(|| panic!("no line of the report begins with `{word}`:\n{report}"))
}

#[test]
fn a_layer_says_what_it_costs_fused_and_unfused() -> Result<(), Error> {
    let step = ApplyLayer::compile(&Device::cpu_with_lanes(4), ApplyLayer::dims().b(64), &Options::default())?;
    let report = step.explain();
    // 2 * 64 * 512 * 784 + 2 * 64 * 512 operations; x, weight, bias and result are 200,704, 1,605,632, 2,048 and 131,072 bytes.
    let fused = " 1 launches, 51.4 MFLOP, 1.94 MB moved (1.81 MB read, 131 kB written), workspace ";
    assert!(line(&report, "fused:").starts_with(fused), "{report}");
    let unfused = " 3 launches, 51.4 MFLOP, 2.46 MB moved (2.07 MB read, 393 kB written), workspace ";
    assert!(line(&report, "unfused:").starts_with(unfused), "{report}");
    assert!(line(&report, "ApplyLayer: ").starts_with("1 launches of 1 kernels, "), "{report}");
    let columns: Vec<&str> = report.lines().nth(3).expect("a line of names").split_whitespace().collect();
    let names = ["#", "lanes", "pieces", "arithmetic", "read", "written", "spills", "place", "ops", "->", "result"];
    assert_eq!(columns, names, "{report}");
    let launch: Vec<&str> = report.lines().nth(4).expect("a line of the launch").split_whitespace().collect();
    assert_eq!(launch[..2], ["1", "4"], "{report}");
    assert_eq!(launch[3..9], ["51.4", "MFLOP", "1.81", "MB", "131", "kB"], "{report}");
    let place = launch[10].rsplit('/').next().expect("a path has a last part");
    assert_eq!(place.split(':').next(), Some("explain.rs"), "{report}");
    assert_eq!(launch[11..], ["contract+add+relu", "->", "f32[32768]"], "{report}");
    Ok(())
}

#[test]
fn a_step_without_fusion_is_listed_once() -> Result<(), Error> {
    let options = Options { fusion: Fusion::none(), ..Options::default() };
    let report = ApplyLayer::compile(&Device::cpu(), ApplyLayer::dims().b(64), &options)?.explain();
    assert!(line(&report, "unfused:").starts_with(" 3 launches, 51.4 MFLOP, 2.46 MB moved"), "{report}");
    assert!(!report.lines().any(|line| line.starts_with("fused:")), "{report}");
    Ok(())
}

/// The launches and the moved bytes of a line of sums.
fn sums(line: &str) -> [f64; 2] {
    let words: Vec<&str> = line.split_whitespace().collect();
    let number = |at: usize| words[at].parse::<f64>().unwrap_or_else(|_| panic!("no number in `{line}`"));
    let scale = ["B", "kB", "MB"].iter().position(|unit| *unit == words[5]).expect("a unit of bytes");
    [number(0), number(4) * 1000f64.powi(scale as i32)]
}

#[test]
fn fusion_leaves_fewer_launches_and_less_traffic() -> Result<(), Error> {
    let step = TrainMlp::compile(&Device::cpu(), TrainMlp::dims().b(16), &Options::default())?;
    let report = step.explain();
    let (fused, unfused) = (sums(line(&report, "fused:")), sums(line(&report, "unfused:")));
    assert!(fused[0] < 0.5 * unfused[0] && fused[1] < 0.7 * unfused[1], "{report}");
    Ok(())
}

#[test]
fn a_profile_has_the_time_of_every_launch() -> Result<(), Error> {
    let mut step = ApplyLayer::compile(&Device::cpu(), ApplyLayer::dims().b(64), &profiled())?;
    let (net, x) = (Layer::new(&Device::cpu(), Seed(0))?, numbers(64 * 784));
    assert!(matches!(step.profile(), Err(Error::NotRun { .. })));
    assert!(step.explain().contains("\nprofile: ApplyLayer has not run yet\n"), "{}", step.explain());
    let mut longest = 0f64;
    for _ in 0..20 {
        let start = Instant::now();
        step.run(&net, &x)?;
        longest = longest.max(start.elapsed().as_secs_f64());
    }
    let profile = step.profile()?;
    assert_eq!((profile.runs, profile.launches.len()), (20, 1));
    let launch = &profile.launches[0];
    assert_eq!(launch.flops, 2 * 64 * 512 * 784 + 2 * 64 * 512);
    assert_eq!(launch.bytes, 4 * (64 * 784 + 512 * 784 + 512 + 64 * 512));
    assert!(0.0 < launch.seconds && launch.seconds <= longest && profile.seconds == launch.seconds, "{profile:?}");
    let least = (launch.flops as f64 / profile.peak_flops).max(launch.bytes as f64 / profile.peak_bandwidth);
    assert!(least > 0.0 && (launch.roofline * launch.seconds / least - 1.0).abs() < 1e-9, "{profile:?}");
    assert_eq!(step.profile()?, profile, "peaks are measured once");
    let report = step.explain();
    assert!(report.contains(" time  share  roofline ") && report.contains("100 %"), "{report}");
    assert!(line(&report, "profile:").contains(" per run in 20 runs, "), "{report}");
    Ok(())
}

/// A profiled step and a plain one, each with its own parameters, step by step.
#[test]
fn a_profiled_run_computes_the_same_and_fits_its_wall_time() -> Result<(), Error> {
    let device = Device::cpu();
    let (x, y): (_, Vec<u32>) = (numbers(16 * 40), (0..16).map(|i| i * 7 % 10).collect());
    let plain = Options { profile: false, ..profiled() };
    let (mut net, mut other) = (Mlp::new(&device, Seed(0))?, Mlp::new(&device, Seed(0))?);
    let mut timed = TrainMlp::compile(&device, TrainMlp::dims().b(16), &profiled())?;
    let mut step = TrainMlp::compile(&device, TrainMlp::dims().b(16), &plain)?;
    for run in 0..10 {
        let start = Instant::now();
        let loss = timed.run(&mut net, &x, &y, 0.01)?.loss;
        let wall = start.elapsed().as_secs_f64();
        assert_eq!(loss.to_bits(), step.run(&mut other, &x, &y, 0.01)?.loss.to_bits());
        if run == 0 {
            // Of one run the medians are its times.
            let profile = timed.profile()?;
            assert!(profile.launches.iter().all(|launch| launch.seconds > 0.0), "{profile:?}");
            assert!(profile.seconds <= wall, "launches of {} s in a run of {wall} s", profile.seconds);
        }
    }
    for parameter in net.parameters() {
        let bits = |net: &Mlp| net.get(&parameter.key).map(|view| view.iter().map(|x: &f32| x.to_bits()).collect());
        let (one, two): (Vec<u32>, Vec<u32>) = (bits(&net)?, bits(&other)?);
        assert_eq!(one, two, "{}", parameter.key);
    }
    assert!(matches!(step.profile(), Err(Error::NotProfiled { .. })));
    assert!(!step.explain().contains("profile:"));
    Ok(())
}
