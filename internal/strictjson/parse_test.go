package strictjson

import (
	"strings"
	"testing"

	"github.com/valyala/fastjson"
)

// agree holds a Parser against fastjson and Check: it reads what both take, and the same of it.
func agree(t *testing.T, p *Parser, text []byte) {
	t.Helper()
	want, err := fastjson.ParseBytes(text)
	if err == nil {
		err = Check(text)
	}
	before := string(text)
	got, ok := p.Parse(text)
	if ok != (err == nil) {
		t.Fatalf("%q is read: %v; %v", text, ok, err)
	}
	if string(text) != before {
		t.Fatalf("%q has become %q", before, text)
	}
	if ok {
		same(t, got, want)
	}
	inParts(t, p, text, ok)
	if loose, err := ParseLenient(text); err == nil {
		want, _ := fastjson.ParseBytes(text)
		sameKids(t, loose, want)
	}
}

// inParts reads an object in parts, and holds that against the object as a whole if it is one. Two
// keys of it may be alike.
func inParts(t *testing.T, p *Parser, text []byte, whole bool) {
	t.Helper()
	var q Parser
	want, _ := q.Parse(text)
	n := 0
	p.Begin(text)
	if !p.Take('{') {
		return
	}
	for more := true; more; more = p.Take(',') {
		key, v := p.Field()
		if whole && len(want.kids) > 0 {
			kid := want.kids[n]
			if key != kid.key || v.kind != kid.kind || v.text != kid.text || kid.plain && !v.plain {
				t.Fatalf("%q: in parts %q is %+v, want %+v", text, key, v, kid)
			}
		}
		n++
	}
	if read := p.Take('}') && p.Ended(); whole && len(want.kids) > 0 {
		if n != len(want.kids) || !read {
			t.Fatalf("%q: %d fields in parts, to the end: %v", text, n, read)
		}
	} else if err, _ := Check(text).(*Error); read && (err == nil || !strings.Contains(err.Msg, "twice")) {
		t.Fatalf("%q is read in parts, and should not be: %v", text, err)
	}
}

// same compares values with all that is in them.
func same(t *testing.T, got *Value, want *fastjson.Value) {
	t.Helper()
	switch want.Type() {
	case fastjson.TypeObject, fastjson.TypeArray, fastjson.TypeNumber, fastjson.TypeString:
		if text := want.MarshalTo(nil); string(got.Append(nil)) != string(text) {
			t.Fatalf("got %q, want %q", got.Append(nil), text)
		}
	}
	sameKids(t, got, want)
}

func sameKids(t *testing.T, got *Value, want *fastjson.Value) {
	t.Helper()
	if got.Type().String() != want.Type().String() {
		t.Fatalf("got a %v, want a %v: %s", got.Type(), want.Type(), want)
	}
	each := same
	if got.text == "" && got.kind != TypeString {
		each = sameKids // of ParseLenient
	}
	switch got.Type() {
	case TypeString:
		if string(got.GetStringBytes()) != string(want.GetStringBytes()) {
			t.Fatalf("got %q, want %q", got.GetStringBytes(), want.GetStringBytes())
		}
	case TypeNumber:
		n, err := got.Float64()
		if m, err2 := want.Float64(); n != m && (n == n || m == m) || (err == nil) != (err2 == nil) {
			t.Fatalf("got %v, %v, want %v, %v", n, err, m, err2)
		}
		i, err := got.Int64()
		if j, err2 := want.Int64(); i != j || (err == nil) != (err2 == nil) {
			t.Fatalf("got %v, %v, want %v, %v", i, err, j, err2)
		}
	case TypeArray:
		list := want.GetArray()
		if len(got.GetArray()) != len(list) {
			t.Fatalf("got %d values, want %d", len(got.GetArray()), len(list))
		}
		for i, v := range got.GetArray() {
			each(t, v, list[i])
		}
	case TypeObject:
		var keys []string
		var list []*fastjson.Value
		want.GetObject().Visit(func(key []byte, v *fastjson.Value) {
			keys, list = append(keys, string(key)), append(list, v)
		})
		i := 0
		got.GetObject().Visit(func(key []byte, v *Value) {
			if i >= len(keys) || string(key) != keys[i] {
				t.Fatalf("key %d is %q, want one of %q", i, key, keys)
			}
			each(t, v, list[i])
			i++
		})
		if i != len(keys) || got.GetObject().Len() != i {
			t.Fatalf("got %d keys, want %q", i, keys)
		}
	}
}

// What is found by keys, and what is not there.
func TestValue(t *testing.T) {
	var p Parser
	v, ok := p.Parse([]byte(` {"a":{"b":[1, "x\u0041" ,{"c":true}, -2.5e1]},"n":null} `))
	if !ok {
		t.Fatal("it is not read")
	}
	if got := v.GetStringBytes("a", "b", "1"); string(got) != "xA" {
		t.Errorf("%q", got)
	}
	if !v.GetBool("a", "b", "2", "c") || v.GetFloat64("a", "b", "3") != -25 || v.GetInt("a", "b", "0") != 1 {
		t.Error("a value is not found")
	}
	if got := string(v.Get("a").Append(nil)); got != `{"b":[1,"x\u0041",{"c":true},-2.5e1]}` {
		t.Error(got)
	}
	for _, keys := range [][]string{{"x"}, {"a", "x"}, {"a", "b", "4"}, {"a", "b", "x"}, {"a", "b", "0", "x"}, {"n", "x"}} {
		if v.Get(keys...) != nil || v.GetObject(keys...) != nil || v.GetArray(keys...) != nil || v.GetStringBytes(keys...) != nil {
			t.Errorf("%q is found", keys)
		}
	}
	if v.Get("n").Type() != TypeNull || (*Value)(nil).Get("x") != nil || (*Value)(nil).GetBool() {
		t.Error("null, or nothing")
	}
	(*Object)(nil).Visit(func([]byte, *Value) { t.Error("nothing has a key") })
	if _, err := v.Array(); err != ErrType {
		t.Error(err)
	}
}

// A Parser that has grown allocates nothing.
func TestParserAllocates(t *testing.T) {
	var p Parser
	body := []byte(`{"a":[1,2,{"b":"\u00e9\n"}],"s":"text","props":{"a":true,"b":false,"c":null}}`)
	if n := testing.AllocsPerRun(100, func() {
		if _, ok := p.Parse(body); !ok {
			t.Fatal("it is not read")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkParser(b *testing.B) {
	body := []byte(`{"site":"shop.example.com","name":"pageview","url":"https://shop.example.com/products/blue-chair?utm_source=news","referrer":"https://www.google.com/","screen":"1920x1080","props":{"author":"Ada","plan":"pro"}}`)
	var p Parser
	var f fastjson.Parser
	b.Run("strict", func(b *testing.B) {
		b.SetBytes(int64(len(body)))
		for b.Loop() {
			if _, ok := p.Parse(body); !ok {
				b.Fatal("it is not read")
			}
		}
	})
	b.Run("fastjson", func(b *testing.B) {
		b.SetBytes(int64(len(body)))
		for b.Loop() {
			if _, err := f.ParseBytes(body); err != nil {
				b.Fatal(err)
			}
		}
	})
}
