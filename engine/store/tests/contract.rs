//! The contract of a store, run over SQLite.
#![allow(clippy::unwrap_used, reason = "tests")]

mod contract {
    //! The cases know nothing of SQLite; another backend brings its own factory and calls the same functions.
    pub(crate) mod cases;
    pub(crate) mod files;
    pub(crate) mod results;
    pub(crate) mod samples;
}

use contract::cases::{self, Factory};
use contract::files;
use contract::results;
use headend_store::{Store, StoreOptions};

/// A folder on the local disk.
struct Sqlite(tempfile::TempDir);

impl Factory for Sqlite {
    async fn open(&self, options: StoreOptions) -> Store {
        Store::open_with(self.0.path(), options).await.unwrap()
    }
}

macro_rules! contract {
    ($story:ident: $($case:ident)*) => {$(
        #[tokio::test]
        async fn $case() {
            $story::$case(&Sqlite(tempfile::tempdir().unwrap())).await;
        }
    )*};
}

contract! {
    results:
    results_come_back_as_they_were_saved
    results_are_found_by_what_is_asked
    results_go_a_page_at_a_time
    a_change_during_the_work_is_not_lost
    what_goes_says_so_before_it_goes
    a_kept_run_does_not_go
}

contract! {
    files:
    files_have_a_history
    digests_are_kept_and_forgotten
}

contract! {
    cases:
    a_fresh_store_is_empty
    events_come_back_in_order_after_a_restart
    a_snapshot_replaces_what_came_before_it
    pruning_spares_what_the_older_snapshot_needs
    jobs_runs_and_counts
    a_run_that_ends_loses_its_pin
    occurrences_are_kept_and_listed_by_page
    old_occurrences_are_forgotten_by_age_and_by_number
    jobs_are_listed_newest_first_by_page
    the_feed_goes_on_where_it_was
    the_feed_keeps_the_newest
    a_bad_request_leaves_its_neighbours_alone
    requests_are_stored_whole_or_not_at_all
    an_enrol_token_is_good_once
    duts_get_ids_that_are_never_given_twice
    what_duts_share_is_kept_and_ids_are_taken_once
    racks_slots_tokens_and_plugins
    areas_have_one_winner_per_revision
    private_areas_are_numbered
    live_trees_are_heads_and_pins
    concurrent_callers_all_get_their_own_numbers
}
