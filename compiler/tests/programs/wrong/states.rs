//! Mistakes with states, several in one build.

use tapeless::model;

model! {
    pub model Net<const WIDTH: usize = 4>(x: f32<N, 4>) -> f32<N, 4> {
        #[state]
        let untyped = zeros();
        #[state]
        let mut changed: f32<4> = zeros();
        #[state]
        let seen: u32 = constant(0.5);
        #[state]
        let begun: f32<4> = 1.0;
        #[state]
        let count: u32 = zeros();
        #[state]
        let rows: f32<N> = zeros();
        #[state]
        let mean: f32<WIDTH> = zeros();
        count = count + x.sum();
        count = 0.5;
        mean = x.mean(0) > 0.0;
        mean = (x, x);
        x - mean + rows
    }

    pub step Apply(x: f32<dyn B, 4>) -> f32<B, 4> {
        #[state]
        let own: f32<4> = zeros();
        let net = Net();
        net(x) + own
    }
}

fn main() {}

// error: `untyped` needs a type: #[state] let untyped: f32<…> = …
//   --> wrong/states.rs:8:13
// error: a state is bound to one name, without `mut`
//   --> wrong/states.rs:10:35
// error: constant: a state of u32 begins with a whole number
//   --> wrong/states.rs:12:25
// error: a state begins with an initialiser, like zeros() or uniform(-0.1, 0.1)
//   --> wrong/states.rs:14:29
// error: rows: shape f32<N> is not known from the model's signature and consts
//          N is open at wrong/states.rs:6:50
//          write them out (x: f32<28, 4>) or make them consts of the model
//   --> wrong/states.rs:18:19
// error: add: element types differ
//          count + x.sum(): count is u32, x.sum() is f32
//          count is made at wrong/states.rs:16:13; convert one: count.cast(f32)
//   --> wrong/states.rs:21:23
// error: 0.5 is no u32
//   --> wrong/states.rs:22:17
// error: `mean` is a state of f32<4>, the value is bool<4>
//          the state is declared at wrong/states.rs:20:13
//   --> wrong/states.rs:23:14
// error: expected a tensor or a number, not a tuple of 2
//          take it apart: let (a, b) = …
//   --> wrong/states.rs:24:16
// error: a step holds no states: `own` would belong to no model
//          move `own` into a model, and name that model here
//   --> wrong/states.rs:30:13
