/* What there is of the C library's <stdlib.h>: guests run without one. See ../base.c. */
#ifndef HEADEND_STDLIB_H
#define HEADEND_STDLIB_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

void *malloc(size_t size);
void *calloc(size_t count, size_t size);
void *realloc(void *block, size_t size);
void free(void *block);
__attribute__((__noreturn__)) void abort(void);

#ifdef __cplusplus
}
#endif
#endif
