/* The calls of script.h, and the contract's `run`. Whatever else the contract has is in wit/script.h, and may be called as well. */
#include "script.h"

typedef headend_script_session_call_error_t call_error;

static hd_text last_error;

const char *hd_error(void) { return last_error.ptr != NULL ? last_error.ptr : "no call has failed"; }

static void clear_error(void) { last_error.len = 0; }

bool hd_fault(const char *format, ...) {
  hd_text said = {0};
  va_list values;
  va_start(values, format);
  hd_put_list(&said, format, values);
  va_end(values);
  /* Only now: hd_error() may be among the values. */
  clear_error();
  hd_put_bytes(&last_error, said.ptr, said.len);
  free(said.ptr);
  return false;
}

/* What a call gave: `ok` as it is, or its error as the last one. */
static bool heard(bool ok, call_error *error) {
  if (!ok) {
    hd_fault("%.*s (%.*s)", (int)error->message.len, (const char *)error->message.ptr, (int)error->code.len,
             (const char *)error->code.ptr);
    headend_script_session_call_error_free(error);
  }
  return ok;
}

/* Text of ours for the server's eyes: it is not kept there. */
static script_string_t lent(const char *text) {
  script_string_t string;
  script_string_set(&string, text);
  return string;
}

const hd_info *hd_about(void) {
  static hd_info info;
  static bool asked;
  if (!asked) headend_script_session_info(&info);
  asked = true;
  return &info;
}

const char *hd_argument(size_t at) {
  static const char **arguments;
  const script_list_string_t all = hd_about()->args;
  if (at >= all.len) return NULL;
  if (arguments == NULL) arguments = hd_alloc(all.len, sizeof *arguments);
  if (arguments[at] == NULL) {
    hd_text text = {0};
    hd_put_bytes(&text, all.ptr[at].ptr, all.ptr[at].len);
    arguments[at] = text.ptr;
  }
  return arguments[at];
}

bool hd_connect(const char *description) {
  script_string_t server = lent(""), what = lent(description);
  call_error error;
  bool connected;
  return heard(headend_script_session_connect(&server, &what, &connected, &error), &error);
}

bool hd_disconnect(void) {
  call_error error;
  bool was_connected;
  return heard(headend_script_session_disconnect(&was_connected, &error), &error);
}

bool hd_reserve(uint32_t slot) {
  headend_script_session_list_param_t none = {0};
  call_error error;
  bool taken;
  if (!heard(headend_script_session_reserve_slot(slot, &none, &taken, &error), &error)) return false;
  return taken || hd_fault("slot %u is not free: it is reserved already, or the run has no further device", slot);
}

/* Each device's answer must be yes. */
static bool all_did(headend_script_session_list_slot_answer_t *answers, const char *what) {
  bool all = true;
  for (size_t n = 0; n < answers->len; n++) {
    if (!answers->ptr[n].ok) all = hd_fault("slot %u did not take `%s`", answers->ptr[n].slot, what);
  }
  headend_script_session_list_slot_answer_free(answers);
  return all;
}

bool hd_press(uint32_t slot, const char *key) {
  script_string_t name = lent(key);
  headend_script_session_list_slot_answer_t answers;
  call_error error;
  if (!heard(headend_script_session_press(&name, slot == HD_ALL ? NULL : &slot, &answers, &error), &error)) return false;
  return all_did(&answers, key);
}

bool hd_power(uint32_t slot, bool on) {
  headend_script_session_list_slot_answer_t answers;
  call_error error;
  if (!heard(headend_script_session_power(on, slot == HD_ALL ? NULL : &slot, &answers, &error), &error)) return false;
  return all_did(&answers, on ? "power on" : "power off");
}

bool hd_wait(uint64_t ms) {
  call_error error;
  return heard(headend_script_session_wait(ms, &error), &error);
}

bool hd_capture(uint32_t slot, const char *name, hd_picture *taken) {
  script_string_t file = lent(name);
  headend_script_session_list_captured_t pictures;
  call_error error;
  if (!heard(headend_script_session_capture(&file, NULL, &slot, &pictures, &error), &error)) return false;
  if (pictures.len == 0) return hd_fault("slot %u gave no picture", slot);
  hd_text path = {0};
  hd_put_bytes(&path, pictures.ptr[0].path.ptr, pictures.ptr[0].path.len);
  *taken = (hd_picture){path.ptr, pictures.ptr[0].width, pictures.ptr[0].height};
  headend_script_session_list_captured_free(&pictures);
  return true;
}

static bool log_line(headend_script_session_log_level_t level, const char *format, va_list values) {
  hd_text line = {0};
  hd_put_list(&line, format, values);
  script_string_t text = {(uint8_t *)line.ptr, line.len};
  call_error error;
  bool ok = heard(headend_script_session_log(level, &text, &error), &error);
  free(line.ptr);
  return ok;
}

bool hd_log(const char *format, ...) {
  va_list values;
  va_start(values, format);
  bool ok = log_line(HEADEND_SCRIPT_SESSION_LOG_LEVEL_INFO, format, values);
  va_end(values);
  return ok;
}

bool hd_warn(const char *format, ...) {
  va_list values;
  va_start(values, format);
  bool ok = log_line(HEADEND_SCRIPT_SESSION_LOG_LEVEL_WARNING, format, values);
  va_end(values);
  return ok;
}

bool hd_begin_region(const char *name) {
  script_string_t title = lent(name);
  call_error error;
  return heard(headend_script_session_begin_region(&title, &error), &error);
}

bool hd_end_region(const char *name, bool passed, const char *comment) {
  script_string_t title = lent(name), text = lent(comment != NULL ? comment : "");
  headend_script_session_region_style_t style =
      passed ? HEADEND_SCRIPT_SESSION_REGION_STYLE_PASS : HEADEND_SCRIPT_SESSION_REGION_STYLE_FAIL;
  call_error error;
  return heard(headend_script_session_end_region(&title, &style, comment != NULL ? &text : NULL, &error), &error);
}

bool hd_begin_step(const char *name) {
  script_string_t title = lent(name);
  call_error error;
  return heard(headend_script_session_begin_step(&title, &error), &error);
}

bool hd_end_step(const char *name, hd_result_code result, const char *comment) {
  script_string_t title = lent(name), text = lent(comment != NULL ? comment : "");
  call_error error;
  return heard(headend_script_session_end_step(&title, result, comment != NULL ? &text : NULL, &error), &error);
}

bool hd_result(hd_result_code result, const char *comment) {
  script_string_t text = lent(comment != NULL ? comment : "");
  call_error error;
  bool first;
  return heard(headend_script_session_set_result(result, comment != NULL ? &text : NULL, &first, &error), &error);
}

/* ---- The contract ---- */

bool exports_script_run(script_string_t *error) {
  hd_result_code result = script_run();
  /* A result that was reported before stays: the first one counts. */
  if (result != HD_BROKEN && hd_result(result, NULL)) return true;
  script_string_dup(error, hd_error());
  return false;
}
