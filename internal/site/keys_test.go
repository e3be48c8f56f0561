package site

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestParseKey(t *testing.T) {
	const word = "0123456789abcdef0123456789abcdef"
	sum := sha256.Sum256([]byte(word))
	f := func(text string, sites ...string) {
		t.Helper()
		k, err := parseKey(text)
		if err != nil || k.Hash != sum || !slices.Equal(k.Sites, sites) {
			t.Errorf("%q gives %x, %q, %v", text, k.Hash, k.Sites, err)
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
	// A key that is there for several sites, one by one, opens all of them.
	keys, err := parseKeys("--write-keys", []string{word + "@a.example", word + "x", word + "@b.example"})
	if k := keys.Find([]byte(word)); err != nil || len(keys) != 2 || k == nil || !k.Opens("a.example") || !k.Opens("b.example") || k.Opens("c.example") {
		t.Errorf("%+v, %v", keys, err)
	}
	keys, err = parseKeys("--write-keys", []string{word + "@a.example", word})
	if k := keys.Find([]byte(word)); err != nil || k == nil || !k.Opens("c.example") {
		t.Errorf("%+v, %v", keys, err)
	}
	_, err = parseKeys("--write-keys", []string{word, "secret"})
	if err == nil || !strings.Contains(err.Error(), "key 2") || strings.Contains(err.Error(), "secret") {
		t.Errorf("error %v", err)
	}
}

func TestAllow(t *testing.T) {
	const all, scoped = "0123456789abcdef0123456789abcdef", "fedcba9876543210fedcba9876543210"
	keys, err := parseKeys("--query-keys", []string{all, scoped + "@a.example"})
	if err != nil {
		t.Fatal(err)
	}
	f := func(sent, site string, want bool) {
		t.Helper()
		if got := keys.Allow(sent, site); got != want {
			t.Errorf("%q and %s: %v, want %v", sent, site, got, want)
		}
		if k := keys.Find([]byte(sent)); (k != nil && k.Opens(site)) != want {
			t.Errorf("%q and %s: Find returns %v", sent, site, k)
		}
	}
	f(all, "a.example", true)
	f(all, "b.example", true)
	f(scoped, "a.example", true)
	f(scoped, "b.example", false)
	f("", "a.example", false)
	f(all[1:], "a.example", false)
	if (Keys{}).Allow("", "a.example") || Keys(nil).Find(nil) != nil {
		t.Error("no keys let a caller in")
	}
}

// TestManyKeys: a key is found among very many without looking at each.
func TestManyKeys(t *testing.T) {
	keys := NewKeys()
	for i := range 50_000 {
		keys.add(Key{Hash: sha256.Sum256(fmt.Appendf(nil, "key %d", i)), Sites: []string{fmt.Sprintf("s%d.example", i)}})
	}
	start := time.Now()
	for i := range 1000 {
		if !keys.Allow(fmt.Sprintf("key %d", i), fmt.Sprintf("s%d.example", i)) || keys.Allow(fmt.Sprintf("key %d", i), "s.example") || keys.Allow("no key", "s1.example") {
			t.Fatalf("key %d", i)
		}
	}
	if d := time.Since(start); d > 5*time.Second { // 150 million comparisons were more
		t.Errorf("3,000 looks took %v", d)
	}
}
