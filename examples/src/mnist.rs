//! The files of MNIST: pictures of 28 x 28 pixels and their classes. What enters is the directory with the four files, each
//! as it is or compressed; what leaves are pictures for training and pictures for testing.
//!
//! Each file is an array in the IDX format: a magic number that says how many axes there are, an extent for each as a number
//! of four bytes, then the elements, one byte each.

use crate::pictures::{self, Pictures};
use flate2::read::GzDecoder;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use tapeless_data::DataError;
use thiserror::Error;

/// Rows of one picture, and columns.
pub const EDGE: usize = 28;

/// How many classes there are.
const CLASSES: u32 = 10;

/// What the magic number of an array of bytes is without its number of axes.
const BYTES: u32 = 0x800;

/// Why files are not MNIST's.
#[derive(Debug, Error)]
pub enum MnistError {
    /// A file is not there.
    #[error("{} holds neither {name} nor {name}.gz", directory.display())]
    Missing {
        /// Where it should be.
        directory: PathBuf,
        /// What it should be called.
        name: String,
    },
    /// A file cannot be read.
    #[error("{}: {source}", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A file holds something else.
    #[error("{}: the magic number is {found:#010x}, not {expected:#010x}", file.display())]
    Magic {
        /// The file.
        file: PathBuf,
        /// The number of a file of this kind.
        expected: u32,
        /// What the file begins with.
        found: u32,
    },
    /// A file is cut off, or goes on behind its end.
    #[error("{}: the header says {expected} bytes, the file has {found}", file.display())]
    Length {
        /// The file.
        file: PathBuf,
        /// How many bytes there should be.
        expected: usize,
        /// How many there are.
        found: usize,
    },
    /// Pictures have another size.
    #[error("{}: pictures of {rows} x {columns} pixels, not {EDGE} x {EDGE}", file.display())]
    Size {
        /// The file.
        file: PathBuf,
        /// How many rows a picture has.
        rows: usize,
        /// How many columns a picture has.
        columns: usize,
    },
    /// There is not one class for each picture.
    #[error("{} has {pictures} pictures, {} has {classes} classes", images.display(), labels.display())]
    Counts {
        /// The file of the pictures.
        images: PathBuf,
        /// How many it has.
        pictures: usize,
        /// The file of the classes.
        labels: PathBuf,
        /// How many it has.
        classes: usize,
    },
    /// A class is none of the ten.
    #[error("{}: class {found} at position {position}, not below {CLASSES}", file.display())]
    Class {
        /// The file.
        file: PathBuf,
        /// Which picture it belongs to, from 0.
        position: usize,
        /// The class.
        found: u32,
    },
    /// The arrays are no data set.
    #[error(transparent)]
    Data(#[from] DataError),
}

/// The pictures for training and those for testing.
pub fn read(directory: &Path) -> Result<(Pictures, Pictures), MnistError> {
    Ok((read_part(directory, "train")?, read_part(directory, "t10k")?))
}

/// The pictures of one part, which names of files begin with.
fn read_part(directory: &Path, part: &str) -> Result<Pictures, MnistError> {
    let images = Idx::read(directory, &format!("{part}-images-idx3-ubyte"))?;
    let labels = Idx::read(directory, &format!("{part}-labels-idx1-ubyte"))?;
    pictures(images, labels)
}

/// The contents of a file.
struct Idx {
    file: PathBuf,
    contents: Vec<u8>,
}

impl Idx {
    /// Reads the file of that name, or the compressed one.
    fn read(directory: &Path, name: &str) -> Result<Idx, MnistError> {
        let plain = directory.join(name);
        let compressed = directory.join(format!("{name}.gz"));
        let (file, contents) = match (File::open(&plain), File::open(&compressed)) {
            (Ok(open), _) => (plain, all(open)),
            (Err(source), _) if source.kind() != io::ErrorKind::NotFound => (plain, Err(source)),
            (_, Ok(open)) => (compressed, all(GzDecoder::new(open))),
            (_, Err(source)) if source.kind() != io::ErrorKind::NotFound => (compressed, Err(source)),
            _ => return Err(MnistError::Missing { directory: directory.to_path_buf(), name: name.to_string() }),
        };
        match contents {
            Ok(contents) => Ok(Idx { file, contents }),
            Err(source) => Err(MnistError::Read { file, source }),
        }
    }

    /// The extents and the elements of an array with this many axes.
    fn array<const RANK: usize>(&self) -> Result<([usize; RANK], &[u8]), MnistError> {
        let (numbers, _) = self.contents.as_chunks::<4>();
        let number = |at: usize| numbers.get(at).map(|bytes| u32::from_be_bytes(*bytes));
        let expected = BYTES + RANK as u32;
        if let Some(found) = number(0).filter(|found| *found != expected) {
            return Err(MnistError::Magic { file: self.file.clone(), expected, found });
        }
        let header = 4 * (1 + RANK);
        let extents: [usize; RANK] = std::array::from_fn(|axis| number(1 + axis).unwrap_or(0) as usize);
        let expected = extents.iter().fold(1, |product: usize, extent| product.saturating_mul(*extent));
        let (expected, found) = (expected.saturating_add(header), self.contents.len());
        if found != expected {
            return Err(MnistError::Length { file: self.file.clone(), expected, found });
        }
        Ok((extents, &self.contents[header..]))
    }
}

fn all(mut source: impl Read) -> io::Result<Vec<u8>> {
    let mut contents = Vec::new();
    source.read_to_end(&mut contents)?;
    Ok(contents)
}

/// Pictures out of the file of their pixels and the file of their classes.
fn pictures(images: Idx, labels: Idx) -> Result<Pictures, MnistError> {
    let ([count, rows, columns], pixels) = images.array()?;
    let ([classes], bytes) = labels.array()?;
    if [rows, columns] != [EDGE; 2] {
        return Err(MnistError::Size { file: images.file, rows, columns });
    }
    if count != classes {
        return Err(MnistError::Counts { images: images.file, pictures: count, labels: labels.file, classes });
    }
    let classes: Vec<u32> = bytes.iter().map(|&byte| u32::from(byte)).collect();
    if let Some(position) = classes.iter().position(|&class| class >= CLASSES) {
        return Err(MnistError::Class { file: labels.file, position, found: classes[position] });
    }
    let pixels = pixels.iter().map(|&byte| f32::from(byte) / 255.0).collect();
    Ok(pictures::pictures(EDGE * EDGE, pixels, classes)?)
}

#[cfg(test)]
mod tests;
