// Package plausible is the protocol of Plausible's trackers and of its events API: POST /api/event.
//
// The body is one JSON object with long keys (name, url, domain, referrer, props, revenue) or with
// those of one letter that the scripts send. Domain may be a list: the event counts once for each
// site of it that the installation has, www.example.com being example.com. Without it the site is
// the host of the URL. An event named "engagement" is a ping.
//
// No one reads the answer in a visitor's browser, so that only what is no event is refused. The
// rest is cut or left out, and named in X-Millrace-Adjusted. Unknown keys are passed over.
//
// Accepted is 202 "ok", with X-Plausible-Dropped for events that are not counted; refused is the
// status of the Refusal with {"errors":{"field":["message"]}}.
//
// A page that is fetched before it is opened does not count, unless the tracker waits for that
// itself, as those do that name their version.
//
// The source is Plausible's documentation and what its clients were measured to send.
package plausible
