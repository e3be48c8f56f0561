package client

import (
	"net/http"
	"strings"
)

// Pages returns a handler that counts a view for each page that next answers: a GET with 2xx and
// HTML, or with 304 where the browser says that it is for a page. What browsers load ahead is not
// counted, and neither are requests without a user agent, which are no browsers. Skip leaves out
// further ones, such as OptedOut; nil for none.
//
// Events that can't be taken are in Stats alone.
func (c *Client) Pages(next http.Handler, skip func(*http.Request) bool) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet || !mayBePage(r) || skip != nil && skip(r) {
			next.ServeHTTP(w, r)
			return
		}
		view := c.FromRequest(r, PageView) // as long as it is whole
		pw := &pageWriter{ResponseWriter: w}
		next.ServeHTTP(pw, r)
		if pw.page(r) {
			_ = c.Track(view)
		}
	})
}

// mayBePage reports whether a request may be for a page that a visitor opens.
func mayBePage(r *http.Request) bool {
	for _, name := range [...]string{"Sec-Purpose", "Purpose", "X-Purpose", "X-Moz"} {
		v := strings.ToLower(r.Header.Get(name))
		if strings.Contains(v, "prefetch") || strings.Contains(v, "prerender") || strings.Contains(v, "preview") {
			return false
		}
	}
	dest := r.Header.Get("Sec-Fetch-Dest")
	return r.UserAgent() != "" && (dest == "" || dest == "document")
}

// pageWriter notes what is answered.
type pageWriter struct {
	http.ResponseWriter
	status int    // 0 while nothing is answered
	seen   string // the type that the beginning of the body has
}

// page reports whether the answer is a page.
func (w *pageWriter) page(r *http.Request) bool {
	if w.status == http.StatusNotModified {
		return r.Header.Get("Sec-Fetch-Dest") == "document"
	}
	kind := w.Header().Get("Content-Type")
	if kind == "" {
		kind = w.seen
	}
	return w.status/100 == 2 && isHTML(kind)
}

// WriteHeader notes the first status that is an answer.
func (w *pageWriter) WriteHeader(status int) {
	if w.status == 0 && status >= 200 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write notes what a handler answers that names no status, and perhaps no type.
func (w *pageWriter) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	if w.seen == "" {
		w.seen = http.DetectContentType(b)
	}
	return w.ResponseWriter.Write(b)
}

// Flush flushes the writer below, if it can.
func (w *pageWriter) Flush() { _ = http.NewResponseController(w.ResponseWriter).Flush() }

// Unwrap returns the writer below, for http.ResponseController.
func (w *pageWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func isHTML(contentType string) bool {
	kind, _, _ := strings.Cut(contentType, ";")
	kind = strings.ToLower(strings.TrimSpace(kind))
	return kind == "text/html" || kind == "application/xhtml+xml"
}
