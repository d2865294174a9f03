//! Whether one array may stand for two parameters of a kernel.

use crate::kernel::{Digits, Expression, Kernel, LoopId, ParameterId, Site, Statement, grids, never_meet};
use crate::nest::{Atom, Index};

/// A load or store: the statement's position in each of the lists that it is nested in, the loops around it as positions have
/// them, and the index.
struct Access {
    path: Path,
    site: Site,
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
        let mut digits = Digits::new(kernel);
        collect(statements, &mut Spot::default(), &mut |statement, spot| {
            let mut access = |index: &Index| {
                let site = digits.within(index, &spot.loops, &spot.bounds);
                Access { path: spot.path.clone(), site }
            };
            match statement {
                Statement::Let(_, Expression::Load { parameter, index }) if *parameter == read => {
                    loads.push(access(index));
                }
                Statement::Copy(copy) if copy.from == read => {
                    let element = |at: usize| copy.source.clone().plus(&Index::constant(at as i64));
                    loads.extend((0..copy.count).map(|at| access(&element(at))));
                }
                Statement::Store { parameter, index, .. } | Statement::Accumulate { parameter, index, .. }
                    if *parameter == write =>
                {
                    stores.push(access(index));
                }
                _ => {}
            }
        });
        let extents = digits.extents();
        // A loop of one iteration is always at 0, whether an index mentions it or not.
        let position = |(id, &extent): (usize, &usize)| if extent == 1 { Index::constant(0) } else { Index::axis(id) };
        let positions: Vec<Index> = extents.iter().enumerate().map(position).collect();
        for Access { site, .. } in loads.iter_mut().chain(&mut stores) {
            site.index = site.index.substitute(&positions, extents, 0);
        }
        Accesses { loads, stores, extents: extents.to_vec() }
    }

    fn loads_precede(&self, stores: &Accesses) -> bool {
        let precedes = |load: &Access, store: &Access| precedes(load, store) && visits_once(&store.site, &self.extents);
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
        let (load, store) = (&load.site, &store.site);
        let (low, high) = load.index.range(&self.extents);
        let (first, last) = store.index.range(&self.extents);
        high < first || last < low || never_meet((&load.index, &load.loops), (&store.index, &store.loops))
    }
}

/// Where a statement stands: a list of positions for each list of statements around it, from the outside. What a loop of one
/// iteration runs stands in the same list as the loop, at a finer position.
type Path = Vec<Vec<usize>>;

/// A place in a kernel: its path, the loops around it with their extents, and what is known to be below a bound there.
#[derive(Default)]
struct Spot {
    path: Path,
    loops: Vec<(LoopId, usize)>,
    bounds: Vec<(Index, usize)>,
}

/// Visits all statements with their places.
fn collect(statements: &[Statement], spot: &mut Spot, visit: &mut impl FnMut(&Statement, &Spot)) {
    spot.path.push(Vec::new());
    collect_beside(statements, spot, visit);
    spot.path.pop();
}

/// Visits statements that stand in the list of the place.
fn collect_beside(statements: &[Statement], spot: &mut Spot, visit: &mut impl FnMut(&Statement, &Spot)) {
    for (position, statement) in statements.iter().enumerate() {
        spot.path.last_mut().expect("a statement stands in a list").push(position);
        visit(statement, spot);
        match statement {
            Statement::Loop { id, extent, body, .. } => {
                spot.loops.push((*id, *extent));
                match extent {
                    1 => collect_beside(body, spot, visit),
                    _ => collect(body, spot, visit),
                }
                spot.loops.pop();
            }
            Statement::Within { index, below, body } => {
                spot.bounds.push((index.clone(), *below));
                collect_beside(body, spot, visit);
                spot.bounds.pop();
            }
            _ => {}
        }
        spot.path.last_mut().expect("it was there before").pop();
    }
}

/// Whether the load stands before the store in all the loops of the store, and they name the same element there.
fn precedes(load: &Access, store: &Access) -> bool {
    let last = store.path.len() - 1;
    load.site.index == store.site.index
        && load.path.len() >= store.path.len()
        && load.path[..last] == store.path[..last]
        && load.path[last] < store.path[last]
}

/// Whether no two iterations of the loops around it name the same element: every loop counts, and further than all the
/// finer ones together.
fn visits_once(access: &Site, extents: &[usize]) -> bool {
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
    access.loops.iter().all(|&(id, extent)| extent <= 1 || steps.iter().any(|&(_, axis)| axis == id.0))
}
