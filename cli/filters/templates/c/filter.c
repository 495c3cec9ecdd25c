/* Adds a header to every response. */
#include "proxy_wasm.h"

#define TEXT(literal) (literal), (sizeof(literal) - 1)

void EXPORT(proxy_abi_version_0_2_1)(void) {}

/* What the host hands out lives until the callback returns: an arena is all it takes. The
   configuration comes first and stays. */
static char arena[32768];
static size_t used, kept;

void *EXPORT(proxy_on_memory_allocate)(size_t size) {
  size = (size + 7) & ~(size_t)7;
  if (size > sizeof(arena) - used) return 0;
  used += size;
  return arena + used - size;
}

static const char *greeting = "hello";
static size_t greeting_size = 5;

int EXPORT(proxy_on_configure)(uint32_t root, size_t size) {
  if (size > 0) {
    char *at;
    if (proxy_get_buffer_bytes(PLUGIN_CONFIGURATION, 0, size, &at, &greeting_size)) return 0;
    greeting = at;
  }
  kept = used;
  return 1;
}

static int is(const char *a, size_t a_size, const char *b, size_t b_size) {
  if (a_size != b_size) return 0;
  while (b_size-- > 0)
    if (a[b_size] != b[b_size]) return 0;
  return 1;
}

int EXPORT(proxy_on_request_headers)(uint32_t context, uint32_t count, uint32_t end) {
  char *path;
  size_t size;
  used = kept;
  if (proxy_get_header_map_value(REQUEST_HEADERS, TEXT(":path"), &path, &size)) return CONTINUE;
  if (!is(path, size, TEXT("/teapot"))) return CONTINUE;
  proxy_send_local_response(418, 0, 0, TEXT("I am a teapot\n"), 0, 0, -1);
  return PAUSE;
}

int EXPORT(proxy_on_response_headers)(uint32_t context, uint32_t count, uint32_t end) {
  proxy_replace_header_map_value(RESPONSE_HEADERS, TEXT("x-{{name}}"), greeting, greeting_size);
  return CONTINUE;
}
