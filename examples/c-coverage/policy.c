/* Mode 2 in C: the least-started test first, so that all tests are executed as soon as possible. */
#include "headend/policy.h"

const char *policy_build(const hd_plan *plan) {
  (void)plan; /* The books are all that the rule needs. */
  return NULL;
}

uint32_t policy_choose(uint32_t target) {
  return hd_least_started(target);
}

void policy_reason(uint32_t test, uint32_t target, hd_text *why) {
  hd_put(why, "test %u has the fewest starts (%u) of those that target %u has not run", test, hd_starts(test), target);
}
