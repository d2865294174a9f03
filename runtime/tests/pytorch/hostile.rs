//! Archives that are made to do harm: each is an error that says what is wrong, takes no more memory than a file of its size
//! may, and changes nothing.

use crate::Net;
use crate::allocator::peak;
use crate::folder::Folder;
use rawzip::{CompressionMethod, ZipArchiveWriter};
use std::fs;
use std::io::Write;
use tapeless::{Device, Error, Load, Seed};

/// What reading a file may take beyond the file itself.
const BESIDE: usize = 32 << 20;

/// An archive with these members, all in one folder.
fn archive(members: &[(&str, &[u8])], method: CompressionMethod) -> Vec<u8> {
    let mut archive = ZipArchiveWriter::new(Vec::new());
    for (name, contents) in members {
        let name = format!("net/{name}");
        let (mut entry, config) =
            archive.new_file(name.as_str()).compression_method(method).start().expect("it is a name");
        let mut writer = config.wrap(&mut entry);
        writer.write_all(contents).expect("memory takes everything");
        let (_, descriptor) = writer.finish().expect("memory takes everything");
        entry.finish(descriptor).expect("memory takes everything");
    }
    archive.finish().expect("memory takes everything")
}

/// A file with a pickle, and a storage `0` of 64 bytes.
fn file(pickle: &[u8]) -> Vec<u8> {
    archive(&[("data.pkl", pickle), ("data/0", &[0; 64])], CompressionMethod::STORE)
}

fn text(text: &str) -> Vec<u8> {
    [b"X", &(text.len() as u32).to_le_bytes()[..], text.as_bytes()].concat()
}

fn int(number: i64) -> Vec<u8> {
    [&[0x8a, 8], &number.to_le_bytes()[..]].concat()
}

fn tuple(members: &[Vec<u8>]) -> Vec<u8> {
    [b"(", members.concat().as_slice(), b"t"].concat()
}

fn ints(numbers: &[i64]) -> Vec<u8> {
    tuple(&numbers.iter().map(|&number| int(number)).collect::<Vec<_>>())
}

/// A storage of so many elements.
fn storage(kind: &str, key: &str, count: i64) -> Vec<u8> {
    let kind = format!("ctorch\n{kind}\n").into_bytes();
    [tuple(&[text("storage"), kind, text(key), text("cpu"), int(count)]), b"Q".to_vec()].concat()
}

fn rebuilt(arguments: &[Vec<u8>]) -> Vec<u8> {
    [b"ctorch._utils\n_rebuild_tensor_v2\n".to_vec(), tuple(arguments), b"R".to_vec()].concat()
}

/// A pickle of a dict with one tensor, `fc1.bias`.
fn tensor(storage: Vec<u8>, offset: i64, shape: &[i64], strides: &[i64]) -> Vec<u8> {
    dict(&rebuilt(&[storage, int(offset), ints(shape), ints(strides)]))
}

/// A pickle of a dict with one value, `fc1.bias`.
fn dict(value: &[u8]) -> Vec<u8> {
    [b"\x80\x02}", text("fc1.bias").as_slice(), value, b"s."].concat()
}

/// What loading the bytes says, strictly if they are a checkpoint that does not fit.
fn refused(bytes: &[u8]) -> String {
    refused_within(bytes, BESIDE + 2 * bytes.len())
}

/// What loading the bytes says, which takes no more than so much memory.
fn refused_within(bytes: &[u8], most: usize) -> String {
    let folder = Folder::new(&format!("hostile-{:?}", std::thread::current().id()));
    let path = folder.file("net.pth");
    fs::write(&path, bytes).expect("there is room");
    let mut net = Net::new(&Device::cpu(), Seed(1)).expect("it is a small model");
    let all = |net: &Net| [net.get("fc1.weight").map(|x| x.to_vec()), net.get("fc1.bias").map(|x| x.to_vec())];
    let before = all(&net).map(|values| values.expect("it is a key"));
    let (result, taken) = peak(|| net.load(&path));
    println!("{taken} bytes for a file of {}", bytes.len());
    assert!(taken < most, "{taken} bytes for a file of {}", bytes.len());
    assert_eq!(all(&net).map(|values| values.expect("it is a key")), before);
    match result.expect_err("it is refused") {
        Error::Checkpoint { reason, .. } => reason,
        Error::LoadMismatch { report, .. } => report.to_string(),
        other => panic!("{other}"),
    }
}

/// Asserts that a pickle is refused for this reason.
fn assert_refused(pickle: &[u8], reason: &str) {
    let found = refused(&file(pickle));
    assert!(found.contains(reason), "{found}\nis not\n{reason}");
}

#[test]
fn what_would_run_is_refused_by_name() {
    let call = |global: &[u8]| dict(&[global, &tuple(&[text("touch here")]), b"R"].concat());
    assert_refused(&call(b"cos\nsystem\n"), "its pickle asks for `os.system`");
    assert_refused(&call(b"\x8c\x08builtins\x8c\x04eval\x93"), "asks for `builtins.eval`");
    assert_refused(&call(b"ctorch\nload\n"), "asks for `torch.load`");
    assert_refused(&call(b"ctorch\nComplexFloatStorage\n"), "asks for `torch.ComplexFloatStorage`");
    assert_refused(&call(b"ctorch._utils\n_rebuild_tensor_v3\n"), "asks for `torch._utils._rebuild_tensor_v3`");
    // Names that are in the list are not called with what they are not made for.
    assert_refused(&call(b"ccollections\nOrderedDict\n"), "something is called that cannot be called like this");
    assert_refused(&call(b"ctorch\nFloatStorage\n"), "something is called that cannot be called like this");
    assert_refused(&call(b"ctorch._utils\n_rebuild_parameter\n"), "a parameter is made of what is no tensor");
    for opcode in [b'i', b'o', 0x81, 0x82, 0x92, b'P', b'0', b'2', 0xff] {
        assert_refused(&dict(&[b'N', opcode]), &format!("the opcode {opcode:#04x}"));
    }
    let long = format!("c{}\nx\n", "m".repeat(1_000_000));
    assert!(refused(&file(&dict(long.as_bytes()))).len() < 500, "a long name is not repeated");
}

#[test]
fn damaged_pickles_are_errors() {
    for (pickle, reason) in [
        (&b""[..], "its pickle ends in the middle"),
        (b".", "a value is missing"),
        (b"}", "its pickle ends in the middle"),
        (b"}s.", "a value is missing"),
        (b"NNNs.", "an entry is set in what is no dict"),
        (b"}(Nu.", "a key has no value"),
        (b"}(N}Nu.", "a key has no value"),
        (b"Nu.", "a mark is missing"),
        (b"NN(\x86t.", "values below a mark were taken"),
        (b"\x87.", "a value is missing"),
        (b"}Na.", "something is appended to what is no list"),
        (b"NNb.", "what is no dict is given attributes"),
        (b"NQ.", "a storage is named by what is no tuple"),
        (b"NNR.", "arguments are no tuple"),
        (b"h\x07.", "a value is used that was not kept"),
        (b"NN\x93.", "a global's name is no text"),
        (b"c\xff\nx\n.", "a name is no text"),
        (b"X\xff\xff\xff\xff.", "its pickle ends in the middle"),
        (b"\x8d\xff\xff\xff\xff\xff\xff\xff\xff.", "its pickle ends in the middle"),
        (b"\x8b\xff\xff\xff\x7f.", "its pickle ends in the middle"),
        (b"N.", "it holds no dict of tensors"),
        (b"}.", "0 of 4 tensors fit"),
    ] {
        assert_refused(pickle, reason);
    }
}

#[test]
fn depth_and_repetition_take_no_memory() {
    let many = 1_000_000;
    let limit = |length: usize| format!("holds more than {} values", (1 << 17) + length / 32);
    for opcodes in [&b"\x85"[..], b"(", b"N", b"Nr\0\0\0\0N", b"}", b"]", b"}NNs"] {
        let pickle = [b")", opcodes.repeat(many).as_slice(), b"."].concat();
        let bytes = file(&pickle);
        let found = refused(&bytes);
        assert!(found.contains(&limit(bytes.len())), "{found}");
    }
    // Each pair holds the one before it twice: written out, more than there are bytes in the world.
    let pairs: Vec<u8> = (0..200u8).flat_map(|at| [b'h', at, b'h', at, 0x86, b'q', at + 1]).collect();
    assert_refused(&[b"}", &text("x")[..], b")q\0", &pairs, b"\x86s."].concat(), "damaged");
    assert_refused(
        &[b"}", &text("x")[..], b")q\0", &pairs[..196 * 7], b"(Nttttttttttttttt"].concat(),
        "a mark is missing",
    );
    // Deep, but within the limit.
    let deep = [b"}", &text("x")[..], b")", &b"\x85".repeat(100_000), b"s."].concat();
    assert_refused(&deep, "0 of 4 tensors fit");
    // A dict that holds itself, and one that is given many names.
    assert_refused(&[b"}q\0", &text("model")[..], b"h\0s."].concat(), "0 of 4 tensors fit");
    let value = rebuilt(&[storage("FloatStorage", "0", 7), int(0), ints(&[7]), ints(&[1])]);
    let names: Vec<u8> = (0..9_000).flat_map(|at| [text(&format!("part{at}")), b"h\0".to_vec()].concat()).collect();
    let inner = [b"}q\0", &text("fc1.bias")[..], &value, b"s"].concat();
    let found = refused(&file(&[b"}(", &text("x")[..], &inner, &names, b"u."].concat()));
    assert!(found.contains("several dicts of tensors") && found.len() < 300, "{found}");
}

#[test]
fn extents_that_many_tensors_share_are_counted_once_for_each() {
    let extents = [b"(", b"K\x01".repeat(50_000).as_slice(), b"tq\0"].concat();
    let first =
        rebuilt(&[[storage("FloatStorage", "0", 7), b"q\x01".to_vec()].concat(), int(0), extents, b"h\0".to_vec()]);
    let callee = b"ctorch._utils\n_rebuild_tensor_v2\nq\x02".to_vec();
    let mut pickle = [b"}(", &text("t")[..], &first, &text("u"), &callee, b"(h\x01K\0h\0h\0tq\x03R"].concat();
    for at in 0..5_000 {
        pickle.extend([text(&at.to_string()), b"h\x02h\x03R".to_vec()].concat());
    }
    pickle.extend(b"u.");
    assert_refused(&pickle, "the extents of all tensors are too many for the file's length");
}

#[test]
fn tensors_that_claim_what_is_not_there_are_named() {
    let of = |count| storage("FloatStorage", "0", count);
    let huge = 1 << 40;
    let outside = "`fc1.bias`: its elements do not lie in its storage of 64 bytes";
    for (pickle, reason) in [
        (tensor(of(17), 0, &[7], &[1]), "`fc1.bias`: its storage `0` has 64 bytes, not 17 elements of F32"),
        (tensor(of(huge), 0, &[7], &[1]), "has 64 bytes, not 1099511627776 elements"),
        (tensor(of(i64::MAX), 0, &[7], &[1]), "has 64 bytes, not 9223372036854775807 elements"),
        (tensor(of(-1), 0, &[7], &[1]), "has 64 bytes, not -1 elements"),
        (tensor(storage("DoubleStorage", "0", 16), 0, &[7], &[1]), "has 64 bytes, not 16 elements of F64"),
        (tensor(storage("FloatStorage", "../0", 7), 0, &[7], &[1]), "`fc1.bias`: its storage `../0` is missing"),
        (tensor(of(16), 0, &[huge], &[1]), outside),
        (tensor(of(16), 0, &[17], &[1]), outside),
        (tensor(of(16), 10, &[7], &[1]), outside),
        (tensor(of(16), 0, &[7], &[3]), outside),
        (tensor(of(16), huge, &[7], &[1]), outside),
        (tensor(of(16), -1, &[7], &[1]), outside),
        (tensor(of(16), 0, &[i64::MAX, i64::MAX], &[i64::MAX, i64::MAX]), outside),
        (tensor(of(16), i64::MAX, &[7], &[i64::MAX]), outside),
        (tensor(of(16), 0, &[-7], &[1]), "`fc1.bias`: one of its extents or strides is no count"),
        (tensor(of(16), 0, &[7], &[-1]), "`fc1.bias`: one of its extents or strides is no count"),
        (tensor(of(16), 0, &[7], &[]), "`fc1.bias`: it has 1 extents and 0 strides"),
        (dict(&rebuilt(&[])), "`fc1.bias`: it is not made of a storage"),
        (dict(&rebuilt(&[of(16), text("0"), ints(&[7]), ints(&[1])])), "`fc1.bias`: it is not made of a storage"),
        (tensor([ints(&[1, 2]), b"Q".to_vec()].concat(), 0, &[7], &[1]), "`fc1.bias`: its storage is not named"),
        // What is well made and does not fit is listed, however large it says it is.
        (tensor(of(16), 0, &[huge, huge], &[0, 0]), "f32<1099511627776, 1099511627776> in the file"),
        (tensor(of(16), 0, &[0, huge], &[huge, huge]), "f32<0, 1099511627776> in the file"),
        (tensor(of(16), 0, &[8], &[2]), "fc1.bias: f32<7> in the model, f32<8> in the file"),
        (tensor(storage("ShortStorage", "0", 16), 0, &[7], &[1]), "f32<7> in the model, i16<7> in the file"),
    ] {
        assert_refused(&pickle, reason);
    }
}

#[test]
fn a_view_that_repeats_one_element_is_read() -> Result<(), Error> {
    let folder = Folder::new("repeated");
    let path = folder.file("net.pth");
    let pickle = tensor(storage("FloatStorage", "0", 3), 2, &[7], &[0]);
    let bytes = 2.5f32.to_le_bytes();
    let storage = [[0; 4], [1; 4], bytes].concat();
    fs::write(&path, archive(&[("data.pkl", &pickle), ("data/0", &storage)], CompressionMethod::STORE))
        .expect("there is room");
    let mut net = Net::new(&Device::cpu(), Seed(1))?;
    let report = net.load_with(&path, Load { strict: false, ..Load::default() })?;
    assert_eq!((report.loaded, net.get("fc1.bias")?.to_vec()), (vec!["fc1.bias".to_string()], vec![2.5; 7]));
    Ok(())
}

#[test]
fn archives_that_pytorch_did_not_write_are_errors() {
    let pickle = tensor(storage("FloatStorage", "0", 16), 0, &[7], &[1]);
    let stored = |members: &[(&str, &[u8])]| refused(&archive(members, CompressionMethod::STORE));
    let found = stored(&[("weights.bin", &pickle)]);
    assert_eq!(found, "it is an archive without a `data.pkl`, so PyTorch did not write it");
    assert_eq!(stored(&[]), "it ends inside of its header", "an empty archive begins otherwise");
    let found = stored(&[("data.pkl", &pickle), ("byteorder", b"big")]);
    assert_eq!(found, "its numbers are written highest byte first");
    assert_eq!(stored(&[("data.pkl", &pickle)]), "`fc1.bias`: its storage `0` is missing");
    let found = refused(&archive(&[("data.pkl", &pickle), ("data/0", &[0; 64])], CompressionMethod::DEFLATE));
    assert_eq!(found, "`net/data.pkl` is compressed or encrypted, which PyTorch does not do");
    let found = refused(b"PK\x03\x04 and nothing more");
    assert!(found.starts_with("as an archive it is damaged: "), "{found}");
}

#[test]
fn a_header_that_is_too_long_is_an_error() {
    let length = 100_000_001u64;
    let mut bytes = vec![b' '; 8 + length as usize];
    bytes[..8].copy_from_slice(&length.to_le_bytes());
    assert_eq!(refused(&bytes), "its header has 100000001 bytes, more than the format allows");
    bytes.truncate(1000);
    assert_eq!(refused(&bytes), "it ends inside of its header");
}

#[test]
fn headers_of_many_small_things_take_little_more_than_themselves() {
    let extents = format!(r#"{{"a":{{"dtype":"U8","shape":[{}0],"data_offsets":[0,0]}}}}"#, "0,".repeat(2_000_000));
    let tensor = |at: usize| format!(r#""{at}":{{"dtype":"U8","shape":[],"data_offsets":[{at},{}]}}"#, at + 1);
    let tensors = format!("{{{}}}", (0..60_000).map(tensor).collect::<Vec<_>>().join(","));
    let remark = |at: usize| format!(r#""{at}":"""#);
    let remarks = format!(r#"{{"__metadata__":{{{}}}}}"#, (0..300_000).map(remark).collect::<Vec<_>>().join(","));
    for (header, elements) in [(extents, 0), (tensors, 60_000), (remarks, 0)] {
        let bytes = [&(header.len() as u64).to_le_bytes(), header.as_bytes(), &vec![0; elements]].concat();
        refused_within(&bytes, BESIDE / 32 + 8 * bytes.len());
    }
}
