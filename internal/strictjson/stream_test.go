package strictjson

import (
	"strings"
	"testing"
)

// PlainAt finds the end of a string wherever it is, and what is not plain wherever that is.
func TestPlainAt(t *testing.T) {
	var p Parser
	for n := range 40 {
		plain := strings.Repeat("a ~!", 10)[:n]
		p.Begin([]byte(`{"` + plain + `":1}`))
		if s, end := p.PlainAt(2); s != plain || end != 2+n+1 || p.At(end) != ':' {
			t.Fatalf("%q: got %q and %d", plain, s, end)
		}
		p.Begin([]byte(`"` + plain)) // the end is missing
		if s, end := p.PlainAt(1); s != "" || end != 0 {
			t.Fatalf("%q without an end: got %q and %d", plain, s, end)
		}
		for _, odd := range []string{"\\", "\x00", "\x1f", "\n", "\x7f", "\x80", "é", "\xff"} {
			p.Begin([]byte(`"` + plain + odd + `aaaaaaaa"`))
			if s, end := p.PlainAt(1); s != "" || end != 0 {
				t.Fatalf("%q with %q: got %q and %d", plain, odd, s, end)
			}
		}
	}
}

// Word is what WordOf makes of the text, up to its end.
func TestWord(t *testing.T) {
	var p Parser
	const text = `{"name":"x"}`
	p.Begin([]byte(text))
	for i := range len(text) + 1 {
		if got, want := p.Word(i), WordOf(text[i:min(i+8, len(text))]); got != want {
			t.Errorf("at %d: %#x, want %#x", i, got, want)
		}
	}
	if p.Text(2, 6) != "name" || p.At(len(text)) != 0 {
		t.Error("a part of the text, or its end")
	}
}
