// Reads one request header, adds one request header and one response header.
package main

import (
	"github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm"
	"github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm/types"
)

func main() {}

func init() {
	proxywasm.SetPluginContext(func(uint32) types.PluginContext { return &plugin{} })
}

type plugin struct{ types.DefaultPluginContext }

func (*plugin) NewHttpContext(uint32) types.HttpContext { return &exchange{} }

type exchange struct{ types.DefaultHttpContext }

func (*exchange) OnHttpRequestHeaders(int, bool) types.Action {
	value, err := proxywasm.GetHttpRequestHeader("user-agent")
	if err != nil {
		value = ""
	}
	if err := proxywasm.AddHttpRequestHeader("x-bench", value); err != nil {
		proxywasm.LogErrorf("x-bench cannot be added: %v", err)
	}
	return types.ActionContinue
}

func (*exchange) OnHttpResponseHeaders(int, bool) types.Action {
	if err := proxywasm.AddHttpResponseHeader("x-bench", "on"); err != nil {
		proxywasm.LogErrorf("x-bench cannot be added: %v", err)
	}
	return types.ActionContinue
}
