// Package facts is what the engine finds out about one event: the page, where the visitor came from, country and
// language, browser, operating system and device, and whether a program sent it.
//
// An [event.Event] goes in, a [window.Row] comes out. Live engine and replay use the same code, and an event
// carries only what the client said, so a wrong rule is repaired by correcting it here and replaying.
//
// Invariants:
//   - A row is a pure function of its event: the same event gives the same row in any order, in any
//     process, with any size of the caches.
//   - Every value of a row is valid UTF-8 and clean (window.Clean), or "" where the event does not count in
//     the dimension.
//   - Memory is bounded and time per event is linear in the first few hundred bytes of each field, whatever
//     clients send: user agents that are all different cost one parse each and no more.
//   - [Version] is raised by every change that can give an event another row.
//
// The dimensions:
//
//	Page      path of the URL, without query and fragment, "/" if it is empty. Escapes and trailing slashes
//	          stay as they came.
//	Source    who sent the visitor: the query parameter utm_source, else source, else ref, of the URL; else
//	          the name of the referrer's site (Google for any of its hosts and countries), its host where
//	          no name is known.
//	Referrer  host and path of the referrer, without "www.", port, query and trailing slash.
//	Country   ISO 3166-1 alpha-2, upper case.
//	Language  primary language and region of the first tag of the list: "de", "en-GB", "es-419".
//	Browser, OS, Device
//	          names as users know them; an app that shows pages in itself counts as a browser.
//	Name      the event's name.
//	Reason    why the sender is taken for a bot; only rows of bots have it.
//
// What an event could have had and has not is window.None. Two dimensions may be "": a referrer on the event's
// own host (or on its site, where the site's id is a host; "www." makes no difference) is a step within the site
// and brings nobody, so such an event counts in neither Source nor Referrer, unless a query parameter names a
// source. Reason is "" for people.
//
// A bot's row holds its flags, visitor and Reason only: nothing else is counted of it. The collector's verdict
// (Event.Bot) comes first, then the user agent's. A client ending in ".server" is trusted to speak for
// somebody else, so its user agent says nothing about bots.
//
// A [Deriver] belongs to one goroutine; each partition and each replay has its own. Its callers are the engine
// and package replay.
//
// It does not: look at addresses (the collector does), remember visitors, or decide what a window counts.
//
// The list of crawlers is made from crawler-user-agents, see NOTICE.
package facts

//go:generate go run ./internal/gen package/crawler-user-agents.json crawlers.go
