//! Contractions become kernels of tiles that mean the same, whatever their axes and extents.

mod nests;

use nests::contractions::Product;
use nests::convolutions::{self, Convolution};
use nests::{Case, cases};
use proptest::prelude::*;
use tapeless_compiler::dtype::DType;
use tapeless_compiler::kernel::{
    self, Expression, Kernel, LoopId, LoopKind, Parameter, ParameterId, Statement, Usage, Var, VerifyError, interpret,
};
use tapeless_compiler::nest::{self, Index};
use tapeless_compiler::schedule::{self, Flat, Form, Tiles, choose, contraction};
use tapeless_compiler::target::Target;

/// What goes wrong with the kernel of a case for a machine with so many lanes.
fn wrong(case: &Case, lanes: usize) -> Option<String> {
    wrong_on(case, &Target::new(lanes))
}

fn wrong_on(case: &Case, target: &Target) -> Option<String> {
    if let Err(error) = nest::verify(&case.nest, &case.shapes) {
        return Some(format!("{error}\n{}", case.nest));
    }
    let kernel = schedule::kernel(&case.nest, &case.shapes, "kernel", target);
    if let Err(error) = kernel::verify(&kernel) {
        return Some(format!("{error}\n{kernel}"));
    }
    let expected = nest::evaluate(&case.nest, &case.shapes, &case.operands);
    let mut arguments = case.operands.clone();
    arguments.push(vec![f64::NAN; expected.len()]);
    interpret(&kernel, &mut arguments, target.lanes);
    // Sums of little more than a thousand products of numbers up to 4, each rounded to f32.
    let close = |(found, expected): (&f64, &f64)| (found - expected).abs() <= 5e-5 * expected.abs().max(1.0);
    let found = arguments.last().expect("the output was pushed");
    let position = found.iter().zip(&expected).map(close).position(|close| !close)?;
    Some(format!("{} and not {} at {position}\n{kernel}", found[position], expected[position]))
}

/// The axes of a product: for each factor its own, shared ones, and those that are summed along.
fn products() -> impl Strategy<Value = (Product, Vec<usize>)> {
    let extents = prop::sample::select(vec![1usize, 2, 3, 4, 5, 8, 9, 13, 16, 17, 31, 32, 33, 40]);
    let counts = (0..3usize, 0..3usize, 0..2usize, 1..3usize);
    let orders = prop::array::uniform3(any::<u64>());
    let around = (any::<[bool; 2]>(), any::<bool>());
    (counts, orders, around, prop::collection::vec(extents, 8)).prop_map(|(counts, orders, around, mut extents)| {
        let labels = |first: char, count: usize| (first..).take(count).collect::<String>();
        let (rows, columns) = (labels('i', counts.0), labels('p', counts.1));
        let (shared, summed) = (labels('b', counts.2), labels('x', counts.3));
        let product = Product {
            operands: [
                shuffled(&format!("{shared}{rows}{summed}"), orders[0]),
                shuffled(&format!("{shared}{columns}{summed}"), orders[1]),
            ],
            result: shuffled(&format!("{shared}{rows}{columns}"), orders[2]),
            prologues: around.0,
            epilogue: around.1 && !format!("{shared}{rows}{columns}").is_empty(),
        };
        // Few enough points for a test.
        let mut label = 0;
        while extents.iter().product::<usize>() > 30_000 {
            extents[label % 8] = extents[label % 8].div_ceil(2);
            label += 3;
        }
        (product, extents)
    })
}

fn shuffled(labels: &str, order: u64) -> String {
    let mut pool: Vec<char> = labels.chars().collect();
    (0..pool.len()).map(|step| pool.remove((order >> (8 * step)) as usize % pool.len())).collect()
}

/// The extent of each label.
fn extent(extents: &[usize], label: char) -> usize {
    let position = "ijpqbxyz".find(label).expect("these are all labels");
    extents[position]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn kernels_of_contractions_mean_what_their_nests_mean((product, extents) in products()) {
        let case = product.case(&|label| extent(&extents, label));
        for lanes in [4, 8, 16] {
            prop_assert_eq!(wrong(&case, lanes), None, "{:?} {:?} at {} lanes", product, extents, lanes);
        }
    }
}

#[test]
fn kernels_are_whole_at_every_number_of_lanes() {
    for case in cases() {
        for lanes in [8, 16] {
            let kernel = schedule::kernel(&case.nest, &case.shapes, "kernel", &Target::new(lanes));
            assert_eq!(kernel::verify(&kernel), Ok(()), "{} at {lanes} lanes\n{kernel}", case.name);
        }
    }
    for extent in [0, 1, 3, 8, 17, 64] {
        for case in nests::contractions::cases(extent) {
            for lanes in [8, 16] {
                assert_eq!(wrong(&case, lanes), None, "{} at {lanes} lanes", case.name);
            }
        }
    }
}

/// Rows of 512 elements would fall into four sets of a cache, so that packing sixteen of them side by side took six times as
/// long.
#[test]
fn long_rows_in_scratch_are_an_odd_number_of_lines_apart() {
    let case = Product::new("ki,kj->ij").case(&|label| if label == 'k' { 512 } else { 64 });
    let kernel = schedule::kernel(&case.nest, &case.shapes, "kernel", &Target::new(8));
    let rows = kernel.parameters.iter().filter(|parameter| parameter.elements == 64 * 33 * 16).count();
    assert_eq!(rows, 1, "{kernel}");
    assert_eq!(wrong(&case, 8), None);
}

/// In one piece and in pieces as small as can be; the last two have sums of more products than are added at a time.
#[test]
fn kernels_of_convolutions_mean_what_their_nests_mean() {
    let mut cases = convolutions::cases();
    for numbers in [[1, 120, 8, 5, 3, 1], [4, 128, 16, 2, 3, 1]] {
        cases.extend(Convolution::new(numbers).cases());
    }
    for case in cases {
        for lanes in [4, 8, 16] {
            for target in [Target::new(lanes), Target { piece: 1, ..Target::new(lanes) }] {
                assert_eq!(wrong_on(&case, &target), None, "{} at {lanes} lanes", case.name);
            }
        }
    }
}

/// Four images of 2 x 2 positions are the columns of one tile, and its sums run over channels and windows in one loop.
#[test]
fn tiles_of_a_convolution_are_filled_from_several_rows_and_images() {
    for numbers in [[4, 8, 32, 2, 3, 1], [1, 8, 32, 4, 3, 1]] {
        let case = &Convolution::new(numbers).cases()[0];
        let kernel = schedule::kernel(&case.nest, &case.shapes, "kernel", &Target::new(8)).to_string();
        let lines: Vec<&str> = kernel.lines().map(str::trim).collect();
        let sum = lines.iter().position(|line| line.ends_with("< 72")).expect("a loop runs over all products");
        let lanes = lines[..sum].iter().rposition(|line| line.starts_with("lanes")).expect("it is in lanes");
        assert!(lines[lanes].ends_with("< 16 by 2"), "{kernel}");
        let rows = lines[sum..].iter().take_while(|line| !line.contains("] =")).filter(|line| line.contains("fma"));
        assert_eq!(rows.count(), 4, "{kernel}");
    }
}

fn sized(equation: &str, [i, j, k]: [usize; 3]) -> Case {
    Product::new(equation).case(&|label| match label {
        'i' => i,
        'j' => j,
        'k' => k,
        _ => 2,
    })
}

fn tiles(equation: &str, extents: [usize; 3], lanes: usize) -> Option<Tiles> {
    let case = sized(equation, extents);
    match choose(&Flat::new(&case.nest, &case.shapes), &Target::new(lanes)).form {
        Form::Tiled(tiles) => Some(tiles),
        _ => None,
    }
}

#[test]
fn axes_are_told_apart_by_the_factors_that_move_along_them() {
    let case = sized("bhik,bhjk->bihj", [5, 6, 7]);
    let flat = Flat::new(&case.nest, &case.shapes);
    let contraction = contraction(&flat).expect("it sums up products");
    assert_eq!((contraction.own, contraction.shared), ([vec![1], vec![3]], vec![0, 2]));
    let case = nests::reduce(nest::Reducer::Sum, [3, 4, 5], 1);
    assert_eq!(schedule::contraction(&Flat::new(&case.nest, &case.shapes)), None);
}

#[test]
fn the_products_of_a_layer_are_tiled() {
    for lanes in [4, 8, 16] {
        // Gradients of the input and of the weights have lanes along what lies side by side in the result.
        for (equation, extents) in [("ij,jk->ik", [64, 512, 784]), ("ij,ik->jk", [64, 512, 784])] {
            let tiles = tiles(equation, extents, lanes).expect("a layer is worth tiles");
            assert_eq!((tiles.axis, tiles.columns, tiles.depth), (1, 2 * lanes, None), "{equation}: {tiles:?}");
        }
        let square = tiles("ik,jk->ij", [512, 512, 512], lanes).expect("a square is worth tiles");
        assert!(square.panel.packed && square.depth.is_none(), "{square:?}");
        assert_eq!(tiles("ik,jk->ij", [1, 512, 784], lanes), None, "a row is as fast as memory point by point");
    }
}

#[test]
fn weights_are_not_packed_while_a_batch_is_smaller_than_they_are() {
    // The second factor is the weights, output by output: they are the rows, and the batch is what is packed.
    for (lanes, batch) in [(4, 16), (4, 64), (8, 16), (8, 64), (8, 128), (16, 32), (16, 64)] {
        for layer in [[512, 784], [2048, 2048]] {
            let tiles = tiles("ik,jk->ij", [batch, layer[0], layer[1]], lanes).expect("a layer is worth tiles");
            assert!((tiles.row.factor.0, tiles.row.packed) == (1, false), "{batch} by {layer:?}: {tiles:?}");
        }
    }
}

#[test]
fn scratch_is_behind_all_other_parameters() {
    let case = sized("ik,jk->ij", [512, 512, 512]);
    let kernel = schedule::kernel(&case.nest, &case.shapes, "kernel", &Target::default());
    let usage: Vec<Usage> = kernel.parameters.iter().map(|parameter| parameter.usage).collect();
    assert_eq!(usage[..3], [Usage::Read, Usage::Read, Usage::Written]);
    let own = |usage: &Usage| matches!(usage, Usage::Scratch | Usage::Local);
    assert!(usage.len() > 3 && usage[3..].iter().all(own), "{usage:?}");
    assert_eq!(kernel::verify(&kernel), Ok(()), "{kernel}");
}

/// What the verifier says of a kernel with packed operands after a change.
fn refused(change: impl FnOnce(&mut Kernel)) -> Result<(), &'static str> {
    let case = sized("ik,jk->ij", [32, 16, 5]);
    let mut kernel = schedule::kernel(&case.nest, &case.shapes, "kernel", &Target::new(8));
    assert_eq!(kernel.parameters[3].usage, Usage::Scratch, "{kernel}");
    change(&mut kernel);
    match kernel::verify(&kernel) {
        Ok(()) => Ok(()),
        Err(VerifyError::Parameter { parameter: ParameterId(3), reason }) => Err(reason),
        Err(error) => panic!("{error}\n{kernel}"),
    }
}

#[test]
fn scratch_is_loaded_from_only_where_it_was_stored_to() {
    let nothing = Err("is scratch and loaded from where it is not shown to be stored to before");
    assert_eq!(refused(|_| {}), Ok(()));
    // What packs is the first loop.
    assert_eq!(refused(|kernel| drop(kernel.body.remove(0))), nothing);
    assert_eq!(refused(|kernel| kernel.body.rotate_left(1)), nothing);
    let shorter = |kernel: &mut Kernel| match &mut kernel.body[0] {
        Statement::Loop { extent, .. } => *extent -= 1,
        other => panic!("packing is a loop and not {other:?}"),
    };
    assert_eq!(refused(shorter), nothing);
}

/// In lanes, loads eight elements of scratch and stores them at these positions.
fn moved(to: Index) -> Result<(), VerifyError> {
    let array = |usage| Parameter { dtype: DType::F32, elements: 8, usage };
    let load = |index| Expression::Load { parameter: ParameterId(1), index };
    let lanes = |id: usize, body| Statement::Loop { id: LoopId(id), extent: 8, kind: LoopKind::lanes(1), body };
    let store = |parameter: usize, index, value: usize| Statement::Store {
        parameter: ParameterId(parameter),
        index,
        value: Var(value),
    };
    let kernel = Kernel {
        name: "moved".to_string(),
        parameters: vec![array(Usage::Written), array(Usage::Scratch)],
        vars: vec![DType::F32; 3],
        registers: Vec::new(),
        fragments: Vec::new(),
        loops: 3,
        threads: None,
        body: vec![
            Statement::Let(Var(0), Expression::Constant(DType::F32, 1.0)),
            lanes(0, vec![store(1, Index::axis(0), 0)]),
            lanes(1, vec![Statement::Let(Var(1), load(Index::axis(1))), store(1, to, 1)]),
            lanes(2, vec![Statement::Let(Var(2), load(Index::axis(2))), store(0, Index::axis(2), 2)]),
        ],
    };
    kernel::verify(&kernel)
}

#[test]
fn lanes_keep_apart_in_scratch() {
    assert_eq!(moved(Index::axis(1)), Ok(()));
    let reason = "is scratch and accessed at places that may be the same in two iterations at once";
    let met = Err(VerifyError::Parameter { parameter: ParameterId(1), reason });
    assert_eq!(moved(Index::axis(1).times(-1).plus(&Index::constant(7))), met);
    assert_eq!(moved(Index::constant(3)), met);
}

/// The text of the kernel of a product at eight lanes.
fn text(equation: &str, extents: [usize; 3]) -> String {
    let case = sized(equation, extents);
    schedule::kernel(&case.nest, &case.shapes, "kernel", &Target::new(8)).to_string()
}

#[test]
fn tiles_read_what_lies_side_by_side_where_it_is() {
    insta::assert_snapshot!(text("ij,jk->ik", [16, 40, 32]), @r"
    kernel kernel
        p0: f32[640]
        p1: f32[1280]
        p2: f32[512] written
        s0: f32 by 2 lanes
        s1: f32 by 2 lanes
        s2: f32 by 2 lanes
        s3: f32 by 2 lanes
        v0 = f32 0.0
        loop i0 < 4
            loop i1 < 2
                lanes i2 < 16 by 2
                    s0 = v0
                    s1 = v0
                    s2 = v0
                    s3 = v0
                    loop i3 < 40
                        v1 = p1[16 * i1 + i2 + 32 * i3]
                        v2 = p0[160 * i0 + i3]
                        v3 = s0
                        v4 = fma(v2, v1, v3)
                        s0 = v4
                        v5 = p0[160 * i0 + i3 + 40]
                        v6 = s1
                        v7 = fma(v5, v1, v6)
                        s1 = v7
                        v8 = p0[160 * i0 + i3 + 80]
                        v9 = s2
                        v10 = fma(v8, v1, v9)
                        s2 = v10
                        v11 = p0[160 * i0 + i3 + 120]
                        v12 = s3
                        v13 = fma(v11, v1, v12)
                        s3 = v13
                    v14 = s0
                    v15 = s1
                    v16 = s2
                    v17 = s3
                    p2[128 * i0 + 16 * i1 + i2] = v14
                    p2[128 * i0 + 16 * i1 + i2 + 32] = v15
                    p2[128 * i0 + 16 * i1 + i2 + 64] = v16
                    p2[128 * i0 + 16 * i1 + i2 + 96] = v17
    ");
}

#[test]
fn what_lies_apart_is_packed_and_columns_that_are_left_fill_up_a_panel() {
    insta::assert_snapshot!(text("ik,jk->ij", [32, 20, 5]), @r"
    kernel kernel
        p0: f32[160]
        p1: f32[100]
        p2: f32[640] written
        p3: f32[80] scratch
        p4: f32[80] scratch
        p5: f32[512] scratch
        s0: f32 by 2 lanes
        s1: f32 by 2 lanes
        s2: f32 by 2 lanes
        s3: f32 by 2 lanes
        s4: f32 by 2 lanes
        s5: f32 by 2 lanes
        s6: f32 by 2 lanes
        s7: f32 by 2 lanes
        loop i0 < 16
            v0 = p1[5 * i0]
            p3[i0] = v0
            v1 = p1[5 * i0 + 1]
            p3[i0 + 16] = v1
            v2 = p1[5 * i0 + 2]
            p3[i0 + 32] = v2
            v3 = p1[5 * i0 + 3]
            p3[i0 + 48] = v3
            v4 = p1[5 * i0 + 4]
            p3[i0 + 64] = v4
        v5 = f32 0.0
        loop i1 < 8
            lanes i2 < 16 by 2
                s0 = v5
                s1 = v5
                s2 = v5
                s3 = v5
                loop i3 < 5
                    v6 = p3[i2 + 16 * i3]
                    v7 = p0[20 * i1 + i3]
                    v8 = s0
                    v9 = fma(v7, v6, v8)
                    s0 = v9
                    v10 = p0[20 * i1 + i3 + 5]
                    v11 = s1
                    v12 = fma(v10, v6, v11)
                    s1 = v12
                    v13 = p0[20 * i1 + i3 + 10]
                    v14 = s2
                    v15 = fma(v13, v6, v14)
                    s2 = v15
                    v16 = p0[20 * i1 + i3 + 15]
                    v17 = s3
                    v18 = fma(v16, v6, v17)
                    s3 = v18
                v19 = s0
                v20 = s1
                v21 = s2
                v22 = s3
                p2[80 * i1 + i2] = v19
                p2[80 * i1 + i2 + 20] = v20
                p2[80 * i1 + i2 + 40] = v21
                p2[80 * i1 + i2 + 60] = v22
        loop i4 < 4
            v23 = p1[5 * i4 + 80]
            p4[i4] = v23
            v24 = p1[5 * i4 + 81]
            p4[i4 + 16] = v24
            v25 = p1[5 * i4 + 82]
            p4[i4 + 32] = v25
            v26 = p1[5 * i4 + 83]
            p4[i4 + 48] = v26
            v27 = p1[5 * i4 + 84]
            p4[i4 + 64] = v27
        loop i5 < 12
            p4[i5 + 4] = v5
            p4[i5 + 20] = v5
            p4[i5 + 36] = v5
            p4[i5 + 52] = v5
            p4[i5 + 68] = v5
        loop i6 < 8
            lanes i7 < 16 by 2
                s4 = v5
                s5 = v5
                s6 = v5
                s7 = v5
                loop i8 < 5
                    v28 = p4[i7 + 16 * i8]
                    v29 = p0[20 * i6 + i8]
                    v30 = s4
                    v31 = fma(v29, v28, v30)
                    s4 = v31
                    v32 = p0[20 * i6 + i8 + 5]
                    v33 = s5
                    v34 = fma(v32, v28, v33)
                    s5 = v34
                    v35 = p0[20 * i6 + i8 + 10]
                    v36 = s6
                    v37 = fma(v35, v28, v36)
                    s6 = v37
                    v38 = p0[20 * i6 + i8 + 15]
                    v39 = s7
                    v40 = fma(v38, v28, v39)
                    s7 = v40
                v41 = s4
                v42 = s5
                v43 = s6
                v44 = s7
                p5[64 * i6 + i7] = v41
                p5[64 * i6 + i7 + 16] = v42
                p5[64 * i6 + i7 + 32] = v43
                p5[64 * i6 + i7 + 48] = v44
        loop i9 < 32
            lanes i10 < 4 by 1
                v45 = p5[16 * i9 + i10]
                p2[20 * i9 + i10 + 16] = v45
    ");
}

/// Fusion puts the making of a factor into a product from this size on.
#[test]
fn a_large_product_with_a_computed_factor_is_tiled() {
    for lanes in [4, 8, 16] {
        for equation in ["ix,jx->ij", "ix,xj->ij", "xi,xj->ij", "bix,bxj->bij", "bhix,bhjx->bihj"] {
            for prologues in [[true, false], [false, true], [true, true]] {
                for extents in [[32, 32, 16], [33, 32, 300], [32, 33, 300], [300, 33, 17]] {
                    let product = Product { prologues, ..Product::new(equation) };
                    let case = product.case(&|label| "ijx".find(label).map_or(2, |axis| extents[axis]));
                    let form = choose(&Flat::new(&case.nest, &case.shapes), &Target::new(lanes)).form;
                    let Form::Tiled(tiles) = form else { panic!("{} at {lanes} lanes: {form:?}", case.name) };
                    let packed = [tiles.panel.packed, tiles.row.packed].iter().filter(|&&packed| packed).count();
                    assert!(packed >= prologues.iter().filter(|&&on| on).count(), "{}: {tiles:?}", case.name);
                }
            }
        }
    }
}
