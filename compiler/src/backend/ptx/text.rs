//! The text of a function while it is written: lines, registers and labels.

use crate::dtype::DType;
use std::fmt;

/// What a register is for. All are untyped words of a size, but for floats, which the assembler keeps apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Class {
    Predicate,
    Half,
    Word,
    Long,
    F32,
    F64,
}

impl Class {
    const ALL: [Class; 6] = [Class::Predicate, Class::Half, Class::Word, Class::Long, Class::F32, Class::F64];

    /// What registers hold values of a type.
    pub(super) fn of(dtype: DType) -> Class {
        match dtype {
            DType::F32 | DType::F16 | DType::Bf16 => Class::F32,
            DType::F64 => Class::F64,
            DType::I64 => Class::Long,
            DType::U32 | DType::I32 | DType::U8 => Class::Word,
            DType::Bool => Class::Predicate,
        }
    }

    /// The type that registers of this class are declared with.
    pub(super) fn ty(self) -> &'static str {
        match self {
            Class::Predicate => "pred",
            Class::Half => "b16",
            Class::Word => "b32",
            Class::Long => "b64",
            Class::F32 => "f32",
            Class::F64 => "f64",
        }
    }

    fn prefix(self) -> &'static str {
        match self {
            Class::Predicate => "p",
            Class::Half => "h",
            Class::Word => "r",
            Class::Long => "d",
            Class::F32 => "f",
            Class::F64 => "g",
        }
    }
}

/// A register of a function, by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Reg {
    pub(super) class: Class,
    number: usize,
}

impl fmt::Display for Reg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "%{}{}", self.class.prefix(), self.number)
    }
}

/// A place in the text that a branch goes to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Label(usize);

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "L{}", self.0)
    }
}

/// The body of a function.
#[derive(Default)]
pub(super) struct Text {
    lines: String,
    registers: [usize; Class::ALL.len()],
    labels: usize,
}

impl Text {
    /// A new register.
    pub(super) fn reg(&mut self, class: Class) -> Reg {
        let count = &mut self.registers[class as usize];
        *count += 1;
        Reg { class, number: *count - 1 }
    }

    pub(super) fn label(&mut self) -> Label {
        self.labels += 1;
        Label(self.labels - 1)
    }

    /// An instruction.
    pub(super) fn line(&mut self, instruction: fmt::Arguments<'_>) {
        self.lines += &format!("\t{instruction};\n");
    }

    /// An instruction that sets a new register, which stands first among its operands.
    pub(super) fn set(&mut self, class: Class, instruction: &str, operands: fmt::Arguments<'_>) -> Reg {
        let reg = self.reg(class);
        self.line(format_args!("{instruction} {reg}, {operands}"));
        reg
    }

    /// Where a label stands.
    pub(super) fn place(&mut self, label: Label) {
        self.lines += &format!("{label}:\n");
    }

    /// The declarations of all registers, and then all lines.
    pub(super) fn finish(self) -> String {
        let declared = Class::ALL.into_iter().zip(self.registers).filter(|&(_, count)| count > 0);
        let declared = declared.map(|(class, count)| format!("\t.reg .{} %{}<{count}>;\n", class.ty(), class.prefix()));
        declared.chain([self.lines]).collect()
    }
}
