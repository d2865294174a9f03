//! Reductions, orders and indices that do not fit what they are applied to.

use tapeless::model;

model! {
    pub model Net(x: f32<N, 16>) -> f32<N, 4> {
        let fc = Linear(4);
        x.fc()
    }

    pub step Reduce(x: f32<dyn B, 16>, none: f32<B, 0>) {
        let net = Net();
        let y = net(x);
        metric(a = none.amax(1).sum(), b = none.max(1), c = none.argmin(-1).sum());
        metric(d = y.max([0, 1]), e = y.var(1, correction = y), f = y.logsumexp(3).sum());
    }

    pub step Pick(x: f32<dyn B, 16>, i: u32<B>, j: i32<B>) {
        let net = Net();
        let y = net(x);
        metric(a = y.topk(5), b = y.topk(-1), c = y.gather(1, x), d = y.index_select(0, j).sum());
        metric(e = y.scatter_add(1, i, y), f = y.scatter_add(1, i.unsqueeze(1), y), g = i.one_hot(-2));
        metric(h = y.cumsum(), i = y.gather(1, i));
    }

    pub model Words(ids: u32<N>) -> f32<N, 8> {
        let embed = Embedding(10, 8, padding_idx = 11);
        embed(ids)
    }

    pub model Floats(x: f32<N, 3>) {
        let embed = Embedding(10, 8);
        embed(x)
    }
}

fn main() {}

// error: amax: axis 1 of f32<B, 0> is empty
//          none is f32<B, 0>
//          none is made at wrong/reductions.rs:11:40
//   --> wrong/reductions.rs:14:25
// error: max: axis 1 of f32<B, 0> is empty
//          none is f32<B, 0>
//          none is made at wrong/reductions.rs:11:40
//   --> wrong/reductions.rs:14:49
// error: argmin: axis 1 of f32<B, 0> is empty
//          none is f32<B, 0>
//          none is made at wrong/reductions.rs:11:40
//   --> wrong/reductions.rs:14:66
// error: max: `axis` is a whole number, not a list
//          max(input, axis = …, keepdim = false)
//   --> wrong/reductions.rs:15:26
// error: var: `correction` is a whole number, not a tensor
//          var(input, axis = …, correction = 1, keepdim = false)
//   --> wrong/reductions.rs:15:61
// error: logsumexp: axis 3 of f32<B, 4>, which has axes 0 and 1
//          y is made at wrong/reductions.rs:13:13
//   --> wrong/reductions.rs:15:81
// error: topk: takes 5 of the 4 elements on axis 1
//          y is f32<B, 4>
//          y is made at wrong/reductions.rs:20:13
//   --> wrong/reductions.rs:21:22
// error: topk: `k` is 0 or more, not -1
//   --> wrong/reductions.rs:21:42
// error: gather: takes u32 indices, not f32
//          y is f32<B, 4>, x is f32<B, 16>
//          y is made at wrong/reductions.rs:20:13, x at wrong/reductions.rs:18:19
//   --> wrong/reductions.rs:21:53
// error: index_select: takes u32 indices, not i32
//          y is f32<B, 4>, j is i32<B>
//          y is made at wrong/reductions.rs:20:13, j at wrong/reductions.rs:18:49
//   --> wrong/reductions.rs:21:73
// error: scatter_add: ranks differ
//          y is f32<B, 4>, i is u32<B>, y is f32<B, 4>
//          y is made at wrong/reductions.rs:20:13, i at wrong/reductions.rs:18:38
//   --> wrong/reductions.rs:22:22
// error: scatter_add: extents differ on axis 1
//          y is f32<B, 4>, i.unsqueeze(1) is u32<B, 1>, y is f32<B, 4>
//          y is made at wrong/reductions.rs:20:13
//   --> wrong/reductions.rs:22:50
// error: one_hot: `num_classes` is 0 or more, not -2
//   --> wrong/reductions.rs:22:99
// error: cumsum needs `axis`
//          cumsum(input, axis)
//   --> wrong/reductions.rs:23:22
// error: gather: ranks differ
//          y is f32<B, 4>, i is u32<B>
//          y is made at wrong/reductions.rs:20:13, i at wrong/reductions.rs:18:38
//   --> wrong/reductions.rs:23:38
// error: padding_idx 11 is no row of 10
//   --> wrong/reductions.rs:28:14
// error: embed: `x` takes u32<..>, x is f32<N, 3>
//          x is made at wrong/reductions.rs:31:22
//   --> wrong/reductions.rs:33:14
