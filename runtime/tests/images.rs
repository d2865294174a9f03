//! Pooling, interpolation and convolutions of every kind against what PyTorch makes of the same image in float64: results
//! and gradients, fused and unfused. `images/make.py` made the records.

use serde_json::Value;
use tapeless::{Device, Error, Fusion, Options, Seed, model};

model! {
    pub model Image(one: f32) -> f32<1, 2, 7, 6> {
        #[param]
        let x: f32<1, 2, 7, 6> = zeros();
        x * one
    }

    pub step Max(g: f32<1, 2, 3, 3>) -> f32<1, 2, 3, 3> {
        let image = Image();
        let x = image.x;
        let y = x.max_pool2d(2);
        minimize((y * g).sum(), over = image, with = Sgd(0.0));
        y
    }

    pub step MaxPadded(g: f32<1, 2, 4, 3>) -> f32<1, 2, 4, 3> {
        let image = Image();
        let x = image.x;
        let y = x.max_pool2d(3, stride = 2, padding = 1);
        minimize((y * g).sum(), over = image, with = Sgd(0.0));
        y
    }

    pub step MaxCeil(g: f32<1, 2, 4, 3>) -> f32<1, 2, 4, 3> {
        let image = Image();
        let x = image.x;
        let y = x.max_pool2d(2, stride = 2, ceil_mode = true);
        minimize((y * g).sum(), over = image, with = Sgd(0.0));
        y
    }

    pub step MaxOfEquals(g: f32<1, 2, 4, 3>) -> f32<1, 2, 4, 3> {
        let image = Image();
        let x = image.x;
        let y = (x - x.detach() + x.detach().floor()).max_pool2d(3, stride = 2, padding = 1);
        minimize((y * g).sum(), over = image, with = Sgd(0.0));
        y
    }

    pub step MaxDilated(g: f32<1, 2, 5, 3>) -> f32<1, 2, 5, 3> {
        let image = Image();
        let x = image.x;
        let y = x.max_pool2d((3, 2), stride = (1, 2), padding = (1, 0), dilation = (2, 1));
        minimize((y * g).sum(), over = image, with = Sgd(0.0));
        y
    }

    pub step Avg(g: f32<1, 2, 3, 3>) -> f32<1, 2, 3, 3> {
        let image = Image();
        let x = image.x;
        let y = x.avg_pool2d(2);
        minimize((y * g).sum(), over = image, with = Sgd(0.0));
        y
    }

    pub step AvgPadded(g: f32<1, 2, 4, 3>) -> f32<1, 2, 4, 3> {
        let image = Image();
        let x = image.x;
        let y = x.avg_pool2d(3, stride = 2, padding = 1);
        minimize((y * g).sum(), over = image, with = Sgd(0.0));
        y
    }

    pub step AvgWithoutPadding(g: f32<1, 2, 4, 3>) -> f32<1, 2, 4, 3> {
        let image = Image();
        let x = image.x;
        let y = x.avg_pool2d(3, stride = 2, padding = 1, count_include_pad = false);
        minimize((y * g).sum(), over = image, with = Sgd(0.0));
        y
    }

    pub step AvgCeil(g: f32<1, 2, 4, 4>) -> f32<1, 2, 4, 4> {
        let image = Image();
        let x = image.x;
        let y = x.avg_pool2d(3, stride = 2, padding = 1, ceil_mode = true);
        minimize((y * g).sum(), over = image, with = Sgd(0.0));
        y
    }

    pub step AvgCeilWithoutPadding(g: f32<1, 2, 4, 3>) -> f32<1, 2, 4, 3> {
        let image = Image();
        let x = image.x;
        let y = x.avg_pool2d(2, ceil_mode = true, count_include_pad = false);
        minimize((y * g).sum(), over = image, with = Sgd(0.0));
        y
    }

    pub step AvgDivided(g: f32<1, 2, 3, 3>) -> f32<1, 2, 3, 3> {
        let image = Image();
        let x = image.x;
        let y = x.avg_pool2d(2, divisor_override = 5);
        minimize((y * g).sum(), over = image, with = Sgd(0.0));
        y
    }

    pub step Adaptive(g: f32<1, 2, 3, 2>) -> f32<1, 2, 3, 2> {
        let image = Image();
        let x = image.x;
        let y = x.adaptive_avg_pool2d((3, 2));
        minimize((y * g).sum(), over = image, with = Sgd(0.0));
        y
    }

    pub step AdaptiveLarger(g: f32<1, 2, 4, 9>) -> f32<1, 2, 4, 9> {
        let image = Image();
        let x = image.x;
        let y = x.adaptive_avg_pool2d((4, 9));
        minimize((y * g).sum(), over = image, with = Sgd(0.0));
        y
    }

    pub step AdaptiveOne(g: f32<1, 2, 1, 1>) -> f32<1, 2, 1, 1> {
        let image = Image();
        let x = image.x;
        let y = x.adaptive_avg_pool2d(1);
        minimize((y * g).sum(), over = image, with = Sgd(0.0));
        y
    }

    pub step Nearest(g: f32<1, 2, 14, 12>) -> f32<1, 2, 14, 12> {
        let image = Image();
        let x = image.x;
        let y = x.interpolate(scale_factor = 2);
        minimize((y * g).sum(), over = image, with = Sgd(0.0));
        y
    }

    pub step NearestSize(g: f32<1, 2, 5, 9>) -> f32<1, 2, 5, 9> {
        let image = Image();
        let x = image.x;
        let y = x.interpolate(size = [5, 9]);
        minimize((y * g).sum(), over = image, with = Sgd(0.0));
        y
    }

    pub step NearestFactor(g: f32<1, 2, 10, 9>) -> f32<1, 2, 10, 9> {
        let image = Image();
        let x = image.x;
        let y = x.interpolate(scale_factor = 1.5);
        minimize((y * g).sum(), over = image, with = Sgd(0.0));
        y
    }

    pub step Bilinear(g: f32<1, 2, 14, 12>) -> f32<1, 2, 14, 12> {
        let image = Image();
        let x = image.x;
        let y = x.interpolate(scale_factor = 2, mode = bilinear);
        minimize((y * g).sum(), over = image, with = Sgd(0.0));
        y
    }

    pub step BilinearAligned(g: f32<1, 2, 11, 4>) -> f32<1, 2, 11, 4> {
        let image = Image();
        let x = image.x;
        let y = x.interpolate(size = [11, 4], mode = bilinear, align_corners = true);
        minimize((y * g).sum(), over = image, with = Sgd(0.0));
        y
    }

    pub step BilinearFactor(g: f32<1, 2, 10, 9>) -> f32<1, 2, 10, 9> {
        let image = Image();
        let x = image.x;
        let y = x.interpolate(scale_factor = 1.5, mode = bilinear);
        minimize((y * g).sum(), over = image, with = Sgd(0.0));
        y
    }

    pub step BilinearSmaller(g: f32<1, 2, 3, 4>) -> f32<1, 2, 3, 4> {
        let image = Image();
        let x = image.x;
        let y = x.interpolate(size = [3, 4], mode = bilinear);
        minimize((y * g).sum(), over = image, with = Sgd(0.0));
        y
    }

    pub step Same(w: f32<3, 2, 4, 2>, g: f32<1, 3, 7, 6>) -> f32<1, 3, 7, 6> {
        let image = Image();
        let x = image.x;
        let y = x.conv2d(w, padding = same);
        minimize((y * g).sum(), over = image, with = Sgd(0.0));
        y
    }

    pub step Grouped(w: f32<4, 1, 3, 3>, g: f32<1, 4, 4, 6>) -> f32<1, 4, 4, 6> {
        let image = Image();
        let x = image.x;
        let y = x.conv2d(w, stride = (2, 1), padding = (1, 2), dilation = (1, 2), groups = 2);
        minimize((y * g).sum(), over = image, with = Sgd(0.0));
        y
    }

    pub step Reflected(w: f32<2, 2, 3, 3>, g: f32<1, 2, 9, 6>) -> f32<1, 2, 9, 6> {
        let image = Image();
        let x = image.x;
        let y = x.conv2d(w, padding = (2, 1), padding_mode = reflect);
        minimize((y * g).sum(), over = image, with = Sgd(0.0));
        y
    }

    pub step Circular(w: f32<2, 2, 3, 3>, g: f32<1, 2, 7, 6>) -> f32<1, 2, 7, 6> {
        let image = Image();
        let x = image.x;
        let y = x.conv2d(w, padding = 1, padding_mode = circular);
        minimize((y * g).sum(), over = image, with = Sgd(0.0));
        y
    }

    pub step Transposed(w: f32<2, 3, 3, 3>, g: f32<1, 3, 14, 12>) -> f32<1, 3, 14, 12> {
        let image = Image();
        let x = image.x;
        let y = x.conv_transpose2d(w, stride = 2, padding = 1, output_padding = 1);
        minimize((y * g).sum(), over = image, with = Sgd(0.0));
        y
    }

    pub step TransposedGrouped(w: f32<2, 2, 2, 3>, g: f32<1, 4, 22, 8>) -> f32<1, 4, 22, 8> {
        let image = Image();
        let x = image.x;
        let y = x.conv_transpose2d(w, stride = (3, 1), padding = (0, 1), output_padding = (2, 0), groups = 2, dilation = (1, 2));
        minimize((y * g).sum(), over = image, with = Sgd(0.0));
        y
    }
}

/// The numbers that the formula of the script gives.
fn filled(count: usize, step: usize, modulus: usize, scale: f32) -> Vec<f32> {
    (0..count).map(|i| ((i * step % modulus) as f32 - (modulus / 2) as f32) / scale).collect()
}

fn weight(count: usize) -> Vec<f32> {
    filled(count, 29, 43, 32.0)
}

/// What the record of a case says under a name.
fn recorded(case: &str, what: &str) -> Vec<f64> {
    let records: Value = serde_json::from_str(include_str!("images/records.json")).expect("records are JSON");
    let numbers = records[case][what].as_array().expect("the case is recorded");
    numbers.iter().map(|number| number.as_f64().expect("a number")).collect()
}

fn assert_close(case: &str, what: &str, found: &[f32]) {
    let exact = recorded(case, what);
    assert_eq!(found.len(), exact.len(), "{case}: {what}");
    for (at, (&found, exact)) in found.iter().zip(exact).enumerate() {
        let off = (f64::from(found) - exact).abs();
        assert!(off <= 2e-6 * exact.abs().max(1.0), "{case}: element {at} of the {what} is {found}, not {exact}");
    }
}

/// A test per case: `cases!(name: Step(inputs before g), …)`.
macro_rules! cases {
    ($($name:ident: $step:ident($($input:expr)?)),* $(,)?) => {
        $(#[test]
        fn $name() -> Result<(), Error> {
            let device = Device::cpu();
            for fusion in [Fusion::default(), Fusion::none()] {
                let options = Options { keep_gradients: true, fusion, ..Options::default() };
                let mut image = Image::new(&device, Seed(0))?;
                image.set("x", &filled(84, 37, 101, 16.0))?;
                let mut step = $step::compile(&device, $step::dims(), &options)?;
                let g = filled(recorded(stringify!($name), "result").len(), 17, 23, 8.0);
                let y = step.run(&mut image, $(&$input,)? &g)?.output.to_vec();
                assert_close(stringify!($name), "result", &y);
                assert_close(stringify!($name), "gradient", &step.gradient("x")?.to_vec());
            }
            Ok(())
        })*
    };
}

cases!(
    max: Max(),
    max_padded: MaxPadded(),
    max_ceil: MaxCeil(),
    max_of_equals: MaxOfEquals(),
    max_dilated: MaxDilated(),
    avg: Avg(),
    avg_padded: AvgPadded(),
    avg_without_padding: AvgWithoutPadding(),
    avg_ceil: AvgCeil(),
    avg_ceil_without_padding: AvgCeilWithoutPadding(),
    avg_divided: AvgDivided(),
    adaptive: Adaptive(),
    adaptive_larger: AdaptiveLarger(),
    adaptive_one: AdaptiveOne(),
    nearest: Nearest(),
    nearest_size: NearestSize(),
    nearest_factor: NearestFactor(),
    bilinear: Bilinear(),
    bilinear_aligned: BilinearAligned(),
    bilinear_factor: BilinearFactor(),
    bilinear_smaller: BilinearSmaller(),
    same: Same(weight(48)),
    grouped: Grouped(weight(36)),
    reflected: Reflected(weight(36)),
    circular: Circular(weight(36)),
    transposed: Transposed(weight(54)),
    transposed_grouped: TransposedGrouped(weight(24)),
);
