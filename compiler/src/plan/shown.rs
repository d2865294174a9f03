//! Which elements of an array are seen: a rectangle of points and the position that each of them names.

use crate::nest::Index;

/// Some elements of an array, in an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    extents: Vec<usize>,
    position: Index,
}

impl Shown {
    /// The elements at the positions that an index has over axes of these extents, each once where axes only repeat them.
    pub fn new(extents: &[usize], position: Index) -> Shown {
        let empty = extents.contains(&0);
        let needed = |axis: usize| empty || position.uses(axis);
        let extents = extents.iter().enumerate().map(|(axis, &extent)| if needed(axis) { extent } else { 1 }).collect();
        Shown { extents, position }
    }

    /// The first position that passes a test.
    pub fn find(&self, test: &mut dyn FnMut(usize) -> bool) -> Option<usize> {
        self.find_from(0, &mut vec![0; self.extents.len()], test)
    }

    fn find_from(&self, axis: usize, point: &mut [usize], test: &mut dyn FnMut(usize) -> bool) -> Option<usize> {
        let Some(&extent) = self.extents.get(axis) else {
            return Some(self.at(point)).filter(|&position| test(position));
        };
        match self.position.stride(axis) {
            // The last axis is walked without computing every position anew.
            Some(stride) if axis + 1 == self.extents.len() && extent > 0 => {
                point[axis] = 0;
                let first = self.at(point) as i64;
                (0..extent as i64).map(|i| (first + i * stride) as usize).find(|&position| test(position))
            }
            _ => (0..extent).find_map(|at| {
                point[axis] = at;
                self.find_from(axis + 1, point, test)
            }),
        }
    }

    fn at(&self, point: &[usize]) -> usize {
        let position = self.position.at(point, &|_| unreachable!("what is seen is no matter of values"));
        usize::try_from(position).expect("views stay inside of what they show")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn positions(shown: &Shown) -> Vec<usize> {
        let mut positions = Vec::new();
        shown.find(&mut |position| {
            positions.push(position);
            false
        });
        positions
    }

    #[test]
    fn positions_come_in_the_order_of_points_and_once() {
        // Columns 1 and 2 of 3 rows of 4, repeated along an axis in front.
        let position = Index::axis(1).times(4).plus(&Index::axis(2)).plus(&Index::constant(1));
        let shown = Shown::new(&[5, 3, 2], position.clone());
        assert_eq!(positions(&shown), [1, 2, 5, 6, 9, 10]);
        assert_eq!(shown.find(&mut |position| position > 5), Some(6));
        assert_eq!(shown.find(&mut |position| position > 10), None);
        assert!(positions(&Shown::new(&[0, 3, 2], position)).is_empty());
        assert_eq!(positions(&Shown::new(&[], Index::constant(7))), [7]);
    }

    #[test]
    fn turned_and_divided_axes_are_walked_too() {
        let turned = Index::axis(0).times(-2).plus(&Index::constant(6));
        assert_eq!(positions(&Shown::new(&[4], turned)), [6, 4, 2, 0]);
        let halves = Index::axis(0).divided(2, &[5]);
        assert_eq!(positions(&Shown::new(&[5], halves)), [0, 0, 1, 1, 2]);
    }
}
