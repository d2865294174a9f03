//! Element types: the closed list of what a tensor may hold.

use std::fmt;

/// The type of one element.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DType {
    /// IEEE single precision, the default of every computation.
    F32,
    /// IEEE half precision, for storage.
    F16,
    /// The upper half of a single, for storage.
    Bf16,
    /// IEEE double precision.
    F64,
    /// Unsigned 32 bits: class ids, tokens, counts.
    U32,
    /// Signed 32 bits.
    I32,
    /// Unsigned 8 bits.
    U8,
    /// True or false.
    Bool,
    /// Signed 64 bits, for storage only.
    I64,
}

impl DType {
    /// Every type, in the order of the language's documentation.
    pub const ALL: [DType; 9] =
        [DType::F32, DType::F16, DType::Bf16, DType::F64, DType::U32, DType::I32, DType::U8, DType::Bool, DType::I64];

    /// The name in the language and in printed graphs.
    pub fn name(self) -> &'static str {
        match self {
            DType::F32 => "f32",
            DType::F16 => "f16",
            DType::Bf16 => "bf16",
            DType::F64 => "f64",
            DType::U32 => "u32",
            DType::I32 => "i32",
            DType::U8 => "u8",
            DType::Bool => "bool",
            DType::I64 => "i64",
        }
    }

    /// The type of that name.
    pub fn from_name(name: &str) -> Option<DType> {
        DType::ALL.into_iter().find(|dtype| dtype.name() == name)
    }

    /// Whether values of this type have gradients.
    pub fn is_float(self) -> bool {
        matches!(self, DType::F32 | DType::F16 | DType::Bf16 | DType::F64)
    }

    /// Whether this is a whole-number type (bool is none).
    pub fn is_integer(self) -> bool {
        matches!(self, DType::U32 | DType::I32 | DType::U8 | DType::I64)
    }

    /// Bytes of one element in a buffer of a compiled step.
    ///
    /// A bool takes four bytes there (0 or 1), so that lanes of f32, u32 and bool line up; programs outside see `bool`.
    pub fn size(self) -> usize {
        match self {
            DType::F64 | DType::I64 => 8,
            DType::F32 | DType::U32 | DType::I32 | DType::Bool => 4,
            DType::F16 | DType::Bf16 => 2,
            DType::U8 => 1,
        }
    }
}

impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
