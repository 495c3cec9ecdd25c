// A TLS peer that leaves everything to go-spiffe, as programs do that have no sidecar.
//
//	peer connect ADDRESS -cert F -key F -bundle F -expect ID   request on stdin, response on stdout
//	peer listen          -cert F -key F -bundle F -expect ID   prints its port; answers each request
//	peer check           -cert F -key F -bundle F              prints the id, or why it is not an SVID
package main

import (
	"fmt"

	"denim.dev/tests/peer/wire"
	"github.com/spiffe/go-spiffe/v2/bundle/x509bundle"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"github.com/spiffe/go-spiffe/v2/spiffetls/tlsconfig"
	"github.com/spiffe/go-spiffe/v2/svid/x509svid"
)

func main() {
	wire.Main(run)
}

func run(args wire.Args) error {
	svid, err := x509svid.Load(args.Cert, args.Key)
	if err != nil {
		return err
	}
	bundle, err := x509bundle.Load(spiffeid.RequireTrustDomainFromString("mesh.test"), args.Bundle)
	if err != nil {
		return err
	}
	if args.Verb == "check" {
		id, _, err := x509svid.Verify(svid.Certificates, bundle)
		if err == nil {
			fmt.Println(id)
		}
		return err
	}
	wanted, err := spiffeid.FromString(args.Expect)
	if err != nil {
		return err
	}
	if args.Verb == "connect" {
		return args.Do(tlsconfig.MTLSClientConfig(svid, bundle, tlsconfig.AuthorizeID(wanted)))
	}
	return args.Do(tlsconfig.MTLSServerConfig(svid, bundle, tlsconfig.AuthorizeID(wanted)))
}
