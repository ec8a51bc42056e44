//! What a measured number should be within.

use std::fmt;

/// Limits of a number; both count as within.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Limits {
    /// Not less than this.
    pub(crate) low: Option<f64>,
    /// Not more than this.
    pub(crate) high: Option<f64>,
}

impl Limits {
    /// Whether the number lies within; `None`: there are no limits.
    pub(super) fn hold(self, number: f64) -> Option<bool> {
        let limited = self.low.is_some() || self.high.is_some();
        let within = self.low.is_none_or(|low| number >= low) && self.high.is_none_or(|high| number <= high);
        limited.then_some(within)
    }

    /// What makes no sense about them.
    pub(super) fn fault(self) -> Option<String> {
        if [self.low, self.high].into_iter().flatten().any(|limit| !limit.is_finite()) {
            return Some("limits of a measurement are finite numbers".to_owned());
        }
        let (low, high) = self.low.zip(self.high).filter(|(low, high)| low > high)?;
        Some(format!("the lower limit {low} is above the upper limit {high}; turn them round"))
    }
}

impl fmt::Display for Limits {
    /// For people: `at most 2`, `0.5 to 2`; without limits nothing.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.low, self.high) {
            (None, None) => Ok(()),
            (Some(low), None) => write!(f, "at least {low}"),
            (None, Some(high)) => write!(f, "at most {high}"),
            (Some(low), Some(high)) => write!(f, "{low} to {high}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_on_a_limit_is_within() {
        let limits = |low, high| Limits { low, high };
        for (limits, number, holds) in [
            (limits(None, None), 5.0, None),
            (limits(None, Some(2.0)), 2.0, Some(true)),
            (limits(None, Some(2.0)), 2.000_001, Some(false)),
            (limits(Some(-3.0), None), -3.5, Some(false)),
            (limits(Some(0.5), Some(0.5)), 0.5, Some(true)),
        ] {
            assert_eq!(limits.hold(number), holds, "{limits:?} {number}");
        }
    }

    #[test]
    fn limits_that_nothing_can_hold_are_told() {
        let fault = |low, high| Limits { low, high }.fault();
        assert_eq!(fault(Some(1.0), Some(1.0)), None);
        assert!(fault(Some(2.0), Some(1.0)).unwrap().contains("lower limit 2 is above the upper limit 1"));
        assert!(fault(Some(f64::NAN), None).is_some() && fault(None, Some(f64::INFINITY)).is_some());
    }
}
