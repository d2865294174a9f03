//! Layers that normalise, on what they do not take.

use tapeless::model;

model! {
    pub model Shapes(x: f32<N, 3, 4>) -> f32<N, 3, 4> {
        let norm = LayerNorm([4, 3]);
        x.norm()
    }

    pub model Eps(x: f32<N, 4>) -> f32<N, 4> {
        let norm = LayerNorm(1e-6);
        x.norm()
    }

    pub model Image(x: f32<N, 3, 4, 4>) -> f32<N, 3, 4, 4> {
        let norm = BatchNorm1d();
        x.norm()
    }

    pub model Vector(x: f32<N>) -> f32<N> {
        let norm = BatchNorm1d();
        x.norm()
    }

    pub model Functions(x: f32<N, 4>) -> f32<N, 4> {
        #[param]
        let w: f32<3> = ones();
        rms_norm(x, [4], w) + layer_norm(x, [4], bias = w)
    }
}

fn main() {}

// error: layer_norm: the last axes are not [4, 3]
//          x is f32<N, 3, 4>
//   --> wrong/normalized_axes.rs:8:11
// error: LayerNorm: `normalized_shape` is shape, not a number
//          LayerNorm(normalized_shape = [], eps = 1e-5, elementwise_affine = true, bias = true)
//   --> wrong/normalized_axes.rs:12:30
// error: BatchNorm1d takes f32<N, C> or f32<N, C, L>
//   --> wrong/normalized_axes.rs:18:11
// error: norm: `x` takes f32<N, C, ..>, x is f32<N>
//          x is made at wrong/normalized_axes.rs:21:22
//   --> wrong/normalized_axes.rs:23:11
// error: rms_norm: extents differ on axis 0
//          x is f32<N, 4>, w is f32<3>
//          x is made at wrong/normalized_axes.rs:26:25, w at wrong/normalized_axes.rs:28:13
//   --> wrong/normalized_axes.rs:29:17
// error: layer_norm: `bias` needs `weight`
//   --> wrong/normalized_axes.rs:29:57
