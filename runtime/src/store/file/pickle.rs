//! Pickles: programs for a small stack machine, as which Python writes values. What enters are the bytes of one, what leaves
//! is the value that it builds, as far as state dicts need it.
//!
//! Nothing in a pickle runs. Its globals are names of a closed list, its calls make dicts and remember the arguments of
//! tensors, and every other opcode moves values about; whatever else it asks for is an error. Values are copied by number,
//! never by content, so that none is larger than a few words; nothing recurs; and how many there are at a time is limited by
//! the length of the file. So neither depth nor repetition takes more memory than the file itself, by a small factor.

use safetensors::tensor::Dtype;
use std::collections::HashMap;
use thiserror::Error;

/// How many values a pickle may always hold at a time, however short the file is.
const ALWAYS: usize = 1 << 17;

/// For how many bytes of a file there may be one more.
const BYTES_PER_VALUE: usize = 32;

/// Why a pickle is refused.
#[derive(Debug, Error, PartialEq, Eq)]
pub(super) enum PickleError {
    /// It ends too early.
    #[error("its pickle ends in the middle")]
    End,
    /// An opcode that no state dict needs.
    #[error("its pickle has the opcode {opcode:#04x} at byte {at}, which no state dict needs")]
    Opcode {
        /// The opcode.
        opcode: u8,
        /// Where it is.
        at: usize,
    },
    /// A global that is not in the list.
    #[error(
        "its pickle asks for `{name}`, which is not loaded: only tensors in dicts are, and nothing in a file is run"
    )]
    Global {
        /// The name with its module.
        name: String,
    },
    /// An opcode finds other values than it takes.
    #[error("its pickle is damaged at byte {at}: {what}")]
    Damaged {
        /// Where the opcode ends.
        at: usize,
        /// What is wrong.
        what: &'static str,
    },
    /// There are too many values.
    #[error("its pickle holds more than {limit} values at a time, too many for its length")]
    Values {
        /// How many there may be.
        limit: usize,
    },
}

/// A value. What it is made of is kept by the [`Pickle`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Value<'a> {
    /// A whole number of 64 bits.
    Int(i64),
    /// A text.
    Text(&'a str),
    /// A tuple.
    Tuple(Span),
    /// A list, by number.
    List(u32),
    /// A dict, by number.
    Dict(u32),
    /// Yes or no.
    Bool(bool),
    /// A name.
    Global(Global),
    /// What `persistent_load` would be called with.
    Storage(Span),
    /// What `_rebuild_tensor_v2` would be called with.
    Tensor(Span),
    /// Something that no tensor needs.
    Other,
}

/// The globals that there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Global {
    /// `collections.OrderedDict`.
    OrderedDict,
    /// `torch._utils._rebuild_tensor_v2`.
    RebuildTensor,
    /// `torch._utils._rebuild_parameter`.
    RebuildParameter,
    /// `torch.FloatStorage` and its kin.
    Storage(Dtype),
}

/// Where the members of a tuple are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    start: usize,
    end: usize,
}

/// An entry of a dict, or a text in a list; of what else is in lists nothing is kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry<'a> {
    /// Which dict or list it belongs to.
    pub(super) of: u32,
    /// The key; in a list there is none.
    pub(super) key: Value<'a>,
    /// The value.
    pub(super) value: Value<'a>,
}

/// What a pickle builds.
#[derive(Debug)]
pub(super) struct Pickle<'a> {
    /// The value.
    pub(super) root: Value<'a>,
    /// The entries of all dicts and lists, in the order in which they were set.
    pub(super) entries: Vec<Entry<'a>>,
    /// The members of all tuples.
    members: Vec<Value<'a>>,
}

impl<'a> Pickle<'a> {
    /// The value that the bytes build, and what follows behind them; they are part of a file of so many bytes.
    pub(super) fn parse(bytes: &'a [u8], file: usize) -> Result<(Pickle<'a>, &'a [u8]), PickleError> {
        let mut machine = Machine {
            bytes,
            at: 0,
            stack: Vec::new(),
            marks: Vec::new(),
            memo: HashMap::new(),
            members: Vec::new(),
            entries: Vec::new(),
            collections: 0,
        };
        let limit = limit(file);
        while let Some(opcode) = machine.next()? {
            machine.execute(opcode)?;
            if machine.values() > limit {
                return Err(PickleError::Values { limit });
            }
        }
        let root = machine.pop()?;
        let rest = &bytes[machine.at..];
        Ok((Pickle { root, entries: machine.entries, members: machine.members }, rest))
    }

    /// The members of a tuple.
    pub(super) fn members(&self, span: Span) -> &[Value<'a>] {
        &self.members[span.start..span.end]
    }

    /// Every storage that a tuple names.
    pub(super) fn storages(&self) -> impl Iterator<Item = Span> {
        self.members.iter().filter_map(|member| match member {
            Value::Storage(span) => Some(*span),
            _ => None,
        })
    }
}

/// How many values a pickle in a file of so many bytes may hold.
pub(super) fn limit(file: usize) -> usize {
    ALWAYS + file / BYTES_PER_VALUE
}

struct Machine<'a> {
    bytes: &'a [u8],
    at: usize,
    stack: Vec<Value<'a>>,
    /// How high the stack was at each mark.
    marks: Vec<usize>,
    memo: HashMap<u32, Value<'a>>,
    members: Vec<Value<'a>>,
    entries: Vec<Entry<'a>>,
    /// How many dicts and lists there are.
    collections: u32,
}

impl<'a> Machine<'a> {
    fn values(&self) -> usize {
        self.stack.len() + self.marks.len() + self.memo.len() + self.members.len() + self.entries.len()
    }

    /// The next opcode; `None` is the last one.
    fn next(&mut self) -> Result<Option<u8>, PickleError> {
        let [opcode] = self.number()?;
        Ok((opcode != b'.').then_some(opcode))
    }

    fn execute(&mut self, opcode: u8) -> Result<(), PickleError> {
        match opcode {
            // PROTO and FRAME say what version follows and how many bytes.
            0x80 => self.number::<1>().map(|_| ()),
            0x95 => self.number::<8>().map(|_| ()),
            b'(' => {
                self.marks.push(self.stack.len());
                Ok(())
            }
            b'q' | b'r' | b'h' | b'j' | 0x94 => self.remember(opcode),
            b't' | b')' | 0x85..=0x87 => self.tuple(opcode),
            b'}' => self.collection(Value::Dict),
            b']' => self.collection(Value::List),
            b's' | b'u' => self.set_items(opcode),
            b'a' | b'e' => self.append(opcode),
            b'c' | 0x93 => self.global(opcode),
            b'R' => self.reduce(),
            b'b' => self.build(),
            b'Q' => self.persistent(),
            _ => {
                let value = self.constant(opcode)?;
                self.push(value)
            }
        }
    }

    /// BINPUT, LONG_BINPUT and MEMOIZE keep a value under a number, BINGET and LONG_BINGET bring it back.
    fn remember(&mut self, opcode: u8) -> Result<(), PickleError> {
        let number = match opcode {
            b'q' | b'h' => u32::from(u8::from_le_bytes(self.number()?)),
            0x94 => self.memo.len() as u32,
            _ => u32::from_le_bytes(self.number()?),
        };
        if let b'h' | b'j' = opcode {
            let value = self.memo.get(&number).copied();
            return self.push(value.ok_or_else(|| self.damaged("a value is used that was not kept"))?);
        }
        let value = self.pop()?;
        self.memo.insert(number, value);
        self.push(value)
    }

    /// TUPLE, EMPTY_TUPLE, and TUPLE1 to TUPLE3.
    fn tuple(&mut self, opcode: u8) -> Result<(), PickleError> {
        let count = match opcode {
            b't' => self.above_mark()?,
            b')' => 0,
            _ => usize::from(opcode - 0x84),
        };
        let first = self.first_of(count)?;
        let start = self.members.len();
        self.members.extend(self.stack.drain(first..));
        self.push(Value::Tuple(Span { start, end: self.members.len() }))
    }

    /// A new dict or list.
    fn collection(&mut self, value: fn(u32) -> Value<'a>) -> Result<(), PickleError> {
        self.collections = self.collections.checked_add(1).ok_or_else(|| self.damaged("there are too many dicts"))?;
        self.push(value(self.collections))
    }

    /// SETITEM and SETITEMS.
    fn set_items(&mut self, opcode: u8) -> Result<(), PickleError> {
        let count = if opcode == b's' { 2 } else { self.above_mark()? };
        let first = self.first_of(count)?;
        let Some(Value::Dict(of)) = first.checked_sub(1).map(|at| self.stack[at]) else {
            return Err(self.damaged("an entry is set in what is no dict"));
        };
        let (pairs, odd) = self.stack[first..].as_chunks::<2>();
        if !odd.is_empty() {
            return Err(self.damaged("a key has no value"));
        }
        self.entries.extend(pairs.iter().map(|&[key, value]| Entry { of, key, value }));
        self.stack.truncate(first);
        Ok(())
    }

    /// APPEND and APPENDS. No tensor that has a name is in a list, and a list may be long.
    fn append(&mut self, opcode: u8) -> Result<(), PickleError> {
        let count = if opcode == b'a' { 1 } else { self.above_mark()? };
        let first = self.first_of(count)?;
        let Some(Value::List(of)) = first.checked_sub(1).map(|at| self.stack[at]) else {
            return Err(self.damaged("something is appended to what is no list"));
        };
        let texts = self.stack.drain(first..).filter(|value| matches!(value, Value::Text(_)));
        self.entries.extend(texts.map(|value| Entry { of, key: Value::Other, value }));
        Ok(())
    }

    /// GLOBAL has two lines, STACK_GLOBAL two texts.
    fn global(&mut self, opcode: u8) -> Result<(), PickleError> {
        let (module, name) = match opcode {
            b'c' => (self.line()?, self.line()?),
            _ => {
                let (Value::Text(name), Value::Text(module)) = (self.pop()?, self.pop()?) else {
                    return Err(self.damaged("a global's name is no text"));
                };
                (module, name)
            }
        };
        let unknown = || PickleError::Global { name: shortened(&format!("{module}.{name}")) };
        self.push(Value::Global(known(module, name).ok_or_else(unknown)?))
    }

    /// REDUCE calls a global, which here is one of three.
    fn reduce(&mut self) -> Result<(), PickleError> {
        let (Value::Tuple(arguments), callee) = (self.pop()?, self.pop()?) else {
            return Err(self.damaged("arguments are no tuple"));
        };
        match callee {
            Value::Global(Global::OrderedDict) if arguments.start == arguments.end => self.collection(Value::Dict),
            Value::Global(Global::RebuildTensor) => self.push(Value::Tensor(arguments)),
            Value::Global(Global::RebuildParameter) => match self.members[arguments.start..arguments.end].first() {
                Some(&tensor @ Value::Tensor(_)) => self.push(tensor),
                _ => Err(self.damaged("a parameter is made of what is no tensor")),
            },
            _ => Err(self.damaged("something is called that cannot be called like this")),
        }
    }

    /// BUILD gives a dict attributes, such as the versions of modules; no tensor is among them.
    fn build(&mut self) -> Result<(), PickleError> {
        self.pop()?;
        match self.stack.last() {
            Some(Value::Dict(_)) => Ok(()),
            _ => Err(self.damaged("what is no dict is given attributes")),
        }
    }

    fn persistent(&mut self) -> Result<(), PickleError> {
        match self.pop()? {
            Value::Tuple(span) => self.push(Value::Storage(span)),
            _ => Err(self.damaged("a storage is named by what is no tuple")),
        }
    }

    /// Numbers, texts and bytes.
    fn constant(&mut self, opcode: u8) -> Result<Value<'a>, PickleError> {
        Ok(match opcode {
            // NONE, NEWTRUE, NEWFALSE, BINFLOAT.
            b'N' => Value::Other,
            0x88 => Value::Bool(true),
            0x89 => Value::Bool(false),
            b'G' => self.number::<8>().map(|_| Value::Other)?,
            b'J' => Value::Int(i32::from_le_bytes(self.number()?).into()),
            b'K' => Value::Int(u8::from_le_bytes(self.number()?).into()),
            b'M' => Value::Int(u16::from_le_bytes(self.number()?).into()),
            // LONG1, LONG4.
            0x8a => self.bytes_of::<1>().map(whole)?,
            0x8b => self.bytes_of::<4>().map(whole)?,
            // BINUNICODE, SHORT_BINUNICODE, BINUNICODE8, and the texts of Python 2.
            b'X' | b'T' => self.bytes_of::<4>().map(text)?,
            0x8c | b'U' => self.bytes_of::<1>().map(text)?,
            0x8d => self.bytes_of::<8>().map(text)?,
            // BINBYTES, SHORT_BINBYTES, BINBYTES8.
            b'B' => self.bytes_of::<4>().map(|_| Value::Other)?,
            b'C' => self.bytes_of::<1>().map(|_| Value::Other)?,
            0x8e => self.bytes_of::<8>().map(|_| Value::Other)?,
            _ => return Err(PickleError::Opcode { opcode, at: self.at - 1 }),
        })
    }

    fn push(&mut self, value: Value<'a>) -> Result<(), PickleError> {
        self.stack.push(value);
        Ok(())
    }

    fn pop(&mut self) -> Result<Value<'a>, PickleError> {
        self.stack.pop().ok_or_else(|| self.damaged("a value is missing"))
    }

    /// How many values lie above the last mark, which goes.
    fn above_mark(&mut self) -> Result<usize, PickleError> {
        let mark = self.marks.pop().ok_or_else(|| self.damaged("a mark is missing"))?;
        self.stack.len().checked_sub(mark).ok_or_else(|| self.damaged("values below a mark were taken"))
    }

    /// Where the topmost values begin, which are so many.
    fn first_of(&self, count: usize) -> Result<usize, PickleError> {
        self.stack.len().checked_sub(count).ok_or_else(|| self.damaged("a value is missing"))
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], PickleError> {
        let taken = self.bytes[self.at..].get(..count).ok_or(PickleError::End)?;
        self.at += count;
        Ok(taken)
    }

    fn number<const SIZE: usize>(&mut self) -> Result<[u8; SIZE], PickleError> {
        let taken = self.take(SIZE)?;
        Ok(taken.try_into().expect("as many were taken"))
    }

    /// Bytes that stand behind their number, which has so many bytes itself, the lowest one first.
    fn bytes_of<const SIZE: usize>(&mut self) -> Result<&'a [u8], PickleError> {
        let mut count = [0; 8];
        count[..SIZE].copy_from_slice(&self.number::<SIZE>()?);
        self.take(usize::try_from(u64::from_le_bytes(count)).map_err(|_| PickleError::End)?)
    }

    /// The text up to the end of the line.
    fn line(&mut self) -> Result<&'a str, PickleError> {
        let length = self.bytes[self.at..].iter().position(|&byte| byte == b'\n').ok_or(PickleError::End)?;
        let line = self.take(length + 1)?;
        std::str::from_utf8(&line[..length]).map_err(|_| self.damaged("a name is no text"))
    }

    fn damaged(&self, what: &'static str) -> PickleError {
        PickleError::Damaged { at: self.at, what }
    }
}

/// The global of that name, if it is in the list.
fn known(module: &str, name: &str) -> Option<Global> {
    match (module, name) {
        ("collections", "OrderedDict") => Some(Global::OrderedDict),
        ("torch._utils", "_rebuild_tensor_v2") => Some(Global::RebuildTensor),
        ("torch._utils", "_rebuild_parameter") => Some(Global::RebuildParameter),
        ("torch", _) => storage(name).map(Global::Storage),
        _ => None,
    }
}

fn storage(name: &str) -> Option<Dtype> {
    Some(match name {
        "FloatStorage" => Dtype::F32,
        "DoubleStorage" => Dtype::F64,
        "HalfStorage" => Dtype::F16,
        "BFloat16Storage" => Dtype::BF16,
        "LongStorage" => Dtype::I64,
        "IntStorage" => Dtype::I32,
        "ShortStorage" => Dtype::I16,
        "CharStorage" => Dtype::I8,
        "ByteStorage" => Dtype::U8,
        "BoolStorage" => Dtype::BOOL,
        _ => return None,
    })
}

/// A whole number of any length in two's complement, if it fits into 64 bits.
fn whole(bytes: &[u8]) -> Value<'_> {
    let mut number = [0; 8];
    let Some(low) = number.get_mut(..bytes.len()) else { return Value::Other };
    low.copy_from_slice(bytes);
    let unused = 64 - 8 * bytes.len() as u32;
    // The sign is the highest bit that is there.
    Value::Int(i64::from_le_bytes(number).checked_shl(unused).map_or(0, |number| number >> unused))
}

/// A text; what is not one can be no key.
fn text(bytes: &[u8]) -> Value<'_> {
    std::str::from_utf8(bytes).map_or(Value::Other, Value::Text)
}

/// A name as messages show it.
pub(super) fn shortened(name: &str) -> String {
    match name.char_indices().nth(80) {
        None => name.to_string(),
        Some((end, _)) => format!("{}…", &name[..end]),
    }
}
