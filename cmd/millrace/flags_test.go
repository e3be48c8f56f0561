package main

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"testing"
)

func TestParseKey(t *testing.T) {
	const word = "0123456789abcdef0123456789abcdef"
	sum := sha256.Sum256([]byte(word))
	f := func(text string, sites ...string) {
		t.Helper()
		k, err := parseKey(text)
		if err != nil || k.hash != sum || !slices.Equal(k.sites, sites) {
			t.Errorf("%q gives %x, %q, %v", text, k.hash, k.sites, err)
		}
	}
	f(word)
	f(word+"@a.example", "a.example")
	f(word+"@a.example+b.example", "a.example", "b.example")
	f("sha256:" + hex.EncodeToString(sum[:]))
	f("sha256:"+hex.EncodeToString(sum[:])+"@a.example", "a.example")
	for _, text := range []string{"", "short", word + "@", word + "@A", "sha256:", "sha256:zz", "sha256:" + word} {
		if _, err := parseKey(text); err == nil {
			t.Errorf("%q is accepted", text)
		}
	}
	_, err := parseKeys("--write-keys", []string{word, "secret"})
	if err == nil || !strings.Contains(err.Error(), "key 2") || strings.Contains(err.Error(), "secret") {
		t.Errorf("error %v", err)
	}
}

func TestSiteList(t *testing.T) {
	f := func(listen, sites, want string, any bool) {
		t.Helper()
		flags := accessFlags{}
		if sites != "" {
			flags.Sites = strings.Split(sites, ",")
		}
		got, gotAny, err := flags.siteList(listen)
		if err != nil || gotAny != any || strings.Join(got, ",") != want {
			t.Errorf("%s with %q: %q, %v, %v", listen, sites, got, gotAny, err)
		}
	}
	f("127.0.0.1:8080", "", "", true)
	f("[::1]:8080", "", "", true)
	f("localhost:8080", "", "", true)
	f("127.0.0.1:8080", "a.example", "a.example", false)
	f(":8080", "a.example,b.example", "a.example,b.example", false)
	f("0.0.0.0:8080", "any", "", true)
	for _, listen := range []string{":8080", "0.0.0.0:8080", "[::]:8080", "192.0.2.1:80", "example.com:80"} {
		if _, _, err := (&accessFlags{}).siteList(listen); err == nil {
			t.Errorf("%s without --sites is accepted", listen)
		}
	}
}

func TestProxiesAndZones(t *testing.T) {
	flags := accessFlags{TrustedProxies: []string{"10.1.2.3/8", "192.0.2.7", "2001:db8::/32"}, TimeZone: "UTC",
		SiteTimeZones: map[string]string{"a.example": "Europe/Berlin"}}
	nets, err := flags.proxies()
	if err != nil || len(nets) != 3 || nets[0].String() != "10.0.0.0/8" || nets[1].String() != "192.0.2.7/32" {
		t.Errorf("%v, %v", nets, err)
	}
	if _, zones, err := flags.zones(); err != nil || zones["a.example"].String() != "Europe/Berlin" {
		t.Errorf("%v, %v", zones, err)
	}
	for _, bad := range []accessFlags{
		{TimeZone: "Nowhere/Town"},
		{TimeZone: "UTC", SiteTimeZones: map[string]string{"a.example": "CEST"}},
		{TimeZone: "UTC", SiteTimeZones: map[string]string{"A": "UTC"}},
	} {
		if _, _, err := bad.zones(); err == nil {
			t.Errorf("%+v is accepted", bad)
		}
	}
	if _, err := (&accessFlags{TrustedProxies: []string{"lan"}}).proxies(); err == nil {
		t.Error("a network that is none is accepted")
	}
}
