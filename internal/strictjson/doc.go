// Package strictjson checks that a text from outside is JSON, in the sense in which there is only one way to read it.
//
// In go bytes; out comes nil or an error that says what is wrong at which byte. Accepted is what RFC 8259 calls a JSON text,
// less what readers of JSON disagree about:
//
//   - a key that an object has twice, at any depth and however it is escaped: readers take the first, the last, or both;
//   - a surrogate without its other half (\ud800), and invalid UTF-8: neither is a character;
//   - values nested deeper than [MaxDepth].
//
// It exists because fastjson, which reads most of what comes in, is made to be fast on JSON that is right: it takes 01, 1.,
// NaN, an unknown escape, a control character in a string, and keys that come twice. So a reader parses with fastjson and
// lets Check decide whether what it has read was JSON:
//
//	root, err := parser.ParseBytes(body)
//	if err == nil {
//		err = checker.Check(body)
//	}
//
// Invariants: what encoding/json refuses is refused (a fuzz test holds it to that); time and memory are linear in the
// input; a Checker that has grown allocates nothing for input without escaped keys and without objects of more than 32 keys.
//
// A Checker belongs to one goroutine at a time. The package is a leaf. It builds no values, and does not judge whether a
// number can be represented.
package strictjson
