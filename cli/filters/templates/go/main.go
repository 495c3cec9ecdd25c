// Adds a header to every response.
package main

// The host calls main's init, never main itself.
func main() {}

func init() {
	onConfigure = func(configuration []byte) bool {
		if len(configuration) > 0 {
			greeting = string(configuration)
		}
		return true
	}
	onRequestHeaders = func(contextID uint32, endOfStream bool) action {
		if path, _ := getHeader(requestHeaders, ":path"); path == "/teapot" {
			sendLocalResponse(418, []byte("I am a teapot\n"))
			return pause
		}
		return proceed
	}
	onResponseHeaders = func(contextID uint32, endOfStream bool) action {
		setHeader(responseHeaders, "x-{{name}}", greeting)
		return proceed
	}
}

var greeting = "hello"
