// Package main does one of a few jobs of size n with Go's own library and returns a checksum.
package main

import (
	"bytes"
	"compress/flate"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"math/big"
	"regexp"
	"sort"
)

func main() {}

func sum(parts ...any) int64 {
	h := fnv.New64a()
	fmt.Fprint(h, parts...)
	return int64(h.Sum64())
}

//go:wasmexport run
func run(kind, n int32) int64 {
	switch kind {
	case 0:
		digest := sha256.Sum256(nil)
		for range n {
			digest = sha256.Sum256(digest[:])
		}
		return int64(binary.LittleEndian.Uint64(digest[:]))
	case 1:
		list := make([]int, n)
		for i := range list {
			list[i] = (i*7919 + 13) % 10007
		}
		sort.Ints(list)
		return sum(list)
	case 2:
		type item struct {
			Name  string         `json:"name"`
			Share float64        `json:"share"`
			Tags  map[string]int `json:"tags"`
		}
		var items []item
		for i := range n {
			items = append(items, item{fmt.Sprint("n", i), float64(i) / 3, map[string]int{"a": int(i)}})
		}
		text, _ := json.Marshal(items)
		var back []item
		if json.Unmarshal(text, &back) != nil {
			return -1
		}
		return sum(string(text), back[len(back)-1].Share)
	case 3:
		find := regexp.MustCompile(`(?i)([a-z]+)-(\d{2,4})`)
		var text bytes.Buffer
		for i := range n {
			fmt.Fprintf(&text, "Key-%d other %d; ", i, i*i)
		}
		return sum(find.ReplaceAllString(text.String(), "$2:$1"))
	case 4:
		product := big.NewInt(1)
		for i := int64(2); i < int64(n); i++ {
			product.Mul(product, big.NewInt(i))
		}
		return sum(product.String())
	default:
		var packed bytes.Buffer
		w, _ := flate.NewWriter(&packed, 6)
		for i := range n {
			fmt.Fprintf(w, "line %d of many\n", i%50)
		}
		w.Close()
		var back bytes.Buffer
		back.ReadFrom(flate.NewReader(bytes.NewReader(packed.Bytes())))
		return sum(packed.Len(), back.Len())
	}
}
