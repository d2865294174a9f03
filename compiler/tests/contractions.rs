//! Contractions become kernels of tiles that mean the same, whatever their axes and extents.

mod nests;

use nests::contractions::Product;
use nests::{Case, cases};
use proptest::prelude::*;
use tapeless_compiler::kernel::{self, Usage, interpret};
use tapeless_compiler::nest;
use tapeless_compiler::schedule::{self, Flat, Form, Tiles, choose, contraction};
use tapeless_compiler::target::Target;

/// What goes wrong with the kernel of a case for a machine with so many lanes.
fn wrong(case: &Case, lanes: usize) -> Option<String> {
    if let Err(error) = nest::verify(&case.nest, &case.shapes) {
        return Some(format!("{error}\n{}", case.nest));
    }
    let kernel = schedule::kernel(&case.nest, &case.shapes, "kernel", &Target { lanes });
    if let Err(error) = kernel::verify(&kernel) {
        return Some(format!("{error}\n{kernel}"));
    }
    let expected = nest::evaluate(&case.nest, &case.shapes, &case.operands);
    let mut arguments = case.operands.clone();
    arguments.push(vec![f64::NAN; expected.len()]);
    interpret(&kernel, &mut arguments, lanes);
    // Sums of up to a thousand products of numbers up to 4, each rounded to f32.
    let far = |(found, expected): (&f64, &f64)| !((found - expected).abs() <= 2e-5 * expected.abs().max(1.0));
    let found = arguments.last().expect("the output was pushed");
    let position = found.iter().zip(&expected).position(far)?;
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
            let kernel = schedule::kernel(&case.nest, &case.shapes, "kernel", &Target { lanes });
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
    match choose(&Flat::new(&case.nest, &case.shapes), &Target { lanes }).form {
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
fn scratch_is_behind_all_other_parameters() {
    let case = sized("ik,jk->ij", [512, 512, 512]);
    let kernel = schedule::kernel(&case.nest, &case.shapes, "kernel", &Target::default());
    let usage: Vec<Usage> = kernel.parameters.iter().map(|parameter| parameter.usage).collect();
    assert_eq!(usage[..3], [Usage::Read, Usage::Read, Usage::Written]);
    assert!(usage.len() > 3 && usage[3..].iter().all(|&usage| usage == Usage::Scratch), "{usage:?}");
    assert_eq!(kernel::verify(&kernel), Ok(()), "{kernel}");
}

/// The text of the kernel of a product at eight lanes.
fn text(equation: &str, extents: [usize; 3]) -> String {
    let case = sized(equation, extents);
    schedule::kernel(&case.nest, &case.shapes, "kernel", &Target { lanes: 8 }).to_string()
}

#[test]
fn tiles_read_what_lies_side_by_side_where_it_is() {
    insta::assert_snapshot!(text("ij,jk->ik", [16, 40, 32]), @"");
}

#[test]
fn what_lies_apart_is_packed_and_columns_that_are_left_fill_up_a_panel() {
    insta::assert_snapshot!(text("ik,jk->ij", [32, 20, 5]), @"");
}
