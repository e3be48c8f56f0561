package clients

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// Carries returns a function for StartProxy, which reports whether a request has an event of a name:
// in its address or its body, which may be packed with gzip, or a form with base64 of JSON.
func Carries(name string) func(*http.Request) bool {
	return func(r *http.Request) bool {
		body, err := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		if err != nil {
			return false
		}
		if packed, err := gzip.NewReader(bytes.NewReader(body)); err == nil {
			if body, err = io.ReadAll(packed); err != nil {
				return false
			}
		}
		text := string(body)
		for _, form := range []string{text, r.URL.RawQuery} {
			if strings.Contains(form, name) {
				return true
			}
			values, err := url.ParseQuery(form)
			if err != nil {
				continue
			}
			for _, key := range []string{"data", "data_list"} {
				data, err := base64.StdEncoding.DecodeString(values.Get(key))
				if err == nil && bytes.Contains(data, []byte(name)) {
					return true
				}
			}
		}
		return false
	}
}
