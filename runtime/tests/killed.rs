//! A process that is killed while it saves, at any moment, leaves a save that is whole: the one before or the one it was at.

mod folder;

use folder::Folder;
use std::env;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime};
use tapeless::{Device, Error, Options, Seed, model};

model! {
    pub model Net(x: f32<N, 64>) -> f32<N, 8> {
        let fc1 = Linear(128);
        let fc2 = Linear(8);
        x.fc1().dropout(0.3).relu().fc2()
    }

    pub step Train(x: f32<dyn B, 64>, label: u32<B>, lr: f32) {
        let net = Net();
        let loss = cross_entropy(net(x), label);
        minimize(loss, over = net, with = Adam(lr));
        metric(loss);
    }
}

/// Says to the process that saves where to.
const PATH: &str = "TAPELESS_SAVES_TO";

/// How often the process is killed.
const KILLS: u64 = 12;

/// How long a process may take until it saves.
const PATIENCE: Duration = Duration::from_secs(60);

/// A run, and how it goes on.
struct Run {
    net: Net,
    step: Train,
    x: Vec<f32>,
}

impl Run {
    fn new(seed: u64) -> Result<Run, Error> {
        let device = Device::cpu();
        let step = Train::compile(&device, Train::dims().b(4), &Options::default())?;
        let x = (0..4 * 64).map(|i| (i * 19 % 31) as f32 / 15.5 - 1.0).collect();
        Ok(Run { net: Net::new(&device, Seed(seed))?, step, x })
    }

    fn advance(&mut self) -> Result<f32, Error> {
        Ok(self.step.run(&mut self.net, &self.x, &[0, 3, 5, 7], 1e-3)?.loss)
    }

    fn bias(&self) -> Result<Vec<f32>, Error> {
        Ok(self.net.get("fc2.bias")?.to_vec())
    }
}

/// Trains and saves until it is killed.
fn save_forever(path: &Path) -> Result<(), Error> {
    let mut run = Run::new(5)?;
    if path.exists() {
        run.net.load(path)?;
    }
    loop {
        run.advance()?;
        run.net.save(path)?;
    }
}

/// When the file was written, if it was.
fn written(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).ok().map(|metadata| metadata.modified().expect("the system keeps times"))
}

/// Starts a process that saves, and kills it so long after its first save.
fn kill_one(path: &Path, after: Duration) {
    let (start, before) = (Instant::now(), written(path));
    let mut child = Command::new(env::current_exe().expect("the path of the tests"))
        .args(["a_process_killed_while_saving_leaves_a_whole_save", "--exact"])
        .env(PATH, path)
        .stdout(Stdio::null())
        .spawn()
        .expect("the tests run again");
    while written(path) == before {
        assert!(start.elapsed() < PATIENCE, "nothing is saved");
        sleep(Duration::from_millis(2));
    }
    sleep(after);
    assert!(child.try_wait().expect("it was started").is_none(), "it saves until it is killed");
    child.kill().expect("it runs");
    child.wait().expect("it was killed");
}

#[test]
fn a_process_killed_while_saving_leaves_a_whole_save() -> Result<(), Error> {
    if let Some(path) = env::var_os(PATH) {
        return save_forever(Path::new(&path));
    }
    let folder = Folder::new("killed");
    let path = folder.file("net.safetensors");
    let mut whole = Run::new(5)?;
    let mut updates = 0;
    for kill in 0..KILLS {
        kill_one(&path, Duration::from_micros(13_300 * kill));
        let mut resumed = Run::new(0)?;
        resumed.net.load(&path)?;
        while whole.bias()? != resumed.bias()? {
            whole.advance()?;
            updates += 1;
            assert!(updates < 1_000_000, "the save is of no moment of the run");
        }
        // Its slots and counts are of the same moment: it goes on as the run that was never killed.
        assert_eq!(resumed.advance()?, whole.advance()?, "after {updates} updates");
        assert_eq!(resumed.bias()?, whole.bias()?, "after {updates} updates");
        updates += 1;
    }
    assert!(updates > 2 * KILLS, "{updates} updates were saved, hardly one between two kills");
    Ok(())
}
