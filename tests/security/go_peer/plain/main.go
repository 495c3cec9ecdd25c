// A TLS peer on Go's crypto/tls that shows any certificate, good or bad, and judges the other side by
// Go's own x509 and the SPIFFE rule of one URI.
//
//	peer connect ADDRESS -cert F -key F -bundle F -expect ID   request on stdin, response on stdout
//	peer listen          -cert F -key F -bundle F -expect ID   prints its port; answers each request
//
// Without -cert a client shows none.
package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"

	"denim.dev/tests/peer/wire"
)

func main() {
	wire.Main(func(args wire.Args) error {
		config, err := config(args)
		if err != nil {
			return err
		}
		return args.Do(config)
	})
}

func config(args wire.Args) (*tls.Config, error) {
	roots := x509.NewCertPool()
	pemText, err := os.ReadFile(args.Bundle)
	if err != nil || !roots.AppendCertsFromPEM(pemText) {
		return nil, errors.Join(err, errors.New("no roots"))
	}
	config := &tls.Config{
		MinVersion: tls.VersionTLS13,
		NextProtos: []string{"http/1.1"},
		ClientAuth: tls.RequireAnyClientCert,
		// Names are SPIFFE ids: the usual check cannot judge them.
		InsecureSkipVerify: true,
		VerifyConnection: func(state tls.ConnectionState) error {
			return judge(state.PeerCertificates, roots, args.Expect)
		},
	}
	if args.Cert == "" {
		return config, nil
	}
	shown, err := read(args.Cert, args.Key)
	if err != nil {
		return nil, err
	}
	config.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return shown, nil }
	config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return shown, nil }
	return config, nil
}

func judge(chain []*x509.Certificate, roots *x509.CertPool, expect string) error {
	intermediates := x509.NewCertPool()
	for _, one := range chain[1:] {
		intermediates.AddCert(one)
	}
	leaf := chain[0]
	_, err := leaf.Verify(x509.VerifyOptions{
		Roots:         roots,
		Intermediates: intermediates,
		KeyUsages:     []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	})
	if err != nil {
		return err
	}
	if len(leaf.URIs) != 1 || leaf.URIs[0].String() != expect {
		return fmt.Errorf("the peer is %v, wanted %s", leaf.URIs, expect)
	}
	return nil
}

// read takes certificate and key as they are: a pair that does not fit is an attack to try.
func read(certFile, keyFile string) (*tls.Certificate, error) {
	shown := &tls.Certificate{}
	text, err := os.ReadFile(certFile)
	if err != nil {
		return nil, err
	}
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		shown.Certificate = append(shown.Certificate, block.Bytes)
	}
	text, err = os.ReadFile(keyFile)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(text)
	if block.Type == "EC PRIVATE KEY" {
		shown.PrivateKey, err = x509.ParseECPrivateKey(block.Bytes)
	} else {
		shown.PrivateKey, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	}
	return shown, err
}
