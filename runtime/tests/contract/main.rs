//! Programs of the corpus, run: their models are those of the compiler's tests, word for word.

#[path = "../folder/mod.rs"]
mod folder;

mod fan_out;
mod gpt;
mod lenet;
mod lstm_classifier;
mod mobilenetv2;
mod net;
mod resnet18;
mod scalar_line;
mod softmax_mlp;
mod transfer;
mod unet;

/// Holds the losses of a run against those of a record.
fn assert_recorded(losses: &[f32], exact: &[f32]) {
    assert_eq!(losses.len(), exact.len());
    let off = losses.iter().zip(exact).map(|(found, exact)| (found - exact).abs()).fold(0.0, f32::max);
    assert!(off < 2e-5, "{losses:?} is not {exact:?}");
}

/// Every loss is a number, and the last one is less than the first.
fn assert_falls(losses: &[f32]) {
    assert!(losses.iter().all(|loss| loss.is_finite()), "{losses:?}");
    assert!(losses.last() < losses.first(), "{losses:?}");
}

/// The `model! { … }` of a program's text that stands at its outermost level.
fn models(text: &str) -> &str {
    let start = text.find("\nmodel! {").expect("a program has a model");
    let length = text[start..].find("\n}\n").expect("it ends");
    &text[start..start + length]
}

#[test]
fn the_models_are_those_of_the_corpus() {
    let texts = [
        (include_str!("fan_out.rs"), include_str!("../../../compiler/tests/programs/fan_out.rs")),
        (include_str!("gpt.rs"), include_str!("../../../compiler/tests/programs/gpt.rs")),
        (include_str!("lenet.rs"), include_str!("../../../compiler/tests/programs/lenet.rs")),
        (include_str!("lstm_classifier.rs"), include_str!("../../../compiler/tests/programs/lstm_classifier.rs")),
        (include_str!("mobilenetv2.rs"), include_str!("../../../compiler/tests/programs/mobilenetv2.rs")),
        (include_str!("net.rs"), include_str!("../../../compiler/tests/programs/net.rs")),
        (include_str!("resnet18.rs"), include_str!("../../../compiler/tests/programs/resnet18.rs")),
        (include_str!("scalar_line.rs"), include_str!("../../../compiler/tests/programs/scalar_line.rs")),
        (include_str!("softmax_mlp.rs"), include_str!("../../../compiler/tests/programs/softmax_mlp.rs")),
        (include_str!("transfer.rs"), include_str!("../../../compiler/tests/programs/transfer.rs")),
        (include_str!("unet.rs"), include_str!("../../../compiler/tests/programs/unet.rs")),
    ];
    for (tested, written) in texts {
        assert_eq!(models(tested), models(written));
    }
}
