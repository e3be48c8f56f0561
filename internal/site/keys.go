package site

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"millrace/engine/event"
)

// Key is an API key as it is kept: its hash, never itself.
type Key struct {
	// Hash is the SHA-256 of the key. A plain hash suffices because a key has 256 random bits.
	Hash [sha256.Size]byte
	// Sites are those that the key opens, sorted; empty is every site.
	Sites []string
}

// Opens reports whether the key is good for a site.
func (k *Key) Opens(site string) bool {
	if len(k.Sites) == 0 {
		return true
	}
	_, found := slices.BinarySearch(k.Sites, site)
	return found
}

// Keys are keys by their hashes. It does not change once it is read; an empty one lets no one in.
//
// A key that was sent is looked up by its hash, however many there are. How long that takes tells
// something of the hash alone, and a sender who could choose hashes would have broken SHA-256.
type Keys map[[sha256.Size]byte]*Key

// NewKeys returns a set of keys, each once, with the sites of all that are the same.
func NewKeys(list ...Key) Keys {
	ks := make(Keys, len(list))
	for i := range list {
		ks.add(list[i])
	}
	return ks
}

// add adds a key. One that is there already opens the sites of both.
func (ks Keys) add(k Key) {
	was := ks[k.Hash]
	switch {
	case was == nil:
		k.Sites = slices.Sorted(slices.Values(k.Sites))
		ks[k.Hash] = &k
	case len(was.Sites) == 0 || len(k.Sites) == 0:
		was.Sites = nil // of either: every site
	default:
		for _, site := range k.Sites {
			if i, found := slices.BinarySearch(was.Sites, site); !found {
				was.Sites = slices.Insert(was.Sites, i, site)
			}
		}
	}
}

// addAll adds the keys of another set.
func (ks Keys) addAll(other Keys) {
	for _, k := range other {
		ks.add(*k)
	}
}

// Find returns the key that a caller has sent, nil if there is none.
func (ks Keys) Find(sent []byte) *Key { return ks[sha256.Sum256(sent)] }

// Allow reports whether the holder of a key may use a site.
func (ks Keys) Allow(sent, site string) bool {
	k := ks.Find([]byte(sent))
	return k != nil && k.Opens(site)
}

// parseKeys reads the keys of a flag: KEY or sha256:HEX, and @site+site behind it if it is good for
// some sites only.
func parseKeys(flag string, texts []string) (Keys, error) {
	keys := NewKeys()
	for i, text := range texts {
		k, err := parseKey(text)
		if err != nil {
			return nil, fmt.Errorf("%s: key %d: %w", flag, i+1, err) // the key itself is a secret
		}
		keys.add(k)
	}
	return keys, nil
}

// hashPrefix is what the hash of a key is written behind.
const hashPrefix = "sha256:"

func parseKey(text string) (Key, error) {
	const leastLen = 16
	var k Key
	word, sites, scoped := strings.Cut(text, "@")
	if scoped {
		k.Sites = strings.Split(sites, "+")
		for _, s := range k.Sites {
			if event.ValidSite(s) != nil { // which is not shown: it may be the rest of a key
				return Key{}, errors.New("what is behind @ is not a list of sites such as shop.example.com+blog.example.com")
			}
		}
	}
	if digits, ok := strings.CutPrefix(word, hashPrefix); ok {
		sum, err := hex.DecodeString(digits)
		if err != nil || len(sum) != sha256.Size {
			return Key{}, errors.New("behind sha256: there are not 64 hexadecimal digits")
		}
		copy(k.Hash[:], sum)
		return k, nil
	}
	if len(word) < leastLen {
		return Key{}, fmt.Errorf("shorter than %d characters; make one with: openssl rand -hex 32", leastLen)
	}
	k.Hash = sha256.Sum256([]byte(word))
	return k, nil
}
