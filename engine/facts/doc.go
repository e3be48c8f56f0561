// Package facts is what the engine finds out about one event: the page, where the visitor came from and by
// what channel, place and language, browser, system, device and screen, what goals it reached, and whether a program
// sent it.
//
// An [event.Event] goes in, a [window.Row] comes out; the goals of the sites are read once, from JSON. Live engine and
// replay use the same code, and an event carries only what the client said, so a wrong rule is repaired by correcting
// it here and replaying.
//
// Invariants:
//   - A row is a pure function of its event and the goals: the same event gives the same row in any order, in any
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
//	EntryPage that page, if the event is a view of it: of an event without a visit. Package visit has the others.
//	Hostname  host of the URL in lower case, without "www." and port.
//	Source    who sent the visitor: the query parameter utm_source, else source, else ref, of the URL; else
//	          the name of the referrer's site (Google for any of its hosts and countries), its host where
//	          no name is known.
//	Referrer  host and path of the referrer, without "www.", port, query and trailing slash.
//	Channel   the kind of way the visitor came, by Google Analytics 4's rules with some changes, see channel.
//	UTM*      the parameters utm_source, utm_medium, ..., unescaped, as written.
//	Country   ISO 3166-1 alpha-2, upper case.
//	Region    ISO 3166-2, upper case.
//	City      GeoNames id, or the name where the collector knew no more.
//	Language  primary language and region of the first tag of the list: "de", "en-GB", "es-419".
//	Browser, OS, Device
//	          names as users know them; an app that shows pages in itself counts as a browser.
//	BrowserVersion
//	          major version.
//	OSVersion major version, with the minor one for macOS 10.x; of Windows the name. What browsers have frozen
//	          stays as they say it: macOS "10.15" and Android "10" may be any later one, and Windows
//	          "10" is 10 or 11, which can't be told apart.
//	Screen    Mobile below 576 CSS pixels of width, Tablet below 992, Laptop below 1440, else Desktop.
//	Name      the event's name.
//	Reason    why the sender is taken for a bot; only rows of bots have it.
//
// Beside the dimensions a row has the revenue, if the event has a currency and, where the site has told its own
// (Options.Goals), that one (amounts are not converted); all custom
// properties, at most MaxProps, without what Plausible's tracker measures of a page view; and the names of the goals that it reached (Options.Goals): by the event's name, or by
// a pageview's Page, see [Goal] and [ParseGoals].
//
// What every browser could say and this one has not is window.None. Other dimensions are "" where there is nothing
// to say, and do not count then: UTM* without the parameter; Region and City, which need a database that
// not every installation has; EntryPage of what is no pageview; Reason of people. And what brings nobody: a
// referrer on the event's own host (or on its site, where the site's id is a host; "www." makes no difference)
// is a step within the site, and counts in none of Source, Referrer and Channel, unless a query parameter names
// something.
//
// An event that is not the first of its visit counts under the visit's origin: where it came from, place, language, browser,
// system, device and screen. So these are apart ([Deriver.Origin]), and asked for when a visit begins.
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
