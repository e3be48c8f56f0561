// Package strictjson reads texts from outside that are JSON, in the sense in which there is only one way to read it, and
// checks that they are.
//
// In go bytes; out come a Value, or an error that says what is wrong at which byte. Accepted is what RFC 8259 calls a JSON text,
// less what readers of JSON disagree about:
//
//   - a key that an object has twice, at any depth and however it is escaped: readers take the first, the last, or both;
//   - a surrogate without its other half (\ud800), and invalid UTF-8: neither is a character;
//   - values nested deeper than [MaxDepth].
//
// It exists because fastjson is made to be fast on JSON that is right: it takes 01, 1., NaN, an unknown escape, a control
// character in a string, and keys that come twice. A Parser reads and checks a text in one pass:
//
//	root, ok := parser.Parse(body)
//	url := root.GetStringBytes("page", "url")
//
// What it does not read is refused. A reader who wants to say what is wrong with a field rather than with the text reads it
// with ParseLenient, which is fastjson, and in the end has Check say why it is no JSON; who reads with fastjson itself has
// Check decide whether that was JSON.
//
// Invariants: what encoding/json refuses is refused, and a Parser reads what fastjson and Check take and finds the same in it
// (a fuzz test holds it to both); time and memory are linear in the input; a Checker that has grown allocates nothing for
// input without escaped keys, and a Parser nothing at all, but for objects of more than 128 keys.
//
// Parsers, their Values and Checkers belong to one goroutine at a time. The package is a leaf. It does not judge whether a
// number can be represented.
package strictjson
