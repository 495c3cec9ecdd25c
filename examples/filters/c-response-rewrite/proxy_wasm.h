/* The part of the Proxy-Wasm ABI (0.2.1) that the filter uses. */
#pragma once
#include <stddef.h>
#include <stdint.h>

#define HOST(name) __attribute__((import_module("env"), import_name(#name))) name
#define EXPORT(name) __attribute__((export_name(#name))) name

enum action { CONTINUE = 0, PAUSE = 1 };
enum map { RESPONSE_HEADERS = 2 };
enum buffer { RESPONSE_BODY = 1, PLUGIN_CONFIGURATION = 7 };
enum level { LOG_ERROR = 4 };

/* Each returns 0 when it did it. What the host hands out, it puts where proxy_on_memory_allocate
   told it to. */
int HOST(proxy_log)(enum level level, const char *text, size_t size);
int HOST(proxy_get_buffer_bytes)(enum buffer buffer, size_t start, size_t max, char **at,
                                 size_t *size);
int HOST(proxy_set_buffer_bytes)(enum buffer buffer, size_t start, size_t size, const char *text,
                                 size_t text_size);
int HOST(proxy_get_header_map_value)(enum map map, const char *name, size_t name_size, char **at,
                                     size_t *size);
int HOST(proxy_replace_header_map_value)(enum map map, const char *name, size_t name_size,
                                         const char *value, size_t value_size);
int HOST(proxy_remove_header_map_value)(enum map map, const char *name, size_t name_size);
