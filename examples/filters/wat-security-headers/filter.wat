;; Security headers for every response, and none that tell what runs behind it.
;;
;; Proxy-Wasm 0.2.1 by hand: a marker, an allocator for what the host hands over (here it never
;; hands anything over), and one callback.

(module
  (import "env" "proxy_replace_header_map_value"
    (func $set (param $map i32) (param $key i32) (param $key_size i32)
               (param $value i32) (param $value_size i32) (result i32)))
  (import "env" "proxy_remove_header_map_value"
    (func $remove (param $map i32) (param $key i32) (param $key_size i32) (result i32)))

  (memory (export "memory") 1)
  (global $heap (mut i32) (i32.const 4096))

  ;; name and value pairs, each text followed by a zero byte
  (data (i32.const 16)
    "x-content-type-options\00nosniff\00"
    "x-frame-options\00DENY\00"
    "referrer-policy\00strict-origin-when-cross-origin\00"
    "x-denim-filter\00security-headers@1.0.0\00"
    "\00")
  (data (i32.const 1024) "server\00x-powered-by\00\00")

  (func (export "proxy_abi_version_0_2_1"))

  (func (export "proxy_on_memory_allocate") (param $size i32) (result i32)
    (global.get $heap)
    (global.set $heap (i32.add (global.get $heap) (local.get $size))))

  ;; bytes up to the zero byte
  (func $length (param $text i32) (result i32)
    (local $at i32)
    (local.set $at (local.get $text))
    (loop $next
      (if (i32.load8_u (local.get $at))
        (then
          (local.set $at (i32.add (local.get $at) (i32.const 1)))
          (br $next))))
    (i32.sub (local.get $at) (local.get $text)))

  (func (export "proxy_on_response_headers")
    (param $context i32) (param $count i32) (param $end i32) (result i32)
    (local $name i32) (local $value i32) (local $size i32)

    (local.set $name (i32.const 16))
    (loop $each
      (local.set $size (call $length (local.get $name)))
      (if (local.get $size)
        (then
          (local.set $value
            (i32.add (i32.add (local.get $name) (local.get $size)) (i32.const 1)))
          ;; 2: response headers
          (drop (call $set (i32.const 2)
            (local.get $name) (local.get $size)
            (local.get $value) (call $length (local.get $value))))
          (local.set $name
            (i32.add (i32.add (local.get $value) (call $length (local.get $value))) (i32.const 1)))
          (br $each))))

    (local.set $name (i32.const 1024))
    (loop $each
      (local.set $size (call $length (local.get $name)))
      (if (local.get $size)
        (then
          (drop (call $remove (i32.const 2) (local.get $name) (local.get $size)))
          (local.set $name
            (i32.add (i32.add (local.get $name) (local.get $size)) (i32.const 1)))
          (br $each))))

    (i32.const 0)) ;; continue
)
