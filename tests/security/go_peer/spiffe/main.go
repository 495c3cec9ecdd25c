// A TLS peer that leaves everything to go-spiffe, as programs do that have no sidecar.
//
//	peer connect ADDRESS -cert F -key F -bundle F -expect ID   request on stdin, response on stdout
//	peer listen          -cert F -key F -bundle F -expect ID   prints its port; answers each request
//	peer check           -cert F -key F -bundle F              prints the id, or why it is not an SVID
package main

import (
	"flag"
	"fmt"
	"os"

	"denim.dev/tests/peer/wire"
	"github.com/spiffe/go-spiffe/v2/bundle/x509bundle"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"github.com/spiffe/go-spiffe/v2/spiffetls/tlsconfig"
	"github.com/spiffe/go-spiffe/v2/svid/x509svid"
)

func main() {
	if err := run(os.Args[1], os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(verb string, args []string) error {
	address := ""
	if verb == "connect" {
		address, args = args[0], args[1:]
	}
	flags := flag.NewFlagSet(verb, flag.ExitOnError)
	cert := flags.String("cert", "", "")
	key := flags.String("key", "", "")
	bundleFile := flags.String("bundle", "", "")
	domain := flags.String("domain", "mesh.test", "")
	expect := flags.String("expect", "", "")
	if err := flags.Parse(args); err != nil {
		return err
	}
	svid, err := x509svid.Load(*cert, *key)
	if err != nil {
		return err
	}
	bundle, err := x509bundle.Load(spiffeid.RequireTrustDomainFromString(*domain), *bundleFile)
	if err != nil {
		return err
	}
	if verb == "check" {
		id, _, err := x509svid.Verify(svid.Certificates, bundle)
		if err == nil {
			fmt.Println(id)
		}
		return err
	}
	wanted, err := spiffeid.FromString(*expect)
	if err != nil {
		return err
	}
	if verb == "connect" {
		return wire.Connect(address, tlsconfig.MTLSClientConfig(svid, bundle, tlsconfig.AuthorizeID(wanted)))
	}
	return wire.Listen(tlsconfig.MTLSServerConfig(svid, bundle, tlsconfig.AuthorizeID(wanted)))
}
