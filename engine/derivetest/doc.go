// Package derivetest has a Deriver for tests: what it makes of an event can be said without a parser.
//
// In goes an event; out comes a row with the event's own fields as its values: URL is the page, as it
// stands, Name the name, Country the country of the origin, and Bot, if set, the reason why it is a bot's, which
// nothing counts if the reason is Uncounted.
// All other dimensions are without a value.
//
//	core := engine.NewCore(engine.Rules{}, derivetest.Deriver{})
//
// The tests of package engine use it, and the simulator (bench/verify/sim), whose oracle describes the same
// fields. It is never linked into what users run.
package derivetest
