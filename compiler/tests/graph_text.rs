//! The printed form of graphs: it comes back unchanged, and no text makes the parser panic.

use proptest::prelude::*;
use std::sync::LazyLock;
use tapeless_compiler::dtype::DType;
use tapeless_compiler::graph::{
    self, Array, Attributes, Builder, Call, Check, Fill, Graph, Infer, Leaf, Lowering, Op, Origin, Relation, Role,
    Sample, SampleOperand, StoreDecl, TypeError, ValueId, Vjp,
};
use tapeless_compiler::ops::{self, OPS};
use tapeless_compiler::shape::{Extent, Shape, Symbol, Type};
use tapeless_compiler::text::ParseError;

/// A graph that uses every kind of line, with names that need quotes.
fn odd() -> Graph {
    let mut graph = Graph::new("Train \"it\"\n");
    graph.files = vec!["src/ma in.rs".into(), "C:\\x\\\u{1F600}.rs".into()];
    graph.dims = vec![Symbol::new("B"), Symbol::new("Höhe")];
    graph.stores = ["", "net", "größe", "1x"].map(|b| StoreDecl { binding: b.into(), model: "Line".into() }).to_vec();
    let half = (Extent::symbol(Symbol::new("Höhe")) - Extent::from(1)).floor_div(&Extent::from(2)).expect("not zero");
    let rows = Shape::new(vec![Extent::symbol(Symbol::new("B")), half.clone() + Extent::from(1)]);
    let ty = Type::new(DType::F32, rows);
    let x = graph.leaf(Leaf::User { name: "x".into() }, ty.clone());
    let w = graph.leaf(Leaf::Parameter { store: 1, key: "fc.\"0\"\t".into() }, ty.clone());
    let origin = Origin { file: 1, line: 13, column: 9 };
    let product = ops::mul(&mut Builder::new(&mut graph, origin), x, w);
    let slot = Leaf::Slot { store: 0, name: "0.m\\'".into(), initial: f64::NEG_INFINITY };
    let slot = graph.leaf(slot, ty.clone());
    graph.leaf(Leaf::Seed { store: 3 }, Type::new(DType::U32, Shape::from_known(&[2])));
    let state = graph.leaf(Leaf::State { store: 2, key: String::new() }, Type::scalar(DType::I64));
    let sum = ops::add(&mut Builder::new(&mut graph, Origin::default()), product, slot);
    let message = "add: extents differ on axis 0".to_string();
    graph.check(Check { left: half, relation: Relation::AtMost, right: Extent::from(i64::MIN), message, origin });
    graph.result(Role::Metric("lo ss".into()), sum);
    graph.result(Role::Output(3), product);
    graph.result(Role::Gradient { store: 1, key: "fc".into() }, product);
    graph.result(Role::Next(slot), sum);
    graph.result(Role::Next(state), state);
    graph
}

/// A few samples of every op, as one graph.
fn samples() -> Graph {
    let mut graph = Graph::new("samples");
    graph.dims = vec![Symbol::new("B")];
    for op in OPS {
        for sample in op.samples().into_iter().take(3) {
            let name = |position| format!("{}{position}", op.name());
            let operand = |(position, operand): (usize, &SampleOperand)| {
                graph.leaf(Leaf::User { name: name(position) }, operand.ty.clone())
            };
            let operands: Vec<_> = sample.operands.iter().enumerate().map(operand).collect();
            let origin = Origin { file: 0, line: 3, column: 1 };
            graph.insert(*op, sample.attributes, &operands, origin).expect("a sample is well typed");
        }
    }
    graph
}

fn comes_back(graph: &Graph) {
    let text = graph::print(graph);
    let parsed = graph::parse(&text, OPS).unwrap_or_else(|error| panic!("{error}\n{text}"));
    assert_eq!(graph::print(&parsed), text);
    assert_eq!(parsed.checks, graph.checks);
    assert_eq!(parsed.results, graph.results);
    assert_eq!(parsed.files, graph.files);
    assert_eq!(parsed.stores, graph.stores);
}

#[test]
fn printed_graphs_come_back() {
    comes_back(&odd());
    comes_back(&samples());
    comes_back(&Graph::new(""));
}

#[test]
fn the_form_is_one_value_per_line() {
    insta::assert_snapshot!(graph::print(&odd()), @r#"
    tapeless graph 1
    step "Train \"it\"\n"
    file 0 "src/ma in.rs"
    file 1 "C:\\x\\😀.rs"
    dim B
    dim Höhe
    store 0 "" Line
    store 1 net Line
    store 2 größe Line
    store 3 "1x" Line
    %0 = user "x" : f32<B, {((Höhe - 1) / 2) + 1}>
    %1 = parameter 1 "fc.\"0\"\t" : f32<B, {((Höhe - 1) / 2) + 1}>
    %2 = mul %0 %1 : f32<B, {((Höhe - 1) / 2) + 1}> @1:13:9
    %3 = slot 0 "0.m\\'" -inf : f32<B, {((Höhe - 1) / 2) + 1}>
    %4 = seed 3 : u32<2>
    %5 = state 2 "" : i64
    %6 = add %2 %3 : f32<B, {((Höhe - 1) / 2) + 1}>
    check {((Höhe - 1) / 2)} <= {-9223372036854775808} "add: extents differ on axis 0" @1:13:9
    result metric "lo ss" %6
    result output 3 %2
    result gradient 1 "fc" %2
    result next %3 %6
    result next %5 %5
    end
    "#);
}

/// An op with two results, which the list does not have yet.
struct Both;

impl Op for Both {
    fn name(&self) -> &'static str {
        "both"
    }

    fn doc(&self) -> &'static str {
        "both(x: T) -> (T, bool): x, and whether it is there"
    }

    fn infer(&self, infer: &mut Infer<'_>) -> Result<Vec<Type>, TypeError> {
        let [x] = infer.operands()?;
        Ok(vec![x.clone(), Type::scalar(DType::Bool)])
    }

    fn vjp(&self, _b: &mut Builder<'_>, call: &Call, _cotangents: &[Option<ValueId>]) -> Vjp {
        Vjp::none(call)
    }

    fn lower(&self, _call: &Call) -> Lowering {
        Lowering::Expand
    }

    fn reference(&self, _call: &Call, operands: &[&Array]) -> Vec<Array> {
        vec![operands[0].clone(), Array::filled(DType::Bool, &[], 1.0)]
    }

    fn samples(&self) -> Vec<Sample> {
        let ty = Type::scalar(DType::F32);
        vec![Sample { attributes: Attributes::none(), operands: vec![SampleOperand { ty, fill: Fill::Distinct }] }]
    }
}

#[test]
fn nodes_with_two_results_come_back() {
    let text = "tapeless graph 1\nstep X\n%0 = user \"x\" : f32<4, 2>\n%1 %2 = both %0 : f32<4, 2>, bool\nend\n";
    let parsed = graph::parse(text, &[&Both]).expect("well formed");
    assert_eq!(graph::print(&parsed), text);
    let error = graph::parse(&text.replace(", bool", ""), &[&Both]).expect_err("one type is missing");
    assert_eq!(error.to_string(), "line 4: 2 values with 1 types");
}

fn refusal(text: &str) -> String {
    graph::parse(text, OPS).expect_err("the text is wrong").to_string()
}

#[test]
fn another_version_is_refused() {
    let message = refusal("tapeless graph 2\nstep X\nend\n");
    assert_eq!(message, "this is version 2 of the printed form of a graph, and this program reads version 1");
}

#[test]
fn refusals_say_what_stands_there_and_what_should() {
    let body = |line: &str| refusal(&format!("tapeless graph 1\nstep X\n%0 = user \"x\" : f32<4>\n{line}\nend\n"));
    assert_eq!(refusal(""), "line 1: found the end of the text, expected `tapeless graph 1`");
    assert_eq!(
        refusal("tapeless graph 1\nstep X\n"),
        "line 3: found the end of the text, expected a value, a result or `end`"
    );
    assert_eq!(body("%2 = exp %0 : f32<4>"), "line 4: found `2`, expected `1`");
    assert_eq!(body("%1 = xep %0 : f32<4>"), "line 4: found `xep`, expected an op or leaf");
    assert_eq!(body("%1 = exp %1 : f32<4>"), "line 4: %1 is not defined above");
    assert_eq!(body("%1 = exp %0 : f32<5>"), "line 4: the types are written as f32<5>, but are f32<4>");
    assert_eq!(body("%1 = exp {a=1} %0 : f32<5>"), "line 4: exp does not take {a=1} as attributes");
    assert_eq!(body("%1 = add %0 : f32<4>"), "line 4: add: takes 2 operands, not 1");
    assert_eq!(body("end\nend"), "line 5: found `end`, expected the end of the text");
}

#[test]
fn checks_that_were_taken_out_come_back() {
    let text = "tapeless graph 1\nstep X\ndim A\ndim B\n%0 = user \"a\" : f32<A>\n%1 = user \"b\" : f32<B>\n\
                %2 = add %0 %1 : f32<A> @0:1:1\nend\n";
    let parsed = graph::parse(text, OPS).expect("well formed");
    assert_eq!(parsed.checks.len(), 1);
    assert_eq!(parsed.checks[0].message, "add: extents differ on axis 0");
}

/// One change of a text: at a place between 0 and 1, of some kind.
type Edit = (f64, u8, String);

fn edit(text: &mut String, (place, kind, insert): &Edit) {
    let lines: Vec<&str> = text.lines().collect();
    if lines.is_empty() {
        return;
    }
    let row = ((place * lines.len() as f64) as usize).min(lines.len() - 1);
    let mut lines: Vec<String> = lines.into_iter().map(String::from).collect();
    let mut words: Vec<String> =
        lines[row].split_inclusive([' ', '=', ',', '<', '{', '"', ':']).map(String::from).collect();
    let column = (place * 7919.0).fract();
    let word = ((column * words.len() as f64) as usize).min(words.len().saturating_sub(1));
    match kind % 6 {
        0 if !words.is_empty() => drop(words.remove(word)),
        1 if !words.is_empty() => words[word] = insert.clone(),
        2 => words.insert(word, insert.clone()),
        3 if !words.is_empty() => words.insert(word, words[word].clone()),
        4 => words.reverse(),
        _ => words.truncate(word),
    }
    lines[row] = words.concat();
    *text = lines.join("\n");
}

fn edits() -> impl Strategy<Value = Vec<Edit>> {
    let token = prop_oneof![
        "[%@{}<>\"=:, +*/()-]",
        "[0-9]{1,20}",
        "(-?[0-9]{1,2}|-1|inf|NaN|B|f32|u32|bool|end|\\\\u\\{)",
        "(\"[a-z,>-]{0,8}\"|<B, 0>|\\{B / B\\}|\\[-1\\]|\\[0, 0\\]|\\[7, 1\\])",
        any::<String>(),
    ];
    prop::collection::vec((0.0..1.0, any::<u8>(), token), 1..4)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_changed_text_makes_the_parser_panic(edits in edits(), which in any::<bool>()) {
        static TEXTS: LazyLock<[String; 2]> = LazyLock::new(|| [graph::print(&odd()), graph::print(&samples())]);
        let mut text = TEXTS[usize::from(which)].clone();
        edits.iter().for_each(|change| edit(&mut text, change));
        if let Ok(parsed) = graph::parse(&text, OPS) {
            comes_back(&parsed);
        }
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in any::<String>()) {
        let text = format!("tapeless graph 1\nstep X\n{text}");
        let refused = !matches!(graph::parse(&text, OPS), Err(ParseError::Version { .. }));
        prop_assert!(refused);
    }
}
