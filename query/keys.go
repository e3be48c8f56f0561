package query

import (
	"crypto/sha256"
	"crypto/subtle"
	"slices"
	"strings"
)

// Keys decides who may ask. Implementations must take the same time whether a key is nearly right or not.
type Keys interface {
	// Allow tells whether the holder of key may ask about site.
	Allow(key, site string) bool
}

// Key is one key as it is kept: its hash, never itself.
type Key struct {
	SHA256 [sha256.Size]byte
	// Sites are those the key opens; empty is every site.
	Sites []string
}

// HashKey returns the form a key is kept in. A plain hash suffices because keys are 256 random bits.
func HashKey(key string) [sha256.Size]byte { return sha256.Sum256([]byte(key)) }

// KeyRing is a fixed set of keys. An empty one lets nobody in.
type KeyRing []Key

// Allow implements Keys. It compares with every key of the ring, in constant time each.
func (r KeyRing) Allow(key, site string) bool {
	h := HashKey(key)
	allowed := false
	for i := range r {
		same := subtle.ConstantTimeCompare(h[:], r[i].SHA256[:]) == 1
		if same && (len(r[i].Sites) == 0 || slices.Contains(r[i].Sites, site)) {
			allowed = true
		}
	}
	return allowed
}

// bearer returns the key of an Authorization header, "" if there is none.
func bearer(header string) string {
	scheme, key, _ := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(key)
}

func (s *Server) authorize(header, site string) error {
	if s.opts.Keys == nil {
		return nil
	}
	key := bearer(header)
	if key == "" {
		return errorf(401, "Missing API key. Send it as the header `Authorization: Bearer KEY`.")
	}
	if !s.opts.Keys.Allow(key, site) {
		return errorf(401, "Invalid API key or site ID. Make sure that the key is right and opens the site %q.", site)
	}
	return nil
}
