;; What a broken or hostile filter looks like: it never comes back from a request that asks for it,
;; and, without a configuration, from none.

(module
  (import "env" "proxy_get_header_map_value"
    (func $get (param $map i32) (param $key i32) (param $key_size i32)
               (param $out i32) (param $out_size i32) (result i32)))

  (memory (export "memory") 1)
  (global $heap (mut i32) (i32.const 4096))
  (global $picky (mut i32) (i32.const 0))
  (data (i32.const 16) "x-loop")

  (func (export "proxy_abi_version_0_2_1"))

  (func (export "proxy_on_memory_allocate") (param $size i32) (result i32)
    (if (i32.gt_u (global.get $heap) (i32.const 60000))
      (then (global.set $heap (i32.const 4096))))
    (global.get $heap)
    (global.set $heap (i32.add (global.get $heap) (local.get $size))))

  ;; any configuration at all: loop only on requests with the header x-loop
  (func (export "proxy_on_configure") (param $root i32) (param $size i32) (result i32)
    (global.set $picky (i32.ne (local.get $size) (i32.const 0)))
    (i32.const 1))

  (func (export "proxy_on_request_headers")
    (param $context i32) (param $count i32) (param $end i32) (result i32)
    (if (global.get $picky)
      (then
        ;; 0: request headers; status 0: found
        (if (call $get (i32.const 0) (i32.const 16) (i32.const 6) (i32.const 0) (i32.const 4))
          (then (return (i32.const 0))))))
    (loop $for_ever (br $for_ever))
    (i32.const 0))
)
