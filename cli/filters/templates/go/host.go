// The part of the Proxy-Wasm ABI this filter uses, by the Go compiler's own directives: no SDK needed.
package main

import "unsafe"

type action uint32

const (
	proceed action = 0
	pause   action = 1
)

type headerMap uint32

const (
	requestHeaders  headerMap = 0
	responseHeaders headerMap = 2
)

const pluginConfiguration = 7

// What the filter does; a nil one goes on.
var (
	onConfigure       func(configuration []byte) bool
	onRequestHeaders  func(contextID uint32, endOfStream bool) action
	onResponseHeaders func(contextID uint32, endOfStream bool) action
)

//go:wasmexport proxy_abi_version_0_2_1
func abiVersion() {}

// What the host writes for us stays here until the next call of the host ends.
var pinned = map[uintptr][]byte{}

//go:wasmexport proxy_on_memory_allocate
func memoryAllocate(size uint32) uint32 {
	buffer := make([]byte, max(size, 1))
	at := uintptr(unsafe.Pointer(&buffer[0]))
	pinned[at] = buffer
	return uint32(at)
}

//go:wasmexport proxy_on_configure
func proxyOnConfigure(_ uint32, size uint32) uint32 {
	if onConfigure == nil {
		return 1
	}
	var at, length uint32
	if size > 0 {
		proxyGetBufferBytes(pluginConfiguration, 0, size, &at, &length)
	}
	if onConfigure(take(at, length)) {
		return 1
	}
	return 0
}

//go:wasmexport proxy_on_request_headers
func proxyOnRequestHeaders(contextID, _ uint32, endOfStream uint32) uint32 {
	if onRequestHeaders == nil {
		return uint32(proceed)
	}
	return uint32(onRequestHeaders(contextID, endOfStream != 0))
}

//go:wasmexport proxy_on_response_headers
func proxyOnResponseHeaders(contextID, _ uint32, endOfStream uint32) uint32 {
	if onResponseHeaders == nil {
		return uint32(proceed)
	}
	return uint32(onResponseHeaders(contextID, endOfStream != 0))
}

//go:wasmimport env proxy_log
func proxyLog(level uint32, message *byte, size uint32) uint32

//go:wasmimport env proxy_get_buffer_bytes
func proxyGetBufferBytes(buffer, start, length uint32, at, size *uint32) uint32

//go:wasmimport env proxy_get_header_map_value
func proxyGetHeader(which uint32, key *byte, keySize uint32, at, size *uint32) uint32

//go:wasmimport env proxy_replace_header_map_value
func proxySetHeader(which uint32, key *byte, keySize uint32, value *byte, valueSize uint32) uint32

//go:wasmimport env proxy_send_local_response
func proxySendLocalResponse(status uint32, details *byte, detailsSize uint32, body *byte, bodySize uint32, headers *byte, headersSize uint32, grpcStatus int32) uint32

// getHeader returns the first value of a header, and whether there is one.
func getHeader(which headerMap, key string) (string, bool) {
	var at, size uint32
	status := proxyGetHeader(uint32(which), unsafe.StringData(key), uint32(len(key)), &at, &size)
	return string(take(at, size)), status == 0
}

// setHeader replaces every value of a header by one.
func setHeader(which headerMap, key, value string) {
	proxySetHeader(uint32(which), unsafe.StringData(key), uint32(len(key)), unsafe.StringData(value), uint32(len(value)))
}

// sendLocalResponse answers the request; the callback returns pause.
func sendLocalResponse(status uint32, body []byte) {
	proxySendLocalResponse(status, nil, 0, unsafe.SliceData(body), uint32(len(body)), nil, 0, -1)
}

// logInfo writes a line to the proxy's log.
func logInfo(message string) {
	proxyLog(2, unsafe.StringData(message), uint32(len(message)))
}

// take is what the host has written at an address it got from memoryAllocate.
func take(at, size uint32) []byte {
	buffer := pinned[uintptr(at)]
	delete(pinned, uintptr(at))
	if size == 0 {
		return nil
	}
	return buffer[:size]
}
