//! What would happen if: the scheduler's own `Farm::step` on a virtual clock.
//!
//! ```text
//!  Plan ──► play (one Case per policy) ──► Figures ──► report: text, SVG, HTML
//!  copy of the present farm ──► forecast (several seeds) ──► p50 and p90 of one job
//! ```
//!
//! Meet [`Plan`] and [`Case`] first, then [`play`]. A case is decided as live: the same steps, the same questions to
//! policies ([`Policies`]), answered at once. What is simpler than life: racks never fail, a run takes what its
//! [`Lasts`] says, and starting costs no time.
//!
//! Chance is a function of seed, job, test and which of its runs it is, and of nothing else: every policy meets the same
//! load, and the same plan and seed give the same figures, byte for byte.
//!
//! Absent on purpose: clocks, files, processes, plugins. Whoever plays against a wall clock says when to stop.

mod ask;
mod case;
mod chance;
mod figures;
mod forecast;
mod meter;
mod plan;
mod player;
pub mod report;

pub use ask::{NoPolicies, Policies, Question};
pub use case::{Case, Coverage, Plugin};
pub use figures::{Figures, Quantiles};
pub use forecast::{Estimate, Forecast, Unknown, forecast};
pub use plan::{JobPlan, Lasts, Place, Plan, PlanFault, RackPlan, SlotPlan, TestPlan};
pub use player::{Observer, Unwatched, play, play_watched};
