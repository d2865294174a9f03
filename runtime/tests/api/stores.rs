//! Stores by themselves: initial values, keys, values in and out, and every mistake with them.

use crate::programs::{f32s, line, model};
use tapeless::{DType, Device, Error, Seed, Store};
use tapeless_compiler::description::Initial;
use tapeless_compiler::shape::{Shape, Type};

fn store(seed: u64) -> Store {
    let uniform = Initial::Uniform { low: -0.25, high: 0.5 };
    let tensors = [
        ("fc1.weight", f32s(&[8, 4]), false, uniform),
        ("fc1.bias", f32s(&[8]), false, uniform),
        ("norm.gain", f32s(&[3]), false, Initial::Constant(1.5)),
        ("norm.seen", Type::scalar(DType::I64), true, Initial::Constant(0.0)),
        ("fc2.weight", f32s(&[2, 8]), false, Initial::Normal { std: 0.1 }),
        ("fc2.flags", Type::new(DType::Bool, Shape::from_known(&[2])), true, Initial::Constant(1.0)),
    ];
    Store::new(model("Net", &tensors), &Device::cpu(), Seed(seed)).expect("the description is one")
}

#[test]
fn parameters_come_in_order_of_declaration() {
    let listed: Vec<String> = store(0)
        .parameters()
        .iter()
        .map(|p| format!("{} {:?} {:?}{}", p.key, p.dtype, p.shape, if p.state { " state" } else { "" }))
        .collect();
    let expected = [
        "fc1.weight F32 [8, 4]",
        "fc1.bias F32 [8]",
        "norm.gain F32 [3]",
        "norm.seen I64 [] state",
        "fc2.weight F32 [2, 8]",
        "fc2.flags Bool [2] state",
    ];
    assert_eq!(listed, expected);
}

#[test]
fn initial_values_follow_the_description_and_the_seed() {
    let (a, b, other) = (store(7), store(7), store(8));
    let weight = a.get("fc1.weight").expect("a parameter");
    assert_eq!(weight.shape(), [8, 4]);
    assert!(weight.iter().all(|x| (-0.25..0.5).contains(x)));
    assert_eq!(weight, b.get("fc1.weight").expect("a parameter"));
    assert_ne!(weight, other.get("fc1.weight").expect("a parameter"));
    assert_ne!(weight[..8], a.get("fc1.bias").expect("a parameter")[..]);
    assert_eq!(*a.get("norm.gain").expect("a parameter"), [1.5; 3]);
    assert_eq!(format!("{:?}", a.get("norm.seen").expect("a state")), "[0]");
    assert_eq!(*a.get("fc2.flags").expect("a state"), [1.0; 2]);
}

#[test]
fn what_is_set_is_what_is_got() {
    let mut store = store(0);
    let values: Vec<f32> = (0..16).map(|i| i as f32 / 3.0).collect();
    store.set("fc2.weight", &values).expect("2 x 8 values");
    store.set("norm.seen", &[12.0]).expect("one value");
    assert_eq!(*store.get("fc2.weight").expect("a parameter"), values[..]);
    assert_eq!(*store.get("norm.seen").expect("a state"), [12.0]);
    assert_eq!(*store.get("norm.gain").expect("a parameter"), [1.5; 3]);
}

#[test]
fn unknown_keys_name_the_nearest() {
    let mut store = store(0);
    let expected = "Net has no tensor `fc1.wieght`, did you mean `fc1.weight` or `fc2.weight`?";
    assert_eq!(store.get("fc1.wieght").expect_err("misspelt").to_string(), expected);
    assert!(matches!(store.set("head", &[]), Err(Error::UnknownKey { nearest, .. }) if nearest.is_empty()));
}

#[test]
fn the_wrong_number_of_values_changes_nothing() {
    let mut store = store(0);
    let before = store.get("fc1.weight").expect("a parameter").to_vec();
    let error = store.set("fc1.weight", &[0.0; 31]).expect_err("one is missing");
    assert_eq!(error.to_string(), "Net: `fc1.weight` is f32<8, 4>, which takes 32 values, not 31");
    assert_eq!(*store.get("fc1.weight").expect("a parameter"), before[..]);
}

#[test]
fn what_is_no_description_is_an_error() {
    assert!(matches!(Store::new("tapeless model 1\nmodel", &Device::cpu(), Seed(0)), Err(Error::DescriptionText(_))));
}

#[test]
fn stores_and_devices_travel_between_threads() {
    fn travels<T: Send + Sync>(_: &T) {}
    let device = Device::cpu();
    travels(&device);
    travels(&line(&device).expect("a store"));
}
