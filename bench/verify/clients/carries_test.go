package clients

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http/httptest"
	"testing"
)

func TestCarries(t *testing.T) {
	f := func(target, body string, want bool) {
		t.Helper()
		r := httptest.NewRequest("POST", target, bytes.NewReader([]byte(body)))
		if got := Carries("Order")(r); got != want {
			t.Errorf("%s with %q: %v, want %v", target, body, got, want)
		}
		if rest, err := io.ReadAll(r.Body); err != nil || string(rest) != body {
			t.Errorf("what is left of the body is %q, %v", rest, err)
		}
	}
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	io.WriteString(w, `{"event":"Order"}`)
	w.Close()
	f("/e/", packed.String(), true)
	f("/e/", `{"event":"Order"}`, true)
	f("/e/", `{"event":"$pageleave"}`, false)
	f("/g/collect?en=Order", "", true)
	f("/g/collect?en=page_view", "", false)
	f("/track/", "data=W3siZXZlbnQiOiJPcmRlciJ9XQ%3D%3D", true)
	f("/sa.gif", "data_list=W3siZXZlbnQiOiJPcmRlciJ9XQ%3D%3D", true)
	f("/flags/", "data=e30%3D", false)
}
