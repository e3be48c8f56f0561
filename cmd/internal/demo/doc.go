// Package demo is believable traffic for three made-up sites, so that a newcomer sees numbers move.
//
// In goes a seed, a rate and the address of a collector; out go requests to POST /v1/events, each with one event, as a
// site's own server would send them: address and user agent of the visitor are in the event, so the sender has to be
// trusted (a loopback address is).
//
// [WriteDay] writes a day of the past, in the form that millrace import reads.
//
// What a visitor does is drawn, not recorded: visits begin at random with a daily and weekly rhythm in the site's time zone, come
// from a search engine, a link, a campaign or nowhere, look at a few pages along the site's structure with reading pauses
// between, and some end with a sign-up, a download or an order. A third of the visitors has been there before.
//
// Invariants: the same seed and start give the same events at the same times, whatever the machine does. Addresses lie
// in networks of access providers and belong to nobody in particular; the sites end in .example (RFC 2606).
//
// Units: rates are events a second, averaged over a week.
//
// cmd calls Run in a goroutine of its own, and WriteDay for each day of the month before the first start. The package does not import anything of Millrace: it knows it only by HTTP.
package demo
