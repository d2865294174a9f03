//! Forms of the language that decide keys and shapes: lists that grow, patterns, counters, functions of consts, layers
//! that are not applied, attributes inside of each other.

use tapeless_compiler::graph::{Graph, Role};
use tapeless_compiler::syntax::{self, output::Program};

/// The program of a text without mistakes.
fn compiled(source: &str) -> Program {
    let (program, diagnostics) = syntax::compile(source.parse().expect("it is made of Rust tokens"));
    let messages: Vec<String> = diagnostics.iter().map(|diagnostic| diagnostic.message()).collect();
    assert_eq!(messages, Vec::<String>::new());
    program
}

/// `key [shape]` of every tensor of a model, states marked.
fn tensors(program: &Program, model: usize) -> Vec<String> {
    let tensors = &program.models[model].description.tensors;
    let line = |t: &tapeless_compiler::description::TensorDecl| {
        format!("{} {:?}{}", t.key, t.ty.known_shape(), if t.state { " s" } else { "" })
    };
    tensors.iter().map(line).collect()
}

/// The tensors of the model in a text of one model.
fn tensors_of(source: &str) -> Vec<String> {
    tensors(&compiled(source), 0)
}

/// How many nodes of a graph have the op of that name.
fn count(graph: &Graph, op: &str) -> usize {
    graph.nodes().filter(|(_, node)| node.op.name() == op).count()
}

/// How many next values a step has.
fn changed(program: &Program, step: usize) -> usize {
    program.steps[step].graph.results.iter().filter(|result| matches!(result.role, Role::Next(_))).count()
}

#[test]
fn lists_that_grow_give_their_layers_the_key_of_the_list_and_their_position() {
    let keys = tensors_of(
        "pub model Net(x: f32<N, 6>) -> f32<N, 3> {
            let mut layers = [];
            let mut widths = [0; 3];
            for (i, width) in [8, 7, 6].iter().enumerate() {
                layers.push(Linear(width, bias = false));
                widths[i] = width;
            }
            #[name(\"more\")]
            let mut many = [Linear(5, bias = false), relu];
            many.push(Seq(Linear(3, bias = false), tanh, Linear(widths[2] / 2, bias = false)));
            let mut y = x;
            for layer in layers.iter().rev() {
                y = layer(y);
            }
            for layer in many {
                y = layer(y);
            }
            y
        }",
    );
    let expected = [
        "layers.0.weight [8, 7]",
        "layers.1.weight [7, 6]",
        "layers.2.weight [6, 6]",
        "more.0.weight [5, 8]",
        "more.2.0.weight [3, 5]",
        "more.2.2.weight [3, 3]",
    ];
    assert_eq!(keys, expected);
}

#[test]
fn patterns_name_layers_and_take_values_apart() {
    let keys = tensors_of(
        "block Pair(a: f32<N, D>, b: f32<N, D>) -> (f32<N, D>, (f32<N>, _)) {
            let fc = Linear(D, bias = false);
            (fc(a) + b, ((a * b).sum(1), a))
        }
        pub model Net(x: f32<N, 6>) -> f32<N, 6> {
            let (first, [second, act]) = (Linear(4), [Linear(6), relu]);
            let pair = Pair();
            let (mut p, (mut sum, q)) = x.pair(x.first().second().act());
            let [[a, _], (_, b)] = [[p, q], (q, p)];
            (p, sum) = (a + b, sum);
            p * sum.unsqueeze(1)
        }",
    );
    let expected =
        ["first.weight [4, 6]", "first.bias [4]", "second.weight [6, 4]", "second.bias [6]", "pair.fc.weight [6, 6]"];
    assert_eq!(keys, expected);
}

#[test]
fn consts_are_computed_as_in_rust() {
    let keys = tensors_of(
        "pub model Net<const RATIO: f32 = 1.5, const POWER: usize = {1 << 3}>(x: f32<N, 6>) -> f32<N, 6> {
            const WIDE: usize = (6.0 * RATIO + 0.5).ceil() as usize;
            const MIXED: usize = 2.pow(3).min(5) + WIDE.div_ceil(4) + max(2, 3) + 7.next_multiple_of(4) % 5;
            const QUARTER: f32 = WIDE as f32 / 4.0;
            #[param]
            let w: f32<WIDE, MIXED, POWER> = ones();
            assert!(QUARTER == 2.5 && sqrt(4) == 2.0 && abs(-3) == 3 && 7 / 2 == 3 && 7 % 4 == 3 && 7.0 / 2.0 == 3.5);
            assert!(true as usize + (2.9 as usize) == 3 && 16.ilog2() == 4 && !12.is_power_of_two());
            assert!(1.5.max(2.0) == 2.0 && 5.clamp(0, 3) == 3 && (0..WIDE).len() == WIDE && [].is_empty());
            x + 0 * w.sum()
        }",
    );
    assert_eq!(keys, ["w [10, 14, 8]"]);
}

#[test]
fn defaults_refer_to_consts_before_them() {
    let program = compiled(
        "block Mlp<const W: usize = 4, const H: usize = {W * 2}, const S: f32 = 1.0, const BIAS: bool = {S > 0.5}>(x: f32<N, D>) {
            let up = Linear(H, bias = BIAS);
            let down = Linear(W, bias = !BIAS);
            x.up().relu().down() * S
        }
        pub model Net<const W: usize = 3>(x: f32<N, 6>) -> f32<N, W> {
            let a = Mlp();
            let b = Mlp(W, S = 0.25);
            x.a().b()
        }
        pub model Wide = Net(W = 5);",
    );
    let expected = [
        "a.up.weight [8, 6]",
        "a.up.bias [8]",
        "a.down.weight [4, 8]",
        "b.up.weight [6, 4]",
        "b.down.weight [3, 6]",
        "b.down.bias [3]",
    ];
    assert_eq!(tensors(&program, 0), expected);
    assert_eq!(tensors(&program, 1)[3..], ["b.up.weight [10, 4]", "b.down.weight [5, 10]", "b.down.bias [5]"]);
}

#[test]
fn counters_and_consts_stand_in_names() {
    let keys = tensors_of(
        "pub model Net<const TAG: usize = 7>(x: f32<N, 4>) -> f32<N, 4> {
            const PART: f32 = 0.5;
            let mut n = 0;
            let mut y = x;
            for (stage, deep) in [(1, true), (2, false)] {
                for i in 0..2 {
                    #[name(\"features.{n}\")]
                    let fc = Linear(4, bias = false);
                    n += 1;
                    y = y.fc();
                    if deep {
                        #[name(\"stage{stage}.{i}.{TAG}.{PART}.{deep}\")]
                        let extra = Linear(4, bias = false);
                        n += 1;
                        y = y.extra();
                    }
                }
            }
            #[name(\"\")]
            let tail = Seq(Linear(4, bias = false), relu, if n > 6 { Linear(9) }, if n == 6 { Linear(4, bias = false) });
            y.tail()
        }",
    );
    let expected = [
        "features.0.weight [4, 4]",
        "stage1.0.7.0.5.true.weight [4, 4]",
        "features.2.weight [4, 4]",
        "stage1.1.7.0.5.true.weight [4, 4]",
        "features.4.weight [4, 4]",
        "features.5.weight [4, 4]",
        "0.weight [4, 4]",
        "2.weight [4, 4]",
    ];
    assert_eq!(keys, expected);
}

#[test]
fn a_layer_is_there_before_and_without_its_application_where_consts_decide_its_shape() {
    let source = "
        block Table<const V: usize, const D: usize>(id: f32<N, V>) -> f32<N, D> {
            #[param]
            let weight: f32<V, D> = normal();
            id.matmul(weight)
        }
        block Stack<const DEEP: usize>(x: f32<N, T>) -> f32<N, 4> {
            let tables = [Table(T, 4); DEEP];
            let first = tables[0];
            x.first()
        }
        block Spare<const D: usize>(x: f32<N, E>) -> f32<N, D> {
            let inner = Table(2, D);
            let chain = Seq(Table(D, D), relu, Table(D, 1));
            let free = Relu();
            #[state]
            let seen: u32 = zeros();
            seen = seen + 1;
            inner(x).chain().free()
        }
        pub model Net<const V: usize = 12, const D: usize = 8>(x: f32<N, D>, id: f32<N, V>) -> f32<N, V> {
            let wte = Table(V, D);
            let spare = Spare(3);
            let y = x.matmul(wte.weight.t());
            if V > 100 { wte(id).spare() } else { y + 0 * wte(id).sum() }
        }
        pub step Train(x: f32<dyn B, 8>, id: f32<B, 12>, lr: f32) {
            let net = Net();
            let loss = net(x, id).pow(2).mean() + 0 * net.spare.inner.weight.sum() + 0 * net.spare.chain.2.weight.mean();
            minimize(loss, over = [net.wte, net.spare.inner, net.spare.chain.2], with = Sgd(lr));
            metric(loss);
        }";
    let program = compiled(source);
    let expected = [
        "wte.weight [12, 8]",
        "spare.inner.weight [2, 3]",
        "spare.chain.0.weight [3, 3]",
        "spare.chain.2.weight [3, 1]",
        "spare.seen [] s",
    ];
    assert_eq!(tensors(&program, 0), expected);
    // The state of a layer that is not applied stays as it is.
    assert_eq!(changed(&program, 0), 3);
}

#[test]
fn the_innermost_of_train_and_eval_wins() {
    let source = "
        block Count(x: f32<N>) -> f32<N> {
            #[state]
            let seen: u32 = zeros();
            seen = seen + 1;
            if training { tanh(x) } else { x }
        }
        block Twice(x: f32<N>) -> f32<N> {
            let a = Count();
            #[train]
            let b = Count();
            let chain = Seq(Count(), Count());
            x.a().b().chain()
        }
        pub model Net(x: f32<N>) -> f32<N> {
            #[eval]
            let frozen = Twice();
            let free = Twice();
            x.frozen().free()
        }
        #[train]
        pub step Warm(x: f32<dyn B>) -> f32<B> {
            let net = Net();
            net(x)
        }
        pub step Apply(x: f32<dyn B>) -> f32<B> {
            let net = Net();
            net(x)
        }
        #[train]
        pub step Frozen(x: f32<dyn B>) -> f32<B> {
            #[eval]
            let net = Net();
            net(x)
        }
        pub step Thawed(x: f32<dyn B>) -> f32<B> {
            #[train]
            let net = Net();
            net(x)
        }";
    let program = compiled(source);
    // Of `frozen` only `b` trains, of `free` all four do.
    let steps: Vec<(usize, usize, bool)> = (0..4)
        .map(|at| (count(&program.steps[at].graph, "tanh"), changed(&program, at), program.steps[at].stores[0].mutable))
        .collect();
    assert_eq!(steps, [(5, 5, true), (2, 2, true), (2, 2, true), (5, 5, true)]);
}

#[test]
fn extents_with_floor_division_unify_and_the_rest_is_checked_by_compile() {
    let source = "
        block Halve<const S: usize = 2>(x: f32<N, H, 4>) -> f32<N, {(H - 1) / S + 1}, 4> {
            #[param]
            let w: f32<H, {(H - 1) / S + 1}> = ones();
            x.transpose(1, 2).matmul(w).transpose(1, 2)
        }
        pub model Net(x: f32<N, 9, 4>) -> f32<N, 3, 4> {
            let (a, b) = (Halve(), Halve());
            x.a().b()
        }
        pub step Both(x: f32<dyn A, 9, 4>, y: f32<dyn B, dyn T, 4>, z: f32<B, {(T - 1) / 2 + 1}, 4>) -> f32<A, 3, 4> {
            let net = Net();
            assert!(T % 2 == 1 && A >= B, \"{A} and {B} with {T}\");
            net(x) + 0 * (y.sum() + z.sum())
        }";
    let program = compiled(source);
    assert_eq!(tensors(&program, 0), ["a.w [9, 5]", "b.w [5, 3]"]);
    let graph = &program.steps[0].graph;
    let checks: Vec<String> = graph.checks.iter().map(|check| check.message.clone()).collect();
    assert_eq!(checks, ["A and B with T"; 2]);
}

#[test]
fn blocks_leave_their_return_type_out_or_open() {
    let source = "
        block Out(x: f32<N, D>) { x.sum(1) }
        block Hole(x: f32<N, D>) -> _ { x.sum(0) }
        block Holes(x: f32<N, D>) -> (f32<_, D>, _) {
            let (out, hole) = (Out(), Hole());
            (x, (x.out(), x.hole()))
        }
        pub model Net(x: f32<N, 4>) -> (f32<N, 4>, (f32<N>, f32<4>)) {
            let holes = Holes();
            x.holes()
        }
        pub step Apply(x: f32<dyn B, 4>) -> (_, (f32<_>, f32<4>)) {
            let net = Net();
            net(x)
        }";
    let program = compiled(source);
    let graph = &program.steps[0].graph;
    let types: Vec<String> = graph.results.iter().map(|result| graph.ty(result.value).to_string()).collect();
    assert_eq!(types, ["f32<B, 4>", "f32<B>", "f32<4>"]);
}

#[test]
fn a_model_of_a_hundred_blocks_is_one_loop() {
    let program = compiled(include_str!("../../benches/texts/tower.model"));
    let keys = tensors(&program, 0);
    // Widths are 16, 20, 24 and 28 in turn, and those that 8 divides have no bias.
    assert_eq!(
        keys[..4],
        ["floor.0.fc.weight [8, 8]", "floor.1.fc.weight [8, 8]", "floor.1.fc.bias [8]", "floor.2.fc.weight [8, 8]"]
    );
    assert_eq!(keys.len(), 100 + 50 + 2);
    assert_eq!(changed(&program, 0), 2 * keys.len());
}

#[test]
fn states_are_counted_in_whole_numbers_of_any_width() {
    let program = compiled(
        "pub model Net(x: f32<N>) -> f32<N> {
            #[state]
            let num_batches_tracked: i64 = zeros();
            #[state]
            let seen: u32 = constant(3);
            #[state]
            let ever: bool = zeros();
            num_batches_tracked = num_batches_tracked + 1;
            seen += 2 * f32(1).cast(u32);
            ever = x.sum() > 0.0;
            x
        }
        #[train]
        pub step Count(x: f32<dyn B>) {
            let net = Net();
            net(x);
        }",
    );
    let tensors = &program.models[0].description.tensors;
    let types: Vec<String> = tensors.iter().map(|tensor| format!("{} {}", tensor.key, tensor.ty)).collect();
    assert_eq!(types, ["num_batches_tracked i64", "seen u32", "ever bool"]);
    let graph = &program.steps[0].graph;
    let next: Vec<String> = graph.results.iter().map(|result| graph.ty(result.value).to_string()).collect();
    assert_eq!(next, ["bool", "i64", "u32"]);
}
