//! The script's slot numbers against the leased slots.

/// Which script number holds which leased slot (by position in the lease).
#[derive(Debug)]
pub(super) struct Slots {
    held: Vec<Option<u32>>,
    /// Script numbers in the order in which they were reserved.
    order: Vec<u32>,
}

impl Slots {
    pub(super) fn new(leased: usize) -> Self {
        Self { held: vec![None; leased], order: Vec::new() }
    }

    /// Takes the next leased slot under this number; `None`: held already, or no slot is left.
    pub(super) fn reserve(&mut self, number: u32) -> Option<usize> {
        if self.order.contains(&number) {
            return None;
        }
        let place = self.held.iter().position(Option::is_none)?;
        self.held[place] = Some(number);
        self.order.push(number);
        Some(place)
    }

    /// Gives the slot back; `false`: it was not held.
    pub(super) fn free(&mut self, number: u32) -> bool {
        self.order.retain(|held| *held != number);
        match self.held.iter_mut().find(|held| **held == Some(number)) {
            Some(place) => {
                *place = None;
                true
            }
            None => false,
        }
    }

    /// Gives all back.
    pub(super) fn free_all(&mut self) {
        self.held.fill(None);
        self.order.clear();
    }

    /// (script number, position in the lease): of one number, or of all in the order of reserving.
    pub(super) fn chosen(&self, number: Option<u32>) -> Vec<(u32, usize)> {
        let numbers = self.order.iter().filter(|held| number.is_none_or(|number| number == **held));
        let place = |number: &u32| Some((*number, self.held.iter().position(|held| *held == Some(*number))?));
        numbers.filter_map(place).collect()
    }
}
