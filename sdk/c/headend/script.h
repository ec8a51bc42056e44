/*
 * A test in C. You write one function, script_run; it drives the devices of its run through the calls below.
 *
 * Calls give true when they did what they say. When one gives false, hd_error() says why, and the session goes on. HD_TRY ends the test there:
 * the run counts as crashed, with that sentence.
 *
 * Slots are the test's own numbers: hd_reserve(1) takes the first device of the run. There is no clock, no file and no network beside this.
 */
#ifndef HEADEND_SCRIPT_H
#define HEADEND_SCRIPT_H

#include "base.h"
#include "wit/script.h"

#ifdef __cplusplus
extern "C" {
#endif

/* How a test or a step ended. */
typedef enum {
  HD_PASS = 111,
  HD_PARTIAL_PASS = 110,
  HD_NOT_RUN = 101,
  HD_FAIL = 100,
  /* For script_run alone: it could not go on, and hd_error() says why. */
  HD_BROKEN = 1,
} hd_result_code;

/* The test. Its value is the result, unless one was reported with hd_result. */
hd_result_code script_run(void);

/* Ends script_run when a call did not do what it says. */
#define HD_TRY(call)                 \
  do {                               \
    if (!(call)) return HD_BROKEN;   \
  } while (0)

/* The field is called so in the WIT: job, run, attempt, script, args, out, rack, slots. */
typedef headend_script_session_session_info_t hd_info;
const hd_info *hd_about(void);

/* Argument `at`, from 0; NULL: there is none. */
const char *hd_argument(size_t at);

/* Why the last call that gave false did so. Never NULL. */
const char *hd_error(void);

/* Gives false, and makes hd_error() say this: for checks of your own. */
__attribute__((__format__(__printf__, 1, 2))) bool hd_fault(const char *format, ...);

/* Connects; other calls need it. */
bool hd_connect(const char *description);
bool hd_disconnect(void);

/* Reserves the next device of the run under this number. */
bool hd_reserve(uint32_t slot);

/* Every slot that is reserved, where a slot is asked for. */
#define HD_ALL UINT32_MAX

/* Presses a key of the remote control. False also when a device did not take it. */
bool hd_press(uint32_t slot, const char *key);

/* Switches mains power. False also when it was not switched. */
bool hd_power(uint32_t slot, bool on);

/* Waits for so many milliseconds of the lab's time. */
bool hd_wait(uint64_t ms);

/* A picture that was taken. `path` is absolute, and belongs to whoever asked: free() gives it back. */
typedef struct {
  char *path;
  uint32_t width, height;
} hd_picture;

/* Keeps a picture of a slot's screen under this name, `.png` or `.jpg`. An existing file is left alone, a number is added. */
bool hd_capture(uint32_t slot, const char *name, hd_picture *taken);

/* A line in the run's log. */
__attribute__((__format__(__printf__, 1, 2))) bool hd_log(const char *format, ...);
__attribute__((__format__(__printf__, 1, 2))) bool hd_warn(const char *format, ...);

/* Regions fold in the log, steps have results; both nest. `comment` may be NULL. */
bool hd_begin_region(const char *name);
bool hd_end_region(const char *name, bool passed, const char *comment);
bool hd_begin_step(const char *name);
bool hd_end_step(const char *name, hd_result_code result, const char *comment);

/* Reports the result, with what to say about it. The first one counts. `comment` may be NULL. */
bool hd_result(hd_result_code result, const char *comment);

#ifdef __cplusplus
}
#endif
#endif
