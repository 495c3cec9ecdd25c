// Go's own HTTP client behind HTTP_PROXY. Prints one JSON line per answer.
package main

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"strings"
)

func tell(way string, answer *http.Response, err error) {
	if err != nil {
		panic(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		panic(err)
	}
	json.NewEncoder(os.Stdout).Encode(map[string]any{
		"way": way, "status": answer.StatusCode, "body": string(body),
	})
}

func main() {
	for _, path := range []string{"/hello?a=1", "/two"} {
		answer, err := http.Get("http://shop" + path)
		tell("absolute", answer, err)
	}
	up := strings.NewReader(strings.Repeat("x", 300_000))
	// A reader of unknown length goes as chunks.
	answer, err := http.Post("http://shop/up", "text/plain", io.MultiReader(up))
	tell("absolute", answer, err)
	answer, err = http.Get("http://nobody.example/")
	tell("unknown", answer, err)
}
