/* The part of a C library that guests need, in one file. */
#include "base.h"

/*
 * Memory. A block is a power of two of bytes, 16 at least; its first 8 hold the exponent, or the next free block of that size. Freed blocks
 * wait in a list for the next one of their size; fresh ones come from the end of the memory, which grows by pages of 64 KiB up to
 * what the manifest's `limits.memory_mib` allows. So malloc and free take a few instructions each, and a block costs at most twice
 * its size.
 */
typedef union hd_block {
  union hd_block *next;
  uint64_t exponent;
} hd_block;

enum { SMALLEST = 4, EXPONENTS = 32, PAGE = 64 * 1024 };

extern unsigned char __heap_base;
static uintptr_t fresh, end;
static hd_block *freed[EXPONENTS];

static unsigned exponent_for(size_t size) {
  size_t bytes = size + sizeof(hd_block);
  unsigned exponent = SMALLEST;
  while (exponent < EXPONENTS && ((size_t)1 << exponent) < bytes) exponent++;
  return exponent;
}

static bool grow(size_t bytes) {
  if (end == 0) {
    fresh = ((uintptr_t)&__heap_base + 15) & ~(uintptr_t)15;
    end = (uintptr_t)__builtin_wasm_memory_size(0) * PAGE;
  }
  if (fresh <= end && end - fresh >= bytes) return true;
  size_t missing = bytes - (fresh <= end ? end - fresh : 0);
  size_t pages = missing / PAGE + (missing % PAGE != 0);
  if (__builtin_wasm_memory_grow(0, pages) == (size_t)-1) return false;
  end += pages * PAGE;
  return true;
}

void *malloc(size_t size) {
  if (size > (size_t)1 << 31) return NULL;
  unsigned exponent = exponent_for(size);
  if (exponent >= EXPONENTS) return NULL;
  hd_block *block = freed[exponent];
  if (block != NULL) {
    freed[exponent] = block->next;
  } else {
    size_t bytes = (size_t)1 << exponent;
    if (!grow(bytes)) return NULL;
    block = (hd_block *)fresh;
    fresh += bytes;
  }
  block->exponent = exponent;
  return block + 1;
}

void free(void *memory) {
  if (memory == NULL) return;
  hd_block *block = (hd_block *)memory - 1;
  unsigned exponent = (unsigned)block->exponent;
  block->next = freed[exponent];
  freed[exponent] = block;
}

void *calloc(size_t count, size_t size) {
  size_t bytes;
  if (__builtin_mul_overflow(count, size, &bytes)) return NULL;
  void *memory = malloc(bytes);
  return memory == NULL ? NULL : memset(memory, 0, bytes);
}

void *realloc(void *memory, size_t size) {
  if (memory == NULL) return malloc(size);
  size_t room = ((size_t)1 << ((hd_block *)memory - 1)->exponent) - sizeof(hd_block);
  if (size <= room) return memory;
  void *larger = malloc(size);
  if (larger == NULL) return NULL;
  memcpy(larger, memory, room);
  free(memory);
  return larger;
}

void abort(void) {
  __builtin_trap();
}

/* Without the attribute the compiler would see what these loops do, and call the functions that they are. */
#define PLAIN __attribute__((__no_builtin__))

PLAIN void *memcpy(void *to, const void *from, size_t size) {
  unsigned char *t = to;
  const unsigned char *f = from;
  while (size-- > 0) *t++ = *f++;
  return to;
}

PLAIN void *memmove(void *to, const void *from, size_t size) {
  unsigned char *t = to;
  const unsigned char *f = from;
  if ((uintptr_t)t <= (uintptr_t)f) return memcpy(to, from, size);
  while (size-- > 0) t[size] = f[size];
  return to;
}

PLAIN void *memset(void *to, int byte, size_t size) {
  unsigned char *t = to;
  while (size-- > 0) *t++ = (unsigned char)byte;
  return to;
}

PLAIN int memcmp(const void *one, const void *other, size_t size) {
  const unsigned char *a = one, *b = other;
  for (; size > 0; size--, a++, b++) {
    if (*a != *b) return *a - *b;
  }
  return 0;
}

PLAIN size_t strlen(const char *text) {
  size_t len = 0;
  while (text[len] != '\0') len++;
  return len;
}

PLAIN int strcmp(const char *one, const char *other) {
  while (*one != '\0' && *one == *other) one++, other++;
  return (unsigned char)*one - (unsigned char)*other;
}

void *hd_alloc(size_t count, size_t size) {
  void *memory = calloc(count, size);
  if (memory == NULL) abort();
  return memory;
}

/* Text. */

void hd_put_bytes(hd_text *text, const void *bytes, size_t len) {
  if (text->room - text->len < len + 1) {
    size_t room = (text->len + len + 1) * 2;
    char *larger = realloc(text->ptr, room);
    if (larger == NULL) abort();
    text->ptr = larger;
    text->room = room;
  }
  memcpy(text->ptr + text->len, bytes, len);
  text->len += len;
  text->ptr[text->len] = '\0';
}

static void put_number(hd_text *text, uint64_t number, unsigned base) {
  char digits[20];
  size_t at = sizeof digits;
  do {
    digits[--at] = "0123456789abcdef"[number % base];
    number /= base;
  } while (number > 0);
  hd_put_bytes(text, digits + at, sizeof digits - at);
}

static void put_signed(hd_text *text, int64_t number) {
  if (number < 0) hd_put_bytes(text, "-", 1);
  put_number(text, number < 0 ? -(uint64_t)number : (uint64_t)number, 10);
}

/* A cell of its own, since a va_list that is handed on as an argument may be an array. */
typedef struct {
  va_list list;
} values_cell;

static uint64_t unsigned_of(values_cell *values, unsigned longs) {
  return longs >= 2 ? va_arg(values->list, unsigned long long) : va_arg(values->list, unsigned long);
}

static int64_t signed_of(values_cell *values, unsigned longs) {
  return longs >= 2 ? va_arg(values->list, long long) : va_arg(values->list, long);
}

static void put_text(hd_text *text, const char *piece) {
  hd_put_bytes(text, piece, strlen(piece));
}

void hd_put_list(hd_text *text, const char *format, va_list list) {
  values_cell values;
  va_copy(values.list, list);
  for (const char *at = format; *at != '\0'; at++) {
    if (*at != '%') {
      hd_put_bytes(text, at, 1);
      continue;
    }
    at++;
    if (at[0] == '.' && at[1] == '*' && at[2] == 's') {
      int len = va_arg(values.list, int);
      hd_put_bytes(text, va_arg(values.list, const char *), len < 0 ? 0 : (size_t)len);
      at += 2;
      continue;
    }
    /* int, long and size_t are all 32 bits wide here; long long is not. */
    unsigned longs = 0;
    while (*at == 'l' || *at == 'z') longs += *at++ == 'l';
    char byte;
    switch (*at) {
      case 's': put_text(text, va_arg(values.list, const char *)); break;
      case 'c': byte = (char)va_arg(values.list, int); hd_put_bytes(text, &byte, 1); break;
      case 'd': put_signed(text, signed_of(&values, longs)); break;
      case 'u': put_number(text, unsigned_of(&values, longs), 10); break;
      case 'x': put_number(text, unsigned_of(&values, longs), 16); break;
      case '%': hd_put_bytes(text, "%", 1); break;
      default: abort();
    }
  }
  va_end(values.list);
}

void hd_put(hd_text *text, const char *format, ...) {
  va_list values;
  va_start(values, format);
  hd_put_list(text, format, values);
  va_end(values);
}
