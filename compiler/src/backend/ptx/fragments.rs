//! Fragments on tensor cores: `mma.sync` on what `ldmatrix` and loads bring from shared memory.
//!
//! Each warp has a part of a fragment, of which it computes tiles of 16 rows and 8 columns. In such a tile, thread `l` of the
//! warp has columns `2 (l mod 4)` and the next one, of row `l / 4` and of the one 8 below. A matrix whose rows lie along the
//! sum comes by `ldmatrix`, which gives each thread 4 bytes of a row of 16; one of bf16 that lies across it by its transposing
//! form; and one of f32 that lies across it by plain loads. Numbers of f32 are rounded to tf32 in registers.

use super::EmitError;
use super::emitter::Emitter;
use super::entry::Place;
use super::text::{Class, Reg, Text};
use crate::dtype::DType;
use crate::kernel::{Factor, Fragment, FragmentDecl, Kernel, Layout, ParameterId, WARP, layouts, mma_depth, warps};
use crate::nest::Index;
use std::borrow::Cow;
use std::collections::HashMap;

/// The rows of a tile that one instruction computes.
const ROWS: usize = 16;

/// Its columns.
const COLUMNS: usize = 8;

/// What is known of fragments, and of where accesses to the memory of a block go.
pub(super) struct Tiles {
    /// The sums of each fragment that a thread has, tile by tile, row by row.
    sums: Vec<Vec<[Reg; 4]>>,
    /// How local arrays lie.
    pub(super) layouts: Vec<Layout>,
    /// Which of the copies of what is filled ahead is meant, in a staged loop.
    pub(super) stage: Option<Stage>,
    /// Where threads begin to read matrices, computed before a loop.
    origins: HashMap<(ParameterId, Side), Reg>,
    /// For each iteration that a thread runs together, whether it is within the bounds around; none if there are no bounds.
    pub(super) within: Vec<Reg>,
    /// What has been loaded and is stored later; `None` where it is stored at once.
    pub(super) late: Option<Vec<Late>>,
}

/// A copy of what is filled ahead.
#[derive(Clone, Copy, Debug)]
pub(super) enum Stage {
    /// The one of this number.
    Fixed(usize),
    /// The one whose number a register holds.
    Running(Reg),
}

/// Elements on their way to shared memory, in registers.
pub(super) struct Late {
    pub(super) address: String,
    pub(super) dtype: DType,
    pub(super) values: Vec<Reg>,
}

/// Which factor of a contraction a matrix is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Side {
    Left,
    Right,
}

impl Tiles {
    pub(super) fn new(kernel: &Kernel, threads: usize, text: &mut Text) -> Tiles {
        let part = |&fragment: &FragmentDecl| {
            let tiles = fragment.rows * fragment.columns / (ROWS * COLUMNS) / (threads / WARP);
            (0..tiles).map(|_| std::array::from_fn(|_| text.reg(Class::F32))).collect()
        };
        Tiles {
            sums: kernel.fragments.iter().map(part).collect(),
            layouts: layouts(kernel),
            stage: None,
            origins: HashMap::new(),
            within: Vec::new(),
            late: None,
        }
    }
}

/// The part of a fragment that a warp has: how many tiles down and across, and where it begins.
struct Part {
    tiles: [usize; 2],
    warps: [usize; 2],
}

impl Part {
    fn new(fragment: FragmentDecl, threads: usize) -> Part {
        let warps = warps(fragment, threads).expect("verified fragments are shared by the warps of a block");
        Part { tiles: [fragment.rows / ROWS / warps[0], fragment.columns / COLUMNS / warps[1]], warps }
    }

    /// How many rows or columns of the matrix on a side the warp has.
    fn extent(&self, side: Side) -> usize {
        match side {
            Side::Left => self.tiles[0] * ROWS,
            Side::Right => self.tiles[1] * COLUMNS,
        }
    }
}

impl Emitter<'_> {
    /// Makes the sums of a fragment zero.
    pub(super) fn clear(&mut self, fragment: Fragment) {
        for &sum in self.tiles.sums[fragment.0].iter().flatten() {
            self.text.line(format_args!("mov.f32 {sum}, 0f00000000"));
        }
    }

    /// Computes what contractions need of the place of a thread, before the loop that they stand in.
    pub(super) fn prepare_contraction(&mut self, fragment: Fragment, left: &Factor, right: &Factor) {
        for (side, factor) in [(Side::Left, left), (Side::Right, right)] {
            let origin = self.origin(fragment, side, factor);
            self.tiles.origins.insert((factor.array, side), origin);
        }
    }

    /// Forgets what was computed before a loop.
    pub(super) fn forget_origins(&mut self) {
        self.tiles.origins.clear();
    }

    /// Adds the product of two matrices to a fragment.
    pub(super) fn contract(&mut self, fragment: Fragment, left: &Factor, right: &Factor, depth: usize) {
        let part = Part::new(self.kernel.fragments[fragment.0], self.threads);
        let dtype = self.kernel.parameters[left.array.0].dtype;
        let [lefts, rights] = [(Side::Left, left), (Side::Right, right)].map(|(side, factor)| {
            let origin = self.tiles.origins.get(&(factor.array, side)).copied();
            let origin = origin.unwrap_or_else(|| self.origin(fragment, side, factor));
            self.staged_address(factor.array, origin)
        });
        let name = match dtype {
            DType::F32 => "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32",
            _ => "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32",
        };
        for summed in (0..depth).step_by(mma_depth(dtype)) {
            let rows = self.matrix(left, Side::Left, lefts, part.extent(Side::Left), summed);
            let columns = self.matrix(right, Side::Right, rights, part.extent(Side::Right), summed);
            for (row, a) in rows.chunks(4).enumerate() {
                for (column, b) in columns.chunks(2).enumerate() {
                    let sums = self.tiles.sums[fragment.0][row * part.tiles[1] + column];
                    let (sums, a, b) = (vector(&sums), vector(a), vector(b));
                    self.text.line(format_args!("{name} {sums}, {a}, {b}, {sums}"));
                }
            }
        }
    }

    /// Stores all sums of a fragment, row by row.
    pub(super) fn unload(&mut self, fragment: Fragment, array: ParameterId) -> Result<(), EmitError> {
        let declared = self.kernel.fragments[fragment.0];
        let part = Part::new(declared, self.threads);
        let pitch = self.tiles.layouts[array.0].pitch * 4;
        let (lane, warp) = self.place_in_block(&part);
        let row = self.text.set(Class::Word, "shr.u32", format_args!("{lane}, 2"));
        let column = self.text.set(Class::Word, "and.b32", format_args!("{lane}, 3"));
        let [down, across] = warp;
        let mut place = self.shared(array);
        for (number, bytes) in
            [(row, pitch), (column, 8), (down, part.tiles[0] * ROWS * pitch), (across, part.tiles[1] * COLUMNS * 4)]
        {
            place = self.text.set(Class::Word, "mad.lo.u32", format_args!("{number}, {bytes}, {place}"));
        }
        for (at, sums) in self.tiles.sums[fragment.0].clone().into_iter().enumerate() {
            let (row, column) = (at / part.tiles[1] * ROWS, at % part.tiles[1] * COLUMNS);
            for (half, sums) in sums.chunks(2).enumerate() {
                let offset = (row + 8 * half) * pitch + column * 4;
                self.text.line(format_args!("st.shared.v2.f32 [{place}+{offset}], {}", vector(sums)));
            }
        }
        Ok(())
    }

    /// The number of the thread in its warp, and where its warp is among those that share a fragment.
    fn place_in_block(&mut self, part: &Part) -> (Reg, [Reg; 2]) {
        let thread = self.thread;
        let text = &mut self.text;
        let lane = text.set(Class::Word, "and.b32", format_args!("{thread}, {}", WARP - 1));
        let warp = text.set(Class::Word, "shr.u32", format_args!("{thread}, {}", WARP.ilog2()));
        let down = text.set(Class::Word, "shr.u32", format_args!("{warp}, {}", part.warps[1].ilog2()));
        let across = text.set(Class::Word, "and.b32", format_args!("{warp}, {}", part.warps[1] - 1));
        (lane, [down, across])
    }

    /// The address of the first element of an array that is there once.
    fn shared(&mut self, array: ParameterId) -> Reg {
        let Place::Shared(offset) = self.places[array.0] else { unreachable!("verified matrices are local") };
        self.text.set(Class::Word, "add.u32", format_args!("{}, {offset}", self.local))
    }

    /// Where a thread begins to read a matrix, in the first copy of it.
    fn origin(&mut self, fragment: Fragment, side: Side, factor: &Factor) -> Reg {
        let part = Part::new(self.kernel.fragments[fragment.0], self.threads);
        let (lane, warp) = self.place_in_block(&part);
        let dtype = self.kernel.parameters[factor.array.0].dtype;
        let pitch = self.tiles.layouts[factor.array.0].pitch * dtype.size();
        let base = self.shared(factor.array);
        let text = &mut self.text;
        let mut bits = |shift: usize, count: u32| {
            let shifted = text.set(Class::Word, "shr.u32", format_args!("{lane}, {shift}"));
            text.set(Class::Word, "and.b32", format_args!("{shifted}, {}", (1 << count) - 1))
        };
        // What to add for each of these numbers of the thread, in bytes.
        let parts = match (factor.along_depth, dtype, side) {
            // Rows 0 to 15, then the same further along the sum.
            (true, _, Side::Left) => vec![(bits(0, 4), pitch), (bits(4, 1), 16)],
            // Rows 0 to 7, further along the sum, then rows 8 to 15.
            (true, _, Side::Right) => vec![(bits(0, 3), pitch), (bits(3, 1), 16), (bits(4, 1), 8 * pitch)],
            (false, DType::F32, _) => vec![(bits(0, 2), pitch), (bits(2, 3), 4)],
            (false, _, Side::Left) => vec![(bits(0, 3), pitch), (bits(3, 1), 16), (bits(4, 1), 8 * pitch)],
            (false, _, Side::Right) => vec![(bits(0, 4), pitch), (bits(4, 1), 16)],
        };
        let own = if factor.along_depth { pitch } else { dtype.size() };
        let number = if side == Side::Left { warp[0] } else { warp[1] };
        let add = |origin: Reg, (number, bytes): (Reg, usize)| {
            text.set(Class::Word, "mad.lo.u32", format_args!("{number}, {bytes}, {origin}"))
        };
        parts.into_iter().chain([(number, part.extent(side) * own)]).fold(base, add)
    }

    /// What a warp needs of a matrix for one step along the sum: four registers per 16 rows on the left, two per 8 columns on
    /// the right.
    fn matrix(&mut self, factor: &Factor, side: Side, origin: Reg, extent: usize, summed: usize) -> Vec<Reg> {
        let dtype = self.kernel.parameters[factor.array.0].dtype;
        let (size, pitch) = (dtype.size(), self.tiles.layouts[factor.array.0].pitch * dtype.size());
        let mut registers = Vec::new();
        if !factor.along_depth && dtype == DType::F32 {
            let steps = if side == Side::Left { vec![[0, 0], [0, 8], [4, 0], [4, 8]] } else { vec![[0, 0], [4, 0]] };
            for own in (0..extent).step_by(if side == Side::Left { ROWS } else { COLUMNS }) {
                for [further, beside] in &steps {
                    let offset = (summed + further) * pitch + (own + beside) * size;
                    let number = self.text.set(Class::F32, "ld.shared.f32", format_args!("[{origin}+{offset}]"));
                    registers.push(self.rounded(number));
                }
            }
            return registers;
        }
        let name = if factor.along_depth { "ldmatrix.sync.aligned.m8n8.x4.shared.b16" } else { TRANSPOSED };
        for own in (0..extent).step_by(16) {
            let offset = match factor.along_depth {
                true => own * pitch + summed * size,
                false => summed * pitch + own * size,
            };
            let words: [Reg; 4] = std::array::from_fn(|_| self.text.reg(Class::Word));
            self.text.line(format_args!("{name} {}, [{origin}+{offset}]", vector(&words)));
            registers.extend(match dtype {
                DType::F32 => words.map(|word| self.rounded(word)),
                _ => words,
            });
        }
        registers
    }

    /// A number of f32 as one of tf32.
    fn rounded(&mut self, number: Reg) -> Reg {
        self.text.set(Class::Word, "cvt.rna.tf32.f32", format_args!("{number}"))
    }

    /// Where an element lies in an array whose rows may be further apart than they are long.
    pub(super) fn laid<'i>(&self, array: ParameterId, index: &'i Index) -> Cow<'i, Index> {
        let Layout { width, pitch, .. } = self.tiles.layouts[array.0];
        match pitch - width {
            0 => Cow::Borrowed(index),
            pad => {
                let row = index.divided(width as i64, &self.extents);
                Cow::Owned(index.clone().plus(&row.times(pad as i64)))
            }
        }
    }

    /// An address in the first copy of an array as that in the copy that is meant.
    pub(super) fn staged_address(&mut self, array: ParameterId, address: Reg) -> Reg {
        let Layout { stages, stage_bytes, .. } = self.tiles.layouts[array.0];
        match self.tiles.stage {
            _ if stages == 1 => address,
            None | Some(Stage::Fixed(0)) => address,
            Some(Stage::Fixed(stage)) => {
                self.text.set(Class::Word, "add.u32", format_args!("{address}, {}", stage * stage_bytes))
            }
            Some(Stage::Running(stage)) => {
                self.text.set(Class::Word, "mad.lo.u32", format_args!("{stage}, {stage_bytes}, {address}"))
            }
        }
    }
}

/// Loads four matrices of 8 by 8 of 16 bits, transposed.
const TRANSPOSED: &str = "ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16";

/// Several registers as one operand.
pub(super) fn vector(registers: &[Reg]) -> String {
    let names: Vec<String> = registers.iter().map(Reg::to_string).collect();
    format!("{{{}}}", names.join(", "))
}
