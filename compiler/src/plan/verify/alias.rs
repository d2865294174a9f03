//! Whether one array may stand for two parameters of a kernel.

use crate::kernel::{Digits, Expression, Kernel, LoopId, ParameterId, Statement, grids, never_meet};
use crate::nest::{Atom, Index};

/// A load or store: the statement's position in each of the lists that it is nested in, the loops around it, and the index.
struct Access {
    path: Path,
    loops: Vec<usize>,
    index: Index,
}

/// Whether one array may stand for both parameters: no element is loaded through the one after it was stored through the
/// other. That holds for a load and a store that never meet, and for those of one iteration, the load first, if no other
/// iteration stores that element. Phases that run at once on a GPU do so in no order.
pub(super) fn reads_before_writes(kernel: &Kernel, read: ParameterId, write: ParameterId) -> bool {
    if kernel.threads.is_none() {
        let accesses = Accesses::new(kernel, &kernel.body, read, write);
        return accesses.loads_precede(&accesses);
    }
    let phases = grids(kernel).into_iter().enumerate().flat_map(|(grid, phases)| {
        let accesses = |phase: &Kernel| Accesses::new(kernel, &phase.body, read, write);
        phases.into_iter().map(|phase| (grid, accesses(&phase.kernel))).collect::<Vec<_>>()
    });
    let phases: Vec<(usize, Accesses)> = phases.collect();
    phases.iter().enumerate().all(|(one, (grid, loads))| {
        phases.iter().enumerate().all(|(other, (later, stores))| match one == other {
            true => loads.loads_precede(stores),
            false => grid < later || loads.never_meet(stores),
        })
    })
}

/// The loads from one parameter and the stores to another one.
struct Accesses {
    loads: Vec<Access>,
    stores: Vec<Access>,
    /// The extents of loops and digits.
    extents: Vec<usize>,
}

impl Accesses {
    fn new(kernel: &Kernel, statements: &[Statement], read: ParameterId, write: ParameterId) -> Accesses {
        let (mut loads, mut stores) = (Vec::new(), Vec::new());
        let mut at = (vec![Vec::new()], Vec::new());
        collect(statements, &mut at, &mut |statement, (path, loops)| {
            let access = |index: &Index| Access { path: path.clone(), loops: loops.clone(), index: index.clone() };
            match statement {
                Statement::Let(_, Expression::Load { parameter, index }) if *parameter == read => {
                    loads.push(access(index));
                }
                Statement::Store { parameter, index, .. } | Statement::Accumulate { parameter, index, .. }
                    if *parameter == write =>
                {
                    stores.push(access(index));
                }
                _ => {}
            }
        });
        let digits = Digits::new(kernel);
        let extents = digits.extents();
        // A loop of one iteration is always at 0, whether an index mentions it or not.
        let position = |(id, &extent): (usize, &usize)| if extent == 1 { Index::constant(0) } else { Index::axis(id) };
        let positions: Vec<Index> = extents.iter().enumerate().map(position).collect();
        for access in loads.iter_mut().chain(&mut stores) {
            access.index = digits.index(&access.index).substitute(&positions, extents, 0);
            access.loops =
                access.loops.iter().flat_map(|&id| digits.of(LoopId(id))).map(|(digit, _)| digit.0).collect();
        }
        Accesses { loads, stores, extents: extents.to_vec() }
    }

    fn loads_precede(&self, stores: &Accesses) -> bool {
        let precedes = |load: &Access, store: &Access| precedes(load, store) && visits_once(store, &self.extents);
        self.all(stores, &|load, store| precedes(load, store) || self.apart(load, store))
    }

    fn never_meet(&self, stores: &Accesses) -> bool {
        self.all(stores, &|load, store| self.apart(load, store))
    }

    fn all(&self, stores: &Accesses, holds: &dyn Fn(&Access, &Access) -> bool) -> bool {
        stores.stores.iter().all(|store| self.loads.iter().all(|load| holds(load, store)))
    }

    /// Whether the two are of different elements always.
    fn apart(&self, load: &Access, store: &Access) -> bool {
        let extents = &self.extents;
        let (low, high) = load.index.range(extents);
        let (first, last) = store.index.range(extents);
        high < first
            || last < low
            || never_meet((&load.index, &around(load, extents)), (&store.index, &around(store, extents)))
    }
}

/// The loops around an access with their extents.
fn around(access: &Access, extents: &[usize]) -> Vec<(LoopId, usize)> {
    access.loops.iter().map(|&id| (LoopId(id), extents[id])).collect()
}

/// Where a statement stands: a list of positions for each list of statements around it, from the outside. What a loop of one
/// iteration runs stands in the same list as the loop, at a finer position.
type Path = Vec<Vec<usize>>;

/// Visits all statements with their path and the loops around them.
fn collect(
    statements: &[Statement],
    at: &mut (Path, Vec<usize>),
    visit: &mut impl FnMut(&Statement, &(Path, Vec<usize>)),
) {
    for (position, statement) in statements.iter().enumerate() {
        at.0.last_mut().expect("a statement stands in a list").push(position);
        visit(statement, at);
        if let Statement::Loop { id, extent, body, .. } = statement {
            at.1.push(id.0);
            if *extent == 1 {
                collect(body, at, visit);
            } else {
                at.0.push(Vec::new());
                collect(body, at, visit);
                at.0.pop();
            }
            at.1.pop();
        }
        at.0.last_mut().expect("it was there before").pop();
    }
}

/// Whether the load stands before the store in all the loops of the store, and they name the same element there.
fn precedes(load: &Access, store: &Access) -> bool {
    let last = store.path.len() - 1;
    load.index == store.index
        && load.path.len() >= store.path.len()
        && load.path[..last] == store.path[..last]
        && load.path[last] < store.path[last]
}

/// Whether no two iterations of the loops around it name the same element: every loop counts, and further than all the
/// finer ones together.
fn visits_once(access: &Access, extents: &[usize]) -> bool {
    let mut steps: Vec<(i64, usize)> = Vec::new();
    for term in &access.index.terms {
        match term.atom {
            Atom::Axis(axis) => steps.push((term.coefficient.abs(), axis)),
            _ => return false,
        }
    }
    steps.sort();
    let mut reach = 0;
    for &(step, axis) in &steps {
        if step <= reach {
            return false;
        }
        reach += step * (extents[axis] as i64 - 1).max(0);
    }
    access.loops.iter().all(|&id| extents[id] <= 1 || steps.iter().any(|&(_, axis)| axis == id))
}
