/* Members of the parameters' JSON object. The server wrote it, so it is well formed; what nests is passed over. */
#include "policy.h"

typedef struct {
  const char *at, *end;
} reader;

static void blanks(reader *json) {
  while (json->at < json->end && (*json->at == ' ' || *json->at == '\n' || *json->at == '\r' || *json->at == '\t')) json->at++;
}

/* What stands between quotes, with its escapes. */
static hd_string text(reader *json) {
  const char *first = ++json->at;
  while (json->at < json->end && *json->at != '"') json->at += *json->at == '\\' ? 2 : 1;
  if (json->at > json->end) json->at = json->end;
  hd_string found = {(uint8_t *)first, (size_t)(json->at - first)};
  if (json->at < json->end) json->at++;
  return found;
}

/* Passes over a value. */
static hd_string value(reader *json) {
  const char *first = json->at;
  unsigned depth = 0;
  while (json->at < json->end) {
    char byte = *json->at;
    if (depth == 0 && (byte == ',' || byte == '}' || byte == ']')) break;
    if (byte == '"') {
      text(json);
      continue;
    }
    if (byte == '{' || byte == '[') depth++;
    if (byte == '}' || byte == ']') depth--;
    json->at++;
  }
  return (hd_string){(uint8_t *)first, (size_t)(json->at - first)};
}

static bool is(hd_string found, const char *wanted) {
  return found.len == strlen(wanted) && memcmp(found.ptr, wanted, found.len) == 0;
}

/* The value of a member as it stands; empty: there is none. */
static hd_string member(const char *name) {
  const hd_string all = hd_the_plan()->parameters;
  reader json = {(const char *)all.ptr, (const char *)all.ptr + all.len};
  blanks(&json);
  if (json.at < json.end && *json.at == '{') json.at++;
  for (;;) {
    blanks(&json);
    if (json.at >= json.end || *json.at != '"') return (hd_string){NULL, 0};
    hd_string found = text(&json);
    blanks(&json);
    if (json.at < json.end && *json.at == ':') json.at++;
    blanks(&json);
    hd_string its = value(&json);
    if (is(found, name)) return its;
    if (json.at < json.end) json.at++;
  }
}

bool hd_parameter_bool(const char *name, bool otherwise) {
  hd_string found = member(name);
  if (found.len >= 4 && memcmp(found.ptr, "true", 4) == 0) return true;
  if (found.len >= 5 && memcmp(found.ptr, "false", 5) == 0) return false;
  return otherwise;
}

int64_t hd_parameter_int(const char *name, int64_t otherwise) {
  hd_string found = member(name);
  size_t at = found.len > 0 && found.ptr[0] == '-' ? 1 : 0;
  bool negative = at == 1;
  if (at >= found.len || found.ptr[at] < '0' || found.ptr[at] > '9') return otherwise;
  int64_t number = 0;
  for (; at < found.len && found.ptr[at] >= '0' && found.ptr[at] <= '9'; at++) {
    int64_t digit = found.ptr[at] - '0';
    if (__builtin_mul_overflow(number, 10, &number) || __builtin_sub_overflow(number, digit, &number)) return otherwise;
  }
  if (at < found.len && (found.ptr[at] == '.' || found.ptr[at] == 'e' || found.ptr[at] == 'E')) return otherwise;
  return !negative && __builtin_sub_overflow(0, number, &number) ? otherwise : number;
}

hd_string hd_parameter_text(const char *name) {
  hd_string found = member(name);
  if (found.len == 0 || found.ptr[0] != '"') return (hd_string){NULL, 0};
  reader json = {(const char *)found.ptr, (const char *)found.ptr + found.len};
  return text(&json);
}
