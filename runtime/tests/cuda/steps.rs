use crate::device::device;
use crate::models::{BATCH, Masked, Net, Noisy, TrainNoisy, assert_close, batch, network, train};
use tapeless::{Device, Error, Fusion, Options, Seed};

#[test]
fn cuda_steps_train_as_on_the_processor() -> Result<(), Error> {
    let Some(device) = device() else { return Ok(()) };
    for fusion in [Fusion::default(), Fusion::none()] {
        let options = Options { fusion, ..Options::default() };
        let run = |device: &Device| {
            let (mut net, mut step) = network(device, &options)?;
            let losses = train(&mut net, &mut step, 0..8)?;
            let weight = net.get("fc1.weight")?.to_vec();
            Ok::<_, Error>((losses, weight))
        };
        let ((losses, weight), (expected_losses, expected_weight)) = (run(&device)?, run(&Device::cpu())?);
        assert_close(&losses, &expected_losses, 1e-5);
        assert_close(&weight, &expected_weight, 1e-5);
    }
    Ok(())
}

#[test]
fn cuda_runs_repeat_bit_by_bit() -> Result<(), Error> {
    let Some(device) = device() else { return Ok(()) };
    let run = || {
        let (mut net, mut step) = (Noisy::new(&device, Seed(2))?, noisy(&device)?);
        let losses = (0..5).map(|run| Ok(step.run(&mut net, &batch(run).0, &batch(run).1, 0.05)?.loss));
        let losses = losses.collect::<Result<Vec<f32>, Error>>()?;
        let weight = net.get("fc2.weight")?.to_vec();
        Ok::<_, Error>((losses, weight))
    };
    assert_eq!(run()?, run()?);
    Ok(())
}

fn noisy(device: &Device) -> Result<TrainNoisy, Error> {
    TrainNoisy::compile(device, TrainNoisy::dims().b(BATCH), &Options::default())
}

#[test]
fn cuda_steps_draw_and_keep_states_as_on_the_processor() -> Result<(), Error> {
    let Some(device) = device() else { return Ok(()) };
    let run = |device: &Device| {
        let (mut net, mut step) = (Noisy::new(device, Seed(2))?, noisy(device)?);
        let losses = (0..5).map(|run| Ok(step.run(&mut net, &batch(run).0, &batch(run).1, 0.05)?.loss));
        let losses = losses.collect::<Result<Vec<f32>, Error>>()?;
        let mean = net.get("bn1.running_mean")?.to_vec();
        Ok::<_, Error>((losses, mean))
    };
    let ((losses, mean), (expected_losses, expected_mean)) = (run(&device)?, run(&Device::cpu())?);
    assert_close(&losses, &expected_losses, 1e-5);
    assert_close(&mean, &expected_mean, 1e-5);
    Ok(())
}

#[test]
fn cuda_steps_show_metrics_and_outputs() -> Result<(), Error> {
    let Some(device) = device() else { return Ok(()) };
    let ((mut net, mut step), (mut here, mut there)) =
        (network(&device, &Options::default())?, network(&Device::cpu(), &Options::default())?);
    let (x, y) = batch(0);
    let (out, expected) = (step.run(&mut net, &x, &y, 0.01)?, there.run(&mut here, &x, &y, 0.01)?);
    assert_close(&out.output, &expected.output, 1e-5);
    assert_eq!((out.output.shape(), out.close), (&[BATCH, 3][..], expected.close));
    Ok(())
}

#[test]
fn cuda_steps_keep_gradients_for_whoever_asks() -> Result<(), Error> {
    let Some(device) = device() else { return Ok(()) };
    let options = Options { keep_gradients: true, ..Options::default() };
    let ((mut net, mut step), (mut here, mut there)) =
        (network(&device, &options)?, network(&Device::cpu(), &options)?);
    assert!(matches!(step.gradient("fc1.weight"), Err(Error::NotRun { .. })));
    for run in 0..3 {
        train(&mut net, &mut step, run..run + 1)?;
        train(&mut here, &mut there, run..run + 1)?;
        for key in ["fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias"] {
            assert_close(&step.gradient(key)?, &there.gradient(key)?, 1e-4);
        }
    }
    Ok(())
}

#[test]
fn cuda_inputs_of_every_kind_arrive() -> Result<(), Error> {
    let Some(device) = device() else { return Ok(()) };
    let mut step = Masked::compile(&device, Masked::dims().b(BATCH), &Options::default())?;
    let (x, _) = batch(4);
    let keep: Vec<bool> = (0..BATCH * 6).map(|at| at % 3 != 1).collect();
    let rows = [4u32, 0, 2, 2];
    let kept: Vec<f32> = x.iter().zip(&keep).map(|(x, keep)| if *keep { *x } else { x * 0.5 }).collect();
    let expected: Vec<f32> = rows.iter().flat_map(|&row| kept[row as usize * 6..][..6].to_vec()).collect();
    assert_eq!(*step.run(&x, &keep, &rows)?.output, expected[..]);
    assert!(matches!(step.run(&x, &keep, &[5, 0, 0, 0]), Err(Error::IndexOutOfRange { value: 5, bound: BATCH, .. })));
    Ok(())
}

#[test]
fn cuda_steps_change_between_stores() -> Result<(), Error> {
    let Some(device) = device() else { return Ok(()) };
    let (mut alone, mut step) = network(&device, &Options::default())?;
    let expected = train(&mut alone, &mut step, 0..4)?;
    let (mut one, mut other) = (Net::new(&device, Seed(3))?, Net::new(&device, Seed(4))?);
    let mut losses = Vec::new();
    for run in 0..4 {
        losses.extend(train(&mut one, &mut step, run..run + 1)?);
        train(&mut other, &mut step, run..run + 1)?;
    }
    assert_eq!(losses, expected);
    assert_ne!(*one.get("fc2.bias")?, *other.get("fc2.bias")?);
    Ok(())
}

#[test]
fn cuda_steps_of_several_threads_do_not_meet() -> Result<(), Error> {
    let Some(device) = device() else { return Ok(()) };
    let (mut net, mut step) = network(&device, &Options::default())?;
    let expected = train(&mut net, &mut step, 0..4)?;
    let trained = |device: Device| {
        let (mut net, mut step) = network(&device, &Options::default())?;
        train(&mut net, &mut step, 0..4)
    };
    let threads: Vec<_> = (0..3)
        .map(|_| {
            std::thread::spawn({
                let device = device.clone();
                move || trained(device)
            })
        })
        .collect();
    for thread in threads {
        assert_eq!(thread.join().expect("the thread trains")?, expected);
    }
    Ok(())
}

#[test]
fn cuda_steps_explain_and_profile_themselves() -> Result<(), Error> {
    let Some(device) = device() else { return Ok(()) };
    let options = Options { profile: true, ..Options::default() };
    let (mut net, mut step) = network(&device, &options)?;
    let losses = train(&mut net, &mut step, 0..3)?;
    let (mut plain_net, mut plain) = network(&device, &Options::default())?;
    assert_eq!(losses, train(&mut plain_net, &mut plain, 0..3)?);
    let profile = step.profile()?;
    assert_eq!(profile.runs, 3);
    assert!(profile.peak_flops > 1e9 && profile.peak_bandwidth > 1e9 && profile.seconds > 0.0, "{profile:?}");
    let report = step.explain();
    assert!(report.starts_with("Train: ") && report.contains(&device.to_string()), "{report}");
    Ok(())
}

#[test]
fn cuda_gradients_hold_against_differences() -> Result<(), Error> {
    let Some(device) = device() else { return Ok(()) };
    let (net, step) = network(&device, &Options::default())?;
    let (x, y) = batch(1);
    for (key, error) in step.check_gradients(&net, &x, &y, 0.01)? {
        assert!(error < 1e-3, "{key}: {error}");
    }
    Ok(())
}
