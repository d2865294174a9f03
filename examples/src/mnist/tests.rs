//! Files that are MNIST's and files that are not.

use super::*;
use flate2::Compression;
use flate2::write::GzEncoder;
use std::fs;
use std::io::Write;

/// An array in the IDX format whose elements count up from 0.
fn array(magic: u32, extents: &[u32]) -> Vec<u8> {
    let header = std::iter::once(&magic).chain(extents).flat_map(|number| number.to_be_bytes());
    header.chain((0..extents.iter().product()).map(|at: u32| (at % 10) as u8)).collect()
}

fn idx(name: &str, contents: Vec<u8>) -> Idx {
    Idx { file: name.into(), contents }
}

/// What is wrong with these two files, as text.
fn mistake(images: Vec<u8>, labels: Vec<u8>) -> String {
    pictures(idx("images", images), idx("labels", labels)).expect_err("the files are wrong").to_string()
}

/// A directory that holds files until it is dropped.
struct Directory(PathBuf);

impl Directory {
    fn new(test: &str) -> Directory {
        let path = std::env::temp_dir().join(format!("tapeless-mnist-{test}-{}", std::process::id()));
        fs::create_dir_all(&path).expect("there is room for a folder");
        Directory(path)
    }

    fn write(&self, name: &str, contents: &[u8]) {
        fs::write(self.0.join(name), contents).expect("there is room for a file");
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).expect("it is there");
    }
}

fn compressed(contents: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(contents).and_then(|()| encoder.finish()).expect("memory takes everything")
}

#[test]
fn files_are_read_as_they_are_and_compressed() -> Result<(), MnistError> {
    let directory = Directory::new("both");
    for (part, count) in [("train", 12), ("t10k", 3)] {
        directory.write(&format!("{part}-images-idx3-ubyte"), &array(0x803, &[count, 28, 28]));
        directory.write(&format!("{part}-labels-idx1-ubyte.gz"), &compressed(&array(0x801, &[count])));
    }
    let (train, test) = read(&directory.0)?;
    assert_eq!((train.len(), test.len(), train.columns().0.size()), (12, 3, 784));
    assert_eq!(train.columns().1.elements(), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1]);
    assert_eq!(train.columns().0.row(1)[..4], [4.0 / 255.0, 5.0 / 255.0, 6.0 / 255.0, 7.0 / 255.0]);
    assert_eq!(test, train.first(3));
    Ok(())
}

#[test]
fn a_file_that_is_not_there_is_named_with_its_directory() {
    let directory = Directory::new("missing");
    let error = read(&directory.0).expect_err("there are no files");
    let expected =
        format!("{} holds neither train-images-idx3-ubyte nor train-images-idx3-ubyte.gz", directory.0.display());
    assert_eq!(error.to_string(), expected);
}

#[test]
fn compressed_files_that_are_cut_off_are_refused() {
    let directory = Directory::new("cut");
    let whole = compressed(&array(0x803, &[12, 28, 28]));
    directory.write("train-images-idx3-ubyte.gz", &whole[..whole.len() - 9]);
    let error = read(&directory.0).expect_err("the end is missing");
    let is_eof = |source: &io::Error| source.kind() == io::ErrorKind::UnexpectedEof;
    assert!(matches!(&error, MnistError::Read { source, .. } if is_eof(source)), "{error}");
    assert!(error.to_string().contains("train-images-idx3-ubyte.gz: "), "{error}");
}

#[test]
fn another_magic_number_is_named_with_the_right_one() {
    let (images, labels) = (array(0x803, &[2, 28, 28]), array(0x801, &[2]));
    let swapped = mistake(labels.clone(), images.clone());
    assert_eq!(swapped, "images: the magic number is 0x00000801, not 0x00000803");
    let swapped = mistake(images.clone(), images);
    assert_eq!(swapped, "labels: the magic number is 0x00000803, not 0x00000801");
}

#[test]
fn lengths_that_differ_from_the_header_are_named() {
    let (images, labels) = (array(0x803, &[2, 28, 28]), array(0x801, &[2]));
    let cut = mistake(images[..1000].to_vec(), labels.clone());
    assert_eq!(cut, "images: the header says 1584 bytes, the file has 1000");
    let longer = mistake(images.clone(), [labels.clone(), vec![0]].concat());
    assert_eq!(longer, "labels: the header says 10 bytes, the file has 11");
    let empty = mistake(Vec::new(), labels);
    assert_eq!(empty, "images: the header says 16 bytes, the file has 0");
    let huge = mistake(images, [0x801, u32::MAX].iter().flat_map(|number| number.to_be_bytes()).collect());
    assert_eq!(huge, "labels: the header says 4294967303 bytes, the file has 8");
}

#[test]
fn counts_that_differ_are_both_named() {
    let counts = mistake(array(0x803, &[3, 28, 28]), array(0x801, &[2]));
    assert_eq!(counts, "images has 3 pictures, labels has 2 classes");
}

#[test]
fn pictures_of_another_size_and_unknown_classes_are_refused() {
    let size = mistake(array(0x803, &[3, 28, 27]), array(0x801, &[3]));
    assert_eq!(size, "images: pictures of 28 x 27 pixels, not 28 x 28");
    let mut labels = array(0x801, &[3]);
    *labels.last_mut().expect("there are three") = 10;
    let class = mistake(array(0x803, &[3, 28, 28]), labels);
    assert_eq!(class, "labels: class 10 at position 2, not below 10");
}
