/* On each device the tests in list order: a free target takes the first test of the list that it has not run. */
#include "headend/policy.h"

static bool backwards;

const char *policy_build(const hd_plan *plan) {
  (void)plan;
  backwards = hd_parameter_bool("backwards", false);
  return NULL;
}

uint32_t policy_choose(uint32_t target) {
  return backwards ? hd_last(target) : hd_first(target);
}

void policy_reason(uint32_t test, uint32_t target, hd_text *why) {
  hd_put(why, "test %u is the %s of the list that target %u has not run", test, backwards ? "last" : "first", target);
}
