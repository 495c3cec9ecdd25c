(module
  (import "env" "proxy_get_header_map_value"
    (func $get (param $map i32) (param $key i32) (param $key_size i32)
               (param $at i32) (param $size i32) (result i32)))
  (import "env" "proxy_replace_header_map_value"
    (func $set (param $map i32) (param $key i32) (param $key_size i32)
               (param $value i32) (param $value_size i32) (result i32)))
  (import "env" "proxy_send_local_response"
    (func $respond (param $status i32) (param $details i32) (param $details_size i32)
                   (param $body i32) (param $body_size i32)
                   (param $headers i32) (param $headers_size i32)
                   (param $grpc i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 16) "x-{{name}}")
  (data (i32.const 256) "hello")
  (data (i32.const 288) ":path")
  (data (i32.const 320) "I am a teapot\n")

  (func (export "proxy_abi_version_0_2_1"))

  ;; Where the host puts what it hands out; one value at a time is all this filter needs.
  (func (export "proxy_on_memory_allocate") (param $size i32) (result i32)
    (if (i32.gt_u (local.get $size) (i32.const 32768)) (then (return (i32.const 0))))
    (i32.const 4096))

  (func (export "proxy_on_request_headers")
    (param $context i32) (param $count i32) (param $end i32) (result i32)
    ;; map 0: request headers; the address goes to 512, the size to 516
    (drop (call $get (i32.const 0) (i32.const 288) (i32.const 5) (i32.const 512) (i32.const 516)))
    (if (call $is_teapot (i32.load (i32.const 512)) (i32.load (i32.const 516)))
      (then
        (drop (call $respond (i32.const 418) (i32.const 0) (i32.const 0)
                             (i32.const 320) (i32.const 14)
                             (i32.const 0) (i32.const 0) (i32.const -1)))
        (return (i32.const 1))))
    (i32.const 0))

  (func $is_teapot (param $at i32) (param $size i32) (result i32)
    (if (i32.ne (local.get $size) (i32.const 7)) (then (return (i32.const 0))))
    ;; "/teapot": its first four bytes, and its last four
    (i32.and
      (i32.eq (i32.load (local.get $at)) (i32.const 0x6165742f))
      (i32.eq (i32.load offset=3 (local.get $at)) (i32.const 0x746f7061))))

  (func (export "proxy_on_response_headers")
    (param $context i32) (param $count i32) (param $end i32) (result i32)
    ;; map 2: response headers
    (drop (call $set (i32.const 2) (i32.const 16) (i32.const {{length}})
                     (i32.const 256) (i32.const 5)))
    (i32.const 0)))
