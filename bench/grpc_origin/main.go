// A unary gRPC service over HTTP/2 without TLS, by Go's own HTTP server: main PORT BYTES. It reads each
// request to its end and answers one message of so many bytes with status OK in the trailers.
package main

import (
	"encoding/binary"
	"io"
	"log"
	"net/http"
	"os"
	"strconv"
)

func main() {
	size, err := strconv.Atoi(os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	answer := make([]byte, 5+size) // a flag and a length before the message
	binary.BigEndian.PutUint32(answer[1:], uint32(size))
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true)
	server := http.Server{
		Addr:      "127.0.0.1:" + os.Args[1],
		Protocols: &protocols,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			w.Header().Set("Content-Type", "application/grpc")
			w.Header().Set("Trailer", "Grpc-Status")
			w.Write(answer)
			w.Header().Set("Grpc-Status", "0")
		}),
	}
	log.Fatal(server.ListenAndServe())
}
