// Makes full mTLS handshakes, one after the other on each of some workers, and prints as JSON how many and
// how long each took. A handshake counts when the request after it was answered: by then the server has
// judged the client's certificate, which in TLS 1.3 it does after the client is done.
package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
)

const request = "GET / HTTP/1.1\r\nhost: origin\r\nconnection: close\r\n\r\n"

type report struct {
	Handshakes int     `json:"handshakes"`
	Failures   int     `json:"failures"`
	Seconds    float64 `json:"seconds"`
	P50Ms      float64 `json:"p50Ms"`
	P99Ms      float64 `json:"p99Ms"`
	Said       string  `json:"said"`
}

func main() {
	address := flag.String("address", "", "where to")
	cert := flag.String("cert", "", "PEM of the chain to show")
	key := flag.String("key", "", "PEM of its key")
	ca := flag.String("ca", "", "PEM of the roots to believe")
	workers := flag.Int("workers", 16, "connections at a time")
	seconds := flag.Float64("seconds", 4, "how long")
	flag.Parse()
	config, err := configure(*cert, *key, *ca)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	json.NewEncoder(os.Stdout).Encode(run(*address, config, *workers, *seconds))
}

func run(address string, config *tls.Config, workers int, seconds float64) report {
	started := time.Now()
	until := started.Add(time.Duration(seconds * float64(time.Second)))
	took := make([][]time.Duration, workers)
	failed := make([]error, workers)
	var group sync.WaitGroup
	for worker := range workers {
		group.Go(func() {
			for time.Now().Before(until) && failed[worker] == nil {
				before := time.Now()
				if err := handshake(address, config); err != nil {
					failed[worker] = err
				} else {
					took[worker] = append(took[worker], time.Since(before))
				}
			}
		})
	}
	group.Wait()
	all := slices.Concat(took...)
	slices.Sort(all)
	result := report{Handshakes: len(all), Seconds: time.Since(started).Seconds()}
	if len(all) > 0 {
		result.P50Ms = all[len(all)/2].Seconds() * 1000
		result.P99Ms = all[len(all)*99/100].Seconds() * 1000
	}
	for _, err := range failed {
		if err != nil {
			result.Failures++
			result.Said = err.Error()
		}
	}
	return result
}

func handshake(address string, config *tls.Config) error {
	conn, err := tls.Dial("tcp", address, config)
	if err != nil {
		return err
	}
	defer conn.Close()
	if conn.ConnectionState().DidResume {
		return errors.New("a session was resumed")
	}
	if _, err := io.WriteString(conn, request); err != nil {
		return err
	}
	answer, err := io.ReadAll(conn)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return err
	}
	if !strings.HasPrefix(string(answer), "HTTP/1.1 200 ") {
		return fmt.Errorf("the answer is %q", answer)
	}
	return nil
}

func configure(certFile, keyFile, caFile string) (*tls.Config, error) {
	shown, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(caFile)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(text) {
		return nil, errors.New("no roots")
	}
	return &tls.Config{
		MinVersion:   tls.VersionTLS13,
		Certificates: []tls.Certificate{shown},
		NextProtos:   []string{"http/1.1"},
		// X25519 for all: what else a client offers would change whose library does how much.
		CurvePreferences: []tls.CurveID{tls.X25519},
		// Names are SPIFFE ids; that the chain is a good one is checked all the same.
		InsecureSkipVerify: true,
		VerifyConnection: func(state tls.ConnectionState) error {
			above := x509.NewCertPool()
			for _, one := range state.PeerCertificates[1:] {
				above.AddCert(one)
			}
			_, err := state.PeerCertificates[0].Verify(x509.VerifyOptions{
				Roots:         roots,
				Intermediates: above,
				KeyUsages:     []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
			})
			return err
		},
	}, nil
}
