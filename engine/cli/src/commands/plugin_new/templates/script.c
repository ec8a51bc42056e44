/* Opens the menu and takes a picture of it. */
#include "headend/script.h"

hd_result_code script_run(void) {
  HD_TRY(hd_connect("{{name}}"));
  HD_TRY(hd_reserve(1));

  HD_TRY(hd_begin_region("Open the menu"));
  HD_TRY(hd_press(1, "Menu"));
  HD_TRY(hd_wait(1000));
  hd_picture picture;
  HD_TRY(hd_capture(1, "menu.png", &picture));
  HD_TRY(hd_log("%s: %u x %u pixels", picture.path, picture.width, picture.height));
  HD_TRY(hd_end_region("Open the menu", true, NULL));

  HD_TRY(hd_result(HD_PASS, "the menu was opened"));
  HD_TRY(hd_disconnect());
  return HD_PASS;
}
