//! Scans through every stage: what they mean, what they become, and that neither code nor plan grow with the turns.

use tapeless_compiler::graph::{Array, Graph, evaluate};
use tapeless_compiler::ops;
use tapeless_compiler::pipeline::{Fusion, Options, plan};
use tapeless_compiler::plan::{self, interpret};
use tapeless_compiler::samples;
use tapeless_compiler::target::Target;

const LANES: usize = 8;

/// Every sample of a scan, forward and backward, with what its leaves hold.
fn samples_of_scans() -> Vec<(String, Graph, Vec<Array>)> {
    let op = ops::find("scan").expect("it is in the list");
    let mut graphs = Vec::new();
    for (number, sample) in op.samples().iter().enumerate() {
        let forward = sample.graph(op).expect("samples are well typed");
        graphs.push((format!("sample {number}"), forward.clone(), samples::leaves(&forward, sample)));
        if let Some(backward) = samples::gradients(op, sample) {
            let leaves = samples::leaves(&backward, sample);
            graphs.push((format!("gradient of sample {number}"), backward, leaves));
        }
    }
    graphs
}

#[test]
fn plans_of_scans_compute_what_they_mean() {
    let graphs = samples_of_scans();
    assert!(graphs.len() > 12, "only {} graphs", graphs.len());
    for (name, graph, leaves) in graphs {
        let expected = evaluate(&graph, &leaves);
        for fusion in [Fusion::none(), Fusion::default()] {
            let options = Options { fusion, ..Options::default() };
            let plan = plan(&graph, &[], &options, &Target::new(LANES)).unwrap_or_else(|e| panic!("{name}: {e}"));
            let found = interpret(&plan, &leaves, LANES).results;
            assert_eq!(found.len(), expected.len(), "{name}");
            for (found, expected) in found.iter().zip(&expected) {
                assert_eq!(found.shape, expected.shape, "{name}");
                for (x, y) in found.elements.iter().zip(&expected.elements) {
                    assert!((x - y).abs() <= 1e-5 * (1.0 + y.abs()), "{name}: {x} is not {y}\n{}", plan::print(&plan));
                }
            }
        }
    }
}
