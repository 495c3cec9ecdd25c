/* Replaces texts in responses: in bodies of text and JSON, and in "location".

   Configuration: one replacement a line, "from => to". No state but that is kept between calls, and
   what one call allocates is gone with the next one. */
#include "proxy_wasm.h"

#define FILTER "response-rewrite@1.0.0"
#define ARROW " => "
#define RULES 16
#define CONFIG_BYTES 4096
#define PAGE 65536

struct text {
  const char *at;
  size_t size;
};

struct rule {
  struct text from, to;
};

static char config[CONFIG_BYTES];
static struct rule rules[RULES];
static int rule_count;
/* Whether a rule begins with this byte: nearly every byte is decided by this look. */
static unsigned char begins[256];

/* Memory: everything behind what the linker placed, given out in one direction. */

extern char __heap_base;
static char *heap;

static void forget_all(void) { heap = &__heap_base; }

static char *allocate(size_t size) {
  if (heap == NULL) forget_all();
  size_t room = __builtin_wasm_memory_size(0) * PAGE - (size_t)heap;
  if (size > room) {
    size_t pages = (size - room + PAGE - 1) / PAGE;
    if (__builtin_wasm_memory_grow(0, pages) == (size_t)-1) return NULL;
  }
  char *at = heap;
  heap += (size + 7) & ~(size_t)7;
  return at;
}

void *EXPORT(proxy_on_memory_allocate)(size_t size) { return allocate(size); }

/* Texts. */

#define TEXT(literal) ((struct text){literal, sizeof(literal) - 1})

static int starts_with(struct text text, struct text prefix) {
  if (prefix.size > text.size) return 0;
  for (size_t i = 0; i < prefix.size; i++)
    if (text.at[i] != prefix.at[i]) return 0;
  return 1;
}

/* From the beginning of `needle` on; size 0: it is not there. */
static struct text find(struct text text, struct text needle) {
  while (text.size >= needle.size && !starts_with(text, needle)) text.at++, text.size--;
  if (text.size < needle.size) text.size = 0;
  return text;
}

/* The rule whose text begins here; NULL for none. */
static const struct rule *rule_at(struct text text) {
  for (int i = 0; i < rule_count; i++)
    if (starts_with(text, rules[i].from)) return &rules[i];
  return NULL;
}

/* The first text that a rule replaces, through the end; size 0: there is none. */
static struct text next(struct text text) {
  const char *at = text.at, *end = text.at + text.size;
  for (;; at++) {
    while (at < end && !begins[(unsigned char)*at]) at++; /* what most bytes cost: a loop of its own */
    if (at == end) break;
    struct text rest = {at, (size_t)(end - at)};
    if (rule_at(rest) != NULL) return rest;
  }
  return (struct text){end, 0};
}

static char *copy(char *to, struct text from) {
  __builtin_memcpy(to, from.at, from.size); /* one instruction of Wasm, memory.copy */
  return to + from.size;
}

/* Replaces the text by the new one where there is something to replace; whether there was. */
static int rewrite(struct text *text) {
  size_t size = text->size;
  int changes = 0;
  for (struct text rest = next(*text); rest.size > 0; rest = next(rest), changes++) {
    const struct rule *rule = rule_at(rest);
    size += rule->to.size - rule->from.size;
    rest.at += rule->from.size, rest.size -= rule->from.size;
  }
  if (changes == 0) return 0;
  char *out = allocate(size), *to = out;
  if (out == NULL) return 0;
  for (struct text rest = *text; rest.size > 0;) {
    struct text found = next(rest);
    to = copy(to, (struct text){rest.at, rest.size - found.size});
    rest = found;
    if (found.size == 0) break;
    const struct rule *rule = rule_at(found);
    to = copy(to, rule->to);
    rest.at += rule->from.size, rest.size -= rule->from.size;
  }
  *text = (struct text){out, size};
  return 1;
}

/* Headers of the response. */

static struct text header(struct text name) {
  char *at;
  size_t size;
  if (proxy_get_header_map_value(RESPONSE_HEADERS, name.at, name.size, &at, &size) != 0)
    return (struct text){NULL, 0};
  return (struct text){at, size};
}

static void set_header(struct text name, struct text value) {
  proxy_replace_header_map_value(RESPONSE_HEADERS, name.at, name.size, value.at, value.size);
}

static void remove_header(struct text name) {
  proxy_remove_header_map_value(RESPONSE_HEADERS, name.at, name.size);
}

static int is_rewritten(void) {
  if (header(TEXT("content-encoding")).size > 0) return 0;
  struct text type = header(TEXT("content-type"));
  return starts_with(type, TEXT("text/")) || starts_with(type, TEXT("application/json"));
}

/* What the host calls. */

void EXPORT(proxy_abi_version_0_2_1)(void) {}

static int refuse(struct text why) {
  proxy_log(LOG_ERROR, why.at, why.size);
  return 0;
}

static int add_rule(struct text line) {
  if (line.size == 0) return 1;
  struct text arrow = find(line, TEXT(ARROW));
  if (arrow.size == 0) return refuse(TEXT("a line of the configuration lacks \" => \""));
  struct text from = {line.at, (size_t)(arrow.at - line.at)};
  size_t taken = from.size + sizeof(ARROW) - 1;
  if (from.size == 0) return refuse(TEXT("a line of the configuration replaces nothing"));
  if (rule_count == RULES) return refuse(TEXT("the configuration has more than 16 lines"));
  begins[(unsigned char)*from.at] = 1;
  rules[rule_count++] = (struct rule){from, {line.at + taken, line.size - taken}};
  return 1;
}

int EXPORT(proxy_on_configure)(uint32_t root, size_t size) {
  (void)root;
  forget_all();
  rule_count = 0;
  for (int i = 0; i < 256; i++) begins[i] = 0;
  if (size == 0) return 1;
  if (size > CONFIG_BYTES) return refuse(TEXT("the configuration has more than 4096 bytes"));
  char *given;
  if (proxy_get_buffer_bytes(PLUGIN_CONFIGURATION, 0, size, &given, &size) != 0) return 0;
  copy(config, (struct text){given, size});
  struct text rest = {config, size};
  while (rest.size > 0) {
    struct text end = find(rest, TEXT("\n"));
    struct text line = {rest.at, rest.size - end.size};
    if (!add_rule(line)) return 0;
    size_t taken = line.size + (end.size > 0 ? 1 : 0);
    rest.at += taken, rest.size -= taken;
  }
  return 1;
}

enum action EXPORT(proxy_on_response_headers)(uint32_t stream, uint32_t count, int end) {
  (void)stream, (void)count;
  forget_all();
  struct text location = header(TEXT("location"));
  if (rewrite(&location)) set_header(TEXT("location"), location);
  /* The length will be another one, and so will what these were made of. */
  if (!end && is_rewritten()) {
    remove_header(TEXT("content-length"));
    remove_header(TEXT("etag"));
    remove_header(TEXT("accept-ranges"));
  }
  set_header(TEXT("x-denim-filter"), TEXT(FILTER));
  return CONTINUE;
}

enum action EXPORT(proxy_on_response_body)(uint32_t stream, size_t size, int end) {
  (void)stream;
  forget_all();
  if (!is_rewritten()) return CONTINUE;
  if (!end) return PAUSE; /* A text may be split between chunks: wait for all of them. */
  if (size == 0) return CONTINUE;
  char *given;
  size_t have;
  if (proxy_get_buffer_bytes(RESPONSE_BODY, 0, size, &given, &have) != 0) return CONTINUE;
  struct text body = {given, have};
  if (rewrite(&body)) proxy_set_buffer_bytes(RESPONSE_BODY, 0, have, body.at, body.size);
  return CONTINUE;
}
