//! How alike two orders of the same jobs are.

use std::collections::BTreeMap;

use headend_model::JobId;

/// Two orders of the jobs that both know.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OrderComparison {
    /// So many jobs are in both.
    pub jobs: usize,
    /// Both put the same job first.
    pub same_first: bool,
    /// Rank correlation, -1 to 1; `None`: too few jobs, or one of the two tells none of them apart.
    pub tau: Option<f64>,
    /// First by the one at work,
    pub first: JobId,
    /// and by the other.
    pub first_aside: JobId,
}

/// Compares ranks, smaller ones first, and of equal ones the older job, as the farm does. `None`: they have no job in common.
pub fn compare_orders(live: &BTreeMap<JobId, i64>, aside: &BTreeMap<JobId, i64>) -> Option<OrderComparison> {
    let both: Vec<(JobId, i64, i64)> =
        live.iter().filter_map(|(job, rank)| Some((*job, *rank, *aside.get(job)?))).collect();
    let first = both.iter().min_by_key(|(job, rank, _)| (*rank, *job))?.0;
    let first_aside = both.iter().min_by_key(|(job, _, rank)| (*rank, *job))?.0;
    let pairs: Vec<(i64, i64)> = both.iter().map(|(_, live, aside)| (*live, *aside)).collect();
    let (jobs, tau) = (both.len(), kendall_tau_b(&pairs));
    Some(OrderComparison { jobs, same_first: first == first_aside, tau, first, first_aside })
}

/// Kendall's rank correlation in its form for ties, tau-b: (concordant - discordant) / sqrt((n0 - n1)(n0 - n2)) (M. G. Kendall,
/// "The Treatment of Ties in Ranking Problems", Biometrika 33, 1945). By all pairs, so for a few hundred of them at most.
/// `None`: one of the two tells nothing apart.
pub fn kendall_tau_b(pairs: &[(i64, i64)]) -> Option<f64> {
    let (mut score, mut told_by_one, mut told_by_other) = (0_i64, 0_u64, 0_u64);
    for (at, (a, b)) in pairs.iter().enumerate() {
        for (c, d) in &pairs[at + 1..] {
            let (one, other) = (a.cmp(c) as i64, b.cmp(d) as i64);
            score += one * other;
            told_by_one += one.unsigned_abs();
            told_by_other += other.unsigned_abs();
        }
    }
    let most = (told_by_one as f64).sqrt() * (told_by_other as f64).sqrt();
    (most > 0.0).then(|| (score as f64 / most).clamp(-1.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tau(one: &[i64], other: &[i64]) -> Option<f64> {
        let pairs: Vec<(i64, i64)> = one.iter().copied().zip(other.iter().copied()).collect();
        kendall_tau_b(&pairs)
    }

    #[test]
    fn equal_orders_have_one_and_opposite_ones_minus_one() {
        assert_eq!(tau(&[1, 2, 3, 4], &[10, 20, 30, 40]), Some(1.0));
        assert_eq!(tau(&[1, 2, 3, 4], &[4, 3, 2, 1]), Some(-1.0));
        assert_eq!(tau(&[1, 2], &[5, 5]), None);
        assert_eq!(tau(&[1], &[5]), None);
        // Five of six pairs agree.
        assert!((tau(&[1, 2, 3, 4], &[1, 2, 4, 3]).unwrap() - 2.0 / 3.0).abs() < 1e-12);
    }

    /// The first is the example of `SciPy`'s manual for `kendalltau`.
    #[test]
    fn ties_are_as_elsewhere() {
        assert!((tau(&[12, 2, 1, 12, 2], &[1, 4, 7, 1, 0]).unwrap() - -0.471_404_520_791_031_7).abs() < 1e-12);
        assert!((tau(&[1, 1, 2, 3], &[1, 2, 2, 3]).unwrap() - 0.8).abs() < 1e-12);
    }

    #[test]
    fn jobs_that_only_one_knows_do_not_count() {
        let ranks = |all: &[(u64, i64)]| all.iter().map(|(job, rank)| (JobId(*job), *rank)).collect();
        let (live, aside) = (ranks(&[(1, 5), (2, 5), (3, 0)]), ranks(&[(1, 9), (2, 1), (4, 0)]));
        let compared = compare_orders(&live, &aside).unwrap();
        assert_eq!((compared.jobs, compared.same_first, compared.tau), (2, false, None));
        assert_eq!((compared.first, compared.first_aside), (JobId(1), JobId(2)), "of equal ranks the older job");
        assert_eq!(compare_orders(&ranks(&[(1, 1)]), &ranks(&[(2, 1)])), None);
    }
}
