//! Parts that do not fit each other.

use tapeless::model;

model! {
    pub model Net(x: f32<N, 16>, y: f32<N, 4>, label: u32<N>) -> f32<N, 4> {
        let fc = Linear(4);
        let a = cat([x, y], 0);
        let b = stack([x, y], axis = 1);
        let c = cat([x, label], 1);
        let d = cat([x, x.mean()], 1);
        let e = cat([x, y], 2);
        let f = cat([], 1);
        let g = cat(x, 1);
        let h = cat([x, 1.0], 1);
        fc(cat([x, y], dim = 1))
    }
}

fn main() {}

// error: cat: extents differ on axis 1
//          cat([x, y], 0): x is f32<N, 16>, y is f32<N, 4>
//          x is made at wrong/cat_extents.rs:6:19, y at wrong/cat_extents.rs:6:34
//   --> wrong/cat_extents.rs:8:20
// error: stack: extents differ on axis 1
//          stack([x, y], axis = 1): x is f32<N, 16>, y is f32<N, 4>
//          x is made at wrong/cat_extents.rs:6:19, y at wrong/cat_extents.rs:6:34
//   --> wrong/cat_extents.rs:9:22
// error: cat: element types differ
//          cat([x, label], 1): x is f32<N, 16>, label is u32<N>
//          x is made at wrong/cat_extents.rs:6:19, label at wrong/cat_extents.rs:6:48
//   --> wrong/cat_extents.rs:10:20
// error: cat: ranks differ
//          cat([x, x.mean()], 1): x is f32<N, 16>, x.mean() is f32
//          x is made at wrong/cat_extents.rs:6:19
//   --> wrong/cat_extents.rs:11:20
// error: cat: axis 2 of f32<N, 16>, which has axes 0 and 1
//          x is made at wrong/cat_extents.rs:6:19
//   --> wrong/cat_extents.rs:12:29
// error: cat: `tensors` is a list of tensors, not an empty list
//          cat(tensors, axis = 0)
//   --> wrong/cat_extents.rs:13:21
// error: cat: `tensors` is a list of tensors, not a tensor
//          cat(tensors, axis = 0)
//   --> wrong/cat_extents.rs:14:21
// error: cat: `tensors` is a list of tensors, not a number
//          cat(tensors, axis = 0)
//   --> wrong/cat_extents.rs:15:21
