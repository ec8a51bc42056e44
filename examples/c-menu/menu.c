/*
 * Opens the menu of a set-top box, walks down, and keeps a picture of each step.
 *
 * Argument: how many entries to walk, 3 unless given.
 */
#include "headend/script.h"

/* How long the box may take to draw, in milliseconds. */
enum { DRAWN = 500 };

static bool entries_to_walk(uint32_t *entries) {
  const char *argument = hd_argument(0);
  *entries = 3;
  if (argument == NULL) return true;
  *entries = 0;
  for (const char *at = argument; *at != '\0'; at++) {
    if (*at < '0' || *at > '9' || *entries > 1000) return hd_fault("`%s` is not a number of menu entries", argument);
    *entries = *entries * 10 + (uint32_t)(*at - '0');
  }
  return *entries > 0 || hd_fault("`%s` is not a number of menu entries", argument);
}

static bool look(const char *name) {
  hd_picture picture;
  if (!hd_wait(DRAWN) || !hd_capture(1, name, &picture)) return false;
  bool drawn = picture.width > 0 && picture.height > 0;
  bool logged = hd_log("%s is %u x %u pixels", picture.path, picture.width, picture.height);
  free(picture.path);
  return logged && (drawn || hd_fault("%s is empty", name));
}

static bool step_down(uint32_t entry) {
  hd_text name = {0}, file = {0};
  hd_put(&name, "Down %u", entry);
  hd_put(&file, "down-%u.png", entry);
  bool walked = hd_begin_step(name.ptr) && hd_press(1, "Down") && look(file.ptr) && hd_end_step(name.ptr, HD_PASS, NULL);
  free(name.ptr);
  free(file.ptr);
  return walked;
}

hd_result_code script_run(void) {
  uint32_t entries;
  HD_TRY(entries_to_walk(&entries));
  HD_TRY(hd_connect("menu walk in C"));
  HD_TRY(hd_reserve(1));

  HD_TRY(hd_begin_region("Open the menu"));
  HD_TRY(hd_press(1, "Menu"));
  HD_TRY(look("menu.png"));
  HD_TRY(hd_end_region("Open the menu", true, "it is on the screen"));

  HD_TRY(hd_begin_region("Down through the menu"));
  for (uint32_t entry = 1; entry <= entries; entry++) HD_TRY(step_down(entry));
  HD_TRY(hd_end_region("Down through the menu", true, NULL));

  hd_text said = {0};
  hd_put(&said, "walked %u entries", entries);
  HD_TRY(hd_result(HD_PASS, said.ptr));
  HD_TRY(hd_disconnect());
  return HD_PASS;
}
