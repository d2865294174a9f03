//! The paths that five optimizers take from one start over the loss of two parameters, as a map with contours.
//!
//! `cargo run --release --bin landscape -- --out DIR` writes `landscape.svg` and `landscape.png` into DIR

use std::path::PathBuf;
use tapeless::{Device, Options, Seed, model};
use tapeless_examples::ExampleError;
use tapeless_examples::arguments::Arguments;
use tapeless_examples::landscape::{Landscape, Place, Plane};

/// Where all begin.
const START: [f32; 2] = [0.7, 1.4];
/// Where the loss is 0.
const LOWEST: Place = (3.0, 0.5);
const LEVELS: [f32; 14] = [0.03, 0.1, 0.3, 0.7, 1.5, 3.0, 6.0, 10.0, 16.0, 25.0, 40.0, 70.0, 120.0, 200.0];

model! {
    /// Beale's function of many points: a valley that bends, and is flat along its bottom.
    pub model Beale(x: f32<N>, y: f32<N>) -> f32<N> {
        let a = 1.5 - x + x * y;
        let b = 2.25 - x + x * y * y;
        let c = 2.625 - x + x * y * y * y;
        a * a + b * b + c * c
    }

    /// The two parameters. What the model gives is the loss there.
    pub model Point() -> f32<1> {
        #[param]
        let x: f32<1> = zeros();
        #[param]
        let y: f32<1> = zeros();
        let beale = Beale();
        beale(x, y)
    }

    /// The loss at many points.
    pub step Heights(x: f32<dyn N>, y: f32<N>) -> f32<N> {
        let beale = Beale();
        beale(x, y)
    }

    /// Gradient descent.
    pub step Descend(lr: f32) {
        let point = Point();
        let loss = point().sum();
        minimize(loss, over = point, with = Sgd(lr));
        metric(loss);
    }

    /// Gradient descent that keeps its speed.
    pub step DescendWithMomentum(lr: f32) {
        let point = Point();
        let loss = point().sum();
        minimize(loss, over = point, with = Sgd(lr, momentum = 0.9));
        metric(loss);
    }

    /// Slower where gradients have been large.
    pub step DescendByAdagrad(lr: f32) {
        let point = Point();
        let loss = point().sum();
        minimize(loss, over = point, with = Adagrad(lr));
        metric(loss);
    }

    /// Slower where gradients have been large of late.
    pub step DescendByRmsProp(lr: f32) {
        let point = Point();
        let loss = point().sum();
        minimize(loss, over = point, with = RmsProp(lr));
        metric(loss);
    }

    /// Both.
    pub step DescendByAdam(lr: f32) {
        let point = Point();
        let loss = point().sum();
        minimize(loss, over = point, with = Adam(lr));
        metric(loss);
    }
}

/// The places that a step comes to, and the loss at the last one.
macro_rules! path {
    ($step:ident, $rate:expr, $device:expr, $steps:expr) => {{
        let mut point = Point::new($device, Seed(0))?;
        point.set("x", &START[..1])?;
        point.set("y", &START[1..])?;
        let mut step = $step::compile($device, $step::dims(), &Options::default())?;
        let mut path = vec![place(&point)?];
        let mut loss = 0.0;
        for _ in 0..$steps {
            loss = step.run(&mut point, $rate)?.loss;
            path.push(place(&point)?);
        }
        (path, loss)
    }};
}

fn main() -> Result<(), ExampleError> {
    let arguments = Arguments::read(&[("out", "DIR")])?;
    let (steps, points) = if arguments.smoke { (20, (40, 40)) } else { (400, (181, 181)) };
    let device = Device::cpu();
    let runs = [
        ("SGD", path!(Descend, 5e-3, &device, steps)),
        ("Momentum", path!(DescendWithMomentum, 3e-3, &device, steps)),
        ("AdaGrad", path!(DescendByAdagrad, 0.4, &device, steps)),
        ("RMSprop", path!(DescendByRmsProp, 2e-2, &device, steps)),
        ("Adam", path!(DescendByAdam, 0.1, &device, steps)),
    ];
    let mut result = "result".to_string();
    for (name, (path, loss)) in &runs {
        let (x, y) = path[steps];
        println!("{name:9} {steps} steps to ({x:.3}, {y:.3}), loss {loss:.2e}");
        result += &format!(" {}={loss:.2e}", name.to_lowercase());
    }

    let plane = Plane { across: -0.5..4.0, up: -1.5..2.0, points };
    let heights = heights(&device, &plane)?;
    let title = "Beale's function, from one start";
    let paths = runs.map(|(name, (path, _))| (name, path));
    let landscape = Landscape { title, plane, heights: &heights, levels: &LEVELS, paths: &paths, lowest: LOWEST };
    let folder = folder(&arguments)?;
    let [svg, png] = ["landscape.svg", "landscape.png"].map(|name| folder.join(name));
    landscape.write_svg(&svg)?;
    landscape.write_png(&png)?;
    println!("{} and {}", svg.display(), png.display());
    println!("{result}");
    Ok(())
}

fn place(point: &Point) -> Result<Place, tapeless::Error> {
    Ok((f64::from(point.get("x")?[0]), f64::from(point.get("y")?[0])))
}

/// The loss at every point of the grid.
fn heights(device: &Device, plane: &Plane) -> Result<Vec<f32>, ExampleError> {
    let (x, y): (Vec<f32>, Vec<f32>) = plane.places().map(|(x, y)| (x as f32, y as f32)).unzip();
    let mut step = Heights::compile(device, Heights::dims().n(x.len()), &Options::default())?;
    let beale = Beale::new(device, Seed(0))?;
    Ok(step.run(&beale, &x, &y)?.output.to_vec())
}

/// Where pictures go: the folder that was asked for, or one beside what Cargo builds.
fn folder(arguments: &Arguments) -> Result<PathBuf, ExampleError> {
    let folder = arguments.path("out").unwrap_or_else(|| PathBuf::from("target/landscape"));
    match std::fs::create_dir_all(&folder) {
        Ok(()) => Ok(folder),
        Err(source) => Err(ExampleError::Write { file: folder, source }),
    }
}
