// Package spelling gives each page, host, referrer and name one spelling, so that it is one row in
// reports and one goal, and a filter in any spelling finds it.
//
// What a client sent goes in, what is stored comes out. The engine writes rows with these functions
// and a query passes the values of its filters through the same ones.
//
//	Path("/caf%c3%a9/%7efoo/./a%2fb")   "/café/~foo/a%2Fb"
//	Hostname("www.Xn--CAF-dma.example:443")   "café.example"
//	Referrer("https://WWW.example.com/a%5Fb/?q=1")   "example.com/a_b"
//	Unescape("spring+sale%2D1")   "spring sale-1"
//	Value(`a\b`)   "a/b"
//
// Reports are read by people, so that the one spelling is the readable one: of a path what RFC 3986
// calls unreserved, letters beyond ASCII, blanks and "{|}^" are unescaped; of a host the letters
// are shown and not Punycode. An escape stays where the character would mean something else:
// reserved characters ("%2F" is no "/"), "%" itself, controls, quotes and angle brackets, blanks at
// the end, and bytes that are no UTF-8; its digits are upper case, and the same characters without
// an escape get one, but for the reserved ones. Letters are in Unicode's form NFC. The segments "."
// and ".." are resolved, as browsers do; slashes at the end and upper and lower case of a path make
// a difference, as they do for servers. The sessions that servers write into paths
// (";jsessionid=…") are no part of the page, and are cut.
//
// A backslash becomes a slash: browsers read it so in addresses, and line protocol can't end a tag
// with one (see window.Clean). Names that differ in that alone are one name; nobody names two
// events a\b and a/b.
//
// Invariants: each function is pure, and its result passes through it unchanged, Unescape's apart:
// its input is escaped text and its result is not. Time is linear, and what is spelled right
// already costs one look at each byte and no copy.
package spelling
