package main

import (
	"testing"
)

func TestProxies(t *testing.T) {
	flags := accessFlags{TrustedProxies: []string{"10.1.2.3/8", "192.0.2.7", "2001:db8::/32"}}
	nets, err := flags.proxies()
	if err != nil || len(nets) != 3 || nets[0].String() != "10.0.0.0/8" || nets[1].String() != "192.0.2.7/32" {
		t.Errorf("%v, %v", nets, err)
	}
	if _, err := (&accessFlags{TrustedProxies: []string{"lan"}}).proxies(); err == nil {
		t.Error("a network that is none is accepted")
	}
}
