/* What there is of the C library's <string.h>: guests run without one. See ../base.c. */
#ifndef HEADEND_STRING_H
#define HEADEND_STRING_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

void *memcpy(void *to, const void *from, size_t size);
void *memmove(void *to, const void *from, size_t size);
void *memset(void *to, int byte, size_t size);
int memcmp(const void *one, const void *other, size_t size);
size_t strlen(const char *text);
int strcmp(const char *one, const char *other);

#ifdef __cplusplus
}
#endif
#endif
