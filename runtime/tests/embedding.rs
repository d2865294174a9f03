//! The layer Embedding: rows of a table, their gradients, its padding, and indices that are no rows.

use tapeless::{Device, Error, Options, Seed, model};

model! {
    pub model Table(ids: u32<N, T>) -> f32<N, T, 3> {
        let embed = Embedding(5, 3);
        embed(ids)
    }

    pub step Train(ids: u32<dyn B, dyn T>, scale: f32<B, T, 3>, lr: f32) {
        let net = Table();
        let loss = (net(ids) * scale).sum();
        minimize(loss, over = net, with = Sgd(lr));
        metric(loss);
    }

    pub model Padded(ids: u32<N>) -> f32<N, 2> {
        let embed = Embedding(4, 2, padding_idx = -2);
        embed(ids)
    }

    pub step TrainPadded(ids: u32<dyn N>, lr: f32) -> f32<N, 2> {
        let net = Padded();
        let y = net(ids);
        let loss = y.sum();
        minimize(loss, over = net, with = Sgd(lr));
        metric(loss);
        y
    }

    pub model Position(x: f32<N, T, 4>) -> f32<N, T, 4> {
        let place = Embedding(9, 4);
        x + place(arange(T))
    }

    pub step TrainPosition(x: f32<dyn N, dyn T, 4>, lr: f32) {
        let net = Position();
        let loss = (net(x) * x).sum();
        minimize(loss, over = net, with = Sgd(lr));
        metric(loss);
    }

    pub step Views(ids: u32<dyn B, 4>) -> (f32<{2 * B}, 3>, f32<B, 3>) {
        let net = Table();
        let table = net.embed.weight;
        (table.index_select(0, ids.slice(1, 0..2).reshape([2 * B])), table.index_select(0, ids.at(1, 3)))
    }
}

fn kept() -> Options {
    Options { keep_gradients: true, ..Options::default() }
}

#[test]
fn repeated_indices_add_up_exactly() -> Result<(), Error> {
    let device = Device::cpu();
    let mut net = Table::new(&device, Seed(1))?;
    for (b, t) in [(1, 1), (3, 5), (4, 33)] {
        let mut step = Train::compile(&device, Train::dims().b(b).t(t), &kept())?;
        let ids: Vec<u32> = (0..b * t).map(|i| (i * i % 7 % 5) as u32).collect();
        // Whole numbers, so that sums are exact in any order.
        let scale: Vec<f32> = (0..b * t * 3).map(|i| (i * 37 % 101) as f32 - 50.0).collect();
        step.run(&mut net, &ids, &scale, 0.0)?;
        let mut expected = [0.0f32; 15];
        for (place, &id) in ids.iter().enumerate() {
            (0..3).for_each(|d| expected[id as usize * 3 + d] += scale[place * 3 + d]);
        }
        assert_eq!(step.gradient("embed.weight")?.to_vec(), expected, "{b} by {t}");
    }
    Ok(())
}

#[test]
fn two_runs_agree_bit_by_bit() -> Result<(), Error> {
    let device = Device::cpu();
    let ids: Vec<u32> = (0..4 * 33).map(|i| (i * 13 % 5) as u32).collect();
    let scale: Vec<f32> = (0..4 * 33 * 3).map(|i| (i as f32 * 0.7).sin()).collect();
    let gradient = || -> Result<Vec<f32>, Error> {
        let mut net = Table::new(&device, Seed(1))?;
        let mut step = Train::compile(&device, Train::dims().b(4).t(33), &kept())?;
        step.run(&mut net, &ids, &scale, 0.1)?;
        Ok(step.gradient("embed.weight")?.to_vec())
    };
    assert_eq!(gradient()?, gradient()?);
    // In f32 and in the order of the indices.
    let mut expected = [0.0f32; 15];
    for (place, &id) in ids.iter().enumerate() {
        (0..3).for_each(|d| expected[id as usize * 3 + d] += scale[place * 3 + d]);
    }
    let largest = gradient()?.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(largest < 1e-5, "{largest}");
    Ok(())
}

#[test]
fn the_padding_begins_at_zero_and_stays_there() -> Result<(), Error> {
    let device = Device::cpu();
    let mut net = Padded::new(&device, Seed(3))?;
    let before: Vec<f32> = net.get("embed.weight")?.to_vec();
    assert_eq!(before[4..6], [0.0, 0.0]);
    assert!(before[..4].iter().chain(&before[6..]).all(|&x| x != 0.0), "{before:?}");
    let mut step = TrainPadded::compile(&device, TrainPadded::dims().n(5), &kept())?;
    let out = step.run(&mut net, &[2, 0, 2, 3, 0], 0.5)?;
    assert_eq!(out.output.to_vec()[..2], [0.0, 0.0]);
    assert_eq!(step.gradient("embed.weight")?.to_vec(), [2.0, 2.0, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0]);
    // A row that the user sets is read, but still not trained.
    net.set("embed.weight", &[1.0; 8])?;
    let out = step.run(&mut net, &[2, 0, 2, 3, 0], 0.5)?;
    assert_eq!(out.output.to_vec(), [1.0; 10]);
    assert_eq!(net.get("embed.weight")?.to_vec(), [0.0, 0.0, 1.0, 1.0, 1.0, 1.0, 0.5, 0.5]);
    Ok(())
}

#[test]
fn positions_are_rows_too() -> Result<(), Error> {
    let device = Device::cpu();
    let mut net = Position::new(&device, Seed(3))?;
    let mut step = TrainPosition::compile(&device, TrainPosition::dims().n(2).t(7), &kept())?;
    let x: Vec<f32> = (0..56).map(|i| i as f32).collect();
    step.run(&mut net, &x, 0.1)?;
    let gradient = step.gradient("place.weight")?.to_vec();
    for (place, &found) in gradient.iter().enumerate() {
        assert_eq!(found, if place < 28 { x[place] + x[place + 28] } else { 0.0 }, "{place}");
    }
    Ok(())
}

#[test]
fn indices_that_are_no_rows_are_refused_through_views_where_they_are_used() -> Result<(), Error> {
    let device = Device::cpu();
    let mut net = Table::new(&device, Seed(1))?;
    let mut train = Train::compile(&device, Train::dims().b(1).t(3), &kept())?;
    let refused = train.run(&mut net, &[0, 5, 1], &[0.0; 9], 0.1);
    assert!(matches!(refused, Err(Error::IndexOutOfRange { position: 1, value: 5, bound: 5, .. })), "{refused:?}");
    let mut views = Views::compile(&device, Views::dims().b(2), &Options::default())?;
    assert!(views.run(&net, &[0, 1, 9, 4, 4, 3, 9, 2]).is_ok(), "column 2 is no index");
    for (place, ids) in [(4, [0, 1, 9, 4, 5, 3, 9, 2]), (7, [0, 1, 9, 4, 4, 3, 9, 7])] {
        let refused = views.run(&net, &ids).err();
        assert!(
            matches!(&refused, Some(Error::IndexOutOfRange { position, bound: 5, .. }) if *position == place),
            "{refused:?}"
        );
    }
    Ok(())
}
