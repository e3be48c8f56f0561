package statsapi

import (
	"strings"
)

// Keys decides who may query. Implementations must take the same time whether a key is nearly right
// or not.
type Keys interface {
	// Allow reports whether the holder of key may query site.
	Allow(key, site string) bool
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
