/*
 * A coverage policy in C: which test of a job comes next on a free device.
 *
 * You write three functions, policy_build, policy_choose and policy_reason; the rest is here. One instance serves one job and lives
 * as long as it does, so what you keep in static variables is about that job alone. Same plan, same questions: the
 * answers must be the same. There is no clock, no randomness, no file and no network.
 *
 * Tests and targets are named by their place in `plan->tests` and `plan->targets`, from 0. What the plan holds is told, field by field, in
 * wit/coverage_policy.h; it stays readable as long as the instance lives, but for `plan->past`, which the books here have taken.
 *
 *   static uint32_t policy_choose(uint32_t target) { return hd_least_started(target); }
 */
#ifndef HEADEND_POLICY_H
#define HEADEND_POLICY_H

#include "base.h"
#include "wit/coverage_policy.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Text of the server's: `len` bytes at `ptr`, without a zero behind them. In hd_put: "%.*s", HD_SHOW(text). */
typedef coverage_policy_string_t hd_string;
#define HD_SHOW(string) (int)(string).len, (const char *)(string).ptr

/* plan->tests.ptr[test].name, .runs, .history; plan->targets.ptr[target].place, .dut; plan->outcomes; plan->accepted. */
typedef exports_headend_policy_coverage_plan_t hd_plan;
typedef headend_policy_plans_test_t hd_test;
typedef headend_policy_plans_target_t hd_target;

/* No test, no target. */
#define HD_NONE UINT32_MAX

/* ---- What you write ---- */

/*
 * Called once, before anything else. NULL, or a sentence for the job's owner that says why this plan cannot be served: the
 * server's own rule orders the job then.
 */
const char *policy_build(const hd_plan *plan);

/*
 * The test for this free target, one for which hd_open(test, target) holds; HD_NONE leaves the target free. Called for each free target, in
 * the order of slots; hd_left, hd_starts, hd_been and hd_open count what has been chosen so far.
 */
uint32_t policy_choose(uint32_t target);

/* Why this test there, in one sentence for people. At most 300 bytes are shown. */
void policy_reason(uint32_t test, uint32_t target, hd_text *why);

/* ---- What you may write ---- */

/* A run has ended. `code`: 111 pass, 110 partial pass, 101 not run, 100 fail, 1 incomplete. `at`: microseconds since 1970. */
void policy_ended(uint32_t test, uint32_t target, uint16_t code, int64_t at);

/* The target is out for good. */
void policy_lost(uint32_t target, int64_t at);

/* What came of the plan, as JSON. Called once, when all is over. At most 256 KiB. */
void policy_report(hd_text *json);

/* ---- What you may call ---- */

/* The plan, as policy_build got it. */
const hd_plan *hd_the_plan(void);
uint32_t hd_tests(void);
uint32_t hd_targets(void);

/* Runs of the test that are left to start. */
uint32_t hd_left(uint32_t test);
/* How often the test has been started. */
uint32_t hd_starts(uint32_t test);
/* The test has been started on the target. */
bool hd_been(uint32_t test, uint32_t target);
/* The test may be started on the target: runs are left, and it has not been there. */
bool hd_open(uint32_t test, uint32_t target);

/* Of the tests that may be started on the target: the first and the last of the list, and the one with the fewest starts. HD_NONE: none may. */
uint32_t hd_first(uint32_t target);
uint32_t hd_last(uint32_t target);
uint32_t hd_least_started(uint32_t target);

/* When the question was asked, in microseconds since 1970. Only in policy_choose. */
int64_t hd_now(void);

/* Leaves runs of a test out for good: they end as "Incomplete", with the reason. Only in policy_choose; at most hd_left(test) runs. */
void hd_skip(uint32_t test, uint32_t runs, const char *reason);

/*
 * A parameter: a member of the object that the job's owner gave, with the defaults of headend-plugin.toml filled in. The server has checked
 * it against the schema there. `otherwise`: what counts when it is not there, or is of another kind. Text is as it stands
 * between the quotes, with its escapes.
 */
bool hd_parameter_bool(const char *name, bool otherwise);
int64_t hd_parameter_int(const char *name, int64_t otherwise);
hd_string hd_parameter_text(const char *name);

/* A line in the server's log. The manifest must ask for it: capabilities = ["log"]. */
__attribute__((__format__(__printf__, 1, 2))) void hd_log(const char *format, ...);

#ifdef __cplusplus
}
#endif
#endif
