package strictjson

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestCheck(t *testing.T) {
	var p Parser
	ok := func(s string) {
		t.Helper()
		agree(t, &p, []byte(s))
		if err := Check([]byte(s)); err != nil {
			t.Errorf("%s: %v", s, err)
		}
	}
	bad := func(s, msg string) {
		t.Helper()
		agree(t, &p, []byte(s))
		if err := Check([]byte(s)); err == nil || err.Error() != msg {
			t.Errorf("%s\ngot  %v\nwant %s", s, err, msg)
		}
	}
	ok(`{"a":[1,-0,0.5,1e9,1E+9,1.25e-3],"b":{"a":null,"b":true,"c":false},"":""}`)
	ok(" [ ] ")
	ok("\r\n{\t}\n")
	ok(`"é 𝄞 \ud834\udd1e \u00e9 \" \\ \/ \b\f\n\r\t ` + "\x7f\u2028" + `"`)
	ok(`[{"a":1},{"a":1}]`)
	ok(`{"a":{"a":{"a":1}},"A":1}`)
	ok(strings.Repeat("[", MaxDepth) + strings.Repeat("]", MaxDepth))

	// Numbers that are none.
	bad(`01`, `a number that begins with 0 goes on at byte 1`)
	bad(`[-01]`, `a number that begins with 0 goes on at byte 3`)
	bad(`1.`, `the text ends where a digit should be at byte 2`)
	bad(`{"a":1.}`, `'}' where a digit should be at byte 7`)
	bad(`.5`, `'.' where a value should be at byte 0`)
	bad(`+1`, `'+' where a value should be at byte 0`)
	bad(`-`, `the text ends where a digit should be at byte 1`)
	bad(`1e`, `the text ends where a digit should be at byte 2`)
	bad(`1e+`, `the text ends where a digit should be at byte 3`)
	bad(`0x10`, `'x' after the end of the value at byte 1`)
	bad(`1_000`, `'_' after the end of the value at byte 1`)
	bad(`NaN`, `'N' where a value should be at byte 0`)
	bad(`nan`, `'n' where a value should be at byte 0`)
	bad(`[Infinity]`, `'I' where a value should be at byte 1`)
	bad(`-Infinity`, `'I' where a digit should be at byte 1`)
	// Strings.
	bad(`"\x41"`, `an escape that is none, or half of a surrogate pair, at byte 1`)
	bad(`"\u12"`, `an escape that is none, or half of a surrogate pair, at byte 1`)
	bad(`"\u12g4"`, `an escape that is none, or half of a surrogate pair, at byte 1`)
	bad(`"\ud800"`, `an escape that is none, or half of a surrogate pair, at byte 1`)
	bad(`"\ud800 \udc00"`, `an escape that is none, or half of a surrogate pair, at byte 1`)
	bad(`"\ud800\u0041"`, `an escape that is none, or half of a surrogate pair, at byte 1`)
	bad(`"\udc00\ud800"`, `an escape that is none, or half of a surrogate pair, at byte 1`)
	bad(`"a`, `the text ends within a string at byte 2`)
	bad(`"a\`, `an escape that is none, or half of a surrogate pair, at byte 2`)
	bad("\"a\nb\"", `a control character within a string at byte 2`)
	bad("\"12345678\x00\"", `a control character within a string at byte 9`)
	bad("\"a\xff\"", `invalid UTF-8 at byte 2`)
	bad("\"\xed\xa0\x80\"", `invalid UTF-8 at byte 1`)
	bad(`'a'`, `'\'' where a value should be at byte 0`)
	// Keys.
	bad(`{"a":1,"a":1}`, `the key "a" is given twice at byte 7`)
	bad(`[{"p":{"x":{"b":1,"c":2,"b":3}}}]`, `the key "b" is given twice at byte 24`)
	bad(`{"a":1,"\u0061":2}`, `the key "a" is given twice at byte 7`)
	bad(`{"\ud834\udd1e\/":1,"𝄞/":2}`, `the key "𝄞/" is given twice at byte 20`)
	bad(`{"\n":1,"\u000a":2}`, `the key "\n" is given twice at byte 8`)
	bad(`{a:1}`, `'a' where a key should be at byte 1`)
	bad(`{1:1}`, `'1' where a key should be at byte 1`)
	bad(`{"a" 1}`, `'1' where a colon should be at byte 5`)
	// Commas, ends, blanks.
	bad(`{"a":1,}`, `'}' where a key should be at byte 7`)
	bad(`[1,]`, `']' where a value should be at byte 3`)
	bad(`[1 2]`, `'2' where a comma or ] should be at byte 3`)
	bad(`{"a":1 "b":2}`, `'"' where a comma or } should be at byte 7`)
	bad(`[1`, `the text ends where a comma or ] should be at byte 2`)
	bad(`{`, `the text ends where a key should be at byte 1`)
	bad(``, `the text ends where a value should be at byte 0`)
	bad(`{} {}`, `'{' after the end of the value at byte 3`)
	bad("\ufeff{}", `'\ufeff' where a value should be at byte 0`)
	bad("[\v1]", `'\v' where a value should be at byte 1`)
	bad("[1/**/]", `'/' where a comma or ] should be at byte 2`)
	bad("[\x00]", `'\x00' where a value should be at byte 1`)
	bad(`tru`, `'t' where a value should be at byte 0`)
	bad(strings.Repeat("[", MaxDepth+1)+strings.Repeat("]", MaxDepth+1), `values are nested deeper than 300 at byte 300`)
}

func TestNumber(t *testing.T) {
	for s, want := range map[string]bool{"0": true, "-12.5e+7": true, "1E9": true, "": false, "01": false, "1.": false, "NaN": false, "1 ": false, "-": false, "inf": false} {
		if Number(s) != want {
			t.Errorf("%q: %v", s, !want)
		}
	}
}

// Of many keys each is compared with all.
func TestManyKeys(t *testing.T) {
	var c Checker
	var p Parser
	for n := 1; n < 3*fewKeys; n++ {
		var s strings.Builder
		for i := range n {
			fmt.Fprintf(&s, `"k%d":{"k0":0,"k1":1},`, i)
		}
		between := n%fewKeys > 1 && n%fewKeys < fewKeys-1
		if !between {
			agree(t, &p, []byte("{"+strings.TrimSuffix(s.String(), ",")+"}"))
		}
		if err := c.Check([]byte("{" + strings.TrimSuffix(s.String(), ",") + "}")); err != nil {
			t.Fatal(n, err)
		}
		for _, again := range []int{0, n / 2, n - 1} {
			if !between {
				agree(t, &p, fmt.Appendf(nil, `{%s"k%d":1}`, s.String(), again))
			}
			if err := c.Check(fmt.Appendf(nil, `{%s"k%d":1}`, s.String(), again)); err == nil || !strings.Contains(err.Error(), "is given twice") {
				t.Fatalf("k%d after %d: %v", again, n, err)
			}
		}
	}
}

// Of keys of any length, some of which have one mark, only those that are equal are twice.
func TestMarks(t *testing.T) {
	var c Checker
	for n := range 40 {
		var s strings.Builder
		for i := range fewKeys - 1 {
			fmt.Fprintf(&s, `"%s%03d%s":1,`, strings.Repeat("a", n/2), i, strings.Repeat("b", n-n/2))
		}
		if err := c.Check([]byte("{" + strings.TrimSuffix(s.String(), ",") + "}")); err != nil {
			t.Fatal(n, err)
		}
		again := fmt.Sprintf(`"%s%03d%s":1`, strings.Repeat("a", n/2), n, strings.Repeat("b", n-n/2))
		if err := c.Check([]byte("{" + s.String() + again + "}")); err == nil || !strings.Contains(err.Error(), "is given twice") {
			t.Fatalf("%s: %v", again, err)
		}
	}
}

// plain finds the first of its characters wherever it is.
func TestPlain(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := rapid.SliceOf(rapid.SampledFrom([]byte{'a', '"', '\\', 0x1f, 0x20, 0x21, 0x7f, 0x80, 0xa2, 0xdc, 0xff, '!', '#', '[', ']'})).Draw(t, "b")
		i := rapid.IntRange(0, len(b)).Draw(t, "i")
		want := i
		for want < len(b) && b[want] != '"' && b[want] != '\\' && b[want] >= 0x20 {
			want++
		}
		if got := plain(b, i); got != want {
			t.Fatalf("%q from %d: %d, want %d", b, i, got, want)
		}
	})
}

// FuzzCheck: what encoding/json refuses is refused; what is accepted reads as what was written, with no key twice; and a
// Parser reads that, and the same as fastjson does.
func FuzzCheck(f *testing.F) {
	for _, s := range []string{
		`{"a":[1,-0.5e+3,null,true,false,"\u00e9\n"],"b":{}}`, `01`, `1.`, `NaN`, `"\ud800"`, `{"a":1,"a":2}`, `{"a":1,"\u0061":2}`,
		"\"\x01\"", "\"\xff\"", `[1,]`, `{"a":1}x`, `""`, ` `, `"\`,
	} {
		f.Add([]byte(s))
	}
	var c Checker
	var p Parser
	f.Fuzz(func(t *testing.T, b []byte) {
		agree(t, &p, b)
		err := c.Check(b)
		if fresh := Check(b); fmt.Sprint(fresh) != fmt.Sprint(err) {
			t.Fatalf("%q: %v, with a fresh checker %v", b, err, fresh)
		}
		if err != nil {
			return
		}
		if !json.Valid(b) || !utf8.Valid(b) {
			t.Fatalf("%q is no JSON", b)
		}
		if keys, twice := members(json.NewDecoder(strings.NewReader(string(b)))); twice {
			t.Fatalf("%q has a key twice: %q", b, keys)
		}
	})
}

// members reports whether an object in the next value has a key twice.
func members(d *json.Decoder) (key string, twice bool) {
	open, err := d.Token()
	if err != nil || open != json.Delim('{') && open != json.Delim('[') {
		return "", false
	}
	seen := map[string]bool{}
	for d.More() {
		if open == json.Delim('{') {
			k, _ := d.Token()
			if seen[k.(string)] {
				return k.(string), true
			}
			seen[k.(string)] = true
		}
		if key, twice := members(d); twice {
			return key, true
		}
	}
	_, _ = d.Token()
	return "", false
}

func BenchmarkCheck(b *testing.B) {
	body := []byte(`{"site":"shop.example.com","name":"pageview","url":"https://shop.example.com/products/blue-chair?utm_source=news","referrer":"https://www.google.com/","screen":"1920x1080","props":{"author":"Ada","plan":"pro"}}`)
	var c Checker
	b.ReportAllocs()
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		if err := c.Check(body); err != nil {
			b.Fatal(err)
		}
	}
}
