package wire

import (
	"crypto/tls"
	"flag"
	"fmt"
	"os"
)

// Args are what both peers are told on the command line.
type Args struct {
	Verb, Address             string
	Cert, Key, Bundle, Expect string
}

// Main does what the command line asks for; an error is said on stderr, with code 1.
func Main(run func(Args) error) {
	if err := run(parse(os.Args[1], os.Args[2:])); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func parse(verb string, words []string) Args {
	args := Args{Verb: verb}
	if verb == "connect" {
		args.Address, words = words[0], words[1:]
	}
	flags := flag.NewFlagSet(verb, flag.ExitOnError)
	flags.StringVar(&args.Cert, "cert", "", "chain to show")
	flags.StringVar(&args.Key, "key", "", "its key")
	flags.StringVar(&args.Bundle, "bundle", "", "roots to believe")
	flags.StringVar(&args.Expect, "expect", "", "SPIFFE id of the other side")
	flags.Parse(words) // which ends the program where it fails
	return args
}

// Do connects or listens, as the verb says.
func (args Args) Do(config *tls.Config) error {
	if args.Verb == "connect" {
		return connect(args.Address, config)
	}
	return listen(config)
}
