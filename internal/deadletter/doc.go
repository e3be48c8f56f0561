// Package deadletter is the form of a record of the topic millrace.dead: what could not be read or taken, with
// the reason and the coordinates it had.
//
// In go the coordinates, key and value of a record of any topic and a reason; out comes one JSON object, and on
// the other side the same again:
//
//	{"v":1,"topic":"millrace.windows","partition":3,"offset":17,"reason":"…","key":"…","value":"<base64>"}
//
// Invariants: Parse(Append(x)) == x, but for a value longer than MaxValue, which is cut ("size" tells how long
// it was), so that the letter always fits into a record; and for invalid UTF-8 in reason and key, which becomes
// U+FFFD. A record without a value (nil) has no "value". Parse is total: an error, never a panic.
//
// Sizes are in bytes. Anyone may call it; there is no state. It does not send anything.
package deadletter
