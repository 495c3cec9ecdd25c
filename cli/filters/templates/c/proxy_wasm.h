/* The part of the Proxy-Wasm ABI this filter uses. */
#pragma once
#include <stddef.h>
#include <stdint.h>

#define HOST(name) __attribute__((import_module("env"), import_name(#name))) name
#define EXPORT(name) __attribute__((export_name(#name))) name

enum { CONTINUE = 0, PAUSE = 1 };
enum { REQUEST_HEADERS = 0, RESPONSE_HEADERS = 2 };
enum { REQUEST_BODY = 0, RESPONSE_BODY = 1, PLUGIN_CONFIGURATION = 7 };
enum { LOG_TRACE, LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

/* Each returns 0 when it did it. What the host hands out lies in memory it got from
   proxy_on_memory_allocate. */
int HOST(proxy_log)(int level, const char *message, size_t size);
int HOST(proxy_get_buffer_bytes)(int buffer, size_t start, size_t length, char **at, size_t *size);
int HOST(proxy_get_header_map_value)(int map, const char *key, size_t key_size, char **at,
                                     size_t *size);
int HOST(proxy_replace_header_map_value)(int map, const char *key, size_t key_size,
                                         const char *value, size_t value_size);
int HOST(proxy_send_local_response)(int status, const char *details, size_t details_size,
                                    const char *body, size_t body_size, const char *headers,
                                    size_t headers_size, int grpc_status);
