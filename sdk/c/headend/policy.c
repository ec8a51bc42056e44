/* The books of a plan, and the contract's functions in terms of policy.h's. */
#include "policy.h"

static hd_plan the_plan;
static uint32_t *left, *starts;
/* One bit for each test on each target. */
static uint32_t *been;
static int64_t now;
static headend_policy_plans_list_skip_t skips;
static size_t skips_room;

/* Position of each test and target of the job in this plan, which may hold only a part of the job. */
typedef struct {
  uint32_t *at;
  uint32_t len;
} positions;
static positions of_tests, of_targets;

const hd_plan *hd_the_plan(void) { return &the_plan; }
uint32_t hd_tests(void) { return (uint32_t)the_plan.tests.len; }
uint32_t hd_targets(void) { return (uint32_t)the_plan.targets.len; }
uint32_t hd_left(uint32_t test) { return test < hd_tests() ? left[test] : 0; }
uint32_t hd_starts(uint32_t test) { return test < hd_tests() ? starts[test] : 0; }
int64_t hd_now(void) { return now; }

static size_t bit(uint32_t test, uint32_t target) { return (size_t)target * hd_tests() + test; }
static void set(uint32_t test, uint32_t target) { been[bit(test, target) / 32] |= 1u << bit(test, target) % 32; }
static void unset(uint32_t test, uint32_t target) { been[bit(test, target) / 32] &= ~(1u << bit(test, target) % 32); }

bool hd_been(uint32_t test, uint32_t target) {
  return test < hd_tests() && target < hd_targets() && (been[bit(test, target) / 32] >> bit(test, target) % 32 & 1) != 0;
}

bool hd_open(uint32_t test, uint32_t target) {
  return target < hd_targets() && hd_left(test) > 0 && !hd_been(test, target);
}

uint32_t hd_first(uint32_t target) {
  for (uint32_t test = 0; test < hd_tests(); test++) {
    if (hd_open(test, target)) return test;
  }
  return HD_NONE;
}

uint32_t hd_last(uint32_t target) {
  for (uint32_t test = hd_tests(); test-- > 0;) {
    if (hd_open(test, target)) return test;
  }
  return HD_NONE;
}

uint32_t hd_least_started(uint32_t target) {
  uint32_t found = HD_NONE;
  for (uint32_t test = 0; test < hd_tests(); test++) {
    if ((found == HD_NONE || starts[test] < starts[found]) && hd_open(test, target)) found = test;
  }
  return found;
}

/* ---- The contract ---- */

static void place(positions *map, uint32_t ix, uint32_t position) {
  if (ix >= map->len) {
    uint32_t len = ix < 1u << 30 ? (ix + 1) * 2 : ix;
    map->at = realloc(map->at, (size_t)len * sizeof *map->at);
    if (map->at == NULL) abort();
    memset(map->at + map->len, 0xff, (size_t)(len - map->len) * sizeof *map->at);
    map->len = len;
  }
  map->at[ix] = position;
}

static uint32_t position(const positions *map, uint32_t ix) { return ix < map->len ? map->at[ix] : HD_NONE; }

static void open_books(void) {
  left = hd_alloc(hd_tests(), sizeof *left);
  starts = hd_alloc(hd_tests(), sizeof *starts);
  been = hd_alloc((size_t)hd_tests() * hd_targets() / 32 + 1, sizeof *been);
  for (uint32_t test = 0; test < hd_tests(); test++) {
    left[test] = the_plan.tests.ptr[test].runs;
    place(&of_tests, the_plan.tests.ptr[test].ix, test);
  }
  for (uint32_t target = 0; target < hd_targets(); target++) place(&of_targets, the_plan.targets.ptr[target].ix, target);
}

static void start(uint32_t test, uint32_t target) {
  if (test >= hd_tests() || target >= hd_targets()) return;
  if (left[test] > 0) left[test]--;
  starts[test]++;
  set(test, target);
}

static void drop(uint32_t test, uint32_t runs) {
  if (test < hd_tests()) left[test] -= runs < left[test] ? runs : left[test];
}

static void take(const headend_policy_plans_news_t *news) {
  const headend_policy_plans_placement_t *of = &news->what.val.started;
  switch (news->what.tag) {
    case HEADEND_POLICY_PLANS_CHANGE_STARTED:
      start(position(&of_tests, of->test), position(&of_targets, of->target));
      break;
    case HEADEND_POLICY_PLANS_CHANGE_ENDED:
      of = &news->what.val.ended.of;
      policy_ended(position(&of_tests, of->test), position(&of_targets, of->target), news->what.val.ended.code, news->at);
      break;
    case HEADEND_POLICY_PLANS_CHANGE_TARGET_LOST:
      policy_lost(position(&of_targets, news->what.val.target_lost), news->at);
      break;
    case HEADEND_POLICY_PLANS_CHANGE_DROPPED:
      drop(position(&of_tests, news->what.val.dropped.test), news->what.val.dropped.runs);
      break;
  }
}

bool exports_headend_policy_coverage_build(hd_plan *plan, coverage_policy_string_t *error) {
  the_plan = *plan;
  open_books();
  const char *refusal = policy_build(&the_plan);
  if (refusal != NULL) {
    coverage_policy_string_dup(error, refusal);
    return false;
  }
  for (size_t n = 0; n < the_plan.past.len; n++) take(&the_plan.past.ptr[n]);
  headend_policy_plans_list_news_free(&the_plan.past);
  the_plan.past = (headend_policy_plans_list_news_t){0};
  return true;
}

void exports_headend_policy_coverage_note(exports_headend_policy_coverage_list_news_t *news) {
  for (size_t n = 0; n < news->len; n++) take(&news->ptr[n]);
  exports_headend_policy_coverage_list_news_free(news);
}

/* What is not of this plan goes out under a number that nothing has, so that the server says what is wrong with it. */
static uint32_t test_ix(uint32_t test) { return test < hd_tests() ? the_plan.tests.ptr[test].ix : HD_NONE; }

void hd_skip(uint32_t test, uint32_t runs, const char *reason) {
  if (skips.len == skips_room) {
    skips_room = skips_room * 2 + 8;
    skips.ptr = realloc(skips.ptr, skips_room * sizeof *skips.ptr);
    if (skips.ptr == NULL) abort();
  }
  headend_policy_plans_skip_t *skip = &skips.ptr[skips.len++];
  *skip = (headend_policy_plans_skip_t){.test = test, .runs = runs};
  coverage_policy_string_dup(&skip->reason, reason);
  drop(test, runs);
}

/* A proposal is not a start: the books stand afterwards as they stood before. */
void exports_headend_policy_coverage_propose(int64_t asked_at, exports_headend_policy_coverage_list_target_ix_t *free_targets,
                                             exports_headend_policy_coverage_answer_t *answer) {
  now = asked_at;
  *answer = (exports_headend_policy_coverage_answer_t){0};
  answer->start.ptr = hd_alloc(free_targets->len, sizeof *answer->start.ptr);
  bool *started = hd_alloc(free_targets->len, sizeof *started);
  uint32_t *before = hd_alloc(hd_tests(), sizeof *before);
  memcpy(before, left, hd_tests() * sizeof *before);
  for (size_t n = 0; n < free_targets->len; n++) {
    uint32_t target = position(&of_targets, free_targets->ptr[n]);
    uint32_t test = target == HD_NONE ? HD_NONE : policy_choose(target);
    if (test == HD_NONE) continue;
    /* For the moment in positions, so that it can be taken back. */
    started[answer->start.len] = hd_open(test, target);
    if (started[answer->start.len]) start(test, target);
    answer->start.ptr[answer->start.len++] = (headend_policy_plans_placement_t){test, target};
  }
  memcpy(left, before, hd_tests() * sizeof *before);
  free(before);
  for (size_t n = 0; n < answer->start.len; n++) {
    headend_policy_plans_placement_t *of = &answer->start.ptr[n];
    if (started[n]) {
      starts[of->test]--;
      unset(of->test, of->target);
    }
    *of = (headend_policy_plans_placement_t){test_ix(of->test), the_plan.targets.ptr[of->target].ix};
  }
  free(started);
  /* An empty list owns nothing: nobody would give its memory back. */
  if (answer->start.len == 0) free(answer->start.ptr);
  for (size_t n = 0; n < skips.len; n++) skips.ptr[n].test = test_ix(skips.ptr[n].test);
  answer->skip = skips;
  skips = (headend_policy_plans_list_skip_t){0};
  skips_room = 0;
  exports_headend_policy_coverage_list_target_ix_free(free_targets);
}

static void give(hd_text *text, coverage_policy_string_t *to) {
  if (text->len == 0) free(text->ptr); /* As above. */
  to->ptr = text->len == 0 ? NULL : (uint8_t *)text->ptr;
  to->len = text->len;
}

void exports_headend_policy_coverage_reason(exports_headend_policy_coverage_placement_t *of, coverage_policy_string_t *answer) {
  hd_text why = {0};
  policy_reason(position(&of_tests, of->test), position(&of_targets, of->target), &why);
  give(&why, answer);
}

void exports_headend_policy_coverage_report(coverage_policy_string_t *answer) {
  hd_text json = {0};
  policy_report(&json);
  give(&json, answer);
}

/* ---- What a policy need not write ---- */

__attribute__((__weak__)) void policy_ended(uint32_t test, uint32_t target, uint16_t code, int64_t at) {
  (void)test, (void)target, (void)code, (void)at;
}

__attribute__((__weak__)) void policy_lost(uint32_t target, int64_t at) { (void)target, (void)at; }

__attribute__((__weak__)) void policy_report(hd_text *json) { (void)json; }

void hd_log(const char *format, ...) {
  hd_text line = {0};
  va_list values;
  va_start(values, format);
  hd_put_list(&line, format, values);
  va_end(values);
  coverage_policy_string_t text = {(uint8_t *)line.ptr, line.len};
  headend_policy_log_line(&text);
  free(line.ptr);
}
