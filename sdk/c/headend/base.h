/*
 * What every guest in C has: text that grows, and a small part of the C library (include/stdlib.h, include/string.h).
 *
 * There is no file, no clock, no randomness and no standard output. Memory that cannot be had ends the call with a trap, as a broken
 * rule of the language does; the server goes on without the guest.
 */
#ifndef HEADEND_BASE_H
#define HEADEND_BASE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Text under construction. All zero: empty. Behind the last byte there is always a zero, once something has been put. */
typedef struct hd_text {
  char *ptr;
  size_t len;
  size_t room;
} hd_text;

/*
 * Adds to the text. Of printf's conversions it knows %s, %c, %d, %u, %x with the lengths l, ll and z, %.*s, and %%.
 * Others stop the guest: a wrong one must not pass unseen.
 */
__attribute__((__format__(__printf__, 2, 3))) void hd_put(hd_text *text, const char *format, ...);
void hd_put_list(hd_text *text, const char *format, va_list values);

/* Adds bytes as they are. */
void hd_put_bytes(hd_text *text, const void *bytes, size_t len);

/* Memory for `count` things of `size` bytes, all zero. Never NULL. Given back with free(). */
void *hd_alloc(size_t count, size_t size);

#ifdef __cplusplus
}
#endif
#endif
