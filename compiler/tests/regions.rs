//! Regions in graphs: text, verification, binding, and what `#[remat]` makes of them.

use proc_macro2::TokenStream;
use tapeless_compiler::dtype::DType;
use tapeless_compiler::graph::{self, Array, Builder, Graph, Leaf, Origin, Region, Role, bind, evaluate};
use tapeless_compiler::ops::{self, OPS};
use tapeless_compiler::pipeline;
use tapeless_compiler::shape::{Bindings, Extent, Shape, Symbol, Type};
use tapeless_compiler::syntax;

fn vector(symbol: &str) -> Type {
    Type::new(DType::F32, Shape::new(vec![Extent::symbol(Symbol::new(symbol))]))
}

/// The region that applies `body` to two vectors of this type.
fn region(ty: &Type, body: impl FnOnce(&mut Builder<'_>, [graph::ValueId; 2]) -> graph::ValueId) -> Region {
    let mut region = Graph::new("X");
    let [x, y] = ["0", "1"].map(|name| region.leaf(Leaf::User { name: name.into() }, ty.clone()));
    let result = body(&mut Builder::new(&mut region, Origin { file: 0, line: 3, column: 9 }), [x, y]);
    region.result(Role::Output(0), result);
    Region::new(region)
}

/// `remat(x, y -> exp(remat(x, y -> x * y)))` over vectors of an open extent.
fn nested() -> Graph {
    let ty = vector("B");
    let mut graph = Graph::new("X");
    graph.files.push("x.rs".into());
    graph.dims.push(Symbol::new("B"));
    let [x, y] = ["x", "y"].map(|name| graph.leaf(Leaf::User { name: name.into() }, ty.clone()));
    let inner = region(&ty, |b, [x, y]| ops::mul(b, x, y));
    let outer = region(&ty, |b, [x, y]| {
        let product = ops::remat(b, inner, &[x, y])[0];
        ops::exp(b, product)
    });
    let result = ops::remat(&mut Builder::new(&mut graph, Origin::default()), outer, &[x, y])[0];
    graph.result(Role::Output(0), result);
    graph
}

#[test]
fn regions_are_printed_and_read_where_they_are_owned() {
    let text = graph::print(&nested());
    insta::assert_snapshot!(text, @r#"
    tapeless graph 1
    step X
    file 0 "x.rs"
    dim B
    %0 = user "x" : f32<B>
    %1 = user "y" : f32<B>
    %2 = remat {body=region} %0 %1 : f32<B>
        %0 = user "0" : f32<B>
        %1 = user "1" : f32<B>
        %2 = remat {body=region} %0 %1 : f32<B> @0:3:9
            %0 = user "0" : f32<B>
            %1 = user "1" : f32<B>
            %2 = mul %0 %1 : f32<B> @0:3:9
            result output 0 %2
            end
        %3 = exp %2 : f32<B> @0:3:9
        result output 0 %3
        end
    result output 0 %2
    end
    "#);
    let again = graph::parse(&text, OPS).expect("the text is a graph");
    assert_eq!(graph::print(&again), text);
    assert_eq!(graph::verify(&again), Ok(()));
}

#[test]
fn open_extents_are_bound_inside_of_regions() {
    let bindings = Bindings::from([(Symbol::new("B"), Extent::from(2))]);
    let bound = bind(&nested(), &bindings).expect("the extents fit");
    assert!(!graph::print(&bound).contains("<B>"));
    let leaves = [[1.0, 2.0], [0.5, -1.0]].map(|x| Array::new(DType::F32, &[2], x.to_vec()));
    assert_eq!(evaluate(&bound, &leaves)[0].elements, [0.5f64.exp(), (-2f64).exp()]);
}

#[test]
fn what_is_wrong_in_a_region_is_found() {
    let text = graph::print(&nested());
    let refused = |from: &str, to: &str| {
        let changed = text.replace(from, to);
        assert_ne!(changed, text, "{from} is in the text");
        match graph::parse(&changed, OPS) {
            Ok(graph) => graph::verify(&graph).expect_err("an invariant is broken").to_string(),
            Err(error) => error.to_string(),
        }
    };
    insta::assert_snapshot!(refused("user \"1\"", "user \"one\""), @r#"the region of %2: user "one" stands in a region where argument or output 1 should"#);
    insta::assert_snapshot!(refused("        result output 0 %2", "        result output 1 %2"), @"the region of %2: the region of %2: output 1 stands in a region where argument or output 0 should");
    insta::assert_snapshot!(refused("%2 = mul %0 %1 : f32<B>", "%2 = mul %0 %1 : f32<C>"), @"line 13: the types are written as f32<C>, but are f32<B>");
    insta::assert_snapshot!(refused("%2 = mul %0 %1", "%2 = mul %0 %7"), @"line 13: %7 is not defined above");
    insta::assert_snapshot!(refused("    %0 = user \"0\" : f32<B>", "    %0 = user \"0\" : f32<3>"), @"line 13: the types are written as f32<B>, but are f32<3>");
    insta::assert_snapshot!(refused("    %0 = user \"0\" : f32<B>", "    dim C"), @"line 8: found `dim`, expected a value, `check`, `result` or `end`");
}

#[test]
fn deep_regions_are_refused_and_do_not_exhaust_the_stack() {
    let mut text = "tapeless graph 1\nstep X\n%0 = user \"x\" : f32\n".to_string();
    for _ in 0..5000 {
        text.push_str("%1 = remat {body=region} %0 : f32\n%0 = user \"0\" : f32\n");
    }
    let error = graph::parse(&text, OPS).expect_err("the text is no graph");
    assert!(error.to_string().ends_with("regions are nested more than 32 deep"), "{error}");
}

/// The last step of a program, as written, without gradients expanded.
fn step(source: &str) -> Graph {
    let tokens: TokenStream = source.parse().expect("it is made of tokens");
    let (program, diagnostics) = syntax::compile(tokens);
    let messages: Vec<String> = diagnostics.iter().map(|diagnostic| diagnostic.message()).collect();
    assert_eq!(messages, Vec::<String>::new());
    program.steps.into_iter().next_back().expect("there is a step").graph
}

fn deep(remat: &str) -> Graph {
    step(&format!(
        "model Deep(x: f32<N, 4>) -> f32<N, 4> {{
            let layers = [Linear(4); 3];
            let mut x = x;
            let mut kept = [x];
            {remat}
            for layer in layers {{
                x = layer(x).tanh().exp();
                kept.push(x);
            }}
            x + kept[1]
        }}
        step Train(x: f32<2, 4>, lr: f32) {{
            let net = Deep();
            let loss = net(x).pow(2).mean();
            minimize(loss, over = net, with = Sgd(lr));
            metric(loss);
        }}"
    ))
}

fn count(graph: &Graph, op: &str) -> usize {
    graph.nodes().filter(|(_, node)| node.op.name() == op).count()
}

#[test]
fn rounds_of_a_loop_are_computed_again_and_mean_the_same() {
    let [kept, again] = ["", "#[remat]"].map(|remat| pipeline::finish(&deep(remat)).expect("the graph is right"));
    assert_eq!((count(&kept, "tanh"), count(&again, "tanh")), (3, 6));
    assert_eq!((count(&kept, "barrier"), count(&again, "remat")), (0, 0));
    let leaves: Vec<Array> = kept
        .leaves()
        .enumerate()
        .map(|(seed, (_, _, ty))| {
            let mut state = seed as f64 + 0.3;
            Array::build(ty.dtype, &ty.known_shape(), |_| {
                state = (state * 997.0 + 0.37).sin();
                state
            })
        })
        .collect();
    let names = |graph: &Graph| graph.leaves().map(|(_, leaf, _)| leaf.to_string()).collect::<Vec<_>>();
    assert_eq!(names(&kept), names(&again));
    assert_eq!(evaluate(&kept, &leaves), evaluate(&again, &leaves));
}

#[test]
fn a_let_is_computed_again_too() {
    let source = |remat: &str| {
        format!(
            "model Two(x: f32<N, 4>) -> f32<N, 4> {{
                #[param]
                let w: f32<4> = ones();
                {remat}
                let (a, b) = (exp(w * x), tanh(w + x));
                a * b
            }}
            step Train(x: f32<2, 4>) {{
                let net = Two();
                minimize(net(x).sum(), over = net, with = Sgd(0.1));
            }}"
        )
    };
    let [kept, again] = ["", "#[remat]"].map(|remat| pipeline::finish(&step(&source(remat))).expect("it is right"));
    assert_eq!((count(&kept, "exp"), count(&again, "exp")), (1, 2));
    assert_eq!((count(&kept, "tanh"), count(&again, "tanh")), (1, 2));
}
