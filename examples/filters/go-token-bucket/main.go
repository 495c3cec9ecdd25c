// Limits requests by key: every client has a bucket of tokens, a request takes one, and tokens come
// back at a rate.
package main

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"math"
	"strconv"
	"time"

	"github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm"
	"github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm/types"
)

const filter = "token-bucket@1.0.0"

// Clients share this many buckets, so that one who invents keys cannot fill the host's memory. Two
// with the same bucket share its tokens, too.
const buckets = 512

// Other threads of the proxy may change a bucket between our look and our write.
const attempts = 8

// Hosts never call main; they call the SDK, which has to know the filter by then.
func main() {}

func init() {
	proxywasm.SetPluginContext(func(uint32) types.PluginContext { return &limiter{} })
}

type config struct {
	// Key is the request header that names the client; without it the client's address does.
	Key string `json:"key"`
	// Rate is how many tokens come back each second.
	Rate float64 `json:"rate"`
	// Burst is how many tokens a bucket holds.
	Burst float64 `json:"burst"`
}

type limiter struct {
	types.DefaultPluginContext
	config config
}

func (l *limiter) OnPluginStart(int) types.OnPluginStartStatus {
	text, err := proxywasm.GetPluginConfiguration()
	if err != nil && !errors.Is(err, types.ErrorStatusNotFound) {
		proxywasm.LogErrorf("the configuration cannot be read: %v", err)
		return types.OnPluginStartStatusFailed
	}
	l.config = config{Key: "x-api-key", Rate: 10, Burst: 20}
	if len(text) > 0 {
		if err := json.Unmarshal(text, &l.config); err != nil {
			proxywasm.LogErrorf("the configuration is not right: %v", err)
			return types.OnPluginStartStatusFailed
		}
	}
	if l.config.Rate <= 0 || l.config.Burst < 1 {
		proxywasm.LogErrorf("rate is %v and burst is %v; wanted a rate over 0 and a burst of at least 1",
			l.config.Rate, l.config.Burst)
		return types.OnPluginStartStatusFailed
	}
	return types.OnPluginStartStatusOK
}

func (l *limiter) NewHttpContext(uint32) types.HttpContext {
	return &request{config: &l.config}
}

type request struct {
	types.DefaultHttpContext
	config *config
	left   float64
}

func (r *request) OnHttpRequestHeaders(int, bool) types.Action {
	left, err := take(bucketOf(r.client()), r.config, time.Now())
	if err != nil {
		// A limiter that cannot count lets requests pass: it protects, it does not decide.
		proxywasm.LogWarnf("the bucket cannot be counted: %v", err)
		return types.ActionContinue
	}
	r.left = left
	if left >= 0 {
		return types.ActionContinue
	}
	seconds := int(math.Ceil(-left / r.config.Rate))
	if err := proxywasm.SendHttpResponse(429, [][2]string{
		{"retry-after", strconv.Itoa(seconds)},
		{"content-type", "text/plain"},
	}, []byte("Too many requests\n"), -1); err != nil {
		proxywasm.LogErrorf("the answer cannot be sent: %v", err)
	}
	return types.ActionPause
}

func (r *request) OnHttpResponseHeaders(int, bool) types.Action {
	remaining := strconv.Itoa(int(max(r.left, 0)))
	for _, header := range [][2]string{{"x-ratelimit-remaining", remaining}, {"x-denim-filter", filter}} {
		if err := proxywasm.ReplaceHttpResponseHeader(header[0], header[1]); err != nil {
			proxywasm.LogWarnf("%s cannot be set: %v", header[0], err)
		}
	}
	return types.ActionContinue
}

// client is what a request is counted under.
func (r *request) client() string {
	if key, err := proxywasm.GetHttpRequestHeader(r.config.Key); err == nil && key != "" {
		return "key " + key
	}
	address, err := proxywasm.GetProperty([]string{"source", "address"})
	if err != nil {
		return "unknown"
	}
	return "address " + hostOf(string(address))
}

// hostOf is an address without its port, which changes with every connection.
func hostOf(address string) string {
	for i := len(address) - 1; i >= 0; i-- {
		if address[i] == ':' {
			return address[:i]
		}
	}
	return address
}

func bucketOf(client string) string {
	hash := fnv.New32a()
	hash.Write([]byte(client))
	return fmt.Sprintf("bucket-%d", hash.Sum32()%buckets)
}

// take removes a token from a bucket and returns how many are left; less than 0 when there was none.
func take(bucket string, config *config, now time.Time) (float64, error) {
	for range attempts {
		value, cas, err := proxywasm.GetSharedData(bucket)
		if err != nil && !errors.Is(err, types.ErrorStatusNotFound) {
			return 0, err
		}
		tokens := config.Burst
		if len(value) == 16 {
			before := time.Unix(0, int64(binary.LittleEndian.Uint64(value[8:])))
			tokens = math.Float64frombits(binary.LittleEndian.Uint64(value))
			tokens = min(config.Burst, tokens+config.Rate*max(0, now.Sub(before).Seconds()))
		}
		if tokens < 1 {
			return tokens - 1, nil
		}
		next := make([]byte, 16)
		binary.LittleEndian.PutUint64(next, math.Float64bits(tokens-1))
		binary.LittleEndian.PutUint64(next[8:], uint64(now.UnixNano()))
		err = proxywasm.SetSharedData(bucket, next, cas)
		if err == nil {
			return tokens - 1, nil
		}
		if !errors.Is(err, types.ErrorStatusCasMismatch) {
			return 0, err
		}
	}
	return 0, errors.New("others were faster every time")
}
